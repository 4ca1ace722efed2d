//! What an account may do, and its end, as its callers meet them.

use serde_json::{Value, json};
use strowger_domain::account::{Limits, Permissions};
use strowger_domain::cause::Cause;

use crate::harness::{Builder, CUSTOMER_NUMBER, Caller, Owner, Phone, audio, plan};

const OFFICE: &str = "+442079460101";

/// Answers, and waits until the caller hangs up.
fn hello() -> Value {
    let waits = json!({ "prompt": [audio(500)], "timeout_s": 60 });
    plan("hello", Some("hello"))
        .node("hello", "ivr_menu", waits, json!({ "1": "bye" }))
        .hang_up("bye", "normal_clearing")
        .build()
}

fn office(recording: &str) -> Value {
    plan("office", None)
        .deliver(
            "office",
            OFFICE,
            json!({ "recording": recording }),
            json!({}),
        )
        .build()
}

#[actix::test]
async fn a_call_ends_at_a_node_that_its_account_may_not_use() {
    let phone = Phone::start().await;
    let only = Permissions {
        node_types: Some(["deliver_call".to_owned()].into()),
        ..Permissions::all()
    };
    let platform = Builder::new(hello(), &phone)
        .permissions(Owner::Reseller, only)
        .start()
        .await;
    let mut a = platform.called_by(&phone).await;
    assert!(a.is_refused().await >= 400);
    let record = platform.record().await;
    assert_eq!(record.cause, Some(Cause::FacilityRejected));
    let problems = "/v1/accounts/me/call_plans/validate";
    let problems = platform.api.post(problems, &hello()).await.is(200);
    let forbidden = problems["problems"].as_array().unwrap().iter();
    let forbidden: Vec<_> = forbidden
        .filter(|problem| problem["code"] == "not_permitted")
        .map(|problem| problem["node"].as_str().unwrap())
        .collect();
    assert_eq!(forbidden, ["hello", "bye"]);
    platform.finish().await;
}

#[actix::test]
async fn the_number_of_a_caller_who_withholds_it_is_shown_to_nobody_who_may_not_see_it() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(office("off"), &phone).start().await;
    let caller = Caller {
        from: "anonymous".into(),
        asserted: Some("sip:+447700900123@127.0.0.1".into()),
        headers: vec![("Privacy".into(), "id".into())],
        ..Caller::default()
    };
    let mut a = phone.call(CUSTOMER_NUMBER, platform.sip, caller).await;
    let mut b = phone.rings().await;
    assert!(!b.presented().contains("900123"), "{}", b.presented());
    assert!(b.asserted().is_none_or(|number| !number.contains("900123")));
    b.refuse(486);
    a.is_over().await;
    let record = platform.record().await;
    assert_eq!(record.calling, None);
    let account = platform.seeded.accounts[&Owner::Customer];
    let path = format!("/v1/accounts/{account}/records/{}", record.id);
    let events = format!("/v1/accounts/{account}/calls/{}/events", record.id);
    for (owner, shown) in [
        (Owner::Customer, "+447700******"),
        (Owner::Reseller, "+447700900123"),
    ] {
        let api = platform.api_of(owner).await;
        assert_eq!(api.get(&path).await.is(200)["withheld_calling"], shown);
        let told = api.get(&events).await.is(200).to_string();
        assert!(!told.contains("900123"), "{told}");
    }
    platform.finish().await;
}

#[actix::test]
async fn what_is_taken_from_an_account_is_gone_for_the_calls_that_run() {
    let mut phone = Phone::start().await;
    let waits = json!({ "prompt": [audio(500)], "timeout_s": 60 });
    let plan = plan("menu", None)
        .node("menu", "ivr_menu", waits, json!({ "1": "office" }))
        .deliver("office", OFFICE, json!({}), json!({}))
        .build();
    let platform = Builder::new(plan, &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    let reseller = platform.api_of(Owner::Reseller).await;
    let account = platform.seeded.accounts[&Owner::Customer];
    let nowhere = json!({ "permissions": { "destination_classes": [] } });
    let path = format!("/v1/accounts/{account}");
    reseller.patch(&path, &nowhere).await.is(200);
    a.hears(500).await;
    a.press("1");
    a.is_over().await;
    assert!(phone.is_quiet());
    let record = platform.record().await;
    assert_eq!(record.legs[1].cause, Some(Cause::CallRejected));
    platform.finish().await;
}

#[actix::test]
async fn a_full_storage_takes_no_recording_and_no_upload() {
    let mut phone = Phone::start().await;
    // The four tones of the pool have 16,044 bytes each.
    let limits = Limits {
        storage_bytes: Some(4 * 16_044),
        ..Limits::default()
    };
    let platform = Builder::new(office("mixed"), &phone)
        .limits(Owner::Reseller, limits)
        .start()
        .await;
    let mut a = platform.called_by(&phone).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    a.say(900);
    b.hears(900).await;
    b.hang_up();
    b.is_over().await;
    a.is_over().await;
    let record = platform.record().await;
    assert!(record.recordings.is_empty());
    let wav = strowger_media::wav::write(&[0; 8000]);
    let kind = "audio/wav";
    let path = "/v1/accounts/me/audio?name=more";
    let post = reqwest::Method::POST;
    let refused = platform.api.send(post, path, kind, wav).await.is(409);
    assert_eq!(refused["code"], "limit_reached");
    let limits = platform.api.get("/v1/accounts/me/limits").await.is(200);
    let storage = limits["limits"].as_array().unwrap().iter();
    let storage: Vec<_> = storage
        .filter(|row| row["limit"] == "storage_bytes")
        .collect();
    assert_eq!(storage[0]["free"], 0);
    assert_eq!(storage[0]["bound_above"], true);
    platform.finish().await;
}

#[actix::test]
async fn nothing_of_a_closed_account_rings_and_nothing_of_an_erased_one_is_left() {
    let phone = Phone::start().await;
    let platform = Builder::new(hello(), &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    let reseller = platform.api_of(Owner::Reseller).await;
    let account = platform.seeded.accounts[&Owner::Customer];
    let one = format!("/v1/accounts/{account}");
    let close = format!("{one}/close");
    reseller.post(&close, &json!({})).await.is(200);
    a.is_over().await;
    platform.has_calls(0).await;
    let mut b = platform.called_by(&phone).await;
    assert_eq!(b.is_refused().await, 480);
    platform.app().writer.flush().await;
    reseller.delete(&one).await.is(204);
    reseller.get(&one).await.is(404);
    let mut c = platform.called_by(&phone).await;
    assert_eq!(c.is_refused().await, 480);
    let media = std::path::Path::new(&platform.config.data).join("media");
    assert!(!media.join(account.to_string()).exists());
    platform.finish().await;
}
