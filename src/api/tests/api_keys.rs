//! Programs with keys of their own.

use serde_json::{Value, json};
use strowger_domain::account::Role;

use super::harness::{Answer, Bench};

const KEYS: &str = "/v1/accounts/me/api_keys";

async fn make(bench: &Bench, token: &str, input: &Value) -> (String, String) {
    let made = bench.post(token, KEYS, input).await.is(201);
    let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

#[actix_web::test]
async fn a_key_is_shown_once_and_acts_for_its_account() {
    let bench = Bench::start().await;
    let customer = bench.sample.customer;
    let token = bench.token(customer).await;
    let input = json!({"name": "import", "scopes": ["call_plans:read", "call_plans:write"]});
    let (id, key) = make(&bench, &token, &input).await;
    assert!(key.starts_with("sk_"), "{key}");
    let me = bench.get(&key, "/v1/me").await.is(200).body;
    assert_eq!(me["account"]["id"], customer.to_string());
    assert_eq!(me["api_key"]["id"], id);
    assert_eq!(
        (&me["user"], &me["scopes"]),
        (&Value::Null, &input["scopes"])
    );
    let listed = bench.get(&token, KEYS).await.is(200);
    assert_eq!(listed.body["items"][0]["name"], "import");
    assert_eq!(listed.body["items"][0]["last_used_from"], "127.0.0.1");
    assert!(key.ends_with(listed.body["items"][0]["hint"].as_str().unwrap()));
    assert!(!listed.text.contains(&key), "the key is told again");
    let plan = json!({"name": "from a program"});
    bench
        .post(&key, "/v1/accounts/me/call_plans", &plan)
        .await
        .is(201);
}

#[actix_web::test]
async fn a_key_can_be_exchanged_for_a_token_that_ends_with_it() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let (id, key) = make(
        &bench,
        &token,
        &json!({"name": "web", "scopes": ["calls:read"]}),
    )
    .await;
    let wish = json!({"grant_type": "api_key", "api_key": key});
    let answer = bench.post("", "/v1/auth/token", &wish).await.is(200);
    assert!(answer.body.get("refresh_token").is_none());
    let access = answer.body["access_token"].as_str().unwrap();
    assert_eq!(
        bench.get(access, "/v1/me").await.is(200).body["api_key"]["id"],
        id
    );
    assert_eq!(
        bench
            .post(access, "/v1/auth/logout", &json!({}))
            .await
            .is(403)
            .code(),
        "forbidden"
    );
    bench.delete(&token, &format!("{KEYS}/{id}")).await.is(204);
    bench.delete(&token, &format!("{KEYS}/{id}")).await.is(204);
    assert_eq!(
        bench.get(access, "/v1/me").await.is(401).code(),
        "token_invalid"
    );
    assert_eq!(
        bench.get(&key, "/v1/me").await.is(401).code(),
        "api_key_invalid"
    );
    assert_eq!(
        bench.post("", "/v1/auth/token", &wish).await.is(401).code(),
        "api_key_invalid"
    );
    let revoked = bench.get(&token, &format!("{KEYS}/{id}")).await.is(200);
    assert!(revoked.body["revoked_at"].is_string());
}

#[actix_web::test]
async fn a_key_permits_no_more_than_its_scopes() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let (_, reads) = make(
        &bench,
        &token,
        &json!({"name": "r", "scopes": ["calls:read"]}),
    )
    .await;
    let refused = |answer: Answer| assert_eq!(answer.is(403).code(), "forbidden");
    let plan = json!({"name": "not mine to make"});
    refused(
        bench
            .post(&reads, "/v1/accounts/me/call_plans", &plan)
            .await,
    );
    refused(bench.get(&reads, KEYS).await);
    refused(
        bench
            .post(
                &reads,
                KEYS,
                &json!({"name": "x", "scopes": ["calls:read"]}),
            )
            .await,
    );
    let standard = bench.token_as(bench.sample.customer, Role::Standard).await;
    refused(bench.get(&standard, KEYS).await);
    let (_, rules) = make(
        &bench,
        &token,
        &json!({"name": "a", "scopes": ["api_keys:write"]}),
    )
    .await;
    let more = bench
        .post(
            &rules,
            KEYS,
            &json!({"name": "more", "scopes": ["api_keys:write", "calls:write"]}),
        )
        .await;
    assert_eq!(more.is(422).faults(), ["/scopes/1 exceeds"]);
}

#[actix_web::test]
async fn a_key_is_worth_nothing_from_elsewhere() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let elsewhere =
        json!({"name": "e", "scopes": ["calls:read"], "allowed_sources": ["192.0.2.0/24"]});
    let (_, key) = make(&bench, &token, &elsewhere).await;
    assert_eq!(
        bench.get(&key, "/v1/me").await.is(401).code(),
        "api_key_invalid"
    );
    let here = json!({"name": "h", "scopes": ["calls:read"],
        "allowed_sources": ["192.0.2.0/24", "127.0.0.0/8"]});
    let (_, key) = make(&bench, &token, &here).await;
    bench.get(&key, "/v1/me").await.is(200);
    bench.get("sk_nobody", "/v1/me").await.is(401);
}

#[actix_web::test]
async fn every_fault_of_a_key_is_told_at_once() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let wrong = json!({"name": "", "scopes": ["calls:read", "calls:read", "root"],
        "allowed_sources": ["here"], "expires_at": "2020-01-01T00:00:00Z"});
    let faults = bench.post(&token, KEYS, &wrong).await.is(422).faults();
    assert_eq!(
        faults,
        [
            "/name bad_length",
            "/scopes/1 twice",
            "/scopes/2 unknown_value",
            "/allowed_sources/0 not_network",
            "/expires_at past",
        ]
    );
    let none = bench
        .post(&token, KEYS, &json!({"name": "n", "scopes": []}))
        .await;
    assert_eq!(none.is(422).faults(), ["/scopes missing"]);
    let mixed = json!({"grant_type": "api_key", "password": "x"});
    assert_eq!(
        bench
            .post("", "/v1/auth/token", &mixed)
            .await
            .is(422)
            .faults(),
        ["/password unexpected", "/api_key missing"]
    );
}

#[actix_web::test]
async fn a_key_loses_what_its_account_may_do_no_more() {
    let bench = Bench::start().await;
    let (customer, carrier) = (bench.sample.customer, bench.sample.carrier);
    let token = bench.token(customer).await;
    let wish = json!({"name": "dial", "scopes": ["scheduled_calls:write", "calls:read"]});
    let (_, key) = make(&bench, &token, &wish).await;
    let above = bench.token(carrier).await;
    let none = json!({"permissions": {"scheduled_calls": false}});
    let account = format!("/v1/accounts/{customer}");
    bench.patch(&above, &account, &none).await.is(200);
    let me = bench.get(&key, "/v1/me").await.is(200).body;
    assert_eq!(me["scopes"], json!(["calls:read"]));
    let call = json!({"service_number": "+441632960001", "first_party": "+447700900123"});
    let refused = bench
        .post(&key, "/v1/accounts/me/scheduled_calls", &call)
        .await;
    assert_eq!(refused.is(403).code(), "forbidden");
}
