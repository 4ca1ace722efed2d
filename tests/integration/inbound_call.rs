//! Callers reach service numbers by SIP, and their plans by the inbound branch.

use serde_json::json;
use strowger::store::numbers::NumberStatus;
use strowger_domain::account::Limits;
use strowger_domain::call_plan::Plan;
use strowger_domain::cause::Cause;
use strowger_domain::cdr::Role;
use strowger_media::Direction;
use strowger_media::codec::Codec;
use strowger_sip::flow::Transport;

use crate::harness::{Builder, CUSTOMER_NUMBER, Caller, Owner, Phone, SECOND_NUMBER, plan};

const OFFICE: &str = "+442079460101";

/// Plays 500 Hz, then delivers to the office.
fn greeting_and_office() -> serde_json::Value {
    plan("greeting", None)
        .play("greeting", 500, Some("office"))
        .deliver("office", OFFICE, json!({}), json!({}))
        .build()
}

async fn is_greeted_and_delivered(transport: Transport) {
    let mut phone = Phone::start().await;
    let platform = Builder::new(greeting_and_office(), &phone).start().await;
    let caller = Caller {
        transport,
        ..Caller::default()
    };
    let mut a = phone.call(CUSTOMER_NUMBER, platform.sip, caller).await;
    a.is_answered().await;
    a.hears(500).await;

    let mut b = phone.rings().await;
    assert_eq!(b.dialled(), OFFICE);
    b.ring();
    b.answer();
    b.is_acknowledged().await;
    a.say(900);
    b.say(1300);
    a.hears(1300).await;
    b.hears(900).await;

    a.hang_up();
    a.is_over().await;
    let ended = b.is_over().await;
    assert_eq!(ended.q850, Some(16));
    let record = platform.record().await;
    assert_eq!(record.cause, Some(Cause::NormalClearing));
    assert_eq!(record.calling.as_deref(), Some("+447700900001"));
    assert_eq!(record.called, CUSTOMER_NUMBER);
    assert_eq!(record.legs.len(), 2);
    assert_eq!(record.legs[1].role, Role::B);
    assert!(
        record
            .legs
            .iter()
            .all(|leg| leg.packets_received > 10 && leg.packets_sent > 10)
    );
    let kinds: Vec<_> = record.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds, ["start", "play_audio", "deliver_call"]);
    platform.finish().await;
}

#[actix::test]
async fn a_caller_by_udp_is_greeted_and_connected() {
    is_greeted_and_delivered(Transport::Udp).await;
}

#[actix::test]
async fn a_caller_by_tcp_is_greeted_and_connected() {
    is_greeted_and_delivered(Transport::Tcp).await;
}

#[actix::test]
async fn a_number_that_nobody_has_is_refused_with_404_and_leaves_no_record() {
    let phone = Phone::start().await;
    let platform = Builder::new(greeting_and_office(), &phone).start().await;
    let mut line = phone
        .call("+441632960999", platform.sip, Caller::default())
        .await;
    assert_eq!(line.is_refused().await, 404);
    assert!(platform.records().await.is_empty());
    platform.finish().await;
}

#[actix::test]
async fn a_number_that_is_parked_suspended_or_disabled_is_refused_with_480() {
    let phone = Phone::start().await;
    let (parked, suspended, disabled) = ("+441632960011", "+441632960012", "+441632960013");
    let some = || Some(greeting_and_office());
    let platform = Builder::new(greeting_and_office(), &phone)
        .hosted(parked, Owner::Customer, NumberStatus::Parked, some())
        .hosted(suspended, Owner::Customer, NumberStatus::Suspended, some())
        .hosted(disabled, Owner::Sub, NumberStatus::Active, some())
        .hosted(SECOND_NUMBER, Owner::Customer, NumberStatus::Active, None)
        .disabled(Owner::Sub)
        .start()
        .await;
    for number in [parked, suspended, disabled, SECOND_NUMBER] {
        let mut line = phone.call(number, platform.sip, Caller::default()).await;
        assert_eq!(line.is_refused().await, 480, "{number}");
    }
    let records = platform.records().await;
    assert_eq!(records.len(), 4);
    assert!(
        records.iter().all(|record| record.sip_status == Some(480)),
        "{records:#?}"
    );
    platform.finish().await;
}

#[actix::test]
async fn a_plan_that_ends_the_call_refuses_its_caller_with_the_status_of_the_cause() {
    let phone = Phone::start().await;
    let busy = plan("busy", None).hang_up("busy", "user_busy").build();
    let platform = Builder::new(busy, &phone).start().await;
    let mut line = platform.called_by(&phone).await;
    let ended = line.is_over().await;
    assert_eq!((ended.status, ended.q850), (Some(486), Some(17)));
    let record = platform.record().await;
    assert_eq!(
        (record.cause, record.sip_status),
        (Some(Cause::UserBusy), Some(486))
    );
    platform.finish().await;
}

#[actix::test]
async fn an_offer_without_a_common_codec_is_refused_with_488() {
    let phone = Phone::start().await;
    let platform = Builder::new(greeting_and_office(), &phone).start().await;
    let offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                 m=audio 4000 RTP/AVP 18\r\n";
    let caller = Caller {
        offer: Some(offer.into()),
        ..Caller::default()
    };
    let mut line = phone.call(CUSTOMER_NUMBER, platform.sip, caller).await;
    assert_eq!(line.is_refused().await, 488);
    assert_eq!(platform.record().await.sip_status, Some(488));
    platform.finish().await;
}

#[actix::test]
async fn a_platform_that_is_full_refuses_with_503_and_says_when_to_try_again() {
    let phone = Phone::start().await;
    let platform = Builder::new(greeting_and_office(), &phone)
        .set(|s| s.capacity = Some("1".into()))
        .start()
        .await;
    let mut first = platform.called_by(&phone).await;
    first.is_answered().await;
    let mut second = platform.called_by(&phone).await;
    let retry_after = second
        .until("it is refused", |event| match event {
            strowger_sip::event::Event::Refused {
                status: 503,
                retry_after,
                ..
            } => Some(*retry_after),
            _ => None,
        })
        .await;
    assert!(retry_after.is_some());
    first.hang_up();
    first.is_over().await;
    platform.has_calls(0).await;
    let mut third = platform.called_by(&phone).await;
    third.is_answered().await;
    third.hang_up();
    third.is_over().await;
    assert_eq!(platform.records().await.len(), 3);
    platform.finish().await;
}

#[actix::test]
async fn a_channel_comes_back_although_another_platform_began_in_the_same_process() {
    let phone = Phone::start().await;
    let platform = Builder::new(greeting_and_office(), &phone)
        .set(|s| s.capacity = Some("1".into()))
        .start()
        .await;
    let mut first = platform.called_by(&phone).await;
    first.is_answered().await;
    let other = Builder::empty().start().await;
    first.hang_up();
    first.is_over().await;
    platform.has_calls(0).await;
    let mut second = platform.called_by(&phone).await;
    second.is_answered().await;
    second.hang_up();
    second.is_over().await;
    other.finish().await;
    platform.finish().await;
}

#[actix::test]
async fn an_account_with_all_its_calls_refuses_another_one_but_its_neighbour_does_not() {
    let phone = Phone::start().await;
    let limits = Limits {
        calls: Some(1),
        ..Limits::default()
    };
    let platform = Builder::new(greeting_and_office(), &phone)
        .hosted(
            SECOND_NUMBER,
            Owner::Stranger,
            NumberStatus::Active,
            Some(greeting_and_office()),
        )
        .limits(Owner::Reseller, limits)
        .start()
        .await;
    let mut first = platform.called_by(&phone).await;
    first.is_answered().await;
    let mut second = platform.called_by(&phone).await;
    assert_eq!(second.is_refused().await, 503);
    let mut neighbour = phone
        .call(SECOND_NUMBER, platform.sip, Caller::default())
        .await;
    neighbour.is_answered().await;
    for line in [&mut first, &mut neighbour] {
        line.hang_up();
        line.is_over().await;
    }
    platform.finish().await;
}

#[actix::test]
async fn an_invite_without_offer_gets_ours_and_its_answer_in_the_ack() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(greeting_and_office(), &phone).start().await;
    let caller = Caller {
        codecs: Vec::new(),
        ..Caller::default()
    };
    let mut a = phone.call(CUSTOMER_NUMBER, platform.sip, caller).await;
    a.is_answered().await;
    a.hears(500).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.say(900);
    b.hears(900).await;
    a.hang_up();
    a.is_over().await;
    b.is_over().await;
    platform.finish().await;
}

#[actix::test]
async fn a_caller_holds_resumes_and_changes_the_codec() {
    let mut phone = Phone::with_codecs(&[Codec::Pcma]).await;
    let platform = Builder::new(greeting_and_office(), &phone).start().await;
    let caller = Caller {
        codecs: vec![Codec::Pcma],
        ..Caller::default()
    };
    let mut a = phone.call(CUSTOMER_NUMBER, platform.sip, caller).await;
    a.is_answered().await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.say(900);
    b.say(1300);
    a.hears(1300).await;
    b.hears(900).await;

    a.reinvite(Direction::SendOnly, &[Codec::Pcma]);
    a.is_answered().await;
    a.sound.hears_silence().await;
    b.hears(900).await;

    a.reinvite(Direction::SendReceive, &[Codec::Pcma]);
    a.is_answered().await;
    a.hears(1300).await;
    b.hears(900).await;

    // One side now speaks µ-law, the other one A-law still.
    a.reinvite(Direction::SendReceive, &[Codec::Pcmu]);
    a.is_answered().await;
    assert_eq!(a.codec, Some(Codec::Pcmu));
    a.hears(1300).await;
    b.hears(900).await;
    b.hang_up();
    b.is_over().await;
    a.is_over().await;
    let record = platform.record().await;
    assert_eq!(record.legs[0].codec.as_deref(), Some("PCMU"));
    platform.finish().await;
}

#[actix::test]
async fn a_caller_who_hangs_up_while_it_rings_cancels_the_other_leg() {
    let mut phone = Phone::start().await;
    let deliver = plan("office", None)
        .deliver("office", OFFICE, json!({}), json!({}))
        .build();
    let platform = Builder::new(deliver, &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    let mut b = phone.rings().await;
    b.ring();
    assert_eq!(a.is_provisional().await, 180);
    a.hang_up();
    assert_eq!(a.is_over().await.status, Some(487));
    assert_eq!(b.is_over().await.status, Some(487));
    let record = platform.record().await;
    assert!(record.answered_at.is_none());
    platform.finish().await;
}

/// A caller with one codec is connected to a phone with another.
async fn hear_each_other(ours: Codec, theirs: Codec) {
    let mut phone = Phone::with_codecs(&[theirs]).await;
    let platform = Builder::new(greeting_and_office(), &phone).start().await;
    let caller = Caller {
        codecs: vec![ours],
        ..Caller::default()
    };
    let mut a = phone.call(CUSTOMER_NUMBER, platform.sip, caller).await;
    a.is_answered().await;
    a.hears(500).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    assert_eq!((a.codec, b.codec), (Some(ours), Some(theirs)));
    a.say(900);
    b.say(1300);
    a.hears(1300).await;
    b.hears(900).await;
    a.hang_up();
    a.is_over().await;
    b.is_over().await;
    let codecs: Vec<_> = platform
        .record()
        .await
        .legs
        .into_iter()
        .map(|leg| leg.codec)
        .collect();
    assert_eq!(
        codecs,
        [ours, theirs].map(|codec| Some(codec.name().to_owned()))
    );
    platform.finish().await;
}

#[actix::test]
async fn a_pcmu_phone_and_a_pcma_phone_hear_each_other() {
    hear_each_other(Codec::Pcmu, Codec::Pcma).await;
}

#[actix::test]
async fn a_wideband_phone_and_a_pcma_phone_hear_each_other() {
    hear_each_other(Codec::Opus, Codec::Pcma).await;
    hear_each_other(Codec::Pcma, Codec::G722).await;
}

#[actix::test]
async fn two_wideband_phones_hear_each_other_in_the_codec_of_the_caller() {
    hear_each_other(Codec::Opus, Codec::Opus).await;
    hear_each_other(Codec::G722, Codec::Opus).await;
}

#[actix::test]
async fn keys_pass_from_one_party_to_the_other() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(greeting_and_office(), &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.press("4#");
    assert_eq!((b.hears_key().await, b.hears_key().await), ('4', '#'));
    b.press("9");
    assert_eq!(a.hears_key().await, '9');
    a.hang_up();
    a.is_over().await;
    b.is_over().await;
    platform.finish().await;
}

#[actix::test]
async fn a_published_change_of_the_plan_holds_for_the_next_call() {
    let phone = Phone::start().await;
    let platform = Builder::new(greeting_and_office(), &phone).start().await;
    let id = platform.seeded.plans[CUSTOMER_NUMBER];
    let path = format!("/v1/accounts/me/call_plans/{id}");
    let etag = platform.api.get(&path).await.is(200)["draft_etag"]
        .as_str()
        .unwrap()
        .to_owned();
    let busy = plan("busy", None).hang_up("busy", "user_busy").build();
    serde_json::from_value::<Plan>(busy.clone()).expect("is a plan");
    platform
        .api
        .put_if(&format!("{path}/draft"), &etag, &busy)
        .await
        .is(200);
    platform
        .api
        .post(&format!("{path}/publish"), &json!({ "note": "busy" }))
        .await
        .is(201);
    let mut line = platform.called_by(&phone).await;
    assert_eq!(line.is_refused().await, 486);
    platform.finish().await;
}

#[actix::test]
async fn a_change_that_is_answered_is_followed_by_the_next_call() {
    let phone = Phone::start().await;
    let busy = plan("busy", None).hang_up("busy", "user_busy").build();
    let gone = plan("gone", None).hang_up("gone", "number_changed").build();
    let platform = Builder::new(busy, &phone)
        .number(SECOND_NUMBER, gone)
        .start()
        .await;
    let number = platform.seeded.numbers[CUSTOMER_NUMBER];
    let path = format!("/v1/accounts/me/numbers/{number}");
    for (whose, status) in [(SECOND_NUMBER, 410), (CUSTOMER_NUMBER, 486)].repeat(5) {
        let plan = platform.seeded.plans[whose];
        platform
            .api
            .patch(&path, &json!({ "call_plan": plan }))
            .await
            .is(200);
        let mut line = platform.called_by(&phone).await;
        assert_eq!(line.is_refused().await, status);
    }
    platform.finish().await;
}

#[actix::test]
async fn a_number_that_was_just_made_can_be_called_at_once() {
    let phone = Phone::start().await;
    let busy = plan("busy", None).hang_up("busy", "user_busy").build();
    let platform = Builder::new(busy, &phone).start().await;
    let reseller = platform.api_of(Owner::Carrier).await;
    let account = platform.seeded.accounts[&Owner::Customer];
    let id = platform.seeded.plans[CUSTOMER_NUMBER];
    let number = json!({ "number": "+441632960077", "call_plan": id });
    reseller
        .post(&format!("/v1/accounts/{account}/numbers"), &number)
        .await
        .is(201);
    let mut line = phone
        .call("+441632960077", platform.sip, Caller::default())
        .await;
    assert_eq!(line.is_refused().await, 486);
    platform.finish().await;
}

#[actix::test]
async fn a_call_that_is_over_is_read_as_ended_at_once() {
    let phone = Phone::start().await;
    let platform = Builder::new(greeting_and_office(), &phone).start().await;
    let calls = "/v1/accounts/me/calls";
    for _ in 0..3 {
        let mut a = platform.called_by(&phone).await;
        a.is_answered().await;
        let live = platform
            .api
            .get(&format!("{calls}?state=live"))
            .await
            .is(200);
        let id = live["items"][0]["id"].as_str().unwrap().to_owned();
        a.hang_up();
        platform.has_calls(0).await;
        let call = platform.api.get(&format!("{calls}/{id}")).await.is(200);
        assert_eq!(call["state"], "ended");
        a.is_over().await;
    }
    platform.finish().await;
}
