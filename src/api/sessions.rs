//! Signing in and out: access tokens, refresh tokens, and who am I.

use std::time::Instant;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use strowger_domain::account::{Contact, Duty, Permissions, Scopes};
use strowger_domain::ids::{AccountId, SessionId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::AccountView;
use super::api_keys::ApiKeyView;
use super::auth::{self, Caller, Principal};
use super::error::{Code, Faults, Problem};
use super::input::{Json, OptionalJson};
use super::users::UserView;
use super::{Api, audit, limits, mfa, now, tokens};
use crate::store::api_keys::ApiKey;
use crate::store::sessions::{NewSession, Rotation};
use crate::store::users::User;

/// So much of a client's name for itself is kept, in characters.
const LONGEST_USER_AGENT: usize = 200;

/// How a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// By e-mail address and password.
    Password,
    /// By a refresh token.
    RefreshToken,
    /// By an API key: there is no refresh token, the key is exchanged again.
    ApiKey,
}

/// A wish for a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// How.
    pub grant_type: GrantType,
    /// With `password`: the e-mail address.
    #[schema(example = "alice@example.com")]
    pub email: Option<String>,
    /// With `password`: the password.
    pub password: Option<String>,
    /// With `password`, when `mfa_required` was answered: a code of the authenticator app, or a
    /// recovery code.
    #[schema(example = "287082")]
    pub code: Option<String>,
    /// With `refresh_token`: the token, which can be used once.
    pub refresh_token: Option<String>,
    /// With `api_key`: the key.
    pub api_key: Option<String>,
}

/// A wish for the next token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The refresh token, which can be used once.
    pub refresh_token: String,
}

/// Which sign-in ends.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogoutRequest {
    /// A refresh token of the sign-in; absent: that of the access token.
    pub refresh_token: Option<String>,
}

/// An access token and what to renew it with.
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Exchange it for the next pair; using it twice ends the sign-in. Absent for an API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// How long the access token is good, in seconds.
    #[schema(example = 900)]
    pub expires_in_s: i64,
    /// What the user must do before anything else; until then the token permits nothing else.
    pub duties: Vec<Duty>,
}

/// Who am I?
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// The user; null: the token is that of an API key.
    pub user: Option<UserView>,
    /// The API key; null: the token is that of a user.
    pub api_key: Option<ApiKeyView>,
    /// The account.
    pub account: AccountView,
    /// Whom to ask: the contact of the nearest account above that names one.
    pub contact: Option<Contact>,
    /// What the account may do, given all accounts above it.
    pub permissions: Permissions,
    /// What the user must do before anything else.
    pub duties: Vec<Duty>,
    /// What the caller may do: what its token or key permits, as far as its role and account do.
    pub scopes: Scopes,
}

/// Gets an access token.
#[utoipa::path(post, path = "/v1/auth/token", tag = "auth",
    request_body = TokenRequest,
    responses((status = 200, body = TokenAnswer), (status = 401, body = super::error::ProblemBody)))]
pub async fn token(
    request: HttpRequest,
    api: web::Data<Api>,
    Json(wish): Json<TokenRequest>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    let kind = wish.grant_type;
    for (pointer, there, wanted) in [
        ("/email", wish.email.is_some(), kind == GrantType::Password),
        (
            "/password",
            wish.password.is_some(),
            kind == GrantType::Password,
        ),
        (
            "/refresh_token",
            wish.refresh_token.is_some(),
            kind == GrantType::RefreshToken,
        ),
        (
            "/api_key",
            wish.api_key.is_some(),
            kind == GrantType::ApiKey,
        ),
    ] {
        faults.check(
            there || !wanted,
            pointer,
            "missing",
            "this grant_type needs it",
        );
        faults.check(
            !there || wanted,
            pointer,
            "unexpected",
            "leave it out for this grant_type",
        );
    }
    let stray = wish.code.is_some() && kind != GrantType::Password;
    let detail = "leave it out for this grant_type";
    faults.check(!stray, "/code", "unexpected", detail);
    faults.finish()?;
    match wish.grant_type {
        GrantType::Password => sign_in(&request, &api, wish).await,
        GrantType::RefreshToken => renew(&api, &wish.refresh_token.unwrap_or_default()).await,
        GrantType::ApiKey => exchange(&request, &api, &wish.api_key.unwrap_or_default()).await,
    }
}

/// Exchanges a refresh token for the next pair.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "auth",
    request_body = RefreshRequest,
    responses((status = 200, body = TokenAnswer), (status = 401, body = super::error::ProblemBody)))]
pub async fn refresh(
    api: web::Data<Api>,
    Json(wish): Json<RefreshRequest>,
) -> Result<HttpResponse, Problem> {
    renew(&api, &wish.refresh_token).await
}

/// Ends a sign-in: its refresh token and its access tokens are good no more. Whoever has no access
/// token that is still good sends the refresh token.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth",
    request_body(content = LogoutRequest, description = "May be left out"),
    responses((status = 204)))]
pub async fn logout(
    request: HttpRequest,
    api: web::Data<Api>,
    OptionalJson(wish): OptionalJson<LogoutRequest>,
) -> Result<HttpResponse, Problem> {
    let time = now();
    if let Some(token) = wish.refresh_token {
        let hash = tokens::secret_hash(&token);
        if let Some((user, id)) = api.store.revoke_session_of_token(&hash, time).await? {
            let user = auth::user_of_session(&api, user).await?;
            audit::signed_out(&request, &api, &user, id).await;
        }
    } else {
        match auth::caller(&request).await?.principal {
            Principal::User(known) => {
                let id = known.session.id;
                api.store.revoke_session(id, time).await?;
                audit::signed_out(&request, &api, &known.user, id).await;
            }
            Principal::Key(_) => {
                let detail = "An API key is not signed in: an administrator can revoke it.";
                return Err(Problem::from(Code::Forbidden).detail(detail));
            }
        }
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Tells who the token stands for.
#[utoipa::path(get, path = "/v1/me", tag = "auth", responses((status = 200, body = Me)))]
pub async fn me(caller: Caller) -> HttpResponse {
    let (user, api_key) = match caller.principal {
        Principal::User(known) => (Some(known.user.clone().into()), None),
        Principal::Key(key) => (None, Some(ApiKey::clone(&key).into())),
    };
    HttpResponse::Ok().json(Me {
        scopes: caller.scopes,
        duties: caller.duties,
        user,
        api_key,
        contact: caller.standing.contact(),
        account: caller.standing.account.clone().into(),
        permissions: caller.standing.permissions.clone(),
    })
}

async fn sign_in(
    request: &HttpRequest,
    api: &Api,
    wish: TokenRequest,
) -> Result<HttpResponse, Problem> {
    // Attempts are counted for the pair of address and e-mail: whoever guesses from elsewhere locks
    // nobody out. They are counted before the check, so that many at once are many.
    let (email, password) = (wish.email.unwrap_or_default(), wish.password);
    let from = auth::source(request);
    let pair = limits::pair(from, &email);
    api.attempts
        .take(pair.clone(), Instant::now())
        .map_err(limits::wait)?;
    let user = auth::user_by_email(api, &email).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let password = password.unwrap_or_default();
    let fits = api.passwords.fits(password, hash).await?;
    let user = user.filter(|user| {
        if !fits {
            audit::sign_in_failed(request, api, user);
        }
        fits
    });
    let user = user.ok_or(Code::WrongCredentials)?;
    api.attempts.forget(&pair);
    admit(api, &user).await?;
    let code = mfa::check(api, &user, wish.code.as_deref()).await;
    code.inspect_err(|problem| {
        if problem.code == Code::WrongMfaCode {
            audit::sign_in_failed(request, api, &user);
        }
    })?;
    let session = SessionId::from_uuid(Uuid::now_v7());
    let secret = tokens::new_secret();
    let time = now();
    api.store
        .create_session(NewSession {
            id: session,
            user: user.id,
            token_hash: tokens::secret_hash(&secret),
            created_at: time,
            expires_at: time + tokens::SESSION,
            from,
            user_agent: user_agent(request),
        })
        .await?;
    api.store.note_sign_in(user.id, time).await?;
    audit::signed_in(request, api, &user, session).await;
    answer(api, &user, session, secret).await
}

/// What the client calls itself, as far as it can be shown.
fn user_agent(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::USER_AGENT)?;
    let text = value.to_str().ok()?;
    Some(text.chars().take(LONGEST_USER_AGENT).collect())
}

async fn renew(api: &Api, presented: &str) -> Result<HttpResponse, Problem> {
    let secret = tokens::new_secret();
    let time = now();
    let session = api
        .store
        .rotate_session(Rotation {
            presented: tokens::secret_hash(presented),
            next: tokens::secret_hash(&secret),
            now: time,
            next_expires_at: time + tokens::REFRESH,
        })
        .await?;
    let user = auth::user_of_session(api, session.user).await?;
    admit(api, &user).await?;
    answer(api, &user, session.id, secret).await
}

/// An access token for a program that has a key.
async fn exchange(request: &HttpRequest, api: &Api, secret: &str) -> Result<HttpResponse, Problem> {
    let key = auth::key_of(api, auth::source(request), secret, now()).await?;
    auth::standing(api, key.account).await?.admits()?;
    let who = (&key.id as _, key.account);
    issue(api, who, key.scopes, None, Vec::new())
}

/// Tells in plain words when the user or its account may not be used.
async fn admit(api: &Api, user: &User) -> Result<(), Problem> {
    auth::standing(api, user.account).await?.admits()?;
    if user.disabled {
        return Err(Code::UserDisabled.into());
    }
    Ok(())
}

async fn answer(
    api: &Api,
    user: &User,
    session: SessionId,
    refresh_token: String,
) -> Result<HttpResponse, Problem> {
    let time = now();
    let known = api.store.signed_in(session, time).await?;
    let standing = auth::standing(api, user.account).await?;
    let duties = auth::duties(&known, &standing, time);
    let signed_in = Some((session, refresh_token));
    let (who, scopes) = ((&user.id as _, user.account), user.role.scopes());
    issue(api, who, scopes, signed_in, duties)
}

fn issue(
    api: &Api,
    who: (&dyn std::fmt::Display, AccountId),
    scopes: Scopes,
    signed_in: Option<(SessionId, String)>,
    duties: Vec<Duty>,
) -> Result<HttpResponse, Problem> {
    let (session, refresh_token) = signed_in.unzip();
    let access_token = api
        .keys
        .issue(who, scopes, session, now())
        .ok_or(Code::Internal)?;
    Ok(HttpResponse::Ok().json(TokenAnswer {
        access_token,
        token_type: "Bearer",
        refresh_token,
        expires_in_s: tokens::ACCESS.num_seconds(),
        duties,
    }))
}
