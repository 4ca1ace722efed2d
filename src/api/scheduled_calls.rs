//! Scheduled calls: the platform calls a first party and runs the service number's plan.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use strowger_domain::account::Permissions;
use strowger_domain::call_plan::{self, Plan};
use strowger_domain::e164::E164;
use strowger_domain::ids::ScheduledCallId;
use strowger_domain::schedule::{self, Hosted, PlanReadiness, Request, Setting};
use utoipa::IntoParams;
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Code, Problem};
use super::idempotency::{self, Outcome};
use super::input::{Json, Query, segment};
use super::page::Listed;
use super::{Api, now, page, plan_checks, usage};
use crate::accounts::messages::WakeScheduler;
use crate::events::log;
use crate::store::StoreError;
use crate::store::scheduled_calls::{ScheduledCall, ScheduledCallFilter, ScheduledState};

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
    params(ScheduledQuery), responses((status = 200, body = Listed<ScheduledCall>)))]
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
    Ok(page::answer(&request, calls, std::convert::identity))
}

/// Schedules a call. A request that is refused is told every reason at once.
#[utoipa::path(post, path = "/v1/accounts/{account}/scheduled_calls", tag = "scheduled_calls",
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key with the same body dials once, for 24 hours")),
    request_body = Request, responses((status = 201, body = ScheduledCall),
        (status = 422, body = super::error::ProblemBody)))]
pub async fn create(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<Request>,
) -> Result<HttpResponse, Problem> {
    let work = order(api.clone(), tenant.clone(), input.clone());
    Box::pin(idempotency::once(&request, &tenant, &api, &input, work)).await
}

/// Reads a scheduled call: how far it is.
#[utoipa::path(get, path = "/v1/accounts/{account}/scheduled_calls/{scheduled_call}",
    tag = "scheduled_calls", responses((status = 200, body = ScheduledCall)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = segment(&request, "scheduled_call")?;
    let call = api.store.scheduled_call(&tenant.scope, id).await?;
    Ok(HttpResponse::Ok().json(call))
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
    let id: ScheduledCallId = segment(&request, "scheduled_call")?;
    let gone = HttpResponse::NoContent().finish();
    match api
        .store
        .cancel_scheduled_call(&tenant.scope, id, now())
        .await
    {
        Ok(cancelled) => {
            log::tell_scheduled(&api.writer, &cancelled);
            api.platform.wake_scheduler(WakeScheduler::Cancelled(id));
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
    let standing = &tenant.standing;
    let hosted = hosted(&api, &tenant, &standing.permissions, &input).await?;
    let setting = Setting {
        is_active: standing.is_active,
        permissions: &standing.permissions,
        hosted: &hosted,
        classes: &api.settings.scheduled_classes,
        country: api.settings.country,
        full: usage::full_queue(&api, standing).await?,
    };
    let time = now();
    let booking = schedule::check(input, &setting, time).map_err(Problem::invalid)?;
    let id = ScheduledCallId::from_uuid(Uuid::now_v7());
    let call = ScheduledCall::new(id, tenant.id(), booking, time);
    let call = api.store.create_scheduled_call(&tenant.scope, call).await?;
    log::tell_scheduled(&api.writer, &call);
    api.platform.wake_scheduler(WakeScheduler::Queued {
        id,
        account: call.account,
        not_before: call.booking.not_before,
        expires_at: call.booking.expires_at,
    });
    let body = serde_json::to_value(call);
    Ok((
        StatusCode::CREATED,
        body.map_err(|_error| Problem::from(Code::Internal))?,
    ))
}

/// Of the request's numbers, those that the account or one below it owns.
async fn hosted(
    api: &Api,
    tenant: &Tenant,
    permissions: &Permissions,
    input: &Request,
) -> Result<BTreeMap<E164, Hosted>, Problem> {
    let mut hosted = BTreeMap::new();
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
        hosted.insert(
            digits,
            Hosted {
                status: number.status,
                plan,
            },
        );
    }
    Ok(hosted)
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
