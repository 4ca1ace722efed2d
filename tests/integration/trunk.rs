//! Carriers are reached over UDP and TCP, with a password, and by the codecs that they want.

use serde_json::{Value, json};
use strowger::store::trunks::{Trunk, TrunkTransport};
use strowger_media::codec::Codec;
use strowger_sip::flow::Transport;

use crate::harness::{Builder, CUSTOMER_NUMBER, Phone, Platform, plan, trunk_to};

const FIRST_PARTY: &str = "+447700900123";

fn hello() -> Value {
    plan("hello", Some("hello"))
        .play("hello", 500, None)
        .build()
}

async fn platform(trunk: Trunk) -> Platform {
    let mut builder = Builder::empty().number(CUSTOMER_NUMBER, hello());
    builder.seed.trunk = Some(trunk);
    builder.start().await
}

#[actix::test]
async fn a_carrier_is_called_over_tcp() {
    let mut phone = Phone::start().await;
    let trunk = trunk_to(&phone.address.to_string(), TrunkTransport::Tcp);
    let platform = platform(trunk).await;
    let id = platform.schedule(FIRST_PARTY).await;
    let mut a = phone.rings().await;
    assert_eq!(a.invite().flow.transport, Transport::Tcp);
    a.answer();
    a.is_acknowledged().await;
    a.hears(500).await;
    a.is_over().await;
    platform.scheduled_is(&id, "completed").await;
    platform.finish().await;
}

#[actix::test]
async fn a_carrier_gets_the_password_that_it_asks_for() {
    let mut phone = Phone::start().await;
    let mut trunk = trunk_to(&phone.address.to_string(), TrunkTransport::Udp);
    trunk.username = Some("us".into());
    trunk.password = Some("secret".into());
    let platform = platform(trunk).await;
    let id = platform.schedule(FIRST_PARTY).await;
    let first = phone.rings().await;
    assert!(first.invite().credentials.is_none());
    first.challenge("carrier");
    let mut a = phone.rings().await;
    let offered = a.invite().credentials.clone().expect("credentials");
    assert_eq!(offered.username, "us");
    assert!(offered.has_password("secret") && !offered.has_password("Secret"));
    a.answer();
    a.is_acknowledged().await;
    a.is_over().await;
    platform.scheduled_is(&id, "completed").await;
    assert_eq!(platform.record().await.legs.len(), 1);
    platform.finish().await;
}

#[actix::test]
async fn a_carrier_that_asks_for_a_password_nobody_has_makes_the_call_fail() {
    let mut phone = Phone::start().await;
    let platform = platform(trunk_to(&phone.address.to_string(), TrunkTransport::Udp)).await;
    let id = platform.schedule(FIRST_PARTY).await;
    phone.rings().await.challenge("carrier");
    let call = platform.scheduled_is(&id, "failed").await;
    assert_eq!(call["sip_status"], 401);
    platform.finish().await;
}

#[actix::test]
async fn a_carrier_is_offered_the_codecs_that_it_wants() {
    let mut phone = Phone::start().await;
    let mut trunk = trunk_to(&phone.address.to_string(), TrunkTransport::Udp);
    trunk.codecs = vec!["PCMU".into()];
    let platform = platform(trunk).await;
    let id = platform.schedule(FIRST_PARTY).await;
    let mut a = phone.rings().await;
    a.answer();
    a.is_acknowledged().await;
    assert_eq!(a.codec, Some(Codec::Pcmu));
    a.hears(500).await;
    a.is_over().await;
    platform.scheduled_is(&id, "completed").await;
    platform.finish().await;
}

#[actix::test]
async fn a_carrier_that_does_not_answer_at_all_makes_the_call_fail() {
    // Nobody listens there.
    let mut trunk = trunk_to("127.0.0.1:9", TrunkTransport::Tcp);
    trunk.name = "nobody".into();
    let platform = platform(trunk).await;
    let id = platform.schedule(FIRST_PARTY).await;
    let call = platform.scheduled_is(&id, "failed").await;
    assert_eq!(call["sip_status"], 503, "{call}");
    platform.finish().await;
}

#[actix::test]
async fn a_number_without_a_route_cannot_be_reached() {
    let platform = Builder::empty()
        .number(CUSTOMER_NUMBER, hello())
        .start()
        .await;
    let id = platform.schedule(FIRST_PARTY).await;
    let call = platform.scheduled_is(&id, "failed").await;
    assert_eq!(call["cause"], json!("no_route_to_destination"));
    assert_eq!(platform.records().await.len(), 1);
    platform.finish().await;
}
