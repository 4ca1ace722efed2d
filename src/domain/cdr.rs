//! Call detail records: a timeline of facts becomes one record with all legs of a call.

use crate::call::{CallState, LegNumber, LegState, Origin};
use crate::cause::{Cause, Outcome};
use crate::ids::{AccountId, CallId, InstanceId, LegId, RecordingId, ScheduledCallId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most steps, and the most annotations, that a record keeps: a plan may run in circles for
/// hours.
const MOST_KEPT: usize = 1000;

/// Which party a leg is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The caller, or the first party of a call that the platform started.
    A,
    /// A destination reached by outdial.
    B,
    /// A third party.
    C,
}

/// Who dialled.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The far party dialled us.
    Inbound,
    /// We dialled it.
    Outbound,
}

/// One leg of a call, live or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LegRecord {
    /// The leg.
    pub id: LegId,
    /// Its number within the call; 0 is the A-party.
    pub number: u16,
    /// Which party.
    pub role: Role,
    /// 1: primary leg, 2: outdial, 167: first party of a scheduled call.
    pub call_type: u16,
    /// Who dialled.
    pub direction: Direction,
    /// The far party's number or SIP URI; null when withheld.
    pub address: Option<String>,
    /// The number that was presented to it.
    pub presentation: Option<String>,
    /// When it was dialled, or came.
    #[serde(with = "crate::timestamp")]
    pub started_at: DateTime<Utc>,
    /// When it began to ring.
    #[serde(with = "crate::timestamp::optional")]
    pub ringing_at: Option<DateTime<Utc>>,
    /// When it was answered.
    #[serde(with = "crate::timestamp::optional")]
    pub answered_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(with = "crate::timestamp::optional")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// The same as a Q.850 value.
    pub q850: Option<u8>,
    /// The final SIP status, where one came or was sent.
    pub sip_status: Option<u16>,
    /// The codec (`PCMA`).
    pub codec: Option<String>,
    /// RTP packets sent to it.
    pub packets_sent: u64,
    /// RTP packets received from it.
    pub packets_received: u64,
}

impl LegRecord {
    fn state(&self) -> LegState {
        if self.ended_at.is_some() {
            LegState::Ended
        } else if self.answered_at.is_some() {
            LegState::Answered
        } else if self.ringing_at.is_some() {
            LegState::Ringing
        } else {
            LegState::Dialling
        }
    }

    fn end(&mut self, ending: Ending, at: DateTime<Utc>) {
        if self.ended_at.is_none() {
            self.ended_at = Some(at);
            self.cause = Some(ending.cause);
            self.q850 = Some(ending.cause.q850());
            self.sip_status = ending.sip_status;
        }
    }
}

/// A node or an action that the call reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// When.
    #[serde(with = "crate::timestamp")]
    pub at: DateTime<Utc>,
    /// Node id or action index.
    pub node: String,
    /// Its type.
    pub kind: String,
    /// The branch by which the one before was left.
    pub branch: String,
}

/// A value that the driver put on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Annotation {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// A call with all its legs: live while `ended_at` is null, afterwards its record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallRecord {
    /// The call.
    pub id: CallId,
    /// Whose it is.
    pub account: AccountId,
    /// How it came to be.
    pub origin: Origin,
    /// The service number on which it runs; an outbound service has none.
    pub service_number: Option<String>,
    /// The A-party's number or address; null when withheld.
    pub calling: Option<String>,
    /// The dialled service number, or the dialled first party.
    pub called: String,
    /// How far it is.
    pub state: CallState,
    /// When it came, or was dialled.
    #[serde(with = "crate::timestamp")]
    pub started_at: DateTime<Utc>,
    /// When the A-party was answered, or answered.
    #[serde(with = "crate::timestamp::optional")]
    pub answered_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(with = "crate::timestamp::optional")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// The same as a Q.850 value.
    pub q850: Option<u8>,
    /// The final SIP status of the A-party, where it was refused.
    pub sip_status: Option<u16>,
    /// How it went.
    pub outcome: Option<Outcome>,
    /// From answer to end; 0 when it was not answered.
    pub duration_ms: u64,
    /// The scheduled call that it carries out.
    pub scheduled_call: Option<ScheduledCallId>,
    /// The application instance that drives it.
    pub instance: Option<InstanceId>,
    /// How many legs a complete record has; `legs` holds as many when the call has ended.
    pub expected_count: u16,
    /// Its legs, the A-party first.
    pub legs: Vec<LegRecord>,
    /// What its driver reached, in order; the first thousand.
    pub steps: Vec<Step>,
    /// What its driver put on record, in order; the first thousand.
    pub annotations: Vec<Annotation>,
    /// Its recordings.
    pub recordings: Vec<RecordingId>,
}

impl CallRecord {
    /// Ends the call and every leg that is still open. A record that has ended stays as it is.
    fn end(&mut self, ending: Ending, at: DateTime<Utc>) {
        if self.ended_at.is_some() {
            return;
        }
        for leg in &mut self.legs {
            leg.end(
                Ending {
                    cause: ending.cause,
                    sip_status: None,
                },
                at,
            );
        }
        self.state = CallState::Ended;
        self.ended_at = Some(at);
        self.cause = Some(ending.cause);
        self.q850 = Some(ending.cause.q850());
        self.sip_status = ending.sip_status;
        self.outcome = Some(ending.cause.outcome(self.answered_at.is_some()));
        let talked = self
            .answered_at
            .map_or(0, |answered| (at - answered).num_milliseconds());
        self.duration_ms = u64::try_from(talked).unwrap_or(0);
        self.expected_count = u16::try_from(self.legs.len()).unwrap_or(u16::MAX);
    }

    /// The record of a call that was cut: its process or its actor died. Made from what was stored
    /// of it last; cause 41.
    #[must_use]
    pub fn cut(mut self, at: DateTime<Utc>) -> Self {
        let at = at.max(self.started_at);
        self.end(
            Ending {
                cause: Cause::TemporaryFailure,
                sip_status: None,
            },
            at,
        );
        self
    }
}

/// How a leg or a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub cause: Cause,
    /// The final SIP status, where there was one.
    pub sip_status: Option<u16>,
}

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
    /// The A-party's number or address; none when withheld.
    pub calling: Option<String>,
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
    /// Its RTP packets so far.
    LegTraffic {
        /// The leg.
        leg: LegNumber,
        /// Sent to it.
        sent: u64,
        /// Received from it.
        received: u64,
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
            } => self.with(leg, |leg| {
                let grown = sent > leg.packets_sent || received > leg.packets_received;
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
