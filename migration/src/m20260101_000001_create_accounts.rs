//! Creates `accounts`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    json, string, string_null, timestamp_with_time_zone, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("accounts")
                    .col(uuid("id").primary_key())
                    .col(uuid_null("parent_id"))
                    .col(path(manager))
                    .col(string("kind"))
                    .col(string("name"))
                    .col(string_null("reference"))
                    .col(string("status"))
                    .col(string("time_zone"))
                    .col(json("permissions"))
                    .col(json("limits"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("accounts", "parent_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("accounts_by_parent_id")
                    .table("accounts")
                    .col("parent_id")
                    .to_owned(),
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("accounts").to_owned())
            .await?;
        Ok(())
    }
}

/// Paths are compared byte by byte: a range of them is a part of the tree. The default order of
/// PostgreSQL is that of a language.
fn path(manager: &SchemaManager) -> ColumnDef {
    let mut column = string("path");
    column.unique_key();
    if manager.get_database_backend() == sea_orm_migration::sea_orm::DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}
