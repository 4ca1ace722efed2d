//! One batch: pieces sorted by table, written in one transaction.

use super::Piece;
use super::insert::{columns, insert, update};
use crate::store::calls::{call_model, leg_model};
use crate::store::events::{self, NewEvent};
use crate::store::recordings::{self, Recording};
use crate::store::scheduled_calls::{self, ScheduledUpdate};
use crate::store::{AccountScope, Store, StoreError};
use sea_orm::{ActiveModelTrait, ConnectionTrait, IntoActiveModel};
use std::borrow::Borrow;
use std::collections::HashMap;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::{CallId, EventId};
use strowger_entity::{call_legs, calls};

/// What is done with a row that is there already.
const KEEP: &str = "ON CONFLICT (\"id\") DO NOTHING";

/// The pieces of one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    calls: Vec<&'a CallRecord>,
    recordings: Vec<&'a Recording>,
    scheduled: Vec<&'a ScheduledUpdate>,
    /// Bundled and named once, so that writing them twice changes nothing.
    events: Vec<strowger_entity::events::ActiveModel>,
}

impl<'a> Batch<'a> {
    pub(super) fn of(pieces: &'a [Piece], name: impl FnMut() -> EventId) -> Self {
        let mut batch = Self::default();
        let mut told: Vec<&NewEvent> = Vec::new();
        // A call is written once, in the order of coming: what came last tells everything, unless
        // the call had ended before.
        let mut places: HashMap<CallId, usize> = HashMap::new();
        let mut note = |call: &'a CallRecord| {
            let place = *places.entry(call.id).or_insert(batch.calls.len());
            match batch.calls.get_mut(place) {
                None => batch.calls.push(call),
                Some(kept) if kept.ended_at.is_none() => *kept = call,
                Some(_) => {}
            }
        };
        for piece in pieces {
            match piece {
                Piece::Call(call) => note(call),
                Piece::End(end) => {
                    let (record, ended) = &**end;
                    note(record);
                    told.push(ended);
                }
                Piece::Recording(recording) => batch.recordings.push(recording),
                Piece::Scheduled(update) => batch.scheduled.push(update),
                Piece::Event(event) => told.push(event),
            }
        }
        batch.events = events::bundles(&told, name);
        batch
    }

    /// Whether somebody may wait for the events in it.
    pub(super) fn tells(&self) -> bool {
        !self.events.is_empty()
    }
}

pub(super) async fn write(store: &Store, batch: &Batch<'_>) -> Result<(), StoreError> {
    let transaction = store.begin().await?;
    write_calls(&transaction, &batch.calls).await?;
    let recordings = active(
        batch
            .recordings
            .iter()
            .map(|piece| recordings::model(piece)),
    );
    insert(&transaction, recordings, None, KEEP).await?;
    scheduled_calls::apply_all(&transaction, &AccountScope::platform(), &batch.scheduled).await?;
    insert(&transaction, batch.events.clone(), Some("position"), KEEP).await?;
    transaction.commit().await?;
    Ok(())
}

/// Writes calls with their legs; each call once. A call that has ended is not touched.
pub(in crate::store) async fn write_calls(
    db: &impl ConnectionTrait,
    records: &[impl Borrow<CallRecord>],
) -> Result<(), StoreError> {
    let rows = active(records.iter().map(|call| call_model(call.borrow())));
    let only = "WHERE \"calls\".\"ended_at\" IS NULL";
    let conflict = update("id", &columns::<calls::Entity>(), only);
    insert(db, rows, None, &conflict).await?;
    let mut legs = Vec::with_capacity(records.len());
    for call in records {
        let call = call.borrow();
        legs.extend(active(call.legs.iter().map(|leg| leg_model(call.id, leg))));
    }
    let only = "WHERE \"call_legs\".\"ended_at\" IS NULL";
    let conflict = update("id", &columns::<call_legs::Entity>(), only);
    insert(db, legs, None, &conflict).await
}

/// Writes scheduled calls that are there already, as they are now.
pub(in crate::store) async fn write_scheduled(
    db: &impl ConnectionTrait,
    rows: Vec<strowger_entity::scheduled_calls::Model>,
) -> Result<(), StoreError> {
    let names = columns::<strowger_entity::scheduled_calls::Entity>();
    insert(db, active(rows), None, &update("id", &names, "")).await
}

/// Rows with all their columns set.
fn active<A, M: IntoActiveModel<A>>(rows: impl IntoIterator<Item = M>) -> Vec<A>
where
    A: ActiveModelTrait,
{
    rows.into_iter().map(M::into_active_model).collect()
}

/// Writes events in their order; one that is there already is left as it is.
pub(in crate::store) async fn write_events(
    db: &impl ConnectionTrait,
    told: &[NewEvent],
    name: impl FnMut() -> EventId,
) -> Result<(), StoreError> {
    insert(db, events::bundles(told, name), Some("position"), KEEP).await
}

/// Writes deliveries to webhooks: as they are now, or only those that are not there yet.
pub(in crate::store) async fn write_deliveries(
    db: &impl ConnectionTrait,
    rows: Vec<strowger_entity::webhook_deliveries::Model>,
    anew: bool,
) -> Result<(), StoreError> {
    if anew {
        let names = columns::<strowger_entity::webhook_deliveries::Entity>();
        return insert(db, active(rows), None, &update("id", &names, "")).await;
    }
    insert(db, active(rows), None, "ON CONFLICT DO NOTHING").await
}
