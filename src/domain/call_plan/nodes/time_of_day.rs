//! **Time of day**: goes by day and time, for example by opening hours.
//!
//! The entries are tried in their order, and the first that matches is taken: the call leaves by
//! the branch that the entry names. Several entries may name one branch. A range begins at `from`
//! and ends before `to` (`24:00`: at the end of the day). Where `to` is not later than `from`, the
//! range goes over midnight and belongs to the day on which it begins; where they are equal, it is
//! 24 hours long. The time is that of the account's time zone, or of `time_zone`. Branches: those
//! that the entries name, and `no_match`; all mandatory.

use super::{Branch, Next, NodeType, named_branches};
use crate::calendar::{ClockTime, Day, Hours, TimeRange};
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::{Checker, Code};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most entries.
const MOST_ENTRIES: usize = 20_000;

/// The properties of Time of day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeOfDay {
    /// 1 to 20,000 entries; the first that matches counts.
    pub entries: Vec<Entry>,
    /// An IANA time zone; `null`: that of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Setting<String>>,
}

/// Days and a range of time on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The branch that is taken.
    pub branch: String,
    /// The days on which the range begins; at least one.
    pub days: BTreeSet<Day>,
    /// When it begins, `HH:MM`.
    pub from: Setting<String>,
    /// Before when it ends, `HH:MM` up to `24:00`.
    pub to: Setting<String>,
    /// `false`: it never matches.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

impl NodeType for TimeOfDay {
    fn branches(&self) -> Vec<Branch> {
        let names = self.entries.iter().map(|entry| entry.branch.as_str());
        named_branches(names, "no_match")
    }

    fn check(&self, checker: &mut Checker<'_>) {
        checker.list_length("entries", self.entries.len(), MOST_ENTRIES);
        checker.time_zone("time_zone", self.time_zone.as_ref());
        checker.each(&self.entries, |checker, entry| {
            checker.branch_name("entries", &entry.branch, "no_match");
            if entry.days.is_empty() {
                checker.error(Code::MissingProperty, "entries", "no days".to_owned());
            }
            checker.parsed(
                "entries",
                &entry.from,
                "a time of the form HH:MM",
                clock_time,
            );
            checker.parsed("entries", &entry.to, "a time of the form HH:MM", clock_time);
        });
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        let Some(now) = run.utc() else {
            return Next::leave("no_match");
        };
        let zone = run.time_zone(self.time_zone.as_ref());
        let matching = self.entries.iter().find(|entry| {
            entry.enabled
                && entry
                    .hours(run)
                    .is_some_and(|hours| hours.is_open(now, zone))
        });
        Next::Leave(matching.map_or_else(|| "no_match".to_owned(), |entry| entry.branch.clone()))
    }
}

impl Entry {
    /// When it matches; `None`: a time can't be read.
    fn hours(&self, run: &Run) -> Option<Hours> {
        let from = run.parsed(&self.from, clock_time)?;
        let to = run.parsed(&self.to, clock_time)?;
        Some(Hours {
            days: self.days.clone(),
            ranges: vec![TimeRange { from, to }],
        })
    }
}

fn clock_time(text: &str) -> Option<ClockTime> {
    text.trim().parse().ok()
}
