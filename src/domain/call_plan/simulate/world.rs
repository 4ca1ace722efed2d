//! The small world around a simulated call.

use super::transcript::{End, SimulatedEffect, SimulatedStep, Transcript, describe};
use super::{Happening, Party, Script};
use crate::account::Permissions;
use crate::call::{Effect, Event, Facts, LegNumber, Now, PlayNumber, Sound};
use crate::call_plan::interpreter::Interpreter;
use crate::call_plan::plan::Plan;
use crate::call_plan::variables::Globals;
use crate::cause::Cause;
use crate::ids::{AccountId, CallId};
use chrono::{DateTime, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A simulated call is given up after a day.
const LONGEST: u64 = 24 * 60 * 60 * 1_000;

/// And after so many events.
const MOST_EVENTS: usize = 10_000;

/// An audio file, whose length the plan does not tell, is taken for three seconds.
const AUDIO_MS: u64 = 3_000;

/// Speech has about 15 characters in a second.
const TEXT_MS_PER_CHARACTER: u64 = 66;

/// Between two keys of one person.
const KEY_MS: u64 = 250;

/// Until a queue offers a destination that is free.
const OFFER_MS: u64 = 1_000;

/// Something that will happen.
#[derive(Debug)]
enum Coming {
    /// By the script.
    Scripted(Happening),
    /// One key of the A-party.
    Digit(char),
    /// A play comes to its end.
    Played(PlayNumber),
    /// A leg has rung its whole time.
    RungOut(LegNumber),
    /// A fact that answers an effect.
    Fact(Event),
    /// The queue offers its next destination.
    Offer,
}

pub(super) struct World {
    interpreter: Interpreter,
    start: Instant,
    at: DateTime<Utc>,
    now_ms: u64,
    /// What will happen, by time and then by order of being planned.
    coming: BTreeMap<(u64, u64), Coming>,
    planned: u64,
    transcript: Transcript,
    node: String,
    /// What the A-party hears that comes to an end.
    play: Option<PlayNumber>,
    ringing: Option<LegNumber>,
    connected: Option<LegNumber>,
    destinations: Vec<String>,
    offers: usize,
    waiting: bool,
    full: bool,
    nobody_free: bool,
}

impl World {
    pub(super) fn new(plan: &Arc<Plan>, script: &Script, globals: Globals) -> Self {
        let facts = Facts {
            call: CallId::from_uuid(Uuid::nil()),
            account: AccountId::from_uuid(Uuid::nil()),
            origin: script.origin,
            calling: script.calling.clone(),
            called: script.called.clone(),
            variables: script.variables.clone(),
            time_zone: script.time_zone,
            permissions: Permissions::all(),
        };
        let mut interpreter = Interpreter::new(Arc::clone(plan), facts, StdRng::seed_from_u64(0));
        interpreter.set_globals(globals);
        #[expect(
            clippy::disallowed_methods,
            reason = "an Instant can't be made otherwise; only differences to it are ever seen"
        )]
        let start = Instant::now();
        let mut world = Self {
            interpreter,
            start,
            at: script.at,
            now_ms: 0,
            coming: BTreeMap::new(),
            planned: 0,
            transcript: Transcript::default(),
            node: String::new(),
            play: None,
            ringing: None,
            connected: None,
            destinations: Vec::new(),
            offers: 0,
            waiting: false,
            full: false,
            nobody_free: false,
        };
        world.plan_at(0, Coming::Fact(Event::Started));
        for event in &script.events {
            match &event.happening {
                Happening::Digits { digits } => {
                    for (index, digit) in (0..).zip(digits.chars()) {
                        let at = event.at_ms.saturating_add(KEY_MS * index);
                        world.plan_at(at, Coming::Digit(digit));
                    }
                }
                other => world.plan_at(event.at_ms, Coming::Scripted(other.clone())),
            }
        }
        world
    }

    pub(super) fn run(mut self) -> Transcript {
        for _ in 0..MOST_EVENTS {
            let due = self.deadline_ms();
            let next = self.coming.first_key_value().map(|((at, _), _)| *at);
            match (next, due) {
                (None, None) => break,
                (next, Some(due)) if next.is_none_or(|next| due < next) => {
                    if !self.advance(due) {
                        break;
                    }
                    self.tell(Event::TimedOut);
                }
                _ => {
                    let Some(((at, _), coming)) = self.coming.pop_first() else {
                        break;
                    };
                    if !self.advance(at) {
                        break;
                    }
                    if let Some(event) = self.event(coming) {
                        self.tell(event);
                    }
                }
            }
            if self.interpreter.is_over() {
                break;
            }
        }
        self.transcript.variables = self.interpreter.variables();
        self.transcript
    }

    /// The interpreter's deadline, rounded up to whole milliseconds.
    fn deadline_ms(&self) -> Option<u64> {
        let left = self
            .interpreter
            .deadline()?
            .saturating_duration_since(self.start);
        u64::try_from(left.as_micros().div_ceil(1_000)).ok()
    }

    fn advance(&mut self, to: u64) -> bool {
        self.now_ms = self.now_ms.max(to);
        self.now_ms <= LONGEST
    }

    fn plan_at(&mut self, at: u64, coming: Coming) {
        self.planned += 1;
        self.coming.insert((at, self.planned), coming);
    }

    fn plan_after(&mut self, ms: u64, coming: Coming) {
        self.plan_at(self.now_ms.saturating_add(ms), coming);
    }

    fn fact(&mut self, event: Event) {
        self.plan_after(0, Coming::Fact(event));
    }

    /// What the call is told of something that happens; `None` when it can't happen now.
    fn event(&mut self, coming: Coming) -> Option<Event> {
        match coming {
            Coming::Fact(event) => Some(event),
            Coming::Digit(digit) => Some(Event::Digit {
                leg: LegNumber::A,
                digit,
            }),
            Coming::Played(play) => {
                if self.play != Some(play) {
                    return None;
                }
                self.play = None;
                Some(Event::Played {
                    leg: LegNumber::A,
                    play,
                    failure: None,
                })
            }
            Coming::RungOut(leg) => {
                if self.ringing != Some(leg) {
                    return None;
                }
                self.ringing = None;
                Some(Event::DialFailed {
                    leg,
                    cause: Cause::NoAnswer,
                    status: None,
                })
            }
            Coming::Offer => {
                if !self.waiting || self.nobody_free || self.destinations.is_empty() {
                    return None;
                }
                let index = self.offers % self.destinations.len();
                self.offers += 1;
                let destination = self.destinations.get(index)?.clone();
                self.waiting = false;
                Some(Event::QueueOffered { destination })
            }
            Coming::Scripted(happening) => self.scripted(&happening),
        }
    }

    fn scripted(&mut self, happening: &Happening) -> Option<Event> {
        match happening {
            // Planned key by key before.
            Happening::Digits { .. } => None,
            Happening::Answered => {
                let leg = self.ringing.take()?;
                self.connected = Some(leg);
                Some(Event::Answered { leg })
            }
            Happening::DialFailed { cause } => {
                let leg = self.ringing.take()?;
                Some(Event::DialFailed {
                    leg,
                    cause: *cause,
                    status: Some(cause.sip_status()),
                })
            }
            Happening::HungUp { party } => {
                let leg = match party {
                    Party::A => LegNumber::A,
                    Party::B => self.connected.take()?,
                };
                Some(Event::HungUp {
                    leg,
                    cause: Cause::NormalClearing,
                })
            }
            Happening::Full => {
                self.full = true;
                None
            }
            Happening::NobodyFree => {
                self.nobody_free = true;
                None
            }
            Happening::QueuePosition { position } => Some(Event::QueuePosition {
                position: *position,
            }),
            Happening::QueueOffered => {
                self.nobody_free = false;
                self.event(Coming::Offer)
            }
            Happening::ConferenceEnded => Some(Event::ConferenceLeft { leg: LegNumber::A }),
        }
    }

    fn tell(&mut self, event: Event) {
        let elapsed = Duration::from_millis(self.now_ms);
        let now = Now {
            instant: self.start.checked_add(elapsed).unwrap_or(self.start),
            utc: self
                .at
                .checked_add_signed(
                    chrono::TimeDelta::try_milliseconds(
                        i64::try_from(self.now_ms).unwrap_or(i64::MAX),
                    )
                    .unwrap_or_default(),
                )
                .unwrap_or(self.at),
        };
        self.interpreter.handle(event, now);
        while let Some(effect) = self.interpreter.next_effect() {
            self.note(&effect);
            self.apply(&effect);
        }
    }

    fn note(&mut self, effect: &Effect) {
        let at_ms = self.now_ms;
        match effect {
            Effect::Step { node, kind, branch } => {
                node.clone_into(&mut self.node);
                self.transcript.steps.push(SimulatedStep {
                    at_ms,
                    node: node.clone(),
                    kind: kind.clone(),
                    branch: branch.clone(),
                });
            }
            Effect::End { cause } => {
                self.transcript.end = Some(End {
                    at_ms,
                    cause: *cause,
                });
            }
            other => {
                let (name, detail) = describe(other);
                self.transcript.effects.push(SimulatedEffect {
                    at_ms,
                    node: self.node.clone(),
                    effect: name.to_owned(),
                    detail,
                });
            }
        }
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Play {
                play,
                sounds,
                repeat,
                ..
            } => {
                let length: Option<u64> = sounds.iter().map(length_ms).sum();
                self.play = None;
                if let (false, Some(length)) = (*repeat, length) {
                    self.play = Some(*play);
                    self.plan_after(length, Coming::Played(*play));
                }
            }
            Effect::StopPlay { .. } | Effect::Bridge { .. } => self.play = None,
            Effect::Dial(dial) => {
                self.ringing = Some(dial.leg);
                let ring = u64::try_from(dial.ring.as_millis()).unwrap_or(LONGEST);
                self.plan_after(ring, Coming::RungOut(dial.leg));
                self.fact(Event::Ringing { leg: dial.leg });
            }
            Effect::HangUp { leg, cause } => {
                if self.ringing == Some(*leg) {
                    self.ringing = None;
                    self.fact(Event::DialFailed {
                        leg: *leg,
                        cause: *cause,
                        status: None,
                    });
                } else if self.connected == Some(*leg) {
                    self.connected = None;
                    self.fact(Event::HungUp {
                        leg: *leg,
                        cause: *cause,
                    });
                }
            }
            Effect::JoinConference(entry) => {
                let leg = entry.leg;
                self.play = None;
                self.fact(if self.full {
                    Event::ConferenceRefused { leg }
                } else {
                    Event::ConferenceJoined { leg, members: 1 }
                });
            }
            Effect::JoinQueue(entry) => {
                if self.full {
                    self.fact(Event::QueueRefused);
                    return;
                }
                self.destinations.clone_from(&entry.destinations);
                self.waiting = true;
                self.fact(Event::Queued { position: 1 });
                self.plan_after(OFFER_MS, Coming::Offer);
            }
            Effect::AnswerOffer { refused } => {
                if refused.is_some() {
                    self.waiting = true;
                    self.plan_after(OFFER_MS, Coming::Offer);
                }
            }
            Effect::LeaveQueue => self.waiting = false,
            Effect::Answer
            | Effect::Unbridge { .. }
            | Effect::StartRecording(_)
            | Effect::StopRecording { .. }
            | Effect::LeaveConference { .. }
            | Effect::Step { .. }
            | Effect::Annotate { .. }
            | Effect::End { .. } => {}
        }
    }
}

/// How long a sound takes; `None`: it has no end.
fn length_ms(sound: &Sound) -> Option<u64> {
    match sound {
        Sound::Audio(_) | Sound::File(_) | Sound::Url(_) => Some(AUDIO_MS),
        Sound::Text { text, .. } => {
            let characters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
            Some(characters.saturating_mul(TEXT_MS_PER_CHARACTER))
        }
        Sound::Digits(digits) => {
            let digits = u64::try_from(digits.chars().count()).unwrap_or(u64::MAX);
            Some(digits.saturating_mul(KEY_MS))
        }
        Sound::Silence(time) => u64::try_from(time.as_millis()).ok(),
        Sound::Tone(tone) => {
            use crate::call::Tone;
            match tone {
                Tone::Beep | Tone::Joined | Tone::Left => Some(500),
                Tone::Ringing | Tone::Busy | Tone::Congestion | Tone::NumberUnobtainable => None,
            }
        }
        Sound::Music => None,
    }
}
