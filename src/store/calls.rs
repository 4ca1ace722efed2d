//! Calls and their legs, live and ended. Rows are written by the [`Writer`](super::Writer): once
//! when a call starts, so that a crash leaves a trace, and once when it ends.

mod rows;

pub(super) use rows::{call_model, leg_model};

use super::scope::{AccountScope, Within};
use super::{Cursor, Page, Paging, Store, StoreError, events, page, utc, writer};
use chrono::{DateTime, Utc};
use rows::record;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use std::collections::BTreeMap;
use strowger_domain::call::Origin;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::{CallId, EventId, ScheduledCallId};
use strowger_entity::calls::{Column, Entity, Model};
use strowger_entity::{call_legs, recordings};
use uuid::Uuid;

/// Which calls a list is about; `None`: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Live ones (`true`) or ended ones (`false`).
    pub live: Option<bool>,
    /// Where the service number, the calling or the called number is this one.
    pub number: Option<String>,
    /// How they came to be.
    pub origin: Option<Origin>,
    /// The scheduled call that they carry out.
    pub scheduled_call: Option<ScheduledCallId>,
    /// Started at this time or later.
    pub started_from: Option<DateTime<Utc>>,
    /// Started before this time.
    pub started_before: Option<DateTime<Utc>>,
}

impl CallFilter {
    fn condition(&self) -> Condition {
        let live = self.live.map(|live| {
            if live {
                Column::EndedAt.is_null()
            } else {
                Column::EndedAt.is_not_null()
            }
        });
        let number = self.number.as_deref().map(|number| {
            Condition::any()
                .add(Column::ServiceNumber.eq(number))
                .add(Column::Calling.eq(number))
                .add(Column::Called.eq(number))
        });
        let origin = self
            .origin
            .map(|origin| Column::Origin.eq(rows::origin_name(origin)));
        let scheduled = self
            .scheduled_call
            .map(|id| Column::ScheduledCallId.eq(id.uuid()));
        let from = self
            .started_from
            .map(|time| Column::StartedAt.gte(utc(time)));
        let before = self
            .started_before
            .map(|time| Column::StartedAt.lt(utc(time)));
        Condition::all()
            .add_option(live)
            .add_option(number)
            .add_option(origin)
            .add_option(scheduled)
            .add_option(from)
            .add_option(before)
    }
}

impl Store {
    /// One call with its legs.
    pub async fn call(&self, scope: &AccountScope, id: CallId) -> Result<CallRecord, StoreError> {
        let model = Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)?;
        let mut records = complete(&self.db, vec![model]).await?;
        records.pop().ok_or(StoreError::NotFound)
    }

    /// Calls with their legs, the latest first.
    pub async fn calls(
        &self,
        scope: &AccountScope,
        within: Within,
        filter: &CallFilter,
        paging: Paging,
    ) -> Result<Page<CallRecord>, StoreError> {
        let select = Entity::find()
            .filter(self.within(scope, within, Column::AccountId).await?)
            .filter(filter.condition());
        let rows = page::read(
            &self.db,
            select,
            (Column::StartedAt, Column::Id),
            paging,
            |model| {
                let cursor = Cursor {
                    at: model.started_at,
                    id: model.id,
                };
                Ok((cursor, model))
            },
        )
        .await?;
        Ok(Page {
            items: complete(&self.db, rows.items).await?,
            next: rows.next,
        })
    }

    /// At start, before the first call: ends the calls that were cut when the process died, with
    /// cause 41 and a `call.ended` event each, and answers their records. A call that has ended is
    /// not touched, so each has one record however often this runs.
    pub async fn close_cut(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
        event_id: impl FnMut() -> EventId,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let now = utc(now);
        let transaction = self.begin().await?;
        let cut = Entity::find()
            .filter(Column::EndedAt.is_null())
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::StartedAt)
            .order_by_asc(Column::Id)
            .all(&transaction)
            .await?;
        let mut records = Vec::with_capacity(cut.len());
        let mut endings = Vec::with_capacity(cut.len());
        for record in complete(&transaction, cut).await? {
            let (sequence, time) = events::last_of(&transaction, record.id).await?;
            // Nobody knows when it was cut, but then it still lived.
            let record = record.cut(time.unwrap_or(now));
            endings.push(events::call_ended(&record, sequence + 1, now));
            records.push(record);
        }
        writer::write_calls(&transaction, &records).await?;
        writer::write_events(&transaction, &endings, event_id).await?;
        transaction.commit().await?;
        Ok(records)
    }
}

/// The records of these rows, in their order, with what other tables hold of them.
async fn complete(
    db: &impl ConnectionTrait,
    models: Vec<Model>,
) -> Result<Vec<CallRecord>, StoreError> {
    let mut legs: BTreeMap<Uuid, Vec<call_legs::Model>> = BTreeMap::new();
    let mut made: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for some in models.chunks(MOST_VALUES) {
        let ids = || some.iter().map(|model| model.id);
        let found = call_legs::Entity::find()
            .filter(call_legs::Column::CallId.is_in(ids()))
            .order_by_asc(call_legs::Column::Number)
            .all(db)
            .await?;
        for leg in found {
            legs.entry(leg.call_id).or_default().push(leg);
        }
        let found = recordings::Entity::find()
            .filter(recordings::Column::CallId.is_in(ids()))
            .order_by_asc(recordings::Column::CreatedAt)
            .order_by_asc(recordings::Column::Id)
            .all(db)
            .await?;
        for recording in found {
            made.entry(recording.call_id)
                .or_default()
                .push(recording.id);
        }
    }
    models
        .into_iter()
        .map(|model| {
            let legs = legs.remove(&model.id).unwrap_or_default();
            let made = made.remove(&model.id).unwrap_or_default();
            record(model, legs, made)
        })
        .collect()
}

/// Values of one list in a query: both databases bound the number of parameters.
const MOST_VALUES: usize = 500;
