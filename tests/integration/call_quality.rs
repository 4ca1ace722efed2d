//! The quality of each leg is on record.

use std::time::Duration;

use serde_json::json;
use strowger_domain::cdr::StreamQuality;

use crate::harness::{Builder, CUSTOMER_NUMBER, Caller, Phone, plan};

const OFFICE: &str = "+442079460101";

#[actix::test]
async fn a_party_that_loses_a_tenth_of_its_packets_has_it_on_record_and_sounds_worse() {
    let mut phone = Phone::start().await;
    let document = plan("office", None)
        .deliver("office", OFFICE, json!({}), json!({}))
        .build();
    let platform = Builder::new(document, &phone).start().await;
    let mut a = phone
        .call(CUSTOMER_NUMBER, platform.sip, Caller::default())
        .await;
    let mut b = phone.rings().await;
    b.answer();
    a.is_answered().await;
    a.sound.loses_one_in(10);
    b.sound.goes_on(Duration::from_secs(4)).await;
    a.hang_up();
    b.is_over().await;

    let record = platform.record().await;
    let received = |leg: usize| -> StreamQuality {
        let quality = record.legs[leg].quality.expect("media came");
        quality.received.expect("media came")
    };
    let (lossy, clean) = (received(0), received(1));
    assert!((8.0..12.0).contains(&lossy.loss_percent), "{lossy:?}");
    assert!(clean.loss_percent < 1.0, "{clean:?}");
    assert!(clean.mos > 4.2 && lossy.mos < 3.6, "{lossy:?}, {clean:?}");
    platform.finish().await;
}
