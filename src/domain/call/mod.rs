//! A call as the rules see it: what a driver may ask of it, and what it tells its driver.
//!
//! A call has one *driver*: the call plan interpreter or a customer's web application. Both speak
//! this vocabulary and no other, so the shell carries out effects in one place.

pub mod effect;
pub mod event;
mod state;

pub use effect::{ConferenceEntry, Dial, Effect, Gap, Parties, QueueEntry, Recording, Sound, Tone};
pub use event::{Event, Facts, Origin};
pub use state::{CallState, LegState};

use chrono::{DateTime, Utc};
use std::time::Instant;

/// The time of an input: monotonic for deadlines, UTC for calendars and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time; deadlines are given in it.
    pub instant: Instant,
    /// Wall-clock time.
    pub utc: DateTime<Utc>,
}

/// Names a leg within its call: [`LegNumber::A`] is the A-party; the driver numbers the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegNumber(pub u16);

impl LegNumber {
    /// The A-party: the caller, or the first party of a call that the platform started.
    pub const A: Self = Self(0);
}

/// Names one `Play` within its call, so that a late "played" can be told from the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlayNumber(pub u32);

/// Names one recording within its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordingNumber(pub u16);

/// A moment from which tests count: the one place that asks a clock for it.
#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "an `Instant` can be had in no other way"
)]
pub(crate) fn some_instant() -> Instant {
    Instant::now()
}
