//! The only clock: shells ask here, and tests may pause it with tokio's virtual time.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{TimeDelta, Utc};
use strowger_domain::call::Now;

/// How far [`step`] has set the wall clock, in milliseconds.
static STEPPED_MS: AtomicI64 = AtomicI64::new(0);

/// The time of an input.
pub fn now() -> Now {
    Now {
        instant: tokio::time::Instant::now().into_std(),
        utc: Utc::now() + TimeDelta::milliseconds(STEPPED_MS.load(Ordering::Relaxed)),
    }
}

/// A clock that starts right and then only runs: what it dates keeps its order and its lengths,
/// whatever is done to the wall clock meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    start: Now,
}

impl SteadyClock {
    /// One that starts now.
    pub fn start() -> Self {
        Self { start: now() }
    }

    /// The time on it.
    pub fn now(&self) -> Now {
        let instant = tokio::time::Instant::now().into_std();
        let elapsed = instant.saturating_duration_since(self.start.instant);
        Now {
            instant,
            utc: self.start.utc + elapsed,
        }
    }
}

/// Sets the wall clock of this process forward or back, as an operator does; for tests.
pub fn step(by: TimeDelta) {
    STEPPED_MS.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
}
