//! The node types: one file each, whose first comment is the manual of the node.

pub mod conference;
pub mod day;
pub mod deliver_call;
pub mod delivery;
pub mod dtmf_capture;
pub mod hang_up;
pub mod if_;
pub mod ivr_menu;
pub mod play_audio;
pub mod prompt;
pub mod queue;
pub mod set_variable;
pub mod start;
pub mod time_of_day;

use super::interpreter::DefaultEnd;
use super::plan::Node;
use super::run::Run;
use super::validate::Checker;
use crate::call::Event;
use crate::cause::Cause;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A node's type with its properties.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `start`
    Start(start::Start),
    /// `play_audio`
    PlayAudio(play_audio::PlayAudio),
    /// `ivr_menu`
    IvrMenu(Box<ivr_menu::IvrMenu>),
    /// `dtmf_capture`
    DtmfCapture(Box<dtmf_capture::DtmfCapture>),
    /// `day`
    Day(day::DayNode),
    /// `time_of_day`
    TimeOfDay(time_of_day::TimeOfDay),
    /// `deliver_call`
    DeliverCall(Box<deliver_call::DeliverCall>),
    /// `set_variable`
    SetVariable(set_variable::SetVariable),
    /// `if`
    If(if_::If),
    /// `queue`
    Queue(Box<queue::Queue>),
    /// `conference`
    Conference(conference::Conference),
    /// `hang_up`
    HangUp(hang_up::HangUp),
    /// A type that does not exist, or properties that can't be read; kept as they came.
    Unreadable(Unreadable),
}

/// A node that can't run. A call that comes to it ends with cause 41.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    /// The type, as it was written.
    pub kind: String,
    /// The properties, as they were written.
    pub properties: Map<String, Value>,
    /// What is wrong with the properties; empty: the type does not exist.
    pub faults: Vec<Fault>,
}

/// A property that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which; `None`: only all of them together can't be read.
    pub property: Option<String>,
    /// The node type has no such property.
    pub unknown: bool,
    /// What is wrong with it.
    pub text: String,
}

/// A branch that a node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub name: Cow<'static, str>,
    /// It has to be connected.
    pub mandatory: bool,
}

impl Branch {
    fn mandatory(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            mandatory: true,
        }
    }

    fn optional(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            mandatory: false,
        }
    }
}

/// The branches that the entries of a list name, each once in the order of the entries, and the one
/// of what matches nothing.
fn named_branches<'a>(
    names: impl Iterator<Item = &'a str>,
    otherwise: &'static str,
) -> Vec<Branch> {
    let mut seen = BTreeSet::new();
    names
        .filter(|name| seen.insert(*name))
        .map(|name| Branch::mandatory(name.to_owned()))
        .chain([Branch::mandatory(otherwise)])
        .collect()
}

/// How a node goes on.
#[derive(Debug)]
pub(crate) enum Next {
    /// It waits for an event.
    Wait(State),
    /// It is done, and left by this branch.
    Leave(String),
    /// The call ends.
    End(Cause),
}

impl Next {
    fn leave(branch: &str) -> Self {
        Self::Leave(branch.to_owned())
    }
}

/// What a waiting node remembers.
#[derive(Debug)]
pub(crate) enum State {
    Playing(play_audio::Playing),
    Choosing(ivr_menu::Choosing),
    Capturing(dtmf_capture::Capturing),
    Delivering(deliver_call::Delivering),
    Queueing(queue::Queueing),
    Conferring,
}

/// What every node type has.
pub(crate) trait NodeType {
    /// Its branches; those of a list property included.
    fn branches(&self) -> Vec<Branch>;

    /// Whether the caller hears or does something in it. Circles need one such node.
    fn is_telephony(&self) -> bool {
        false
    }

    /// Names what is wrong with the properties.
    fn check(&self, checker: &mut Checker<'_>);

    /// The call comes to the node.
    fn enter(&self, here: &Node, run: &mut Run) -> Next;

    /// Something happened while the call was in the node.
    fn on_event(&self, _here: &Node, state: State, _event: &Event, _run: &mut Run) -> Next {
        Next::Wait(state)
    }

    /// How the call ends when it leaves by a branch that is not connected.
    fn default_end(&self, _branch: &str, _run: &Run) -> DefaultEnd {
        (Cause::NormalClearing, None)
    }
}

impl Kind {
    /// The node types that there are.
    pub const NAMES: [&str; 12] = [
        "start",
        "play_audio",
        "ivr_menu",
        "dtmf_capture",
        "day",
        "time_of_day",
        "deliver_call",
        "set_variable",
        "if",
        "queue",
        "conference",
        "hang_up",
    ];

    /// Reads a type and its properties; what can't be read is kept.
    pub fn read(kind: String, properties: Map<String, Value>) -> Self {
        match kind.as_str() {
            "start" => read(kind, properties, Self::Start),
            "play_audio" => read(kind, properties, Self::PlayAudio),
            "ivr_menu" => read(kind, properties, |menu| Self::IvrMenu(Box::new(menu))),
            "dtmf_capture" => read(kind, properties, |capture| {
                Self::DtmfCapture(Box::new(capture))
            }),
            "day" => read(kind, properties, Self::Day),
            "time_of_day" => read(kind, properties, Self::TimeOfDay),
            "deliver_call" => read(kind, properties, |deliver| {
                Self::DeliverCall(Box::new(deliver))
            }),
            "set_variable" => read(kind, properties, Self::SetVariable),
            "if" => read(kind, properties, Self::If),
            "queue" => read(kind, properties, |queue| Self::Queue(Box::new(queue))),
            "conference" => read(kind, properties, Self::Conference),
            "hang_up" => read(kind, properties, Self::HangUp),
            _ => Self::Unreadable(Unreadable {
                kind,
                properties,
                faults: Vec::new(),
            }),
        }
    }

    /// The type's name in the document.
    pub fn name(&self) -> &str {
        match self {
            Self::Start(_) => "start",
            Self::PlayAudio(_) => "play_audio",
            Self::IvrMenu(_) => "ivr_menu",
            Self::DtmfCapture(_) => "dtmf_capture",
            Self::Day(_) => "day",
            Self::TimeOfDay(_) => "time_of_day",
            Self::DeliverCall(_) => "deliver_call",
            Self::SetVariable(_) => "set_variable",
            Self::If(_) => "if",
            Self::Queue(_) => "queue",
            Self::Conference(_) => "conference",
            Self::HangUp(_) => "hang_up",
            Self::Unreadable(unreadable) => &unreadable.kind,
        }
    }

    /// The properties, as they are written.
    pub fn properties(&self) -> Map<String, Value> {
        match self {
            Self::Start(node) => write(node),
            Self::PlayAudio(node) => write(node),
            Self::IvrMenu(node) => write(node.as_ref()),
            Self::DtmfCapture(node) => write(node.as_ref()),
            Self::Day(node) => write(node),
            Self::TimeOfDay(node) => write(node),
            Self::DeliverCall(node) => write(node.as_ref()),
            Self::SetVariable(node) => write(node),
            Self::If(node) => write(node),
            Self::Queue(node) => write(node.as_ref()),
            Self::Conference(node) => write(node),
            Self::HangUp(node) => write(node),
            Self::Unreadable(unreadable) => unreadable.properties.clone(),
        }
    }

    /// The branches that the node has; `None` when it can't be read.
    pub fn branches(&self) -> Option<Vec<Branch>> {
        self.node_type().map(NodeType::branches)
    }

    /// Whether the caller hears or does something in the node.
    pub fn is_telephony(&self) -> bool {
        self.node_type().is_some_and(NodeType::is_telephony)
    }

    pub(crate) fn node_type(&self) -> Option<&dyn NodeType> {
        match self {
            Self::Start(node) => Some(node),
            Self::PlayAudio(node) => Some(node),
            Self::IvrMenu(node) => Some(node.as_ref()),
            Self::DtmfCapture(node) => Some(node.as_ref()),
            Self::Day(node) => Some(node),
            Self::TimeOfDay(node) => Some(node),
            Self::DeliverCall(node) => Some(node.as_ref()),
            Self::SetVariable(node) => Some(node),
            Self::If(node) => Some(node),
            Self::Queue(node) => Some(node.as_ref()),
            Self::Conference(node) => Some(node),
            Self::HangUp(node) => Some(node),
            Self::Unreadable(_) => None,
        }
    }
}

fn read<T: DeserializeOwned>(
    kind: String,
    properties: Map<String, Value>,
    wrap: impl FnOnce(T) -> Kind,
) -> Kind {
    match serde_json::from_value::<T>(Value::Object(properties.clone())) {
        Ok(node) => wrap(node),
        Err(all) => {
            let mut faults = faults::<T>(&properties);
            if faults.is_empty() {
                faults.push(Fault {
                    property: None,
                    unknown: false,
                    text: all.to_string(),
                });
            }
            Kind::Unreadable(Unreadable {
                kind,
                properties,
                faults,
            })
        }
    }
}

/// Every property that can't be read, and every entry of a list. Each is tried alone, since all
/// other properties have defaults.
fn faults<T: DeserializeOwned>(properties: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, value) in properties {
        let try_alone = |value: &Value| {
            let alone = Map::from_iter([(name.clone(), value.clone())]);
            serde_json::from_value::<T>(Value::Object(alone)).err()
        };
        let Some(whole) = try_alone(value) else {
            continue;
        };
        let text = whole.to_string();
        let unknown = text.starts_with(&format!("unknown field `{name}`"));
        let fault = |text: String| Fault {
            property: Some(name.clone()),
            unknown,
            text,
        };
        let before = faults.len();
        if let (Value::Array(entries), false) = (value, unknown) {
            for (index, entry) in entries.iter().enumerate() {
                if let Some(error) = try_alone(&Value::Array(vec![entry.clone()])) {
                    faults.push(fault(format!("entry {}: {error}", index + 1)));
                }
            }
        }
        if faults.len() == before {
            faults.push(fault(text));
        }
    }
    faults
}

fn write(node: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(node) {
        Ok(Value::Object(properties)) => properties,
        // Properties are plain structs with text keys, which always become an object.
        Ok(_) | Err(_) => Map::new(),
    }
}
