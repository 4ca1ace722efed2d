//! Scheduled calls. Whoever claims a call has written that it is being dialled before it dials: a
//! crash in between loses a call, and never dials one twice.

mod progress;

pub(super) use progress::apply;

pub use progress::{Counts, ScheduledUpdate};

use super::scope::{AccountScope, Within};
use super::text::{document, json, maybe_named, name, named, unsigned};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, CallId, NumberId, ScheduledCallId};
use strowger_entity::scheduled_calls::{Column, Entity, Model};
use utoipa::ToSchema;

const TABLE: &str = "scheduled_calls";

/// How far a scheduled call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduledState {
    /// It waits for its time.
    Queued,
    /// Its first party is being dialled.
    Dialling,
    /// Its first party's phone rings.
    Ringing,
    /// Its first party answered.
    InProgress,
    /// Its call was answered and has ended.
    Completed,
    /// Its call was not answered, or could not be made.
    Failed,
    /// It was taken back while it waited.
    Cancelled,
    /// Its time was over before it could be dialled.
    Expired,
}

impl ScheduledState {
    /// Whether it changes no more.
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Dialling | Self::Ringing | Self::InProgress => false,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Expired => true,
        }
    }
}

/// A scheduled call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledCall {
    /// Its name.
    pub id: ScheduledCallId,
    /// Who ordered it.
    pub account: AccountId,
    /// The service number whose plan it runs.
    pub number: NumberId,
    /// The same as digits, as they were when it was ordered.
    pub service_number: String,
    /// Whom to call: E.164, or a SIP URI.
    pub first_party: String,
    /// The number presented to the first party; `None`: the service number.
    pub presentation_number: Option<String>,
    /// Not before this time.
    pub not_before: DateTime<Utc>,
    /// Not at or after this time.
    pub expires_at: Option<DateTime<Utc>>,
    /// How long the first party's phone rings.
    pub ring_duration: Duration,
    /// Values for the plan.
    pub variables: BTreeMap<String, String>,
    /// The client's own name for it.
    pub reference: Option<String>,
    /// How far it is.
    pub state: ScheduledState,
    /// Why it failed, or how its call ended.
    pub cause: Option<Cause>,
    /// The SIP status that it ended with, where one came.
    pub sip_status: Option<u16>,
    /// Its call.
    pub call: Option<CallId>,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was claimed for dialling.
    pub claimed_at: Option<DateTime<Utc>>,
    /// When its first party answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub ended_at: Option<DateTime<Utc>>,
}

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
        number: NumberId::from_uuid(model.number_id),
        service_number: model.service_number,
        first_party: model.first_party,
        presentation_number: model.presentation_number,
        not_before: model.not_before,
        expires_at: model.expires_at,
        ring_duration: Duration::from_secs(unsigned(model.ring_duration_s)),
        variables: document(TABLE, model.variables)?,
        reference: model.reference,
        state: named(TABLE, &model.state)?,
        cause: maybe_named(TABLE, model.cause.as_deref())?,
        sip_status: model.sip_status.map(unsigned),
        call: model.call_id.map(CallId::from_uuid),
        created_at: model.created_at,
        updated_at: model.updated_at,
        claimed_at: model.claimed_at,
        answered_at: model.answered_at,
        ended_at: model.ended_at,
    })
}

fn model(call: ScheduledCall) -> Model {
    Model {
        id: call.id.uuid(),
        account_id: call.account.uuid(),
        number_id: call.number.uuid(),
        service_number: call.service_number,
        first_party: call.first_party,
        presentation_number: call.presentation_number,
        not_before: utc(call.not_before),
        expires_at: call.expires_at.map(utc),
        ring_duration_s: i32::try_from(call.ring_duration.as_secs()).unwrap_or(i32::MAX),
        variables: json(&call.variables),
        reference: call.reference,
        state: name(&call.state),
        cause: call.cause.as_ref().map(name),
        sip_status: call.sip_status.map(i32::from),
        call_id: call.call.map(CallId::uuid),
        created_at: utc(call.created_at),
        updated_at: utc(call.updated_at),
        claimed_at: call.claimed_at.map(utc),
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
        self.number(scope, call.number).await?;
        let model = model(call);
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
