//! Creates `brandings`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json, string_null, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("brandings")
                    .col(uuid("account_id").primary_key())
                    .col(string_null("host").unique_key())
                    .col(json("look"))
                    .col(string_null("logo"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("brandings", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("brandings").to_owned())
            .await
    }
}
