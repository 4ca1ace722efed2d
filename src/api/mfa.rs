//! The second factor: an authenticator app (RFC 6238), and recovery codes for when it is lost.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::UserId;
use strowger_domain::totp::{Secret, base32};
use utoipa::ToSchema;

use super::auth::{Caller, Tenant};
use super::error::{Code, Problem};
use super::input::{Json, segment};
use super::{Api, limits, now, profile, tokens, users};
use crate::store::second_factors::SecondFactor;
use crate::store::users::User;

/// Whom the app shows the secret to be for.
const ISSUER: &str = "Strowger";

/// Recovery codes at a time.
const CODES: usize = 10;

/// How one's second factor stands.
#[derive(Serialize, ToSchema)]
pub struct MfaView {
    /// A code is asked for at each sign-in.
    pub enrolled: bool,
    /// The account requires it.
    pub required: bool,
    /// Since when.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Recovery codes that were not used yet.
    pub recovery_codes_left: u64,
}

/// Who asks must know the password: an open session alone is not enough.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordInput {
    /// One's password.
    pub current_password: String,
}

/// A secret for an authenticator app, to be confirmed by a code that the app shows.
#[derive(Serialize, ToSchema)]
pub struct Enrolment {
    /// To be typed into the app.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    pub secret: String,
    /// The same for the app to read.
    #[schema(example = "otpauth://totp/Strowger:alice%40example.com?secret=…")]
    pub otpauth_uri: String,
}

/// A code that the app shows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeInput {
    /// Six digits.
    #[schema(example = "287082")]
    pub code: String,
}

/// The end of one's second factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemovalInput {
    /// One's password.
    pub current_password: String,
    /// A code that the app shows, or a recovery code.
    pub code: String,
}

/// New recovery codes, which are told this once. Each opens the door once.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Keep them where the telephone is not.
    pub recovery_codes: Vec<String>,
}

/// Tells how one's second factor stands.
#[utoipa::path(get, path = "/v1/auth/mfa", tag = "auth",
    responses((status = 200, body = MfaView)))]
pub async fn read(caller: Caller, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let (user, _) = caller.signed_in()?;
    let factor = api.store.second_factor(user.id).await?;
    let confirmed_at = factor.and_then(|factor| factor.confirmed_at);
    Ok(HttpResponse::Ok().json(MfaView {
        enrolled: confirmed_at.is_some(),
        required: caller.standing.sign_in_rules.mfa_required,
        confirmed_at,
        recovery_codes_left: api.store.recovery_codes_left(user.id).await?,
    }))
}

/// Begins with an authenticator app. Nothing is asked for at sign-in until a code of the app was
/// sent to `/v1/auth/mfa/confirm`.
#[utoipa::path(post, path = "/v1/auth/mfa", tag = "auth", request_body = PasswordInput,
    responses((status = 201, body = Enrolment), (status = 409, body = super::error::ProblemBody)))]
pub async fn enrol(
    request: HttpRequest,
    caller: Caller,
    api: web::Data<Api>,
    Json(input): Json<PasswordInput>,
) -> Result<HttpResponse, Problem> {
    let (user, _) = caller.signed_in()?;
    profile::confirm_password(&api, &request, user, input.current_password).await?;
    let factor = api.store.second_factor(user.id).await?;
    if factor.is_some_and(|factor| factor.confirmed_at.is_some()) {
        let detail = "You have an authenticator app already: remove it first.";
        return Err(Problem::from(Code::Conflict).detail(detail));
    }
    let secret = Secret::new(rand::random());
    api.store
        .begin_second_factor(user.id, secret.to_base32(), now())
        .await?;
    Ok(HttpResponse::Created().json(Enrolment {
        secret: secret.to_base32(),
        otpauth_uri: secret.to_uri(ISSUER, &user.email),
    }))
}

/// Confirms the authenticator app by a code that it shows. From now on one is asked for at each
/// sign-in.
#[utoipa::path(post, path = "/v1/auth/mfa/confirm", tag = "auth", request_body = CodeInput,
    responses((status = 200, body = RecoveryCodes), (status = 409, body = super::error::ProblemBody)))]
pub async fn confirm(
    caller: Caller,
    api: web::Data<Api>,
    Json(input): Json<CodeInput>,
) -> Result<HttpResponse, Problem> {
    let (user, _) = caller.signed_in()?;
    let factor = api.store.second_factor(user.id).await?;
    let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_none()) else {
        let detail = "There is no authenticator app to confirm.";
        return Err(Problem::from(Code::Conflict).detail(detail));
    };
    count(&api, user.id)?;
    let time = now();
    let step = accepted(&factor, &input.code, time).ok_or_else(wrong)?;
    api.attempts.forget(&bucket(user.id));
    let (codes, hashes) = new_codes();
    api.store
        .confirm_second_factor(user.id, step, hashes, time)
        .await?;
    Ok(HttpResponse::Ok().json(RecoveryCodes {
        recovery_codes: codes,
    }))
}

/// Makes new recovery codes; the old ones are worth nothing any more.
#[utoipa::path(post, path = "/v1/auth/mfa/recovery_codes", tag = "auth",
    request_body = PasswordInput,
    responses((status = 200, body = RecoveryCodes), (status = 409, body = super::error::ProblemBody)))]
pub async fn renew_codes(
    request: HttpRequest,
    caller: Caller,
    api: web::Data<Api>,
    Json(input): Json<PasswordInput>,
) -> Result<HttpResponse, Problem> {
    let (user, _) = caller.signed_in()?;
    profile::confirm_password(&api, &request, user, input.current_password).await?;
    let factor = api.store.second_factor(user.id).await?;
    if factor.is_none_or(|factor| factor.confirmed_at.is_none()) {
        let detail = "Set up an authenticator app first.";
        return Err(Problem::from(Code::Conflict).detail(detail));
    }
    let (codes, hashes) = new_codes();
    api.store.replace_recovery_codes(user.id, hashes).await?;
    Ok(HttpResponse::Ok().json(RecoveryCodes {
        recovery_codes: codes,
    }))
}

/// Removes one's authenticator app and the recovery codes.
#[utoipa::path(post, path = "/v1/auth/mfa/remove", tag = "auth", request_body = RemovalInput,
    responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    caller: Caller,
    api: web::Data<Api>,
    Json(input): Json<RemovalInput>,
) -> Result<HttpResponse, Problem> {
    let (user, _) = caller.signed_in()?;
    profile::confirm_password(&api, &request, user, input.current_password).await?;
    if let Some(factor) = api.store.second_factor(user.id).await? {
        let confirmed = factor.confirmed_at.is_some();
        if confirmed && !fits(&api, user.id, &factor, &input.code).await? {
            return Err(wrong());
        }
        api.store.remove_second_factor(user.id).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Removes the authenticator app and the recovery codes of a user who lost both, and ends every
/// sign-in of the user.
#[utoipa::path(delete, path = "/v1/accounts/{account}/users/{user}/mfa", tag = "users",
    responses((status = 204)))]
pub async fn reset(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id: UserId = segment(&request, "user")?;
    let user = api.store.user(&tenant.scope, id).await?;
    if tenant.caller.user().is_some_and(|own| own.id == user.id) {
        let detail = "Remove your own at /v1/auth/mfa/remove, or ask another administrator.";
        return Err(Problem::from(Code::Forbidden).detail(detail));
    }
    users::may_act_on(&tenant, &user)?;
    api.store.remove_second_factor(user.id).await?;
    api.store.revoke_sessions_of(user.id, None, now()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Asks for the second factor of a user whose password was right, if there is one.
pub(super) async fn check(api: &Api, user: &User, code: Option<&str>) -> Result<(), Problem> {
    let factor = api.store.second_factor(user.id).await?;
    let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some()) else {
        return Ok(());
    };
    let code = code.ok_or(Code::MfaRequired)?;
    if fits(api, user.id, &factor, code).await? {
        return Ok(());
    }
    Err(Code::WrongMfaCode.into())
}

/// Whether a code is one of the app, or a recovery code; it is used up.
///
/// Attempts are counted for the user, wherever they come from: whoever gets so far knows the
/// password, so that nobody else can lock the user out.
async fn fits(api: &Api, user: UserId, factor: &SecondFactor, code: &str) -> Result<bool, Problem> {
    count(api, user)?;
    let time = now();
    let fits = if let Some(step) = accepted(factor, code, time) {
        api.store.accept_step(user, step).await?
    } else {
        let hash = recovery_hash(code);
        api.store.use_recovery_code(user, &hash, time).await?
    };
    if fits {
        api.attempts.forget(&bucket(user));
    }
    Ok(fits)
}

fn accepted(factor: &SecondFactor, code: &str, time: DateTime<Utc>) -> Option<u64> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let secret = Secret::from_base32(&factor.secret)?;
    secret.accepts(&digits, time, factor.last_step)
}

fn bucket(user: UserId) -> (IpAddr, String) {
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), user.to_string())
}

fn count(api: &Api, user: UserId) -> Result<(), Problem> {
    let taken = api.attempts.take(bucket(user), Instant::now());
    taken.map_err(limits::wait)
}

fn wrong() -> Problem {
    Problem::fault("/code", "wrong", "the code is wrong, or was used before")
}

/// Recovery codes of 80 bits, and how they are kept: nobody can guess them, so that a fast hash is
/// enough.
fn new_codes() -> (Vec<String>, Vec<String>) {
    let code = || {
        let text = base32(&rand::random::<[u8; 10]>()).to_lowercase();
        let quarters = [0, 4, 8, 12].map(|at| text.get(at..at + 4).unwrap_or_default());
        quarters.join("-")
    };
    let codes: Vec<String> = std::iter::repeat_with(code).take(CODES).collect();
    let hashes = codes.iter().map(|code| recovery_hash(code)).collect();
    (codes, hashes)
}

/// Of the letters and digits alone, in any case.
fn recovery_hash(code: &str) -> String {
    let plain = code.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = plain.map(|c| c.to_ascii_lowercase()).collect();
    tokens::secret_hash(&plain)
}
