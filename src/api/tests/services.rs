//! Outbound services are put, and started with a token or with their own password. Live calls are
//! seen and hung up.

use serde_json::{Value, json};

use super::harness::{Bench, read};
use crate::store::testing::record;

fn service() -> Value {
    json!({"service_password": "a service password", "application_parameters": "a=1",
        "rest": {"first_page": {"address": "https://app.example.com/first", "method": "POST"},
            "final_page": {"address": "https://app.example.com/final"}}})
}

const PATH: &str = "/v1/accounts/me/services/outbound/survey";

#[actix_web::test]
async fn a_service_is_put_replaced_read_and_removed() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let made = bench.put(&token, PATH, &service()).await.is(201);
    assert!(!made.text.contains("password"), "{}", made.text);
    let again = bench.put(&token, PATH, &service()).await.is(200);
    assert_eq!(made.body["id"], again.body["id"]);
    assert_eq!(
        bench.get(&token, PATH).await.is(200).body["rest"]["final_page"]["method"],
        "POST"
    );
    let list = bench
        .get(&token, "/v1/accounts/me/services/outbound")
        .await
        .is(200);
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    bench.delete(&token, PATH).await.is(204);
    bench.get(&token, PATH).await.is(404);
}

#[actix_web::test]
async fn every_fault_of_a_service_is_told() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let wrong = json!({"service_password": "x", "extra_channels": 101,
        "rest": {"first_page": {"address": "ftp://x"}, "error_page": {"address": "http://127.0.0.1/"}}});
    let refused = bench
        .put(&token, "/v1/accounts/me/services/outbound/a%20b", &wrong)
        .await
        .is(422);
    assert_eq!(
        refused.faults(),
        [
            " bad_name",
            "/service_password bad_length",
            "/rest/first_page/address not_url",
            "/rest/error_page/address not_reachable",
            "/extra_channels out_of_range"
        ]
    );
    let wrong = json!({"service_password": "a service password",
        "rest": {"first_page": {"address": "https://x.test", "method": "PUT"}}});
    let refused = bench.put(&token, PATH, &wrong).await.is(422);
    assert_eq!(refused.faults(), ["/rest/first_page/method unknown_value"]);
}

#[actix_web::test]
async fn a_service_is_started_by_its_password_or_by_a_token() {
    let bench = Bench::start().await;
    let customer = bench.sample.customer;
    let token = bench.token(customer).await;
    bench.sample.belongings(customer, 1).await.unwrap();
    bench.put(&token, PATH, &service()).await.is(200);
    let start = format!("/v1/accounts/{customer}/services/outbound/survey/start");
    let wish = json!({"to": "+447700900123", "from": "+441632960001", "token": "t-1",
        "outbound_parameters": "p"});
    let by_password = |user: &'static str, password: &'static str| {
        let request = bench
            .client
            .post(bench.url(&start))
            .basic_auth(user, Some(password));
        read(request.json(&wish))
    };
    let started = by_password("survey", "a service password").await.is(202);
    assert!(
        started.body["instance"]
            .as_str()
            .unwrap()
            .starts_with("ins_")
    );
    let wrong = by_password("survey", "another password").await.is(401);
    assert_eq!(wrong.code(), "wrong_service_password");
    assert!(wrong.header("www-authenticate").starts_with("Basic"));
    by_password("other", "a service password").await.is(401);
    bench
        .post(&token, &format!("{PATH}/start"), &wish)
        .await
        .is(202);
    bench.post("", &start, &wish).await.is(401);
    let outsider = bench.token(bench.sample.stranger).await;
    bench.post(&outsider, &start, &wish).await.is(404);
    let wrong = json!({"to": "+447700900123", "from": "+441632960099"});
    let account = bench.token(bench.sample.carrier).await;
    let none = json!({"permissions": {"custom_cli": false}});
    bench
        .patch(&account, &format!("/v1/accounts/{customer}"), &none)
        .await
        .is(200);
    let refused = bench
        .post(&token, &format!("{PATH}/start"), &wrong)
        .await
        .is(422);
    assert_eq!(refused.faults(), ["/from unknown_number"]);
    let refused = bench
        .post(&token, &format!("{PATH}/start"), &json!({"to": "+44770"}))
        .await;
    assert_eq!(refused.is(422).faults(), ["/to invalid_destination"]);
    let refused = bench
        .post(
            &token,
            &format!("{PATH}/start"),
            &json!({"to": "+447700900123"}),
        )
        .await;
    assert_eq!(refused.is(422).faults(), ["/from missing"]);
    let instances = bench
        .get(&token, &format!("{PATH}/instances"))
        .await
        .is(200);
    assert_eq!(instances.body["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn live_calls_are_seen_as_they_stand_and_hung_up() {
    let bench = Bench::start().await;
    let customer = bench.sample.customer;
    let token = bench.token(customer).await;
    let kept = record(customer, bench.sample.now);
    let fresh = record(customer, bench.sample.now + chrono::TimeDelta::seconds(1));
    bench.writer.call(kept.clone()).unwrap();
    bench.writer.flush().await;
    let mut now = kept.clone();
    now.called = "+441632960002".to_owned();
    bench.show(vec![now, fresh.clone()]).await;
    let list = bench
        .get(&token, "/v1/accounts/me/calls?state=live")
        .await
        .is(200)
        .body;
    let called: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["called"])
        .collect();
    assert_eq!(called, ["+441632960001", "+441632960002"]);
    let one = format!("/v1/accounts/me/calls/{}", fresh.id);
    assert_eq!(
        bench.get(&token, &one).await.is(200).body["state"],
        "in_progress"
    );
    for body in [
        json!({"action": "pause_recording"}),
        json!({"action": "pause_recording", "gap": "left_out"}),
        json!({"action": "resume_recording"}),
    ] {
        let answer = bench.post(&token, &format!("{one}/actions"), &body).await;
        assert_eq!(answer.is(202).body, body);
    }
    let hang_up = json!({"action": "hang_up"});
    bench
        .post(&token, &format!("{one}/actions"), &hang_up)
        .await
        .is(202);
    bench
        .post(&token, &format!("{one}/actions"), &hang_up)
        .await
        .is(404);
    let mut ended = kept.clone();
    ended = ended.cut(bench.sample.now + chrono::TimeDelta::seconds(9));
    bench.writer.call(ended).unwrap();
    bench.writer.flush().await;
    let one = format!("/v1/accounts/me/calls/{}/actions", kept.id);
    bench.post(&token, &one, &hang_up).await;
    assert_eq!(
        bench.post(&token, &one, &hang_up).await.is(409).code(),
        "conflict"
    );
    let records = bench
        .get(&token, "/v1/accounts/me/records")
        .await
        .is(200)
        .body;
    assert_eq!(records["items"].as_array().unwrap().len(), 1);
    let record = format!("/v1/accounts/me/records/{}", kept.id);
    assert_eq!(
        bench.get(&token, &record).await.is(200).body,
        records["items"][0]
    );
}
