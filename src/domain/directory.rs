//! Which service number was dialled, whose it is, and which plan answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a service number takes calls.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NumberStatus {
    /// It does.
    #[default]
    Active,
    /// It waits for its owner: callers are refused.
    Parked,
    /// It was taken out of service: callers are refused.
    Suspended,
}
