//! How often: a bucket of requests for every account, and of wrong passwords for every pair of
//! address and e-mail.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{self, HeaderValue};

use super::error::{Code, Problem};

/// Keys that are remembered at most; when there are more, those that are full again are forgotten.
const MOST_KEYS: usize = 100_000;
/// The longest e-mail address (RFC 5321 §4.5.3.1) and more, in characters.
const LONGEST_NAME: usize = 320;

/// The key of who tries to be somebody: what is longer than a name can be is cut, so that strangers
/// fill no memory.
pub fn pair(from: IpAddr, name: &str) -> (IpAddr, String) {
    let name = name.trim().chars().take(LONGEST_NAME);
    (from, name.flat_map(char::to_lowercase).collect())
}

/// A bucket for every key: it holds `size` and refills in `refill`.
pub struct Buckets<K> {
    size: f64,
    refill: Duration,
    levels: Mutex<HashMap<K, (f64, Instant)>>,
}

impl<K: Hash + Eq> Buckets<K> {
    /// Buckets that hold `size` and refill from empty to full in `refill`.
    pub fn new(size: u32, refill: Duration) -> Self {
        Self {
            size: f64::from(size),
            refill,
            levels: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one out, or tells how long to wait for one.
    pub fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.take_of(key, self.size, now)
    }

    /// Takes one out of a bucket of another size.
    pub fn take_of(&self, key: K, size: impl Into<f64>, now: Instant) -> Result<(), Duration> {
        self.with((key, size.into()), now, |level, per_second| {
            if *level < 1.0 {
                return Err(Duration::from_secs_f64((1.0 - *level) / per_second));
            }
            *level -= 1.0;
            Ok(())
        })
    }

    /// Tells how long to wait for one, and takes none.
    pub fn look(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.with((key, self.size), now, |level, per_second| {
            if *level < 1.0 {
                return Err(Duration::from_secs_f64((1.0 - *level) / per_second));
            }
            Ok(())
        })
    }

    /// Fills the bucket.
    pub fn forget(&self, key: &K) {
        self.levels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    fn with<T>(
        &self,
        (key, size): (K, f64),
        now: Instant,
        act: impl FnOnce(&mut f64, f64) -> T,
    ) -> T {
        // A bucket that holds nothing is looked at again after one refill.
        let per_second = size.max(1.0) / self.refill.as_secs_f64();
        let filled = |level: f64, since: Instant| {
            size.min(level + now.saturating_duration_since(since).as_secs_f64() * per_second)
        };
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= MOST_KEYS {
            levels.retain(|_key, (level, since)| filled(*level, *since) < size);
        }
        let (level, since) = levels.entry(key).or_insert((size, now));
        *level = filled(*level, *since);
        *since = now;
        act(level, per_second)
    }
}

/// The answer to who must wait.
pub fn wait(time: Duration) -> Problem {
    let seconds = time.as_secs().saturating_add(1);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    Problem::from(Code::TooManyRequests)
        .detail(format!(
            "Too many requests. Wait {seconds} {unit}, then try again."
        ))
        .header(header::RETRY_AFTER, HeaderValue::from(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bucket_refills_with_time_and_leaves_others_alone() {
        let buckets = Buckets::new(2, Duration::from_secs(10));
        let start = Instant::now();
        assert_eq!(buckets.take("a", start), Ok(()));
        assert_eq!(buckets.take("a", start), Ok(()));
        assert_eq!(buckets.take("a", start), Err(Duration::from_secs(5)));
        assert_eq!(buckets.take("b", start), Ok(()));
        assert_eq!(buckets.take_of("c", 1, start), Ok(()));
        assert_eq!(buckets.take_of("c", 1, start), Err(Duration::from_secs(10)));
        assert!(buckets.take_of("d", 0, start).is_err());
        assert_eq!(buckets.take("a", start + Duration::from_secs(5)), Ok(()));
        buckets.forget(&"a");
        assert_eq!(buckets.look("a", start + Duration::from_secs(5)), Ok(()));
    }
}
