//! The program is killed while it dials: nobody is dialled twice, and every call has one record.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use strowger::store::calls::CallFilter;
use strowger::store::page::Paging;
use strowger::store::{AccountScope, Store, Within};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::CallRecord;

use crate::harness::{Builder, CUSTOMER_NUMBER, Caller, Owner, Phone, Process, plan};

const ROUNDS: u32 = 20;
const CALLS: u32 = 50;

/// How often each first party was called.
type Called = Arc<Mutex<BTreeMap<String, u32>>>;

/// Answers every call; some after a while, some never.
fn answer_all(mut phone: Phone) -> Called {
    let called = Called::default();
    let seen = Arc::clone(&called);
    actix::spawn(async move {
        let mut number = 0_u32;
        while let Some(mut line) = phone.next_call().await {
            *seen
                .lock()
                .unwrap()
                .entry(line.dialled().to_owned())
                .or_default() += 1;
            number += 1;
            let manner = number % 4;
            actix::spawn(async move {
                line.ring();
                if manner == 0 {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    line.refuse(486);
                } else {
                    line.answer();
                }
                // A call that the program lost is hung up like one that is over.
                tokio::time::sleep(Duration::from_secs(4)).await;
            });
        }
    });
    called
}

async fn all_records(store: &Store, account: Within) -> Vec<CallRecord> {
    let (mut records, mut after) = (Vec::new(), None);
    loop {
        let paging = Paging { limit: 500, after };
        let scope = AccountScope::platform();
        let page = store
            .calls(&scope, account, &CallFilter::default(), paging)
            .await
            .unwrap();
        records.extend(page.items);
        after = page.next;
        if after.is_none() {
            return records;
        }
    }
}

async fn wait_until_all_are_final(process: &Process) {
    let store = process.store().await;
    let look = async {
        let scope = AccountScope::platform();
        while !store.open_scheduled_calls(&scope).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), look)
        .await
        .expect("all are final");
    store.close().await.unwrap();
}

#[actix::test]
async fn nobody_is_dialled_twice_and_every_call_has_one_record_however_often_it_is_killed() {
    let phone = Phone::start().await;
    let hello = plan("hello", Some("hello"))
        .play("hello", 500, None)
        .build();
    let mut process = Builder::new(hello, &phone).spawn().await;
    let called = answer_all(phone);
    let mut rng = StdRng::seed_from_u64(1891);
    let mut ordered = 0;
    for round in 0..ROUNDS {
        let api = process.api().await;
        for call in 0..CALLS {
            let wish = json!({
                "service_number": CUSTOMER_NUMBER,
                "first_party": format!("+44770090{:04}", round * CALLS + call),
            });
            api.post("/v1/accounts/me/scheduled_calls", &wish)
                .await
                .is(201);
            ordered += 1;
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..1200))).await;
        process.kill().await;
        process.start_again().await;
    }
    wait_until_all_are_final(&process).await;
    process.terminate().await;
    assert!(process.has_ended().await);

    let called = called.lock().unwrap().clone();
    let twice: Vec<_> = called.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "dialled twice: {twice:?}");
    assert_eq!(ordered, ROUNDS * CALLS);

    let store = process.store().await;
    let account = Within::Account(process.seeded.accounts[&Owner::Customer]);
    let records = all_records(&store, account).await;
    let mut of_party: BTreeMap<&str, u32> = BTreeMap::new();
    let scope = AccountScope::platform();
    for record in &records {
        *of_party.entry(&record.called).or_default() += 1;
        assert!(record.ended_at.is_some(), "{record:#?}");
        let events = store.events_of(&scope, record.id).await.unwrap();
        let ends = events
            .iter()
            .filter(|event| event.kind == "call.ended")
            .count();
        assert_eq!(ends, 1, "{events:#?}");
        let sequence: Vec<_> = events.iter().map(|event| event.sequence).collect();
        assert!(sequence.is_sorted_by(|a, b| a < b), "{sequence:?}");
    }
    assert!(of_party.values().all(|count| *count == 1), "{of_party:?}");
    for party in called.keys() {
        assert!(
            of_party.contains_key(&**party),
            "{party} was dialled and has no record"
        );
    }
    let cut = records
        .iter()
        .filter(|record| record.cause == Some(Cause::TemporaryFailure));
    let (cut, all) = (cut.count(), records.len());
    println!(
        "{ordered} ordered, {} dialled, {all} records, {cut} cut",
        called.len()
    );
    assert!(cut > 0, "no call was cut: the test tries nothing");
    store.close().await.unwrap();
}

#[actix::test]
async fn a_program_that_is_asked_to_end_lets_calls_end_and_takes_no_new_ones() {
    let mut phone = Phone::start().await;
    let office = plan("office", None).deliver("office", "+442079460101", json!({}), json!({}));
    let mut process = Builder::new(office.build(), &phone).spawn().await;
    let mut a = phone
        .call(CUSTOMER_NUMBER, process.sip, Caller::default())
        .await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    let api = process.api().await;
    process.terminate().await;
    // A call that came before the program has heard of it would be taken, and wait for the office.
    crate::harness::eventually("it takes no new calls", || async {
        (api.get("/system/ready").await.status == 503).then_some(())
    })
    .await;
    let mut late = phone
        .call(CUSTOMER_NUMBER, process.sip, Caller::default())
        .await;
    assert_eq!(late.ring_or_refusal().await, Some(503));
    a.say(900);
    b.hears(900).await;
    a.hang_up();
    a.is_over().await;
    b.is_over().await;
    assert!(process.has_ended().await);
    let store = process.store().await;
    let account = Within::Account(process.seeded.accounts[&Owner::Customer]);
    let records = all_records(&store, account).await;
    let talked: Vec<_> = records
        .iter()
        .filter(|record| record.answered_at.is_some())
        .collect();
    assert_eq!(talked.len(), 1, "{records:#?}");
    assert_eq!(talked[0].cause, Some(Cause::NormalClearing));
    assert!(
        records.iter().all(|record| record.ended_at.is_some()),
        "{records:#?}"
    );
    store.close().await.unwrap();
}

#[actix::test]
async fn a_call_that_outlasts_the_drain_time_is_ended_and_on_record() {
    let mut phone = Phone::start().await;
    let office = plan("office", None).deliver("office", "+442079460101", json!({}), json!({}));
    let builder = Builder::new(office.build(), &phone).set(|s| s.drain_s = Some("1".into()));
    let mut process = builder.spawn().await;
    let mut a = phone
        .call(CUSTOMER_NUMBER, process.sip, Caller::default())
        .await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    process.terminate().await;
    a.is_over().await;
    b.is_over().await;
    assert!(process.has_ended().await);
    let store = process.store().await;
    let account = Within::Account(process.seeded.accounts[&Owner::Customer]);
    let records = all_records(&store, account).await;
    assert_eq!(records.len(), 1, "{records:#?}");
    assert!(records[0].ended_at.is_some());
    store.close().await.unwrap();
}
