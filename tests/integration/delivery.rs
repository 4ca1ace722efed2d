//! Calls are delivered to destinations: who is dialled, what is presented, which branch follows.

use serde_json::{Value, json};
use strowger_domain::cause::Cause;

use crate::harness::{Builder, CUSTOMER_NUMBER, Caller, Phone, Platform, SECOND_NUMBER, plan};

const OFFICE: &str = "+442079460101";
const HOME: &str = "+442079460102";

/// Delivers; whatever branch follows is heard: continue 500 Hz, busy 700, no reply 1100, failed
/// 1700.
fn delivers(properties: Value) -> Value {
    let branches =
        json!({ "continue": "done", "busy": "busy", "no_reply": "no_reply", "failed": "failed" });
    plan("office", None)
        .deliver("office", OFFICE, properties, branches)
        .play("done", 500, None)
        .play("busy", 700, None)
        .play("no_reply", 1100, None)
        .play("failed", 1700, None)
        .build()
}

async fn ends_on(platform: &Platform, branch: &str) {
    let record = platform.record().await;
    let last = record.steps.last().expect("steps");
    assert_eq!(last.branch, branch, "{:?}", record.steps);
}

#[actix::test]
async fn the_branch_follows_from_how_the_destination_refused() {
    for (status, tone, branch) in [
        (486, 700, "busy"),
        (600, 700, "busy"),
        (404, 1700, "failed"),
        (503, 1700, "failed"),
        (480, 1100, "no_reply"),
    ] {
        let mut phone = Phone::start().await;
        let platform = Builder::new(delivers(json!({})), &phone).start().await;
        let mut a = platform.called_by(&phone).await;
        phone.rings().await.refuse(status);
        a.is_answered().await;
        a.hears(tone).await;
        a.is_over().await;
        ends_on(&platform, branch).await;
        platform.finish().await;
    }
}

#[actix::test]
async fn a_destination_that_does_not_answer_in_time_is_cancelled() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(delivers(json!({ "ring_duration_s": 5 })), &phone)
        .start()
        .await;
    let mut a = platform.called_by(&phone).await;
    let mut b = phone.rings().await;
    b.ring();
    assert_eq!(a.is_provisional().await, 180);
    assert_eq!(b.is_over().await.status, Some(487));
    a.is_answered().await;
    a.hears(1100).await;
    a.is_over().await;
    ends_on(&platform, "no_reply").await;
    platform.finish().await;
}

#[actix::test]
async fn the_further_destinations_are_dialled_in_their_order() {
    let mut phone = Phone::start().await;
    let further = json!({ "further_destinations": [HOME, "sip:nobody@127.0.0.1:9"] });
    let platform = Builder::new(delivers(further), &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    let mut first = phone.rings().await;
    assert_eq!(first.dialled(), OFFICE);
    first.refuse(486);
    let mut second = phone.rings().await;
    assert_eq!(second.dialled(), HOME);
    second.answer();
    second.is_acknowledged().await;
    a.is_answered().await;
    a.say(900);
    second.hears(900).await;
    second.hang_up();
    second.is_over().await;
    a.hears(500).await;
    a.is_over().await;
    ends_on(&platform, "continue").await;
    platform.finish().await;
}

#[actix::test]
async fn without_a_branch_the_caller_gets_the_status_of_the_destination() {
    let mut phone = Phone::start().await;
    let bare = plan("office", None)
        .deliver("office", OFFICE, json!({}), json!({}))
        .build();
    let platform = Builder::new(bare, &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    phone.rings().await.refuse(486);
    let ended = a.is_over().await;
    assert_eq!((ended.status, ended.q850), (Some(486), Some(17)));
    assert_eq!(platform.record().await.cause, Some(Cause::UserBusy));
    platform.finish().await;
}

#[actix::test]
async fn the_network_number_is_the_service_number_whatever_is_presented() {
    let mut phone = Phone::start().await;
    let presents = delivers(json!({ "presentation": SECOND_NUMBER }));
    let platform = Builder::new(delivers(json!({})), &phone)
        .number(SECOND_NUMBER, presents)
        .start()
        .await;
    // By the rule of the call: the caller's number.
    for (number, presented) in [
        (CUSTOMER_NUMBER, "+447700900001"),
        (SECOND_NUMBER, SECOND_NUMBER),
    ] {
        let mut a = phone.call(number, platform.sip, Caller::default()).await;
        let mut b = phone.rings().await;
        assert_eq!(b.presented(), presented);
        assert_eq!(b.asserted().as_deref(), Some(number));
        a.hang_up();
        a.is_over().await;
        b.is_over().await;
    }
    platform.finish().await;
}

#[actix::test]
async fn a_caller_who_asks_for_privacy_is_withheld() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(delivers(json!({})), &phone).start().await;
    let caller = Caller {
        asserted: Some("sip:+447700900007@127.0.0.1".into()),
        headers: vec![("Privacy".into(), "id".into())],
        ..Caller::default()
    };
    let mut a = phone.call(CUSTOMER_NUMBER, platform.sip, caller).await;
    let mut b = phone.rings().await;
    assert_eq!(b.presented(), "anonymous");
    assert_eq!(b.invite().header("Privacy").as_deref(), Some("id"));
    a.hang_up();
    a.is_over().await;
    b.is_over().await;
    assert_eq!(platform.record().await.calling, None);
    platform.finish().await;
}

#[actix::test]
async fn the_asserted_number_of_a_trunk_is_believed() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(delivers(json!({})), &phone).start().await;
    let caller = Caller {
        asserted: Some("sip:+447700900007@127.0.0.1".into()),
        ..Caller::default()
    };
    let mut a = phone.call(CUSTOMER_NUMBER, platform.sip, caller).await;
    let mut b = phone.rings().await;
    assert_eq!(b.presented(), "+447700900007");
    a.hang_up();
    a.is_over().await;
    b.is_over().await;
    assert_eq!(
        platform.record().await.calling.as_deref(),
        Some("+447700900007")
    );
    platform.finish().await;
}

#[actix::test]
async fn early_media_is_heard_where_the_plan_wants_it() {
    let mut phone = Phone::start().await;
    let early = json!({ "early_media": true, "hold": { "type": "music" } });
    let platform = Builder::new(delivers(early), &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    let mut b = phone.rings().await;
    b.early_media();
    b.say(1300);
    a.hears(1300).await;
    b.answer();
    b.is_acknowledged().await;
    a.say(900);
    b.hears(900).await;
    a.hears(1300).await;
    b.hang_up();
    b.is_over().await;
    a.hears(500).await;
    a.is_over().await;
    platform.finish().await;
}
