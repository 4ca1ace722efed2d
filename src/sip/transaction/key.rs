//! What makes two messages members of one transaction (RFC 3261 §17.1.3 and §17.2.3), of one request
//! that came by two ways, or of one dialog.
//!
//! The tables do not keep what names these: they keep 128 bits of a keyed hash of it, which nobody
//! outside can make collide, and which are the same size however long a peer's names are.

use crate::reader::Message;
use crate::via::MAGIC_COOKIE;
use rand::Rng;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// A hash that stands for what was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Fingerprint(u64, u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0 ^ self.1)
    }
}

/// Makes fingerprints with a secret of its own.
#[derive(Debug)]
pub(crate) struct Fingerprints(u64, u64);

impl Fingerprints {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        Self(rng.next_u64(), rng.next_u64())
    }

    fn of(&self, kind: u8, texts: &[&str], number: u32) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        hasher.write_u8(kind);
        hasher.write_u32(number);
        for text in texts {
            hasher.write(text.as_bytes());
            // No text holds this byte: it tells where one ends.
            hasher.write_u8(0xff);
        }
        let hash = hasher.finish128();
        Fingerprint(hash.h1, hash.h2)
    }

    /// The server transaction of a request, as if its method were `method`: an ACK has that of its
    /// INVITE, and a CANCEL looks for it (§17.2.3).
    pub(crate) fn of_transaction(&self, message: &Message, method: &str) -> Fingerprint {
        let via = message.via();
        match via.branch() {
            Some(branch) if via.has_rfc3261_branch() => {
                let mut host = Cow::from(via.host());
                if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    host = host.to_ascii_lowercase().into();
                }
                // A sent-by without a port is not the same as one with the default port.
                let port = via.port().map_or(u32::MAX, u32::from);
                self.of(0, &[branch, &host, method], port)
            }
            // RFC 2543 peers make no unique branch. The To tag is left out: an INVITE that starts a
            // dialog has none, its ACK has ours, and within a dialog the `CSeq` number tells
            // requests apart.
            _ => {
                let uri = message.request_uri().map_or("", |uri| uri.as_str());
                let tag = message.from().tag().unwrap_or_default();
                let texts = [uri, tag, message.call_id(), via.as_str(), method];
                self.of(1, &texts, message.cseq().number)
            }
        }
    }

    /// Two requests that share this but not the transaction came by different ways (§8.2.2.2); only
    /// requests outside of dialogs can.
    pub(crate) fn of_merged(&self, message: &Message) -> Option<Fingerprint> {
        let may_merge = message.to().tag().is_none() && message.method() != "CANCEL";
        may_merge.then(|| {
            let tag = message.from().tag().unwrap_or_default();
            let texts = [tag, message.call_id(), message.method()];
            self.of(2, &texts, message.cseq().number)
        })
    }

    /// A dialog as we name it: Call-ID and our tag.
    pub(crate) fn of_dialog(&self, call_id: &str, tag: &str) -> Fingerprint {
        self.of(3, &[call_id, tag], 0)
    }
}

/// The branch of a request of ours: 64 unguessable bits behind the magic cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Branch(pub(crate) u64);

impl Branch {
    /// The branch of a response, when it can be one of ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let word = text.strip_prefix(MAGIC_COOKIE)?;
        let is_ours = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = u64::from_str_radix(word, 16).ok()?;
        is_ours.then_some(Self(bits))
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MAGIC_COOKIE}{:016x}", self.0)
    }
}

/// A table whose keys are random, or counted by ourselves: nobody outside chooses them, so they
/// need no strong hash.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// Spreads the bits of such keys.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // 2⁶⁴ divided by the golden ratio (Knuth, The Art of Computer Programming 3, §6.4).
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
