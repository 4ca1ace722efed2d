//! Scheduled calls: what may be asked for, when it is due, how it goes, and what a crash leaves.

mod agenda;
mod request;

pub use agenda::{Agenda, Effect, Input, Job};
pub use request::{Booking, Hosted, MAX_RING_S, PlanReadiness, Request, Setting, check};

use crate::cause::Cause;
use crate::ids::{AccountId, CallId, ScheduledCallId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a scheduled call is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for its time.
    Queued,
    /// Its first party is being dialled. From here on it is never dialled again.
    Dialling,
    /// The first party's phone rings.
    Ringing,
    /// The first party answered; the call plan runs.
    InProgress,
    /// The call was answered and is over.
    Completed,
    /// The first party was not reached, or the call was refused or cut.
    Failed,
    /// It was cancelled while it was queued.
    Cancelled,
    /// Its window passed before it could be dialled.
    Expired,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Dialling,
        Self::Ringing,
        Self::InProgress,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Whether nothing follows it.
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Dialling | Self::Ringing | Self::InProgress => false,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Expired => true,
        }
    }

    /// Whether its call is being dialled or talks: it counts for the simultaneous cap.
    pub fn is_in_progress(self) -> bool {
        matches!(self, Self::Dialling | Self::Ringing | Self::InProgress)
    }

    /// Its name in documents and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Dialling => "dialling",
            Self::Ringing => "ringing",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The state after a fact; none: the fact cannot come in this state.
    pub fn after(self, fact: &Fact) -> Option<Self> {
        match (self, fact) {
            (Self::Queued, Fact::Claimed { .. }) => Some(Self::Dialling),
            (Self::Queued, Fact::Cancelled) => Some(Self::Cancelled),
            (Self::Queued, Fact::Expired) => Some(Self::Expired),
            (Self::Dialling, Fact::Rang) => Some(Self::Ringing),
            (Self::Dialling | Self::Ringing, Fact::Answered) => Some(Self::InProgress),
            (Self::InProgress, Fact::Ended { .. }) => Some(Self::Completed),
            (Self::Queued, Fact::Refused { .. })
            | (Self::Dialling | Self::Ringing, Fact::Ended { .. } | Fact::Cut)
            | (Self::InProgress, Fact::Cut) => Some(Self::Failed),
            (_, _) => None,
        }
    }
}

/// What happens to a scheduled call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The scheduler took it: this call dials it now.
    Claimed {
        /// The call.
        call: CallId,
    },
    /// The first party's phone rings.
    Rang,
    /// The first party answered.
    Answered,
    /// The call is over.
    Ended {
        /// Why.
        cause: Cause,
        /// The final SIP status, where the first party refused.
        sip_status: Option<u16>,
    },
    /// Its owner does not want it any more.
    Cancelled,
    /// Its window has passed.
    Expired,
    /// The rules, checked again when it was due, do not hold any more.
    Refused {
        /// The cause on record.
        cause: Cause,
        /// Which rules, in words.
        why: String,
    },
    /// The platform or the call's actor died while the call was dialled or talked.
    Cut,
}

/// A fact that cannot come in the call's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scheduled call that is {} cannot take this", .state.name())]
pub struct Illegal {
    /// The state in which it stays.
    pub state: State,
}

/// A scheduled call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduledCall {
    /// Its identifier.
    pub id: ScheduledCallId,
    /// Whose it is.
    pub account: AccountId,
    /// What was asked for.
    #[serde(flatten)]
    pub booking: Booking,
    /// How far it is.
    pub state: State,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// Which rules did not hold any more when it was due, in words; null: it was not refused.
    pub failure: Option<String>,
    /// The final SIP status, where the first party refused.
    pub sip_status: Option<u16>,
    /// The call that carries it out.
    pub call: Option<CallId>,
    /// When it was asked for.
    #[serde(with = "crate::timestamp")]
    pub created_at: DateTime<Utc>,
    /// When its state changed last.
    #[serde(with = "crate::timestamp")]
    pub updated_at: DateTime<Utc>,
    /// When the first party answered.
    #[serde(with = "crate::timestamp::optional")]
    pub answered_at: Option<DateTime<Utc>>,
    /// When it was over.
    #[serde(with = "crate::timestamp::optional")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl ScheduledCall {
    /// A new one, queued.
    pub fn new(
        id: ScheduledCallId,
        account: AccountId,
        booking: Booking,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            account,
            booking,
            state: State::Queued,
            cause: None,
            failure: None,
            sip_status: None,
            call: None,
            created_at: now,
            updated_at: now,
            answered_at: None,
            ended_at: None,
        }
    }

    /// Takes a fact. A call that was cut fails with cause 41.
    pub fn apply(&mut self, fact: Fact, now: DateTime<Utc>) -> Result<(), Illegal> {
        let next = self
            .state
            .after(&fact)
            .ok_or(Illegal { state: self.state })?;
        match fact {
            Fact::Claimed { call } => self.call = Some(call),
            Fact::Answered => self.answered_at = Some(now),
            Fact::Ended { cause, sip_status } => {
                self.cause = Some(cause);
                self.sip_status = sip_status;
            }
            Fact::Refused { cause, why } => {
                self.cause = Some(cause);
                self.failure = Some(why);
            }
            Fact::Cut => self.cause = Some(Cause::TemporaryFailure),
            Fact::Rang | Fact::Cancelled | Fact::Expired => {}
        }
        self.state = next;
        self.updated_at = now;
        if next.is_final() {
            self.ended_at = Some(now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
