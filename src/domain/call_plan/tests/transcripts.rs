//! Simulated calls: plan and script of `transcripts/*.json` give the transcript that stands there.

use super::fixtures::{compare, document, names};
use super::*;
use crate::call_plan::{Script, Transcript, simulate};
use serde_json::json;

fn simulated(name: &str) -> (serde_json::Value, Transcript) {
    let document = document(&format!("transcripts/{name}"));
    let plan = Arc::new(fixture(document["plan"].as_str().unwrap()));
    let script: Script = serde_json::from_value(document["script"].clone())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let transcript = simulate(&plan, &script);
    assert_eq!(transcript, simulate(&plan, &script), "{name}");
    (document, transcript)
}

#[test]
fn simulated_calls_go_as_written_down() {
    for name in names("transcripts") {
        let (document, transcript) = simulated(&name);
        let expected = json!({
            "plan": document["plan"],
            "script": document["script"],
            "transcript": transcript,
        });
        compare(&format!("transcripts/{name}"), &expected);
    }
}

#[test]
fn the_transcripts_pass_every_branch_of_the_welcome_menu() {
    let mut passed = std::collections::BTreeSet::new();
    for name in names("transcripts") {
        let (document, transcript) = simulated(&name);
        if document["plan"] == "welcome_menu" {
            passed.extend(
                transcript
                    .steps
                    .iter()
                    .map(|step| (step.branch.clone(), step.node.clone())),
            );
        }
    }
    let plan = fixture("welcome_menu");
    for node in &plan.nodes {
        for (branch, target) in &node.branches {
            assert!(
                passed.contains(&(branch.clone(), target.clone())),
                "{}: {branch}",
                node.id
            );
        }
    }
}

#[test]
fn a_simulation_that_nobody_ends_is_given_up() {
    let circle = json!({
        "format_version": 1,
        "nodes": [
            {"id": "start", "type": "start", "branches": {"continue": "a"}},
            {"id": "a", "type": "play_audio", "properties": {"sounds": [{"type": "beep"}]},
             "branches": {"continue": "b"}},
            {"id": "b", "type": "play_audio", "properties": {"sounds": [{"type": "beep"}]},
             "branches": {"continue": "a"}},
        ],
    });
    let plan: Plan = serde_json::from_value(circle).unwrap();
    let script = Script::inbound("2026-01-14T12:00:00Z".parse().unwrap());
    let transcript = simulate(&Arc::new(plan), &script);
    assert_eq!(transcript.end, None);
    assert_eq!(transcript.steps.len(), 10_001);
}
