//! Creates `mail_settings`, `mail_templates` and `mails`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, string, string_null, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("mail_settings")
                    .col(uuid("account_id").primary_key())
                    .col(string("host"))
                    .col(integer("port"))
                    .col(string("security"))
                    .col(string_null("username"))
                    .col(string_null("password"))
                    .col(string("from_address"))
                    .col(string_null("from_name"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("mail_settings", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("mail_templates")
                    .col(uuid("account_id"))
                    .col(string("kind"))
                    .col(text("subject"))
                    .col(text("text"))
                    .col(text_null("html"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .primary_key(Index::create().col("account_id").col("kind"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("mail_templates", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("mails")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(string("kind"))
                    .col(string("recipient"))
                    .col(text("subject"))
                    .col(text("text"))
                    .col(text_null("html"))
                    .col(string("status"))
                    .col(integer("attempts"))
                    .col(text_null("error"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone_null("due_at"))
                    .col(timestamp_with_time_zone_null("sent_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("mails", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("mails_by_account_id_created_at")
                    .table("mails")
                    .col("account_id")
                    .col("created_at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("mails_by_due_at")
                    .table("mails")
                    .col("due_at")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["mails", "mail_templates", "mail_settings"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}
