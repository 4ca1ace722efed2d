//! What the nodes' own rules have in common.

use super::{Code, Context, Problem, Severity};
use crate::account::Permissions;
use crate::call_plan::nodes::{Kind, Unreadable};
use crate::call_plan::plan::{Node, Plan, Variable};
use crate::call_plan::variables::{Piece, is_built_in, is_name, pieces};
use std::collections::{BTreeMap, BTreeSet};

/// The longest text in characters.
const LONGEST_TEXT: usize = 2_000;

/// The most problems that are named for one node.
const MOST_PROBLEMS: usize = 200;

/// A plan's nodes and variables by name; the first one where a name is there twice.
pub(super) struct Index<'a> {
    nodes: BTreeMap<&'a str, &'a Node>,
    variables: BTreeMap<&'a str, &'a Variable>,
}

impl<'a> Index<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let nodes = plan.nodes.iter().rev();
        let variables = plan.variables.iter().rev();
        Self {
            nodes: nodes.map(|node| (node.id.as_str(), node)).collect(),
            variables: variables
                .map(|variable| (variable.name.as_str(), variable))
                .collect(),
        }
    }

    fn node(&self, id: &str) -> Option<&'a Node> {
        self.nodes.get(id).copied()
    }

    pub(super) fn variable(&self, name: &str) -> Option<&'a Variable> {
        self.variables.get(name).copied()
    }
}

/// Looks at one node and gathers what is wrong with it.
pub(crate) struct Checker<'a> {
    pub(super) index: &'a Index<'a>,
    node: &'a Node,
    pub(super) context: &'a Context,
    /// The entry of a list that is looked at, from 1.
    entry: Option<usize>,
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
    pub(super) fn new(index: &'a Index<'a>, node: &'a Node, context: &'a Context) -> Self {
        Self {
            index,
            node,
            context,
            entry: None,
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
            self.check_type();
            node_type.check(self);
        }
        self.check_branches();
    }

    fn check_type(&mut self) {
        let name = self.node.kind.name();
        if !self.permissions().may_use_node(name) {
            let text = format!("the account may not use nodes of the type '{name}'");
            self.push(Severity::Error, Code::NotPermitted, None, None, text);
        }
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
        let names: Option<BTreeSet<&str>> = known
            .as_ref()
            .map(|known| known.iter().map(|branch| branch.name.as_ref()).collect());
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
            let is_known = names
                .as_ref()
                .is_none_or(|names| names.contains(name.as_str()));
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
            match self.index.node(target) {
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

    /// Looks at the entries of a list one by one, so that a problem tells which one has it.
    pub(crate) fn each<T>(&mut self, entries: &[T], mut look: impl FnMut(&mut Self, &T)) {
        for (index, entry) in entries.iter().enumerate() {
            self.entry = Some(index + 1);
            look(self, entry);
        }
        self.entry = None;
    }

    pub(crate) fn is_connected(&self, branch: &str) -> bool {
        self.node.branches.contains_key(branch)
    }

    /// A property is wrong; an empty `property` means the node.
    pub(crate) fn error(&mut self, code: Code, property: &str, text: String) {
        let property = Some(property).filter(|property| !property.is_empty());
        let text = match (property, self.entry) {
            (Some(property), Some(entry)) => format!("{property}: entry {entry}: {text}"),
            (Some(property), None) => format!("{property}: {text}"),
            (None, _) => text,
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
        let is_new = !self.findings.problems.contains(&problem);
        if is_new && self.findings.problems.len() < MOST_PROBLEMS {
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
        if is_built_in(name) || self.index.variable(name).is_some() {
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
        if self.index.variable(name).is_none() {
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
            if !is_built_in(name) && self.index.variable(name).is_none() {
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
