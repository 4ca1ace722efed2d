//! The event log: what happened, in the order of writing. A reader that knows the last event it got
//! reads on from there.
//!
//! A row holds a *bundle*: the events that one call (or one account, outside of calls) told between
//! two writings. An event is named after its bundle, with its place in it as the last 16 bits, so
//! that a reader may stop and go on within a bundle.

use super::scope::{AccountScope, Within};
use super::{Store, StoreError, utc};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::{AccountId, CallId, EventId, LegId};
use strowger_entity::events::{ActiveModel, Column, Entity, Model};
use utoipa::ToSchema;
use uuid::Uuid;

/// One event of the catalogue, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// Its name.
    pub id: EventId,
    /// Its type in the catalogue.
    #[serde(rename = "type")]
    #[schema(example = "call.answered")]
    pub kind: String,
    /// When it happened.
    #[serde(with = "strowger_domain::timestamp")]
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

/// A place in the log, behind which a reader goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    /// The bundle's place in the order of writing.
    pub bundle: i64,
    /// How many events of this bundle were seen.
    pub seen: usize,
}

/// An event that is to be kept; it has its name from then on.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its type in the catalogue.
    pub kind: &'static str,
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
    /// What else is known, as JSON.
    pub data: Box<RawValue>,
}

/// What else is known of an event, as it is kept and told.
pub fn data(known: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(known).unwrap_or_else(|error| {
        debug_assert!(false, "a type of ours always has its JSON: {error}");
        RawValue::NULL.to_owned()
    })
}

/// The last 16 bits of an event's name are its place in its bundle.
const PLACES: u128 = 0xffff;
/// The most events of a bundle: a reader that wants one reads all of them.
const MOST_BUNDLED: usize = 200;

/// No more time than this lies between the events of a bundle, even if the database was away.
const LONGEST_BUNDLE: TimeDelta = TimeDelta::hours(1);

/// An event within its bundle.
#[derive(Serialize)]
struct Fact<'a> {
    kind: &'a str,
    /// Microseconds since 1970.
    time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    leg: Option<LegId>,
    sequence: u64,
    data: &'a RawValue,
}

/// The same, as it is read.
#[derive(Deserialize)]
struct KeptFact {
    kind: String,
    time: i64,
    #[serde(default)]
    leg: Option<LegId>,
    sequence: u64,
    data: Value,
}

/// Sorts events into bundles, and names these. Within a bundle they keep their order.
pub(super) fn bundles(
    events: &[impl std::borrow::Borrow<NewEvent>],
    mut name: impl FnMut() -> EventId,
) -> Vec<ActiveModel> {
    let mut sorted: Vec<Vec<&NewEvent>> = Vec::new();
    let mut open: HashMap<(AccountId, Option<CallId>), usize> = HashMap::new();
    for event in events {
        let event = event.borrow();
        let place = open
            .entry((event.account, event.call))
            .or_insert(sorted.len());
        match sorted.get_mut(*place) {
            Some(bundle) if bundle.len() < MOST_BUNDLED => bundle.push(event),
            _ => {
                *place = sorted.len();
                sorted.push(vec![event]);
            }
        }
    }
    let model = |events: Vec<&NewEvent>| {
        let last = events.last()?;
        let facts: Vec<_> = events
            .iter()
            .map(|event| Fact {
                kind: event.kind,
                time: event.time.timestamp_micros(),
                leg: event.leg,
                sequence: event.sequence,
                data: &event.data,
            })
            .collect();
        Some(ActiveModel {
            position: NotSet,
            id: Set(bundle_of(name())),
            account_id: Set(last.account.uuid()),
            call_id: Set(last.call.map(CallId::uuid)),
            last_time: Set(utc(last.time)),
            facts: Set(serde_json::to_string(&facts).unwrap_or_default()),
        })
    };
    sorted.into_iter().filter_map(model).collect()
}

/// The name of the bundle that this event is in.
fn bundle_of(event: EventId) -> Uuid {
    Uuid::from_u128(event.uuid().as_u128() & !PLACES)
}

fn place_of(event: EventId) -> usize {
    usize::try_from(event.uuid().as_u128() & PLACES).unwrap_or(usize::MAX)
}

/// The events of a bundle, in their order.
fn unpack(model: &Model) -> Result<Vec<Event>, StoreError> {
    let facts: Vec<KeptFact> =
        serde_json::from_str(&model.facts).map_err(|source| StoreError::Unreadable {
            table: "events",
            source,
        })?;
    let events = facts.into_iter().zip(0_u128..).map(|(fact, place)| Event {
        id: EventId::from_uuid(Uuid::from_u128(model.id.as_u128() | place)),
        kind: fact.kind,
        time: DateTime::from_timestamp_micros(fact.time).unwrap_or(model.last_time),
        account: AccountId::from_uuid(model.account_id),
        call: model.call_id.map(CallId::from_uuid),
        leg: fact.leg,
        sequence: fact.sequence,
        data: fact.data,
    });
    Ok(events.collect())
}

/// What a terminal event tells of its call.
#[derive(Serialize)]
struct Ended<'a> {
    cause: &'a Option<strowger_domain::cause::Cause>,
    q850: Option<u8>,
    sip_status: Option<u16>,
    outcome: &'a Option<strowger_domain::cause::Outcome>,
    duration_ms: u64,
}

/// The terminal event of a call with this record.
pub fn call_ended(record: &CallRecord, sequence: u64, time: DateTime<Utc>) -> NewEvent {
    NewEvent {
        kind: "call.ended",
        time,
        account: record.account,
        call: Some(record.id),
        leg: None,
        sequence,
        data: data(&Ended {
            cause: &record.cause,
            q850: record.q850,
            sip_status: record.sip_status,
            outcome: &record.outcome,
            duration_ms: record.duration_ms,
        }),
    }
}

/// The end of the log as it is now.
pub(super) async fn end_of_log(db: &impl ConnectionTrait) -> Result<LogPosition, StoreError> {
    let last = Entity::find()
        .order_by_desc(Column::Position)
        .one(db)
        .await?;
    let Some(last) = last else {
        return Ok(LogPosition::default());
    };
    Ok(LogPosition {
        bundle: last.position,
        seen: unpack(&last)?.len(),
    })
}

/// The last event of a call: its number, 0 when there is none, and its time.
pub(super) async fn last_of(
    db: &impl ConnectionTrait,
    call: CallId,
) -> Result<(u64, Option<DateTime<Utc>>), StoreError> {
    let bundle = Entity::find()
        .filter(Column::CallId.eq(call.uuid()))
        .order_by_desc(Column::Position)
        .one(db)
        .await?;
    let Some(bundle) = bundle else {
        return Ok((0, None));
    };
    let last = unpack(&bundle)?.pop();
    Ok(last.map_or((0, None), |event| (event.sequence, Some(event.time))))
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
        let bundle = match after {
            Some(id) => self.position_of(scope, id).await?,
            None => None,
        };
        let seen = after.map_or(0, |id| place_of(id) + 1);
        let position = bundle.map(|bundle| LogPosition { bundle, seen });
        let read = self.read_log(scope, within, position.unwrap_or_default(), limit);
        Ok(read.await?.into_iter().map(|(_, event)| event).collect())
    }

    /// The events behind this place of the log, in the order of writing, each with the place behind
    /// it.
    pub async fn read_log(
        &self,
        scope: &AccountScope,
        within: Within,
        after: LogPosition,
        limit: u64,
    ) -> Result<Vec<(LogPosition, Event)>, StoreError> {
        let within = self.within(scope, within, Column::AccountId).await?;
        // The bundle of the last event that was seen comes again, for what stands behind it.
        let models = Entity::find()
            .filter(within)
            .filter(Column::Position.gte(after.bundle))
            .order_by_asc(Column::Position)
            .limit(limit.saturating_add(1))
            .all(&self.db)
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut events = Vec::new();
        for model in models {
            let bundle = model.position;
            let first = if bundle == after.bundle {
                after.seen
            } else {
                0
            };
            let unseen = unpack(&model)?.into_iter().enumerate().skip(first);
            events.extend(unseen.map(|(place, event)| {
                let seen = place + 1;
                (LogPosition { bundle, seen }, event)
            }));
            if events.len() >= limit {
                events.truncate(limit);
                break;
            }
        }
        Ok(events)
    }

    /// The accounts of which events stand behind this bundle, each with the last of them, in the
    /// order of writing.
    pub async fn told_since(
        &self,
        scope: &AccountScope,
        bundle: i64,
        limit: u64,
    ) -> Result<Vec<(i64, AccountId)>, StoreError> {
        let rows: Vec<(i64, Uuid)> = Entity::find()
            .select_only()
            .column(Column::Position)
            .column(Column::AccountId)
            .filter(scope.sees(Column::AccountId))
            .filter(Column::Position.gt(bundle))
            .order_by_asc(Column::Position)
            .limit(limit)
            .into_tuple()
            .all(&self.db)
            .await?;
        let told = rows.into_iter();
        Ok(told
            .map(|(bundle, account)| (bundle, AccountId::from_uuid(account)))
            .collect())
    }

    /// The end of the log as it is now.
    pub async fn end_of_log(&self) -> Result<LogPosition, StoreError> {
        end_of_log(&self.db).await
    }

    /// Events of this time, as far as they are within, each with its bundle's place; at most so
    /// many, and none when there are more.
    pub(super) async fn events_between(
        &self,
        within: Condition,
        (from, before): (DateTime<Utc>, DateTime<Utc>),
        takes: impl Fn(&Event) -> bool,
        most: usize,
    ) -> Result<Option<Vec<(i64, Event)>>, StoreError> {
        let mut found = Vec::new();
        let mut after = 0;
        let last = before.checked_add_signed(LONGEST_BUNDLE).unwrap_or(before);
        loop {
            let models = Entity::find()
                .filter(within.clone())
                .filter(Column::LastTime.gte(utc(from)))
                .filter(Column::LastTime.lt(utc(last)))
                .filter(Column::Position.gt(after))
                .order_by_asc(Column::Position)
                .limit(500)
                .all(&self.db)
                .await?;
            let Some(last) = models.last() else {
                return Ok(Some(found));
            };
            after = last.position;
            for model in &models {
                let events = unpack(model)?.into_iter();
                let wanted = events
                    .filter(|event| (from..before).contains(&event.time) && takes(event))
                    .map(|event| (model.position, event));
                found.extend(wanted);
            }
            if found.len() > most {
                return Ok(None);
            }
        }
    }

    /// The events of these names, as far as they are still kept.
    pub(super) async fn events_named(
        &self,
        names: impl IntoIterator<Item = EventId>,
    ) -> Result<HashMap<EventId, Event>, StoreError> {
        let names: std::collections::HashSet<EventId> = names.into_iter().collect();
        let mut bundles: Vec<Uuid> = names.iter().map(|name| bundle_of(*name)).collect();
        bundles.sort_unstable();
        bundles.dedup();
        let mut events = HashMap::new();
        for some in bundles.chunks(200) {
            let models = Entity::find()
                .filter(Column::Id.is_in(some.iter().copied()))
                .all(&self.db)
                .await?;
            for model in models {
                let wanted = unpack(&model)?.into_iter();
                events.extend(
                    wanted
                        .filter(|event| names.contains(&event.id))
                        .map(|event| (event.id, event)),
                );
            }
        }
        Ok(events)
    }

    /// The last event that was written: where a reader begins that wants only what comes.
    pub async fn last_event(
        &self,
        scope: &AccountScope,
        within: Within,
    ) -> Result<Option<EventId>, StoreError> {
        let within = self.within(scope, within, Column::AccountId).await?;
        let last = Entity::find()
            .filter(within)
            .order_by_desc(Column::Position)
            .one(&self.db)
            .await?;
        let events = last.as_ref().map(unpack).transpose()?;
        Ok(events.and_then(|mut events| Some(events.pop()?.id)))
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
            .order_by_asc(Column::Position)
            .all(&self.db)
            .await?;
        let mut events = Vec::new();
        for model in models {
            events.extend(unpack(&model)?);
        }
        events.sort_by_key(|event| event.sequence);
        Ok(events)
    }

    /// Forgets the bundles that ended before this time, and answers how many.
    pub async fn forget_events(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let gone = Entity::delete_many()
            .filter(Column::LastTime.lt(utc(before)))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }

    async fn position_of(
        &self,
        scope: &AccountScope,
        id: EventId,
    ) -> Result<Option<i64>, StoreError> {
        let position: Option<i64> = Entity::find()
            .select_only()
            .column(Column::Position)
            .filter(Column::Id.eq(bundle_of(id)))
            .filter(scope.sees(Column::AccountId))
            .into_tuple()
            .one(&self.db)
            .await?;
        Ok(position)
    }
}
