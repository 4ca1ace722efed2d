//! Who asks: the user of a session, an API key, and how an account stands below those above it.
//!
//! Every request needs them, so they are kept in memory for a moment. Whatever changes one of them
//! in this store forgets it at once, before the change is answered: the very next request sees the
//! account disabled, the key revoked, the session ended. What another program changes in the same
//! database is seen after five seconds.

use super::api_keys::ApiKey;
use super::sessions::Session;
use super::users::User;
use super::{AccountScope, Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};
use strowger_domain::account::{Account, AccountStatus, Permissions, SignInRules};
use strowger_domain::ids::{AccountId, ApiKeyId, SessionId, UserId};

/// How long something is known without another look.
const KEPT: TimeDelta = TimeDelta::seconds(5);

/// The last use is noted no more often than this: who asks often must not write with each request.
pub(super) const NOTED: TimeDelta = TimeDelta::minutes(1);

/// So many are known at most of each sort; when there are more, all are forgotten.
const MOST: usize = 50_000;

/// An account as it stands below all the accounts above it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The account.
    pub account: Account,
    /// Those above it, from the root.
    pub above: Vec<Account>,
    /// What holds for it ([`Permissions::effective`]).
    pub permissions: Permissions,
    /// It and all above it are active.
    pub is_active: bool,
    /// What it asks of its users when they sign in.
    pub sign_in_rules: SignInRules,
    /// The account and its descendants.
    pub scope: AccountScope,
}

impl Standing {
    /// Whether the account is this one or stands below it.
    pub fn is_within(&self, account: AccountId) -> bool {
        self.account.id == account || self.above.iter().any(|above| above.id == account)
    }
}

/// A user in a living session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// The session.
    pub session: Session,
    /// Whether the user has a second factor.
    pub has_second_factor: bool,
}

/// Something that requests are judged by, and that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The tree itself, and with it everything.
    Tree,
    /// An account, and so all below it.
    Account(AccountId),
    /// A user, in all of its sessions.
    User(UserId),
    /// One session.
    Session(SessionId),
    /// One API key.
    Key(ApiKeyId),
}

/// What is known now.
#[derive(Debug, Default)]
pub(super) struct Identities {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Counts the changes: what was read before one and comes after it is not kept.
    changes: u64,
    standings: HashMap<AccountId, Aged<Standing>>,
    sessions: HashMap<SessionId, Aged<SignedIn>>,
    keys: HashMap<ApiKeyId, Aged<ApiKey>>,
    /// By the hash of the secret.
    secrets: HashMap<String, Aged<ApiKey>>,
}

#[derive(Debug)]
struct Aged<T> {
    value: Arc<T>,
    until: DateTime<Utc>,
}

/// A change that is being made; its drop forgets what it changes, also when it failed half-way.
#[must_use = "the subject is forgotten when this is dropped: keep it until the change is made"]
pub(super) struct Changing<'a> {
    identities: &'a Identities,
    subject: Subject,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.identities.forget(self.subject);
    }
}

impl Identities {
    /// Begins a change of what is stored.
    pub(super) fn changing(&self, subject: Subject) -> Changing<'_> {
        Changing {
            identities: self,
            subject,
        }
    }

    fn forget(&self, subject: Subject) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.changes += 1;
        match subject {
            Subject::Tree => {
                let changes = known.changes;
                *known = Known {
                    changes,
                    ..Known::default()
                };
            }
            Subject::Account(id) => known.standings.retain(|_, one| !one.value.is_within(id)),
            Subject::User(id) => known.sessions.retain(|_, one| one.value.user.id != id),
            Subject::Session(id) => {
                known.sessions.remove(&id);
            }
            Subject::Key(id) => {
                known.keys.remove(&id);
                known.secrets.retain(|_, one| one.value.id != id);
            }
        }
    }

    /// What is known, or how many changes there were before it is looked up.
    fn find<K: Hash + Eq, V>(
        &self,
        map: impl Fn(&Known) -> &HashMap<K, Aged<V>>,
        key: &K,
        now: DateTime<Utc>,
    ) -> Result<Arc<V>, u64> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match map(&known).get(key) {
            // A clock that was set back makes nothing last longer.
            Some(aged) if now < aged.until && aged.until - now <= KEPT => {
                Ok(Arc::clone(&aged.value))
            }
            Some(_) | None => Err(known.changes),
        }
    }

    /// Keeps what was looked up, unless something changed since.
    fn keep<K: Hash + Eq, V>(
        &self,
        map: impl Fn(&mut Known) -> &mut HashMap<K, Aged<V>>,
        (key, value): (K, V),
        changes: u64,
        now: DateTime<Utc>,
    ) -> Arc<V> {
        let value = Arc::new(value);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.changes == changes {
            let map = map(&mut known);
            if map.len() >= MOST {
                map.clear();
            }
            let aged = Aged {
                value: Arc::clone(&value),
                until: now + KEPT,
            };
            map.insert(key, aged);
        }
        value
    }
}

/// These take no scope: they are what a scope is made from, before anybody is known.
impl Store {
    /// An account as it stands now.
    pub async fn standing(
        &self,
        id: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Arc<Standing>, StoreError> {
        let changes = match self.identities.find(|known| &known.standings, &id, now) {
            Ok(standing) => return Ok(standing),
            Err(changes) => changes,
        };
        let scope = self.scope_of(id).await?;
        let mut above = self.accounts_on_path(&scope).await?;
        let permissions = Permissions::effective(above.iter().map(|account| &account.permissions));
        let is_active = above
            .iter()
            .all(|account| account.status == AccountStatus::Active);
        let account = above.pop().ok_or(StoreError::NotFound)?;
        let sign_in_rules = self.sign_in_rules(&scope, id).await?;
        let standing = Standing {
            account,
            above,
            permissions,
            is_active,
            sign_in_rules,
            scope,
        };
        let new = (id, standing);
        Ok(self
            .identities
            .keep(|known| &mut known.standings, new, changes, now))
    }

    /// The user of a session that is neither revoked nor over.
    pub async fn signed_in(
        &self,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Arc<SignedIn>, StoreError> {
        let found = self.identities.find(|known| &known.sessions, &session, now);
        let changes = match found {
            Ok(known) if known.session.expires_at > now => return Ok(known),
            Ok(_) => return Err(StoreError::NotFound),
            Err(changes) => changes,
        };
        let found = self.session(session, now).await?;
        let user = self.user(&AccountScope::platform(), found.user).await?;
        let factor = self.second_factor(user.id).await?;
        let known = SignedIn {
            has_second_factor: factor.is_some_and(|factor| factor.confirmed_at.is_some()),
            user,
            session: found,
        };
        let new = (session, known);
        Ok(self
            .identities
            .keep(|known| &mut known.sessions, new, changes, now))
    }

    /// A key by its id, good or not.
    pub async fn known_api_key(
        &self,
        id: ApiKeyId,
        now: DateTime<Utc>,
    ) -> Result<Arc<ApiKey>, StoreError> {
        let changes = match self.identities.find(|known| &known.keys, &id, now) {
            Ok(key) => return Ok(key),
            Err(changes) => changes,
        };
        let key = self.api_key(&AccountScope::platform(), id).await?;
        let new = (id, key);
        Ok(self
            .identities
            .keep(|known| &mut known.keys, new, changes, now))
    }

    /// A key by the hash of its secret, good or not.
    pub async fn api_key_of_secret(
        &self,
        hash: String,
        now: DateTime<Utc>,
    ) -> Result<Arc<ApiKey>, StoreError> {
        let changes = match self.identities.find(|known| &known.secrets, &hash, now) {
            Ok(key) => return Ok(key),
            Err(changes) => changes,
        };
        let key = self.api_key_by_hash(&hash).await?;
        let new = (hash, key);
        Ok(self
            .identities
            .keep(|known| &mut known.secrets, new, changes, now))
    }
}

#[cfg(test)]
mod tests;
