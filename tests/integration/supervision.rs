//! A panic in any kind of actor leaves all others alive, ends or restores what it was doing, and
//! leaves one record.

use serde_json::{Value, json};
use strowger::accounts::platform::{Child, ProvokePanic};
use strowger::accounts::root::AddressOf;
use strowger::conferences::messages::RoomName;
use strowger::queues::messages::QueueName;
use strowger::supervise;
use strowger_domain::account::Limits;
use strowger_domain::cause::Cause;
use strowger_domain::ids::CallId;

use crate::harness::{
    Builder, CUSTOMER_NUMBER, Caller, Line, Owner, PageServer, Phone, Platform, Reply,
    SECOND_NUMBER, eventually, plan,
};

const OFFICE: &str = "+442079460101";
const FIRST_PARTY: &str = "+447700900123";

fn office() -> Value {
    plan("office", Some("office"))
        .deliver("office", OFFICE, json!({}), json!({}))
        .build()
}

async fn platform(phone: &Phone) -> Platform {
    Builder::new(office(), phone)
        .number(SECOND_NUMBER, office())
        .start()
        .await
}

/// A call of two phones that hear each other.
async fn talk(phone: &mut Phone, platform: &Platform, number: &str) -> (Line, Line) {
    let mut a = phone.call(number, platform.sip, Caller::default()).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    hear_each_other(&a, &b).await;
    (a, b)
}

async fn hear_each_other(a: &Line, b: &Line) {
    a.say(900);
    b.say(1300);
    a.hears(1300).await;
    b.hears(900).await;
}

async fn hang_up(mut a: Line, mut b: Line) {
    a.hang_up();
    a.is_over().await;
    b.is_over().await;
}

async fn only_call(platform: &Platform) -> CallId {
    eventually("the call is known", || async {
        let live = platform
            .api
            .get("/v1/accounts/me/calls?state=live")
            .await
            .body;
        live["items"][0]["id"]
            .as_str()
            .map(|id| id.parse().expect("an id"))
    })
    .await
}

#[actix::test]
async fn a_call_that_panics_ends_its_legs_and_has_one_record_and_its_neighbour_goes_on() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let (mut a, mut b) = talk(&mut phone, &platform, CUSTOMER_NUMBER).await;
    let call = only_call(&platform).await;
    let (c, d) = talk(&mut phone, &platform, SECOND_NUMBER).await;
    let address = platform
        .app()
        .root
        .send(AddressOf(call))
        .await
        .unwrap()
        .expect("lives");
    address.do_send(supervise::ProvokePanic);
    assert_eq!(a.is_over().await.q850, Some(41));
    assert_eq!(b.is_over().await.q850, Some(41));
    hear_each_other(&c, &d).await;
    platform.has_calls(1).await;
    let (e, f) = talk(&mut phone, &platform, CUSTOMER_NUMBER).await;
    hang_up(c, d).await;
    hang_up(e, f).await;
    let records = platform.records().await;
    let causes: Vec<_> = records
        .iter()
        .map(|record| (record.id == call, record.cause))
        .collect();
    let normal = (false, Some(Cause::NormalClearing));
    assert_eq!(
        causes,
        [(true, Some(Cause::TemporaryFailure)), normal, normal]
    );
    platform.finish().await;
}

/// What was said goes on while the panic happens, and afterwards calls are made as before.
async fn the_call_goes_on(provoke: impl AsyncFn(&Platform)) {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let (a, b) = talk(&mut phone, &platform, CUSTOMER_NUMBER).await;
    provoke(&platform).await;
    hear_each_other(&a, &b).await;
    let (c, d) = talk(&mut phone, &platform, CUSTOMER_NUMBER).await;
    let (e, f) = talk(&mut phone, &platform, SECOND_NUMBER).await;
    platform.has_calls(3).await;
    hang_up(a, b).await;
    platform.has_calls(2).await;
    let id = platform.schedule(FIRST_PARTY).await;
    phone.rings().await.refuse(486);
    platform.scheduled_is(&id, "failed").await;
    hang_up(c, d).await;
    hang_up(e, f).await;
    let records = platform.records().await;
    let normal = records
        .iter()
        .filter(|call| call.cause == Some(Cause::NormalClearing));
    assert_eq!((records.len(), normal.count()), (4, 3), "{records:#?}");
    platform.finish().await;
}

#[actix::test]
async fn calls_go_on_when_the_platform_panics_and_new_ones_are_taken() {
    the_call_goes_on(async |platform| {
        platform.app().root.do_send(ProvokePanic::Platform);
        eventually("it lives again", || async {
            (platform.observed().await.restarts == 1).then_some(())
        })
        .await;
    })
    .await;
}

#[actix::test]
async fn calls_go_on_when_their_account_panics_and_new_ones_are_taken() {
    the_call_goes_on(async |platform| {
        let account = platform.seeded.accounts[&Owner::Customer];
        platform.app().root.do_send(ProvokePanic::Account(account));
    })
    .await;
}

#[actix::test]
async fn calls_go_on_when_their_number_panics_and_new_ones_are_taken() {
    the_call_goes_on(async |platform| {
        let account = platform.seeded.accounts[&Owner::Customer];
        let number = platform.seeded.numbers[CUSTOMER_NUMBER];
        let provoke = ProvokePanic::Child(account, Child::Number(number));
        platform.app().root.do_send(provoke);
    })
    .await;
}

#[actix::test]
async fn calls_go_on_when_the_scheduler_panics_and_what_was_ordered_is_dialled_once() {
    the_call_goes_on(async |platform| {
        platform.app().scheduler.do_send(supervise::ProvokePanic);
    })
    .await;
}

#[actix::test]
async fn scheduled_calls_end_as_they_would_when_the_scheduler_panics_beside_them() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let id = platform.schedule(FIRST_PARTY).await;
    let mut a = phone.rings().await;
    a.ring();
    platform.scheduled_is(&id, "ringing").await;
    platform.app().scheduler.do_send(supervise::ProvokePanic);
    let next = platform.schedule("+447700900124").await;
    let mut next_party = phone.rings().await;
    assert_eq!(next_party.dialled(), "+447700900124");
    next_party.refuse(486);
    platform.scheduled_is(&next, "failed").await;
    a.answer();
    a.is_acknowledged().await;
    platform.scheduled_is(&id, "in_progress").await;
    let mut b = phone.rings().await;
    b.refuse(486);
    b.is_over().await;
    a.is_over().await;
    platform.scheduled_is(&id, "completed").await;
    assert!(phone.is_quiet(), "nobody is dialled twice");
    platform.finish().await;
}

#[actix::test]
async fn a_scheduled_call_that_ends_while_the_scheduler_comes_back_is_completed() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let id = platform.schedule(FIRST_PARTY).await;
    let mut a = phone.rings().await;
    a.answer();
    platform.scheduled_is(&id, "in_progress").await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.hang_up();
    platform.app().scheduler.do_send(supervise::ProvokePanic);
    a.is_over().await;
    b.is_over().await;
    let ended = platform.scheduled_is(&id, "completed").await;
    assert_eq!(ended["cause"], "normal_clearing", "{ended}");
    assert_eq!(platform.records().await.len(), 1);
    platform.finish().await;
}

#[actix::test]
async fn calls_end_when_the_sip_endpoint_panics_and_new_ones_are_taken() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let (mut a, mut b) = talk(&mut phone, &platform, CUSTOMER_NUMBER).await;
    platform
        .app()
        .signalling
        .endpoint()
        .do_send(supervise::ProvokePanic);
    platform.has_calls(0).await;
    // Nobody is left who could tell the phones: they hang up by themselves.
    for line in [&mut a, &mut b] {
        line.hang_up();
        line.is_over().await;
    }
    let (c, d) = talk(&mut phone, &platform, CUSTOMER_NUMBER).await;
    hang_up(c, d).await;
    let causes: Vec<_> = platform
        .records()
        .await
        .iter()
        .map(|record| record.cause)
        .collect();
    assert_eq!(
        causes,
        [Some(Cause::TemporaryFailure), Some(Cause::NormalClearing)]
    );
    platform.finish().await;
}

#[actix::test]
async fn calls_end_when_the_media_engine_panics_and_new_ones_are_taken() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let (mut a, mut b) = talk(&mut phone, &platform, CUSTOMER_NUMBER).await;
    platform.app().media.provoke_panic();
    assert_eq!(a.is_over().await.q850, Some(41));
    b.is_over().await;
    let (c, d) = talk(&mut phone, &platform, CUSTOMER_NUMBER).await;
    hang_up(c, d).await;
    let causes: Vec<_> = platform
        .records()
        .await
        .iter()
        .map(|record| record.cause)
        .collect();
    assert_eq!(
        causes,
        [Some(Cause::TemporaryFailure), Some(Cause::NormalClearing)]
    );
    platform.finish().await;
}

#[actix::test]
async fn callers_keep_their_place_when_their_queue_panics() {
    let mut phone = Phone::start().await;
    let queue = plan("queue", None)
        .node(
            "queue",
            "queue",
            json!({ "queue": "support", "destinations": [OFFICE] }),
            json!({}),
        )
        .build();
    let platform = Builder::new(queue, &phone).start().await;
    let first = Caller::number("+447700900001");
    let second = Caller::number("+447700900002");
    let third = Caller::number("+447700900003");
    let mut a = phone.call(CUSTOMER_NUMBER, platform.sip, first).await;
    let mut agent = phone.rings().await;
    agent.answer();
    agent.is_acknowledged().await;
    a.is_answered().await;
    let mut b = phone.call(CUSTOMER_NUMBER, platform.sip, second).await;
    b.is_answered().await;
    let mut c = phone.call(CUSTOMER_NUMBER, platform.sip, third).await;
    c.is_answered().await;

    let account = platform.seeded.accounts[&Owner::Customer];
    let queue = Child::Queue(QueueName("support".into()));
    platform
        .app()
        .root
        .do_send(ProvokePanic::Child(account, queue));
    hear_each_other(&a, &agent).await;
    assert!(phone.is_quiet(), "the agent talks");
    agent.hang_up();
    agent.is_over().await;
    a.is_over().await;
    for line in [&mut b, &mut c] {
        let mut agent = phone.rings().await;
        agent.answer();
        agent.is_acknowledged().await;
        hear_each_other(line, &agent).await;
        line.hang_up();
        line.is_over().await;
        agent.is_over().await;
    }
    assert_eq!(platform.records().await.len(), 3);
    platform.finish().await;
}

#[actix::test]
async fn members_go_on_by_their_plan_when_their_conference_panics_and_the_room_opens_again() {
    let phone = Phone::start().await;
    let room = plan("room", None)
        .node(
            "room",
            "conference",
            json!({ "room": "monday" }),
            json!({ "continue": "after" }),
        )
        .play("after", 500, None)
        .build();
    let platform = Builder::new(room, &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    let mut b = platform.called_by(&phone).await;
    b.is_answered().await;
    hear_each_other(&a, &b).await;
    let account = platform.seeded.accounts[&Owner::Customer];
    let room = Child::Conference(RoomName("monday".into()));
    platform
        .app()
        .root
        .do_send(ProvokePanic::Child(account, room));
    a.hears(500).await;
    a.is_over().await;
    b.is_over().await;
    let mut c = platform.called_by(&phone).await;
    c.is_answered().await;
    let mut d = platform.called_by(&phone).await;
    d.is_answered().await;
    hear_each_other(&c, &d).await;
    for line in [&mut c, &mut d] {
        line.hang_up();
        line.is_over().await;
    }
    assert_eq!(platform.records().await.len(), 4);
    platform.finish().await;
}

#[actix::test]
async fn an_instance_that_panics_ends_its_call_tells_its_application_and_is_ended_itself() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let pages = PageServer::start(|_, _| {
        let wait = json!({ "digit_count": 3, "next_page": { "url": "/number" } });
        Reply::from(json!({ "actions": [{ "get_number": wait }] }))
    })
    .await;
    let path = "/v1/accounts/me/services/outbound/survey";
    let page = |path: &str| json!({ "address": pages.url(path) });
    let service = json!({
        "service_password": "correct horse",
        "rest": { "first_page": page("/first"), "final_page": page("/final") },
    });
    platform.api.put(path, &service).await.is(201);
    let start = async || {
        let wish = json!({ "to": FIRST_PARTY, "from": CUSTOMER_NUMBER });
        let started = platform
            .api
            .post(&format!("{path}/start"), &wish)
            .await
            .is(202);
        started["instance"].as_str().expect("an id").to_owned()
    };
    let doomed = start().await;
    let mut a = phone.rings().await;
    a.answer();
    a.is_acknowledged().await;
    let other = start().await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    pages.is_asked("/first").await;
    let account = platform.seeded.accounts[&Owner::Customer];
    let instance = Child::Instance(doomed.parse().expect("an id"));
    platform
        .app()
        .root
        .do_send(ProvokePanic::Child(account, instance));
    assert_eq!(a.is_over().await.q850, Some(41));
    let state = |id: &str, state: &'static str| {
        let path = format!("{path}/instances/{id}");
        platform
            .api
            .until(path, state, move |instance| instance["state"] == state)
    };
    state(&doomed, "ended").await;
    let info = pages.is_asked("/final").await;
    assert_eq!(info["application_instance_id"], doomed.as_str());
    assert_eq!(info["this_call"]["call_cause"], "failed");
    state(&other, "running").await;
    platform.has_calls(1).await;
    b.hang_up();
    b.is_over().await;
    state(&other, "ended").await;
    let asked = pages.paths();
    let finals = asked.iter().filter(|path| *path == "/final").count();
    assert_eq!(finals, 2, "{asked:?}");
    assert_eq!(platform.records().await.len(), 2);
    platform.finish().await;
}

#[actix::test]
async fn a_call_that_panics_after_all_above_it_did_has_one_record_still() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let (mut a, mut b) = talk(&mut phone, &platform, CUSTOMER_NUMBER).await;
    let call = only_call(&platform).await;
    let root = &platform.app().root;
    let account = platform.seeded.accounts[&Owner::Customer];
    let number = Child::Number(platform.seeded.numbers[CUSTOMER_NUMBER]);
    for provoke in [
        ProvokePanic::Child(account, number),
        ProvokePanic::Account(account),
        ProvokePanic::Platform,
    ] {
        root.do_send(provoke);
    }
    hear_each_other(&a, &b).await;
    let address = root.send(AddressOf(call)).await.unwrap().expect("lives");
    address.do_send(supervise::ProvokePanic);
    a.is_over().await;
    b.is_over().await;
    let record = platform.record().await;
    assert_eq!(record.cause, Some(Cause::TemporaryFailure));
    assert_eq!(
        record.legs.len(),
        2,
        "what is known of its legs is on record"
    );
    platform.finish().await;
}

#[actix::test]
async fn limits_hold_and_those_in_a_room_meet_when_the_platform_panics() {
    let mut phone = Phone::start().await;
    let room = json!({ "room": "monday", "tones": false });
    let room = plan("room", None)
        .node("room", "conference", room, json!({}))
        .build();
    let limits = Limits {
        calls: Some(2),
        ..Limits::default()
    };
    let platform = Builder::new(room, &phone)
        .limits(Owner::Customer, limits)
        .start()
        .await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    for restarts in 1..=2 {
        platform.app().root.do_send(ProvokePanic::Platform);
        eventually("it lives again", || async {
            (platform.observed().await.restarts == restarts).then_some(())
        })
        .await;
    }
    // It enters the same room, and takes the last channel.
    let mut b = platform.called_by(&phone).await;
    b.is_answered().await;
    hear_each_other(&a, &b).await;
    let mut c = platform.called_by(&phone).await;
    assert_eq!(c.is_refused().await, 503);
    a.hang_up();
    a.is_over().await;
    platform.has_calls(1).await;
    let mut d = platform.called_by(&phone).await;
    d.is_answered().await;
    hear_each_other(&b, &d).await;
    for line in [&mut b, &mut d] {
        line.hang_up();
        line.is_over().await;
    }
    assert_eq!(platform.records().await.len(), 4);
    assert!(phone.is_quiet());
    platform.finish().await;
}
