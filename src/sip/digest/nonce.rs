//! The nonces of our challenges.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::Rng;
use sha2::{Digest as _, Sha256};

use super::secret::hex;
use super::{Credentials, DigestError, Ha1, is_same};

/// How far back a nonce count may come: requests overtake each other. The bits of a window.
const WINDOW: u32 = 64;

/// The nonces of one protection domain.
///
/// A nonce says itself when it was made, and is sealed with a key of ours, so that challenges cost
/// no memory: only a nonce that was used with a right response is remembered, with the counts that
/// were used.
#[derive(Debug)]
pub struct Nonces {
    key: [u8; 32],
    epoch: Instant,
    lifetime: Duration,
    capacity: usize,
    used: BTreeMap<Name, Window>,
    /// Nonces made before are refused: those that had to be forgotten are among them.
    floor: u64,
}

/// When a nonce was made, in milliseconds since the epoch, and its random part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    made: u64,
    salt: u64,
}

/// The counts of a nonce that were used: the highest, and which of those below it.
#[derive(Debug, Clone, Copy)]
struct Window {
    highest: u32,
    /// Bit n: `highest - n` was used.
    seen: u64,
}

impl Window {
    /// Notes a count. False: it was used before, or is too far back to know.
    fn take(&mut self, count: u32) -> bool {
        if let Some(ahead) = count.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.seen = if ahead < WINDOW {
                self.seen << ahead | 1
            } else {
                1
            };
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        let bit = 1u64.checked_shl(behind).unwrap_or(0);
        let fresh = behind < WINDOW && self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

impl Nonces {
    /// No nonces yet. Each may be used for `lifetime`; at most `capacity` used ones are remembered.
    pub fn new(rng: &mut impl Rng, epoch: Instant, lifetime: Duration, capacity: usize) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Self {
            key,
            epoch,
            lifetime,
            capacity,
            used: BTreeMap::new(),
            floor: 0,
        }
    }

    /// Makes a nonce for a challenge.
    pub fn issue(&self, rng: &mut impl Rng, now: Instant) -> String {
        let name = Name {
            made: self.milliseconds(now),
            salt: rng.next_u64(),
        };
        format!("{:016x}{:016x}{}", name.made, name.salt, self.seal(name))
    }

    /// Checks credentials: the response first, then whether the nonce may be used, and this once.
    ///
    /// # Errors
    /// [`DigestError::Wrong`] or [`DigestError::Algorithm`]: refuse or challenge anew;
    /// [`DigestError::Stale`]: challenge anew with `stale`, the user need not be asked.
    pub fn check(
        &mut self,
        credentials: &Credentials,
        ha1: &Ha1,
        method: &str,
        now: Instant,
    ) -> Result<(), DigestError> {
        credentials.verify(ha1, method)?;
        self.take(credentials, now)
    }

    /// Notes the use of a nonce without checking the response: for who learns the secret later.
    ///
    /// # Errors
    /// [`DigestError::Stale`], as for [`Nonces::check`].
    pub fn take(&mut self, credentials: &Credentials, now: Instant) -> Result<(), DigestError> {
        let name = self.open(credentials.nonce()).ok_or(DigestError::Stale)?;
        let now = self.milliseconds(now);
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let oldest = now.saturating_sub(lifetime).max(self.floor);
        if name.made < oldest || name.made > now {
            return Err(DigestError::Stale);
        }
        self.used = self.used.split_off(&Name {
            made: oldest,
            salt: 0,
        });
        // RFC 2069 has no count: without it, every use counts as the same one.
        let count = credentials.count().unwrap_or(0);
        if let Some(window) = self.used.get_mut(&name) {
            return window.take(count).then_some(()).ok_or(DigestError::Stale);
        }
        self.used.insert(
            name,
            Window {
                highest: count,
                seen: 1,
            },
        );
        while self.used.len() > self.capacity {
            if let Some((forgotten, _)) = self.used.pop_first() {
                self.floor = forgotten.made.saturating_add(1);
            }
        }
        Ok(())
    }

    /// How many used nonces are remembered.
    pub fn remembered(&self) -> usize {
        self.used.len()
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn seal(&self, name: Name) -> String {
        let mut hash = Sha256::new();
        hash.update(self.key);
        hash.update(name.made.to_be_bytes());
        hash.update(name.salt.to_be_bytes());
        // Half of the hash: enough against guessing, and nothing to extend.
        hash.finalize().get(..16).map(hex).unwrap_or_default()
    }

    fn open(&self, nonce: &str) -> Option<Name> {
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let name = Name {
            made: number(nonce.get(..16)?)?,
            salt: number(nonce.get(16..32)?)?,
        };
        is_same(nonce.get(32..)?.as_bytes(), self.seal(name).as_bytes()).then_some(name)
    }
}
