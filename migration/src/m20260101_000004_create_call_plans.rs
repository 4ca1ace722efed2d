//! Creates `call_plans` and `call_plan_versions`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, integer, integer_null, json, string, text, timestamp_with_time_zone, uuid,
    uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("call_plans")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(string("name"))
                    .col(json("draft"))
                    .col(big_integer("draft_revision"))
                    .col(integer_null("published_version"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("call_plans", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("call_plans_by_account_id_created_at")
                    .table("call_plans")
                    .col("account_id")
                    .col("created_at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("call_plan_versions")
                    .col(uuid("plan_id"))
                    .col(integer("version"))
                    .col(json("plan"))
                    .col(text("note"))
                    .col(uuid_null("published_by"))
                    .col(timestamp_with_time_zone("published_at"))
                    .primary_key(Index::create().col("plan_id").col("version"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("call_plan_versions", "plan_id")
                            .to("call_plans", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("call_plan_versions").to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table("call_plans").to_owned())
            .await?;
        Ok(())
    }
}
