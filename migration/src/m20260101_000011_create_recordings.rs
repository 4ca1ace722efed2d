//! Creates `recordings`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, string, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("recordings")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(uuid("call_id"))
                    .col(string("file"))
                    .col(integer("channels"))
                    .col(big_integer("duration_ms"))
                    .col(big_integer("size_bytes"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("recordings", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("recordings_by_account_id_created_at")
                    .table("recordings")
                    .col("account_id")
                    .col("created_at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("recordings_by_call_id")
                    .table("recordings")
                    .col("call_id")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("recordings").to_owned())
            .await?;
        Ok(())
    }
}
