//! Variables: `@name` in a property or a text.
//!
//! A name is `@` and letters, digits and underscores, beginning with a letter or an underscore; 2
//! to 100 characters. In a text `@@` is one `@`, and an `@` that begins no known name stays as it
//! is. A variable has a default, which is used until something is assigned and wherever the value
//! does not fit. [`BUILT_IN`] names are there in every call and can't be assigned.

use super::plan::{Plan, Scope};
use super::validate::{Code, Problem, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The values that every call has: number of the A-party (empty when withheld), dialled number, id
/// of the call, `inbound`, `scheduled` or `outbound_service`, today (`2026-10-31`), the time
/// (`23:59`), both (`2026-10-31T23:59`), a number from 0 to 99 drawn once for each call, and the
/// place in the queue (0 outside).
pub const BUILT_IN: [&str; 9] = [
    "@calling_number",
    "@called_number",
    "@call_id",
    "@origin",
    "@date",
    "@time",
    "@datetime",
    "@random",
    "@queue_position",
];

/// The longest value in characters, so that a plan that appends to itself can't fill the memory.
pub const LONGEST_VALUE: usize = 1_000;

/// The longest name, with its `@`.
pub const LONGEST_NAME: usize = 100;

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Plain text.
    Text(&'a str),
    /// A name with its `@`.
    Name(&'a str),
}

/// Cuts a text into plain parts and names.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, from_at) = rest.split_at(at);
        if !before.is_empty() {
            found.push(Piece::Text(before));
        }
        if let Some(after) = from_at.strip_prefix("@@") {
            found.push(Piece::Text("@"));
            rest = after;
            continue;
        }
        let length = from_at
            .bytes()
            .skip(1)
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count();
        let (candidate, after) = from_at.split_at(1 + length);
        found.push(if is_name(candidate) {
            Piece::Name(candidate)
        } else {
            Piece::Text(candidate)
        });
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    found
}

/// Whether a text is a variable's name.
pub fn is_name(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('@') else {
        return false;
    };
    text.len() <= LONGEST_NAME
        && rest
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether every call has a value of this name.
pub fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// The shared values of a plan's `global` variables, by name. A snapshot: the shell keeps the
/// shared state, hands a snapshot in, and reads out what a call changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals(pub BTreeMap<String, String>);

/// The variables of one call.
#[derive(Clone, Debug)]
pub(crate) struct Variables {
    plan: Arc<Plan>,
    built_in: BTreeMap<&'static str, String>,
    call: BTreeMap<String, String>,
    globals: Globals,
    changed: Vec<(String, String)>,
}

impl Variables {
    /// The variables of a call of `plan` which was started with the values `given`. Only declared
    /// variables of Call scope take a given value; its name may come with or without `@`.
    pub(crate) fn new(plan: Arc<Plan>, given: &BTreeMap<String, String>) -> Self {
        let mut call = BTreeMap::new();
        for (name, value) in given {
            let name = if name.starts_with('@') {
                name.clone()
            } else {
                format!("@{name}")
            };
            let declared = plan
                .variable(&name)
                .is_some_and(|variable| variable.scope == Scope::Call);
            if declared && !is_built_in(&name) {
                call.insert(name, limited(value));
            }
        }
        Self {
            plan,
            built_in: BTreeMap::new(),
            call,
            globals: Globals::default(),
            changed: Vec::new(),
        }
    }

    pub(crate) fn set_globals(&mut self, globals: Globals) {
        self.globals = globals;
    }

    /// The `global` variables that were assigned since the last time, in order.
    pub(crate) fn take_changed(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.changed)
    }

    /// Gives a built-in name its value.
    pub(crate) fn set_built_in(&mut self, name: &'static str, value: String) {
        self.built_in.insert(name, value);
    }

    /// Assigns a declared variable. Anything else is left alone: validation has named it.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        if is_built_in(name) {
            return;
        }
        let Some(declared) = self.plan.variable(name) else {
            return;
        };
        let value = limited(value);
        match declared.scope {
            Scope::Call => {
                self.call.insert(name.to_owned(), value);
            }
            Scope::Global => {
                self.globals.0.insert(name.to_owned(), value.clone());
                self.changed.push((name.to_owned(), value));
            }
        }
    }

    /// The value, or the default; `None` when there is no such variable.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        if is_built_in(name) {
            return Some(self.built_in.get(name).map_or("", String::as_str));
        }
        let declared = self.plan.variable(name)?;
        let assigned = match declared.scope {
            Scope::Call => self.call.get(name),
            Scope::Global => self.globals.0.get(name),
        };
        Some(assigned.map_or(declared.default.as_str(), String::as_str))
    }

    /// The value as `read` understands it; when it does not, the default as `read` understands it.
    pub(crate) fn read<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.value(name).and_then(&read).or_else(|| {
            self.plan
                .variable(name)
                .and_then(|declared| read(&declared.default))
        })
    }

    /// The text with every known name replaced by its value.
    pub(crate) fn substitute(&self, text: &str) -> String {
        pieces(text)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Name(name) => self.value(name).unwrap_or(name),
            })
            .collect()
    }

    /// Every declared variable with its value now.
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        self.plan
            .variables
            .iter()
            .map(|declared| {
                let value = self.value(&declared.name).unwrap_or_default();
                (declared.name.clone(), value.to_owned())
            })
            .collect()
    }
}

fn limited(value: &str) -> String {
    value.chars().take(LONGEST_VALUE).collect()
}

/// Finds the problems of the declarations.
pub(crate) fn check(
    plan: &Plan,
    uses: &BTreeSet<String>,
    assigned: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) {
    let mut seen = BTreeSet::new();
    for variable in &plan.variables {
        let name = variable.name.as_str();
        let mut add = |severity, code, text: &str| {
            problems.push(Problem {
                severity,
                node: None,
                branch: None,
                property: Some(variable.name.clone()),
                code,
                text: format!("{name}: {text}"),
            });
        };
        if !is_name(name) {
            add(
                Severity::Error,
                Code::InvalidVariableName,
                "a name is '@' and letters, digits and underscores, 2 to 100 characters",
            );
            continue;
        }
        if is_built_in(name) {
            add(
                Severity::Error,
                Code::ReservedVariable,
                "every call has a value of this name",
            );
            continue;
        }
        if !seen.insert(name) {
            add(
                Severity::Error,
                Code::DuplicateVariable,
                "the name is declared twice",
            );
            continue;
        }
        if variable.default.chars().count() > LONGEST_VALUE {
            add(
                Severity::Error,
                Code::OutOfRange,
                "the default is longer than 1,000 characters",
            );
        }
        if !uses.contains(name) && !assigned.contains(name) {
            add(
                Severity::Warning,
                Code::UnusedVariable,
                "nothing uses this variable",
            );
        } else if variable.default.is_empty()
            && !assigned.contains(name)
            && !plan.has_scheduled_branch()
        {
            add(
                Severity::Warning,
                Code::UnsetVariable,
                "nothing sets this variable, and its default is empty",
            );
        }
    }
}

#[cfg(test)]
mod tests;
