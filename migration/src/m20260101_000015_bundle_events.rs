//! Gives `call_legs` the quality of their sound, and `events` a row for each bundle of events. The
//! events that there are become bundles of one.
//!
//! Downwards, events are forgotten: bundles cannot be told to readers of single rows.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, json, json_null, string, text, timestamp_with_time_zone, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::prelude::{DateTimeUtc, Json, Uuid};
use sea_orm_migration::sea_orm::{ConnectionTrait, ExprTrait};

/// Rows that are copied with one statement.
const PAGE: u64 = 500;
/// The bits of an event's name that are its place in its bundle.
const PLACES: u128 = 0xffff;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// On one connection: another one of SQLite's pool still knows the indexes that were dropped.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("call_legs")
                    .add_column(json_null("quality"))
                    .to_owned(),
            )
            .await?;
        drop_indexes(manager, "events_by_call_id_sequence").await?;
        manager
            .rename_table(Table::rename().table("events", "single_events").to_owned())
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("events")
                    .col(big_integer("position").auto_increment().primary_key())
                    .col(uuid("id").unique_key())
                    .col(uuid("account_id"))
                    .col(uuid_null("call_id"))
                    .col(timestamp_with_time_zone("last_time"))
                    .col(text("facts"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("events", "account_id")
                            .to("accounts", "id"),
                    )
                    .to_owned(),
            )
            .await?;
        create_indexes(manager, "events_by_call_id_position", "position").await?;
        copy(manager).await?;
        manager
            .drop_table(Table::drop().table("single_events").to_owned())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("events").to_owned())
            .await?;
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
        create_indexes(manager, "events_by_call_id_sequence", "sequence").await?;
        manager
            .alter_table(
                Table::alter()
                    .table("call_legs")
                    .drop_column("quality")
                    .to_owned(),
            )
            .await
    }
}

async fn drop_indexes(manager: &SchemaManager<'_>, of_calls: &'static str) -> Result<(), DbErr> {
    for name in ["events_by_account_id_position", of_calls] {
        manager
            .drop_index(Index::drop().name(name).table("events").to_owned())
            .await?;
    }
    Ok(())
}

async fn create_indexes(
    manager: &SchemaManager<'_>,
    of_calls: &'static str,
    order: &'static str,
) -> Result<(), DbErr> {
    for (name, first, second) in [
        ("events_by_account_id_position", "account_id", "position"),
        (of_calls, "call_id", order),
    ] {
        let mut index = Index::create();
        index.name(name).table("events").col(first).col(second);
        manager.create_index(index).await?;
    }
    Ok(())
}

/// Makes a bundle of each event, in the order of writing.
async fn copy(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let database = manager.get_connection();
    let mut last = 0_i64;
    loop {
        let page = Query::select()
            .columns([
                "position",
                "id",
                "account_id",
                "kind",
                "time",
                "call_id",
                "leg_id",
                "sequence",
                "data",
            ])
            .from("single_events")
            .and_where(Expr::col("position").gt(last))
            .order_by("position", Order::Asc)
            .limit(PAGE)
            .to_owned();
        let rows = database.query_all(&page).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut bundles = Query::insert()
            .into_table("events")
            .columns(["id", "account_id", "call_id", "last_time", "facts"])
            .to_owned();
        for row in rows {
            last = row.try_get("", "position")?;
            let time: DateTimeUtc = row.try_get("", "time")?;
            let id: Uuid = row.try_get("", "id")?;
            let account: Uuid = row.try_get("", "account_id")?;
            let call: Option<Uuid> = row.try_get("", "call_id")?;
            let facts = facts(&row, time)?;
            bundles
                .values([
                    Uuid::from_u128(id.as_u128() & !PLACES).into(),
                    account.into(),
                    call.into(),
                    time.into(),
                    facts.into(),
                ])
                .map_err(|error| DbErr::Migration(error.to_string()))?;
        }
        database.execute(&bundles).await?;
    }
}

/// The one fact of a bundle, as readers of bundles expect it.
fn facts(
    row: &sea_orm_migration::sea_orm::QueryResult,
    time: DateTimeUtc,
) -> Result<String, DbErr> {
    let kind: String = row.try_get("", "kind")?;
    let leg: Option<Uuid> = row.try_get("", "leg_id")?;
    let sequence: i64 = row.try_get("", "sequence")?;
    let data: Json = row.try_get("", "data")?;
    let mut fact = serde_json::json!({
        "kind": kind,
        "time": time.timestamp_micros(),
        "sequence": sequence,
        "data": data,
    });
    if let Some(leg) = leg {
        fact["leg"] = serde_json::Value::String(format!("leg_{}", leg.simple()));
    }
    Ok(serde_json::Value::Array(vec![fact]).to_string())
}
