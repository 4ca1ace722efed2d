//! The states of calls and legs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a call is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Its first party is being dialled.
    Dialling,
    /// Its A-party rings, or waits to be answered.
    Ringing,
    /// The A-party is connected.
    InProgress,
    /// It is over.
    Ended,
}

/// How far a leg is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// Dialled, or arrived: nothing rings yet.
    Dialling,
    /// It rings.
    Ringing,
    /// Connected; it hears what it is played.
    Answered,
    /// Connected and talking to another leg of its call.
    Bridged,
    /// Connected and in a conference.
    Conferenced,
    /// It is over.
    Ended,
}

impl LegState {
    /// Whether the state may follow this one. Nothing follows the end, and nothing goes back to
    /// ringing.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Dialling => matches!(next, Self::Ringing | Self::Answered | Self::Ended),
            Self::Ringing => matches!(next, Self::Answered | Self::Ended),
            Self::Answered => matches!(next, Self::Bridged | Self::Conferenced | Self::Ended),
            Self::Bridged | Self::Conferenced => matches!(next, Self::Answered | Self::Ended),
            Self::Ended => false,
        }
    }

    /// Answered, whatever it does now.
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Answered | Self::Bridged | Self::Conferenced)
    }
}
