//! Calls, live and ended, on one resource; and their records.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::call::{Gap, Origin};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::{AccountId, CallId, ScheduledCallId};
use utoipa::{IntoParams, ToSchema};

use super::auth::Tenant;
use super::error::{Code, Problem};
use super::input::{Json, Query, segment};
use super::page::Listed;
use super::{Api, page};
use crate::store::calls::CallFilter;
use crate::store::events::Event;
use crate::store::{Page, StoreError};

/// A record is written within a tenth of a second, unless the database is away.
const WRITTEN: Duration = Duration::from_secs(1);

/// Live or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// Calls that live now.
    Live,
    /// Calls that have ended.
    Ended,
}

/// Which calls.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CallQuery {
    /// Most items of the page (1 to 500; 50 when absent).
    pub limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Whether the account's descendants' calls are listed too.
    pub descendants: Option<bool>,
    /// Live or ended; absent: both.
    #[param(inline)]
    pub state: Option<Liveness>,
    /// Where the service number, the calling or the called number is this one.
    pub number: Option<String>,
    /// How the call came to be.
    #[param(inline)]
    pub origin: Option<Origin>,
    /// The scheduled call that it carries out.
    pub scheduled_call: Option<ScheduledCallId>,
    /// Started at this time or later.
    #[serde(rename = "created_at[gte]")]
    pub from: Option<DateTime<Utc>>,
    /// Started before this time.
    #[serde(rename = "created_at[lt]")]
    pub before: Option<DateTime<Utc>>,
}

/// What may be asked of a live call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallAction {
    /// End it.
    HangUp,
    /// Leave out of its recordings what is said from now on.
    PauseRecording,
    /// Go on with its recordings.
    ResumeRecording,
}

/// A command to a live call.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionInput {
    /// What to do.
    pub action: CallAction,
    /// With `pause_recording`: what becomes of the time until it goes on; `silent` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// Lists calls, the latest first.
#[utoipa::path(get, path = "/v1/accounts/{account}/calls", tag = "calls", params(CallQuery),
    responses((status = 200, body = Listed<CallRecord>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<CallQuery>,
) -> Result<HttpResponse, Problem> {
    let mut calls = stored(&api, &tenant, &query).await?;
    overlay(&api, &tenant, &query, &mut calls).await?;
    Ok(page::answer(&request, calls, |call| shown(&tenant, call)))
}

/// Lists the records of ended calls, the latest first.
#[utoipa::path(get, path = "/v1/accounts/{account}/records", tag = "calls", params(CallQuery),
    responses((status = 200, body = Listed<CallRecord>)))]
pub async fn records(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<CallQuery>,
) -> Result<HttpResponse, Problem> {
    let query = CallQuery {
        state: Some(Liveness::Ended),
        ..query
    };
    let calls = stored(&api, &tenant, &query).await?;
    Ok(page::answer(&request, calls, |call| shown(&tenant, call)))
}

/// Reads the record of an ended call.
#[utoipa::path(get, path = "/v1/accounts/{account}/records/{call}", tag = "calls",
    responses((status = 200, body = CallRecord)))]
pub async fn record(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let call = api
        .store
        .call(&tenant.scope, segment(&request, "call")?)
        .await?;
    if call.ended_at.is_none() {
        return Err(Code::NotFound.into());
    }
    Ok(HttpResponse::Ok().json(shown(&tenant, call)))
}

/// Reads a call as it stands now.
#[utoipa::path(get, path = "/v1/accounts/{account}/calls/{call}", tag = "calls",
    responses((status = 200, body = CallRecord)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let call = find(&api, &tenant, segment(&request, "call")?).await?;
    Ok(HttpResponse::Ok().json(shown(&tenant, call)))
}

/// Commands a live call.
#[utoipa::path(post, path = "/v1/accounts/{account}/calls/{call}/actions", tag = "calls",
    request_body = ActionInput, responses((status = 202, body = ActionInput),
        (status = 409, body = super::error::ProblemBody)))]
pub async fn act(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<ActionInput>,
) -> Result<HttpResponse, Problem> {
    let call = find(&api, &tenant, segment(&request, "call")?).await?;
    let done = match input.action {
        CallAction::HangUp => {
            api.platform
                .hang_up(call.account, call.id, Cause::NormalClearing)
                .await?
        }
        CallAction::PauseRecording | CallAction::ResumeRecording => {
            let pauses = input.action == CallAction::PauseRecording;
            let gap = pauses.then(|| input.gap.unwrap_or_default());
            api.platform
                .pause_recordings(call.account, call.id, gap)
                .await?
        }
    };
    if !done {
        let why = if call.ended_at.is_some() || input.action == CallAction::HangUp {
            "The call has ended."
        } else {
            "Nothing of the call is being recorded."
        };
        return Err(Problem::from(Code::Conflict).detail(why));
    }
    Ok(HttpResponse::Accepted().json(input))
}

/// Lists the events of a call, in their order.
#[utoipa::path(get, path = "/v1/accounts/{account}/calls/{call}/events", tag = "calls",
    responses((status = 200, body = Listed<Event>)))]
pub async fn events(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let call = find(&api, &tenant, segment(&request, "call")?).await?;
    let events = api.store.events_of(&tenant.scope, call.id).await?;
    Ok(HttpResponse::Ok().json(Listed {
        items: events,
        next_cursor: None,
    }))
}

/// A record as the caller may see it: withheld numbers are masked for most.
fn shown(tenant: &Tenant, call: CallRecord) -> CallRecord {
    if tenant.caller.standing.sees_withheld() {
        call.reveal()
    } else {
        call
    }
}

async fn stored(
    api: &Api,
    tenant: &Tenant,
    query: &CallQuery,
) -> Result<Page<CallRecord>, Problem> {
    let filter = CallFilter {
        live: query.state.map(|state| state == Liveness::Live),
        number: query.number.clone(),
        origin: query.origin,
        scheduled_call: query.scheduled_call,
        started_from: query.from,
        started_before: query.before,
    };
    let within = page::within(query.descendants, tenant.id());
    let paging = page::paging(query.limit, query.cursor.as_deref())?;
    Ok(api
        .store
        .calls(&tenant.scope, within, &filter, paging)
        .await?)
}

/// What is kept of a live call is its beginning: how it stands now, its actor knows.
async fn overlay(
    api: &Api,
    tenant: &Tenant,
    query: &CallQuery,
    calls: &mut Page<CallRecord>,
) -> Result<(), Problem> {
    if query.state == Some(Liveness::Ended) {
        return Ok(());
    }
    let mut owners: Vec<AccountId> = calls
        .items
        .iter()
        .filter(|call| call.ended_at.is_none())
        .map(|call| call.account)
        .collect();
    owners.sort_unstable();
    owners.dedup();
    for owner in owners {
        for live in api.platform.live_calls(owner).await? {
            if let Some(call) = calls.items.iter_mut().find(|call| call.id == live.id) {
                *call = live;
            }
        }
    }
    // Of those that began a moment ago nothing is kept yet: they head the first page.
    let plain = query.number.is_none()
        && query.origin.is_none()
        && query.scheduled_call.is_none()
        && query.before.is_none()
        && query.cursor.is_none();
    if plain {
        let mut fresh = api.platform.live_calls(tenant.id()).await?;
        fresh.retain(|live| {
            calls
                .items
                .iter()
                .all(|call| call.id != live.id && call.started_at < live.started_at)
        });
        fresh.sort_by_key(|call| std::cmp::Reverse((call.started_at, call.id)));
        calls.items.splice(0..0, fresh);
    }
    Ok(())
}

/// A call of the account or below, as it stands now.
async fn find(api: &Api, tenant: &Tenant, id: CallId) -> Result<CallRecord, Problem> {
    let owner = match api.store.call(&tenant.scope, id).await {
        Ok(call) if call.ended_at.is_some() => return Ok(call),
        Ok(call) => call.account,
        // It began a moment ago, if there is one.
        Err(StoreError::NotFound) => tenant.id(),
        Err(error) => return Err(error.into()),
    };
    if let Some(live) = api.platform.call(owner, id).await? {
        return Ok(*live);
    }
    // It ended between the two questions, or its record is just being written.
    let written = tokio::time::timeout(WRITTEN, api.writer.flush()).await;
    if written.is_err() {
        tracing::debug!(call.id = %id, "a record is not written in time");
    }
    Ok(api.store.call(&tenant.scope, id).await?)
}
