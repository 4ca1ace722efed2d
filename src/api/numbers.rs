//! Service numbers.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use strowger_domain::account::AccountKind;
use strowger_domain::e164::{E164, NumberClass};
use strowger_domain::ids::{AccountId, NumberId, PlanId};
use strowger_domain::pin::Pin;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Code, Faults, Problem};
use super::input::{Body, Query, given, present, segment};
use super::page::{self, Listed};
use super::{Api, now};
use crate::accounts::messages::Changed;
use crate::store::assignments::{Act, Belongings};
use crate::store::numbers::{Number, NumberAct, NumberChange, NumberFilter, NumberStatus};
use crate::store::{Page, StoreError, Within};

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
    /// The plans assigned to it, of which one may be active.
    pub call_plans: Vec<PlanId>,
    /// When it is switched to another plan next.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub next_switch_at: Option<DateTime<Utc>>,
    /// Whether it has a PIN.
    pub has_pin: bool,
    /// When it was created.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

impl NumberView {
    fn new(number: Number, belongings: Belongings) -> Self {
        Self {
            id: number.id,
            account: number.account,
            number: number.number,
            class: number.class,
            status: number.status,
            description: number.description,
            call_plan: number.call_plan,
            call_plans: belongings.call_plans,
            next_switch_at: belongings.next_switch,
            has_pin: belongings.has_pin,
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
#[serde(deny_unknown_fields)]
pub struct NumberPatch {
    /// Whether it takes and makes calls.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = NumberStatus, required = false)]
    pub status: Option<NumberStatus>,
    /// What people say about it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false)]
    pub description: Option<String>,
    /// All plans assigned to it. When the active one is not among them, none is active any more.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<PlanId>, required = false)]
    pub call_plans: Option<Vec<PlanId>>,
    /// The plan that its calls run; null: none. It must be published; it is assigned by this.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<PlanId>)]
    pub call_plan: Option<Option<PlanId>>,
    /// The PIN that telephone services ask for: 4 to 10 digits; null: none. It is never shown.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, write_only, example = "4071")]
    pub pin: Option<Option<String>>,
}

/// Which numbers are listed: those that fit all of it.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NumberQuery {
    /// Most items of the page (1 to 500; 50 when absent).
    pub limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Whether the account's descendants' numbers are listed too.
    pub descendants: Option<bool>,
    /// Part of the number, however it is written.
    pub number: Option<String>,
    /// Part of the description, in any case.
    pub description: Option<String>,
    /// Whether it takes calls.
    pub status: Option<NumberStatus>,
    /// What kind of number it is.
    pub class: Option<NumberClass>,
    /// The plan that its calls run; `none`: those without.
    pub call_plan: Option<String>,
}

impl NumberQuery {
    /// The part of the tree that is wanted.
    pub fn within(&self, account: AccountId) -> Within {
        page::within(self.descendants, account)
    }

    /// The numbers that are wanted.
    pub fn filter(&self) -> Result<NumberFilter, Problem> {
        let call_plan = match self.call_plan.as_deref() {
            None => None,
            Some("none") => Some(None),
            Some(plan) => Some(Some(plan.parse().map_err(|error| {
                let detail = format!("call_plan: {error}, or `none`");
                Problem::from(Code::MalformedQuery).detail(detail)
            })?)),
        };
        // 01632 … is how +44 1632 … is said at home.
        let digits = self.number.as_ref().map(|text| {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            digits.trim_start_matches('0').to_owned()
        });
        Ok(NumberFilter {
            number: digits,
            description: self.description.clone(),
            status: self.status,
            class: self.class,
            call_plan,
        })
    }
}

/// Lists the numbers of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/numbers", tag = "numbers", params(NumberQuery),
    responses((status = 200, body = Listed<NumberView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<NumberQuery>,
) -> Result<HttpResponse, Problem> {
    let paging = page::paging(query.limit, query.cursor.as_deref())?;
    let (within, filter) = (query.within(tenant.id()), query.filter()?);
    let found = api.store.numbers(&tenant.scope, within, &filter, paging);
    let Page { items, next } = found.await?;
    let items = views(&api, &tenant, items).await?;
    Ok(page::answer(&request, Page { items, next }, |view| view))
}

/// Gives an account a number.
#[utoipa::path(post, path = "/v1/accounts/{account}/numbers", tag = "numbers",
    request_body = NumberInput, responses((status = 201, body = NumberView)))]
pub async fn create(
    tenant: Tenant,
    api: web::Data<Api>,
    Body(input, mut faults): Body<NumberInput>,
) -> Result<HttpResponse, Problem> {
    let wanted = acquire(&api, &tenant, input, &mut faults).await?;
    if let Some(Acquired { is_own: true, .. }) = &wanted {
        faults.add("/number", "taken", "the account has this number already");
    }
    faults.finish()?;
    let Acquired { id, acts, .. } = wanted.ok_or(Code::Internal)?;
    carry_out(&api, &tenant, acts).await?;
    Ok(HttpResponse::Created().json(view(&api, &tenant, id).await?))
}

/// Reads a number.
#[utoipa::path(get, path = "/v1/accounts/{account}/numbers/{number}", tag = "numbers",
    responses((status = 200, body = NumberView, headers(("ETag" = String)))))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let view = view(&api, &tenant, segment(&request, "number")?).await?;
    Ok(page::one(&request, &view))
}

/// Changes a number. Only an account above suspends it, or lifts a suspension.
#[utoipa::path(patch, path = "/v1/accounts/{account}/numbers/{number}", tag = "numbers",
    request_body = NumberPatch,
    responses((status = 200, body = NumberView, headers(("ETag" = String)))))]
pub async fn change(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Body(patch, mut faults): Body<NumberPatch>,
) -> Result<HttpResponse, Problem> {
    let number = api
        .store
        .number(&tenant.scope, segment(&request, "number")?)
        .await?;
    page::check_match(&request, &view(&api, &tenant, number.id).await?)?;
    let suspension = [patch.status, Some(number.status)].contains(&Some(NumberStatus::Suspended));
    let from_above = tenant.caller.standing.account.id != number.account
        || tenant.caller.standing.account.kind == AccountKind::Carrier;
    if patch.status.is_some() && suspension && !from_above {
        let detail = "A suspension is made and lifted from above.";
        return Err(Problem::from(Code::Forbidden).detail(detail));
    }
    if let Some(description) = &patch.description {
        faults.text("/description", description, 0, 1000);
    }
    let plans = patch.call_plans.as_deref().unwrap_or_default();
    let few = plans.len() <= MOST_PLANS;
    faults.check(few, "/call_plans", "too_many", "assign up to 50 plans");
    for (at, plan) in plans.iter().take(MOST_PLANS).enumerate() {
        let owned = is_plan_of(&api, &tenant, number.account, *plan).await?;
        let place = format!("/call_plans/{at}");
        let detail = "the account has no such plan";
        faults.check(owned.is_some(), &place, "not_found", detail);
    }
    if let Some(Some(plan)) = patch.call_plan {
        check_plan(&mut faults, &api, &tenant, (number.account, plan)).await?;
    }
    let pin = match &patch.pin {
        Some(Some(digits)) => {
            let code = "not_pin";
            faults.take("/pin", code, Pin::choose(digits)).map(Some)
        }
        Some(None) => Some(None),
        None => None,
    };
    faults.finish()?;
    let pin_hash = match pin {
        Some(Some(pin)) => Some(Some(api.passwords.hash(pin.digits().to_owned()).await?)),
        Some(None) => Some(None),
        None => None,
    };
    let change = NumberChange {
        status: patch.status,
        description: patch.description,
        call_plans: patch.call_plans,
        call_plan: patch.call_plan,
        pin_hash,
    };
    carry_out(&api, &tenant, vec![NumberAct::Change(number.id, change)]).await?;
    Ok(page::one(&request, &view(&api, &tenant, number.id).await?))
}

/// Takes a number off the platform. A carrier or a service provider does, with numbers that no
/// calls run on; its history stays.
#[utoipa::path(delete, path = "/v1/accounts/{account}/numbers/{number}", tag = "numbers",
    responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let gone = HttpResponse::NoContent().finish();
    let number = match api
        .store
        .number(&tenant.scope, segment(&request, "number")?)
        .await
    {
        Ok(number) => number,
        Err(StoreError::NotFound) => return Ok(gone),
        Err(error) => return Err(error.into()),
    };
    if number.call_plan.is_some() {
        let detail = "A call plan is active on it: take that off first.";
        return Err(Problem::from(Code::InUse).detail(detail));
    }
    if !makes_numbers(&tenant) {
        let detail = "Whoever provides the number takes it off the platform.";
        return Err(Problem::from(Code::Forbidden).detail(detail));
    }
    carry_out(&api, &tenant, vec![NumberAct::Remove(number.id)]).await?;
    Ok(gone)
}

/// Most plans of a number.
const MOST_PLANS: usize = 50;

/// How an account comes by a number.
pub(super) struct Acquired {
    /// The number.
    pub(super) id: NumberId,
    /// The account has it already: it is only changed.
    pub(super) is_own: bool,
    /// What has to be done.
    pub(super) acts: Vec<NumberAct>,
}

/// What has to be done so that the account of the path has this number as it is described.
pub(super) async fn acquire(
    api: &Api,
    tenant: &Tenant,
    input: NumberInput,
    faults: &mut Faults,
) -> Result<Option<Acquired>, Problem> {
    faults.text("/description", &input.description, 0, 1000);
    let read = E164::read(&input.number, api.settings.country);
    let number = faults.take("/number", "not_e164", read);
    if let Some(plan) = input.call_plan {
        check_plan(faults, api, tenant, (tenant.id(), plan)).await?;
    }
    let Some(number) = number else {
        return Ok(None);
    };
    let status = input.status.unwrap_or(NumberStatus::Active);
    let change = NumberChange {
        status: Some(status),
        description: Some(input.description.clone()),
        call_plan: Some(input.call_plan),
        ..NumberChange::default()
    };
    let Some(held) = find(api, tenant, &number).await? else {
        if !makes_numbers(tenant) {
            faults.add("/number", "not_in_pool", "the number is not in your pool");
            return Ok(None);
        }
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
        return Ok(Some(Acquired {
            id: number.id,
            is_own: false,
            acts: vec![NumberAct::Create(number)],
        }));
    };
    let is_own = held.account == tenant.id();
    if !is_own && (held.call_plan.is_some() || !is_above(api, tenant, &held).await?) {
        faults.add("/number", "in_use", "the number is in use");
        return Ok(None);
    }
    let mut acts = vec![NumberAct::Change(held.id, change)];
    if !is_own {
        acts.insert(0, NumberAct::Allocate(held.id, tenant.id()));
    }
    Ok(Some(Acquired {
        id: held.id,
        is_own,
        acts,
    }))
}

/// Who changes something, for the history.
pub(super) fn act(tenant: &Tenant) -> Act {
    Act {
        by: tenant.caller.user().map(|user| user.id),
        at: now(),
    }
}

/// Carries out changes of numbers, and waits until calls follow them.
pub(super) async fn carry_out(
    api: &Api,
    tenant: &Tenant,
    acts: Vec<NumberAct>,
) -> Result<(), Problem> {
    let mut changed: Vec<_> = acts.iter().map(NumberAct::number).collect();
    changed.dedup();
    // A number comes from above, beyond the account of the path.
    let scope = &tenant.caller.scope;
    api.store.act_on_numbers(scope, acts, act(tenant)).await?;
    let told = changed
        .into_iter()
        .map(|number| api.platform.directory_changed(Changed::Number(number)));
    join_all(told).await;
    Ok(())
}

/// Numbers with what belongs to them.
pub(super) async fn views(
    api: &Api,
    tenant: &Tenant,
    numbers: Vec<Number>,
) -> Result<Vec<NumberView>, Problem> {
    let ids: Vec<_> = numbers.iter().map(|number| number.id).collect();
    let mut all = api.store.belongings_of(&tenant.scope, &ids).await?;
    let view = |number: Number| {
        let belongings = all.remove(&number.id).unwrap_or_default();
        NumberView::new(number, belongings)
    };
    Ok(numbers.into_iter().map(view).collect())
}

async fn view(api: &Api, tenant: &Tenant, id: NumberId) -> Result<NumberView, Problem> {
    let number = api.store.number(&tenant.scope, id).await?;
    let found = views(api, tenant, vec![number]).await?.pop();
    found.ok_or_else(|| Code::NotFound.into())
}

/// Whether the caller brings numbers onto the platform, and takes them off.
fn makes_numbers(tenant: &Tenant) -> bool {
    match tenant.caller.standing.account.kind {
        AccountKind::Carrier | AccountKind::ServiceProvider => true,
        AccountKind::Reseller | AccountKind::SubReseller | AccountKind::Customer => false,
    }
}

/// A number that the caller may see, wherever in its tree it is.
pub(super) async fn find(
    api: &Api,
    tenant: &Tenant,
    number: &E164,
) -> Result<Option<Number>, Problem> {
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

/// A plan of this account; whether it is published.
async fn is_plan_of(
    api: &Api,
    tenant: &Tenant,
    owner: AccountId,
    plan: PlanId,
) -> Result<Option<bool>, Problem> {
    match api.store.call_plan(&tenant.scope, plan).await {
        Ok(plan) if plan.account == owner => Ok(Some(plan.published_version.is_some())),
        Ok(_) | Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A number runs a published plan of its own account.
pub(super) async fn check_plan(
    faults: &mut Faults,
    api: &Api,
    tenant: &Tenant,
    (owner, plan): (AccountId, PlanId),
) -> Result<(), Problem> {
    let place = "/call_plan";
    match is_plan_of(api, tenant, owner, plan).await? {
        Some(published) => {
            faults.check(published, place, "not_published", "publish the plan first");
        }
        None => faults.add(place, "not_found", "the account has no such plan"),
    }
    Ok(())
}
