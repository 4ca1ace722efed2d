//! **If**: goes by what variables hold.
//!
//! The conditions are tried in their order; the first that is true gives the branch. Each compares
//! two sides, a variable or a literal each, as `integer`, `date` (`2026-10-31`), `time` (`23:59` or
//! `23:59:59`), `datetime` (`2026-10-31T23:59`) or `text` (letter by letter). When a side is not of
//! the type, the condition is false, also for `not_equal`. Branches: those that the conditions name,
//! and `else`; all mandatory.

use super::{Branch, Next, NodeType, named_branches};
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::{Checker, Code};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// The most conditions.
const MOST_CONDITIONS: usize = 100;

/// The properties of If.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct If {
    /// 1 to 100 conditions; the first that is true counts.
    pub conditions: Vec<Condition>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The branch that is taken when it is true.
    pub branch: String,
    /// As what the sides are compared.
    #[serde(rename = "type")]
    pub kind: Comparison,
    /// The left side.
    pub left: Setting<String>,
    /// How they are compared.
    pub operator: Operator,
    /// The right side.
    pub right: Setting<String>,
}

/// As what two sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// A whole number.
    Integer,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A day and a time.
    Datetime,
    /// Text, by the value of its characters.
    Text,
}

/// How two sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// Left is less.
    LessThan,
    /// Left is less, or equal.
    LessOrEqual,
    /// They are equal.
    Equal,
    /// They are not equal.
    NotEqual,
    /// Left is greater, or equal.
    GreaterOrEqual,
    /// Left is greater.
    GreaterThan,
}

impl Operator {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::LessThan => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::GreaterThan => ordering.is_gt(),
        }
    }
}

/// A side, read as its type.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operand {
    Integer(i64),
    Date(NaiveDate),
    Time(NaiveTime),
    Datetime(NaiveDateTime),
    Text(String),
}

impl Comparison {
    fn read(self, text: &str) -> Option<Operand> {
        let trimmed = text.trim();
        let first = |formats: &[&str]| formats.iter().map(ToString::to_string).collect::<Vec<_>>();
        match self {
            Self::Integer => trimmed.parse().ok().map(Operand::Integer),
            Self::Date => NaiveDate::parse_from_str(trimmed, "%Y-%m-%d")
                .ok()
                .map(Operand::Date),
            Self::Time => first(&["%H:%M", "%H:%M:%S"])
                .iter()
                .find_map(|format| NaiveTime::parse_from_str(trimmed, format).ok())
                .map(Operand::Time),
            Self::Datetime => first(&["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(trimmed, format).ok())
                .map(Operand::Datetime),
            Self::Text => Some(Operand::Text(text.to_owned())),
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Integer => "a whole number",
            Self::Date => "a date of the form 2026-10-31",
            Self::Time => "a time of the form 23:59",
            Self::Datetime => "a date and time of the form 2026-10-31T23:59",
            Self::Text => "a text",
        }
    }
}

impl NodeType for If {
    fn branches(&self) -> Vec<Branch> {
        let names = self
            .conditions
            .iter()
            .map(|condition| condition.branch.as_str());
        named_branches(names, "else")
    }

    fn check(&self, checker: &mut Checker<'_>) {
        checker.list_length("conditions", self.conditions.len(), MOST_CONDITIONS);
        checker.each(&self.conditions, |checker, condition| {
            checker.branch_name("conditions", &condition.branch, "else");
            for side in [&condition.left, &condition.right] {
                match side {
                    Setting::Literal(text) if condition.kind.read(text).is_none() => checker.error(
                        Code::InvalidProperty,
                        "conditions",
                        format!("'{text}' is not {}", condition.kind.form()),
                    ),
                    Setting::Literal(text) => checker.length("conditions", text),
                    // A value of another type makes the condition false: that may be its purpose.
                    Setting::Variable(name) => {
                        checker.used("conditions", name);
                    }
                }
            }
        });
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        let side = |setting: &Setting<String>, kind: Comparison| match setting {
            Setting::Literal(text) => kind.read(text),
            Setting::Variable(name) => run.variables.value(name).and_then(|text| kind.read(text)),
        };
        let holding = self.conditions.iter().find(|condition| {
            side(&condition.left, condition.kind)
                .zip(side(&condition.right, condition.kind))
                .is_some_and(|(left, right)| condition.operator.holds(left.cmp(&right)))
        });
        Next::Leave(holding.map_or_else(|| "else".to_owned(), |found| found.branch.clone()))
    }
}
