//! How much an account may use at a time, along its path to the root.

use serde_json::{Value, json};
use strowger::store::numbers::NumberStatus;
use strowger::supervise;
use strowger_domain::account::Limits;
use strowger_domain::cause::Cause;

use crate::harness::{Builder, CUSTOMER_NUMBER, Caller, Owner, Phone, SECOND_NUMBER, audio, plan};

const OFFICE: &str = "+442079460101";

/// Answers, and waits until the caller hangs up.
fn hello() -> Value {
    let waits = json!({ "prompt": [audio(500)], "timeout_s": 60 });
    plan("hello", Some("hello"))
        .node("hello", "ivr_menu", waits, json!({ "1": "bye" }))
        .hang_up("bye", "normal_clearing")
        .build()
}

#[actix::test]
async fn the_calls_of_a_sub_account_count_for_those_above() {
    let phone = Phone::start().await;
    let limits = Limits {
        calls: Some(1),
        ..Limits::default()
    };
    let platform = Builder::new(hello(), &phone)
        .hosted(
            SECOND_NUMBER,
            Owner::Sub,
            NumberStatus::Active,
            Some(hello()),
        )
        .limits(Owner::Customer, limits)
        .start()
        .await;
    let mut a = phone
        .call(SECOND_NUMBER, platform.sip, Caller::default())
        .await;
    a.is_answered().await;
    let mut b = phone
        .call(CUSTOMER_NUMBER, platform.sip, Caller::default())
        .await;
    assert_eq!(b.is_refused().await, 503);
    a.hang_up();
    a.is_over().await;
    platform.has_calls(0).await;
    let mut c = phone
        .call(CUSTOMER_NUMBER, platform.sip, Caller::default())
        .await;
    c.is_answered().await;
    c.hang_up();
    c.is_over().await;
    platform.finish().await;
}

#[actix::test]
async fn a_call_whose_actor_died_gives_its_channel_back() {
    let phone = Phone::start().await;
    let limits = Limits {
        calls: Some(1),
        ..Limits::default()
    };
    let platform = Builder::new(hello(), &phone)
        .limits(Owner::Customer, limits)
        .start()
        .await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    let live = platform
        .api
        .get("/v1/accounts/me/calls?state=live")
        .await
        .is(200);
    let id = live["items"][0]["id"].as_str().unwrap().parse().unwrap();
    let find = strowger::accounts::root::AddressOf(id);
    let call = platform
        .app()
        .root
        .send(find)
        .await
        .unwrap()
        .expect("lives");
    call.do_send(supervise::ProvokePanic);
    a.is_over().await;
    platform.has_calls(0).await;
    let mut b = platform.called_by(&phone).await;
    b.is_answered().await;
    b.hang_up();
    b.is_over().await;
    platform.finish().await;
}

#[actix::test]
async fn calls_that_come_too_fast_are_refused() {
    let phone = Phone::start().await;
    let limits = Limits {
        calls_per_second: Some(3),
        ..Limits::default()
    };
    let platform = Builder::new(hello(), &phone)
        .limits(Owner::Customer, limits)
        .start()
        .await;
    let mut lines = Vec::new();
    for _ in 0..8 {
        lines.push(platform.called_by(&phone).await);
    }
    let mut refused = 0;
    for line in &mut lines {
        refused += u32::from(line.ring_or_refusal().await == Some(503));
    }
    assert!((4..=5).contains(&refused), "{refused} of 8 were refused");
    platform.finish().await;
}

#[actix::test]
async fn no_more_scheduled_calls_wait_than_may() {
    let phone = Phone::start().await;
    let limits = Limits {
        scheduled_queued: Some(2),
        ..Limits::default()
    };
    let platform = Builder::new(hello(), &phone)
        .limits(Owner::Reseller, limits)
        .start()
        .await;
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let wish = json!({
        "service_number": CUSTOMER_NUMBER,
        "first_party": "+447700900123",
        "not_before": later,
    });
    let path = "/v1/accounts/me/scheduled_calls";
    for _ in 0..2 {
        platform.api.post(path, &wish).await.is(201);
    }
    assert_eq!(
        platform.api.post(path, &wish).await.faults(),
        [" too_many_queued"]
    );
    platform.finish().await;
}

#[actix::test]
async fn a_call_ends_when_it_has_lasted_as_long_as_its_account_lets_it() {
    let phone = Phone::start().await;
    let limits = Limits {
        call_duration_s: Some(1),
        ..Limits::default()
    };
    let platform = Builder::new(hello(), &phone)
        .limits(Owner::Carrier, limits)
        .start()
        .await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    a.say(900);
    assert_eq!(a.is_over().await.q850, Some(102));
    let record = platform.record().await;
    assert_eq!(record.cause, Some(Cause::RecoveryOnTimer));
    platform.finish().await;
}

#[actix::test]
async fn a_call_ends_when_its_parties_fall_silent_and_never_say_goodbye() {
    let mut phone = Phone::start().await;
    let office = plan("office", None).deliver("office", OFFICE, json!({}), json!({}));
    let platform = Builder::new(office.build(), &phone)
        .set(|settings| settings.lost_media_s = Some("1".into()))
        .start()
        .await;
    let mut a = platform.called_by(&phone).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    a.say(900);
    b.hears(900).await;
    for line in [&a, &b] {
        line.sound.unplug();
    }
    assert_eq!(a.is_over().await.q850, Some(102));
    assert_eq!(b.is_over().await.q850, Some(102));
    let record = platform.record().await;
    assert_eq!(record.cause, Some(Cause::RecoveryOnTimer));
    platform.finish().await;
}

#[actix::test]
async fn a_scheduled_call_waits_for_a_channel_and_is_dialled_when_one_is_free() {
    let mut phone = Phone::start().await;
    let limits = Limits {
        calls: Some(1),
        ..Limits::default()
    };
    let platform = Builder::new(hello(), &phone)
        .limits(Owner::Customer, limits)
        .start()
        .await;
    let parties = ["+447700900123", "+447700900124", "+447700900125"];
    let mut ids = Vec::new();
    for party in parties {
        ids.push(platform.schedule(party).await);
    }
    for (id, party) in ids.iter().zip(parties) {
        let mut line = phone.rings().await;
        assert_eq!(line.dialled(), party);
        line.answer();
        line.is_acknowledged().await;
        platform.scheduled_is(id, "in_progress").await;
        assert!(phone.is_quiet(), "there is one channel");
        line.hang_up();
        line.is_over().await;
        platform.scheduled_is(id, "completed").await;
    }
    platform.finish().await;
}
