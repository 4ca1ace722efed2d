//! What access tokens say and how long they are good; and the secrets of refresh tokens and keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use strowger_domain::ids::{AccountId, SessionId};

/// How long an access token is good.
pub const ACCESS: Duration = Duration::minutes(15);

/// How long a refresh token is good, unless it is used.
pub const REFRESH: Duration = Duration::days(14);

/// How long a sign-in lasts, however often it is refreshed.
pub const SESSION: Duration = Duration::days(90);

pub(super) const ISSUER: &str = "strowger";
pub(super) const AUDIENCE: &str = "strowger-api";
/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The user or the API key.
    pub sub: String,
    /// Its account.
    pub acct: AccountId,
    /// What it permits, separated by spaces.
    pub scope: String,
    /// The sign-in that a user's token belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// This token's own name.
    pub jti: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
}

/// What an API key begins with, so that people and secret scanners know one when they see it.
pub const API_KEY: &str = "sk_";

/// A new secret of 256 bits, as text.
pub fn new_secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// A new API key.
pub fn new_api_key() -> String {
    format!("{API_KEY}{}", new_secret())
}

/// How a secret of full strength is kept: nobody can guess it, so that a fast hash is enough.
pub fn secret_hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}
