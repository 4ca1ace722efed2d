//! **Deliver call**: dials a destination and connects the caller to it.
//!
//! When the destination is busy, does not answer within `ring_duration_s` or can't be reached, the
//! further destinations are dialled in their order. A caller who was not answered before hears
//! ringing until somebody answers, and is answered then; with music or sounds to `hold` it is
//! answered at once. Branches, all optional: `continue` when the other party has hung up, and by
//! the last destination `busy`, `no_reply` or `failed`. Without them the call ends, after the tone
//! that tells why.

use super::delivery::{self, Hold, RecordingMode};
use super::{Branch, Next, NodeType, State};
use crate::call::{Event, LegNumber, RecordingNumber};
use crate::call_plan::interpreter::DefaultEnd;
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::{Checker, Code};
use crate::cause::Cause;
use serde::{Deserialize, Serialize};

/// The most further destinations.
const MOST_FURTHER: usize = 9;

/// The properties of Deliver call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverCall {
    /// Whom to dial: E.164 with `+`, or a SIP address where the account may use one.
    pub destination: Setting<String>,
    /// Whom to dial next when that one does not answer; up to nine.
    pub further_destinations: Vec<Setting<String>>,
    /// How long each may ring, in seconds; 5 to 300.
    pub ring_duration_s: Setting<u32>,
    /// The number that is shown to the destination; `null`: by the rule of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presentation: Option<Setting<String>>,
    /// Whether the conversation is recorded.
    pub recording: RecordingMode,
    /// The caller hears the destination's own tones and announcements before it answers.
    pub early_media: bool,
    /// What the caller hears until somebody answers.
    pub hold: Hold,
}

impl Default for DeliverCall {
    fn default() -> Self {
        Self {
            destination: Setting::default(),
            further_destinations: Vec::new(),
            ring_duration_s: 30.into(),
            presentation: None,
            recording: RecordingMode::Off,
            early_media: false,
            hold: Hold::Ringing,
        }
    }
}

/// A call on its way to somebody, or connected.
#[derive(Debug)]
pub(crate) enum Delivering {
    /// A destination is dialled.
    Dialling {
        leg: LegNumber,
        /// Its place among the destinations.
        index: usize,
        /// The caller hears something of ours.
        hearing: bool,
    },
    /// They hear each other.
    Connected {
        leg: LegNumber,
        recording: Option<RecordingNumber>,
    },
}

impl NodeType for DeliverCall {
    fn branches(&self) -> Vec<Branch> {
        ["continue", "busy", "no_reply", "failed"]
            .map(Branch::optional)
            .to_vec()
    }

    fn is_telephony(&self) -> bool {
        true
    }

    fn check(&self, checker: &mut Checker<'_>) {
        checker.destination("destination", &self.destination);
        if self.further_destinations.len() > MOST_FURTHER {
            checker.error(
                Code::OutOfRange,
                "further_destinations",
                format!("at most {MOST_FURTHER} further destinations"),
            );
        }
        checker.each(&self.further_destinations, |checker, destination| {
            checker.destination("further_destinations", destination);
        });
        checker.number("ring_duration_s", &self.ring_duration_s, delivery::RING_S);
        checker.presentation("presentation", self.presentation.as_ref());
        self.recording.check(checker);
        self.hold.check("hold", checker);
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        let hearing = self.hold.play(run);
        self.dial(0, hearing, Cause::InvalidNumberFormat, run)
    }

    fn on_event(&self, _here: &Node, state: State, event: &Event, run: &mut Run) -> Next {
        let State::Delivering(delivering) = state else {
            return Next::Wait(state);
        };
        match (&delivering, event) {
            (Delivering::Dialling { leg, .. }, Event::Answered { leg: answered })
                if leg == answered =>
            {
                let recording = delivery::connect(*leg, self.recording, run);
                Next::Wait(State::Delivering(Delivering::Connected {
                    leg: *leg,
                    recording,
                }))
            }
            (
                Delivering::Dialling {
                    leg,
                    index,
                    hearing,
                },
                Event::DialFailed {
                    leg: failed, cause, ..
                }
                | Event::HungUp { leg: failed, cause },
            ) if leg == failed => self.dial(index + 1, *hearing, *cause, run),
            (Delivering::Connected { leg, recording }, Event::HungUp { leg: gone, .. })
                if leg == gone =>
            {
                delivery::disconnect(*recording, run);
                Next::leave("continue")
            }
            _ => Next::Wait(State::Delivering(delivering)),
        }
    }

    fn default_end(&self, branch: &str, run: &Run) -> DefaultEnd {
        if branch == "continue" {
            (Cause::NormalClearing, None)
        } else {
            delivery::end_for(run.last_cause())
        }
    }
}

impl DeliverCall {
    /// Dials the destination at `index`, or the next one that can be dialled.
    fn dial(&self, index: usize, hearing: bool, mut cause: Cause, run: &mut Run) -> Next {
        let destinations = std::iter::once(&self.destination).chain(&self.further_destinations);
        for (index, setting) in destinations.enumerate().skip(index) {
            let Some(destination) = delivery::dialled(setting, run) else {
                cause = Cause::InvalidNumberFormat;
                continue;
            };
            let ring = run.seconds(&self.ring_duration_s, delivery::RING_S, 30);
            let presentation = self
                .presentation
                .as_ref()
                .and_then(|presentation| run.parsed(presentation, delivery::number))
                .map(|number| number.to_string());
            let leg = run.dial(destination, ring, presentation, self.early_media);
            return Next::Wait(State::Delivering(Delivering::Dialling {
                leg,
                index,
                hearing,
            }));
        }
        if hearing {
            run.stop_play();
        }
        run.set_last_cause(cause);
        Next::leave(delivery::branch_for(cause))
    }
}
