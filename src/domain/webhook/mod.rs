//! When an event is sent to a webhook, and what becomes of a webhook that does not take it.
//!
//! Events of one call are sent one after the other, the next when the one before is settled; so are
//! those of one account that belong to no call. Each is a [`Lane`], and lanes do not wait for each
//! other. A delivery that is not taken is tried again after a pause that doubles, for as long as it
//! may be late. An endpoint that takes nothing is tried with one delivery at a time, and no more
//! often than its own pause says; when it takes one, everything that waited goes on at once.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{AccountId, CallId, DeliveryId};

/// How late an event may be: it is tried for so long after it happened.
pub const LATEST: TimeDelta = TimeDelta::hours(24);

/// An endpoint that has taken nothing for so long is disabled.
pub const PATIENCE: TimeDelta = TimeDelta::hours(24);

/// Deliveries that an endpoint gets at a time.
pub const MOST_AT_ONCE: usize = 4;

/// So many failures in a row, and the endpoint is taken for down.
const FAILING: u32 = 3;

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// An endpoint may ask for a longer pause, but not for one longer than this.
const LONGEST_WISH: Duration = Duration::from_hours(1);

/// What is delivered in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The events of a call.
    Call(CallId),
    /// Those of an account that belong to no call.
    Account(AccountId),
}

/// An event that is to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which.
    pub id: DeliveryId,
    /// Behind which others it waits.
    pub lane: Lane,
    /// How often it was tried.
    pub attempts: u32,
    /// Not tried before.
    pub due: DateTime<Utc>,
    /// Not tried from then on.
    pub expires_at: DateTime<Utc>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The endpoint has taken it (2xx).
    Taken,
    /// It has not, or did not answer; it may have asked to be left alone for a while.
    Refused {
        /// `Retry-After`.
        wait: Option<Duration>,
    },
    /// It wants nothing any more (410).
    Gone,
}

/// Why a webhook gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledCause {
    /// Somebody disabled it.
    ByHand,
    /// The endpoint answered 410.
    Gone,
    /// The endpoint has taken nothing for a day.
    Failing,
}

/// What the endpoint is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// An event is to be delivered, after those of its lane that were added before.
    Add(Job),
    /// An attempt is over.
    Answered {
        /// Of which delivery.
        id: DeliveryId,
        /// What came of it.
        answer: Answer,
        /// A random number from 0 to 1 that spreads the pauses.
        chance: f64,
    },
    /// The deadline has come.
    Tick,
}

/// What the endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send it; [`Input::Answered`] follows.
    Send(DeliveryId),
    /// It was taken.
    Delivered(DeliveryId),
    /// It was not taken and waits.
    Waits {
        /// Which.
        id: DeliveryId,
        /// For how long.
        due: DateTime<Utc>,
    },
    /// It is too late for it.
    Failed(DeliveryId),
    /// Nothing more is to be sent: what waits stays as it is.
    Disable(DisabledCause),
}

/// What waits for one endpoint. One input, then drain [`Endpoint::next_effect`].
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    lanes: BTreeMap<Lane, VecDeque<Job>>,
    sending: BTreeMap<DeliveryId, Lane>,
    /// Failures since the last success.
    failures: u32,
    failing_since: Option<DateTime<Utc>>,
    /// An endpoint that is down is not tried before.
    resumes_at: Option<DateTime<Utc>>,
    is_disabled: bool,
    effects: VecDeque<Effect>,
}

impl Endpoint {
    /// An endpoint that takes nothing since then, as is known from before a restart; it is tried at
    /// once, with one delivery.
    pub fn restore(failing_since: Option<DateTime<Utc>>) -> Self {
        Self {
            failures: failing_since.map_or(0, |_| FAILING),
            failing_since,
            ..Self::default()
        }
    }

    /// One input.
    pub fn handle(&mut self, input: Input, now: DateTime<Utc>) {
        match input {
            Input::Add(job) => self.lanes.entry(job.lane).or_default().push_back(job),
            Input::Answered { id, answer, chance } => self.answered(id, answer, chance, now),
            Input::Tick => {}
        }
        self.expire(now);
        self.send(now);
    }

    /// What is to be done, in order.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Input::Tick`] is wanted.
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        if self.is_disabled || self.sending.len() >= self.most_at_once() {
            return None;
        }
        let due = self.idle_heads().map(|job| job.due).min()?;
        Some(match self.resumes_at {
            Some(resumes_at) => resumes_at,
            None => due,
        })
    }

    /// Deliveries that are not settled.
    pub fn waiting(&self) -> usize {
        self.lanes.values().map(VecDeque::len).sum()
    }

    /// Since when the endpoint has taken nothing, though it was tried.
    pub fn failing_since(&self) -> Option<DateTime<Utc>> {
        self.failing_since
    }

    fn is_down(&self) -> bool {
        self.failures >= FAILING
    }

    fn most_at_once(&self) -> usize {
        if self.is_down() { 1 } else { MOST_AT_ONCE }
    }

    fn answered(&mut self, id: DeliveryId, answer: Answer, chance: f64, now: DateTime<Utc>) {
        let Some(lane) = self.sending.remove(&id) else {
            return;
        };
        match answer {
            Answer::Taken => {
                self.remove_head(lane);
                self.effects.push_back(Effect::Delivered(id));
                self.recover(now);
            }
            Answer::Refused { wait } => {
                self.failures = self.failures.saturating_add(1);
                let since = *self.failing_since.get_or_insert(now);
                let wish = wait.unwrap_or_default().min(LONGEST_WISH);
                if self.is_down() {
                    let tries = self.failures - FAILING + 1;
                    self.resumes_at = Some(now + pause(tries, chance).max(wish));
                }
                if let Some(job) = self.head(lane) {
                    job.attempts = job.attempts.saturating_add(1);
                    job.due = now + pause(job.attempts, chance).max(wish);
                    let due = job.due;
                    self.effects.push_back(Effect::Waits { id, due });
                }
                if now - since >= PATIENCE {
                    self.disable(DisabledCause::Failing);
                }
            }
            Answer::Gone => {
                if let Some(job) = self.head(lane) {
                    job.attempts = job.attempts.saturating_add(1);
                    let due = job.due;
                    self.effects.push_back(Effect::Waits { id, due });
                }
                self.disable(DisabledCause::Gone);
            }
        }
    }

    /// It takes deliveries again: what waited because of it waits no longer.
    fn recover(&mut self, now: DateTime<Utc>) {
        if self.is_down() {
            for job in self.lanes.values_mut().filter_map(VecDeque::front_mut) {
                job.due = job.due.min(now);
            }
        }
        self.failures = 0;
        self.failing_since = None;
        self.resumes_at = None;
    }

    fn disable(&mut self, cause: DisabledCause) {
        if !self.is_disabled {
            self.is_disabled = true;
            self.effects.push_back(Effect::Disable(cause));
        }
    }

    /// Gives up what is too late.
    fn expire(&mut self, now: DateTime<Utc>) {
        let (sending, effects) = (&self.sending, &mut self.effects);
        for jobs in self.lanes.values_mut() {
            jobs.retain(|job| {
                let is_late = job.expires_at <= now && !sending.contains_key(&job.id);
                if is_late {
                    effects.push_back(Effect::Failed(job.id));
                }
                !is_late
            });
        }
        self.lanes.retain(|_, jobs| !jobs.is_empty());
    }

    fn send(&mut self, now: DateTime<Utc>) {
        let is_early = self.resumes_at.is_some_and(|resumes_at| resumes_at > now);
        if self.is_disabled || is_early {
            return;
        }
        while self.sending.len() < self.most_at_once() {
            // What was tried the least may be what a failing endpoint takes.
            let next = if self.is_down() {
                self.idle_heads()
                    .min_by_key(|job| (job.attempts, job.due, job.id))
            } else {
                self.idle_heads()
                    .filter(|job| job.due <= now)
                    .min_by_key(|job| (0, job.due, job.id))
            };
            let Some(job) = next.copied() else {
                return;
            };
            self.sending.insert(job.id, job.lane);
            self.effects.push_back(Effect::Send(job.id));
        }
    }

    /// The first of every lane of which nothing is being sent.
    fn idle_heads(&self) -> impl Iterator<Item = &Job> {
        let heads = self.lanes.values().filter_map(VecDeque::front);
        heads.filter(|job| !self.sending.contains_key(&job.id))
    }

    fn head(&mut self, lane: Lane) -> Option<&mut Job> {
        self.lanes.get_mut(&lane)?.front_mut()
    }

    fn remove_head(&mut self, lane: Lane) {
        if let Some(jobs) = self.lanes.get_mut(&lane) {
            jobs.pop_front();
            if jobs.is_empty() {
                self.lanes.remove(&lane);
            }
        }
    }
}

/// How long is waited after so many failures, give or take a fifth.
fn pause(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled
        .min(LONGEST_PAUSE)
        .mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
