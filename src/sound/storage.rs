//! How many bytes of recordings and audio files each account has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strowger_domain::ids::AccountId;

/// What each account stores, without its descendants. Counted, so that a call need not ask.
#[derive(Clone, Debug, Default)]
pub struct Storage(Arc<Mutex<HashMap<AccountId, u64>>>);

impl Storage {
    /// What is stored at the start.
    pub fn new(stored: impl IntoIterator<Item = (AccountId, u64)>) -> Self {
        Self(Arc::new(Mutex::new(stored.into_iter().collect())))
    }

    fn bytes(&self) -> MutexGuard<'_, HashMap<AccountId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an account stores, without its descendants.
    pub fn of(&self, account: AccountId) -> u64 {
        self.bytes().get(&account).copied().unwrap_or(0)
    }

    /// A file came.
    pub fn add(&self, account: AccountId, bytes: u64) {
        *self.bytes().entry(account).or_default() += bytes;
    }

    /// A file has gone.
    pub fn remove(&self, account: AccountId, bytes: u64) {
        if let Some(stored) = self.bytes().get_mut(&account) {
            *stored = stored.saturating_sub(bytes);
        }
    }

    /// An account has gone with all its files.
    pub fn forget(&self, account: AccountId) {
        self.bytes().remove(&account);
    }
}
