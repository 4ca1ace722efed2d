//! Creates `second_factors`, `recovery_codes` and `sign_in_rules`, and adds to `users` when the
//! password was chosen.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer_null, boolean, integer_null, string, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let cascade = |from: &'static str, column: &'static str, to: &'static str| {
            ForeignKey::create()
                .from(from, column)
                .to(to, "id")
                .on_delete(ForeignKeyAction::Cascade)
                .to_owned()
        };
        let factors = Table::create()
            .table("second_factors")
            .col(uuid("user_id").primary_key())
            .col(string("secret"))
            .col(big_integer_null("last_step"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("confirmed_at"))
            .foreign_key(&mut cascade("second_factors", "user_id", "users"))
            .to_owned();
        manager.create_table(factors).await?;
        let codes = Table::create()
            .table("recovery_codes")
            .col(string("code_hash").primary_key())
            .col(uuid("user_id"))
            .col(timestamp_with_time_zone_null("used_at"))
            .foreign_key(&mut cascade("recovery_codes", "user_id", "users"))
            .to_owned();
        manager.create_table(codes).await?;
        let index = Index::create()
            .name("recovery_codes_by_user_id")
            .table("recovery_codes")
            .col("user_id")
            .to_owned();
        manager.create_index(index).await?;
        let rules = Table::create()
            .table("sign_in_rules")
            .col(uuid("account_id").primary_key())
            .col(boolean("mfa_required"))
            .col(integer_null("password_days"))
            .foreign_key(&mut cascade("sign_in_rules", "account_id", "accounts"))
            .to_owned();
        manager.create_table(rules).await?;
        let chosen = timestamp_with_time_zone_null("password_changed_at");
        let users = Table::alter().table("users").add_column(chosen).to_owned();
        manager.alter_table(users).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let users = Table::alter()
            .table("users")
            .drop_column("password_changed_at")
            .to_owned();
        manager.alter_table(users).await?;
        for name in ["sign_in_rules", "recovery_codes", "second_factors"] {
            let table = Table::drop().table(name).to_owned();
            manager.drop_table(table).await?;
        }
        Ok(())
    }
}
