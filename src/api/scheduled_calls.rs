//! Scheduled calls: the platform calls a first party and runs the service number's plan.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::account::Permissions;
use strowger_domain::call_plan::{self, Plan};
use strowger_domain::cause::Cause;
use strowger_domain::e164::E164;
use strowger_domain::ids::{AccountId, CallId, NumberId, ScheduledCallId};
use strowger_domain::schedule::{self, Hosted, PlanReadiness, Request, Setting};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{self, Tenant};
use super::error::{Code, Problem};
use super::idempotency::{self, Outcome};
use super::input::{Json, Query, segment};
use super::page::Listed;
use super::{Api, now, page, plan_checks};
use crate::store::StoreError;
use crate::store::scheduled_calls::{ScheduledCall, ScheduledCallFilter, ScheduledState};

/// A scheduled call.
#[derive(Serialize, ToSchema)]
#[schema(as = ScheduledCall)]
pub struct ScheduledCallView {
    /// Its identifier.
    pub id: ScheduledCallId,
    /// Whose it is.
    pub account: AccountId,
    /// The service number whose plan runs; the network CLI.
    #[schema(example = "+441632960001")]
    pub service_number: String,
    /// Whom to call.
    #[schema(example = "+447700900123")]
    pub first_party: String,
    /// The presentation CLI; null: the service number.
    pub presentation_number: Option<String>,
    /// Not dialled before.
    #[serde(with = "strowger_domain::timestamp")]
    pub not_before: DateTime<Utc>,
    /// Not dialled from then on.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub expires_at: Option<DateTime<Utc>>,
    /// How long the first party may ring.
    pub ring_duration_s: u64,
    /// Values for the plan's variables.
    pub variables: BTreeMap<String, String>,
    /// The client's own name for it.
    pub reference: Option<String>,
    /// How far it is.
    pub state: ScheduledState,
    /// Why it failed, or how its call ended.
    pub cause: Option<Cause>,
    /// The SIP status that it ended with, where one came.
    pub sip_status: Option<u16>,
    /// The call that carries it out.
    pub call: Option<CallId>,
    /// When it was asked for.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// When its state changed last.
    #[serde(with = "strowger_domain::timestamp")]
    pub updated_at: DateTime<Utc>,
    /// When the first party answered.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub answered_at: Option<DateTime<Utc>>,
    /// When it was over.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<ScheduledCall> for ScheduledCallView {
    fn from(call: ScheduledCall) -> Self {
        Self {
            id: call.id,
            account: call.account,
            service_number: call.service_number,
            first_party: call.first_party,
            presentation_number: call.presentation_number,
            not_before: call.not_before,
            expires_at: call.expires_at,
            ring_duration_s: call.ring_duration.as_secs(),
            variables: call.variables,
            reference: call.reference,
            state: call.state,
            cause: call.cause,
            sip_status: call.sip_status,
            call: call.call,
            created_at: call.created_at,
            updated_at: call.updated_at,
            answered_at: call.answered_at,
            ended_at: call.ended_at,
        }
    }
}

/// Which scheduled calls.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ScheduledQuery {
    /// Most items of the page (1 to 500; 50 when absent).
    pub limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Whether the account's descendants' calls are listed too.
    pub descendants: Option<bool>,
    /// How far they are.
    #[param(inline)]
    pub state: Option<ScheduledState>,
    /// The service number, in E.164.
    pub service_number: Option<String>,
    /// Whom they call.
    pub first_party: Option<String>,
    /// The client's own name.
    pub reference: Option<String>,
    /// Asked for at this time or later.
    #[serde(rename = "created_at[gte]")]
    pub from: Option<DateTime<Utc>>,
    /// Asked for before this time.
    #[serde(rename = "created_at[lt]")]
    pub before: Option<DateTime<Utc>>,
}

/// Lists scheduled calls, the latest first.
#[utoipa::path(get, path = "/v1/accounts/{account}/scheduled_calls", tag = "scheduled_calls",
    params(ScheduledQuery), responses((status = 200, body = Listed<ScheduledCallView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ScheduledQuery>,
) -> Result<HttpResponse, Problem> {
    let filter = ScheduledCallFilter {
        state: query.state,
        service_number: query.service_number,
        first_party: query.first_party,
        reference: query.reference,
        created_from: query.from,
        created_before: query.before,
    };
    let within = page::within(query.descendants, tenant.id());
    let paging = page::paging(query.limit, query.cursor.as_deref())?;
    let calls = api
        .store
        .scheduled_calls(&tenant.scope, within, &filter, paging)
        .await?;
    Ok(page::answer(&request, calls, ScheduledCallView::from))
}

/// Schedules a call. A request that is refused is told every reason at once.
#[utoipa::path(post, path = "/v1/accounts/{account}/scheduled_calls", tag = "scheduled_calls",
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key with the same body dials once, for 24 hours")),
    request_body = Request, responses((status = 201, body = ScheduledCallView),
        (status = 422, body = super::error::ProblemBody)))]
pub async fn create(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<Request>,
) -> Result<HttpResponse, Problem> {
    tenant.may_change()?;
    let work = order(api.clone(), tenant.clone(), input.clone());
    idempotency::once(&request, &tenant, &api, &input, work).await
}

/// Reads a scheduled call: how far it is.
#[utoipa::path(get, path = "/v1/accounts/{account}/scheduled_calls/{scheduled_call}",
    tag = "scheduled_calls", responses((status = 200, body = ScheduledCallView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = segment(&request, "scheduled_call")?;
    let call = api.store.scheduled_call(&tenant.scope, id).await?;
    Ok(HttpResponse::Ok().json(ScheduledCallView::from(call)))
}

/// Cancels a scheduled call while it is queued.
#[utoipa::path(delete, path = "/v1/accounts/{account}/scheduled_calls/{scheduled_call}",
    tag = "scheduled_calls", responses((status = 204),
        (status = 409, body = super::error::ProblemBody)))]
pub async fn cancel(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    tenant.may_change()?;
    let id: ScheduledCallId = segment(&request, "scheduled_call")?;
    let gone = HttpResponse::NoContent().finish();
    match api
        .store
        .cancel_scheduled_call(&tenant.scope, id, now())
        .await
    {
        Ok(_cancelled) => {
            api.platform.wake_scheduler();
            Ok(gone)
        }
        Err(StoreError::Stale) => {
            let call = api.store.scheduled_call(&tenant.scope, id).await?;
            if call.state == ScheduledState::Cancelled {
                return Ok(gone);
            }
            let state = serde_json::to_string(&call.state).unwrap_or_default();
            Err(Problem::from(Code::NotQueued).detail(format!("Its state is {state}.")))
        }
        Err(error) => Err(error.into()),
    }
}

async fn order(api: web::Data<Api>, tenant: Tenant, input: Request) -> Outcome {
    let (_, permissions, is_active) = auth::standing(&api, tenant.id()).await?;
    let (ids, hosted) = hosted(&api, &tenant, &permissions, &input).await?;
    let setting = Setting {
        is_active,
        permissions: &permissions,
        hosted: &hosted,
        classes: &api.settings.scheduled_classes,
        country: api.settings.country,
        full: auth::full_queue(&api, tenant.id()).await?,
    };
    let time = now();
    let booking = schedule::check(input, &setting, time).map_err(Problem::invalid)?;
    let number = ids
        .get(&booking.service_number)
        .copied()
        .ok_or(Code::Internal)?;
    let call = ScheduledCall {
        id: ScheduledCallId::from_uuid(Uuid::now_v7()),
        account: tenant.id(),
        number,
        service_number: booking.service_number.to_string(),
        first_party: booking.first_party.to_string(),
        presentation_number: booking
            .presentation_number
            .as_ref()
            .map(ToString::to_string),
        not_before: booking.not_before,
        expires_at: booking.expires_at,
        ring_duration: booking.ring(),
        variables: booking.variables,
        reference: booking.reference,
        state: ScheduledState::Queued,
        cause: None,
        sip_status: None,
        call: None,
        created_at: time,
        updated_at: time,
        claimed_at: None,
        answered_at: None,
        ended_at: None,
    };
    let call = api.store.create_scheduled_call(&tenant.scope, call).await?;
    api.platform.wake_scheduler();
    let body = serde_json::to_value(ScheduledCallView::from(call));
    Ok((
        StatusCode::CREATED,
        body.map_err(|_error| Problem::from(Code::Internal))?,
    ))
}

type HostedNumbers = (BTreeMap<E164, NumberId>, BTreeMap<E164, Hosted>);

/// Of the request's numbers, those that the account or one below it owns.
async fn hosted(
    api: &Api,
    tenant: &Tenant,
    permissions: &Permissions,
    input: &Request,
) -> Result<HostedNumbers, Problem> {
    let (mut ids, mut hosted) = HostedNumbers::default();
    for digits in input.numbers(api.settings.country) {
        let number = match api.store.number_by_e164(&tenant.scope, &digits).await {
            Ok(number) => number,
            Err(StoreError::NotFound) => continue,
            Err(error) => return Err(error.into()),
        };
        let plan = match number.call_plan {
            None => PlanReadiness::None,
            Some(plan) => match api.store.published_call_plan(&tenant.scope, plan).await {
                Ok(version) => readiness(version.plan, permissions),
                Err(StoreError::NotFound) => PlanReadiness::None,
                Err(error) => return Err(error.into()),
            },
        };
        ids.insert(digits.clone(), number.id);
        hosted.insert(
            digits,
            Hosted {
                status: number.status,
                plan,
            },
        );
    }
    Ok((ids, hosted))
}

fn readiness(plan: serde_json::Value, permissions: &Permissions) -> PlanReadiness {
    let Ok(plan) = serde_json::from_value::<Plan>(plan) else {
        return PlanReadiness::Invalid;
    };
    let problems = call_plan::validate(&plan, &plan_checks::context(permissions));
    if !call_plan::is_runnable(&problems) {
        PlanReadiness::Invalid
    } else if plan.has_scheduled_branch() {
        PlanReadiness::Ready
    } else {
        PlanReadiness::NoScheduledBranch
    }
}
