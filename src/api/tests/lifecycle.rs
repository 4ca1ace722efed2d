//! Accounts are moved, closed, exported and erased.

use serde_json::{Value, json};
use strowger_domain::account::Role;

use super::harness::{Bench, PASSWORD, read};
use crate::store::AccountScope;
use crate::store::testing::record;

#[actix_web::test]
async fn an_account_moves_where_its_kind_and_its_grants_fit() {
    let bench = Bench::start().await;
    let sample = &bench.sample;
    let carrier = bench.token(sample.carrier).await;
    let rival = format!("/v1/accounts/{}", sample.rival);
    let less = json!({"permissions": {"queues": false, "countries": ["GB"]}});
    bench.patch(&carrier, &rival, &less).await.is(200);
    let path = format!("/v1/accounts/{}/move", sample.customer);
    let wish = |parent: &dyn std::fmt::Display| json!({ "parent": parent.to_string() });
    let refused = bench
        .post(&carrier, &path, &wish(&sample.rival))
        .await
        .is(422);
    assert_eq!(refused.faults(), ["/permissions/queues exceeds_parent"]);
    let refused = bench.post(&carrier, &path, &wish(&sample.customer)).await;
    assert_eq!(refused.is(422).faults()[0], "/parent below_itself");
    let up = format!("/v1/accounts/{}/move", sample.reseller);
    let refused = bench.post(&carrier, &up, &wish(&sample.stranger)).await;
    assert_eq!(
        refused.is(422).faults(),
        [
            "/parent not_permitted",
            "/permissions/queues exceeds_parent"
        ]
    );
    // The rival is in another branch than the reseller: for the reseller there is no such account.
    let reseller = bench.token(sample.reseller).await;
    let refused = bench.post(&reseller, &path, &wish(&sample.rival)).await;
    assert_eq!(refused.is(422).faults(), ["/parent not_found"]);
    let own = "/v1/accounts/me/move";
    bench
        .post(&reseller, own, &wish(&sample.reseller))
        .await
        .is(409);

    let one = format!("/v1/accounts/{}", sample.customer);
    let fits = json!({"permissions": {"queues": false}});
    bench.patch(&carrier, &one, &fits).await.is(200);
    let moved = bench
        .post(&carrier, &path, &wish(&sample.rival))
        .await
        .is(200);
    assert_eq!(moved.body["parent"], sample.rival.to_string());
    bench.get(&reseller, &one).await.is(404);
    let rival = bench.token(sample.rival).await;
    bench.get(&rival, &one).await.is(200);
}

#[actix_web::test]
async fn a_closed_account_can_only_be_exported_and_erased() {
    let bench = Bench::start().await;
    let sample = &bench.sample;
    let made = sample.belongings(sample.customer, 1).await.unwrap();
    let (carrier, reseller, customer) = (
        bench.token(sample.carrier).await,
        bench.token(sample.reseller).await,
        bench.token(sample.customer).await,
    );
    let email = bench.user(sample.customer, Role::Administrator).await;
    let one = format!("/v1/accounts/{}", sample.customer);
    let file = bench.media.path(sample.customer, "audio/1.wav").unwrap();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, b"sound").unwrap();

    bench.delete(&reseller, &one).await.is(409);
    let close = format!("{one}/close");
    bench.post(&customer, &close, &json!({})).await.is(409);
    let closed = bench.post(&reseller, &close, &json!({})).await.is(200).body;
    assert_eq!(closed["status"], "closed");
    let refused = bench.sign_in(&email, PASSWORD).await.is(403);
    assert_eq!(refused.code(), "account_closed");
    bench.get(&customer, "/v1/me").await.is(401);
    let number = format!("/v1/accounts/{}/numbers/{}", sample.carrier, made.number);
    let number = bench.get(&carrier, &number).await.is(200).body;
    assert_eq!(
        (&number["account"], &number["call_plan"]),
        (&json!(sample.carrier.to_string()), &Value::Null)
    );
    let call = format!("{one}/scheduled_calls/{}", made.scheduled_call);
    let call = bench.get(&reseller, &call).await.is(200).body;
    assert_eq!(call["state"], "cancelled");

    let open = json!({"status": "active"});
    let refused = bench.patch(&reseller, &one, &open).await.is(403);
    assert_eq!(refused.code(), "account_closed");
    let plan = json!({"name": "New"});
    let plans = format!("{one}/call_plans");
    bench.post(&reseller, &plans, &plan).await.is(403);

    let export = bench.get(&reseller, &format!("{one}/export")).await.is(200);
    let lines: Vec<Value> = export
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["export"], sample.customer.to_string());
    assert!(lines.iter().any(|line| line["table"] == "call_plans"));
    assert!(!export.text.contains("argon2"), "{}", export.text);

    bench.show(vec![record(sample.customer, sample.now)]).await;
    bench.delete(&reseller, &one).await.is(409);
    bench.show(Vec::new()).await;
    bench.delete(&reseller, &one).await.is(204);
    bench.get(&reseller, &one).await.is(404);
    assert!(!file.exists());
    let everywhere = AccountScope::platform();
    let gone = bench.store.account(&everywhere, sample.customer).await;
    assert!(gone.is_err());
}

#[actix_web::test]
async fn an_account_asks_no_more_often_than_it_and_those_above_may() {
    let bench = Bench::start().await;
    let sample = &bench.sample;
    let carrier = bench.token(sample.carrier).await;
    let customer = bench.token(sample.customer).await;
    let one = format!("/v1/accounts/{}", sample.reseller);
    let few = json!({"limits": {"requests_per_minute": 2}});
    bench.patch(&carrier, &one, &few).await.is(200);
    bench.get(&customer, "/v1/me").await.is(200);
    let limits = bench.get(&customer, "/v1/accounts/me/limits").await.is(200);
    let rows = limits.body["limits"].as_array().unwrap().clone();
    let row = rows
        .iter()
        .find(|row| row["limit"] == "requests_per_minute");
    assert_eq!(row.unwrap()["bound_above"], true);
    let refused = bench.get(&customer, "/v1/me").await.is(429);
    assert_eq!(refused.code(), "too_many_requests");
    bench.get(&carrier, "/v1/me").await.is(200);
}

#[actix_web::test]
async fn the_portal_of_a_host_looks_as_its_account_says() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.reseller).await;
    let path = "/v1/accounts/me/branding";
    let wrong = json!({"host": "localhost", "look": {"accent": "red"}});
    let refused = bench.put(&token, path, &wrong).await.is(422);
    assert_eq!(
        refused.faults(),
        ["/host not_host", "/look/accent not_colour"]
    );
    let look = json!({"host": "Portal.Example.Test", "look": {"title": "Example Telecom"}});
    bench.put(&token, path, &look).await.is(200);
    let rival = bench.token(bench.sample.rival).await;
    bench.put(&rival, path, &look).await.is(409);
    let customer = bench.token(bench.sample.customer).await;
    let refused = bench.put(&customer, path, &look).await.is(422);
    assert_eq!(refused.faults(), ["/host not_for_customers"]);

    // A GIF of 1 by 1 pixel, then one of 200 by 10.
    let gif = |width: u8, height: u8| {
        let mut bytes = b"GIF89a".to_vec();
        bytes.extend([width, 0, height, 0, 0, 0, 0]);
        bytes
    };
    let logo = format!("{path}/logo");
    for (bytes, kind, status) in [
        (gif(200, 10), "image/gif", 422),
        (b"<svg/>".to_vec(), "image/png", 422),
        (gif(1, 1), "text/plain", 415),
        (gif(1, 1), "image/png", 200),
    ] {
        let request = bench.request(reqwest::Method::PUT, &token, &logo);
        let answer = read(request.header("content-type", kind).body(bytes)).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let shown = "/v1/branding?host=portal.example.test";
    let shown = bench.get("", shown).await.is(200).body;
    assert_eq!(shown["title"], "Example Telecom");
    let logo = bench.get("", shown["logo"].as_str().unwrap()).await.is(200);
    assert_eq!(logo.header("content-type"), "image/gif");
    let unknown = bench.get("", "/v1/branding?host=other.example.test").await;
    assert_eq!(unknown.is(200).body["logo"], Value::Null);
}

#[actix_web::test]
async fn users_and_call_plans_are_removed_unless_they_are_needed() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let stranger = bench.token(bench.sample.stranger).await;
    let made = bench.sample.belongings(bench.sample.customer, 1).await;
    let made = made.unwrap();
    let me = bench.get(&token, "/v1/me").await.is(200).body;
    let myself = format!(
        "/v1/accounts/me/users/{}",
        me["user"]["id"].as_str().unwrap()
    );
    bench.delete(&token, &myself).await.is(409);
    let user = format!("/v1/accounts/me/users/{}", made.user);
    bench.delete(&stranger, &user).await.is(204);
    bench.get(&token, &user).await.is(200);
    bench.delete(&token, &user).await.is(204);
    bench.delete(&token, &user).await.is(204);
    bench.get(&token, &user).await.is(404);
    let plan = format!("/v1/accounts/me/call_plans/{}", made.plan);
    assert_eq!(bench.delete(&token, &plan).await.is(409).code(), "in_use");
    let number = format!("/v1/accounts/me/numbers/{}", made.number);
    let none = json!({"call_plan": null});
    bench.patch(&token, &number, &none).await.is(200);
    bench.delete(&token, &plan).await.is(204);
    bench.get(&token, &plan).await.is(404);
}
