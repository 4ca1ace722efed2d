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
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use chrono::{DateTime, Utc};
use strowger_domain::account::branding::host_name;
use strowger_domain::account::{AccountKind, AccountStatus, Contact, Duty, Role, Scope, Scopes};
use strowger_domain::ids::{AccountId, UserId};

use super::audit::Actor;
use super::error::{Code, Problem};
use super::input::segment;
use super::router::Access;
use super::{Api, api_keys, limits, now, starter, tokens, usage};
use crate::store::api_keys::ApiKey;
use crate::store::branding::Branded;
use crate::store::identities::SignedIn;
pub use crate::store::identities::Standing;
use crate::store::services::OutboundService;
use crate::store::sessions::Session;
use crate::store::users::User;
use crate::store::{AccountScope, StoreError};

/// Who acts, as it is now.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A person, in this sign-in.
    User(Arc<SignedIn>),
    /// A program, by a key of its account.
    Key(Arc<ApiKey>),
}

/// Whoever sent a valid access token or API key.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// What it may do: what the token or key permits, of what the role or the account does.
    pub scopes: Scopes,
    /// What a user must do before anything else; until then there are no scopes.
    pub duties: Vec<Duty>,
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

impl Standing {
    /// Whom its users ask: the contact of the nearest account above that names one.
    pub fn contact(&self) -> Option<Contact> {
        let mut above = self.above.iter().rev().map(|account| &account.contact);
        above.find(|contact| !contact.is_empty()).cloned()
    }

    /// Whether it, or an account above it, is closed.
    pub fn is_closed(&self) -> bool {
        let mut path = self.above.iter().chain([&self.account]);
        path.any(|account| account.status == AccountStatus::Closed)
    }

    /// Refuses, in plain words, where nobody may come in.
    pub fn admits(&self) -> Result<(), Problem> {
        if self.is_closed() {
            return Err(Code::AccountClosed.into());
        }
        if !self.is_active {
            return Err(Code::AccountDisabled.into());
        }
        Ok(())
    }

    /// Whether its users see the numbers of callers who withhold them.
    pub fn sees_withheld(&self) -> bool {
        self.permissions.withheld_cli && self.account.kind != AccountKind::Customer
    }
}

impl Caller {
    /// Refuses a caller without this scope.
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        match self.duties.first() {
            Some(Duty::ChangePassword) => return Err(Code::PasswordExpired.into()),
            Some(Duty::EnrolMfa) => return Err(Code::MfaNotEnrolled.into()),
            None => {}
        }
        let detail = format!("It needs the scope `{scope}`.");
        let problem = Problem::from(Code::Forbidden).detail(detail);
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        Err(match HeaderValue::from_str(&challenge) {
            Ok(value) => problem.header(header::WWW_AUTHENTICATE, value),
            Err(_) => problem,
        })
    }

    /// The sign-in of a person, if it is one.
    pub fn session(&self) -> Option<&Session> {
        match &self.principal {
            Principal::User(known) => Some(&known.session),
            Principal::Key(_) => None,
        }
    }

    /// The person and the sign-in; keys are refused, for they are nobody.
    pub fn signed_in(&self) -> Result<(&User, &Session), Problem> {
        match &self.principal {
            Principal::User(known) => Ok((&known.user, &known.session)),
            Principal::Key(_) => {
                let detail = "An API key is not a user.";
                Err(Problem::from(Code::Forbidden).detail(detail))
            }
        }
    }

    /// Whether a user with this role may do nothing that the caller may not.
    pub fn may_give(&self, role: Role) -> bool {
        let here = Scopes::of(&[Scope::SystemWrite]);
        role.scopes()
            .difference(self.scopes)
            .difference(here)
            .is_empty()
    }

    /// The person, if it is one.
    pub fn user(&self) -> Option<&User> {
        match &self.principal {
            Principal::User(known) => Some(&known.user),
            Principal::Key(_) => None,
        }
    }
}

impl Tenant {
    /// The accounts from the root to that of the path.
    pub fn path(&self) -> Vec<AccountId> {
        path(&self.standing)
    }

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
        if tenant.standing.is_closed() && !is_possible_when_closed(request) {
            return Err(Code::AccountClosed.into());
        }
        request.extensions_mut().insert(tenant);
    } else {
        has?;
        request.extensions_mut().insert(caller);
    }
    Ok(())
}

/// The accounts from the root to this one.
pub(super) fn path(standing: &Standing) -> Vec<AccountId> {
    let above = standing.above.iter().chain([&standing.account]);
    above.map(|account| account.id).collect()
}

/// The scope of what an account inherits: it is looked up along the account's own path, which no
/// scope of a caller holds.
pub(super) fn inherited() -> AccountScope {
    AccountScope::platform()
}

/// The subprotocol of event streams by WebSocket.
pub const PROTOCOL: &str = "strowger.events.v1";

/// The subprotocols that a WebSocket client offers.
pub fn protocols(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// A closed account can be read and erased, and that is all.
fn is_possible_when_closed(request: &HttpRequest) -> bool {
    let is_erasure = request.method() == Method::DELETE
        && request.match_pattern().as_deref() == Some("/v1/accounts/{account}");
    request.method() == Method::GET || is_erasure
}

/// The token of `Authorization: Bearer`, or that which a browser offers as a subprotocol beside ours:
/// it can set no header on a WebSocket, and an address is no place for a secret.
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        protocols(request).find(|one| *one == PROTOCOL)?;
        return protocols(request).find_map(|one| one.strip_prefix("bearer."));
    };
    let value = value.to_str().ok()?;
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
    let (time, from) = (now(), source(request));
    let token = bearer(request).ok_or(Code::Unauthenticated)?;
    let known = if token.starts_with(tokens::API_KEY) {
        by_key(&api, from, token, time).await?
    } else {
        by_token(&api, from, token, time).await?
    };
    let (principal, account, scopes, until) = known;
    let standing = api.store.standing(account, time).await.map_err(gone)?;
    standing.admits()?;
    usage::count_request(&api, &standing)?;
    if let Principal::User(known) = &principal
        && known.user.disabled
    {
        return Err(Code::UserDisabled.into());
    }
    match &principal {
        Principal::User(known) => {
            api.store
                .note_session_use(&known.session, from, time)
                .await?;
        }
        Principal::Key(key) => api.store.note_api_key_use(key, from, time).await?,
    }
    request.extensions_mut().insert(Actor::from(&principal));
    let duties = match &principal {
        Principal::User(known) => duties(known, &standing, time),
        Principal::Key(_) => Vec::new(),
    };
    let scopes = if duties.is_empty() {
        scopes.intersection(may(&principal, &standing))
    } else {
        Scopes::NONE
    };
    Ok(Caller {
        scopes,
        duties,
        principal,
        until,
        scope: standing.scope.clone(),
        standing,
    })
}

/// What a user must do before anything else.
pub(super) fn duties(known: &SignedIn, standing: &Standing, time: DateTime<Utc>) -> Vec<Duty> {
    let chosen = known.user.password_changed_at;
    let rules = standing.sign_in_rules;
    rules.duties(chosen, known.has_second_factor, time)
}

/// What a user's role permits, and what an account's keys may at most. The platform itself is
/// operated from the root.
pub(super) fn may(principal: &Principal, standing: &Standing) -> Scopes {
    let scopes = match principal {
        Principal::User(known) => known.user.role.scopes(),
        Principal::Key(key) => key.scopes.intersection(standing.permissions.scopes()),
    };
    if standing.above.is_empty() {
        return scopes;
    }
    scopes.difference(Scopes::of(&[Scope::SystemWrite]))
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

async fn by_key(
    api: &Api,
    from: IpAddr,
    secret: &str,
    time: DateTime<Utc>,
) -> Result<Known, Problem> {
    let key = key_of(api, from, secret, time).await?;
    count(api, key.account)?;
    let soon = time + tokens::ACCESS;
    let until = key.expires_at.map_or(soon, |end| end.min(soon));
    let (account, scopes) = (key.account, key.scopes);
    Ok((Principal::Key(key), account, scopes, until))
}

async fn by_token(
    api: &Api,
    from: IpAddr,
    token: &str,
    time: DateTime<Utc>,
) -> Result<Known, Problem> {
    let wrong = || Problem::from(Code::TokenInvalid);
    let claims = api.keys.check(token, time).ok_or_else(wrong)?;
    count(api, claims.acct)?;
    let principal = if let Some(session) = claims.sid {
        let known = api.store.signed_in(session, time).await.map_err(gone)?;
        let same = known.user.account == claims.acct && claims.sub.parse() == Ok(known.user.id);
        Principal::User(Some(known).filter(|_known| same).ok_or_else(wrong)?)
    } else {
        let id = claims.sub.parse().map_err(|_error| wrong())?;
        let key = api.store.known_api_key(id, time).await.map_err(gone)?;
        let good = key.account == claims.acct && api_keys::is_good(&key, from, time);
        Principal::Key(Some(key).filter(|_key| good).ok_or_else(wrong)?)
    };
    let until = DateTime::from_timestamp(claims.exp, 0).unwrap_or_default();
    let scopes = Scopes::named(claims.scope.split(' '));
    Ok((principal, claims.acct, scopes, until))
}

/// The key of a secret, before anybody is known.
pub(super) async fn key_of(
    api: &Api,
    from: IpAddr,
    secret: &str,
    time: DateTime<Utc>,
) -> Result<Arc<ApiKey>, Problem> {
    let hash = tokens::secret_hash(secret);
    match api.store.api_key_of_secret(hash, time).await {
        Ok(key) if api_keys::is_good(&key, from, time) => Ok(key),
        Ok(_) | Err(StoreError::NotFound) => Err(Code::ApiKeyInvalid.into()),
        Err(error) => Err(error.into()),
    }
}

/// Names the account that `me` stands for: one below the caller's own.
const STROWGER_ACCOUNT: HeaderName = HeaderName::from_static("strowger-account");

/// The account for which the caller acts by a header. What is no account is not found.
fn acting_for(request: &HttpRequest) -> Result<Option<AccountId>, Problem> {
    let Some(value) = request.headers().get(STROWGER_ACCOUNT) else {
        return Ok(None);
    };
    let id = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok());
    id.map(Some).ok_or_else(|| Code::NotFound.into())
}

/// The account of the path, if the caller may see it.
pub(super) async fn tenant(request: &HttpRequest, caller: Caller) -> Result<Tenant, Problem> {
    let own = caller.standing.account.id;
    let id = match request.match_info().get("account") {
        Some("me") => acting_for(request)?.unwrap_or(own),
        _ => segment(request, "account")?,
    };
    let standing = if id == own {
        Arc::clone(&caller.standing)
    } else {
        let api = api(request)?;
        standing(&api, id).await?
    };
    // Another branch of the tree does not exist.
    if !standing.is_within(own) {
        return Err(Code::NotFound.into());
    }
    Ok(Tenant {
        caller,
        scope: standing.scope.clone(),
        standing,
    })
}

/// An account as it stands now.
pub async fn standing(api: &Api, id: AccountId) -> Result<Arc<Standing>, Problem> {
    Ok(api.store.standing(id, now()).await?)
}

/// The branding of the host under which somebody opens the portal.
pub(super) async fn branded_host(api: &Api, host: &str) -> Result<Option<Branded>, Problem> {
    let Some(host) = host_name(host) else {
        return Ok(None);
    };
    let everywhere = AccountScope::platform();
    Ok(api.store.branding_of_host(&everywhere, &host).await?)
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
