//! Signing in and out: access tokens, refresh tokens, and who am I.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use strowger_domain::account::Permissions;
use strowger_domain::ids::SessionId;
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::AccountView;
use super::auth::{self, Caller};
use super::error::{Code, Faults, Problem};
use super::input::Json;
use super::users::UserView;
use super::{Api, limits, now, tokens};
use crate::store::sessions::{NewSession, Rotation};
use crate::store::users::User;

/// How a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// By e-mail address and password.
    Password,
    /// By a refresh token.
    RefreshToken,
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
    /// With `refresh_token`: the token, which can be used once.
    pub refresh_token: Option<String>,
}

/// A wish for the next token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The refresh token, which can be used once.
    pub refresh_token: String,
}

/// An access token and what to renew it with.
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Exchange it for the next pair; using it twice ends the sign-in.
    pub refresh_token: String,
    /// How long the access token is good, in seconds.
    #[schema(example = 900)]
    pub expires_in_s: i64,
}

/// Who am I?
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// The user.
    pub user: UserView,
    /// Its account.
    pub account: AccountView,
    /// What the account may do, given all accounts above it.
    pub permissions: Permissions,
    /// What the token permits.
    #[schema(example = json!(["read", "write"]))]
    pub scopes: Vec<String>,
}

/// Gets an access token.
#[utoipa::path(post, path = "/v1/auth/token", tag = "auth", security(()),
    request_body = TokenRequest,
    responses((status = 200, body = TokenAnswer), (status = 401, body = super::error::ProblemBody)))]
pub async fn token(
    request: HttpRequest,
    api: web::Data<Api>,
    Json(wish): Json<TokenRequest>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    match wish.grant_type {
        GrantType::Password => {
            faults.check(
                wish.email.is_some(),
                "/email",
                "missing",
                "write the e-mail address",
            );
            faults.check(
                wish.password.is_some(),
                "/password",
                "missing",
                "write the password",
            );
            faults.check(
                wish.refresh_token.is_none(),
                "/refresh_token",
                "unexpected",
                "leave it out for grant_type password",
            );
        }
        GrantType::RefreshToken => {
            let there = wish.refresh_token.is_some();
            faults.check(
                there,
                "/refresh_token",
                "missing",
                "write the refresh token",
            );
        }
    }
    faults.finish()?;
    match wish.grant_type {
        GrantType::Password => {
            let email = wish.email.unwrap_or_default();
            sign_in(&request, &api, &email, wish.password.unwrap_or_default()).await
        }
        GrantType::RefreshToken => renew(&api, &wish.refresh_token.unwrap_or_default()).await,
    }
}

/// Exchanges a refresh token for the next pair.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "auth", security(()),
    request_body = RefreshRequest,
    responses((status = 200, body = TokenAnswer), (status = 401, body = super::error::ProblemBody)))]
pub async fn refresh(
    api: web::Data<Api>,
    Json(wish): Json<RefreshRequest>,
) -> Result<HttpResponse, Problem> {
    renew(&api, &wish.refresh_token).await
}

/// Ends this sign-in: its refresh token and its access tokens are good no more.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", responses((status = 204)))]
pub async fn logout(caller: Caller, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    api.store.revoke_session(caller.claims.sid, now()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The public keys that check access tokens (RFC 7517).
#[utoipa::path(get, path = "/v1/.well-known/jwks.json", tag = "auth", security(()),
    responses((status = 200, body = serde_json::Value)))]
pub async fn keys(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "public, max-age=300"))
        .json(api.keys.published())
}

/// Tells who the token stands for.
#[utoipa::path(get, path = "/v1/me", tag = "auth", responses((status = 200, body = Me)))]
pub async fn me(caller: Caller) -> HttpResponse {
    HttpResponse::Ok().json(Me {
        scopes: caller
            .claims
            .scope
            .split(' ')
            .map(ToOwned::to_owned)
            .collect(),
        user: caller.user.into(),
        account: caller.standing.account.into(),
        permissions: caller.standing.permissions,
    })
}

async fn sign_in(
    request: &HttpRequest,
    api: &Api,
    email: &str,
    password: String,
) -> Result<HttpResponse, Problem> {
    // Wrong passwords are counted for the pair of address and e-mail: whoever guesses from
    // elsewhere locks nobody out.
    let from = request
        .peer_addr()
        .map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
    let pair = (from, email.trim().to_lowercase());
    api.attempts
        .look(pair.clone(), Instant::now())
        .map_err(limits::wait)?;
    let user = auth::user_by_email(api, email).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let fits = api.passwords.fits(password, hash).await?;
    let Some(user) = user.filter(|_user| fits) else {
        // The bucket is taken from by failures only; an empty one was refused above.
        let _level = api.attempts.take(pair, Instant::now());
        return Err(Code::WrongCredentials.into());
    };
    api.attempts.forget(&pair);
    admit(api, &user).await?;
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
        })
        .await?;
    api.store.note_sign_in(user.id, time).await?;
    answer(api, &user, session, secret)
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
    answer(api, &user, session.id, secret)
}

/// Tells in plain words when the user or its account may not be used.
async fn admit(api: &Api, user: &User) -> Result<(), Problem> {
    if !auth::standing(api, user.account).await?.is_active {
        return Err(Code::AccountDisabled.into());
    }
    if user.disabled {
        return Err(Code::UserDisabled.into());
    }
    Ok(())
}

fn answer(
    api: &Api,
    user: &User,
    session: SessionId,
    refresh_token: String,
) -> Result<HttpResponse, Problem> {
    let who = (user.id, user.account, user.role);
    let access_token = api.keys.issue(who, session, now()).ok_or(Code::Internal)?;
    Ok(HttpResponse::Ok().json(TokenAnswer {
        access_token,
        token_type: "Bearer",
        refresh_token,
        expires_in_s: tokens::ACCESS.num_seconds(),
    }))
}
