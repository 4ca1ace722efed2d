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
    /// Connected.
    Answered,
    /// It is over.
    Ended,
}
