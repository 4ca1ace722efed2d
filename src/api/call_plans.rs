//! Call plans: one draft, and immutable versions of what was published.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_domain::call_plan::Plan;
use strowger_domain::ids::{AccountId, PlanId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Code, Faults, Problem};
use super::input::{Json, OptionalJson, Query, segment};
use super::page::{ListQuery, Listed};
use super::{Api, now, page, plan_checks};
use crate::accounts::messages::Changed;
use crate::store::StoreError;
use crate::store::call_plans::{CallPlan, CallPlanVersion, NewCallPlan, Publication};

/// A call plan.
#[derive(Serialize, ToSchema)]
#[schema(as = CallPlan)]
pub struct PlanView {
    /// Its identifier.
    pub id: PlanId,
    /// Who owns it.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// The draft, as it was last saved.
    #[schema(value_type = Plan)]
    pub draft: Value,
    /// The draft's entity tag, to be sent as `If-Match`.
    pub draft_etag: String,
    /// The version that calls run; null: never published.
    pub published_version: Option<u32>,
    /// What was published, the latest first; only where one plan is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<Vec<VersionRow>>,
    /// When it was created.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(with = "strowger_domain::timestamp")]
    pub updated_at: DateTime<Utc>,
}

impl From<CallPlan> for PlanView {
    fn from(plan: CallPlan) -> Self {
        Self {
            id: plan.id,
            account: plan.account,
            name: plan.name,
            draft: plan.draft,
            draft_etag: quoted(&plan.draft_etag),
            published_version: plan.published_version,
            versions: None,
            created_at: plan.created_at,
            updated_at: plan.updated_at,
        }
    }
}

/// A published version, without its plan.
#[derive(Serialize, ToSchema)]
pub struct VersionRow {
    /// Counts from 1.
    pub version: u32,
    /// When it was published.
    #[serde(with = "strowger_domain::timestamp")]
    pub published_at: DateTime<Utc>,
    /// By whom.
    pub published_by: Option<UserId>,
    /// What was said about it.
    pub note: String,
}

impl From<CallPlanVersion> for VersionRow {
    fn from(version: CallPlanVersion) -> Self {
        Self {
            version: version.version,
            published_at: version.published_at,
            published_by: version.published_by,
            note: version.note,
        }
    }
}

/// A published version.
#[derive(Serialize, ToSchema)]
pub struct VersionView {
    /// When, by whom, and what was said about it.
    #[serde(flatten)]
    pub row: VersionRow,
    /// The plan.
    #[schema(value_type = Plan)]
    pub plan: Value,
}

/// A plan to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanInput {
    /// Its name.
    pub name: String,
    /// Its first draft; absent: a plan without nodes.
    pub draft: Option<Plan>,
}

/// What shall be changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlanPatch {
    /// Its name.
    pub name: Option<String>,
}

/// A wish to publish the draft.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PublishInput {
    /// What is to be said about it.
    pub note: String,
}

/// Lists the call plans of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/call_plans", tag = "call_plans",
    params(ListQuery), responses((status = 200, body = Listed<PlanView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let plans = api
        .store
        .call_plans(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, plans, PlanView::from))
}

/// Creates a call plan.
#[utoipa::path(post, path = "/v1/accounts/{account}/call_plans", tag = "call_plans",
    request_body = PlanInput, responses((status = 201, body = PlanView)))]
pub async fn create(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<PlanInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    faults.text("/name", &input.name, 1, 100);
    faults.finish()?;
    let draft = match input.draft {
        Some(draft) => document(&draft)?,
        None => serde_json::json!({"format_version": 1, "name": input.name, "nodes": []}),
    };
    let plan = NewCallPlan {
        id: PlanId::from_uuid(Uuid::now_v7()),
        account: tenant.id(),
        name: input.name,
        draft,
        created_at: now(),
    };
    let plan = api.store.create_call_plan(&tenant.scope, plan).await?;
    Ok(with_tag(
        &mut HttpResponse::Created(),
        &plan.draft_etag.clone(),
        &PlanView::from(plan),
    ))
}

/// Reads a call plan with the list of its versions.
#[utoipa::path(get, path = "/v1/accounts/{account}/call_plans/{plan}", tag = "call_plans",
    responses((status = 200, body = PlanView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let plan = plan(&request, &tenant, &api).await?;
    let versions = api.store.call_plan_versions(&tenant.scope, plan.id).await?;
    let versions = versions.into_iter().map(VersionRow::from).collect();
    let tag = plan.draft_etag.clone();
    let view = PlanView {
        versions: Some(versions),
        ..plan.into()
    };
    Ok(with_tag(&mut HttpResponse::Ok(), &tag, &view))
}

/// Renames a call plan.
#[utoipa::path(patch, path = "/v1/accounts/{account}/call_plans/{plan}", tag = "call_plans",
    request_body = PlanPatch, responses((status = 200, body = PlanView)))]
pub async fn change(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(patch): Json<PlanPatch>,
) -> Result<HttpResponse, Problem> {
    let mut plan = plan(&request, &tenant, &api).await?;
    if let Some(name) = patch.name {
        let mut faults = Faults::default();
        faults.text("/name", &name, 1, 100);
        faults.finish()?;
        plan = api
            .store
            .rename_call_plan(&tenant.scope, plan.id, name, now())
            .await?;
    }
    Ok(with_tag(
        &mut HttpResponse::Ok(),
        &plan.draft_etag.clone(),
        &PlanView::from(plan),
    ))
}

/// Removes a call plan with all of its versions, unless a number uses it.
#[utoipa::path(delete, path = "/v1/accounts/{account}/call_plans/{plan}", tag = "call_plans",
    responses((status = 204), (status = 409, body = super::error::ProblemBody)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = segment(&request, "plan")?;
    match api.store.delete_call_plan(&tenant.scope, id).await {
        Ok(()) | Err(StoreError::NotFound) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => Err(error.into()),
    }
}

/// Reads the draft.
#[utoipa::path(get, path = "/v1/accounts/{account}/call_plans/{plan}/draft", tag = "call_plans",
    responses((status = 200, body = Plan, headers(("ETag" = String)))))]
pub async fn draft(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let plan = plan(&request, &tenant, &api).await?;
    Ok(with_tag(
        &mut HttpResponse::Ok(),
        &plan.draft_etag,
        &plan.draft,
    ))
}

/// Saves the draft. It may have faults; they matter when it is published.
#[utoipa::path(put, path = "/v1/accounts/{account}/call_plans/{plan}/draft", tag = "call_plans",
    params(("If-Match" = String, Header, description = "The ETag of the draft that was read")),
    request_body = Plan, responses((status = 200, body = Plan, headers(("ETag" = String)))))]
pub async fn save_draft(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(draft): Json<Plan>,
) -> Result<HttpResponse, Problem> {
    let plan = plan(&request, &tenant, &api).await?;
    let tag = if_match(&request, &plan)?.ok_or(Code::PreconditionRequired)?;
    let draft = document(&draft)?;
    let plan = api
        .store
        .put_draft(&tenant.scope, plan.id, &tag, draft, now())
        .await?;
    Ok(with_tag(
        &mut HttpResponse::Ok(),
        &plan.draft_etag,
        &plan.draft,
    ))
}

/// Publishes the draft as the next version, which new calls run from now on.
#[utoipa::path(post, path = "/v1/accounts/{account}/call_plans/{plan}/publish",
    tag = "call_plans", request_body = Option<PublishInput>,
    responses((status = 201, body = VersionView), (status = 422, body = super::error::ProblemBody)))]
pub async fn publish(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    OptionalJson(input): OptionalJson<PublishInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    faults.text("/note", &input.note, 0, 1000);
    faults.finish()?;
    let plan = plan(&request, &tenant, &api).await?;
    let etag = if_match(&request, &plan)?.unwrap_or_else(|| plan.draft_etag.clone());
    plan_checks::refuse_faulty(&api, &tenant, plan.account, &plan.draft).await?;
    let publication = Publication {
        plan: plan.id,
        etag,
        note: input.note,
        by: tenant.caller.user().map(|user| user.id),
        now: now(),
    };
    let version = api
        .store
        .publish_call_plan(&tenant.scope, publication)
        .await?;
    api.platform
        .directory_changed(Changed::CallPlan(plan.id))
        .await;
    let plan = version.plan.clone();
    Ok(HttpResponse::Created().json(VersionView {
        row: version.into(),
        plan,
    }))
}

/// Lists the published versions, the latest first.
#[utoipa::path(get, path = "/v1/accounts/{account}/call_plans/{plan}/versions",
    tag = "call_plans", responses((status = 200, body = Listed<VersionRow>)))]
pub async fn versions(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let versions = api
        .store
        .call_plan_versions(&tenant.scope, segment(&request, "plan")?)
        .await?;
    let items = versions.into_iter().map(VersionRow::from).collect();
    Ok(HttpResponse::Ok().json(Listed {
        items,
        next_cursor: None,
    }))
}

/// Reads a published version.
#[utoipa::path(get, path = "/v1/accounts/{account}/call_plans/{plan}/versions/{version}",
    tag = "call_plans", responses((status = 200, body = VersionView)))]
pub async fn version(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (plan, version) = (segment(&request, "plan")?, segment(&request, "version")?);
    let version = api
        .store
        .call_plan_version(&tenant.scope, plan, version)
        .await?;
    let plan = version.plan.clone();
    Ok(HttpResponse::Ok().json(VersionView {
        row: version.into(),
        plan,
    }))
}

/// The plan that the path names.
pub(super) async fn plan(
    request: &HttpRequest,
    tenant: &Tenant,
    api: &Api,
) -> Result<CallPlan, Problem> {
    Ok(api
        .store
        .call_plan(&tenant.scope, segment(request, "plan")?)
        .await?)
}

fn document(plan: &Plan) -> Result<Value, Problem> {
    serde_json::to_value(plan).map_err(|_error| Code::Internal.into())
}

fn quoted(tag: &str) -> String {
    format!("\"{tag}\"")
}

/// The tag that the client has read, if it says; `*` is whatever is there.
fn if_match(request: &HttpRequest, plan: &CallPlan) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(header::IF_MATCH) else {
        return Ok(None);
    };
    let value = value.to_str().unwrap_or("").trim();
    let tag = value.trim_matches('"');
    if value == "*" || tag == plan.draft_etag {
        return Ok(Some(plan.draft_etag.clone()));
    }
    Err(Code::PreconditionFailed.into())
}

fn with_tag<T: Serialize>(
    answer: &mut actix_web::HttpResponseBuilder,
    tag: &str,
    body: &T,
) -> HttpResponse {
    answer.insert_header((header::ETAG, quoted(tag))).json(body)
}
