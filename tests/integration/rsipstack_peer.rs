//! rsipstack, a SIP stack that shares no code with ours, as caller and as callee.

use serde_json::{Value, json};
use strowger::store::trunks::TrunkTransport;
use strowger_domain::cause::Cause;

use crate::harness::{Builder, CUSTOMER_NUMBER, Platform, Stranger, plan, trunk_to};

const OFFICE: &str = "+442079460101";

fn office() -> Value {
    plan("office", Some("hello"))
        .deliver("office", OFFICE, json!({}), json!({}))
        .play("hello", 500, None)
        .build()
}

async fn platform(carrier: &Stranger) -> Platform {
    let mut builder = Builder::empty().number(CUSTOMER_NUMBER, office());
    let host = carrier.address.to_string();
    builder.seed.trunk = Some(trunk_to(&host, TrunkTransport::Udp));
    builder.start().await
}

async fn talk(caller_hangs_up: bool) {
    let (mut alice, mut bob) = (Stranger::start().await, Stranger::start().await);
    let platform = platform(&bob).await;
    let number = CUSTOMER_NUMBER;
    let ((a, status), b) = tokio::join!(alice.call(number, platform.sip), async {
        let line = bob.rings().await;
        line.answer();
        line
    });
    assert_eq!(status, 200);
    a.sound.say(900);
    b.sound.say(1300);
    a.sound.hears(1300).await;
    b.sound.hears(900).await;
    if caller_hangs_up {
        a.hang_up().await;
        bob.is_over().await;
    } else {
        b.hang_up().await;
        alice.is_over().await;
    }
    let record = platform.record().await;
    assert_eq!(record.cause, Some(Cause::NormalClearing));
    assert_eq!(record.legs.len(), 2);
    platform.finish().await;
}

#[actix::test]
async fn two_strangers_talk_and_the_caller_hangs_up() {
    talk(true).await;
}

#[actix::test]
async fn two_strangers_talk_and_the_called_one_hangs_up() {
    talk(false).await;
}

#[actix::test]
async fn a_stranger_who_gives_up_cancels_the_other_leg() {
    let (mut alice, mut bob) = (Stranger::start().await, Stranger::start().await);
    let platform = platform(&bob).await;
    let sip = platform.sip;
    let ((), _b) = tokio::join!(alice.calls_and_gives_up(CUSTOMER_NUMBER, sip), bob.rings());
    bob.is_over().await;
    assert!(platform.record().await.answered_at.is_none());
    platform.finish().await;
}

#[actix::test]
async fn a_stranger_is_a_first_party_that_answers_or_is_busy() {
    let mut bob = Stranger::start().await;
    let platform = platform(&bob).await;
    let id = platform.schedule("+447700900123").await;
    bob.rings().await.refuse();
    let call = platform.scheduled_is(&id, "failed").await;
    assert_eq!(call["sip_status"], 486);
    let id = platform.schedule("+447700900124").await;
    let b = bob.rings().await;
    b.answer();
    b.sound.hears(500).await;
    platform.scheduled_is(&id, "completed").await;
    platform.finish().await;
}

#[actix::test]
async fn a_stranger_is_told_that_nobody_has_the_number() {
    let bob = Stranger::start().await;
    let platform = platform(&bob).await;
    let (_, status) = bob.call("+441632960999", platform.sip).await;
    assert_eq!(status, 404);
    platform.finish().await;
}
