//! Creates `trunks` and `routes`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, integer, json, string, string_null, timestamp_with_time_zone, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("trunks")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(string("name"))
                    .col(string("host"))
                    .col(string("transport"))
                    .col(string_null("username"))
                    .col(string_null("password"))
                    .col(boolean("authenticate_inbound"))
                    .col(json("allowed_sources"))
                    .col(json("codecs"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("trunks", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("trunks_by_account_id_created_at")
                    .table("trunks")
                    .col("account_id")
                    .col("created_at")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("routes")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(string("prefix"))
                    .col(uuid("trunk_id"))
                    .col(integer("priority"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("routes", "account_id")
                            .to("accounts", "id"),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .from("routes", "trunk_id")
                            .to("trunks", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("routes_by_account_id_prefix")
                    .table("routes")
                    .col("account_id")
                    .col("prefix")
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("routes_by_trunk_id")
                    .table("routes")
                    .col("trunk_id")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("routes").to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table("trunks").to_owned())
            .await?;
        Ok(())
    }
}
