//! Whether a call plan is right, and what it would do: validation and simulation.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_domain::account::Permissions;
use strowger_domain::call_plan::{self, Context, Plan, Script, Severity, Transcript};
use strowger_domain::e164::E164;
use strowger_domain::ids::AccountId;
use utoipa::ToSchema;

use super::Api;
use super::auth::Tenant;
use super::call_plans::plan;
use super::error::{Code, Faults, Problem};
use super::input::{Json, read_json};
use crate::store::numbers::NumberFilter;
use crate::store::page::MAX_LIMIT;
use crate::store::{Paging, Within};

/// What is wrong with a plan.
#[derive(Serialize, ToSchema)]
pub struct Problems {
    /// Every problem; a plan with errors cannot be published.
    pub problems: Vec<call_plan::Problem>,
}

/// A plan that is not saved, and what happens to it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rehearsal {
    /// The plan.
    pub plan: Plan,
    /// The call, and what its parties do.
    pub script: Script,
}

/// Names every problem of the draft.
#[utoipa::path(post, path = "/v1/accounts/{account}/call_plans/{plan}/validate",
    tag = "call_plans", responses((status = 200, body = Problems)))]
pub async fn validate_draft(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let stored = plan(&request, &tenant, &api).await?;
    let problems = problems(&api, &tenant, stored.account, &read(&stored.draft)?).await?;
    Ok(HttpResponse::Ok().json(Problems { problems }))
}

/// Names every problem of a plan that is not saved.
#[utoipa::path(post, path = "/v1/accounts/{account}/call_plans/validate", tag = "call_plans",
    request_body = Plan, responses((status = 200, body = Problems)))]
pub async fn validate(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(plan): Json<Plan>,
) -> Result<HttpResponse, Problem> {
    let problems = problems(&api, &tenant, tenant.id(), &plan).await?;
    Ok(HttpResponse::Ok().json(Problems { problems }))
}

/// Runs the draft on a script of what a caller does, in virtual time.
#[utoipa::path(post, path = "/v1/accounts/{account}/call_plans/{plan}/simulate",
    tag = "call_plans", request_body = Script, responses((status = 200, body = Transcript)))]
pub async fn simulate_draft(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(script): Json<Script>,
) -> Result<HttpResponse, Problem> {
    let stored = plan(&request, &tenant, &api).await?;
    rehearse(read(&stored.draft)?, script).await
}

/// Runs a plan that is not saved on a script of what a caller does, in virtual time.
#[utoipa::path(post, path = "/v1/accounts/{account}/call_plans/simulate", tag = "call_plans",
    request_body = Rehearsal, responses((status = 200, body = Transcript)))]
pub async fn simulate(
    _tenant: Tenant,
    Json(rehearsal): Json<Rehearsal>,
) -> Result<HttpResponse, Problem> {
    rehearse(rehearsal.plan, rehearsal.script).await
}

/// Refuses a plan that may not be published, with every reason.
pub(super) async fn refuse_faulty(
    api: &Api,
    tenant: &Tenant,
    owner: AccountId,
    draft: &Value,
) -> Result<(), Problem> {
    let plan = read(draft)?;
    let mut faults = Faults::default();
    for problem in problems(api, tenant, owner, &plan).await? {
        if problem.severity == Severity::Error {
            faults.add(&pointer(&plan, &problem), "plan_error", problem.text);
        }
    }
    faults.finish()
}

/// What an account with these permissions may use in its plans; audio and numbers not looked up.
pub(super) fn context(permissions: &Permissions) -> Context {
    Context {
        permissions: permissions.clone(),
        ..Context::permissive()
    }
}

async fn problems(
    api: &Api,
    tenant: &Tenant,
    owner: AccountId,
    plan: &Plan,
) -> Result<Vec<call_plan::Problem>, Problem> {
    let context = Context {
        audio: Some(audio(api, tenant, owner).await?),
        numbers: Some(numbers(api, tenant, owner).await?),
        ..context(&tenant.standing.permissions)
    };
    Ok(call_plan::validate(plan, &context))
}

async fn audio(
    api: &Api,
    tenant: &Tenant,
    owner: AccountId,
) -> Result<BTreeSet<strowger_domain::ids::AudioId>, Problem> {
    let mut all = BTreeSet::new();
    let mut paging = Paging {
        limit: MAX_LIMIT,
        after: None,
    };
    loop {
        let within = Within::Account(owner);
        let page = api.store.audio_files(&tenant.scope, within, paging).await?;
        all.extend(page.items.into_iter().map(|audio| audio.id));
        match page.next {
            None => return Ok(all),
            after => paging.after = after,
        }
    }
}

async fn numbers(api: &Api, tenant: &Tenant, owner: AccountId) -> Result<BTreeSet<E164>, Problem> {
    let mut all = BTreeSet::new();
    let mut paging = Paging {
        limit: MAX_LIMIT,
        after: None,
    };
    loop {
        let page = api
            .store
            .numbers(
                &tenant.scope,
                Within::Tree(owner),
                &NumberFilter::default(),
                paging,
            )
            .await?;
        all.extend(page.items.into_iter().map(|number| number.number));
        match page.next {
            None => return Ok(all),
            after => paging.after = after,
        }
    }
}

fn read(draft: &Value) -> Result<Plan, Problem> {
    read_json(draft.to_string().as_bytes())
}

/// Where in the plan's document a problem stands.
fn pointer(plan: &Plan, problem: &call_plan::Problem) -> String {
    let Some(node) = &problem.node else {
        return String::new();
    };
    let Some(index) = plan.nodes.iter().position(|one| one.id == *node) else {
        return String::new();
    };
    match (&problem.branch, &problem.property) {
        (Some(branch), _) => format!("/nodes/{index}/branches/{branch}"),
        (None, Some(property)) => format!("/nodes/{index}/properties/{property}"),
        (None, None) => format!("/nodes/{index}"),
    }
}

async fn rehearse(plan: Plan, script: Script) -> Result<HttpResponse, Problem> {
    let transcript = web::block(move || call_plan::simulate(&Arc::new(plan), &script))
        .await
        .map_err(|_error| Problem::from(Code::Internal))?;
    Ok(HttpResponse::Ok().json(transcript))
}
