//! The only clock: shells ask here, and tests may pause it with tokio's virtual time.

use chrono::Utc;
use strowger_domain::call::Now;

/// The time of an input.
pub fn now() -> Now {
    Now {
        instant: tokio::time::Instant::now().into_std(),
        utc: Utc::now(),
    }
}
