//! Every problem of a plan, named at once.

mod checker;
mod graph;
mod settings;

pub(crate) use checker::Checker;

use super::plan::{FORMAT_VERSION, Plan};
use super::variables;
use crate::account::Permissions;
use crate::e164::E164;
use crate::ids::AudioId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// What the account of a plan may use, and what it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// What holds for the account ([`Permissions::effective`]).
    pub permissions: Permissions,
    /// The audio files of its pool; `None`: not known, and not checked.
    pub audio: Option<BTreeSet<AudioId>>,
    /// The numbers hosted for it; `None`: not known, and not checked.
    pub numbers: Option<BTreeSet<E164>>,
}

impl Context {
    /// Everything is permitted, and nothing is looked up.
    pub fn permissive() -> Self {
        Self {
            permissions: Permissions::all(),
            audio: None,
            numbers: None,
        }
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PlanProblemSeverity)]
pub enum Severity {
    /// The plan can't be published.
    Error,
    /// The plan runs, perhaps not as it was meant.
    Warning,
}

/// Names a problem; stable, so that programs can tell problems apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PlanProblemCode)]
pub enum Code {
    /// The format version is not 1.
    UnknownFormatVersion,
    /// The plan has less than two nodes.
    TooFewNodes,
    /// The plan has more than 1,000 nodes.
    TooManyNodes,
    /// The plan has more than 1,000 variables.
    TooManyVariables,
    /// The plan's name has more than 200 characters.
    NameTooLong,
    /// There is no start node.
    NoStart,
    /// There is more than one start node.
    SeveralStarts,
    /// A node id is empty, too long, or has other characters than letters, digits, `_`, `-`, `.`.
    InvalidNodeId,
    /// Two nodes have the same id.
    DuplicateNodeId,
    /// The node type does not exist.
    UnknownNodeType,
    /// The node type has no such property.
    UnknownProperty,
    /// A mandatory property is missing or empty.
    MissingProperty,
    /// A property has the wrong type or form.
    InvalidProperty,
    /// A number is out of its range, or a list or text is too long.
    OutOfRange,
    /// The node type has no such branch.
    UnknownBranch,
    /// A mandatory branch is not connected.
    MissingBranch,
    /// A branch leads to a node that does not exist.
    UnknownTarget,
    /// A branch leads to its own node.
    BranchToItself,
    /// A branch leads to the start node.
    BranchToStart,
    /// A circle of nodes in which the caller neither hears nor does anything.
    EndlessLoop,
    /// Six or more nodes in a row in which the caller neither hears nor does anything.
    TooManySilentNodes,
    /// No branch leads to the node.
    UnreachableNode,
    /// A variable's name is not `@` and letters, digits and underscores (2 to 100 characters).
    InvalidVariableName,
    /// Two variables have the same name.
    DuplicateVariable,
    /// The name belongs to a value that every call has.
    ReservedVariable,
    /// The variable is not declared.
    UnknownVariable,
    /// The variable's default does not fit where the variable is used.
    InvalidDefault,
    /// The variable is declared and never used.
    UnusedVariable,
    /// The variable is used and nothing in the plan sets it.
    UnsetVariable,
    /// The account may not use this.
    NotPermitted,
    /// A destination is neither an E.164 number with `+` nor a SIP address.
    InvalidDestination,
    /// The audio file is not in the account's pool.
    UnknownAudio,
    /// The number is not hosted here for this account.
    UnknownNumber,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 33] = [
        Self::UnknownFormatVersion,
        Self::TooFewNodes,
        Self::TooManyNodes,
        Self::TooManyVariables,
        Self::NameTooLong,
        Self::NoStart,
        Self::SeveralStarts,
        Self::InvalidNodeId,
        Self::DuplicateNodeId,
        Self::UnknownNodeType,
        Self::UnknownProperty,
        Self::MissingProperty,
        Self::InvalidProperty,
        Self::OutOfRange,
        Self::UnknownBranch,
        Self::MissingBranch,
        Self::UnknownTarget,
        Self::BranchToItself,
        Self::BranchToStart,
        Self::EndlessLoop,
        Self::TooManySilentNodes,
        Self::UnreachableNode,
        Self::InvalidVariableName,
        Self::DuplicateVariable,
        Self::ReservedVariable,
        Self::UnknownVariable,
        Self::InvalidDefault,
        Self::UnusedVariable,
        Self::UnsetVariable,
        Self::NotPermitted,
        Self::InvalidDestination,
        Self::UnknownAudio,
        Self::UnknownNumber,
    ];
}

/// One problem of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlanProblem)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The node that has it; `null`: the plan.
    pub node: Option<String>,
    /// The branch that has it.
    pub branch: Option<String>,
    /// The property that has it, or the variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// Which problem it is.
    pub code: Code,
    /// What is wrong, for people.
    pub text: String,
}

/// The most nodes of a plan.
const MOST_NODES: usize = 1_000;

/// The most variables of a plan.
const MOST_VARIABLES: usize = 1_000;

/// The longest name of a plan in characters.
const LONGEST_NAME: usize = 200;

/// Whether a plan with these problems may be published and run.
pub fn is_runnable(problems: &[Problem]) -> bool {
    problems
        .iter()
        .all(|problem| problem.severity != Severity::Error)
}

/// Finds every problem of a plan: of the whole, of each node in the order of the document, of the
/// graph, and of the variables.
pub fn validate(plan: &Plan, context: &Context) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_whole(plan, &mut problems);
    if plan.nodes.len() > MOST_NODES || plan.variables.len() > MOST_VARIABLES {
        return problems;
    }
    let index = checker::Index::new(plan);
    let mut uses = BTreeSet::new();
    let mut assigned = BTreeSet::new();
    for node in &plan.nodes {
        let mut checker = Checker::new(&index, node, context);
        checker.check_node();
        let found = checker.into_findings();
        problems.extend(found.problems);
        uses.extend(found.uses);
        assigned.extend(found.assigned);
    }
    graph::check(plan, &mut problems);
    variables::check(plan, &uses, &assigned, &mut problems);
    problems
}

fn check_whole(plan: &Plan, problems: &mut Vec<Problem>) {
    let mut error = |code, node: Option<&str>, text: String| {
        problems.push(Problem {
            severity: Severity::Error,
            node: node.map(str::to_owned),
            branch: None,
            property: None,
            code,
            text,
        });
    };
    if plan.format_version != FORMAT_VERSION {
        error(
            Code::UnknownFormatVersion,
            None,
            format!(
                "the format version is {}; only {FORMAT_VERSION} is known",
                plan.format_version
            ),
        );
    }
    if plan.nodes.len() < 2 {
        error(
            Code::TooFewNodes,
            None,
            "a plan has at least two nodes".to_owned(),
        );
    }
    if plan.nodes.len() > MOST_NODES {
        error(
            Code::TooManyNodes,
            None,
            "a plan has at most 1,000 nodes".to_owned(),
        );
    }
    if plan.variables.len() > MOST_VARIABLES {
        error(
            Code::TooManyVariables,
            None,
            "a plan has at most 1,000 variables".to_owned(),
        );
    }
    if plan.name.chars().count() > LONGEST_NAME {
        error(
            Code::NameTooLong,
            None,
            "a plan's name has at most 200 characters".to_owned(),
        );
    }
    let starts = plan.nodes.iter().filter(|node| node.is_start());
    match starts.clone().count() {
        0 => error(Code::NoStart, None, "a plan has one start node".to_owned()),
        1 => {}
        _ => {
            for node in starts.skip(1) {
                error(
                    Code::SeveralStarts,
                    Some(&node.id),
                    "a plan has only one start node".to_owned(),
                );
            }
        }
    }
    let mut ids = BTreeSet::new();
    for node in &plan.nodes {
        let fits = (1..=100).contains(&node.id.len())
            && node
                .id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if !fits {
            error(
                Code::InvalidNodeId,
                Some(&node.id),
                "a node id has 1 to 100 letters, digits, '_', '-' or '.'".to_owned(),
            );
        }
        if !ids.insert(&node.id) {
            error(
                Code::DuplicateNodeId,
                Some(&node.id),
                "another node has the same id".to_owned(),
            );
        }
    }
}
