//! **Day**: goes one of two ways by the day of the week.
//!
//! The day is that of the account's time zone, or of `time_zone`. Branches: `match` when it is one
//! of `days`, else `no_match`; both mandatory.

use super::{Branch, Next, NodeType};
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::Checker;
use chrono::Datelike;
use serde::{Deserialize, Serialize};

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// The first day of the week.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The seventh.
    Sunday,
}

impl From<chrono::Weekday> for Weekday {
    fn from(day: chrono::Weekday) -> Self {
        match day {
            chrono::Weekday::Mon => Self::Monday,
            chrono::Weekday::Tue => Self::Tuesday,
            chrono::Weekday::Wed => Self::Wednesday,
            chrono::Weekday::Thu => Self::Thursday,
            chrono::Weekday::Fri => Self::Friday,
            chrono::Weekday::Sat => Self::Saturday,
            chrono::Weekday::Sun => Self::Sunday,
        }
    }
}

/// The properties of Day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Day {
    /// The days that match; at least one.
    pub days: Vec<Weekday>,
    /// An IANA time zone; `null`: that of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Setting<String>>,
}

impl NodeType for Day {
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
        let today = run
            .local_time(self.time_zone.as_ref())
            .map(|now| Weekday::from(now.weekday()));
        if today.is_some_and(|today| self.days.contains(&today)) {
            Next::leave("match")
        } else {
            Next::leave("no_match")
        }
    }
}
