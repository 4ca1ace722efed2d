//! Routes: which trunk takes the numbers of a prefix.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, RouteId, TrunkId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Faults, Problem};
use super::input::{Json, Query, segment};
use super::page::{ListQuery, Listed};
use super::trunks::removed;
use super::{Api, now, page};
use crate::accounts::messages::Changed;
use crate::store::StoreError;
use crate::store::trunks::Route;

/// A rule that sends numbers to a trunk; descendants inherit it.
#[derive(Serialize, ToSchema)]
#[schema(as = Route)]
pub struct RouteView {
    /// Its identifier.
    pub id: RouteId,
    /// Who owns it.
    pub account: AccountId,
    /// The leading part of the E.164 number, `+` included.
    #[schema(example = "+44")]
    pub prefix: String,
    /// Where matching numbers go.
    pub trunk: TrunkId,
    /// Lower is tried first among equal prefixes.
    pub priority: i32,
    /// When it was created.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

impl From<Route> for RouteView {
    fn from(route: Route) -> Self {
        Self {
            id: route.id,
            account: route.account,
            prefix: route.prefix,
            trunk: route.trunk,
            priority: route.priority,
            created_at: route.created_at,
        }
    }
}

/// A route to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteInput {
    /// The leading part of the E.164 number, `+` included; `+` alone matches all.
    pub prefix: String,
    /// Where matching numbers go.
    pub trunk: TrunkId,
    /// Lower is tried first among equal prefixes.
    #[serde(default)]
    pub priority: i32,
}

/// Lists the routes of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/routes", tag = "routes", params(ListQuery),
    responses((status = 200, body = Listed<RouteView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let routes = api
        .store
        .routes(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, routes, RouteView::from))
}

/// Creates a route.
#[utoipa::path(post, path = "/v1/accounts/{account}/routes", tag = "routes",
    request_body = RouteInput, responses((status = 201, body = RouteView)))]
pub async fn create(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<RouteInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    let digits = input.prefix.strip_prefix('+');
    let well = digits.is_some_and(|d| d.len() <= 15 && d.bytes().all(|b| b.is_ascii_digit()));
    faults.check(well, "/prefix", "not_prefix", "write + and up to 15 digits");
    if let Err(error) = api.store.trunk(&tenant.scope, input.trunk).await {
        let StoreError::NotFound = error else {
            return Err(error.into());
        };
        faults.add("/trunk", "not_found", "the account has no such trunk");
    }
    faults.finish()?;
    let route = Route {
        id: RouteId::from_uuid(Uuid::now_v7()),
        account: tenant.id(),
        prefix: input.prefix,
        trunk: input.trunk,
        priority: input.priority,
        created_at: now(),
    };
    let route = api.store.create_route(&tenant.scope, route).await?;
    api.platform.directory_changed(Changed::Routes).await;
    Ok(HttpResponse::Created().json(RouteView::from(route)))
}

/// Reads a route.
#[utoipa::path(get, path = "/v1/accounts/{account}/routes/{route}", tag = "routes",
    responses((status = 200, body = RouteView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let route = api
        .store
        .route(&tenant.scope, segment(&request, "route")?)
        .await?;
    Ok(HttpResponse::Ok().json(RouteView::from(route)))
}

/// Removes a route.
#[utoipa::path(delete, path = "/v1/accounts/{account}/routes/{route}", tag = "routes",
    responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let gone = api
        .store
        .delete_route(&tenant.scope, segment(&request, "route")?)
        .await;
    removed(&api, gone).await
}
