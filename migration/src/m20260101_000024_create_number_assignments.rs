//! Numbers get a PIN, several plans, switches at set times, and a history.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string, string_null, timestamp_with_time_zone, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn cascading(
    table: &'static str,
    column: &'static str,
    to: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, column)
        .to(to, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("numbers")
                    .add_column(string_null("pin_hash"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("number_plans")
                    .col(uuid("number_id"))
                    .col(uuid("plan_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .primary_key(Index::create().col("number_id").col("plan_id"))
                    .foreign_key(&mut cascading("number_plans", "number_id", "numbers"))
                    .foreign_key(&mut cascading("number_plans", "plan_id", "call_plans"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("plan_switches")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(uuid("number_id"))
                    .col(uuid_null("plan_id"))
                    .col(timestamp_with_time_zone("at"))
                    .col(uuid_null("created_by"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut cascading("plan_switches", "account_id", "accounts"))
                    .foreign_key(&mut cascading("plan_switches", "number_id", "numbers"))
                    .foreign_key(&mut cascading("plan_switches", "plan_id", "call_plans"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("number_assignments")
                    .col(uuid("id").primary_key())
                    .col(uuid("account_id"))
                    .col(uuid("number_id"))
                    .col(string("number"))
                    .col(string("kind"))
                    .col(uuid_null("plan_id"))
                    .col(uuid_null("created_by"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut cascading(
                        "number_assignments",
                        "account_id",
                        "accounts",
                    ))
                    .to_owned(),
            )
            .await?;
        for (name, table, columns) in [
            ("number_plans_by_plan_id", "number_plans", vec!["plan_id"]),
            ("plan_switches_by_at", "plan_switches", vec!["at"]),
            (
                "plan_switches_by_number_id",
                "plan_switches",
                vec!["number_id"],
            ),
            (
                "number_assignments_by_number_id",
                "number_assignments",
                vec!["number_id", "created_at", "id"],
            ),
            (
                "number_assignments_by_account_id",
                "number_assignments",
                vec!["account_id"],
            ),
        ] {
            let mut index = Index::create();
            index.name(name).table(table);
            for column in columns {
                index.col(column);
            }
            manager.create_index(index).await?;
        }
        // What is there has a history of one line, named as the number is.
        for fill in [
            "INSERT INTO number_plans (number_id, plan_id, created_at) \
             SELECT id, plan_id, updated_at FROM numbers WHERE plan_id IS NOT NULL",
            "INSERT INTO number_assignments (id, account_id, number_id, number, kind, plan_id, created_at) \
             SELECT id, account_id, id, number, 'created', plan_id, created_at FROM numbers",
        ] {
            manager.get_connection().execute_unprepared(fill).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["number_assignments", "plan_switches", "number_plans"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        manager
            .alter_table(
                Table::alter()
                    .table("numbers")
                    .drop_column("pin_hash")
                    .to_owned(),
            )
            .await
    }
}
