//! A customer's web server is away while calls go on, and the program is killed meanwhile: once it is
//! back, it gets every event, and those of a call in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use strowger::store::events::{Event, LogPosition};
use strowger::store::{AccountScope, Within};

use crate::harness::{
    Builder, CUSTOMER_NUMBER, Owner, PageServer, Phone, Process, Reply, eventually, plan,
};

const CALLS: u32 = 10;

/// Answers every call until the other side hangs up.
fn answer_all(mut phone: Phone) {
    actix::spawn(async move {
        while let Some(mut line) = phone.next_call().await {
            actix::spawn(async move {
                line.ring();
                line.answer();
                tokio::time::sleep(Duration::from_secs(2)).await;
            });
        }
    });
}

async fn schedule(process: &Process, round: u32) {
    let api = process.api().await;
    for call in 0..CALLS {
        let wish = json!({
            "service_number": CUSTOMER_NUMBER,
            "first_party": format!("+44770090{:04}", round * CALLS + call),
        });
        api.post("/v1/accounts/me/scheduled_calls", &wish)
            .await
            .is(201);
    }
}

/// The customer's events, in the order of the log.
async fn told(process: &Process) -> Vec<Event> {
    let store = process.store().await;
    let within = Within::Account(process.seeded.accounts[&Owner::Customer]);
    let scope = AccountScope::platform();
    let read = store.read_log(&scope, within, LogPosition::default(), 100_000);
    let events = read.await.unwrap();
    store.close().await.unwrap();
    events.into_iter().map(|(_, event)| event).collect()
}

#[actix::test]
async fn a_reader_that_was_away_gets_every_event_although_the_program_was_killed() {
    let phone = Phone::start().await;
    let hello = plan("hello", Some("hello"))
        .play("hello", 500, None)
        .build();
    let mut process = Builder::new(hello, &phone).spawn().await;
    answer_all(phone);
    let is_back = Arc::new(AtomicBool::new(false));
    let taken = Arc::new(Mutex::new(Vec::<Value>::new()));
    let (back, kept) = (Arc::clone(&is_back), Arc::clone(&taken));
    let server = PageServer::start(move |_, event| {
        if !back.load(Ordering::SeqCst) {
            return Reply::status(503);
        }
        kept.lock().unwrap().push(event.clone());
        Reply::status(204)
    })
    .await;
    let wish = json!({ "url": server.url("/events") });
    let api = process.api().await;
    api.post("/v1/accounts/me/webhooks", &wish).await.is(201);

    for round in 0..2 {
        schedule(&process, round).await;
        let asked = server.asked().len();
        eventually("the endpoint is tried", || async {
            (server.asked().len() > asked).then_some(())
        })
        .await;
        eventually("calls are under way", || async {
            let events = told(&process).await;
            let answered = events.iter().filter(|event| event.kind == "call.answered");
            (answered.count() > usize::try_from(round * CALLS).unwrap()).then_some(())
        })
        .await;
        process.kill().await;
        is_back.store(round == 1, Ordering::SeqCst);
        process.start_again().await;
    }
    let list = "/v1/accounts/me/scheduled_calls?limit=500";
    let api = process.api().await;
    let over = ["completed", "failed", "cancelled", "expired"];
    api.until(list, "all are over", |list| {
        let all = list["items"].as_array().unwrap();
        all.iter()
            .all(|call| over.contains(&call["state"].as_str().unwrap()))
    })
    .await;
    let got = eventually("every event has come", || async {
        let expected: BTreeSet<String> = told(&process)
            .await
            .iter()
            .map(|event| event.id.to_string())
            .collect();
        let got = taken.lock().unwrap().clone();
        let ids: BTreeSet<String> = got
            .iter()
            .map(|event| event["id"].as_str().unwrap().to_owned())
            .collect();
        let ended = got.iter().filter(|event| event["type"] == "call.ended");
        (ids == expected && ended.count() >= 1).then_some(got)
    })
    .await;

    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for event in got.iter().filter(|event| event["call"].is_string()) {
        let sequence = event["sequence"].as_u64().unwrap();
        let before = last
            .entry(event["call"].as_str().unwrap().to_owned())
            .or_default();
        // Only what was being sent as the program was killed may come twice.
        assert!(
            sequence == *before + 1 || sequence == *before,
            "after {before}: {event}"
        );
        *before = sequence;
    }
    assert!(last.len() >= usize::try_from(CALLS).unwrap(), "{last:?}");
    process.terminate().await;
    assert!(process.has_ended().await);
}
