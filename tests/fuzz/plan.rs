//! Call plans and the documents of customers' applications, as JSON.

use std::sync::Arc;

use chrono::DateTime;
use rand::RngExt;
use rand::rngs::StdRng;
use strowger_domain::call::Origin;
use strowger_domain::call_plan::plan::Plan;
use strowger_domain::call_plan::simulate::{Happening, Party, Script, ScriptEvent, simulate};
use strowger_domain::call_plan::validate::{Context, is_runnable, validate};
use strowger_domain::cause::Cause;

use crate::fuzzer::{Target, outcome};

const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"null",
    b"true",
    b"false",
    b"\\u0000",
    b"\\ud800",
    b"-",
    b"1e999",
    b"\"continue\"",
    b"\"branches\":{",
    b"\"id\":\"start\"",
    b"\"type\":\"if\"",
    b"\"type\":\"queue\"",
    b"\"type\":\"ivr_menu\"",
    b"\"properties\":{}",
    b"@",
    b"@@",
    b"@result",
    b"\"max_attempts\"",
    b"\"timeout_s\":0",
    b"\xff",
    b"\xe2\x80\xae",
    b"+442079460101",
];

/// What happens in a call that meets this plan.
fn script(rng: &mut StdRng) -> Script {
    let mut script = Script::inbound(DateTime::from_timestamp(1_790_000_000, 0).expect("a date"));
    if rng.random() {
        script.origin = Origin::Scheduled;
    }
    for _ in 0..rng.random_range(0..12) {
        let happening = match rng.random_range(0..10) {
            0..4 => Happening::Digits {
                digits: ["1", "2", "#", "*", "0123456789ABCD*#", "9"][rng.random_range(0..6)]
                    .into(),
            },
            4 => Happening::Answered,
            5 => Happening::DialFailed {
                cause: Cause::UserBusy,
            },
            6 => Happening::HungUp { party: Party::B },
            7 => Happening::QueueOffered,
            8 => Happening::QueuePosition { position: 3 },
            _ => Happening::ConferenceEnded,
        };
        script.events.push(ScriptEvent {
            at_ms: rng.random_range(0..60_000),
            happening,
        });
    }
    script
}

fn check(bytes: &[u8], rng: &mut StdRng) -> Vec<String> {
    let plan: Plan = match serde_json::from_slice(bytes) {
        Ok(plan) => plan,
        Err(error) => return vec![format!("{:?}", error.classify())],
    };
    let problems = validate(&plan, &Context::permissive());
    let written = serde_json::to_vec(&plan).expect("can be written");
    let again: Plan = serde_json::from_slice(&written).expect("ours is readable");
    assert_eq!(
        validate(&again, &Context::permissive()),
        problems,
        "the same plan has the same problems"
    );
    let mut seen: Vec<_> = problems
        .iter()
        .map(|problem| format!("{:?}", problem.code))
        .collect();
    seen.sort();
    seen.dedup();
    if is_runnable(&problems) {
        let plan = Arc::new(plan);
        let script = script(rng);
        let transcript = simulate(&plan, &script);
        assert_eq!(simulate(&plan, &script), transcript, "it can be repeated");
        seen.push(format!("{:?}", transcript.end));
    }
    seen
}

#[test]
fn any_plan_is_refused_with_its_problems_or_runs_to_an_end() {
    Target {
        name: "plan",
        seeds: &[
            "tests/fixtures/call_plans",
            "tests/fixtures/call_plans/broken",
        ],
        words: WORDS,
        check: |bytes, rng| outcome(check(bytes, rng)),
    }
    .run();
}
