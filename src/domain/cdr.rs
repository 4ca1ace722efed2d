//! Call detail records: a timeline of facts becomes one record with all legs of a call.

mod record;
mod withheld;

pub use record::{
    Annotation, CallRecord, Direction, Ending, LegQuality, LegRecord, Role, Step, StreamQuality,
};
pub use withheld::WithheldNumber;

use crate::call::{CallState, LegNumber, LegState, Origin};
use crate::ids::{AccountId, CallId, InstanceId, LegId, RecordingId, ScheduledCallId};
use chrono::{DateTime, Utc};

/// The most steps, and the most annotations, that a record keeps: a plan may run in circles for
/// hours.
const MOST_KEPT: usize = 1000;

/// What is known when a call begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// The call.
    pub call: CallId,
    /// Whose it is.
    pub account: AccountId,
    /// How it comes to be.
    pub origin: Origin,
    /// The service number on which it runs.
    pub service_number: Option<String>,
    /// The caller's number or address, or the number that we presented to the first party; none when
    /// withheld.
    pub calling: Option<String>,
    /// The caller's number or address where it was withheld and is known all the same.
    pub withheld_calling: Option<WithheldNumber>,
    /// The dialled service number, or the dialled first party.
    pub called: String,
    /// The scheduled call that it carries out.
    pub scheduled_call: Option<ScheduledCallId>,
    /// The application instance that drives it.
    pub instance: Option<InstanceId>,
}

/// A leg that begins.
#[derive(Clone, Debug, PartialEq)]
pub struct LegOpening {
    /// Its number within the call.
    pub leg: LegNumber,
    /// Its identifier.
    pub id: LegId,
    /// Which party.
    pub role: Role,
    /// The far party's number or SIP URI; none when withheld.
    pub address: Option<String>,
    /// The number that is presented to it.
    pub presentation: Option<String>,
}

/// One thing that happened in a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A leg came or is being dialled.
    LegStarted(LegOpening),
    /// It rings.
    LegRinging(LegNumber),
    /// It was answered.
    LegAnswered(LegNumber),
    /// Its codec is agreed; the last one counts.
    LegCodec(LegNumber, String),
    /// Its RTP packets so far, and how they sounded.
    LegTraffic {
        /// The leg.
        leg: LegNumber,
        /// Sent to it.
        sent: u64,
        /// Received from it.
        received: u64,
        /// How it sounded, where that is known.
        quality: Option<LegQuality>,
    },
    /// It ended.
    LegEnded(LegNumber, Ending),
    /// The driver reached a node or an action.
    Step {
        /// Node id or action index.
        node: String,
        /// Its type.
        kind: String,
        /// The branch by which the one before was left.
        branch: String,
    },
    /// The driver put a value on record.
    Annotated {
        /// Name.
        name: String,
        /// Value.
        value: String,
    },
    /// A recording of the call is complete.
    Recorded(RecordingId),
}

/// The facts of one call, in the order in which they happened. [`Timeline::close`] takes it, so that
/// a call has one record and no more.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    record: CallRecord,
}

impl Timeline {
    /// The timeline of a call that begins now.
    pub fn new(opening: Opening, at: DateTime<Utc>) -> Self {
        let record = CallRecord {
            id: opening.call,
            account: opening.account,
            origin: opening.origin,
            service_number: opening.service_number,
            calling: opening.calling,
            withheld_calling: opening.withheld_calling,
            called: opening.called,
            state: match opening.origin {
                Origin::Inbound => CallState::Ringing,
                Origin::Scheduled | Origin::OutboundService => CallState::Dialling,
            },
            started_at: at,
            answered_at: None,
            ended_at: None,
            cause: None,
            q850: None,
            sip_status: None,
            outcome: None,
            duration_ms: 0,
            scheduled_call: opening.scheduled_call,
            instance: opening.instance,
            expected_count: 0,
            legs: Vec::new(),
            steps: Vec::new(),
            annotations: Vec::new(),
            recordings: Vec::new(),
        };
        Self { record }
    }

    /// Notes a fact. Answers whether it is new: what a leg's state does not allow (a second answer,
    /// ringing after the end, a leg that does not exist) is left out.
    pub fn note(&mut self, fact: Fact, at: DateTime<Utc>) -> bool {
        match fact {
            Fact::LegStarted(opening) => self.start_leg(opening, at),
            Fact::LegRinging(number) => {
                let ringing = self.with(number, |leg| {
                    let rings = leg.state() == LegState::Dialling;
                    if rings {
                        leg.ringing_at = Some(at);
                    }
                    rings
                });
                if ringing && number == LegNumber::A {
                    self.record.state = CallState::Ringing;
                }
                ringing
            }
            Fact::LegAnswered(number) => {
                let answered = self.with(number, |leg| {
                    let answers = matches!(leg.state(), LegState::Dialling | LegState::Ringing);
                    if answers {
                        leg.answered_at = Some(at);
                    }
                    answers
                });
                if answered && number == LegNumber::A {
                    self.record.state = CallState::InProgress;
                    self.record.answered_at = Some(at);
                }
                answered
            }
            Fact::LegCodec(number, codec) => self.with(number, |leg| {
                let changed = leg.codec.as_deref() != Some(codec.as_str());
                leg.codec = Some(codec);
                changed
            }),
            Fact::LegTraffic {
                leg,
                sent,
                received,
                quality,
            } => self.with(leg, |leg| {
                let grown = sent > leg.packets_sent || received > leg.packets_received;
                leg.quality = quality.or(leg.quality);
                leg.packets_sent = leg.packets_sent.max(sent);
                leg.packets_received = leg.packets_received.max(received);
                grown
            }),
            Fact::LegEnded(number, ending) => self.with(number, |leg| {
                let open = leg.state() != LegState::Ended;
                leg.end(ending, at);
                open
            }),
            Fact::Step { node, kind, branch } => {
                let room = self.record.steps.len() < MOST_KEPT;
                if room {
                    self.record.steps.push(Step {
                        at,
                        node,
                        kind,
                        branch,
                    });
                }
                room
            }
            Fact::Annotated { name, value } => {
                let room = self.record.annotations.len() < MOST_KEPT;
                if room {
                    self.record.annotations.push(Annotation { name, value });
                }
                room
            }
            Fact::Recorded(recording) => {
                let new = !self.record.recordings.contains(&recording);
                if new {
                    self.record.recordings.push(recording);
                }
                new
            }
        }
    }

    fn start_leg(&mut self, opening: LegOpening, at: DateTime<Utc>) -> bool {
        let number = opening.leg.0;
        if self.record.legs.iter().any(|leg| leg.number == number) {
            return false;
        }
        let origin = self.record.origin;
        let primary = opening.leg == LegNumber::A;
        self.record.legs.push(LegRecord {
            id: opening.id,
            number,
            role: opening.role,
            call_type: call_type(origin, primary),
            direction: if primary && origin == Origin::Inbound {
                Direction::Inbound
            } else {
                Direction::Outbound
            },
            address: opening.address,
            presentation: opening.presentation,
            started_at: at,
            ringing_at: None,
            answered_at: None,
            ended_at: None,
            cause: None,
            q850: None,
            sip_status: None,
            codec: None,
            packets_sent: 0,
            packets_received: 0,
            quality: None,
        });
        self.record.legs.sort_by_key(|leg| leg.number);
        let legs = u16::try_from(self.record.legs.len()).unwrap_or(u16::MAX);
        self.record.expected_count = legs;
        true
    }

    fn with(&mut self, number: LegNumber, change: impl FnOnce(&mut LegRecord) -> bool) -> bool {
        let leg = self
            .record
            .legs
            .iter_mut()
            .find(|leg| leg.number == number.0);
        leg.is_some_and(change)
    }

    /// The call as it stands: what is shown of a live call, and stored in case it is cut.
    pub fn snapshot(&self) -> &CallRecord {
        &self.record
    }

    /// Ends the call and everything still open in it. This is its one record.
    pub fn close(self, ending: Ending, at: DateTime<Utc>) -> CallRecord {
        let mut record = self.record;
        record.end(ending, at);
        record
    }
}

/// The type of a leg's record: 1 the primary leg, 167 the first party of a scheduled call, 2 an
/// outdial. The first party of an outbound service is its primary leg.
fn call_type(origin: Origin, primary: bool) -> u16 {
    match (primary, origin) {
        (true, Origin::Scheduled) => 167,
        (true, Origin::Inbound | Origin::OutboundService) => 1,
        (false, _) => 2,
    }
}

#[cfg(test)]
mod tests;
