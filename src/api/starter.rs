//! Whoever starts an outbound service: with a token, or with the service's own password.

use std::future::{Ready, ready};
use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use strowger_domain::account::{Permissions, Scope};

use super::audit::Actor;
use super::auth::{admitted, api, caller, service_of, source, standing, tenant};
use super::error::{Code, Problem};
use super::{limits, usage};
use crate::store::AccountScope;
use crate::store::services::OutboundService;

/// Whoever may start an outbound service: a user with a token, or the customer's program with the
/// service's own name and password.
#[derive(Clone, Debug)]
pub struct Starter {
    /// The service of the path.
    pub service: OutboundService,
    /// The account and its descendants.
    pub scope: AccountScope,
    /// What the account may do, given all accounts above it.
    pub permissions: Permissions,
    /// Whether the account may be used.
    pub is_active: bool,
}

impl FromRequest for Starter {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(admitted(request))
    }
}

/// Finds out who starts the service of the path.
pub(super) async fn enter(request: &HttpRequest, scope: Scope) -> Result<(), Problem> {
    let starter = match basic(request) {
        Some((user, password)) => by_password(request, &user, password).await?,
        None => by_token(request, scope).await?,
    };
    request.extensions_mut().insert(starter);
    Ok(())
}

async fn by_token(request: &HttpRequest, scope: Scope) -> Result<Starter, Problem> {
    let api = api(request)?;
    let tenant = tenant(request, caller(request).await?).await?;
    tenant.caller.needs(scope)?;
    let name = request.match_info().get("service").unwrap_or("");
    let service = api
        .store
        .outbound_service(&tenant.scope, tenant.id(), name)
        .await?;
    request.extensions_mut().insert(tenant.clone());
    Ok(Starter {
        service,
        scope: tenant.scope,
        permissions: tenant.standing.permissions.clone(),
        is_active: tenant.standing.is_active,
    })
}

async fn by_password(
    request: &HttpRequest,
    user: &str,
    password: String,
) -> Result<Starter, Problem> {
    let api = api(request)?;
    let wrong = || {
        let realm = HeaderValue::from_static("Basic realm=\"strowger service\"");
        Problem::from(Code::WrongServicePassword).header(header::WWW_AUTHENTICATE, realm)
    };
    let account = request.match_info().get("account").unwrap_or("");
    let name = request.match_info().get("service").unwrap_or("");
    let pair = limits::pair(source(request), &format!("{account}/{name}"));
    api.attempts
        .look(pair.clone(), Instant::now())
        .map_err(limits::wait)?;
    let known = service_of(&api, account, name).await?;
    let hash = known
        .as_ref()
        .map(|(service, _)| service.password_hash.clone());
    let fits = api.passwords.fits(password, hash).await?;
    let Some((service, scope)) = known.filter(|_| fits && user == name) else {
        let _level = api.attempts.take(pair, Instant::now());
        return Err(wrong());
    };
    api.attempts.forget(&pair);
    api.requests
        .take(service.account, Instant::now())
        .map_err(limits::wait)?;
    request.extensions_mut().insert(Actor {
        id: service.id.to_string(),
        name: service.name.clone(),
        account: service.account,
    });
    let standing = standing(&api, service.account).await?;
    usage::count_request(&api, &standing)?;
    Ok(Starter {
        service,
        scope,
        permissions: standing.permissions.clone(),
        is_active: standing.is_active,
    })
}

/// The user and password of `Authorization: Basic` (RFC 7617).
fn basic(request: &HttpRequest) -> Option<(String, String)> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = STANDARD
        .decode(encoded.trim())
        .ok()
        .and_then(|text| String::from_utf8(text).ok());
    let (user, password) = text
        .as_deref()
        .unwrap_or("")
        .split_once(':')
        .unwrap_or(("", ""));
    Some((user.to_owned(), password.to_owned()))
}
