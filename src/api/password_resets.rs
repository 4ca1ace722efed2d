//! A forgotten password: a link by mail, good once and for an hour.

use std::collections::BTreeMap;
use std::time::Instant;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use chrono::Duration;
use serde::Deserialize;
use strowger_domain::mail::Kind;
use utoipa::ToSchema;

use super::audit::Actor;
use super::auth;
use super::error::{Code, Faults, Problem};
use super::input::Json;
use super::{Api, limits, now, tokens};
use crate::mail::outbox::Addressed;
use crate::store::StoreError;
use crate::store::users::{User, UserChange};

/// How long a link is good.
const GOOD: Duration = Duration::hours(1);

/// Who forgot a password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordResetRequest {
    /// What the user signs in with.
    #[schema(example = "alice@example.com")]
    pub email: String,
}

/// A new password by the token of a link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// The token of the link.
    pub token: String,
    /// The new password: at least 10 characters.
    pub password: String,
}

/// What is told of a token that is good no more.
pub(super) fn link_invalid(error: StoreError) -> Problem {
    match error {
        StoreError::TokenInvalid => Code::LinkInvalid.into(),
        other => other.into(),
    }
}

/// Asks for a link to choose a new password. The answer is the same for every address, known here
/// or not, and does not wait for the mail.
#[utoipa::path(post, path = "/v1/auth/password_reset", tag = "auth",
    request_body = PasswordResetRequest, responses((status = 202)))]
pub async fn ask(
    request: HttpRequest,
    api: web::Data<Api>,
    Json(wish): Json<PasswordResetRequest>,
) -> Result<HttpResponse, Problem> {
    // Each question may send a mail: they are counted like wrong passwords, apart from them.
    let (from, name) = limits::pair(auth::source(&request), &wish.email);
    let pair = (from, format!("reset {name}"));
    api.attempts
        .take(pair, Instant::now())
        .map_err(limits::wait)?;
    let asked = api.clone();
    actix_web::rt::spawn(async move {
        if let Err(problem) = send(&asked, &wish.email).await {
            tracing::info!(
                code = problem.code.name(),
                "a link for a password was not sent"
            );
        }
    });
    Ok(HttpResponse::Accepted().finish())
}

async fn send(api: &Api, email: &str) -> Result<(), Problem> {
    let Some(user) = auth::user_by_email(api, email).await? else {
        return Ok(());
    };
    let standing = auth::standing(api, user.account).await?;
    if user.disabled || !standing.is_active {
        return Ok(());
    }
    let token = tokens::new_secret();
    let hash = tokens::secret_hash(&token);
    api.store
        .put_password_reset(user.id, hash, now() + GOOD)
        .await?;
    let values = BTreeMap::from([
        ("account".to_owned(), standing.account.name.clone()),
        ("name".to_owned(), user.name.clone()),
        ("link".to_owned(), api.link("password", &token)),
        ("hours".to_owned(), GOOD.num_hours().to_string()),
    ]);
    let path = auth::path(&standing);
    let to = Addressed {
        path: &path,
        kind: Kind::Password,
        recipient: user.email,
    };
    api.postbox.post(&auth::inherited(), to, &values).await?;
    Ok(())
}

/// Chooses a new password by the token of a link. Every sign-in of the user ends.
#[utoipa::path(post, path = "/v1/auth/password_reset/confirm", tag = "auth",
    request_body = PasswordReset, responses((status = 204)))]
pub async fn confirm(
    request: HttpRequest,
    api: web::Data<Api>,
    Json(input): Json<PasswordReset>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    api.passwords
        .check(&mut faults, "/password", &input.password)
        .await?;
    faults.finish()?;
    let (hash, time) = (tokens::secret_hash(&input.token), now());
    let taken = api.store.take_password_reset(&hash, time).await;
    let id = taken.map_err(link_invalid)?;
    let user: User = auth::user_of_session(&api, id).await?;
    let change = UserChange {
        password_hash: Some(api.passwords.hash(input.password).await?),
        ..UserChange::default()
    };
    let standing = auth::standing(&api, user.account).await?;
    api.store
        .update_user(&standing.scope, id, change, time)
        .await?;
    api.store.revoke_sessions_of(id, None, time).await?;
    request.extensions_mut().insert(Actor::user(&user));
    Ok(HttpResponse::NoContent().finish())
}
