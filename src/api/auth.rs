//! Who asks, and what may be seen: from the access token to the scope of the store's queries.
//!
//! [`Tenant`] is the only way for a handler to come by an [`AccountScope`]. An account outside of
//! the token's part of the tree is not found, like one that does not exist.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpRequest, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use strowger_domain::account::{Account, AccountStatus, Permissions};
use strowger_domain::ids::{AccountId, UserId};

use super::error::{Code, Problem};
use super::input::segment;
use super::limits;
use super::tokens::Claims;
use super::{Api, now};
use crate::store::services::OutboundService;
use crate::store::users::User;
use crate::store::{AccountScope, StoreError, Within};

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

/// Whoever sent a valid access token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What the token says.
    pub claims: Claims,
    /// The user, as it is now.
    pub user: User,
    /// The user's account, as it is now.
    pub account: Account,
    /// What the account may do, given all accounts above it.
    pub permissions: Permissions,
    /// The account and its descendants.
    pub scope: AccountScope,
}

/// The account that the path names, seen by a caller who may see it.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Who asks.
    pub caller: Caller,
    /// The account of the path.
    pub account: Account,
    /// What it may do, given all accounts above it.
    pub permissions: Permissions,
    /// The account of the path and its descendants.
    pub scope: AccountScope,
}

impl Caller {
    /// Refuses a caller who only reads.
    pub fn may_change(&self) -> Result<(), Problem> {
        if self.user.role.may_change() && self.has("write") {
            return Ok(());
        }
        Err(Code::Forbidden.into())
    }

    /// Refuses a caller who does not administer accounts and users.
    pub fn may_administer(&self) -> Result<(), Problem> {
        if self.user.role.may_administer() && self.has("admin") {
            return Ok(());
        }
        Err(Code::Forbidden.into())
    }

    fn has(&self, scope: &str) -> bool {
        self.claims.scope.split(' ').any(|one| one == scope)
    }
}

impl Tenant {
    /// The id of the account of the path.
    pub fn id(&self) -> AccountId {
        self.account.id
    }

    /// Refuses a caller who only reads.
    pub fn may_change(&self) -> Result<(), Problem> {
        self.caller.may_change()
    }

    /// Refuses a caller who does not administer accounts and users.
    pub fn may_administer(&self) -> Result<(), Problem> {
        self.caller.may_administer()
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Boxed<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { caller(&request).await })
    }
}

impl FromRequest for Tenant {
    type Error = Problem;
    type Future = Boxed<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let caller = caller(&request).await?;
            tenant(&request, caller).await
        })
    }
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
    let claims = api.keys.check(token).ok_or(Code::TokenInvalid)?;
    api.requests
        .take(claims.acct, Instant::now())
        .map_err(limits::wait)?;
    // What the token names may be gone since it was issued: then the token is worth nothing.
    let gone = |error| match error {
        StoreError::NotFound => Problem::from(Code::TokenInvalid),
        other => other.into(),
    };
    let scope = api.store.scope_of(claims.acct).await.map_err(gone)?;
    let user = api.store.user(&scope, claims.sub).await.map_err(gone)?;
    api.store.session(claims.sid, now()).await.map_err(gone)?;
    let (account, permissions, active) = standing(&api, claims.acct).await?;
    if !active {
        return Err(Code::AccountDisabled.into());
    }
    if user.disabled {
        return Err(Code::UserDisabled.into());
    }
    if user.account != claims.acct {
        return Err(Code::TokenInvalid.into());
    }
    Ok(Caller {
        claims,
        user,
        account,
        permissions,
        scope,
    })
}

async fn tenant(request: &HttpRequest, caller: Caller) -> Result<Tenant, Problem> {
    let api = api(request)?;
    if request.match_info().get("account") == Some("me") {
        return Ok(Tenant {
            account: caller.account.clone(),
            permissions: caller.permissions.clone(),
            scope: caller.scope.clone(),
            caller,
        });
    }
    let id: AccountId = segment(request, "account")?;
    // The caller's scope decides whether there is such an account at all.
    api.store.account(&caller.scope, id).await?;
    let (account, permissions, _) = standing(&api, id).await?;
    let scope = api.store.scope_of(id).await?;
    Ok(Tenant {
        caller,
        account,
        permissions,
        scope,
    })
}

/// An account, what it may do and whether it may be used, given all accounts above it.
pub async fn standing(api: &Api, id: AccountId) -> Result<(Account, Permissions, bool), Problem> {
    let everywhere = AccountScope::platform();
    let path = api.store.account_path(&everywhere, id).await?;
    let mut accounts = Vec::new();
    for account in path.iter() {
        accounts.push(api.store.account(&everywhere, account).await?);
    }
    let permissions = Permissions::effective(accounts.iter().map(|account| &account.permissions));
    let active = accounts
        .iter()
        .all(|account| account.status == AccountStatus::Active);
    let account = accounts.pop().ok_or(Code::NotFound)?;
    Ok((account, permissions, active))
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
pub async fn full_queue(api: &Api, id: AccountId) -> Result<Option<AccountId>, Problem> {
    let everywhere = AccountScope::platform();
    let path = api.store.account_path(&everywhere, id).await?;
    for id in path.iter() {
        let account = api.store.account(&everywhere, id).await?;
        let Some(most) = account.limits.scheduled_queued else {
            continue;
        };
        let counts = api
            .store
            .count_scheduled_calls(&everywhere, Within::Tree(id))
            .await?;
        if counts.queued >= u64::from(most) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

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
    type Future = Boxed<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            match basic(&request) {
                Some((user, password)) => by_password(&request, &user, password).await,
                None => by_token(&request).await,
            }
        })
    }
}

async fn by_token(request: &HttpRequest) -> Result<Starter, Problem> {
    let api = api(request)?;
    let caller = caller(request).await?;
    let tenant = tenant(request, caller).await?;
    let name = request.match_info().get("service").unwrap_or("");
    let service = api
        .store
        .outbound_service(&tenant.scope, tenant.id(), name)
        .await?;
    tenant.may_change()?;
    let (_, permissions, is_active) = standing(&api, tenant.id()).await?;
    Ok(Starter {
        service,
        scope: tenant.scope,
        permissions,
        is_active,
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
    let from = request
        .peer_addr()
        .map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
    let pair = (from, format!("{account}/{name}"));
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
    let (_, permissions, is_active) = standing(&api, service.account).await?;
    Ok(Starter {
        service,
        scope,
        permissions,
        is_active,
    })
}

async fn service_of(
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
