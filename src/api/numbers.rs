//! Service numbers.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::account::AccountKind;
use strowger_domain::e164::{E164, NumberClass};
use strowger_domain::ids::{AccountId, NumberId, PlanId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Code, Faults, Problem};
use super::input::{Json, Query, present, segment};
use super::page::{ListQuery, Listed};
use super::{Api, now, page};
use crate::accounts::messages::Changed;
use crate::store::StoreError;
use crate::store::numbers::{Number, NumberChange, NumberStatus};

/// A service number.
#[derive(Serialize, ToSchema)]
#[schema(as = Number)]
pub struct NumberView {
    /// Its identifier.
    pub id: NumberId,
    /// Who uses it.
    pub account: AccountId,
    /// E.164.
    #[schema(value_type = String, example = "+441632960001")]
    pub number: E164,
    /// What kind of number it is.
    pub class: NumberClass,
    /// Whether it takes and makes calls.
    pub status: NumberStatus,
    /// What people say about it.
    pub description: String,
    /// The plan that its calls run.
    pub call_plan: Option<PlanId>,
    /// When it was created.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

impl From<Number> for NumberView {
    fn from(number: Number) -> Self {
        Self {
            id: number.id,
            account: number.account,
            number: number.number,
            class: number.class,
            status: number.status,
            description: number.description,
            call_plan: number.call_plan,
            created_at: number.created_at,
        }
    }
}

/// A number for an account: out of the pool of an account above it, or, from a carrier or a
/// service provider, a new one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberInput {
    /// E.164, or as it is dialled in the platform's country.
    #[schema(example = "+441632960001")]
    pub number: String,
    /// What people say about it.
    #[serde(default)]
    pub description: String,
    /// The plan that its calls run; it must be published.
    pub call_plan: Option<PlanId>,
    /// Whether it takes and makes calls; absent: active.
    pub status: Option<NumberStatus>,
}

/// What shall be changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NumberPatch {
    /// Whether it takes and makes calls.
    pub status: Option<NumberStatus>,
    /// What people say about it.
    pub description: Option<String>,
    /// The plan that its calls run; null: none. It must be published.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<PlanId>)]
    pub call_plan: Option<Option<PlanId>>,
}

/// Lists the numbers of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/numbers", tag = "numbers", params(ListQuery),
    responses((status = 200, body = Listed<NumberView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let numbers = api
        .store
        .numbers(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, numbers, NumberView::from))
}

/// Gives an account a number.
#[utoipa::path(post, path = "/v1/accounts/{account}/numbers", tag = "numbers",
    request_body = NumberInput, responses((status = 201, body = NumberView)))]
pub async fn create(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<NumberInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    faults.text("/description", &input.description, 0, 1000);
    let number = faults.take(
        "/number",
        "not_e164",
        E164::read(&input.number, api.settings.country),
    );
    if let Some(plan) = input.call_plan {
        check_plan(&mut faults, &api, &tenant, (tenant.id(), plan)).await?;
    }
    let held = match &number {
        Some(number) => find(&api, &tenant, number).await?,
        None => None,
    };
    let makes_numbers = matches!(
        tenant.caller.standing.account.kind,
        AccountKind::Carrier | AccountKind::ServiceProvider
    );
    match &held {
        Some(held) if held.account == tenant.id() => {
            faults.add("/number", "taken", "the account has this number already");
        }
        Some(held) if held.call_plan.is_some() || !is_above(&api, &tenant, held).await? => {
            faults.add("/number", "in_use", "the number is in use");
        }
        None if number.is_some() && !makes_numbers => {
            faults.add("/number", "not_in_pool", "the number is not in your pool");
        }
        Some(_) | None => {}
    }
    faults.finish()?;
    let number = number.ok_or(Code::Internal)?;
    let status = input.status.unwrap_or(NumberStatus::Active);
    let number = if let Some(held) = held {
        let change = NumberChange {
            status: Some(status),
            description: Some(input.description),
            call_plan: Some(input.call_plan),
            account: Some(tenant.id()),
        };
        let scope = &tenant.caller.scope;
        api.store
            .update_number(scope, held.id, change, now())
            .await?
    } else {
        let number = Number {
            id: NumberId::from_uuid(Uuid::now_v7()),
            account: tenant.id(),
            class: number.class(),
            number,
            status,
            description: input.description,
            call_plan: input.call_plan,
            created_at: now(),
        };
        api.store.create_number(&tenant.scope, number).await?
    };
    api.platform
        .directory_changed(Changed::Number(number.id))
        .await;
    Ok(HttpResponse::Created().json(NumberView::from(number)))
}

/// Reads a number.
#[utoipa::path(get, path = "/v1/accounts/{account}/numbers/{number}", tag = "numbers",
    responses((status = 200, body = NumberView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let number = api
        .store
        .number(&tenant.scope, segment(&request, "number")?)
        .await?;
    Ok(HttpResponse::Ok().json(NumberView::from(number)))
}

/// Changes a number. Only an account above suspends it, or lifts a suspension.
#[utoipa::path(patch, path = "/v1/accounts/{account}/numbers/{number}", tag = "numbers",
    request_body = NumberPatch, responses((status = 200, body = NumberView)))]
pub async fn change(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(patch): Json<NumberPatch>,
) -> Result<HttpResponse, Problem> {
    let number = api
        .store
        .number(&tenant.scope, segment(&request, "number")?)
        .await?;
    let suspension = [patch.status, Some(number.status)].contains(&Some(NumberStatus::Suspended));
    let from_above = tenant.caller.standing.account.id != number.account
        || tenant.caller.standing.account.kind == AccountKind::Carrier;
    if patch.status.is_some() && suspension && !from_above {
        let detail = "A suspension is made and lifted from above.";
        return Err(Problem::from(Code::Forbidden).detail(detail));
    }
    let mut faults = Faults::default();
    if let Some(description) = &patch.description {
        faults.text("/description", description, 0, 1000);
    }
    if let Some(Some(plan)) = patch.call_plan {
        check_plan(&mut faults, &api, &tenant, (number.account, plan)).await?;
    }
    faults.finish()?;
    let change = NumberChange {
        status: patch.status,
        description: patch.description,
        call_plan: patch.call_plan,
        account: None,
    };
    let number = api
        .store
        .update_number(&tenant.scope, number.id, change, now())
        .await?;
    api.platform
        .directory_changed(Changed::Number(number.id))
        .await;
    Ok(HttpResponse::Ok().json(NumberView::from(number)))
}

/// A number that the caller may see, wherever in its tree it is.
async fn find(api: &Api, tenant: &Tenant, number: &E164) -> Result<Option<Number>, Problem> {
    match api.store.number_by_e164(&tenant.caller.scope, number).await {
        Ok(number) => Ok(Some(number)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the number's owner is an account above this one: then the number is its to give.
async fn is_above(api: &Api, tenant: &Tenant, number: &Number) -> Result<bool, Problem> {
    let path = api
        .store
        .account_path(&tenant.caller.scope, tenant.id())
        .await?;
    Ok(path.is_within(number.account))
}

/// A number runs a published plan of its own account.
async fn check_plan(
    faults: &mut Faults,
    api: &Api,
    tenant: &Tenant,
    (owner, plan): (AccountId, PlanId),
) -> Result<(), Problem> {
    let found = match api.store.call_plan(&tenant.scope, plan).await {
        Ok(plan) => Some(plan).filter(|plan| plan.account == owner),
        Err(StoreError::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    match found {
        Some(plan) => {
            let published = plan.published_version.is_some();
            faults.check(
                published,
                "/call_plan",
                "not_published",
                "publish the plan first",
            );
        }
        None => faults.add("/call_plan", "not_found", "the account has no such plan"),
    }
    Ok(())
}
