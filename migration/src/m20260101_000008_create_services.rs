//! Creates `services` and `instances`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, integer_null, json, string, string_null, text, text_null, timestamp_with_time_zone,
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
                    .table("services")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(string("name"))
                    .col(text("password_hash"))
                    .col(json("rest"))
                    .col(text("application_parameters"))
                    .col(integer("extra_channels"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("services", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("services_by_account_id_name")
                    .table("services")
                    .col("account_id")
                    .col("name")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("instances")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(uuid("service_id"))
                    .col(string("called"))
                    .col(string("calling"))
                    .col(string("token"))
                    .col(text("outbound_parameters"))
                    .col(string("state"))
                    .col(uuid_null("call_id"))
                    .col(string_null("cause"))
                    .col(integer_null("sip_status"))
                    .col(text_null("failure"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .col(timestamp_with_time_zone_null("ended_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("instances", "account_id")
                            .to("accounts", "id"),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from("instances", "service_id")
                            .to("services", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("instances_by_service_id_created_at")
                    .table("instances")
                    .col("service_id")
                    .col("created_at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("instances_by_ended_at")
                    .table("instances")
                    .col("ended_at")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("instances").to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table("services").to_owned())
            .await?;
        Ok(())
    }
}
