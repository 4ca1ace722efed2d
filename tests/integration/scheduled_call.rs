//! Scheduled calls: ordered by the API, dialled by the platform, run by the number's plan.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use strowger::store::numbers::NumberStatus;
use strowger_domain::account::{Limits, Permissions};
use strowger_domain::cause::Cause;
use strowger_domain::e164::DestinationClass;

use crate::harness::{
    Builder, CUSTOMER_NUMBER, Owner, Phone, SECOND_NUMBER, audio, eventually, plan,
};

const FIRST_PARTY: &str = "+447700900123";
const OFFICE: &str = "+442079460101";
const CALLS: &str = "/v1/accounts/me/scheduled_calls";

/// The first party hears 500 Hz, presses 1 and is connected to the office.
fn menu_and_office() -> Value {
    plan("menu", Some("menu"))
        .node(
            "menu",
            "ivr_menu",
            json!({ "prompt": [audio(500)] }),
            json!({ "1": "office" }),
        )
        .deliver(
            "office",
            OFFICE,
            json!({ "recording": "separate" }),
            json!({}),
        )
        .build()
}

/// The first party hears 500 Hz, and that is all.
fn announcement() -> Value {
    plan("hello", Some("hello"))
        .play("hello", 500, None)
        .build()
}

#[actix::test]
async fn the_first_party_hears_the_plan_presses_1_and_talks_to_the_office() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(menu_and_office(), &phone).start().await;
    let id = platform.schedule(FIRST_PARTY).await;
    let mut a = phone.rings().await;
    assert_eq!(a.dialled(), FIRST_PARTY);
    platform.scheduled_is(&id, "dialling").await;
    a.ring();
    platform.scheduled_is(&id, "ringing").await;
    a.answer();
    a.is_acknowledged().await;
    platform.scheduled_is(&id, "in_progress").await;
    a.hears(500).await;
    a.press("1");

    let mut b = phone.rings().await;
    assert_eq!(b.dialled(), OFFICE);
    b.answer();
    b.is_acknowledged().await;
    a.say(900);
    b.say(1300);
    a.hears(1300).await;
    b.hears(900).await;
    b.hang_up();
    b.is_over().await;
    a.is_over().await;

    let call = platform.scheduled_is(&id, "completed").await;
    let record = platform.record().await;
    assert_eq!(call["call"], json!(record.id));
    assert_eq!(call["cause"], "normal_clearing");
    assert!(
        call["answered_at"].is_string() && call["ended_at"].is_string(),
        "{call}"
    );
    assert_eq!(record.legs.len(), 2);
    assert_eq!(record.legs[0].call_type, 167);
    assert_eq!(record.recordings.len(), 1);
    let events = platform.events_of(record.id).await;
    for kind in [
        "call.started",
        "call.dialling",
        "call.ringing",
        "call.answered",
        "recording.ready",
    ] {
        assert_eq!(
            events.iter().filter(|event| *event == kind).count(),
            1,
            "{kind}: {events:?}"
        );
    }
    platform.finish().await;
}

#[actix::test]
async fn the_network_number_is_the_service_number_and_the_presented_one_as_ordered() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone)
        .number(SECOND_NUMBER, announcement())
        .start()
        .await;
    for presented in [None, Some(SECOND_NUMBER), Some("+447700900456")] {
        let wish = json!({ "first_party": FIRST_PARTY, "presentation_number": presented });
        let id = platform.schedule_with(wish).await;
        let mut a = phone.rings().await;
        assert_eq!(a.presented(), presented.unwrap_or(CUSTOMER_NUMBER));
        assert_eq!(a.asserted().as_deref(), Some(CUSTOMER_NUMBER));
        a.refuse(486);
        a.is_over().await;
        platform.scheduled_is(&id, "failed").await;
    }
    platform.finish().await;
}

#[actix::test]
async fn a_busy_first_party_makes_it_fail_with_cause_and_status() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone).start().await;
    let id = platform.schedule(FIRST_PARTY).await;
    phone.rings().await.refuse(486);
    let call = platform.scheduled_is(&id, "failed").await;
    assert_eq!(
        (&call["cause"], &call["sip_status"]),
        (&json!("user_busy"), &json!(486))
    );
    let record = platform.record().await;
    assert_eq!(
        (record.cause, record.sip_status),
        (Some(Cause::UserBusy), Some(486))
    );
    assert!(record.answered_at.is_none());
    platform.finish().await;
}

#[actix::test]
async fn a_first_party_that_does_not_answer_in_time_is_cancelled() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone).start().await;
    let wish = json!({ "first_party": FIRST_PARTY, "ring_duration_s": 1 });
    let id = platform.schedule_with(wish).await;
    let mut a = phone.rings().await;
    a.ring();
    assert_eq!(a.is_over().await.status, Some(487));
    let call = platform.scheduled_is(&id, "failed").await;
    assert_eq!(call["cause"], "no_answer");
    platform.finish().await;
}

#[actix::test]
async fn every_reason_against_it_is_told_at_once() {
    let phone = Phone::start().await;
    let unconnected = plan("hello", None).play("hello", 500, None).build();
    let nothing = Permissions {
        destination_classes: [DestinationClass::ALL[0]].into(),
        ..Permissions::default()
    };
    let (mobile, parked, other) = ("+447700900050", "+441632960051", "+441632960052");
    let platform = Builder::new(unconnected, &phone)
        .hosted(
            mobile,
            Owner::Customer,
            NumberStatus::Active,
            Some(announcement()),
        )
        .hosted(parked, Owner::Customer, NumberStatus::Parked, None)
        .hosted(
            other,
            Owner::Stranger,
            NumberStatus::Active,
            Some(announcement()),
        )
        .permissions(Owner::Customer, nothing)
        .start()
        .await;
    let check = async |wish: Value, expected: &[&str]| {
        let answer = platform.api.post(CALLS, &wish).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert_eq!(answer.faults(), expected, "{wish}");
    };
    check(
        json!({ "service_number": CUSTOMER_NUMBER, "first_party": "sip:a@127.0.0.1" }),
        &[
            " permission_denied",
            "/first_party sip_not_permitted",
            "/service_number scheduled_branch_not_connected",
        ],
    )
    .await;
    check(
        json!({ "service_number": mobile, "first_party": "x", "ring_duration_s": 61 }),
        &[
            " permission_denied",
            "/first_party invalid_destination",
            "/ring_duration_s out_of_range",
            "/service_number call_plan_invalid",
            "/service_number number_class_not_allowed",
        ],
    )
    .await;
    check(
        json!({
            "service_number": parked,
            "first_party": FIRST_PARTY,
            "presentation_number": "+447000900456",
            "expires_at": "2020-01-01T00:00:00Z",
        }),
        &[
            " permission_denied",
            "/expires_at in_the_past",
            "/first_party destination_not_permitted",
            "/presentation_number unknown_number",
            "/service_number no_call_plan",
            "/service_number number_not_active",
        ],
    )
    .await;
    check(
        json!({ "service_number": other }),
        &[
            " permission_denied",
            "/first_party required",
            "/service_number unknown_number",
        ],
    )
    .await;
    assert!(platform.records().await.is_empty());
    platform.finish().await;
}

#[actix::test]
async fn a_presented_number_is_hosted_or_of_a_class_that_may_be_presented() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone)
        .hosted(
            "+441632960052",
            Owner::Stranger,
            NumberStatus::Active,
            Some(announcement()),
        )
        .start()
        .await;
    for refused in ["+447000900456", "+449061000000", "+33123456789"] {
        let wish = json!({
            "service_number": CUSTOMER_NUMBER,
            "first_party": FIRST_PARTY,
            "presentation_number": refused,
        });
        let answer = platform.api.post(CALLS, &wish).await;
        let expected = ["/presentation_number presentation_not_allowed"];
        assert_eq!(answer.faults(), expected, "{refused}");
    }
    for taken in [
        "+442079460999",
        "+443069990999",
        "+448081570999",
        "+447700900999",
    ] {
        let wish = json!({ "first_party": FIRST_PARTY, "presentation_number": taken });
        let id = platform.schedule_with(wish).await;
        let mut a = phone.rings().await;
        assert_eq!(a.presented(), taken);
        a.refuse(486);
        a.is_over().await;
        platform.scheduled_is(&id, "failed").await;
    }
    platform.finish().await;
}

#[actix::test]
async fn it_is_cancelled_while_it_is_queued_and_not_afterwards() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone).start().await;
    let later = Utc::now() + TimeDelta::hours(1);
    let wish = json!({ "first_party": FIRST_PARTY, "not_before": later });
    let id = platform.schedule_with(wish).await;
    let path = format!("{CALLS}/{id}");
    platform.api.delete(&path).await.is(204);
    platform.api.delete(&path).await.is(204);
    platform.scheduled_is(&id, "cancelled").await;

    let id = platform.schedule(FIRST_PARTY).await;
    let mut a = phone.rings().await;
    platform.api.delete(&format!("{CALLS}/{id}")).await.is(409);
    a.refuse(603);
    a.is_over().await;
    platform.scheduled_is(&id, "failed").await;
    platform.finish().await;
}

#[actix::test]
async fn it_is_dialled_when_it_is_due_and_not_before() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone).start().await;
    let due = Utc::now() + TimeDelta::milliseconds(1500);
    let wish = json!({ "first_party": FIRST_PARTY, "not_before": due });
    let id = platform.schedule_with(wish).await;
    let mut a = phone.rings().await;
    let late = Utc::now() - due;
    assert!(late >= TimeDelta::milliseconds(-5), "it came early: {late}");
    assert!(late < TimeDelta::seconds(1), "it came late: {late}");
    a.refuse(486);
    a.is_over().await;
    platform.scheduled_is(&id, "failed").await;
    platform.finish().await;
}

#[actix::test]
async fn it_expires_when_there_was_no_room_for_it() {
    let mut phone = Phone::start().await;
    let limits = Limits {
        scheduled_in_progress: Some(1),
        ..Limits::default()
    };
    let platform = Builder::new(announcement(), &phone)
        .limits(Owner::Customer, limits)
        .start()
        .await;
    let first = platform.schedule(FIRST_PARTY).await;
    let mut a = phone.rings().await;
    let soon = Utc::now() + TimeDelta::milliseconds(700);
    let wish = json!({ "first_party": "+447700900124", "expires_at": soon });
    let second = platform.schedule_with(wish).await;
    platform.scheduled_is(&second, "expired").await;
    assert!(phone.is_quiet());
    a.refuse(486);
    a.is_over().await;
    platform.scheduled_is(&first, "failed").await;
    platform.finish().await;
}

#[actix::test]
async fn no_more_than_the_cap_are_in_progress_and_all_are_dialled_in_the_end() {
    let mut phone = Phone::start().await;
    let limits = Limits {
        scheduled_in_progress: Some(2),
        ..Limits::default()
    };
    let platform = Builder::new(announcement(), &phone)
        .limits(Owner::Customer, limits)
        .start()
        .await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(platform.schedule(&format!("+4477009001{n:02}")).await);
    }
    let mut dialled = Vec::new();
    for _ in 0..3 {
        let mut pair = [phone.rings().await, phone.rings().await];
        // Both are there; a third one would have come by now.
        assert!(phone.is_quiet());
        let live = platform.observed().await.live_calls;
        assert_eq!(live, 2);
        for line in &mut pair {
            dialled.push(line.dialled().to_owned());
            line.refuse(486);
            line.is_over().await;
        }
    }
    dialled.sort();
    dialled.dedup();
    assert_eq!(dialled.len(), 6);
    for id in ids {
        platform.scheduled_is(&id, "failed").await;
    }
    platform.finish().await;
}

#[actix::test]
async fn the_rules_are_checked_again_when_it_is_dialled() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone).start().await;
    let due = Utc::now() + TimeDelta::milliseconds(1500);
    let wish = json!({ "first_party": FIRST_PARTY, "not_before": due });
    let id = platform.schedule_with(wish).await;
    let number = platform.seeded.numbers[CUSTOMER_NUMBER];
    let account = platform.seeded.accounts[&Owner::Customer];
    let path = format!("/v1/accounts/{account}/numbers/{number}");
    let above = platform.api_of(Owner::Reseller).await;
    above
        .patch(&path, &json!({ "status": "suspended" }))
        .await
        .is(200);
    let call = platform.scheduled_is(&id, "failed").await;
    assert_eq!(call["cause"], "no_route_to_destination");
    assert!(phone.is_quiet());
    platform.finish().await;
}

#[actix::test]
async fn a_sip_address_is_called_where_the_account_may() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone).start().await;
    let id = platform
        .schedule(&format!("sip:ada@{}", phone.address))
        .await;
    let mut a = phone.rings().await;
    assert_eq!(a.dialled(), "ada");
    a.answer();
    a.is_acknowledged().await;
    a.hears(500).await;
    a.is_over().await;
    platform.scheduled_is(&id, "completed").await;
    platform.finish().await;
}

#[actix::test]
async fn its_variables_are_the_plans() {
    let mut phone = Phone::start().await;
    let by_variable = plan("hello", Some("office"))
        .play("hello", 500, None)
        .deliver("office", "@office", json!({}), json!({}))
        .variable("@office", "+442079460199")
        .build();
    let platform = Builder::new(by_variable, &phone).start().await;
    let wish = json!({ "first_party": FIRST_PARTY, "variables": { "office": OFFICE } });
    let id = platform.schedule_with(wish).await;
    let mut a = phone.rings().await;
    a.answer();
    a.is_acknowledged().await;
    let mut b = phone.rings().await;
    assert_eq!(b.dialled(), OFFICE);
    a.hang_up();
    a.is_over().await;
    b.is_over().await;
    platform.scheduled_is(&id, "completed").await;
    platform.finish().await;
}

#[actix::test]
async fn twenty_at_once_are_all_dialled_once() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone).start().await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(platform.schedule(&format!("+4477009001{n:02}")).await);
    }
    let mut lines = Vec::new();
    for _ in 0..20 {
        let mut line = phone.rings().await;
        line.answer();
        lines.push(line);
    }
    let mut dialled: Vec<_> = lines.iter().map(|line| line.dialled().to_owned()).collect();
    dialled.sort();
    dialled.dedup();
    assert_eq!(dialled.len(), 20);
    for line in &mut lines {
        line.is_over().await;
    }
    for id in ids {
        platform.scheduled_is(&id, "completed").await;
    }
    eventually("twenty records", || async {
        (platform.records().await.len() == 20).then_some(())
    })
    .await;
    assert!(phone.is_quiet(), "nobody is dialled twice");
    platform.finish().await;
}

#[actix::test]
async fn one_that_waits_when_the_platform_stops_is_dialled_by_the_next_one() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(announcement(), &phone).start().await;
    let due = Utc::now() + TimeDelta::milliseconds(1200);
    let wish = json!({ "first_party": FIRST_PARTY, "not_before": due });
    let id = platform.schedule_with(wish).await;
    let platform = platform.restart().await;
    let mut a = phone.rings().await;
    a.answer();
    a.is_acknowledged().await;
    a.hears(500).await;
    a.is_over().await;
    platform.scheduled_is(&id, "completed").await;
    platform.finish().await;
}

#[actix::test]
async fn a_fax_machine_that_answers_is_told_by_an_event() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(menu_and_office(), &phone).start().await;
    platform.schedule(FIRST_PARTY).await;
    let mut a = phone.rings().await;
    a.answer();
    a.is_acknowledged().await;
    a.say(2100);
    eventually("the tone is told", || async {
        platform.app().writer.flush().await;
        let call = platform.calls().await.pop()?;
        let kinds = platform.events_of(call.id).await;
        kinds.contains(&"leg.tone".to_owned()).then_some(())
    })
    .await;
    a.hang_up();
    a.is_over().await;
    platform.finish().await;
}
