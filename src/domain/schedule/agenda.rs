//! Which scheduled call is due, and whether its accounts have room for it.
//!
//! The agenda holds the queued calls and those in progress. It says [`Effect::Start`] once for each
//! call; who carries that out first writes the claim (queued → dialling) where a crash cannot lose
//! it, and only then dials. After a crash [`Agenda::restore`] names the claimed calls that were cut:
//! they fail and are never started again.

use super::State;
use crate::account::AccountPath;
use crate::ids::{AccountId, ScheduledCallId};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A scheduled call as the agenda sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which.
    pub id: ScheduledCallId,
    /// Its account, from the root.
    pub path: AccountPath,
    /// Not started before.
    pub not_before: DateTime<Utc>,
    /// Not started from then on.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What the agenda is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A call is queued. One that it has already is left as it is.
    Add(Job),
    /// A call was started before this agenda was made, and goes on: it counts until `Over`. To be
    /// told before the first `Tick`.
    GoesOn(Job),
    /// A queued call was cancelled.
    Remove(ScheduledCallId),
    /// How many calls an account, with all below it, may have in progress; none: no limit.
    Cap {
        /// The account.
        account: AccountId,
        /// The most.
        most: Option<u32>,
    },
    /// A call that was to start is claimed.
    Claimed(ScheduledCallId),
    /// A call that was to start, and was not claimed, found no channel: an account of its path has
    /// none. It waits with all other calls of that account.
    NoChannel {
        /// The call.
        id: ScheduledCallId,
        /// Which account has no free channel.
        account: AccountId,
        /// Until then, unless channels are [`Input::Freed`] before.
        until: DateTime<Utc>,
    },
    /// An account that had no free channel has some.
    Freed {
        /// The account.
        account: AccountId,
        /// How many.
        channels: u32,
    },
    /// A call that was to start could not be claimed (it was cancelled), or was refused: it is over.
    Dropped(ScheduledCallId),
    /// A call that was to start, and was not claimed, must wait: the platform did not answer.
    Deferred {
        /// The call.
        id: ScheduledCallId,
        /// Until then.
        until: DateTime<Utc>,
    },
    /// A call in progress is over.
    Over(ScheduledCallId),
    /// The deadline has come.
    Tick,
}

/// What the agenda asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Claim the call, check its rules again and dial it. It counts as in progress from here on,
    /// until `Dropped`, `Deferred`, `NoChannel` or `Over`. There are no more than 200 at a time that
    /// are neither `Claimed` nor taken back.
    Start(ScheduledCallId),
    /// Its window has passed: it expires.
    Expire(ScheduledCallId),
}

/// The queued calls and those in progress. One input, then drain [`Agenda::next_effect`].
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    /// Each with the time from which it is due: its own, or a later one when it was deferred.
    queued: BTreeMap<ScheduledCallId, (Job, DateTime<Utc>)>,
    /// Queued calls whose time has not come.
    later: BTreeSet<(DateTime<Utc>, ScheduledCallId)>,
    /// Queued calls that wait for room only, by account.
    due: BTreeMap<AccountId, BTreeSet<(DateTime<Utc>, ScheduledCallId)>>,
    expiries: BTreeSet<(DateTime<Utc>, ScheduledCallId)>,
    in_progress: BTreeMap<ScheduledCallId, Job>,
    /// Calls in progress of each account and all below it.
    counts: BTreeMap<AccountId, u32>,
    caps: BTreeMap<AccountId, u32>,
    /// Those to start that are not claimed yet.
    starting: BTreeSet<ScheduledCallId>,
    /// Accounts that have no free channel.
    full: BTreeMap<AccountId, Full>,
    /// Channels that were freed while calls are being started, before we are told that an account
    /// had none.
    freed: BTreeMap<AccountId, u32>,
    effects: VecDeque<Effect>,
}

/// What is known of an account that had no free channel.
#[derive(Clone, Copy, Debug)]
struct Full {
    /// From then on it is tried again.
    until: DateTime<Utc>,
    /// How many calls may be tried before.
    tries: u32,
}

/// The most calls that are started at a time: each is read, made ready and claimed in one batch with
/// others, and one that finds no channel comes back.
const MOST_STARTING: usize = 200;

impl Agenda {
    /// The agenda after a start, from what is stored and the caps of the accounts; and the calls that
    /// were claimed before the stop and were cut. They must fail ([`super::Fact::Cut`]) and are not
    /// in the agenda. Begin with [`Input::Tick`].
    pub fn restore(
        stored: impl IntoIterator<Item = (Job, State)>,
        caps: impl IntoIterator<Item = (AccountId, u32)>,
        now: DateTime<Utc>,
    ) -> (Self, Vec<ScheduledCallId>) {
        let mut agenda = Self {
            caps: caps.into_iter().collect(),
            ..Self::default()
        };
        let mut cut = Vec::new();
        for (job, state) in stored {
            match state {
                State::Queued => agenda.add(job, now),
                State::Dialling | State::Ringing | State::InProgress => cut.push(job.id),
                State::Completed | State::Failed | State::Cancelled | State::Expired => {}
            }
        }
        (agenda, cut)
    }

    /// Takes an input.
    pub fn handle(&mut self, input: Input, now: DateTime<Utc>) {
        match input {
            Input::Add(job) => self.add(job, now),
            Input::GoesOn(job) => {
                if !self.in_progress.contains_key(&job.id) {
                    self.begin(job);
                }
                // All of them count before the first of those that wait is started.
                return;
            }
            Input::Remove(id) => {
                self.forget(id);
            }
            Input::Cap { account, most } => {
                match most {
                    Some(most) => self.caps.insert(account, most),
                    None => self.caps.remove(&account),
                };
            }
            Input::Claimed(id) => {
                self.starting.remove(&id);
            }
            Input::NoChannel { id, account, until } => {
                // One more than there are: it tells us of the next one that is freed.
                let freed = self.freed.remove(&account);
                let tries = freed.map_or(0, |channels| channels.saturating_add(1));
                self.full.insert(account, Full { until, tries });
                if let Some(job) = self.release(id) {
                    let from = job.not_before;
                    self.put(job, from, now);
                }
            }
            Input::Freed { account, channels } => {
                if let Some(full) = self.full.get_mut(&account) {
                    full.tries = channels.saturating_add(1);
                } else if !self.starting.is_empty() {
                    self.freed.insert(account, channels);
                }
            }
            Input::Dropped(id) | Input::Over(id) => {
                self.release(id);
            }
            Input::Deferred { id, until } => {
                if let Some(job) = self.release(id) {
                    self.put(job, until, now);
                }
            }
            Input::Tick => {}
        }
        self.advance(now);
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When it must be ticked.
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        let times = [self.later.first(), self.expiries.first()];
        let times = times.into_iter().flatten().map(|(at, _)| *at);
        times.chain(self.full.values().map(|full| full.until)).min()
    }

    /// How many calls wait.
    pub fn queued(&self) -> usize {
        self.queued.len()
    }

    /// How many calls are in progress, of an account and all below it.
    pub fn in_progress(&self, account: AccountId) -> u32 {
        self.counts.get(&account).copied().unwrap_or(0)
    }

    fn add(&mut self, job: Job, now: DateTime<Utc>) {
        if self.queued.contains_key(&job.id) || self.in_progress.contains_key(&job.id) {
            return;
        }
        let from = job.not_before;
        self.put(job, from, now);
    }

    fn put(&mut self, job: Job, from: DateTime<Utc>, now: DateTime<Utc>) {
        let from = from.max(job.not_before);
        if let Some(end) = job.expires_at {
            self.expiries.insert((end, job.id));
        }
        if from > now {
            self.later.insert((from, job.id));
        } else {
            self.due
                .entry(job.path.account())
                .or_default()
                .insert((job.not_before, job.id));
        }
        self.queued.insert(job.id, (job, from));
    }

    fn forget(&mut self, id: ScheduledCallId) -> Option<Job> {
        let (job, from) = self.queued.remove(&id)?;
        if let Some(end) = job.expires_at {
            self.expiries.remove(&(end, id));
        }
        self.later.remove(&(from, id));
        let account = job.path.account();
        if let Some(due) = self.due.get_mut(&account) {
            due.remove(&(job.not_before, id));
            if due.is_empty() {
                self.due.remove(&account);
            }
        }
        Some(job)
    }

    fn begin(&mut self, job: Job) {
        for account in job.path.iter() {
            *self.counts.entry(account).or_default() += 1;
            if let Some(full) = self.full.get_mut(&account) {
                full.tries = full.tries.saturating_sub(1);
            }
        }
        self.in_progress.insert(job.id, job);
    }

    fn release(&mut self, id: ScheduledCallId) -> Option<Job> {
        self.starting.remove(&id);
        let job = self.in_progress.remove(&id)?;
        for account in job.path.iter() {
            if let Some(count) = self.counts.get_mut(&account) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.counts.remove(&account);
                }
            }
        }
        Some(job)
    }

    fn has_room(&self, path: &AccountPath) -> bool {
        path.iter().all(|account| {
            self.caps
                .get(&account)
                .is_none_or(|most| self.in_progress(account) < *most)
                && self.full.get(&account).is_none_or(|full| full.tries > 0)
        })
    }

    fn advance(&mut self, now: DateTime<Utc>) {
        if self.starting.is_empty() {
            self.freed.clear();
        }
        while let Some(&(end, id)) = self.expiries.first() {
            if end > now {
                break;
            }
            self.forget(id);
            self.effects.push_back(Effect::Expire(id));
        }
        while let Some(&(from, id)) = self.later.first() {
            if from > now {
                break;
            }
            self.later.remove(&(from, id));
            if let Some((job, _)) = self.queued.get(&id) {
                let due = self.due.entry(job.path.account()).or_default();
                due.insert((job.not_before, id));
            }
        }
        self.full.retain(|_, full| full.until > now);
        // The oldest due call whose accounts all have room, again and again.
        while self.starting.len() < MOST_STARTING {
            let heads = self.due.values().filter_map(BTreeSet::first);
            let next = heads
                .filter(|(_, id)| {
                    self.queued
                        .get(id)
                        .is_some_and(|(job, _)| self.has_room(&job.path))
                })
                .min();
            let Some(&(_, id)) = next else { break };
            let Some(job) = self.forget(id) else { break };
            self.begin(job);
            self.starting.insert(id);
            self.effects.push_back(Effect::Start(id));
        }
    }
}
