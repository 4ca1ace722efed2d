//! Drafts are saved by one person at a time, checked, published and simulated.

use serde_json::json;

use super::harness::{Bench, read};
use super::scheduled_calls::plan;

const PATH: &str = "/v1/accounts/me/call_plans";

#[actix_web::test]
async fn a_draft_is_saved_only_over_the_draft_that_was_read() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let made = bench
        .post(&token, PATH, &json!({"name": "Welcome"}))
        .await
        .is(201);
    let draft = format!("{PATH}/{}/draft", made.body["id"].as_str().unwrap());
    let tag = bench
        .get(&token, &draft)
        .await
        .is(200)
        .header("etag")
        .to_owned();
    assert_eq!(tag, made.body["draft_etag"]);
    assert_eq!(
        bench.put(&token, &draft, &plan()).await.is(428).code(),
        "precondition_required"
    );
    let put = |tag: String| {
        let request = bench.request(reqwest::Method::PUT, &token, &draft);
        read(request.header("if-match", tag).json(&plan()))
    };
    let saved = put(tag.clone()).await.is(200);
    assert_ne!(saved.header("etag"), tag);
    assert_eq!(put(tag).await.is(412).code(), "precondition_failed");
    assert_eq!(
        bench.get(&token, &draft).await.body["nodes"][0]["id"],
        "start"
    );
}

#[actix_web::test]
async fn a_plan_is_published_when_it_has_no_errors() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let empty = bench
        .post(&token, PATH, &json!({"name": "Empty"}))
        .await
        .is(201);
    let publish = format!("{PATH}/{}/publish", empty.body["id"].as_str().unwrap());
    let refused = bench.post(&token, &publish, &json!({})).await.is(422);
    assert!(!refused.faults().is_empty());
    let validate = format!("{PATH}/{}/validate", empty.body["id"].as_str().unwrap());
    let problems = bench.post(&token, &validate, &json!({})).await.is(200).body;
    assert_eq!(problems["problems"][0]["severity"], "error");
    let good = bench
        .post(&token, PATH, &json!({"name": "Good", "draft": plan()}))
        .await
        .is(201);
    let one = format!("{PATH}/{}", good.body["id"].as_str().unwrap());
    let publish = format!("{one}/publish");
    let version = bench
        .post(&token, &publish, &json!({"note": "first"}))
        .await
        .is(201)
        .body;
    assert_eq!(
        (&version["version"], &version["note"]),
        (&json!(1), &json!("first"))
    );
    let found = bench.get(&token, &one).await.is(200).body;
    assert_eq!(found["published_version"], 1);
    assert_eq!(found["versions"][0]["version"], 1);
    let kept = bench
        .get(&token, &format!("{one}/versions/1"))
        .await
        .is(200)
        .body;
    assert_eq!(kept["plan"]["name"], "Welcome");
    bench
        .get(&token, &format!("{one}/versions/2"))
        .await
        .is(404);
    let noteless = read(bench.request(reqwest::Method::POST, &token, &publish)).await;
    assert_eq!(noteless.is(201).body["note"], "");
}

#[actix_web::test]
async fn a_plan_is_checked_and_simulated_without_being_saved() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let problems = bench
        .post(&token, &format!("{PATH}/validate"), &plan())
        .await
        .is(200)
        .body;
    assert_eq!(problems["problems"], json!([]));
    let unknown = json!({"format_version": 1, "nodes": [], "colour": "red"});
    let refused = bench
        .post(&token, &format!("{PATH}/validate"), &unknown)
        .await
        .is(422);
    assert_eq!(refused.faults(), ["/colour unknown_field"]);
    let script = json!({"origin": "inbound", "calling": "+447700900001",
        "called": "+441632960001", "at": "2026-11-20T12:00:00Z"});
    let wish = json!({"plan": plan(), "script": script});
    let run = bench
        .post(&token, &format!("{PATH}/simulate"), &wish)
        .await
        .is(200)
        .body;
    assert_eq!(run["end"]["cause"], "normal_clearing", "{run}");
}
