//! Who asks, and what may be seen: from the access token to the scope of the store's queries.
//!
//! [`Tenant`] is the only way for a handler to come by an [`AccountScope`]. An account outside of
//! the token's part of the tree is not found, like one that does not exist.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
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

/// Whoever sent a valid access token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What the token says.
    pub claims: Claims,
    /// The user, as it is now.
    pub user: User,
    /// The user's account and all above it, as they are now.
    pub standing: Standing,
    /// The account and its descendants.
    pub scope: AccountScope,
}

/// The account that the path names, seen by a caller who may see it.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Who asks.
    pub caller: Caller,
    /// The account of the path and all above it, as they are now.
    pub standing: Standing,
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
        self.standing.account.id
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
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(
            request
                .extensions()
                .get::<Self>()
                .cloned()
                .ok_or_else(|| Code::Internal.into()),
        )
    }
}

/// Stands before every path with an account: nothing is read of a request whose sender may not see
/// the account.
pub async fn admit_tenant<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let admitted = async {
        let caller = caller(request.request()).await?;
        tenant(request.request(), caller).await
    };
    match admitted.await {
        Ok(tenant) => request.extensions_mut().insert(tenant),
        Err(problem) => return Ok(request.error_response(problem)),
    };
    Ok(next.call(request).await?.map_into_boxed_body())
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
    let standing = standing(&api, claims.acct).await?;
    if !standing.is_active {
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
        standing,
        scope,
    })
}

/// The account of the path, if the caller may see it.
pub(super) async fn tenant(request: &HttpRequest, caller: Caller) -> Result<Tenant, Problem> {
    let own = caller.standing.account.id;
    let id = match request.match_info().get("account") {
        Some("me") => own,
        _ => segment(request, "account")?,
    };
    if id == own {
        let (standing, scope) = (caller.standing.clone(), caller.scope.clone());
        return Ok(Tenant {
            caller,
            standing,
            scope,
        });
    }
    let api = api(request)?;
    // The caller's scope decides whether there is such an account at all.
    api.store.account_path(&caller.scope, id).await?;
    let standing = standing(&api, id).await?;
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
