//! Every plan of the fixtures has the problems that it should have.

use super::*;
use crate::account::Permissions;
use crate::call_plan::nodes::Kind;
use crate::call_plan::validate::Code;
use crate::call_plan::{Context, Problem, Severity, is_runnable, validate};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The fixtures are written instead of compared when this variable is set.
const WRITE: &str = "STROWGER_WRITE_FIXTURES";

pub(super) fn names(folder_name: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder().join(folder_name))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{folder_name} has no fixtures");
    names
}

pub(super) fn document(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Compares a fixture with what it should be, or writes it.
pub(super) fn compare(name: &str, expected: &Value) {
    if std::env::var_os(WRITE).is_some() {
        let mut text = serde_json::to_string_pretty(expected).unwrap();
        text.push('\n');
        std::fs::write(folder().join(format!("{name}.json")), text).unwrap();
    }
    let found = document(name);
    assert!(
        found == *expected,
        "{name} should be {}",
        serde_json::to_string_pretty(expected).unwrap()
    );
}

fn nothing_permitted() -> Context {
    Context {
        permissions: Permissions::default(),
        audio: Some(BTreeSet::new()),
        numbers: Some(BTreeSet::new()),
    }
}

fn problems(document: &Value) -> Vec<Problem> {
    let plan: Plan = serde_json::from_value(document["plan"].clone()).unwrap();
    let context = match document["account"].as_str().unwrap() {
        "everything" => Context::permissive(),
        "nothing" => nothing_permitted(),
        other => panic!("{other}"),
    };
    validate(&plan, &context)
}

#[test]
fn sound_plans_have_no_problem_and_keep_their_meaning_when_written() {
    for name in names("") {
        let plan = fixture(&name);
        assert_eq!(validate(&plan, &Context::permissive()), [], "{name}");
        let written = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&written).unwrap(), plan);
    }
}

#[test]
fn every_node_type_has_a_plan_of_its_name() {
    let names = names("");
    for kind in Kind::NAMES {
        assert!(names.iter().any(|name| name == kind), "{kind}");
        let plan = fixture(kind);
        assert!(plan.nodes.iter().any(|node| node.kind.name() == kind));
    }
}

#[test]
fn broken_plans_have_their_problems_all_at_once() {
    for name in names("broken") {
        let name = format!("broken/{name}");
        let mut expected = document(&name);
        expected["problems"] = serde_json::to_value(problems(&expected)).unwrap();
        compare(&name, &expected);
    }
}

#[test]
fn every_code_is_found_in_a_broken_plan() {
    let mut found: BTreeSet<String> = names("broken")
        .iter()
        .flat_map(|name| problems(&document(&format!("broken/{name}"))))
        .map(|problem| code(problem.code))
        .collect();
    let nodes: Vec<Value> = (0..1_001)
        .map(|index| json!({"id": index.to_string(), "type": "hang_up"}))
        .collect();
    let variables: Vec<Value> = (0..1_001)
        .map(|index| json!({"name": format!("@v{index}"), "default": ""}))
        .collect();
    let large = json!({"account": "everything", "plan": {
        "format_version": 1, "name": "x".repeat(201), "nodes": nodes, "variables": variables,
    }});
    found.extend(problems(&large).iter().map(|problem| code(problem.code)));
    for known in Code::ALL {
        assert!(found.contains(&code(known)), "{known:?}");
    }
}

fn code(code: Code) -> String {
    serde_json::to_string(&code).unwrap()
}

#[test]
fn warnings_alone_let_a_plan_run() {
    let found = problems(&document("broken/unreachable"));
    assert!(is_runnable(&found));
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(!is_runnable(&problems(&document("broken/no_start"))));
    assert!(problems(&document("broken/circle_with_telephony")).is_empty());
    assert!(problems(&document("broken/five_silent_nodes")).is_empty());
}

#[test]
fn a_draft_that_is_not_finished_is_kept_as_it_came() {
    for name in ["broken/wrong_properties", "broken/missing_properties"] {
        let document = document(name);
        let plan: Plan = serde_json::from_value(document["plan"].clone()).unwrap();
        let written = serde_json::to_value(&plan).unwrap();
        assert_eq!(
            serde_json::from_value::<Plan>(written.clone()).unwrap(),
            plan
        );
        for (node, original) in plan
            .nodes
            .iter()
            .zip(document["plan"]["nodes"].as_array().unwrap())
        {
            if matches!(node.kind, Kind::Unreadable(_)) {
                assert_eq!(json!(node.kind.properties()), original["properties"]);
            }
        }
    }
}

#[test]
fn a_document_with_unknown_members_is_refused() {
    let rows = [
        json!({"format_version": 1, "nodes": [], "colour": "red"}),
        json!({"format_version": 1, "nodes": [{"id": "a", "type": "start", "next": "b"}]}),
        json!({"format_version": 1, "nodes": [],
               "variables": [{"name": "@a", "default": "", "kind": "x"}]}),
        json!({"format_version": 1, "nodes": [], "variables": [{"name": "@a"}]}),
        json!({"format_version": 1}),
        json!([]),
    ];
    for row in rows {
        assert!(
            serde_json::from_value::<Plan>(row.clone()).is_err(),
            "{row}"
        );
    }
}

#[test]
fn the_scheduled_branch_is_told() {
    assert!(fixture("welcome_menu").has_scheduled_branch());
    assert!(fixture("deliver_call").has_scheduled_branch());
    assert!(!fixture("hang_up").has_scheduled_branch());
}

#[test]
fn a_custom_number_may_be_shown_where_its_class_may() {
    let mut plan = fixture("deliver_call");
    let mut shown = |number: &str, custom_cli: bool| {
        for node in &mut plan.nodes {
            if let Kind::DeliverCall(deliver) = &mut node.kind {
                deliver.presentation = Some(number.into());
            }
        }
        let context = Context {
            permissions: Permissions {
                custom_cli,
                ..Permissions::all()
            },
            audio: None,
            numbers: Some(["+441632960001".parse().unwrap()].into()),
        };
        validate(&plan, &context).is_empty()
    };
    assert!(shown("+441632960001", false), "hosted");
    assert!(!shown("+441632960002", false));
    assert!(shown("+441632960002", true));
    assert!(!shown("+447000000000", true), "a personal number");
}

#[test]
fn a_large_list_is_checked_in_no_time() {
    let entries: Vec<Value> = (0..20_000)
        .map(|index| {
            json!({"branch": format!("b{index}"), "days": ["monday"], "from": "x", "to": "y"})
        })
        .collect();
    let branches: serde_json::Map<String, Value> = (0..20_000)
        .map(|index| (format!("b{index}"), json!("bye")))
        .collect();
    let plan: Plan = serde_json::from_value(json!({
        "format_version": 1,
        "nodes": [
            {"id": "start", "type": "start", "branches": {"continue": "hours"}},
            {"id": "hours", "type": "time_of_day", "properties": {"entries": entries},
             "branches": branches},
            {"id": "bye", "type": "hang_up"},
        ],
    }))
    .unwrap();
    let problems = validate(&plan, &Context::permissive());
    assert_eq!(problems.len(), 200);
}
