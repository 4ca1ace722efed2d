//! What everybody may change about themselves.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::{self, Caller};
use super::error::{Faults, Problem};
use super::input::Json;
use super::{Api, limits, now};
use crate::store::users::{User, UserChange};

/// A change of one's own password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password as it is.
    pub current_password: String,
    /// The password as it shall be: at least 10 characters.
    pub new_password: String,
}

/// Changes one's own password. Every other sign-in of the user ends.
#[utoipa::path(post, path = "/v1/auth/password", tag = "auth", request_body = PasswordChange,
    responses((status = 204), (status = 422, body = super::error::ProblemBody)))]
pub async fn change_password(
    request: HttpRequest,
    caller: Caller,
    api: web::Data<Api>,
    Json(change): Json<PasswordChange>,
) -> Result<HttpResponse, Problem> {
    let (user, session) = caller.signed_in()?;
    let mut faults = Faults::default();
    api.passwords
        .check(&mut faults, "/new_password", &change.new_password)
        .await?;
    let other = change.new_password != change.current_password;
    faults.check(other, "/new_password", "unchanged", "write another one");
    faults.finish()?;
    confirm_password(&api, &request, user, change.current_password).await?;
    let change = UserChange {
        password_hash: Some(api.passwords.hash(change.new_password).await?),
        ..UserChange::default()
    };
    let time = now();
    api.store
        .update_user(&caller.scope, user.id, change, time)
        .await?;
    api.store
        .revoke_sessions_of(user.id, Some(session.id), time)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Asks for the password once more, before something that an open session alone must not do.
pub(super) async fn confirm_password(
    api: &Api,
    request: &HttpRequest,
    user: &User,
    password: String,
) -> Result<(), Problem> {
    // Whoever found an open session guesses no faster than at the door.
    let pair = limits::pair(auth::source(request), &user.email);
    api.attempts
        .take(pair.clone(), Instant::now())
        .map_err(limits::wait)?;
    let hash = Some(user.password_hash.clone());
    if api.passwords.fits(password, hash).await? {
        api.attempts.forget(&pair);
        return Ok(());
    }
    let detail = "this is not your password";
    Err(Problem::fault("/current_password", "wrong", detail))
}
