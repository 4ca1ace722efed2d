//! What a simulation tells.

use crate::call::{Effect, LegNumber, Sound, Tone};
use crate::cause::Cause;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What happened in a simulated call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = PlanTranscript)]
pub struct Transcript {
    /// The nodes that the call passed, in order.
    pub steps: Vec<SimulatedStep>,
    /// What the plan asked of the call, in order, without the steps.
    pub effects: Vec<SimulatedEffect>,
    /// How it ended; `null`: it still waits for something that the script has not.
    pub end: Option<End>,
    /// The plan's variables at the end.
    pub variables: BTreeMap<String, String>,
}

/// A node that a simulated call passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SimulatedStep {
    /// When, in ms from the beginning.
    pub at_ms: u64,
    /// The node's id.
    pub node: String,
    /// Its type.
    pub kind: String,
    /// The branch by which the one before was left; empty at first.
    pub branch: String,
}

/// Something that the plan asked of a simulated call.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SimulatedEffect {
    /// When, in ms from the beginning.
    pub at_ms: u64,
    /// The node that asked.
    pub node: String,
    /// What: `answer`, `play`, `dial`, …
    pub effect: String,
    /// The particulars.
    #[schema(value_type = Object)]
    pub detail: Map<String, Value>,
}

/// How a simulated call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SimulatedEnd)]
pub struct End {
    /// When, in ms from the beginning.
    pub at_ms: u64,
    /// Why.
    pub cause: Cause,
}

/// The name and the particulars of an effect.
pub(super) fn describe(effect: &Effect) -> (&'static str, Map<String, Value>) {
    let (name, detail) = match effect {
        Effect::Answer => ("answer", json!({})),
        Effect::Play {
            leg,
            sounds,
            repeat,
            ..
        } => {
            let sounds: Vec<Value> = sounds.iter().map(sound).collect();
            (
                "play",
                json!({"party": party(*leg), "sounds": sounds, "repeat": repeat}),
            )
        }
        Effect::StopPlay { leg } => ("stop_play", json!({"party": party(*leg)})),
        Effect::Dial(dial) => (
            "dial",
            json!({
                "party": party(dial.leg),
                "destination": dial.destination,
                "ring_duration_s": dial.ring.as_secs(),
                "presentation": dial.presentation,
                "early_media": dial.early_media,
            }),
        ),
        Effect::HangUp { leg, cause } => ("hang_up", json!({"party": party(*leg), "cause": cause})),
        Effect::Bridge { a, b } => ("bridge", json!({"a": party(*a), "b": party(*b)})),
        Effect::Unbridge { leg } => ("unbridge", json!({"party": party(*leg)})),
        Effect::StartRecording(recording) => (
            "start_recording",
            json!({"recording": recording.recording.0, "parties": recording.parties}),
        ),
        Effect::StopRecording { recording } => {
            ("stop_recording", json!({"recording": recording.0}))
        }
        Effect::JoinConference(entry) => (
            "join_conference",
            json!({"room": entry.room, "max_callers": entry.max_members, "tones": entry.tones}),
        ),
        Effect::LeaveConference { leg } => ("leave_conference", json!({"party": party(*leg)})),
        Effect::JoinQueue(entry) => (
            "join_queue",
            json!({
                "queue": entry.queue,
                "destinations": entry.destinations,
                "max_connected": entry.max_connected,
                "max_waiting": entry.max_waiting,
            }),
        ),
        Effect::AnswerOffer { refused } => ("answer_offer", json!({"refused": refused})),
        Effect::LeaveQueue => ("leave_queue", json!({})),
        Effect::Step { node, kind, branch } => (
            "step",
            json!({"node": node, "kind": kind, "branch": branch}),
        ),
        Effect::Annotate { name, value } => ("annotate", json!({"name": name, "value": value})),
        Effect::End { cause } => ("end", json!({"cause": cause})),
    };
    match detail {
        Value::Object(detail) => (name, detail),
        // Every particular above is an object.
        _ => (name, Map::new()),
    }
}

/// `a` for the A-party, `b1`, `b2`, … for those that were dialled.
fn party(leg: LegNumber) -> String {
    if leg == LegNumber::A {
        "a".to_owned()
    } else {
        format!("b{}", leg.0)
    }
}

fn sound(sound: &Sound) -> Value {
    match sound {
        Sound::Audio(audio) => json!({"type": "audio", "audio": audio}),
        Sound::File(file) => json!({"type": "file", "file": file}),
        Sound::Url(url) => json!({"type": "url", "url": url}),
        Sound::Text { text, .. } => json!({"type": "text", "text": text}),
        Sound::Digits(digits) => json!({"type": "digits", "digits": digits}),
        Sound::Tone(tone) => json!({"type": "tone", "tone": tone_name(*tone)}),
        Sound::Silence(time) => json!({"type": "silence", "duration_ms": time.as_millis()}),
        Sound::Music => json!({"type": "music"}),
    }
}

fn tone_name(tone: Tone) -> &'static str {
    match tone {
        Tone::Ringing => "ringing",
        Tone::Busy => "busy",
        Tone::Congestion => "congestion",
        Tone::NumberUnobtainable => "number_unobtainable",
        Tone::Beep => "beep",
        Tone::Joined => "joined",
        Tone::Left => "left",
    }
}
