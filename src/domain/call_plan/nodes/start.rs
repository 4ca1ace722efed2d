//! **Start**: every call of the plan begins here. A plan has exactly one.
//!
//! Branches: `continue` (mandatory) is taken by callers; `scheduled_call` by the first party of a
//! scheduled call, which has answered already. Both may lead to the same node. When
//! `scheduled_call` is switched on, its branch has to be connected; when it is off, it may be. The
//! account needs the permission for scheduled calls to connect it.

use super::{Branch, Next, NodeType};
use crate::call::{Origin, Tone};
use crate::call_plan::interpreter::DefaultEnd;
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::validate::Checker;
use crate::cause::Cause;
use serde::{Deserialize, Serialize};

/// The properties of Start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Start {
    /// Scheduled calls may run the plan: their branch has to be connected.
    pub scheduled_call: bool,
}

impl NodeType for Start {
    fn branches(&self) -> Vec<Branch> {
        vec![
            Branch::mandatory("continue"),
            Branch {
                name: "scheduled_call".into(),
                mandatory: self.scheduled_call,
            },
        ]
    }

    fn check(&self, checker: &mut Checker<'_>) {
        let wanted = self.scheduled_call || checker.is_connected("scheduled_call");
        let permitted = checker.permissions().scheduled_calls;
        checker.permission(!wanted || permitted, "scheduled_call", "scheduled calls");
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        match run.origin() {
            Origin::Scheduled => Next::leave("scheduled_call"),
            Origin::Inbound | Origin::OutboundService => Next::leave("continue"),
        }
    }

    fn default_end(&self, _branch: &str, _run: &Run) -> DefaultEnd {
        (Cause::ServiceUnavailable, Some(Tone::NumberUnobtainable))
    }
}
