//! Creates `webhook_deliveries`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, integer, integer_null, string, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("webhook_deliveries")
                    .col(uuid("id").primary_key())
                    .col(uuid("webhook_id"))
                    .col(uuid("event_id"))
                    .col(big_integer("position"))
                    .col(string("event_type"))
                    .col(uuid("account_id"))
                    .col(uuid_null("call_id"))
                    .col(string("state"))
                    .col(integer("attempts"))
                    .col(timestamp_with_time_zone("due_at"))
                    .col(timestamp_with_time_zone("expires_at"))
                    .col(timestamp_with_time_zone_null("attempted_at"))
                    .col(integer_null("status"))
                    .col(integer_null("latency_ms"))
                    .col(text_null("failure"))
                    .col(text_null("response"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("webhook_deliveries", "webhook_id")
                            .to("webhooks", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        for (name, columns, unique) in [
            (
                "webhook_deliveries_by_webhook_id_event_id",
                &["webhook_id", "event_id"][..],
                true,
            ),
            (
                "webhook_deliveries_by_webhook_id_created_at",
                &["webhook_id", "created_at", "id"],
                false,
            ),
            (
                "webhook_deliveries_by_webhook_id_state",
                &["webhook_id", "state", "position"],
                false,
            ),
            ("webhook_deliveries_by_created_at", &["created_at"], false),
        ] {
            let mut index = Index::create();
            index.name(name).table("webhook_deliveries");
            for column in columns {
                index.col(*column);
            }
            if unique {
                index.unique();
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("webhook_deliveries").to_owned())
            .await
    }
}
