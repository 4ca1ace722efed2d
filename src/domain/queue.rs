//! Queue discipline: who is offered to whom, and when.
//!
//! - First in, first out by each caller's own `since`: whenever a destination can be offered, the
//!   first caller without an offer gets it.
//! - Destinations are offered in turn. One that refused is left alone for [`RETRY`]; a caller has one
//!   offer at a time, and a destination is offered to one caller at a time.
//! - Offered and connected callers together are at most `max_connected`.
//! - A caller that joins is refused when it would have to wait and `max_waiting` wait already. Who
//!   is in keeps its place, also after a refusal.
//!
//! The discipline holds nothing that its members do not know: after a restart they join again by
//! [`Input::Rejoin`] and stand as they stood.

use crate::cause::Cause;
use crate::ids::CallId;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How long a destination that refused is left alone. A phone that is busy is seldom free sooner,
/// and the caller hears music meanwhile.
pub const RETRY: Duration = Duration::from_secs(5);
/// The longest that an offer stays open. Ring times are at most five minutes; a call that has not
/// told the end by then is broken.
pub const OFFER_LIMIT: Duration = Duration::from_secs(330);

/// How long a queue that was lost waits for its members before it offers anybody: those who are
/// connected may come back after those who wait.
pub const REGATHERING: Duration = Duration::from_secs(1);

/// What the plan asks of its queue. The settings of the caller that joined last hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whom to offer callers to, in turn.
    pub destinations: Vec<String>,
    /// Most callers offered or connected at a time.
    pub max_connected: u16,
    /// Most callers waiting.
    pub max_waiting: u16,
}

/// How far a caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits.
    Waiting,
    /// A destination is being dialled for it.
    Offered {
        /// The destination.
        destination: String,
    },
    /// It talks to a destination.
    Connected,
}

/// What the discipline is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A caller comes.
    Join {
        /// Its call.
        caller: CallId,
        /// When it came: its place in the line.
        since: DateTime<Utc>,
        /// What its plan asks for.
        settings: Settings,
    },
    /// A caller was in the queue before a restart. It is never refused.
    Rejoin {
        /// Its call.
        caller: CallId,
        /// When it came.
        since: DateTime<Utc>,
        /// How far it is.
        stage: Stage,
        /// What its plan asks for.
        settings: Settings,
    },
    /// The caller's offer ended.
    OfferEnded {
        /// Its call.
        caller: CallId,
        /// None: it is connected.
        refused: Option<Cause>,
    },
    /// The caller is gone, or goes elsewhere, or its conversation is over.
    Leave {
        /// Its call.
        caller: CallId,
    },
    /// The deadline has come.
    Tick,
}

/// What the discipline asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The caller is in the queue.
    Joined {
        /// Its call.
        caller: CallId,
        /// 1 is the head.
        position: u16,
    },
    /// The queue is full.
    Refused {
        /// Its call.
        caller: CallId,
    },
    /// The caller's place has changed.
    Position {
        /// Its call.
        caller: CallId,
        /// 1 is the head.
        position: u16,
    },
    /// The caller's call must dial this destination and tell how it ended.
    Offer {
        /// Its call.
        caller: CallId,
        /// Whom to dial.
        destination: String,
    },
    /// The caller's call has not told the end of its offer: it is not in the queue any more.
    Lost {
        /// Its call.
        caller: CallId,
    },
}

#[derive(Clone, Debug)]
enum Place {
    Waiting,
    Offered { destination: String, until: Instant },
    Connected,
}

#[derive(Clone, Debug)]
struct Member {
    place: Place,
    position: u16,
}

/// The callers of one queue. One input, then drain [`Discipline::next_effect`].
#[derive(Clone, Debug, Default)]
pub struct Discipline {
    settings: Settings,
    line: BTreeMap<(DateTime<Utc>, CallId), Member>,
    since: BTreeMap<CallId, DateTime<Utc>>,
    /// Destinations that refused, and until when they are left alone.
    resting: BTreeMap<String, Instant>,
    /// The destination whose turn it is.
    turn: usize,
    /// Its members come back: until then nobody is offered.
    gathers_until: Option<Instant>,
    effects: VecDeque<Effect>,
}

impl Discipline {
    /// Takes an input.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.gathers_until.is_some_and(|until| until <= now) {
            self.gathers_until = None;
        }
        match input {
            Input::Join {
                caller,
                since,
                settings,
            } => self.join(caller, since, settings, now),
            Input::Rejoin {
                caller,
                since,
                stage,
                settings,
            } => {
                self.settings = settings;
                self.gathers_until.get_or_insert(now + REGATHERING);
                let place = match stage {
                    Stage::Waiting => Place::Waiting,
                    Stage::Offered { destination } => Place::Offered {
                        destination,
                        until: now + OFFER_LIMIT,
                    },
                    Stage::Connected => Place::Connected,
                };
                self.enter(caller, since, place);
            }
            Input::OfferEnded { caller, refused } => self.offer_ended(caller, refused, now),
            Input::Leave { caller } => {
                self.remove(caller);
            }
            Input::Tick => self.drop_lost(now),
        }
        self.resting.retain(|_, until| *until > now);
        if self.gathers_until.is_none() {
            self.offer(now);
        }
        self.tell_positions();
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When it must be ticked.
    pub fn deadline(&self) -> Option<Instant> {
        let offers = self.line.values().filter_map(|member| match member.place {
            Place::Offered { until, .. } => Some(until),
            Place::Waiting | Place::Connected => None,
        });
        // Rest matters only to somebody who waits.
        let rests = self
            .resting
            .values()
            .copied()
            .filter(|_| self.waiting() > 0);
        offers.chain(rests).chain(self.gathers_until).min()
    }

    /// Callers that wait, without those offered to a destination.
    pub fn waiting(&self) -> usize {
        self.line
            .values()
            .filter(|member| matches!(member.place, Place::Waiting))
            .count()
    }

    /// Callers that are offered to a destination or connected.
    pub fn engaged(&self) -> usize {
        self.line.len() - self.waiting()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    fn join(&mut self, caller: CallId, since: DateTime<Utc>, settings: Settings, now: Instant) {
        if self.since.contains_key(&caller) {
            return;
        }
        self.settings = settings;
        self.resting.retain(|_, until| *until > now);
        let waiting = self.waiting();
        let is_offered_at_once = waiting == 0 && self.has_room() && self.next_free().is_some();
        if waiting >= usize::from(self.settings.max_waiting) && !is_offered_at_once {
            self.effects.push_back(Effect::Refused { caller });
            return;
        }
        self.enter(caller, since, Place::Waiting);
        let position = self
            .positions()
            .find(|(id, _)| *id == caller)
            .map_or(1, |(_, at)| at);
        if let Some(member) = self.line.get_mut(&(since, caller)) {
            member.position = position;
        }
        self.effects.push_back(Effect::Joined { caller, position });
    }

    fn enter(&mut self, caller: CallId, since: DateTime<Utc>, place: Place) {
        if self.since.contains_key(&caller) {
            return;
        }
        self.since.insert(caller, since);
        self.line
            .insert((since, caller), Member { place, position: 0 });
    }

    fn remove(&mut self, caller: CallId) -> Option<Member> {
        let since = self.since.remove(&caller)?;
        self.line.remove(&(since, caller))
    }

    fn offer_ended(&mut self, caller: CallId, refused: Option<Cause>, now: Instant) {
        let Some(since) = self.since.get(&caller) else {
            return;
        };
        let Some(member) = self.line.get_mut(&(*since, caller)) else {
            return;
        };
        let Place::Offered { destination, .. } = &member.place else {
            return;
        };
        if refused.is_some() {
            self.resting.insert(destination.clone(), now + RETRY);
            member.place = Place::Waiting;
        } else {
            member.place = Place::Connected;
        }
    }

    fn drop_lost(&mut self, now: Instant) {
        let is_lost = |member: &Member| matches!(&member.place, Place::Offered { until, .. } if *until <= now);
        let lost: Vec<_> = self
            .line
            .iter()
            .filter(|(_, member)| is_lost(member))
            .map(|((_, caller), _)| *caller)
            .collect();
        for caller in lost {
            self.remove(caller);
            self.effects.push_back(Effect::Lost { caller });
        }
    }

    fn has_room(&self) -> bool {
        self.engaged() < usize::from(self.settings.max_connected)
    }

    /// The next destination in turn that is neither offered to anybody nor left alone.
    fn next_free(&self) -> Option<usize> {
        let count = self.settings.destinations.len();
        let offered = |wanted: &String| {
            self.line.values().any(
                |m| matches!(&m.place, Place::Offered { destination, .. } if destination == wanted),
            )
        };
        (0..count)
            .map(|step| (self.turn + step) % count)
            .find(|index| {
                let destination = self.settings.destinations.get(*index);
                destination.is_some_and(|to| !self.resting.contains_key(to) && !offered(to))
            })
    }

    fn offer(&mut self, now: Instant) {
        while self.has_room() {
            let Some(index) = self.next_free() else {
                return;
            };
            let first = self
                .line
                .iter_mut()
                .find(|(_, m)| matches!(m.place, Place::Waiting));
            let (Some(((_, caller), member)), Some(destination)) =
                (first, self.settings.destinations.get(index))
            else {
                return;
            };
            let destination = destination.clone();
            member.place = Place::Offered {
                destination: destination.clone(),
                until: now + OFFER_LIMIT,
            };
            self.effects.push_back(Effect::Offer {
                caller: *caller,
                destination,
            });
            self.turn = index + 1;
        }
    }

    /// Every caller that is not connected, with its place; the offered ones wait as well.
    fn positions(&self) -> impl Iterator<Item = (CallId, u16)> + '_ {
        let line = self
            .line
            .iter()
            .filter(|(_, m)| !matches!(m.place, Place::Connected));
        line.zip(1..)
            .map(|(((_, caller), _), position)| (*caller, position))
    }

    fn tell_positions(&mut self) {
        let line = self
            .line
            .iter_mut()
            .filter(|(_, member)| !matches!(member.place, Place::Connected));
        for (((_, caller), member), position) in line.zip(1..) {
            if member.position != position {
                member.position = position;
                self.effects.push_back(Effect::Position {
                    caller: *caller,
                    position,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
