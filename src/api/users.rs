//! Users: who signs in, and what they may do.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::account::Role;
use strowger_domain::ids::{AccountId, UserId};
use strowger_domain::mail::is_address;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Code, Faults, Problem};
use super::input::{Json, Query, segment};
use super::page::{ListQuery, Listed};
use super::{Api, now, page};
use crate::store::StoreError;
use crate::store::users::{NewUser, User, UserChange};

/// Whether a user may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// It may.
    Active,
    /// It may not.
    Disabled,
}

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    /// Its identifier.
    pub id: UserId,
    /// The account that it acts for.
    pub account: AccountId,
    /// What it signs in with.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may sign in.
    pub status: UserStatus,
    /// When it was created.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// When it last signed in.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub signed_in_at: Option<DateTime<Utc>>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            account: user.account,
            email: user.email,
            name: user.name,
            role: user.role,
            status: if user.disabled {
                UserStatus::Disabled
            } else {
                UserStatus::Active
            },
            created_at: user.created_at,
            signed_in_at: user.signed_in_at,
        }
    }
}

/// A user to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserInput {
    /// Unique on the platform, in any case.
    #[schema(example = "alice@example.com")]
    pub email: String,
    /// The person's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// At least 10 characters.
    pub password: String,
}

/// What shall be changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UserPatch {
    /// The person's name.
    pub name: Option<String>,
    /// What it may do.
    pub role: Option<Role>,
    /// A new password; ends every sign-in of the user.
    pub password: Option<String>,
    /// Whether it may sign in; disabling ends every sign-in of the user.
    pub status: Option<UserStatus>,
}

/// Lists the users of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/users", tag = "users", params(ListQuery),
    responses((status = 200, body = Listed<UserView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let users = api
        .store
        .users(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, users, UserView::from))
}

/// Creates a user.
#[utoipa::path(post, path = "/v1/accounts/{account}/users", tag = "users",
    request_body = UserInput, responses((status = 201, body = UserView)))]
pub async fn create(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<UserInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    let email = input.email.trim().to_owned();
    faults.check(
        is_address(&email),
        "/email",
        "not_email",
        "write an e-mail address",
    );
    faults.text("/name", &input.name, 1, 100);
    api.passwords
        .check(&mut faults, "/password", &input.password)
        .await?;
    may_give(&mut faults, &tenant, input.role);
    faults.finish()?;
    let password_hash = api.passwords.hash(input.password).await?;
    let user = NewUser {
        id: UserId::from_uuid(Uuid::now_v7()),
        account: tenant.id(),
        email,
        name: input.name.trim().to_owned(),
        role: input.role,
        password_hash,
        created_at: now(),
    };
    let user = api.store.create_user(&tenant.scope, user).await?;
    Ok(HttpResponse::Created().json(UserView::from(user)))
}

/// Reads a user.
#[utoipa::path(get, path = "/v1/accounts/{account}/users/{user}", tag = "users",
    responses((status = 200, body = UserView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let user = api
        .store
        .user(&tenant.scope, segment(&request, "user")?)
        .await?;
    Ok(HttpResponse::Ok().json(UserView::from(user)))
}

/// Changes a user. One's own password is changed at `/v1/auth/password`.
#[utoipa::path(patch, path = "/v1/accounts/{account}/users/{user}", tag = "users",
    request_body = UserPatch, responses((status = 200, body = UserView)))]
pub async fn change(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(patch): Json<UserPatch>,
) -> Result<HttpResponse, Problem> {
    let id: UserId = segment(&request, "user")?;
    let user = api.store.user(&tenant.scope, id).await?;
    let own = tenant.caller.user().is_some_and(|user| user.id == id);
    if own && (patch.role.is_some() || patch.status.is_some()) {
        let detail = "Another administrator must change your role or status.";
        return Err(Problem::from(Code::Forbidden).detail(detail));
    }
    if !own && !tenant.caller.may_give(user.role) {
        let detail = "This user may do what you may not.";
        return Err(Problem::from(Code::Forbidden).detail(detail));
    }
    let mut faults = Faults::default();
    if let Some(role) = patch.role {
        may_give(&mut faults, &tenant, role);
    }
    if let Some(name) = &patch.name {
        faults.text("/name", name, 1, 100);
    }
    if let Some(password) = &patch.password {
        let detail = "change your own password at /v1/auth/password";
        faults.check(!own, "/password", "own_password", detail);
        api.passwords
            .check(&mut faults, "/password", password)
            .await?;
    }
    faults.finish()?;
    let password_hash = match patch.password {
        Some(password) => Some(api.passwords.hash(password).await?),
        None => None,
    };
    let disabled = patch.status.map(|status| status == UserStatus::Disabled);
    let ends = password_hash.is_some() || disabled == Some(true);
    let name = patch.name.map(|name| name.trim().to_owned());
    let change = UserChange {
        name,
        role: patch.role,
        password_hash,
        disabled,
    };
    let user = api
        .store
        .update_user(&tenant.scope, user.id, change, now())
        .await?;
    if ends {
        api.store.revoke_sessions_of(user.id, None, now()).await?;
    }
    Ok(HttpResponse::Ok().json(UserView::from(user)))
}

/// Removes a user with all of its sign-ins. Nobody removes themselves.
#[utoipa::path(delete, path = "/v1/accounts/{account}/users/{user}", tag = "users",
    responses((status = 204), (status = 409, body = super::error::ProblemBody)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id: UserId = segment(&request, "user")?;
    if tenant.caller.user().is_some_and(|user| user.id == id) {
        let detail = "Another administrator must remove you.";
        return Err(Problem::from(Code::Conflict).detail(detail));
    }
    let user = match api.store.user(&tenant.scope, id).await {
        Ok(user) => user,
        Err(StoreError::NotFound) => return Ok(HttpResponse::NoContent().finish()),
        Err(error) => return Err(error.into()),
    };
    may_act_on(&tenant, &user)?;
    match api.store.delete_user(&tenant.scope, id).await {
        Ok(()) | Err(StoreError::NotFound) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => Err(error.into()),
    }
}

/// Whoever lacks what a user may do does nothing to that user's sign-ins either.
pub(super) fn may_act_on(tenant: &Tenant, user: &User) -> Result<(), Problem> {
    if tenant.caller.may_give(user.role) {
        return Ok(());
    }
    let detail = "You lack what this user's role permits.";
    Err(Problem::from(Code::Conflict).detail(detail))
}

/// Nobody gives what they lack: whoever manages users would else make themselves an administrator.
pub(super) fn may_give(faults: &mut Faults, tenant: &Tenant, role: Role) {
    let may = tenant.caller.may_give(role);
    faults.check(
        may,
        "/role",
        "exceeds_own",
        "you lack what this role permits",
    );
}
