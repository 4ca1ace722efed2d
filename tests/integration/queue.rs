//! Callers wait in queues until somebody is free for them.

use serde_json::{Map, Value, json};

use crate::harness::{Builder, CUSTOMER_NUMBER, Caller, Line, Phone, Platform, plan};

const AGENT: &str = "+442079460101";
const OTHER_AGENT: &str = "+442079460102";

/// A queue; what follows is heard: full 700 Hz, timeout 1100, drop out 1700, conversation over 500.
fn queue(properties: Value) -> Value {
    let mut all = Map::from_iter([
        ("queue".to_owned(), json!("support")),
        ("destinations".to_owned(), json!([AGENT])),
    ]);
    all.extend(properties.as_object().cloned().unwrap_or_default());
    let mut branches = json!({ "continue": "done", "full": "full", "timeout": "timeout" });
    if all.contains_key("drop_out_key") {
        branches["drop_out"] = json!("left");
    }
    let mut plan = plan("queue", None)
        .node("queue", "queue", Value::Object(all.clone()), branches)
        .play("done", 500, None)
        .play("full", 700, None)
        .play("timeout", 1100, None);
    if all.contains_key("drop_out_key") {
        plan = plan.play("left", 1700, None);
    }
    plan.build()
}

async fn caller(phone: &Phone, platform: &Platform, n: u32) -> Line {
    let caller = Caller::number(&format!("+44770090000{n}"));
    let mut line = phone.call(CUSTOMER_NUMBER, platform.sip, caller).await;
    line.is_answered().await;
    line
}

async fn are_connected(a: &Line, agent: &Line) {
    a.say(900);
    agent.say(1300);
    a.hears(1300).await;
    agent.hears(900).await;
}

#[actix::test]
async fn who_came_first_is_served_first_and_hears_music_meanwhile() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(queue(json!({})), &phone).start().await;
    let mut callers = Vec::new();
    callers.push(caller(&phone, &platform, 1).await);
    let mut agent = phone.rings().await;
    for n in 2..=3 {
        callers.push(caller(&phone, &platform, n).await);
    }
    for (n, mut line) in callers.into_iter().enumerate() {
        assert!(line.sound.heard_something() || n == 0, "there is music");
        assert_eq!(agent.presented(), format!("+44770090000{}", n + 1));
        agent.answer();
        agent.is_acknowledged().await;
        are_connected(&line, &agent).await;
        agent.hang_up();
        agent.is_over().await;
        line.hears(500).await;
        line.is_over().await;
        if n < 2 {
            agent = phone.rings().await;
        }
    }
    assert_eq!(platform.records().await.len(), 3);
    platform.finish().await;
}

#[actix::test]
async fn an_agent_who_is_busy_is_passed_over_and_agents_are_rung_in_turn() {
    let mut phone = Phone::start().await;
    let two = json!({ "destinations": [AGENT, OTHER_AGENT], "max_connected": 2 });
    let platform = Builder::new(queue(two), &phone).start().await;
    let mut a = caller(&phone, &platform, 1).await;
    let mut first = phone.rings().await;
    assert_eq!(first.dialled(), AGENT);
    first.refuse(486);
    let mut second = phone.rings().await;
    assert_eq!(second.dialled(), OTHER_AGENT);
    second.answer();
    second.is_acknowledged().await;
    are_connected(&a, &second).await;
    a.hang_up();
    a.is_over().await;
    second.is_over().await;
    platform.finish().await;
}

#[actix::test]
async fn a_caller_who_waits_too_long_leaves_by_timeout() {
    let mut phone = Phone::start().await;
    let short = json!({ "max_wait_s": 1 });
    let platform = Builder::new(queue(short), &phone).start().await;
    let mut a = caller(&phone, &platform, 1).await;
    let mut agent = phone.rings().await;
    agent.answer();
    agent.is_acknowledged().await;
    let mut b = caller(&phone, &platform, 2).await;
    b.hears(1100).await;
    b.is_over().await;
    are_connected(&a, &agent).await;
    a.hang_up();
    a.is_over().await;
    agent.is_over().await;
    platform.finish().await;
}

#[actix::test]
async fn a_queue_that_is_full_takes_nobody_more() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(queue(json!({ "max_waiting": 1 })), &phone)
        .start()
        .await;
    let mut a = caller(&phone, &platform, 1).await;
    let mut agent = phone.rings().await;
    agent.answer();
    agent.is_acknowledged().await;
    are_connected(&a, &agent).await;
    let mut b = caller(&phone, &platform, 2).await;
    let mut c = caller(&phone, &platform, 3).await;
    c.hears(700).await;
    c.is_over().await;
    for line in [&mut b, &mut a] {
        line.hang_up();
        line.is_over().await;
    }
    agent.is_over().await;
    platform.finish().await;
}

#[actix::test]
async fn a_caller_leaves_the_queue_by_its_key_and_the_next_one_moves_up() {
    let mut phone = Phone::start().await;
    let keyed = json!({ "drop_out_key": "*" });
    let platform = Builder::new(queue(keyed), &phone).start().await;
    let mut a = caller(&phone, &platform, 1).await;
    let mut agent = phone.rings().await;
    agent.answer();
    agent.is_acknowledged().await;
    are_connected(&a, &agent).await;
    let mut b = caller(&phone, &platform, 2).await;
    let mut c = caller(&phone, &platform, 3).await;
    b.press("*");
    b.hears(1700).await;
    b.is_over().await;
    a.hang_up();
    a.is_over().await;
    agent.is_over().await;
    let mut agent = phone.rings().await;
    assert_eq!(agent.presented(), "+447700900003");
    agent.answer();
    agent.is_acknowledged().await;
    are_connected(&c, &agent).await;
    c.hang_up();
    c.is_over().await;
    agent.is_over().await;
    platform.finish().await;
}

#[actix::test]
async fn a_caller_who_hangs_up_while_the_agent_rings_frees_the_agent_for_the_next() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(queue(json!({})), &phone).start().await;
    let mut a = caller(&phone, &platform, 1).await;
    let mut agent = phone.rings().await;
    agent.ring();
    let mut b = caller(&phone, &platform, 2).await;
    a.hang_up();
    a.is_over().await;
    assert_eq!(agent.is_over().await.status, Some(487));
    let mut agent = phone.rings().await;
    agent.answer();
    agent.is_acknowledged().await;
    are_connected(&b, &agent).await;
    b.hang_up();
    b.is_over().await;
    agent.is_over().await;
    platform.finish().await;
}
