//! What the simulator says is what happens.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Builder, CUSTOMER_NUMBER, Phone, audio, plan};

const OFFICE: &str = "+442079460101";

fn menu_and_office() -> Value {
    let asks = json!({ "prompt": [audio(500)], "timeout_s": 2, "attempts": 2 });
    plan("set", None)
        .node(
            "set",
            "set_variable",
            json!({ "variable": "@wanted", "value": OFFICE }),
            json!({ "continue": "menu" }),
        )
        .node(
            "menu",
            "ivr_menu",
            asks,
            json!({ "1": "office", "max_attempts": "sorry" }),
        )
        .deliver(
            "office",
            "@wanted",
            json!({}),
            json!({ "busy": "sorry", "continue": "thanks" }),
        )
        .play("thanks", 1100, None)
        .play("sorry", 700, None)
        .variable("@wanted", "")
        .build()
}

/// Node, type and branch of every step.
fn steps(document: &Value) -> Vec<BTreeMap<String, String>> {
    let list = document["steps"].as_array().expect("steps");
    list.iter()
        .map(|step| {
            let text = |name: &str| {
                (
                    name.to_owned(),
                    step[name].as_str().unwrap_or("").to_owned(),
                )
            };
            ["node", "kind", "branch"].map(text).into()
        })
        .collect()
}

#[actix::test]
async fn a_live_call_takes_the_steps_that_the_simulator_foretold() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(menu_and_office(), &phone).start().await;
    for (what, ends) in [("busy", "sorry"), ("talk", "thanks")] {
        let mut events = vec![json!({ "at_ms": 500, "event": "digits", "digits": "1" })];
        if what == "busy" {
            events.push(json!({ "at_ms": 2000, "event": "dial_failed", "cause": "user_busy" }));
        } else {
            events.push(json!({ "at_ms": 2000, "event": "answered" }));
            events.push(json!({ "at_ms": 4000, "event": "hung_up", "party": "b" }));
        }
        let script = json!({
            "origin": "inbound",
            "calling": "+447700900001",
            "called": CUSTOMER_NUMBER,
            "at": "2026-06-01T10:00:00.000Z",
            "events": events,
        });
        let plan = platform.seeded.plans[CUSTOMER_NUMBER];
        let path = format!("/v1/accounts/me/call_plans/{plan}/simulate");
        let foretold = platform.api.post(&path, &script).await.is(200);

        let mut a = platform.called_by(&phone).await;
        a.is_answered().await;
        a.hears(500).await;
        a.press("1");
        let mut b = phone.rings().await;
        if what == "busy" {
            b.refuse(486);
            a.hears(700).await;
        } else {
            b.answer();
            b.is_acknowledged().await;
            a.say(900);
            b.hears(900).await;
            b.hang_up();
            a.hears(1100).await;
        }
        a.is_over().await;
        let record = platform.records().await.pop().expect("a record");
        let lived = serde_json::to_value(&record).unwrap();
        assert_eq!(steps(&foretold), steps(&lived), "{what}: {foretold:#}");
        assert_eq!(steps(&lived).last().unwrap()["node"], ends);
    }
    platform.finish().await;
}
