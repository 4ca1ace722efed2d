//! What the nodes' own rules have in common.

use super::{Code, Context, Problem, Severity};
use crate::account::Permissions;
use crate::call_plan::nodes::{Kind, Unreadable};
use crate::call_plan::plan::{Node, Plan};
use crate::call_plan::variables::{Piece, is_built_in, is_name, pieces};
use std::collections::BTreeSet;

/// The longest text in characters.
const LONGEST_TEXT: usize = 2_000;

/// Looks at one node and gathers what is wrong with it.
pub(crate) struct Checker<'a> {
    pub(super) plan: &'a Plan,
    node: &'a Node,
    pub(super) context: &'a Context,
    findings: Findings,
}

/// What was found at one node.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    /// The variables that it reads.
    pub(crate) uses: BTreeSet<String>,
    /// The variables that it assigns.
    pub(crate) assigned: BTreeSet<String>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(plan: &'a Plan, node: &'a Node, context: &'a Context) -> Self {
        Self {
            plan,
            node,
            context,
            findings: Findings::default(),
        }
    }

    pub(crate) fn into_findings(self) -> Findings {
        self.findings
    }

    pub(crate) fn permissions(&self) -> &'a Permissions {
        &self.context.permissions
    }

    /// Checks type, properties and branches.
    pub(crate) fn check_node(&mut self) {
        if let Kind::Unreadable(unreadable) = &self.node.kind {
            self.check_unreadable(unreadable);
        }
        if let Some(node_type) = self.node.kind.node_type() {
            node_type.check(self);
        }
        self.check_branches();
    }

    fn check_unreadable(&mut self, unreadable: &Unreadable) {
        if unreadable.faults.is_empty() {
            self.push(
                Severity::Error,
                Code::UnknownNodeType,
                None,
                None,
                format!("there is no node type '{}'", unreadable.kind),
            );
        }
        for fault in &unreadable.faults {
            let code = if fault.unknown {
                Code::UnknownProperty
            } else {
                Code::InvalidProperty
            };
            let text = match &fault.property {
                Some(property) => format!("{property}: {}", fault.text),
                None => fault.text.clone(),
            };
            self.push(Severity::Error, code, fault.property.as_deref(), None, text);
        }
    }

    fn check_branches(&mut self) {
        let known = self.node.kind.branches();
        for branch in known.iter().flatten() {
            if branch.mandatory && !self.node.branches.contains_key(branch.name.as_ref()) {
                self.branch_error(
                    Code::MissingBranch,
                    Some(&branch.name),
                    format!("the branch '{}' has to be connected", branch.name),
                );
            }
        }
        for (name, target) in &self.node.branches {
            let is_known = known
                .as_ref()
                .is_none_or(|known| known.iter().any(|branch| branch.name == name.as_str()));
            if !is_known {
                self.branch_error(
                    Code::UnknownBranch,
                    Some(name),
                    format!("the node has no branch '{name}'"),
                );
            }
            if *target == self.node.id {
                self.branch_error(
                    Code::BranchToItself,
                    Some(name),
                    "a branch can't lead to its own node".to_owned(),
                );
                continue;
            }
            match self.plan.node(target) {
                None => self.branch_error(
                    Code::UnknownTarget,
                    Some(name),
                    format!("there is no node '{target}'"),
                ),
                Some(node) if node.is_start() => self.branch_error(
                    Code::BranchToStart,
                    Some(name),
                    "no branch can lead to the start".to_owned(),
                ),
                Some(_) => {}
            }
        }
    }

    pub(crate) fn is_connected(&self, branch: &str) -> bool {
        self.node.branches.contains_key(branch)
    }

    /// A property is wrong; an empty `property` means the node.
    pub(crate) fn error(&mut self, code: Code, property: &str, text: String) {
        let property = Some(property).filter(|property| !property.is_empty());
        let text = match property {
            Some(property) => format!("{property}: {text}"),
            None => text,
        };
        self.push(Severity::Error, code, property, None, text);
    }

    pub(crate) fn branch_error(&mut self, code: Code, branch: Option<&str>, text: String) {
        self.push(Severity::Error, code, None, branch, text);
    }

    fn push(
        &mut self,
        severity: Severity,
        code: Code,
        property: Option<&str>,
        branch: Option<&str>,
        text: String,
    ) {
        let problem = Problem {
            severity,
            node: Some(self.node.id.clone()),
            branch: branch.map(str::to_owned),
            property: property.map(str::to_owned),
            code,
            text,
        };
        if !self.findings.problems.contains(&problem) {
            self.findings.problems.push(problem);
        }
    }

    /// A mandatory property is not there.
    pub(crate) fn missing(&mut self, property: &str) {
        self.error(
            Code::MissingProperty,
            property,
            "has to be given".to_owned(),
        );
    }

    /// A mandatory text.
    pub(crate) fn needed(&mut self, property: &str, text: &str) {
        if text.trim().is_empty() {
            self.missing(property);
        }
    }

    /// A feature that the account has or has not.
    pub(crate) fn permission(&mut self, permitted: bool, property: &str, what: &str) {
        if !permitted {
            self.error(
                Code::NotPermitted,
                property,
                format!("the account may not use {what}"),
            );
        }
    }

    /// A variable is read. `false` when it is not there.
    pub(crate) fn used(&mut self, property: &str, name: &str) -> bool {
        self.findings.uses.insert(name.to_owned());
        if is_built_in(name) || self.plan.variable(name).is_some() {
            return true;
        }
        let text = if is_name(name) {
            format!("there is no variable '{name}'")
        } else {
            format!("'{name}' is no variable's name")
        };
        self.error(Code::UnknownVariable, property, text);
        false
    }

    /// A variable is assigned.
    pub(crate) fn assigned(&mut self, property: &str, name: &str) {
        if is_built_in(name) {
            self.error(
                Code::ReservedVariable,
                property,
                format!("'{name}' can't be assigned"),
            );
            return;
        }
        self.findings.assigned.insert(name.to_owned());
        if self.plan.variable(name).is_none() {
            self.error(
                Code::UnknownVariable,
                property,
                format!("there is no variable '{name}'"),
            );
        }
    }

    pub(crate) fn length(&mut self, property: &str, text: &str) {
        if text.chars().count() > LONGEST_TEXT {
            self.error(
                Code::OutOfRange,
                property,
                format!("a text has at most {LONGEST_TEXT} characters"),
            );
        }
    }

    /// A text in which variables may stand. An unknown name is only a warning: it may be meant as
    /// it is.
    pub(crate) fn text(&mut self, property: &str, text: &str) {
        self.length(property, text);
        for piece in pieces(text) {
            let Piece::Name(name) = piece else {
                continue;
            };
            self.findings.uses.insert(name.to_owned());
            if !is_built_in(name) && self.plan.variable(name).is_none() {
                self.push(
                    Severity::Warning,
                    Code::UnknownVariable,
                    Some(property),
                    None,
                    format!("{property}: there is no variable '{name}'; it stays as it is"),
                );
            }
        }
    }
}
