//! **Day**: goes one of two ways by the day of the week.
//!
//! The day is that of the account's time zone, or of `time_zone`. Branches: `match` when it is one
//! of `days`, else `no_match`; both mandatory.

use super::{Branch, Next, NodeType};
use crate::calendar::Day;
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::Checker;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The properties of Day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DayNode {
    /// The days that match; at least one.
    pub days: BTreeSet<Day>,
    /// An IANA time zone; `null`: that of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Setting<String>>,
}

impl NodeType for DayNode {
    fn branches(&self) -> Vec<Branch> {
        vec![Branch::mandatory("match"), Branch::mandatory("no_match")]
    }

    fn check(&self, checker: &mut Checker<'_>) {
        if self.days.is_empty() {
            checker.missing("days");
        }
        checker.time_zone("time_zone", self.time_zone.as_ref());
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        let zone = run.time_zone(self.time_zone.as_ref());
        let today = run.utc().map(|now| Day::at(now, zone));
        if today.is_some_and(|today| self.days.contains(&today)) {
            Next::leave("match")
        } else {
            Next::leave("no_match")
        }
    }
}
