//! Adds to `sessions` where they come from and when they were last used.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string_null, timestamp_with_time_zone_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 4] = [
    "created_from",
    "user_agent",
    "last_used_from",
    "last_used_at",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in COLUMNS {
            let column = if name == "last_used_at" {
                timestamp_with_time_zone_null(name)
            } else {
                string_null(name)
            };
            let alter = Table::alter()
                .table("sessions")
                .add_column(column)
                .to_owned();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in COLUMNS {
            let alter = Table::alter()
                .table("sessions")
                .drop_column(name)
                .to_owned();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}
