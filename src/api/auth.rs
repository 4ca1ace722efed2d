//! Who asks, and what may be seen: from the access token to the scope of the store's queries.
//!
//! [`Tenant`] is the only way for a handler to come by an [`AccountScope`]. An account outside of
//! the token's part of the tree is not found, like one that does not exist.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use chrono::{DateTime, Utc};
use strowger_domain::account::{Account, AccountStatus, Permissions, Scope, Scopes};
use strowger_domain::ids::{AccountId, SessionId, UserId};

use super::error::{Code, Problem};
use super::input::segment;
use super::router::Access;
use super::{Api, api_keys, limits, now, starter, tokens};
use crate::store::api_keys::ApiKey;
use crate::store::services::OutboundService;
use crate::store::users::User;
use crate::store::{AccountScope, StoreError, Within};

/// An account as it stands below all the accounts above it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The account.
    pub account: Account,
    /// Those above it, from the root.
    pub above: Vec<Account>,
    /// What holds for it ([`Permissions::effective`]).
    pub permissions: Permissions,
    /// It and all above it are active.
    pub is_active: bool,
}

/// Who acts, as it is now.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A person, in this sign-in.
    User(Box<User>, SessionId),
    /// A program, by a key of its account.
    Key(Box<ApiKey>),
}

/// Whoever sent a valid access token or API key.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// What it may do: what the token or key permits, of what the role or the account does.
    pub scopes: Scopes,
    /// When the caller must show up anew.
    pub until: DateTime<Utc>,
    /// The caller's account and all above it, as they are now.
    pub standing: Arc<Standing>,
    /// The account and its descendants.
    pub scope: AccountScope,
}

/// The account that the path names, seen by a caller who may see it.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Who asks.
    pub caller: Caller,
    /// The account of the path and all above it, as they are now.
    pub standing: Arc<Standing>,
    /// The account of the path and its descendants.
    pub scope: AccountScope,
}

impl Caller {
    /// Refuses a caller without this scope.
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        let detail = format!("It needs the scope `{scope}`.");
        let problem = Problem::from(Code::Forbidden).detail(detail);
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        Err(match HeaderValue::from_str(&challenge) {
            Ok(value) => problem.header(header::WWW_AUTHENTICATE, value),
            Err(_) => problem,
        })
    }

    /// The person, if it is one.
    pub fn user(&self) -> Option<&User> {
        match &self.principal {
            Principal::User(user, _) => Some(user),
            Principal::Key(_) => None,
        }
    }
}

impl Tenant {
    /// The id of the account of the path.
    pub fn id(&self) -> AccountId {
        self.standing.account.id
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(admitted(request))
    }
}

impl FromRequest for Tenant {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(admitted(request))
    }
}

/// Whoever [`admit`] let in; a route that nobody was asked at has none.
pub(super) fn admitted<T: Clone + 'static>(request: &HttpRequest) -> Result<T, Problem> {
    let known = request.extensions().get::<T>().cloned();
    known.ok_or_else(|| Code::Internal.into())
}

/// Stands before every path: nothing is read of a request whose sender may not see the account, or
/// lacks the scope of the route.
pub async fn admit(
    access: Access,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let known = match access {
        Access::Public => Ok(()),
        Access::SignedIn => enter(request.request(), None).await,
        Access::Scope(scope) => enter(request.request(), Some(scope)).await,
        Access::ServiceOr(scope) => starter::enter(request.request(), scope).await,
    };
    match known {
        Ok(()) => next.call(request).await,
        Err(problem) => Ok(request.error_response(problem)),
    }
}

/// Finds the caller and, where the path names one, the account. Another branch of the tree is not
/// found before it is told that a scope is missing.
async fn enter(request: &HttpRequest, scope: Option<Scope>) -> Result<(), Problem> {
    let caller = caller(request).await?;
    let has = scope.map_or(Ok(()), |scope| caller.needs(scope));
    if request.match_info().get("account").is_some() {
        let tenant = tenant(request, caller).await?;
        has?;
        request.extensions_mut().insert(tenant);
    } else {
        has?;
        request.extensions_mut().insert(caller);
    }
    Ok(())
}

/// The token of `Authorization: Bearer`.
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The API's state.
pub fn api(request: &HttpRequest) -> Result<web::Data<Api>, Problem> {
    request
        .app_data::<web::Data<Api>>()
        .cloned()
        .ok_or_else(|| Code::Internal.into())
}

/// Finds out who asks.
pub async fn caller(request: &HttpRequest) -> Result<Caller, Problem> {
    let api = api(request)?;
    let token = bearer(request).ok_or(Code::Unauthenticated)?;
    let (principal, account, scopes, until) = if token.starts_with(tokens::API_KEY) {
        by_key(&api, request, token).await?
    } else {
        by_token(&api, request, token).await?
    };
    let scope = api.store.scope_of(account).await.map_err(gone)?;
    let standing = standing(&api, account).await?;
    if !standing.is_active {
        return Err(Code::AccountDisabled.into());
    }
    if let Principal::User(user, _) = &principal
        && user.disabled
    {
        return Err(Code::UserDisabled.into());
    }
    Ok(Caller {
        scopes: scopes.intersection(may(&principal, &standing)),
        principal,
        until,
        standing: Arc::new(standing),
        scope,
    })
}

/// What a user's role permits, and what an account's keys may at most.
pub(super) fn may(principal: &Principal, standing: &Standing) -> Scopes {
    match principal {
        Principal::User(user, _) => user.role.scopes(),
        Principal::Key(key) => key.scopes.intersection(standing.permissions.scopes()),
    }
}

type Known = (Principal, AccountId, Scopes, DateTime<Utc>);

/// What a token or key names may be gone since it was issued: then it is worth nothing.
fn gone(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Code::TokenInvalid.into(),
        other => other.into(),
    }
}

/// The address that the request came from.
pub(super) fn source(request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip())
}

/// Takes one request from what the account may ask for.
fn count(api: &Api, account: AccountId) -> Result<(), Problem> {
    api.requests
        .take(account, Instant::now())
        .map_err(limits::wait)
}

async fn by_key(api: &Api, request: &HttpRequest, secret: &str) -> Result<Known, Problem> {
    let key = key_of(api, request, secret).await?;
    count(api, key.account)?;
    let soon = now() + tokens::ACCESS;
    let until = key.expires_at.map_or(soon, |end| end.min(soon));
    let (account, scopes) = (key.account, key.scopes);
    Ok((Principal::Key(Box::new(key)), account, scopes, until))
}

async fn by_token(api: &Api, request: &HttpRequest, token: &str) -> Result<Known, Problem> {
    let claims = api.keys.check(token).ok_or(Code::TokenInvalid)?;
    count(api, claims.acct)?;
    let scope = api.store.scope_of(claims.acct).await.map_err(gone)?;
    let principal = if let (Ok(user), Some(session)) = (claims.sub.parse(), claims.sid) {
        let user = api.store.user(&scope, user).await.map_err(gone)?;
        api.store.session(session, now()).await.map_err(gone)?;
        if user.account != claims.acct {
            return Err(Code::TokenInvalid.into());
        }
        Principal::User(Box::new(user), session)
    } else {
        let id = claims.sub.parse().map_err(|_error| Code::TokenInvalid)?;
        let key = api.store.api_key(&scope, id).await.map_err(gone)?;
        if key.account != claims.acct || !api_keys::is_good(&key, source(request), now()) {
            return Err(Code::TokenInvalid.into());
        }
        Principal::Key(Box::new(key))
    };
    let scopes = Scopes::named(claims.scope.split(' '));
    let until = DateTime::from_timestamp(claims.exp, 0).unwrap_or_default();
    Ok((principal, claims.acct, scopes, until))
}

/// The key of a secret, before anybody is known.
pub(super) async fn key_of(
    api: &Api,
    request: &HttpRequest,
    secret: &str,
) -> Result<ApiKey, Problem> {
    let everywhere = AccountScope::platform();
    let key = api_keys::by_secret(api, &everywhere, secret, source(request)).await?;
    key.ok_or_else(|| Code::ApiKeyInvalid.into())
}

/// The account of the path, if the caller may see it.
pub(super) async fn tenant(request: &HttpRequest, caller: Caller) -> Result<Tenant, Problem> {
    let own = caller.standing.account.id;
    let id = match request.match_info().get("account") {
        Some("me") => own,
        _ => segment(request, "account")?,
    };
    if id == own {
        let (standing, scope) = (Arc::clone(&caller.standing), caller.scope.clone());
        return Ok(Tenant {
            caller,
            standing,
            scope,
        });
    }
    let api = api(request)?;
    // The caller's scope decides whether there is such an account at all.
    api.store.account_path(&caller.scope, id).await?;
    let standing = Arc::new(standing(&api, id).await?);
    let scope = api.store.scope_of(id).await?;
    Ok(Tenant {
        caller,
        standing,
        scope,
    })
}

/// An account as it stands now.
pub async fn standing(api: &Api, id: AccountId) -> Result<Standing, Problem> {
    let everywhere = AccountScope::platform();
    let path = api.store.account_path(&everywhere, id).await?;
    let mut accounts = Vec::new();
    for account in path.iter() {
        accounts.push(api.store.account(&everywhere, account).await?);
    }
    let permissions = Permissions::effective(accounts.iter().map(|account| &account.permissions));
    let active = |account: &Account| account.status == AccountStatus::Active;
    let is_active = accounts.iter().all(active);
    let account = accounts.pop().ok_or(Code::NotFound)?;
    Ok(Standing {
        account,
        above: accounts,
        permissions,
        is_active,
    })
}

/// The user who signs in with this address, if there is one.
pub async fn user_by_email(api: &Api, email: &str) -> Result<Option<User>, Problem> {
    match api
        .store
        .user_by_email(&AccountScope::platform(), email)
        .await
    {
        Ok(user) => Ok(Some(user)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The user of a session.
pub async fn user_of_session(api: &Api, user: UserId) -> Result<User, Problem> {
    Ok(api.store.user(&AccountScope::platform(), user).await?)
}

/// The account, of this one and all above it, that has as many queued scheduled calls as it may
/// have.
pub async fn full_queue(api: &Api, standing: &Standing) -> Result<Option<AccountId>, Problem> {
    for account in standing.above.iter().chain([&standing.account]) {
        let Some(most) = account.limits.scheduled_queued else {
            continue;
        };
        let (everywhere, tree) = (AccountScope::platform(), Within::Tree(account.id));
        let counts = api.store.count_scheduled_calls(&everywhere, tree).await?;
        if counts.queued >= u64::from(most) {
            return Ok(Some(account.id));
        }
    }
    Ok(None)
}

/// The service of a path whose sender is not known yet: its password is still to be checked.
pub(super) async fn service_of(
    api: &Api,
    account: &str,
    name: &str,
) -> Result<Option<(OutboundService, AccountScope)>, Problem> {
    let Ok(account) = account.parse::<AccountId>() else {
        return Ok(None);
    };
    let found = async {
        let scope = api.store.scope_of(account).await?;
        let service = api.store.outbound_service(&scope, account, name).await?;
        Ok((service, scope))
    };
    match found.await {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(Problem::from(error)),
    }
}
