//! What an account asks of its users when they sign in.

use actix_web::{HttpResponse, web};
use strowger_domain::account::SignInRules;

use super::Api;
use super::auth::Tenant;
use super::error::{Faults, Problem};
use super::input::Json;

/// The longest that a password may be good, in days.
const MOST_DAYS: u16 = 3650;

/// Reads what an account asks of its users.
#[utoipa::path(get, path = "/v1/accounts/{account}/sign_in_rules", tag = "accounts",
    responses((status = 200, body = SignInRules)))]
pub async fn read(tenant: Tenant) -> HttpResponse {
    HttpResponse::Ok().json(tenant.standing.sign_in_rules)
}

/// Changes what an account asks of its users. It holds from the next request on: a user who lacks
/// the authenticator app, or whose password is too old, can do nothing else before.
#[utoipa::path(put, path = "/v1/accounts/{account}/sign_in_rules", tag = "accounts",
    request_body = SignInRules, responses((status = 200, body = SignInRules)))]
pub async fn put(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(rules): Json<SignInRules>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    let right = rules
        .password_days
        .is_none_or(|days| (1..=MOST_DAYS).contains(&days));
    faults.check(
        right,
        "/password_days",
        "out_of_range",
        "choose 1 to 3650, or null",
    );
    faults.finish()?;
    api.store
        .put_sign_in_rules(&tenant.scope, tenant.id(), rules)
        .await?;
    Ok(HttpResponse::Ok().json(rules))
}
