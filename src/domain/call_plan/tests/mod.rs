//! Plans from `tests/fixtures/call_plans`, run event by event; what comes out is a list of effects.

mod choosing;
mod connecting;
mod ends;
mod fixtures;
mod playing;
mod properties;
mod routing;
mod transcripts;

use super::{Interpreter, Plan};
use crate::account::Permissions;
use crate::call::{
    Dial, Effect, Event, Facts, LegNumber, Now, Origin, Parties, PlayNumber, Recording,
    RecordingNumber, Sound, Tone,
};
use crate::cause::Cause;
use crate::ids::{AccountId, CallId};
use chrono::{DateTime, TimeDelta, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

const A: LegNumber = LegNumber::A;
const B: LegNumber = LegNumber(1);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/call_plans")
}

fn fixture(name: &str) -> Plan {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One call that runs a plan.
struct Call {
    interpreter: Interpreter,
    start: Instant,
    utc: DateTime<Utc>,
    elapsed: Duration,
}

impl Call {
    fn new(plan: Plan, origin: Origin, at: &str) -> Self {
        let facts = Facts {
            call: CallId::from_uuid(Uuid::nil()),
            account: AccountId::from_uuid(Uuid::nil()),
            origin,
            calling: Some("+447700900123".to_owned()),
            called: "+441632960001".to_owned(),
            variables: [("name".to_owned(), "Ada".to_owned())].into(),
            time_zone: chrono_tz::Europe::London,
            permissions: Permissions::all(),
        };
        #[expect(clippy::disallowed_methods, reason = "the beginning of virtual time")]
        let start = Instant::now();
        Self {
            interpreter: Interpreter::new(Arc::new(plan), facts, StdRng::seed_from_u64(1)),
            start,
            utc: at.parse().unwrap(),
            elapsed: Duration::ZERO,
        }
    }

    /// A caller on a Wednesday at noon, UTC.
    fn inbound(name: &str) -> Self {
        Self::new(fixture(name), Origin::Inbound, "2026-01-14T12:00:00Z")
    }

    fn scheduled(name: &str) -> Self {
        Self::new(fixture(name), Origin::Scheduled, "2026-01-14T12:00:00Z")
    }

    fn at(name: &str, at: &str) -> Self {
        Self::new(fixture(name), Origin::Inbound, at)
    }

    fn tell(&mut self, event: Event) -> Vec<Effect> {
        let now = Now {
            instant: self.start + self.elapsed,
            utc: self.utc + TimeDelta::from_std(self.elapsed).unwrap(),
        };
        self.interpreter.handle(event, now);
        std::iter::from_fn(|| self.interpreter.next_effect()).collect()
    }

    fn begin(&mut self) -> Vec<Effect> {
        self.tell(Event::Started)
    }

    fn digit(&mut self, digit: char) -> Vec<Effect> {
        self.tell(Event::Digit { leg: A, digit })
    }

    fn played(&mut self, play: u32) -> Vec<Effect> {
        self.tell(Event::Played {
            leg: A,
            play: PlayNumber(play),
            failure: None,
        })
    }

    fn failed(&mut self, leg: LegNumber, cause: Cause) -> Vec<Effect> {
        let status = None;
        self.tell(Event::DialFailed { leg, cause, status })
    }

    fn hung_up(&mut self, leg: LegNumber) -> Vec<Effect> {
        let cause = Cause::NormalClearing;
        self.tell(Event::HungUp { leg, cause })
    }

    /// Lets time pass; the timeout is told when it is due.
    fn wait(&mut self, seconds: u64) -> Vec<Effect> {
        self.elapsed += Duration::from_secs(seconds);
        self.tell(Event::TimedOut)
    }

    fn deadline(&self) -> Option<Duration> {
        self.interpreter
            .deadline()
            .map(|deadline| deadline.duration_since(self.start + self.elapsed))
    }

    fn node(&self) -> &str {
        self.interpreter.node().unwrap_or_default()
    }
}

fn step(node: &str, kind: &str, branch: &str) -> Effect {
    Effect::Step {
        node: node.to_owned(),
        kind: kind.to_owned(),
        branch: branch.to_owned(),
    }
}

fn text(text: &str) -> Sound {
    Sound::Text {
        text: text.to_owned(),
        voice: String::new(),
    }
}

fn play(play: u32, sounds: Vec<Sound>) -> Effect {
    Effect::Play {
        leg: A,
        play: PlayNumber(play),
        sounds,
        repeat: false,
    }
}

fn repeat(play: u32, sounds: Vec<Sound>) -> Effect {
    Effect::Play {
        leg: A,
        play: PlayNumber(play),
        sounds,
        repeat: true,
    }
}

fn stop_play() -> Effect {
    Effect::StopPlay { leg: A }
}

fn dial(leg: u16, destination: &str, ring: u64) -> Dial {
    Dial {
        leg: LegNumber(leg),
        destination: destination.to_owned(),
        ring: Duration::from_secs(ring),
        presentation: None,
        early_media: false,
    }
}

fn bridge(leg: LegNumber) -> Effect {
    Effect::Bridge { a: A, b: leg }
}

fn record(recording: u16, leg: LegNumber, parties: Parties) -> Effect {
    Effect::StartRecording(Recording {
        recording: RecordingNumber(recording),
        a: A,
        b: Some(leg),
        parties,
        max_duration: None,
        max_silence: None,
        keep: true,
    })
}

fn stop_recording(recording: u16) -> Effect {
    Effect::StopRecording {
        recording: RecordingNumber(recording),
    }
}

fn end(cause: Cause) -> Effect {
    Effect::End { cause }
}

#[test]
fn the_example_of_the_reference_has_no_problem() {
    let example = include_str!("../README.md")
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let plan: crate::call_plan::Plan = serde_json::from_str(example).unwrap();
    let context = crate::call_plan::Context::permissive();
    assert_eq!(crate::call_plan::validate(&plan, &context), []);
}
