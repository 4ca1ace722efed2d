//! Creates `scheduled_calls`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, integer_null, json, string, string_null, text_null, timestamp_with_time_zone,
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
                    .table("scheduled_calls")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(string("service_number"))
                    .col(string("first_party"))
                    .col(string_null("presentation_number"))
                    .col(timestamp_with_time_zone("not_before"))
                    .col(timestamp_with_time_zone_null("expires_at"))
                    .col(integer("ring_duration_s"))
                    .col(json("variables"))
                    .col(string_null("reference"))
                    .col(string("state"))
                    .col(string_null("cause"))
                    .col(text_null("failure"))
                    .col(integer_null("sip_status"))
                    .col(uuid_null("call_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .col(timestamp_with_time_zone_null("answered_at"))
                    .col(timestamp_with_time_zone_null("ended_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("scheduled_calls", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("scheduled_calls_by_account_id_created_at")
                    .table("scheduled_calls")
                    .col("account_id")
                    .col("created_at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("scheduled_calls_by_state_not_before")
                    .table("scheduled_calls")
                    .col("state")
                    .col("not_before")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("scheduled_calls").to_owned())
            .await?;
        Ok(())
    }
}
