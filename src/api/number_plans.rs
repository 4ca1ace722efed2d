//! What a number's calls run: its history, and switches to another plan at a set time.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, AssignmentId, NumberId, PlanId, SwitchId, UserId};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::Tenant;
use super::error::Problem;
use super::input::{Body, Query, segment};
use super::numbers::{act, check_plan};
use super::page::{self, Listed};
use super::{Api, now};
use crate::store::StoreError;
use crate::store::assignments::{Assignment, Kind, PlanSwitch};

/// A line of a number's history.
#[derive(Serialize, ToSchema)]
#[schema(as = Assignment)]
pub struct AssignmentView {
    /// Its identifier.
    pub id: AssignmentId,
    /// Whose the number was.
    pub account: AccountId,
    /// What happened.
    pub kind: Kind,
    /// The plan that it is about.
    pub call_plan: Option<PlanId>,
    /// The user who did it; null: a program, or the platform.
    pub by: Option<UserId>,
    /// When.
    #[serde(with = "strowger_domain::timestamp")]
    pub at: DateTime<Utc>,
}

impl From<Assignment> for AssignmentView {
    fn from(line: Assignment) -> Self {
        Self {
            id: line.id,
            account: line.account,
            kind: line.kind,
            call_plan: line.call_plan,
            by: line.by,
            at: line.at,
        }
    }
}

/// A switch of a number to another plan that is still to come.
#[derive(Serialize, ToSchema)]
#[schema(as = PlanSwitch)]
pub struct SwitchView {
    /// Its identifier.
    pub id: SwitchId,
    /// The number.
    pub number: NumberId,
    /// The plan that its calls run from then on; null: none.
    pub call_plan: Option<PlanId>,
    /// When.
    #[serde(with = "strowger_domain::timestamp")]
    pub at: DateTime<Utc>,
    /// The user who ordered it.
    pub by: Option<UserId>,
    /// When it was ordered.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

impl From<PlanSwitch> for SwitchView {
    fn from(switch: PlanSwitch) -> Self {
        Self {
            id: switch.id,
            number: switch.number,
            call_plan: switch.call_plan,
            at: switch.at,
            by: switch.by,
            created_at: switch.created_at,
        }
    }
}

/// A switch to be ordered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchInput {
    /// The plan that the number's calls run from then on; null: none. It must be published.
    pub call_plan: Option<PlanId>,
    /// When: within the next two years.
    pub at: DateTime<Utc>,
}

/// Which page of a history.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Most items of the page (1 to 500; 50 when absent).
    pub limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Most switches of a number that may wait.
const MOST_WAITING: usize = 100;

/// Lists what became of a number while it was the account's, the newest first.
#[utoipa::path(get, path = "/v1/accounts/{account}/numbers/{number}/assignments",
    tag = "numbers", params(HistoryQuery),
    responses((status = 200, body = Listed<AssignmentView>)))]
pub async fn assignments(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    let paging = page::paging(query.limit, query.cursor.as_deref())?;
    let scope = &tenant.scope;
    let number = api
        .store
        .number(scope, segment(&request, "number")?)
        .await?;
    let lines = api.store.assignments(scope, number.id, paging).await?;
    Ok(page::answer(&request, lines, AssignmentView::from))
}

/// Lists the switches of a number that are still to come, the next first.
#[utoipa::path(get, path = "/v1/accounts/{account}/numbers/{number}/switches", tag = "numbers",
    responses((status = 200, body = Listed<SwitchView>)))]
pub async fn switches(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let scope = &tenant.scope;
    let number = api
        .store
        .number(scope, segment(&request, "number")?)
        .await?;
    let switches = api.store.switches(scope, number.id).await?;
    Ok(HttpResponse::Ok().json(Listed {
        items: switches.into_iter().map(SwitchView::from).collect(),
        next_cursor: None,
    }))
}

/// Orders a switch of a number to another plan at a set time.
#[utoipa::path(post, path = "/v1/accounts/{account}/numbers/{number}/switches", tag = "numbers",
    request_body = SwitchInput, responses((status = 201, body = SwitchView)))]
pub async fn order(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Body(input, mut faults): Body<SwitchInput>,
) -> Result<HttpResponse, Problem> {
    let scope = &tenant.scope;
    let number = api
        .store
        .number(scope, segment(&request, "number")?)
        .await?;
    if let Some(plan) = input.call_plan {
        check_plan(&mut faults, &api, &tenant, (number.account, plan)).await?;
    }
    let time = now();
    let in_time = input.at > time && input.at - time <= TimeDelta::days(731);
    let detail = "choose a time within the next two years";
    faults.check(in_time, "/at", "out_of_range", detail);
    let waiting = api.store.switches(scope, number.id).await?.len();
    let detail = "100 switches of this number are to come already";
    faults.check(waiting < MOST_WAITING, "", "too_many", detail);
    faults.finish()?;
    let switch = PlanSwitch {
        id: SwitchId::from_uuid(Uuid::now_v7()),
        account: number.account,
        number: number.id,
        call_plan: input.call_plan,
        at: input.at,
        by: act(&tenant).by,
        created_at: time,
    };
    api.store.create_switch(scope, switch.clone()).await?;
    api.platform.switch_ordered.notify_one();
    Ok(HttpResponse::Created().json(SwitchView::from(switch)))
}

/// Takes a switch back.
#[utoipa::path(delete, path = "/v1/accounts/{account}/numbers/{number}/switches/{switch}",
    tag = "numbers", responses((status = 204)))]
pub async fn take_back(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let number = segment(&request, "number")?;
    let switch = segment(&request, "switch")?;
    match api.store.delete_switch(&tenant.scope, number, switch).await {
        Ok(()) | Err(StoreError::NotFound) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => Err(error.into()),
    }
}
