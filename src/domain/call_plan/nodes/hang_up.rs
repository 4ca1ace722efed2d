//! **Hang up**: ends the call.
//!
//! A caller who was not answered is refused with the SIP status of the cause (`user_busy`: 486). It
//! has no branches.

use super::{Branch, Next, NodeType};
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::validate::Checker;
use crate::cause::Cause;
use serde::{Deserialize, Serialize};

/// The properties of Hang up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HangUp {
    /// The cause that is told and kept on record.
    pub cause: Cause,
}

impl Default for HangUp {
    fn default() -> Self {
        Self {
            cause: Cause::NormalClearing,
        }
    }
}

impl NodeType for HangUp {
    fn branches(&self) -> Vec<Branch> {
        Vec::new()
    }

    fn is_telephony(&self) -> bool {
        true
    }

    fn check(&self, _checker: &mut Checker<'_>) {}

    fn enter(&self, _here: &Node, _run: &mut Run) -> Next {
        Next::End(self.cause)
    }
}
