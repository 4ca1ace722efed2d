//! Call plans, written shortly.

use serde_json::{Map, Value, json};
use strowger_domain::ids::AudioId;

/// A plan in the making.
#[derive(Clone, Debug)]
pub(crate) struct PlanBuilder {
    nodes: Vec<Value>,
    variables: Vec<Value>,
}

/// A plan whose Start leads callers to the node `inbound`, and first parties of scheduled calls to
/// the node `scheduled`.
pub(crate) fn plan(inbound: &str, scheduled: Option<&str>) -> PlanBuilder {
    let mut branches = json!({ "continue": inbound });
    if let Some(scheduled) = scheduled {
        branches["scheduled_call"] = json!(scheduled);
    }
    let properties = json!({ "scheduled_call": scheduled.is_some() });
    let builder = PlanBuilder {
        nodes: Vec::new(),
        variables: Vec::new(),
    };
    builder.node("start", "start", properties, branches)
}

impl PlanBuilder {
    /// Adds a node.
    pub(crate) fn node(mut self, id: &str, kind: &str, properties: Value, branches: Value) -> Self {
        self.nodes.push(json!({
            "id": id,
            "type": kind,
            "name": id,
            "position": { "x": 0, "y": 0 },
            "properties": properties,
            "branches": branches,
        }));
        self
    }

    /// Adds a variable of the call.
    pub(crate) fn variable(mut self, name: &str, default: &str) -> Self {
        self.variables
            .push(json!({ "name": name, "default": default, "scope": "call" }));
        self
    }

    /// Plays a tone of the pool, then goes on.
    pub(crate) fn play(self, id: &str, hertz: u16, next: Option<&str>) -> Self {
        let branches = next.map_or_else(|| json!({}), |next| json!({ "continue": next }));
        self.node(
            id,
            "play_audio",
            json!({ "sounds": [audio(hertz)] }),
            branches,
        )
    }

    /// Delivers to a number.
    pub(crate) fn deliver(self, id: &str, to: &str, properties: Value, branches: Value) -> Self {
        let mut all = Map::from_iter([("destination".to_owned(), json!(to))]);
        all.extend(properties.as_object().cloned().unwrap_or_default());
        self.node(id, "deliver_call", Value::Object(all), branches)
    }

    /// Ends the call.
    pub(crate) fn hang_up(self, id: &str, cause: &str) -> Self {
        self.node(id, "hang_up", json!({ "cause": cause }), json!({}))
    }

    /// The document.
    pub(crate) fn build(self) -> Value {
        json!({
            "format_version": 1,
            "name": "Test",
            "nodes": self.nodes,
            "variables": self.variables,
        })
    }
}

/// The audio of the pool that is a second of this tone. Each platform has those of
/// [`TONES`](super::seed::TONES).
pub(crate) fn audio(hertz: u16) -> Value {
    json!({ "type": "audio", "audio": audio_id(hertz) })
}

/// Speech.
pub(crate) fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The id of [`audio`].
pub(crate) fn audio_id(hertz: u16) -> AudioId {
    AudioId::from_uuid(uuid::Uuid::from_u128(
        0x0189_0a5d_96a2_74d9_a5b2_c3d4_e5f6_0000 + u128::from(hertz),
    ))
}
