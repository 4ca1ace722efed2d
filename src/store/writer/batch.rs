//! One batch: pieces sorted by table, written in one transaction.

use super::Piece;
use crate::store::calls::{call_model, leg_model};
use crate::store::events::{self, Event};
use crate::store::recordings::{self, Recording};
use crate::store::scheduled_calls::{self, ScheduledUpdate};
use crate::store::{AccountScope, Store, StoreError};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, Iterable};
use std::borrow::Borrow;
use std::collections::BTreeMap;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::CallId;
use strowger_entity::{call_legs, calls};

/// Rows of one statement: both databases bound the number of parameters.
const ROWS: usize = 500;

/// The pieces of one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    calls: Vec<&'a CallRecord>,
    recordings: Vec<&'a Recording>,
    scheduled: Vec<&'a ScheduledUpdate>,
    events: Vec<&'a Event>,
}

impl<'a> Batch<'a> {
    pub(super) fn of(pieces: &'a [Piece]) -> Self {
        let mut batch = Self::default();
        // One statement may name a call once: what came last tells everything, unless the call had
        // ended before.
        let mut last: BTreeMap<CallId, &CallRecord> = BTreeMap::new();
        let mut note = |call: &'a CallRecord| {
            let kept = last.entry(call.id).or_insert(call);
            if kept.ended_at.is_none() {
                *kept = call;
            }
        };
        for piece in pieces {
            match piece {
                Piece::Call(call) => note(call),
                Piece::End(end) => {
                    let (record, ended) = &**end;
                    note(record);
                    batch.events.push(ended);
                }
                Piece::Recording(recording) => batch.recordings.push(recording),
                Piece::Scheduled(update) => batch.scheduled.push(update),
                Piece::Event(event) => batch.events.push(event),
            }
        }
        batch.calls = last.into_values().collect();
        batch
    }
}

pub(super) async fn write(store: &Store, batch: &Batch<'_>) -> Result<(), StoreError> {
    let transaction = store.begin().await?;
    write_calls(&transaction, &batch.calls).await?;
    write_recordings(&transaction, &batch.recordings).await?;
    for update in &batch.scheduled {
        match scheduled_calls::apply(&transaction, &AccountScope::platform(), (*update).clone())
            .await
        {
            Ok(_call) => {}
            Err(StoreError::Stale | StoreError::NotFound) => tracing::debug!(
                scheduled_call.id = %update.id,
                fact = ?update.fact,
                "a fact of a scheduled call came too late"
            ),
            Err(error) => return Err(error),
        }
    }
    write_events(&transaction, &batch.events).await?;
    transaction.commit().await?;
    Ok(())
}

/// Writes calls with their legs; each call once. A call that has ended is not touched.
pub(in crate::store) async fn write_calls(
    db: &impl ConnectionTrait,
    records: &[impl Borrow<CallRecord>],
) -> Result<(), StoreError> {
    let open = Expr::col((calls::Entity, calls::Column::EndedAt)).is_null();
    let update_open_call = OnConflict::column(calls::Column::Id)
        .update_columns(calls::Column::iter().filter(|column| !matches!(column, calls::Column::Id)))
        .action_and_where(open)
        .to_owned();
    for some in records.chunks(ROWS) {
        let models = some
            .iter()
            .map(|call| call_model(call.borrow()).into_active_model());
        let insert = calls::Entity::insert_many(models).on_conflict(update_open_call.clone());
        written(insert.exec_without_returning(db).await)?;
    }
    let legs: Vec<_> = records
        .iter()
        .flat_map(|call| {
            call.borrow()
                .legs
                .iter()
                .map(|leg| leg_model(call.borrow().id, leg))
        })
        .collect();
    let open = Expr::col((call_legs::Entity, call_legs::Column::EndedAt)).is_null();
    let update_open_leg = OnConflict::column(call_legs::Column::Id)
        .update_columns(
            call_legs::Column::iter().filter(|column| !matches!(column, call_legs::Column::Id)),
        )
        .action_and_where(open)
        .to_owned();
    for some in legs.chunks(ROWS) {
        let models = some.iter().cloned().map(IntoActiveModel::into_active_model);
        let insert = call_legs::Entity::insert_many(models).on_conflict(update_open_leg.clone());
        written(insert.exec_without_returning(db).await)?;
    }
    Ok(())
}

/// Writes events in their order; one that is there already is left as it is.
pub(in crate::store) async fn write_events(
    db: &impl ConnectionTrait,
    pieces: &[impl Borrow<Event>],
) -> Result<(), StoreError> {
    use strowger_entity::events::{Column, Entity};
    let keep = OnConflict::column(Column::Id).do_nothing().to_owned();
    for some in pieces.chunks(ROWS) {
        let models = some.iter().map(|event| events::model(event.borrow()));
        let insert = Entity::insert_many(models).on_conflict(keep.clone());
        written(insert.exec_without_returning(db).await)?;
    }
    Ok(())
}

async fn write_recordings(
    db: &impl ConnectionTrait,
    pieces: &[&Recording],
) -> Result<(), StoreError> {
    use strowger_entity::recordings::{Column, Entity};
    let keep = OnConflict::column(Column::Id).do_nothing().to_owned();
    for some in pieces.chunks(ROWS) {
        let models = some
            .iter()
            .map(|piece| recordings::model(piece).into_active_model());
        let insert = Entity::insert_many(models).on_conflict(keep.clone());
        written(insert.exec_without_returning(db).await)?;
    }
    Ok(())
}

/// No new row is no fault: it was there already.
fn written<T>(result: Result<T, DbErr>) -> Result<(), StoreError> {
    match result {
        Ok(_) | Err(DbErr::RecordNotInserted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
