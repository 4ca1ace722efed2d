//! Scheduled calls. Whoever claims a call has written that it is being dialled before it dials: a
//! crash in between loses a call, and never dials one twice.

mod progress;

pub(super) use progress::apply_all;
pub use progress::{Counts, ScheduledUpdate};
pub use strowger_domain::schedule::{ScheduledCall, State as ScheduledState};

use super::scope::{AccountScope, Within};
use super::text::{document, json, maybe_named, name, named, unsigned};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter};
use strowger_domain::ids::{AccountId, CallId, ScheduledCallId};
use strowger_domain::schedule::Booking;
use strowger_entity::scheduled_calls::{Column, Entity, Model};

const TABLE: &str = "scheduled_calls";

/// Which scheduled calls a list is about; `None`: any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduledCallFilter {
    /// How far they are.
    pub state: Option<ScheduledState>,
    /// The service number's digits.
    pub service_number: Option<String>,
    /// Whom they call.
    pub first_party: Option<String>,
    /// The client's own name.
    pub reference: Option<String>,
    /// Ordered at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Ordered before this time.
    pub created_before: Option<DateTime<Utc>>,
}

impl ScheduledCallFilter {
    fn condition(&self) -> Condition {
        let state = self.state.map(|state| Column::State.eq(name(&state)));
        let number = self
            .service_number
            .as_deref()
            .map(|text| Column::ServiceNumber.eq(text));
        let party = self
            .first_party
            .as_deref()
            .map(|text| Column::FirstParty.eq(text));
        let reference = self
            .reference
            .as_deref()
            .map(|text| Column::Reference.eq(text));
        let from = self
            .created_from
            .map(|time| Column::CreatedAt.gte(utc(time)));
        let before = self
            .created_before
            .map(|time| Column::CreatedAt.lt(utc(time)));
        Condition::all()
            .add_option(state)
            .add_option(number)
            .add_option(party)
            .add_option(reference)
            .add_option(from)
            .add_option(before)
    }
}

fn row(model: Model) -> Result<ScheduledCall, StoreError> {
    Ok(ScheduledCall {
        id: ScheduledCallId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        booking: Booking {
            service_number: named(TABLE, &model.service_number)?,
            first_party: named(TABLE, &model.first_party)?,
            presentation_number: maybe_named(TABLE, model.presentation_number.as_deref())?,
            not_before: model.not_before,
            expires_at: model.expires_at,
            ring_duration_s: unsigned(model.ring_duration_s),
            variables: document(TABLE, model.variables)?,
            reference: model.reference,
        },
        state: named(TABLE, &model.state)?,
        cause: maybe_named(TABLE, model.cause.as_deref())?,
        failure: model.failure,
        sip_status: model.sip_status.map(unsigned),
        call: model.call_id.map(CallId::from_uuid),
        created_at: model.created_at,
        updated_at: model.updated_at,
        answered_at: model.answered_at,
        ended_at: model.ended_at,
    })
}

fn model(call: &ScheduledCall) -> Model {
    let booking = &call.booking;
    Model {
        id: call.id.uuid(),
        account_id: call.account.uuid(),
        service_number: name(&booking.service_number),
        first_party: name(&booking.first_party),
        presentation_number: booking.presentation_number.as_ref().map(name),
        not_before: utc(booking.not_before),
        expires_at: booking.expires_at.map(utc),
        ring_duration_s: i32::try_from(booking.ring_duration_s).unwrap_or(i32::MAX),
        variables: json(&booking.variables),
        reference: booking.reference.clone(),
        state: name(&call.state),
        cause: call.cause.as_ref().map(name),
        failure: call.failure.clone(),
        sip_status: call.sip_status.map(i32::from),
        call_id: call.call.map(CallId::uuid),
        created_at: utc(call.created_at),
        updated_at: utc(call.updated_at),
        answered_at: call.answered_at.map(utc),
        ended_at: call.ended_at.map(utc),
    }
}

impl Store {
    /// Keeps a scheduled call of an account in scope; its service number must be in scope too.
    pub async fn create_scheduled_call(
        &self,
        scope: &AccountScope,
        call: ScheduledCall,
    ) -> Result<ScheduledCall, StoreError> {
        self.path_text(scope, call.account).await?;
        self.number_by_e164(scope, &call.booking.service_number)
            .await?;
        let model = model(&call);
        Entity::insert(model.clone().into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        row(model)
    }

    /// One scheduled call.
    pub async fn scheduled_call(
        &self,
        scope: &AccountScope,
        id: ScheduledCallId,
    ) -> Result<ScheduledCall, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// Scheduled calls, newest first.
    pub async fn scheduled_calls(
        &self,
        scope: &AccountScope,
        within: Within,
        filter: &ScheduledCallFilter,
        paging: Paging,
    ) -> Result<Page<ScheduledCall>, StoreError> {
        let select = Entity::find()
            .filter(self.within(scope, within, Column::AccountId).await?)
            .filter(filter.condition());
        page::read(
            &self.db,
            select,
            (Column::CreatedAt, Column::Id),
            paging,
            |model| {
                let cursor = Cursor {
                    at: model.created_at,
                    id: model.id,
                };
                Ok((cursor, row(model)?))
            },
        )
        .await
    }
}
