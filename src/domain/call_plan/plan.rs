//! The document: nodes, their branches, and variables, as JSON in format version 1.

use super::nodes::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The format that is read and written.
pub const FORMAT_VERSION: u32 = 1;

/// A call plan: a graph of nodes that begins at its one `start` node.
///
/// A document that is not finished can be read and kept: what a node has wrong in its type or its
/// properties stays as it came and is named by [`validate`](super::validate::validate).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// 1.
    pub format_version: u32,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// The nodes, in any order.
    #[schema(value_type = Vec<NodeDocument>)]
    pub nodes: Vec<Node>,
    /// The variables that the nodes use.
    #[serde(default)]
    pub variables: Vec<Variable>,
}

/// One node of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "NodeDocument", into = "NodeDocument")]
pub struct Node {
    /// Unique in the plan.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its colour on the canvas.
    pub colour: Option<String>,
    /// A remark for people.
    pub note: Option<String>,
    /// Its place on the canvas.
    pub position: Option<Position>,
    /// Its type with its properties.
    pub kind: Kind,
    /// Where each connected branch leads: branch name to node id.
    pub branches: BTreeMap<String, String>,
}

/// One node of a plan, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Node)]
pub struct NodeDocument {
    /// Unique in the plan; 1 to 100 characters.
    id: String,
    /// Its type: `start`, `play_audio`, `ivr_menu`, …
    #[serde(rename = "type")]
    kind: String,
    /// What people call it.
    #[serde(default)]
    name: String,
    /// Its colour on the canvas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    colour: Option<String>,
    /// A remark for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Its place on the canvas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    /// The properties of its type.
    #[serde(default)]
    properties: Map<String, Value>,
    /// Where each connected branch leads: branch name to node id.
    #[serde(default)]
    branches: BTreeMap<String, String>,
}

impl Node {
    /// Whether calls begin here, also when its properties can't be read.
    pub fn is_start(&self) -> bool {
        self.kind.name() == "start"
    }
}

impl From<NodeDocument> for Node {
    fn from(document: NodeDocument) -> Self {
        Self {
            kind: Kind::read(document.kind, document.properties),
            id: document.id,
            name: document.name,
            colour: document.colour,
            note: document.note,
            position: document.position,
            branches: document.branches,
        }
    }
}

impl From<Node> for NodeDocument {
    fn from(node: Node) -> Self {
        Self {
            kind: node.kind.name().to_owned(),
            properties: node.kind.properties(),
            id: node.id,
            name: node.name,
            colour: node.colour,
            note: node.note,
            position: node.position,
            branches: node.branches,
        }
    }
}

/// A place on the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NodePosition)]
pub struct Position {
    /// To the right, in pixels.
    pub x: f64,
    /// Downwards, in pixels.
    pub y: f64,
}

/// A variable of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlanVariable)]
pub struct Variable {
    /// `@` and letters, digits and underscores; 2 to 100 characters.
    pub name: String,
    /// Used until something is assigned, and wherever what was assigned does not fit.
    pub default: String,
    /// Who shares its value.
    #[serde(default)]
    pub scope: Scope,
    /// A remark for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// Who shares the value of a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PlanVariableScope)]
pub enum Scope {
    /// One call.
    #[default]
    Call,
    /// All calls of the plan, running and new.
    Global,
}

impl Plan {
    /// The node with this id; the first one when there are several.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The node with which calls begin.
    pub fn start(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.is_start())
    }

    /// Whether a scheduled call may run this plan: the `scheduled_call` branch of its start is
    /// connected.
    pub fn has_scheduled_branch(&self) -> bool {
        self.start()
            .is_some_and(|start| start.branches.contains_key("scheduled_call"))
    }

    /// The variable that is declared with this name.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }
}
