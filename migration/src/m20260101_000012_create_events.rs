//! Creates `events`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, json, string, timestamp_with_time_zone, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("events")
                    .col(big_integer("position").auto_increment().primary_key())
                    .col(uuid("id").unique_key())
                    .col(uuid("account_id"))
                    .col(string("kind"))
                    .col(timestamp_with_time_zone("time"))
                    .col(uuid_null("call_id"))
                    .col(uuid_null("leg_id"))
                    .col(big_integer("sequence"))
                    .col(json("data"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("events", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("events_by_account_id_position")
                    .table("events")
                    .col("account_id")
                    .col("position")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("events_by_call_id_sequence")
                    .table("events")
                    .col("call_id")
                    .col("sequence")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("events").to_owned())
            .await?;
        Ok(())
    }
}
