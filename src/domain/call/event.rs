//! Everything that a call may tell its driver.

use super::{LegNumber, PlayNumber, RecordingNumber};
use crate::account::Permissions;
use crate::cause::Cause;
use crate::ids::{AccountId, CallId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

/// How a call came to be.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A caller dialled a service number.
    Inbound,
    /// A scheduled call: its first party answered and is now the A-party.
    Scheduled,
    /// An outbound service: the dialled party answered.
    OutboundService,
}

impl Origin {
    /// Its name in documents, rows and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Scheduled => "scheduled",
            Self::OutboundService => "outbound_service",
        }
    }
}

/// What is known when the driver starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The call.
    pub call: CallId,
    /// The account that owns it.
    pub account: AccountId,
    /// How it came to be.
    pub origin: Origin,
    /// The A-party's number or SIP address; `None` when withheld.
    pub calling: Option<String>,
    /// The dialled service number, or the dialled first party.
    pub called: String,
    /// Values given by the request that started the call (scheduled call `variables`).
    pub variables: BTreeMap<String, String>,
    /// The account's time zone.
    pub time_zone: chrono_tz::Tz,
    /// What the account may do when the call begins.
    pub permissions: Permissions,
}

/// One fact of a call, told to its driver.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The A-party is there: ringing (inbound) or answered (dialled by us). The first event.
    Started,
    /// A key was pressed (`0-9 A-D * #`).
    Digit {
        /// By whom.
        leg: LegNumber,
        /// Which.
        digit: char,
    },
    /// A play that does not repeat came to its end, or could not be played.
    Played {
        /// The leg.
        leg: LegNumber,
        /// The play.
        play: PlayNumber,
        /// Why it could not be played.
        failure: Option<String>,
    },
    /// A dialled leg rings.
    Ringing {
        /// The leg.
        leg: LegNumber,
    },
    /// A dialled leg answered.
    Answered {
        /// The leg.
        leg: LegNumber,
    },
    /// A dialled leg was not answered; it is gone.
    DialFailed {
        /// The leg.
        leg: LegNumber,
        /// Why.
        cause: Cause,
        /// The SIP status, where one came.
        status: Option<u16>,
    },
    /// An answered leg (or the A-party, answered or not) has cleared.
    HungUp {
        /// The leg.
        leg: LegNumber,
        /// Why.
        cause: Cause,
    },
    /// A recording ended; its file is complete.
    Recorded {
        /// Which.
        recording: RecordingNumber,
        /// The file's name in the media store.
        file: String,
        /// Its length.
        duration: Duration,
        /// Somebody was heard in it.
        contains_sound: bool,
        /// Why it failed.
        failure: Option<String>,
    },
    /// The leg is in its room.
    ConferenceJoined {
        /// The leg.
        leg: LegNumber,
        /// How many are in it now.
        members: u16,
    },
    /// The room is full, or closed.
    ConferenceRefused {
        /// The leg.
        leg: LegNumber,
    },
    /// The room ended, or the leg was removed from it.
    ConferenceLeft {
        /// The leg.
        leg: LegNumber,
    },
    /// The A-party waits.
    Queued {
        /// 1 is the head.
        position: u16,
    },
    /// Its place changed.
    QueuePosition {
        /// 1 is the head.
        position: u16,
    },
    /// The queue is full.
    QueueRefused,
    /// A destination is free for this caller: dial it and answer with `AnswerOffer`.
    QueueOffered {
        /// Whom to dial.
        destination: String,
    },
    /// The queue is gone (its actor failed): go on without it.
    QueueLost,
    /// The driver's own deadline has passed.
    TimedOut,
    /// The call must end now (hung up by API, drain, account closed).
    Stop {
        /// The cause to end with.
        cause: Cause,
    },
}
