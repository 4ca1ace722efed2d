//! API keys: how programs sign in. A key is shown once, when it is made.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::account::{Scope, Scopes};
use strowger_domain::ids::{AccountId, ApiKeyId, UserId};
use strowger_domain::route::Network;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Faults, Problem};
use super::input::{Json, Query, segment};
use super::page::{ListQuery, Listed};
use super::{Api, now, page, tokens};
use crate::store::api_keys::ApiKey;

/// Most networks of one key.
const MOST_SOURCES: usize = 50;

/// An API key.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    /// Its identifier.
    pub id: ApiKeyId,
    /// The account that it acts for.
    pub account: AccountId,
    /// What people call it.
    pub name: String,
    /// The last characters of the key, by which its owner knows it again.
    #[schema(example = "x9Qa")]
    pub hint: String,
    /// What it permits, as far as its account may do it.
    pub scopes: Scopes,
    /// Networks from which it may be used; none: from anywhere.
    #[schema(example = json!(["192.0.2.0/24"]))]
    pub allowed_sources: Vec<String>,
    /// The user who made it; null: another key did.
    pub created_by: Option<UserId>,
    /// When it was made.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// From when on it is good no more; null: it has no end.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is good no more, because somebody said so.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// The address from which it was last used.
    #[schema(example = "192.0.2.17")]
    pub last_used_from: Option<String>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            account: key.account,
            name: key.name,
            hint: key.hint,
            scopes: key.scopes,
            allowed_sources: key.allowed_sources,
            created_by: key.created_by,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            last_used_from: key.last_used_from,
        }
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyInput {
    /// What people call it.
    #[schema(example = "nightly import")]
    pub name: String,
    /// What it permits: no more than its maker may do.
    #[schema(value_type = Vec<Scope>, example = json!(["scheduled_calls:write", "calls:read"]))]
    pub scopes: Vec<String>,
    /// From when on it is good no more; absent: it has no end.
    pub expires_at: Option<DateTime<Utc>>,
    /// Networks from which it may be used; absent: from anywhere.
    #[serde(default)]
    pub allowed_sources: Vec<String>,
}

/// A new key with its secret, which is told this once.
#[derive(Serialize, ToSchema)]
pub struct NewApiKey {
    /// Send it as `Authorization: Bearer …`, or exchange it at `/v1/auth/token`.
    #[schema(example = "sk_…")]
    pub key: String,
    /// What is kept of it.
    #[serde(flatten)]
    pub about: ApiKeyView,
}

/// Lists the API keys of an account, also those that are good no more.
#[utoipa::path(get, path = "/v1/accounts/{account}/api_keys", tag = "users", params(ListQuery),
    responses((status = 200, body = Listed<ApiKeyView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let keys = api
        .store
        .api_keys(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, keys, ApiKeyView::from))
}

/// Makes an API key. A key can permit no more than its maker may do.
#[utoipa::path(post, path = "/v1/accounts/{account}/api_keys", tag = "users",
    request_body = ApiKeyInput, responses((status = 201, body = NewApiKey)))]
pub async fn create(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<ApiKeyInput>,
) -> Result<HttpResponse, Problem> {
    let time = now();
    let mut faults = Faults::default();
    faults.text("/name", &input.name, 1, 100);
    let some = !input.scopes.is_empty();
    faults.check(some, "/scopes", "missing", "name at least one scope");
    for (index, name) in input.scopes.iter().enumerate() {
        let pointer = format!("/scopes/{index}");
        let once = !input.scopes[..index].contains(name);
        faults.check(once, &pointer, "twice", "name it once");
        let scope = faults.take(&pointer, "unknown_value", name.parse::<Scope>());
        let own = scope.is_none_or(|scope| tenant.caller.scopes.has(scope));
        faults.check(own, &pointer, "exceeds", "you may not do this yourself");
    }
    let few = input.allowed_sources.len() <= MOST_SOURCES;
    faults.check(few, "/allowed_sources", "too_many", "50 networks at most");
    for (index, source) in input.allowed_sources.iter().enumerate() {
        let pointer = format!("/allowed_sources/{index}");
        let _network = faults.take(&pointer, "not_network", source.parse::<Network>());
    }
    let lasts = input.expires_at.is_none_or(|end| end > time);
    faults.check(lasts, "/expires_at", "past", "write a time to come");
    faults.finish()?;
    let secret = tokens::new_api_key();
    let key = ApiKey {
        id: ApiKeyId::from_uuid(Uuid::now_v7()),
        account: tenant.id(),
        name: input.name.trim().to_owned(),
        hint: secret[secret.len() - 4..].to_owned(),
        scopes: Scopes::named(input.scopes.iter().map(String::as_str)),
        allowed_sources: input.allowed_sources,
        created_by: tenant.caller.user().map(|user| user.id),
        created_at: time,
        expires_at: input.expires_at,
        revoked_at: None,
        last_used_at: None,
        last_used_from: None,
    };
    let hash = tokens::secret_hash(&secret);
    let key = api.store.create_api_key(&tenant.scope, key, hash).await?;
    Ok(HttpResponse::Created().json(NewApiKey {
        key: secret,
        about: key.into(),
    }))
}

/// Reads an API key.
#[utoipa::path(get, path = "/v1/accounts/{account}/api_keys/{api_key}", tag = "users",
    responses((status = 200, body = ApiKeyView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let key = api
        .store
        .api_key(&tenant.scope, segment(&request, "api_key")?)
        .await?;
    Ok(HttpResponse::Ok().json(ApiKeyView::from(key)))
}

/// Ends an API key at once. It stays in the list, as revoked.
#[utoipa::path(delete, path = "/v1/accounts/{account}/api_keys/{api_key}", tag = "users",
    responses((status = 204)))]
pub async fn revoke(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = segment(&request, "api_key")?;
    api.store.revoke_api_key(&tenant.scope, id, now()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether a key may be used now, and from there.
pub(super) fn is_good(key: &ApiKey, from: IpAddr, time: DateTime<Utc>) -> bool {
    let within = |source: &String| {
        let network = source.parse::<Network>();
        network.is_ok_and(|network| network.contains(from))
    };
    key.revoked_at.is_none()
        && key.expires_at.is_none_or(|end| end > time)
        && (key.allowed_sources.is_empty() || key.allowed_sources.iter().any(within))
}
