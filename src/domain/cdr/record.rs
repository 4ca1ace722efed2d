//! What is kept of a call and of its legs.

use super::WithheldNumber;
use crate::call::{CallState, LegState, Origin};
use crate::cause::{Cause, Outcome};
use crate::ids::{AccountId, CallId, InstanceId, LegId, RecordingId, ScheduledCallId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which party a leg is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = PartyRole)]
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
    /// How it sounded; null when no media came and nothing was reported.
    pub quality: Option<LegQuality>,
}

/// How a leg sounded, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LegQuality {
    /// Round trip between the platform and the far party in ms (RFC 3550 §6.4.1); null until both
    /// have reported by RTCP.
    pub round_trip_ms: Option<f64>,
    /// What the far party sent, as it came to the platform.
    pub received: Option<StreamQuality>,
    /// What the platform sent, as the far party reported by RTCP; null when it has not.
    pub sent: Option<StreamQuality>,
}

/// How one direction of a leg sounded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamQuality {
    /// Packets that were lost or came too late to be heard, in percent.
    pub loss_percent: f64,
    /// Interarrival jitter in ms, on average (RFC 3550 A.8).
    pub jitter_ms: f64,
    /// Mean opinion score, 1 to 4.5, estimated by the E-model (ITU-T G.107) from codec, loss, its
    /// bursts, and delay.
    pub mos: f64,
}

impl LegRecord {
    pub(super) fn state(&self) -> LegState {
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

    pub(super) fn end(&mut self, ending: Ending, at: DateTime<Utc>) {
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
    /// The caller's number or address, or the number that we presented to the first party; null when
    /// withheld.
    pub calling: Option<String>,
    /// The caller's number or address where it was withheld and is known all the same; masked, unless
    /// the reader's account may see withheld numbers.
    #[schema(value_type = Option<String>, example = "+447700******")]
    pub withheld_calling: Option<WithheldNumber>,
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
    /// The record for a reader who may see withheld numbers.
    #[must_use]
    pub fn reveal(mut self) -> Self {
        self.withheld_calling = self.withheld_calling.map(WithheldNumber::reveal);
        self
    }

    /// Ends the call and every leg that is still open. A record that has ended stays as it is.
    pub(super) fn end(&mut self, ending: Ending, at: DateTime<Utc>) {
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
