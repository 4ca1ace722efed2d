//! Whatever comes in whatever order: a run ends, once, and nothing panics.

use super::*;
use crate::call_plan::{Context, Script, simulate, validate};
use proptest::prelude::*;
use serde_json::{Map, Value};

const PLANS: [&str; 13] = [
    "welcome_menu",
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

fn leg() -> impl Strategy<Value = LegNumber> {
    (0_u16..4).prop_map(LegNumber)
}

fn cause() -> impl Strategy<Value = Cause> {
    (0_u8..=127).prop_map(Cause::from_q850)
}

/// Any event but the two that end a call.
fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Started),
        (leg(), prop::sample::select(&b"0123456789*#AD"[..])).prop_map(|(leg, digit)| {
            Event::Digit {
                leg,
                digit: digit.into(),
            }
        }),
        (0_u32..8).prop_map(|play| Event::Played {
            leg: A,
            play: PlayNumber(play),
            failure: None
        }),
        leg().prop_map(|leg| Event::Ringing { leg }),
        leg().prop_map(|leg| Event::Answered { leg }),
        (leg(), cause()).prop_map(|(leg, cause)| Event::DialFailed {
            leg,
            cause,
            status: None
        }),
        (1_u16..4, cause()).prop_map(|(leg, cause)| Event::HungUp {
            leg: LegNumber(leg),
            cause
        }),
        leg().prop_map(|leg| Event::ConferenceJoined { leg, members: 1 }),
        leg().prop_map(|leg| Event::ConferenceRefused { leg }),
        leg().prop_map(|leg| Event::ConferenceLeft { leg }),
        any::<u16>().prop_map(|position| Event::Queued { position }),
        any::<u16>().prop_map(|position| Event::QueuePosition { position }),
        Just(Event::QueueRefused),
        Just(Event::QueueOffered {
            destination: "+442079460101".to_owned()
        }),
        Just(Event::QueueLost),
        Just(Event::TimedOut),
    ]
}

fn ending() -> impl Strategy<Value = Event> {
    prop_oneof![
        cause().prop_map(|cause| Event::HungUp { leg: A, cause }),
        cause().prop_map(|cause| Event::Stop { cause }),
    ]
}

/// Keeps the promises that a call's effects make to whoever carries them out.
#[derive(Default)]
struct Judge {
    answered: bool,
    joined_queue: u32,
    left_queue: u32,
    recordings: Vec<RecordingNumber>,
    ended: bool,
}

impl Judge {
    fn see(&mut self, effect: &Effect) {
        assert!(!self.ended, "{effect:?} after the end");
        match effect {
            Effect::Answer => {
                assert!(!self.answered, "answered twice");
                self.answered = true;
            }
            Effect::Play { .. } | Effect::Bridge { .. } | Effect::JoinConference(_) => {
                assert!(self.answered, "{effect:?} before the answer");
            }
            Effect::JoinQueue(_) => {
                self.joined_queue += 1;
                assert!(self.joined_queue <= self.left_queue + 1, "in two queues");
            }
            Effect::LeaveQueue => {
                self.left_queue += 1;
                assert!(self.left_queue <= self.joined_queue, "left no queue");
            }
            Effect::StartRecording(recording) => self.recordings.push(recording.recording),
            Effect::StopRecording { recording } => {
                let before = self.recordings.len();
                self.recordings.retain(|running| running != recording);
                assert_eq!(self.recordings.len() + 1, before, "{effect:?}");
            }
            Effect::End { .. } => self.ended = true,
            _ => {}
        }
    }
}

/// Any JSON value, with the words of a plan in it.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "type",
        "sounds",
        "audio",
        "text",
        "prompt",
        "@x",
        "@",
        "@@",
        "a",
        "b",
        "branch",
        "days",
        "entries",
        "conditions",
        "destination",
        "ring_duration_s",
        "hold",
        "cause",
        "variable",
        "value",
        "queue",
        "room",
        "monday",
        "from",
        "to",
        "09:00",
        "integer",
        "left",
        "right",
        "operator",
        "equal",
        "1",
        "continue",
        "+442079460101",
        "sip:a@b",
        "time_zone",
    ])
    .prop_map(str::to_owned)
}

fn node() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(&PLANS[1..]);
    let id = prop::sample::select(&["a", "b", "c", "d", "e", ""][..]);
    let branch = prop::sample::select(
        &[
            "continue",
            "scheduled_call",
            "match",
            "no_match",
            "else",
            "1",
            "#",
            "busy",
            "full",
            "max_attempts",
            "x",
        ][..],
    );
    let branches = prop::collection::btree_map(branch, id.clone(), 0..5);
    let properties = prop::collection::vec((word(), json()), 0..4);
    (id, kind, branches, properties).prop_map(|(id, kind, branches, properties)| {
        let properties: Map<String, Value> = properties.into_iter().collect();
        serde_json::json!({
            "id": id, "type": kind, "branches": branches, "properties": properties,
        })
    })
}

fn plan() -> impl Strategy<Value = Value> {
    prop::collection::vec(node(), 0..8).prop_map(|nodes| {
        serde_json::json!({
            "format_version": 1,
            "nodes": nodes,
            "variables": [{"name": "@x", "default": "1"}],
        })
    })
}

/// The plan of a fixture with nodes, branches and properties changed at random places.
fn mutated() -> impl Strategy<Value = Value> {
    let change = (any::<prop::sample::Index>(), word(), json());
    let changes = prop::collection::vec(change, 1..6);
    (prop::sample::select(&PLANS[..]), changes).prop_map(|(name, changes)| {
        let mut plan = super::fixtures::document(name);
        for (index, word, value) in changes {
            let nodes = plan["nodes"].as_array_mut().unwrap();
            let node = index.get_mut(nodes);
            let properties = node["properties"].as_object_mut().unwrap();
            if properties.is_empty() {
                properties.insert(word, value);
            } else {
                let key = index
                    .get(&properties.keys().cloned().collect::<Vec<_>>())
                    .clone();
                properties.insert(key, value);
            }
        }
        plan
    })
}

fn check_runs(document: Value) {
    let Ok(plan) = serde_json::from_value::<Plan>(document) else {
        return;
    };
    let problems = validate(&plan, &Context::permissive());
    let _ = serde_json::to_string(&problems).unwrap();
    let at = "2026-01-14T12:00:00Z".parse().unwrap();
    let transcript = simulate(&Arc::new(plan), &Script::inbound(at));
    let _ = serde_json::to_string(&transcript).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_ends_once_and_nothing_follows(
        name in prop::sample::select(&PLANS[..]),
        scheduled in any::<bool>(),
        events in prop::collection::vec((event(), 0_u64..8_000), 0..60),
        last in ending(),
        after in prop::collection::vec(event(), 0..5),
    ) {
        let mut call = if scheduled {
            Call::scheduled(name)
        } else {
            Call::inbound(name)
        };
        let mut judge = Judge { answered: scheduled, ..Judge::default() };
        let mut seen = call.begin();
        for (event, ms) in events {
            call.elapsed += Duration::from_millis(ms);
            seen.extend(call.tell(event));
        }
        seen.extend(call.tell(last));
        for effect in &seen {
            judge.see(effect);
        }
        prop_assert!(judge.ended, "{seen:?}");
        prop_assert!(call.interpreter.is_over());
        for event in after {
            prop_assert_eq!(call.tell(event), []);
        }
        prop_assert_eq!(call.interpreter.deadline(), None);
    }

    #[test]
    fn no_json_makes_validation_or_simulation_panic(document in json()) {
        check_runs(document);
    }

    #[test]
    fn no_plan_makes_validation_or_simulation_panic(document in plan()) {
        check_runs(document);
    }

    #[test]
    fn no_change_of_a_plan_makes_validation_or_simulation_panic(document in mutated()) {
        check_runs(document);
    }

    #[test]
    fn cutting_a_text_loses_nothing_but_doubled_signs(text in ".{0,40}") {
        use crate::call_plan::variables::{Piece, pieces};
        let joined: String = pieces(&text)
            .into_iter()
            .map(|piece| match piece { Piece::Text(part) | Piece::Name(part) => part })
            .collect();
        prop_assert_eq!(joined, text.replace("@@", "@"));
    }
}
