//! The sign-ins that still last: one's own, and those of an account's users.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use strowger_domain::ids::SessionId;
use utoipa::ToSchema;

use super::auth::{Caller, Tenant};
use super::error::Problem;
use super::input::{Query, segment};
use super::page::{Listed, PageQuery};
use super::{Api, now, page, users};
use crate::store::sessions::Session;

/// A sign-in that still lasts.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// Its identifier.
    pub id: SessionId,
    /// It is the one that asks.
    pub current: bool,
    /// The address that the user signed in from.
    #[schema(example = "192.0.2.17")]
    pub created_from: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The address from which it was last used.
    pub last_used_from: Option<String>,
    /// When it was last used, to the minute.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When the user signed in.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
    /// When it ends, however often it is renewed.
    #[serde(with = "strowger_domain::timestamp")]
    pub expires_at: DateTime<Utc>,
}

impl SessionView {
    /// As the caller sees it.
    pub fn new(session: Session, caller: &Caller) -> Self {
        Self {
            current: caller.session().is_some_and(|own| own.id == session.id),
            id: session.id,
            created_from: session.created_from,
            user_agent: session.user_agent,
            last_used_from: session.last_used_from,
            last_used_at: session.last_used_at,
            created_at: session.created_at,
            expires_at: session.expires_at,
        }
    }
}

/// Lists one's own sign-ins that still last.
#[utoipa::path(get, path = "/v1/auth/sessions", tag = "auth", params(PageQuery),
    responses((status = 200, body = Listed<SessionView>)))]
pub async fn own(
    request: HttpRequest,
    caller: Caller,
    api: web::Data<Api>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let (user, _) = caller.signed_in()?;
    let sessions = api
        .store
        .sessions_of(&caller.scope, user.id, now(), query.paging()?)
        .await?;
    let view = |session| SessionView::new(session, &caller);
    Ok(page::answer(&request, sessions, view))
}

/// Ends one of one's own sign-ins.
#[utoipa::path(delete, path = "/v1/auth/sessions/{session}", tag = "auth",
    responses((status = 204)))]
pub async fn revoke_own(
    request: HttpRequest,
    caller: Caller,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (user, _) = caller.signed_in()?;
    let session = segment(&request, "session")?;
    api.store.revoke_session_of(user.id, session, now()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends all of one's own sign-ins but the one that asks.
#[utoipa::path(delete, path = "/v1/auth/sessions", tag = "auth", responses((status = 204)))]
pub async fn revoke_others(caller: Caller, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let (user, session) = caller.signed_in()?;
    api.store
        .revoke_sessions_of(user.id, Some(session.id), now())
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lists the sign-ins of a user that still last.
#[utoipa::path(get, path = "/v1/accounts/{account}/users/{user}/sessions", tag = "users",
    params(PageQuery), responses((status = 200, body = Listed<SessionView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let user = segment(&request, "user")?;
    let sessions = api
        .store
        .sessions_of(&tenant.scope, user, now(), query.paging()?)
        .await?;
    let view = |session| SessionView::new(session, &tenant.caller);
    Ok(page::answer(&request, sessions, view))
}

/// Ends a sign-in of a user.
#[utoipa::path(delete, path = "/v1/accounts/{account}/users/{user}/sessions/{session}",
    tag = "users", responses((status = 204)))]
pub async fn revoke(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let user = segment(&request, "user")?;
    let user = api.store.user(&tenant.scope, user).await?;
    if tenant.caller.user().is_none_or(|own| own.id != user.id) {
        users::may_act_on(&tenant, &user)?;
    }
    let session = segment(&request, "session")?;
    api.store.revoke_session_of(user.id, session, now()).await?;
    Ok(HttpResponse::NoContent().finish())
}
