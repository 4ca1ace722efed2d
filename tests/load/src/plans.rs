//! Call plans of the workloads.

use serde_json::{Value, json};

/// A plan whose callers, and first parties of scheduled calls, come to the first of the nodes, each
/// `(id, type, properties, branches)`.
fn plan(nodes: &[(&str, &str, Value, Value)]) -> Value {
    let first = nodes.first().map_or("", |(id, ..)| id);
    let branches = json!({ "continue": first, "scheduled_call": first });
    let start = (
        "start",
        "start",
        json!({ "scheduled_call": true }),
        branches,
    );
    let nodes: Vec<Value> = std::iter::once(&start)
        .chain(nodes)
        .map(|(id, kind, properties, branches)| {
            json!({
                "id": id,
                "type": kind,
                "name": id,
                "position": { "x": 0, "y": 0 },
                "properties": properties,
                "branches": branches,
            })
        })
        .collect();
    let variables = json!([{ "name": "@digits", "default": "", "scope": "call" }]);
    json!({ "format_version": 1, "name": "Load", "nodes": nodes, "variables": variables })
}

/// Answers, says nothing, and waits until the caller has enough.
pub(crate) fn answers() -> Value {
    let branches = json!({ "continue": "end", "max_attempts": "end" });
    plan(&[
        (
            "wait",
            "dtmf_capture",
            json!({ "initial_timeout_s": 60, "variable": "@digits" }),
            branches,
        ),
        ("end", "hang_up", json!({}), json!({})),
    ])
}

/// Connects the caller with somebody else.
pub(crate) fn bridges() -> Value {
    let to = json!({ "destination": "+447700900200" });
    plan(&[("deliver", "deliver_call", to, json!({}))])
}

/// Plays a sound again and again.
pub(crate) fn plays(sound: &Value, times: usize) -> Value {
    let sounds = json!({ "sounds": vec![sound; times] });
    plan(&[("play", "play_audio", sounds, json!({}))])
}

/// Puts all callers into one room.
pub(crate) fn confers() -> Value {
    let room = json!({ "room": "load", "max_callers": 1000, "tones": false });
    plan(&[("room", "conference", room, json!({}))])
}

/// Ends at once.
pub(crate) fn hangs_up() -> Value {
    plan(&[("end", "hang_up", json!({}), json!({}))])
}

/// Plays a sound, then connects the caller with somebody else, and records both.
pub(crate) fn serves(sound: &Value) -> Value {
    let to = json!({ "destination": "+447700900200", "recording": "mixed" });
    plan(&[
        (
            "play",
            "play_audio",
            json!({ "sounds": [sound] }),
            json!({ "continue": "deliver" }),
        ),
        ("deliver", "deliver_call", to, json!({})),
    ])
}
