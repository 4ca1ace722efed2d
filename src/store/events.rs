//! The event log: what happened, in the order of writing. A reader that knows the last event it got
//! reads on from there.

use super::scope::{AccountScope, Within};
use super::text::{json, signed, unsigned};
use super::{Store, StoreError, utc};
use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::{AccountId, CallId, EventId, LegId};
use strowger_entity::events::{ActiveModel, Column, Entity, Model};

/// One event of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name.
    pub id: EventId,
    /// Its type in the catalogue (`call.answered`).
    pub kind: String,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// Where.
    pub account: AccountId,
    /// In which call.
    pub call: Option<CallId>,
    /// To which leg.
    pub leg: Option<LegId>,
    /// Counts within a call from 1, without gaps; 0 outside of a call.
    pub sequence: u64,
    /// What else is known.
    pub data: Value,
}

fn row(model: Model) -> Event {
    Event {
        id: EventId::from_uuid(model.id),
        kind: model.kind,
        time: model.time,
        account: AccountId::from_uuid(model.account_id),
        call: model.call_id.map(CallId::from_uuid),
        leg: model.leg_id.map(LegId::from_uuid),
        sequence: unsigned(model.sequence),
        data: model.data,
    }
}

pub(super) fn model(event: &Event) -> ActiveModel {
    ActiveModel {
        position: NotSet,
        id: Set(event.id.uuid()),
        account_id: Set(event.account.uuid()),
        kind: Set(event.kind.clone()),
        time: Set(utc(event.time)),
        call_id: Set(event.call.map(CallId::uuid)),
        leg_id: Set(event.leg.map(LegId::uuid)),
        sequence: Set(signed(event.sequence)),
        data: Set(event.data.clone()),
    }
}

/// The terminal event of a call that was cut.
pub(super) fn call_ended(
    id: EventId,
    record: &CallRecord,
    sequence: u64,
    now: DateTime<Utc>,
) -> Event {
    Event {
        id,
        kind: "call.ended".to_owned(),
        time: now,
        account: record.account,
        call: Some(record.id),
        leg: None,
        sequence,
        data: json(&serde_json::json!({
            "cause": record.cause,
            "q850": record.q850,
            "sip_status": record.sip_status,
            "outcome": record.outcome,
            "duration_ms": record.duration_ms,
        })),
    }
}

/// The last event of a call: its number, 0 when there is none, and its time.
pub(super) async fn last_of(
    db: &impl ConnectionTrait,
    call: CallId,
) -> Result<(u64, Option<DateTime<Utc>>), StoreError> {
    let last: Option<(i64, DateTime<Utc>)> = Entity::find()
        .select_only()
        .column(Column::Sequence)
        .column(Column::Time)
        .filter(Column::CallId.eq(call.uuid()))
        .order_by_desc(Column::Sequence)
        .into_tuple()
        .one(db)
        .await?;
    Ok(last.map_or((0, None), |(sequence, time)| {
        (unsigned(sequence), Some(time))
    }))
}

impl Store {
    /// The events that were written after this one, in the order of writing. `None`, or an event
    /// that is not known (any more): from the first one that is kept.
    pub async fn events_after(
        &self,
        scope: &AccountScope,
        within: Within,
        after: Option<EventId>,
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        let within = self.within(scope, within, Column::AccountId).await?;
        let after = match after {
            Some(id) => self.position_of(scope, id).await?,
            None => 0,
        };
        let models = Entity::find()
            .filter(within)
            .filter(Column::Position.gt(after))
            .order_by_asc(Column::Position)
            .limit(limit)
            .all(&self.db)
            .await?;
        Ok(models.into_iter().map(row).collect())
    }

    /// The last event that was written: where a reader begins that wants only what comes.
    pub async fn last_event(
        &self,
        scope: &AccountScope,
        within: Within,
    ) -> Result<Option<EventId>, StoreError> {
        let within = self.within(scope, within, Column::AccountId).await?;
        let id: Option<uuid::Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(within)
            .order_by_desc(Column::Position)
            .into_tuple()
            .one(&self.db)
            .await?;
        Ok(id.map(EventId::from_uuid))
    }

    /// The events of one call, in order.
    pub async fn events_of(
        &self,
        scope: &AccountScope,
        call: CallId,
    ) -> Result<Vec<Event>, StoreError> {
        let models = Entity::find()
            .filter(Column::CallId.eq(call.uuid()))
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::Sequence)
            .order_by_asc(Column::Position)
            .all(&self.db)
            .await?;
        Ok(models.into_iter().map(row).collect())
    }

    /// Forgets the events of before this time.
    pub async fn forget_events(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let gone = Entity::delete_many()
            .filter(Column::Time.lt(utc(before)))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }

    async fn position_of(&self, scope: &AccountScope, id: EventId) -> Result<i64, StoreError> {
        let position: Option<i64> = Entity::find()
            .select_only()
            .column(Column::Position)
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .into_tuple()
            .one(&self.db)
            .await?;
        Ok(position.unwrap_or(0))
    }
}
