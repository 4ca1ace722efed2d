//! The keys that sign and check access tokens: JWT with Ed25519 (RFC 7519, RFC 8037).
//!
//! One key signs. A key that was replaced checks what it signed until that has run out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::der::zeroize::Zeroizing;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use strowger_domain::account::Scopes;
use strowger_domain::ids::{AccountId, SessionId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::{Code, Problem};
use super::tokens::{ACCESS, AUDIENCE, Claims, ISSUER};
use super::{Api, now};
use crate::store::signing_keys::SigningKey as StoredKey;
use crate::store::{Store, StoreError};

const ALGORITHM: &str = "EdDSA";

/// Tokens whose signatures need no second check. When there are more, all are forgotten.
const MOST_CHECKED: usize = 20_000;

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

/// The key that signs, and those that check.
pub struct Keys {
    set: RwLock<Arc<KeySet>>,
    /// By the hash of the token.
    checked: Mutex<HashMap<[u8; 32], Checked>>,
    /// Held by who replaces the key.
    turn: tokio::sync::Mutex<()>,
}

/// A token whose signature was right.
#[derive(Clone)]
struct Checked {
    claims: Arc<Claims>,
    /// When the key that signed it checks no more.
    until: Option<DateTime<Utc>>,
}

struct KeySet {
    kid: String,
    signing: EncodingKey,
    checking: Vec<CheckingKey>,
}

struct CheckingKey {
    kid: String,
    key: DecodingKey,
    /// The public point, as RFC 8037 writes it.
    x: String,
    /// What it signed has run out then; `None`: it still signs.
    until: Option<DateTime<Utc>>,
}

impl Keys {
    /// Reads the keys from the store; the first start makes the first one.
    pub async fn load(store: &Store, now: DateTime<Utc>) -> Result<Self, KeyError> {
        let stored = store.signing_keys().await?;
        if !stored.iter().any(|key| key.retired_at.is_none()) {
            store.create_signing_key(new_key(now)).await?;
        }
        let set = KeySet::read(store.signing_keys().await?)?;
        Ok(Self {
            set: RwLock::new(Arc::new(set)),
            checked: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// Makes a new key, which signs from now on, and answers its id. The others check what they
    /// signed until it has run out.
    pub async fn rotate(&self, store: &Store, now: DateTime<Utc>) -> Result<String, KeyError> {
        // Two at once would retire each other's key.
        let _turn = self.turn.lock().await;
        let key = new_key(now);
        let kid = key.id.clone();
        store.create_signing_key(key).await?;
        for old in store.signing_keys().await? {
            if old.id != kid {
                store.retire_signing_key(&old.id, now).await?;
            }
        }
        store.forget_signing_keys(now - ACCESS * 2).await?;
        let set = KeySet::read(store.signing_keys().await?)?;
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        // Whatever was checked before does not know yet when its key ends.
        self.lock().clear();
        Ok(kid)
    }

    /// The public keys, as RFC 7517 writes them.
    pub fn published(&self, now: DateTime<Utc>) -> Value {
        let set = self.set();
        let good = set.checking.iter().filter(|key| key.is_good(now));
        let keys: Vec<Value> = good
            .map(|CheckingKey { kid, x, .. }| {
                json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM,
                    "kid": kid, "x": x})
            })
            .collect();
        json!({ "keys": keys })
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
        let set = self.set();
        let header = Header {
            kid: Some(set.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &set.signing).ok()
    }

    /// What a token says, if it is ours and its time is not over.
    pub fn check(&self, token: &str, now: DateTime<Utc>) -> Option<Arc<Claims>> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = self.lock().get(&hash).cloned();
        let checked = if let Some(checked) = known {
            checked
        } else {
            let checked = self.set().check(token)?;
            let mut all = self.lock();
            if all.len() >= MOST_CHECKED {
                all.clear();
            }
            all.insert(hash, checked.clone());
            checked
        };
        let lasts = now.timestamp() < checked.claims.exp;
        let good = lasts && checked.until.is_none_or(|until| now < until);
        good.then_some(checked.claims)
    }

    fn set(&self) -> Arc<KeySet> {
        Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Checked>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySet {
    fn read(stored: Vec<StoredKey>) -> Result<Self, KeyError> {
        let mut checking = Vec::new();
        let mut signing = None;
        // The newest comes first: the first that is not retired signs.
        for key in stored {
            let unusable = || KeyError::Unusable(key.id.clone());
            let pair = read_key(&key).ok_or_else(unusable)?;
            let public = pair.verifying_key();
            if signing.is_none() && key.retired_at.is_none() {
                let document = pair.to_pkcs8_der().map_err(|_error| unusable())?;
                let secret = EncodingKey::from_ed_der(document.as_bytes());
                signing = Some((key.id.clone(), secret));
            }
            checking.push(CheckingKey {
                key: DecodingKey::from_ed_der(public.as_bytes()),
                x: URL_SAFE_NO_PAD.encode(public.as_bytes()),
                until: key
                    .retired_at
                    .map(|retired| retired + ACCESS + Duration::seconds(1)),
                kid: key.id,
            });
        }
        let none = || KeyError::Unusable("none".to_owned());
        let (kid, signing) = signing.ok_or_else(none)?;
        Ok(Self {
            kid,
            signing,
            checking,
        })
    }

    /// What a token says, if one of these keys signed it for us.
    fn check(&self, token: &str) -> Option<Checked> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = self.checking.iter().find(|key| key.kid == kid)?;
        // The algorithm is ours, whatever the token says of itself.
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.validate_exp = false;
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &key.key, &rules)
            .ok()?
            .claims;
        Some(Checked {
            claims: Arc::new(claims),
            until: key.until,
        })
    }
}

impl CheckingKey {
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
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

/// The key that signs from now on.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub struct SigningKeyView {
    /// Its name in tokens and in `/v1/.well-known/jwks.json`.
    pub kid: String,
}

/// Replaces the key that signs access tokens. The old key checks what it signed until that has run
/// out, a quarter of an hour later: nobody has to sign in again.
#[utoipa::path(post, path = "/v1/system/signing_keys", tag = "system",
    responses((status = 201, body = SigningKeyView)))]
pub async fn rotate(api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let kid = api.keys.rotate(&api.store, now()).await.map_err(|error| {
        tracing::error!(%error, "the signing key could not be replaced");
        Problem::from(Code::Internal)
    })?;
    Ok(HttpResponse::Created().json(SigningKeyView { kid }))
}

/// The public keys that check access tokens (RFC 7517).
#[utoipa::path(get, path = "/v1/.well-known/jwks.json", tag = "auth",
    responses((status = 200, body = serde_json::Value)))]
pub async fn published(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "public, max-age=300"))
        .json(api.keys.published(now()))
}

#[cfg(test)]
mod tests;
