//! **Queue**: the caller waits until one of the destinations is free, and is connected to it.
//!
//! A queue is known by its name in the account. Who came first is served first; the destinations
//! are rung in turn. While the caller waits it hears `hold`, and every `position_every_s` seconds
//! its place (`@queue_position` in `position_text`). With the `drop_out_key` the caller leaves the
//! queue. A caller who was not answered before and hears nothing but ringing is answered when
//! somebody answers. Branches, all optional: `continue` when the other party has hung up, `full`
//! when `max_waiting` callers wait already, `timeout` after `max_wait_s`, `drop_out`, and `failed`
//! when the queue is gone; without them the call ends.

use super::delivery::{self, Hold, RecordingMode};
use super::{Branch, Next, NodeType, State};
use crate::call::{Effect, Event, LegNumber, PlayNumber, QueueEntry, RecordingNumber, Sound, Tone};
use crate::call_plan::interpreter::DefaultEnd;
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::{Checker, Code};
use crate::cause::Cause;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Instant;

const MOST_DESTINATIONS: usize = 10;
const MAX_CONNECTED: RangeInclusive<u32> = 1..=1_000;
const MAX_WAITING: RangeInclusive<u32> = 1..=10_000;
const MAX_WAIT_S: RangeInclusive<u32> = 1..=86_400;
const POSITION_EVERY_S: RangeInclusive<u32> = 10..=600;

/// The properties of Queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// The queue's name; 1 to 100 characters.
    pub queue: Setting<String>,
    /// Who is rung in turn; 1 to 10.
    pub destinations: Vec<Setting<String>>,
    /// The most callers connected at a time; 1 to 1,000.
    pub max_connected: Setting<u32>,
    /// The most callers waiting; 1 to 10,000.
    pub max_waiting: Setting<u32>,
    /// The longest wait in seconds, 1 to 86,400; `null`: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wait_s: Option<Setting<u32>>,
    /// How long each destination may ring, in seconds; 5 to 300.
    pub ring_duration_s: Setting<u32>,
    /// What the caller hears.
    pub hold: Hold,
    /// How often the caller hears its place, in seconds, 10 to 600; `null`: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_every_s: Option<Setting<u32>>,
    /// What it is told.
    pub position_text: String,
    /// The key with which the caller leaves the queue; `null`: no key does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_out_key: Option<char>,
    /// Whether the conversation is recorded.
    pub recording: RecordingMode,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            queue: Setting::default(),
            destinations: Vec::new(),
            max_connected: 1.into(),
            max_waiting: 100.into(),
            max_wait_s: None,
            ring_duration_s: 20.into(),
            hold: Hold::Music,
            position_every_s: None,
            position_text: "You are number @queue_position in the queue.".to_owned(),
            drop_out_key: None,
            recording: RecordingMode::Off,
        }
    }
}

/// A caller in a queue.
#[derive(Debug)]
pub(crate) struct Queueing {
    phase: Phase,
    /// The queue is gone; nothing more is told to it.
    lost: bool,
    /// The caller hears something of ours.
    hearing: bool,
    /// When the wait is over.
    ends_at: Option<Instant>,
    /// The wait is over, but a destination still rings.
    overdue: bool,
    /// When the next announcement begins.
    announce_at: Option<Instant>,
    /// The announcement that is heard.
    announcement: Option<PlayNumber>,
}

#[derive(Debug)]
enum Phase {
    Waiting,
    Offered {
        leg: LegNumber,
    },
    Connected {
        leg: LegNumber,
        recording: Option<RecordingNumber>,
    },
}

impl NodeType for Queue {
    fn branches(&self) -> Vec<Branch> {
        ["continue", "full", "timeout", "drop_out", "failed"]
            .map(Branch::optional)
            .to_vec()
    }

    fn is_telephony(&self) -> bool {
        true
    }

    fn check(&self, checker: &mut Checker<'_>) {
        let permitted = checker.permissions().queues;
        checker.permission(permitted, "", "queues");
        checker.name("queue", &self.queue);
        checker.list_length("destinations", self.destinations.len(), MOST_DESTINATIONS);
        checker.each(&self.destinations, |checker, destination| {
            checker.destination("destinations", destination);
        });
        checker.number("max_connected", &self.max_connected, MAX_CONNECTED);
        checker.number("max_waiting", &self.max_waiting, MAX_WAITING);
        if let Some(wait) = &self.max_wait_s {
            checker.number("max_wait_s", wait, MAX_WAIT_S);
        }
        checker.number("ring_duration_s", &self.ring_duration_s, delivery::RING_S);
        self.hold.check("hold", checker);
        if let Some(every) = &self.position_every_s {
            checker.number("position_every_s", every, POSITION_EVERY_S);
            checker.needed("position_text", &self.position_text);
        }
        checker.text("position_text", &self.position_text);
        checker.key("drop_out_key", self.drop_out_key);
        if checker.is_connected("drop_out") && self.drop_out_key.is_none() {
            checker.branch_error(
                Code::UnknownBranch,
                Some("drop_out"),
                "without a drop_out_key nobody can drop out".to_owned(),
            );
        }
        self.recording.check(checker);
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        let destinations: Vec<String> = self
            .destinations
            .iter()
            .filter_map(|setting| delivery::dialled(setting, run))
            .collect();
        let Some(queue) = run.parsed(&self.queue, delivery::name) else {
            return Next::leave("failed");
        };
        if destinations.is_empty() {
            return Next::leave("failed");
        }
        if self.drop_out_key.is_some() {
            run.answer();
        }
        let hearing = self.hold.play(run);
        let limit = |setting, range: RangeInclusive<u32>, otherwise| {
            u16::try_from(run.number(setting, range, otherwise)).unwrap_or(u16::MAX)
        };
        let entry = QueueEntry {
            queue,
            destinations,
            max_connected: limit(&self.max_connected, MAX_CONNECTED, 1),
            max_waiting: limit(&self.max_waiting, MAX_WAITING, 100),
        };
        run.push(Effect::JoinQueue(entry));
        let ends_at = self.max_wait_s.as_ref().and_then(|wait| {
            let wait = run.seconds(wait, MAX_WAIT_S, 600);
            run.instant_after(wait)
        });
        let queueing = Queueing {
            phase: Phase::Waiting,
            lost: false,
            hearing,
            ends_at,
            overdue: false,
            announce_at: self.next_announcement(run),
            announcement: None,
        };
        queueing.wait(run)
    }

    fn on_event(&self, _here: &Node, state: State, event: &Event, run: &mut Run) -> Next {
        let State::Queueing(mut queueing) = state else {
            return Next::Wait(state);
        };
        if let Event::Queued { position } | Event::QueuePosition { position } = event {
            run.variables
                .set_built_in("@queue_position", position.to_string());
            return queueing.wait(run);
        }
        if let Phase::Connected { leg, recording } = queueing.phase {
            return match event {
                Event::HungUp { leg: gone, .. } if *gone == leg => {
                    delivery::disconnect(recording, run);
                    queueing.leave_queue(run);
                    Next::leave("continue")
                }
                Event::QueueLost => {
                    queueing.lost = true;
                    queueing.wait(run)
                }
                _ => queueing.wait(run),
            };
        }
        match (&queueing.phase, event) {
            (Phase::Waiting, Event::QueueRefused) => {
                queueing.lost = true;
                queueing.leave("full", run)
            }
            (Phase::Waiting, Event::QueueLost) => {
                queueing.lost = true;
                queueing.leave("failed", run)
            }
            (Phase::Offered { .. }, Event::QueueLost) => {
                queueing.lost = true;
                queueing.wait(run)
            }
            (Phase::Waiting, Event::QueueOffered { destination }) => {
                let ring = run.seconds(&self.ring_duration_s, delivery::RING_S, 20);
                let leg = run.dial(destination.clone(), ring, None, false);
                queueing.phase = Phase::Offered { leg };
                queueing.wait(run)
            }
            (Phase::Offered { leg }, Event::Answered { leg: answered }) if leg == answered => {
                let leg = *leg;
                queueing.answer_offer(None, run);
                let recording = delivery::connect(leg, self.recording, run);
                queueing.phase = Phase::Connected { leg, recording };
                queueing.ends_at = None;
                queueing.announce_at = None;
                queueing.announcement = None;
                queueing.wait(run)
            }
            (
                Phase::Offered { leg },
                Event::DialFailed {
                    leg: failed, cause, ..
                }
                | Event::HungUp { leg: failed, cause },
            ) if leg == failed => {
                queueing.phase = Phase::Waiting;
                queueing.answer_offer(Some(*cause), run);
                if queueing.lost {
                    queueing.leave("failed", run)
                } else if queueing.overdue {
                    queueing.leave("timeout", run)
                } else {
                    queueing.wait(run)
                }
            }
            (
                _,
                Event::Digit {
                    leg: LegNumber::A,
                    digit,
                },
            ) if self.drop_out_key == Some(*digit) => queueing.leave("drop_out", run),
            (_, Event::Played { play, .. }) if queueing.announcement == Some(*play) => {
                queueing.announcement = None;
                queueing.announce_at = self.next_announcement(run);
                queueing.hearing = self.hold.play(run);
                queueing.wait(run)
            }
            (_, Event::TimedOut) => self.on_timeout(queueing, run),
            _ => queueing.wait(run),
        }
    }

    fn default_end(&self, branch: &str, _run: &Run) -> DefaultEnd {
        match branch {
            "full" => (Cause::UserBusy, Some(Tone::Busy)),
            "timeout" => (Cause::NoAnswer, Some(Tone::Busy)),
            "failed" => (Cause::TemporaryFailure, Some(Tone::Congestion)),
            _ => (Cause::NormalClearing, None),
        }
    }
}

impl Queue {
    fn next_announcement(&self, run: &Run) -> Option<Instant> {
        let every = self.position_every_s.as_ref()?;
        run.instant_after(run.seconds(every, POSITION_EVERY_S, 30))
    }

    fn on_timeout(&self, mut queueing: Queueing, run: &mut Run) -> Next {
        let now = run.now_instant();
        let is_due = |at: Option<Instant>| at.zip(now).is_some_and(|(at, now)| now >= at);
        if is_due(queueing.ends_at) {
            queueing.ends_at = None;
            // Somebody whose phone rings for this caller is not turned away any more.
            if matches!(queueing.phase, Phase::Waiting) {
                return queueing.leave("timeout", run);
            }
            queueing.overdue = true;
        }
        if is_due(queueing.announce_at) {
            queueing.announce_at = None;
            let text = run.variables.substitute(&self.position_text);
            let voice = String::new();
            queueing.announcement = Some(run.play(vec![Sound::Text { text, voice }], false));
            queueing.hearing = true;
        }
        queueing.wait(run)
    }
}

impl Queueing {
    /// Waits for the next event, or the nearer of the two times.
    fn wait(self, run: &mut Run) -> Next {
        run.deadline = [self.ends_at, self.announce_at].into_iter().flatten().min();
        Next::Wait(State::Queueing(self))
    }

    /// Leaves the queue before anybody answered.
    fn leave(&self, branch: &str, run: &mut Run) -> Next {
        if let Phase::Offered { leg } = self.phase {
            run.push(Effect::HangUp {
                leg,
                cause: Cause::NormalClearing,
            });
        }
        if self.hearing {
            run.stop_play();
        }
        self.leave_queue(run);
        Next::leave(branch)
    }

    fn leave_queue(&self, run: &mut Run) {
        if !self.lost {
            run.push(Effect::LeaveQueue);
        }
        run.variables
            .set_built_in("@queue_position", "0".to_owned());
    }

    fn answer_offer(&self, refused: Option<Cause>, run: &mut Run) {
        if !self.lost {
            run.push(Effect::AnswerOffer { refused });
        }
    }
}
