//! Scheduled calls are refused with every reason, taken once, and cancelled while they wait.

use serde_json::{Value, json};
use strowger_domain::account::Permissions;
use strowger_domain::ids::CallId;
use uuid::Uuid;

use super::harness::{Bench, read};
use crate::store::AccountScope;
use crate::store::accounts::AccountChange;

const PATH: &str = "/v1/accounts/me/scheduled_calls";

/// A plan that scheduled calls can run.
pub(super) fn plan() -> Value {
    json!({"format_version": 1, "name": "Welcome", "nodes": [
        {"id": "start", "type": "start",
            "branches": {"continue": "bye", "scheduled_call": "bye"}},
        {"id": "bye", "type": "hang_up"},
    ]})
}

/// Publishes the plan and gives it to the number; answers the number's digits.
async fn ready(bench: &Bench, token: &str) -> String {
    let own = bench
        .sample
        .belongings(bench.sample.customer, 1)
        .await
        .unwrap();
    let draft = json!({"name": "Welcome", "draft": plan()});
    let made = bench
        .post(token, "/v1/accounts/me/call_plans", &draft)
        .await
        .is(201);
    let id = made.body["id"].as_str().unwrap();
    let publish = format!("/v1/accounts/me/call_plans/{id}/publish");
    bench
        .post(token, &publish, &json!({"note": "first"}))
        .await
        .is(201);
    let number = format!("/v1/accounts/me/numbers/{}", own.number);
    bench
        .patch(token, &number, &json!({"call_plan": id}))
        .await
        .is(200);
    "+441632960001".to_owned()
}

#[actix_web::test]
async fn a_call_is_refused_with_every_reason_at_once() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let order = json!({
        "service_number": "+441632960077",
        "first_party": "hello",
        "presentation_number": "+447012345678",
        "expires_at": "2020-01-01T00:00:00Z",
        "ring_duration_s": 61,
    });
    let change = AccountChange {
        permissions: Some(Permissions::default()),
        ..Default::default()
    };
    let everywhere = AccountScope::platform();
    let account = bench.sample.customer;
    bench
        .store
        .update_account(&everywhere, account, change, bench.sample.now)
        .await
        .unwrap();
    let refused = bench.post(&token, PATH, &order).await.is(422);
    let faults = refused.faults().join("\n");
    for fault in [
        " permission_denied",
        "/service_number unknown_number",
        "/first_party invalid_destination",
        "/presentation_number unknown_number",
        "/expires_at in_the_past",
        "/ring_duration_s out_of_range",
    ] {
        assert!(faults.contains(fault), "{fault} is missing:\n{faults}");
    }
}

#[actix_web::test]
async fn a_number_without_a_connected_scheduled_branch_is_refused() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    bench
        .sample
        .belongings(bench.sample.customer, 1)
        .await
        .unwrap();
    let order = json!({"service_number": "+441632960001", "first_party": "+447700900123"});
    let refused = bench.post(&token, PATH, &order).await.is(422);
    assert_eq!(refused.faults(), ["/service_number call_plan_invalid"]);
}

#[actix_web::test]
async fn a_call_is_taken_read_listed_and_cancelled() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let number = ready(&bench, &token).await;
    let order = json!({"service_number": number, "first_party": "07700 900123",
        "variables": {"@name": "Ada"}, "reference": "R-7"});
    let made = bench.post(&token, PATH, &order).await.is(201).body;
    assert_eq!(made["state"], "queued");
    assert_eq!(made["first_party"], "+447700900123");
    assert_eq!(made["ring_duration_s"], 60);
    let one = format!("{PATH}/{}", made["id"].as_str().unwrap());
    assert_eq!(bench.get(&token, &one).await.is(200).body, made);
    let list = bench
        .get(&token, &format!("{PATH}?reference=R-7"))
        .await
        .is(200)
        .body;
    assert_eq!(list["items"], json!([made]));
    bench.delete(&token, &one).await.is(204);
    bench.delete(&token, &one).await.is(204);
    assert_eq!(
        bench.get(&token, &one).await.is(200).body["state"],
        "cancelled"
    );
}

#[actix_web::test]
async fn a_call_that_is_being_dialled_cannot_be_cancelled() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let number = ready(&bench, &token).await;
    let order = json!({"service_number": number, "first_party": "+447700900123"});
    let made = bench.post(&token, PATH, &order).await.is(201).body;
    let now = chrono::Utc::now();
    let claimed = bench
        .store
        .claim_due(&AccountScope::platform(), now, 10, &[], || {
            CallId::from_uuid(Uuid::now_v7())
        })
        .await
        .unwrap();
    assert!(!claimed.is_empty());
    let one = format!("{PATH}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        bench.delete(&token, &one).await.is(409).code(),
        "not_queued"
    );
}

#[actix_web::test]
async fn the_same_idempotency_key_makes_one_call() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let number = ready(&bench, &token).await;
    let order = json!({"service_number": number, "first_party": "+447700900123"});
    let post = |order: &Value| {
        let request = bench.request(reqwest::Method::POST, &token, PATH);
        read(request.header("idempotency-key", "k-1").json(order))
    };
    let first = post(&order).await.is(201);
    let again = post(&order).await.is(201);
    assert_eq!(first.body, again.body);
    assert_eq!(
        (
            first.header("idempotent-replayed"),
            again.header("idempotent-replayed")
        ),
        ("", "true")
    );
    let other = json!({"service_number": number, "first_party": "+447700900124"});
    assert_eq!(post(&other).await.is(422).code(), "idempotency_key_reused");
    let list = bench
        .get(&token, &format!("{PATH}?first_party=%2B447700900123"))
        .await
        .body;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_refused_call_can_be_tried_again_with_its_key() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let number = ready(&bench, &token).await;
    let order = json!({"service_number": number, "first_party": "nobody"});
    for _ in 0..2 {
        let request = bench.request(reqwest::Method::POST, &token, PATH);
        let refused = read(request.header("idempotency-key", "k-2").json(&order))
            .await
            .is(422);
        assert_eq!(refused.faults(), ["/first_party invalid_destination"]);
    }
}
