//! The one clock of a message that is sent again until something happens.

use bytes::Bytes;
use std::time::{Duration, Instant};

/// Sends again after a time that doubles up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retransmission {
    at: Instant,
    interval: Duration,
    limit: Option<Duration>,
}

impl Retransmission {
    /// First sent at `now`, again after `interval`, then after twice that.
    pub(crate) fn start(now: Instant, interval: Duration, limit: Option<Duration>) -> Self {
        // A timer of no length would be due for ever.
        let interval = interval.max(Duration::from_millis(1));
        Self {
            at: now + interval,
            interval,
            limit,
        }
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// What is to be sent now, if it is time.
    pub(crate) fn due(again: &mut Option<Self>, message: &Bytes, now: Instant) -> Option<Bytes> {
        again.as_mut()?.is_due(now).then(|| message.clone())
    }

    /// Whether it is due; then the next one is armed.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        if now < self.at {
            return false;
        }
        self.interval *= 2;
        if let Some(limit) = self.limit {
            self.interval = self.interval.min(limit);
        }
        self.at = now + self.interval;
        true
    }
}
