//! Creates `calls` and `call_legs`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, integer, integer_null, json, string, string_null, timestamp_with_time_zone,
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
                    .table("calls")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(string("origin"))
                    .col(string_null("service_number"))
                    .col(string_null("calling"))
                    .col(string("called"))
                    .col(string("state"))
                    .col(timestamp_with_time_zone("started_at"))
                    .col(timestamp_with_time_zone_null("answered_at"))
                    .col(timestamp_with_time_zone_null("ended_at"))
                    .col(string_null("cause"))
                    .col(integer_null("sip_status"))
                    .col(string_null("outcome"))
                    .col(big_integer("duration_ms"))
                    .col(uuid_null("scheduled_call_id"))
                    .col(uuid_null("instance_id"))
                    .col(integer("expected_count"))
                    .col(json("steps"))
                    .col(json("annotations"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("calls", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("calls_by_account_id_started_at")
                    .table("calls")
                    .col("account_id")
                    .col("started_at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("calls_by_ended_at")
                    .table("calls")
                    .col("ended_at")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("calls_by_scheduled_call_id")
                    .table("calls")
                    .col("scheduled_call_id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("call_legs")
                    .col(uuid("id").primary_key())
                    .col(uuid("call_id"))
                    .col(integer("number"))
                    .col(string("role"))
                    .col(integer("call_type"))
                    .col(string("direction"))
                    .col(string_null("address"))
                    .col(string_null("presentation"))
                    .col(timestamp_with_time_zone("started_at"))
                    .col(timestamp_with_time_zone_null("ringing_at"))
                    .col(timestamp_with_time_zone_null("answered_at"))
                    .col(timestamp_with_time_zone_null("ended_at"))
                    .col(string_null("cause"))
                    .col(integer_null("sip_status"))
                    .col(string_null("codec"))
                    .col(big_integer("packets_sent"))
                    .col(big_integer("packets_received"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("call_legs", "call_id")
                            .to("calls", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("call_legs_by_call_id_number")
                    .table("call_legs")
                    .col("call_id")
                    .col("number")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("call_legs").to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table("calls").to_owned())
            .await?;
        Ok(())
    }
}
