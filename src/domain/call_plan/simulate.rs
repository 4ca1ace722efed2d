//! Runs a plan on a script of events in virtual time.
//!
//! The same interpreter runs as in a live call; around it stands a small world that does what the
//! network and the media would do: sounds take their time, keys and answers come when the script
//! says, a destination that the script says nothing of rings until its time is over. Nothing waits:
//! a simulated hour takes microseconds.

mod transcript;
mod world;

pub use transcript::{End, SimulatedEffect, SimulatedStep, Transcript};

use super::plan::Plan;
use super::variables::Globals;
use crate::call::Origin;
use crate::cause::Cause;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// What happens in a simulated call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlanScript)]
pub struct Script {
    /// How the call comes to be.
    #[serde(default = "inbound")]
    pub origin: Origin,
    /// The number of the A-party; `null`: withheld.
    #[serde(default)]
    pub calling: Option<String>,
    /// The dialled number.
    #[serde(default)]
    pub called: String,
    /// When the call begins.
    #[serde(with = "crate::timestamp")]
    pub at: DateTime<Utc>,
    /// The account's time zone.
    #[serde(default = "london")]
    #[schema(value_type = String, example = "Europe/London")]
    pub time_zone: Tz,
    /// Values given when the call is started.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The shared values of `global` variables.
    #[serde(default)]
    pub globals: BTreeMap<String, String>,
    /// What happens, in any order.
    #[serde(default)]
    pub events: Vec<ScriptEvent>,
}

fn inbound() -> Origin {
    Origin::Inbound
}

fn london() -> Tz {
    Tz::Europe__London
}

impl Script {
    /// An inbound call in which nothing happens by itself.
    pub fn inbound(at: DateTime<Utc>) -> Self {
        Self {
            origin: Origin::Inbound,
            calling: None,
            called: String::new(),
            at,
            time_zone: london(),
            variables: BTreeMap::new(),
            globals: BTreeMap::new(),
            events: Vec::new(),
        }
    }
}

/// Something that happens at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlanScriptEvent)]
pub struct ScriptEvent {
    /// When, in ms from the beginning of the call.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub happening: Happening,
}

/// Something that people or the network do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[schema(as = PlanScriptHappening)]
pub enum Happening {
    /// The A-party presses keys, 250 ms apart.
    Digits {
        /// `0-9 A-D * #`.
        digits: String,
    },
    /// The leg that is dialled answers.
    Answered,
    /// The leg that is dialled is not answered.
    DialFailed {
        /// Why: `user_busy`, `no_answer`, `unallocated_number`, …
        cause: Cause,
    },
    /// A party hangs up.
    HungUp {
        /// Which.
        party: Party,
    },
    /// From now on queues and conferences take nobody.
    Full,
    /// From now on no destination of a queue is free.
    NobodyFree,
    /// The caller's place in the queue.
    QueuePosition {
        /// 1 is the head.
        position: u16,
    },
    /// The next destination of the queue is free.
    QueueOffered,
    /// The conference ends.
    ConferenceEnded,
}

/// A party of a simulated call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PlanScriptParty)]
pub enum Party {
    /// The caller, or the first party.
    A,
    /// The one that was dialled last.
    B,
}

/// Runs `plan` on `script`, to its end or until nothing more happens. The transcript is the same
/// for the same plan and script. A call is given up after a day, or after 10,000 events.
pub fn simulate(plan: &Arc<Plan>, script: &Script) -> Transcript {
    let globals = Globals(script.globals.clone());
    world::World::new(plan, script, globals).run()
}
