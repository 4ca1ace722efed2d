//! Outbound services: the platform dials, and a customer's web application drives the call.

use serde_json::{Value, json};
use strowger_domain::cause::Cause;

use crate::harness::{Builder, CUSTOMER_NUMBER, PageServer, Phone, Platform, Reply, plan};

const FIRST_PARTY: &str = "+447700900123";
const OFFICE: &str = "+442079460101";

async fn platform(phone: &Phone) -> Platform {
    let plan = plan("hello", None).play("hello", 500, None).build();
    Builder::new(plan, phone).start().await
}

/// Configures the service with the server's pages `/first`, `/final` and `/error`, and starts it.
async fn start(platform: &Platform, pages: &PageServer) -> String {
    let page = |path: &str| json!({ "address": pages.url(path), "method": "POST" });
    let service = json!({
        "service_password": "correct horse",
        "rest": {
            "first_page": page("/first"),
            "final_page": page("/final"),
            "error_page": page("/error"),
        },
        "application_parameters": "colour=red",
    });
    let path = "/v1/accounts/me/services/outbound/survey";
    platform.api.put(path, &service).await.is(201);
    let wish = json!({
        "to": FIRST_PARTY,
        "from": CUSTOMER_NUMBER,
        "token": "my token",
        "outbound_parameters": "customer=7",
    });
    let started = platform
        .api
        .post(&format!("{path}/start"), &wish)
        .await
        .is(202);
    started["instance"].as_str().expect("an id").to_owned()
}

async fn ended(platform: &Platform, instance: &str) -> Value {
    let path = format!("/v1/accounts/me/services/outbound/survey/instances/{instance}");
    platform
        .api
        .until(&path, "it has ended", |instance| {
            instance["state"] == "ended"
        })
        .await
}

fn actions(actions: Value) -> Reply {
    json!({ "actions": actions }).into()
}

#[actix::test]
async fn the_application_plays_asks_records_connects_and_hangs_up() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let pages = PageServer::start(|path, _| match path {
        "/first" => actions(json!([
            { "play": { "play_list": [{ "text_to_say": "Good morning." }] } },
            { "get_number": { "digit_count": 3, "next_page": { "url": "/number" } } },
        ])),
        "/number" => actions(json!([
            { "record": {
                "next_page": { "url": "/recorded" },
                "beep_on_start": true,
                "barge_in_digits": "#",
            } },
        ])),
        "/recorded" => actions(json!([
            { "connect": { "destinations": [OFFICE], "next_page": { "url": "/connected" } } },
        ])),
        "/connected" => actions(json!([
            { "play": { "play_list": [{ "text_to_say": "Goodbye." }] } },
            { "hang_up": {} },
        ])),
        _ => Reply::status(204),
    })
    .await;
    let instance = start(&platform, &pages).await;

    let mut a = phone.rings().await;
    assert_eq!(
        (a.dialled(), a.presented().as_str()),
        (FIRST_PARTY, CUSTOMER_NUMBER)
    );
    a.answer();
    a.is_acknowledged().await;
    let info = pages.is_asked("/first").await;
    assert_eq!(info["application_instance_id"], instance.as_str());
    assert_eq!(info["token"], "my token");
    let call = &info["this_call"];
    assert_eq!(
        (&call["call_from"], &call["call_to"]),
        (&json!(CUSTOMER_NUMBER), &json!(FIRST_PARTY))
    );
    assert_eq!(call["application_parameters"], "colour=red");
    assert_eq!(call["outbound_parameters"], "customer=7");
    crate::harness::eventually("the first party is spoken to", || async {
        a.sound.heard_something().then_some(())
    })
    .await;

    a.press("123");
    let info = pages.is_asked("/number").await;
    assert_eq!(info["action_result"]["action"], "get_number");
    assert_eq!(info["action_result"]["result"]["entered_number"], "123");

    a.hears(1400).await;
    a.say(900);
    a.sound.goes_on(std::time::Duration::from_millis(800)).await;
    a.press("#");
    let info = pages.is_asked("/recorded").await;
    let result = &info["action_result"]["result"];
    assert_eq!(result["contains_sound"], true, "{info}");
    assert!(
        result["seconds_duration"].as_f64().unwrap() >= 0.5,
        "{info}"
    );

    let mut b = phone.rings().await;
    assert_eq!(b.dialled(), OFFICE);
    b.answer();
    b.is_acknowledged().await;
    b.say(1300);
    a.hears(1300).await;
    b.hears(900).await;
    b.hang_up();
    b.is_over().await;
    let info = pages.is_asked("/connected").await;
    assert_eq!(info["action_result"]["action"], "connect");

    a.is_over().await;
    let info = pages.is_asked("/final").await;
    assert_eq!(info["this_call"]["call_cause"], "completed");
    let row = ended(&platform, &instance).await;
    assert_eq!(row["failure"], Value::Null);
    let record = platform.record().await;
    assert_eq!(row["call"], json!(record.id));
    assert_eq!(record.legs.len(), 2);
    assert_eq!(record.recordings.len(), 1);
    let paths = ["/first", "/number", "/recorded", "/connected", "/final"];
    assert_eq!(pages.paths(), paths);
    platform.finish().await;
}

#[actix::test]
async fn a_busy_first_party_leads_to_the_final_page_and_to_nothing_else() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let pages = PageServer::start(|_, _| Reply::status(204)).await;
    let instance = start(&platform, &pages).await;
    phone.rings().await.refuse(486);
    let info = pages.is_asked("/final").await;
    assert_eq!(info["this_call"]["call_cause"], "busy");
    assert_eq!(info["this_call"]["call_raw_cause"], "486");
    let row = ended(&platform, &instance).await;
    assert_eq!(
        (&row["cause"], &row["sip_status"]),
        (&json!("user_busy"), &json!(486))
    );
    assert_eq!(pages.paths(), ["/final"]);
    assert_eq!(platform.record().await.cause, Some(Cause::UserBusy));
    platform.finish().await;
}

#[actix::test]
async fn a_first_party_that_hangs_up_leads_to_the_final_page_once() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let pages = PageServer::start(|path, _| match path {
        "/first" => actions(json!([
            { "get_number": { "digit_count": 3, "next_page": { "url": "/number" } } },
        ])),
        _ => Reply::status(204),
    })
    .await;
    let instance = start(&platform, &pages).await;
    let mut a = phone.rings().await;
    a.answer();
    a.is_acknowledged().await;
    pages.is_asked("/first").await;
    a.hang_up();
    a.is_over().await;
    let info = pages.is_asked("/final").await;
    assert_eq!(info["this_call"]["call_cause"], "hung_up");
    ended(&platform, &instance).await;
    assert_eq!(pages.paths(), ["/first", "/final"]);
    platform.finish().await;
}

#[actix::test]
async fn a_call_that_is_hung_up_here_while_it_rings_leads_to_the_final_page_with_its_cause() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let pages = PageServer::start(|_, _| Reply::status(204)).await;
    let instance = start(&platform, &pages).await;
    let mut a = phone.rings().await;
    a.ring();
    let path = format!("/v1/accounts/me/services/outbound/survey/instances/{instance}");
    let call = platform.api.get(&path).await.is(200)["call"].clone();
    let call = call.as_str().expect("it has one");
    let path = format!("/v1/accounts/me/calls/{call}/actions");
    let action = json!({ "action": "hang_up" });
    assert!(platform.api.post(&path, &action).await.status < 300);
    a.is_over().await;
    let instance = ended(&platform, &instance).await;
    let cause = platform.record().await.cause;
    assert_eq!(instance["cause"], json!(cause), "{instance}");
    let info = pages.is_asked("/final").await;
    let call = &info["this_call"];
    let status = cause.unwrap().sip_status().to_string();
    assert_eq!(call["call_raw_cause"], status.as_str(), "{call}");
    assert_eq!(pages.paths(), ["/final"]);
    platform.finish().await;
}

#[actix::test]
async fn a_platform_that_ends_asks_for_the_final_page_of_the_calls_that_it_cuts() {
    let mut phone = Phone::start().await;
    let plan = plan("hello", None).play("hello", 500, None).build();
    let platform = Builder::new(plan, &phone)
        .set(|s| s.drain_s = Some("0".into()))
        .start()
        .await;
    let pages = PageServer::start(|path, _| match path {
        "/first" => actions(json!([
            { "get_number": { "digit_count": 3, "next_page": { "url": "/number" } } },
        ])),
        _ => Reply::status(204),
    })
    .await;
    let instance = start(&platform, &pages).await;
    let mut a = phone.rings().await;
    a.answer();
    a.is_acknowledged().await;
    pages.is_asked("/first").await;
    let platform = platform.restart().await;
    a.is_over().await;
    assert_eq!(pages.paths(), ["/first", "/final"]);
    let instance = ended(&platform, &instance).await;
    assert_eq!(instance["cause"], "network_out_of_order", "{instance}");
    platform.finish().await;
}

async fn a_broken_first_page(reply: Reply) {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let pages = PageServer::start(move |path, _| match path {
        "/first" => reply.clone(),
        "/error" => actions(json!([{ "hang_up": {} }])),
        _ => Reply::status(204),
    })
    .await;
    let instance = start(&platform, &pages).await;
    let mut a = phone.rings().await;
    a.answer();
    a.is_acknowledged().await;
    let info = pages.is_asked("/error").await;
    assert!(info["error_result"]["result"].is_string(), "{info}");
    a.is_over().await;
    pages.is_asked("/final").await;
    let row = ended(&platform, &instance).await;
    assert!(row["failure"].is_string(), "{row}");
    assert_eq!(pages.paths(), ["/first", "/error", "/final"]);
    assert_eq!(platform.records().await.len(), 1);
    platform.finish().await;
}

#[actix::test]
async fn a_page_that_fails_leads_to_the_error_page_once_and_the_call_ends() {
    a_broken_first_page(Reply::status(500)).await;
}

#[actix::test]
async fn a_page_that_is_no_json_leads_to_the_error_page_once_and_the_call_ends() {
    a_broken_first_page(Reply {
        status: 200,
        body: b"<html>".to_vec(),
    })
    .await;
}

#[actix::test]
async fn a_page_with_an_unknown_action_leads_to_the_error_page_once_and_the_call_ends() {
    a_broken_first_page(actions(json!([{ "dance": {} }]))).await;
}

#[actix::test]
async fn a_service_is_started_by_its_name_and_password() {
    let mut phone = Phone::start().await;
    let platform = platform(&phone).await;
    let pages = PageServer::start(|_, _| Reply::status(204)).await;
    let instance = start(&platform, &pages).await;
    phone.rings().await.refuse(486);
    ended(&platform, &instance).await;
    let account = platform.seeded.accounts[&crate::harness::Owner::Customer];
    let url = format!(
        "http://{}/v1/accounts/{account}/services/outbound/survey/start",
        platform.http
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let wish = json!({ "to": FIRST_PARTY, "from": CUSTOMER_NUMBER });
    for (password, status) in [("wrong password", 401), ("correct horse", 202)] {
        let request = client
            .post(&url)
            .basic_auth("survey", Some(password))
            .json(&wish);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }
    phone.rings().await.refuse(486);
    platform.records().await;
    platform.finish().await;
}
