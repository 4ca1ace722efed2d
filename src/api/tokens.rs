//! Access tokens: JWT signed with Ed25519, good for a quarter of an hour; and the secrets of
//! refresh tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::der::zeroize::Zeroizing;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use strowger_domain::account::Scopes;
use strowger_domain::ids::{AccountId, SessionId};
use uuid::Uuid;

use crate::store::signing_keys::SigningKey as StoredKey;
use crate::store::{Store, StoreError};

/// How long an access token is good.
pub const ACCESS: Duration = Duration::minutes(15);

/// How long a refresh token is good, unless it is used.
pub const REFRESH: Duration = Duration::days(14);

/// How long a sign-in lasts, however often it is refreshed.
pub const SESSION: Duration = Duration::days(90);

const ISSUER: &str = "strowger";
const AUDIENCE: &str = "strowger-api";
const ALGORITHM: &str = "EdDSA";

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

/// Why the keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// They could not be read or written.
    #[error("the signing keys cannot be read or written")]
    Store(#[from] StoreError),
    /// A key is no Ed25519 key.
    #[error("the signing key {0} cannot be used")]
    Unusable(String),
}

/// The keys that sign and check access tokens.
pub struct Keys {
    kid: String,
    signing: EncodingKey,
    checking: Vec<(String, DecodingKey)>,
    published: Value,
}

impl Keys {
    /// Reads the keys from the store; the first start makes the first one.
    pub async fn load(store: &Store, now: DateTime<Utc>) -> Result<Self, KeyError> {
        let mut stored = store.signing_keys().await?;
        if !stored.iter().any(|key| key.retired_at.is_none()) {
            store.create_signing_key(new_key(now)).await?;
            stored = store.signing_keys().await?;
        }
        let mut keys = Vec::new();
        for key in &stored {
            let pair = read_key(key).ok_or_else(|| KeyError::Unusable(key.id.clone()))?;
            keys.push((key, pair));
        }
        let newest = keys
            .iter()
            .filter(|(key, _)| key.retired_at.is_none())
            .max_by_key(|(key, _)| key.created_at)
            .ok_or_else(|| KeyError::Unusable("none".to_owned()))?;
        let kid = newest.0.id.clone();
        let document = newest
            .1
            .to_pkcs8_der()
            .map_err(|_error| KeyError::Unusable(kid.clone()))?;
        let published: Vec<Value> = keys
            .iter()
            .map(|(key, pair)| {
                let x = URL_SAFE_NO_PAD.encode(pair.verifying_key().as_bytes());
                let (id, alg) = (&key.id, ALGORITHM);
                json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": alg, "kid": id, "x": x})
            })
            .collect();
        Ok(Self {
            kid,
            signing: EncodingKey::from_ed_der(document.as_bytes()),
            checking: keys
                .iter()
                .map(|(key, pair)| {
                    let public = DecodingKey::from_ed_der(pair.verifying_key().as_bytes());
                    (key.id.clone(), public)
                })
                .collect(),
            published: json!({ "keys": published }),
        })
    }

    /// The public keys, as RFC 7517 writes them.
    pub fn published(&self) -> &Value {
        &self.published
    }

    /// A new access token for whom `sub` names.
    pub fn issue(
        &self,
        (sub, acct): (&dyn std::fmt::Display, AccountId),
        scopes: Scopes,
        session: Option<SessionId>,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: sub.to_string(),
            acct,
            scope: scopes.to_string(),
            sid: session,
            jti: Uuid::now_v7().simple().to_string(),
            iat: now.timestamp(),
            exp: (now + ACCESS).timestamp(),
        };
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &self.signing).ok()
    }

    /// What a token says, if it is ours and its time is not over.
    pub fn check(&self, token: &str) -> Option<Claims> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let (_, key) = self.checking.iter().find(|(id, _)| *id == kid)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.leeway = 5;
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        jsonwebtoken::decode::<Claims>(token, key, &rules)
            .ok()
            .map(|data| data.claims)
    }
}

fn new_key(now: DateTime<Utc>) -> StoredKey {
    let secret = Zeroizing::new(rand::random::<[u8; 32]>());
    StoredKey {
        id: Uuid::now_v7().simple().to_string(),
        algorithm: ALGORITHM.to_owned(),
        secret: URL_SAFE_NO_PAD.encode(secret.as_slice()),
        created_at: now,
        retired_at: None,
    }
}

fn read_key(key: &StoredKey) -> Option<SigningKey> {
    let secret = URL_SAFE_NO_PAD.decode(&key.secret).ok()?;
    let secret: [u8; 32] = secret.try_into().ok()?;
    (key.algorithm == ALGORITHM).then(|| SigningKey::from_bytes(&secret))
}

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
