//! Every change is in the audit log, told apart by who did it and for whom, and without secrets.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strowger_domain::account::Role;

use super::harness::{Answer, Bench, PASSWORD};
use crate::api::{audit, openapi, routes};

async fn entries(bench: &Bench, token: &str, query: &str) -> Vec<Value> {
    let path = format!("/v1/accounts/me/audit_log?{query}");
    let list: Answer = bench.get(token, &path).await.is(200);
    list.body["items"].as_array().unwrap().clone()
}

/// Nothing else needs to be done for a new operation, unless its name is taken.
#[test]
fn every_operation_that_may_change_something_declares_its_entry() {
    let document = serde_json::to_value(openapi::description()).unwrap();
    let mut names = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "get" {
                assert_eq!(operation["x-audit"], Value::Null, "{path}");
                continue;
            }
            let silent = ["/validate", "/simulate", "/preview"];
            let own = ["/v1/auth/token", "/v1/auth/refresh", "/v1/auth/logout"];
            if silent.iter().any(|end| path.ends_with(end)) || own.contains(&&**path) {
                continue;
            }
            let name = operation["x-audit"].as_str();
            let name = name.unwrap_or_else(|| panic!("{method} {path} declares no entry"));
            if let Some(other) = names.insert(name.to_owned(), format!("{method} {path}")) {
                panic!("{name} is {method} {path} and {other}");
            }
        }
    }
    // What is declared is what the layer around the routes notes.
    for route in routes().routes() {
        let name = audit::operation(&route.method, route.path);
        assert!(
            name.is_none_or(|name| names.contains_key(&name)),
            "{route:?}"
        );
    }
}

#[actix_web::test]
async fn a_change_is_told_with_before_and_after_and_who_acted_for_whom() {
    let bench = Bench::start().await;
    let (customer, reseller) = (bench.sample.customer, bench.sample.reseller);
    let token = bench.token(reseller).await;
    let path = format!("/v1/accounts/{customer}");
    let request = bench.request(reqwest::Method::PATCH, &token, &path);
    let request = request
        .header("user-agent", "curl/8")
        .header("x-request-id", "request-42");
    let patch = json!({"name": "Renamed", "limits": {"calls": 3}});
    super::harness::read(request.json(&patch)).await.is(200);
    // The same again is no change.
    bench.patch(&token, &path, &patch).await.is(200);
    let found = entries(&bench, &token, "operation=accounts").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let entry = &found[0];
    let me = bench.get(&token, "/v1/me").await.is(200).body;
    assert_eq!(entry["account"], json!(customer));
    assert_eq!(entry["resource"], json!(customer));
    assert_eq!(entry["actor"], me["user"]["id"]);
    assert_eq!(entry["actor_name"], me["user"]["email"]);
    assert_eq!(entry["actor_account"], json!(reseller));
    assert_eq!(entry["source"], "127.0.0.1");
    assert_eq!(entry["user_agent"], "curl/8");
    assert_eq!(entry["request_id"], "request-42");
    assert_eq!(entry["before"]["name"], "Customer");
    assert_eq!(entry["after"]["name"], "Renamed");
    assert_eq!(entry["after"].as_object().unwrap().len(), 2, "{entry}");
    assert_eq!(entry["after"]["limits"]["calls"], 3);
    // The customer sees who changed it; another branch does not.
    let own = bench.token(customer).await;
    assert_eq!(
        entries(&bench, &own, "operation=accounts.change")
            .await
            .len(),
        1
    );
    let rival = bench.token(bench.sample.rival).await;
    assert_eq!(
        entries(&bench, &rival, "operation=accounts.change")
            .await
            .len(),
        0
    );
}

#[actix_web::test]
async fn what_is_made_and_deleted_is_told_and_a_secret_is_not() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/services/outbound/survey";
    let service = json!({"service_password": "s3rvice-password", "rest": {"first_page":
        {"address": "https://app.example.com/first"}}});
    bench.put(&token, path, &service).await.is(201);
    bench.delete(&token, path).await.is(204);
    bench.delete(&token, path).await;
    let found = entries(&bench, &token, "operation=services.outbound").await;
    let told: Vec<_> = found
        .iter()
        .map(|one| one["operation"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["services.outbound.delete", "services.outbound.put"]);
    let (gone, made) = (&found[0], &found[1]);
    assert_eq!(gone["before"]["name"], "survey");
    assert_eq!(gone["after"], Value::Null);
    assert_eq!(made["resource"], "survey");
    assert_eq!(made["before"], Value::Null);
    assert_eq!(made["after"]["service_password"], "changed");
    let user = json!({"email": "new@example.test", "name": "New", "role": "standard",
        "password": "a-password-of-hers"});
    let made = bench
        .post(&token, "/v1/accounts/me/users", &user)
        .await
        .is(201)
        .body;
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/accounts/me/users/{id}");
    let patch = json!({"password": "another-of-hers-1"});
    bench.patch(&token, &path, &patch).await.is(200);
    let found = entries(&bench, &token, &format!("resource={id}")).await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["after"], json!({"password": "changed"}));
    assert_eq!(found[1]["operation"], "users.create");
    let all = bench
        .get(&token, "/v1/accounts/me/audit_log?limit=500")
        .await
        .text;
    for secret in [
        "s3rvice-password",
        "a-password-of-hers",
        "another-of-hers-1",
        PASSWORD,
    ] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[actix_web::test]
async fn sign_ins_are_told_and_refusals_are_not_changes() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Administrator).await;
    bench.sign_in(&email, "wrong horse battery").await.is(401);
    bench.sign_in("nobody@example.test", PASSWORD).await.is(401);
    let answer = bench.sign_in(&email, PASSWORD).await.is(200);
    let token = answer.body["access_token"].as_str().unwrap();
    // A failed sign-in is noted beside its answer.
    while entries(&bench, token, "operation=sign_in_failed")
        .await
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        entries(&bench, token, "operation=sign_in_failed")
            .await
            .len(),
        1
    );
    let there = entries(&bench, token, "operation=sign_in").await;
    assert_eq!(there[0]["actor_name"], json!(email));
    let reader = bench.token_as(bench.sample.customer, Role::ReadOnly).await;
    let body = json!({"name": "x"});
    bench.patch(&reader, "/v1/accounts/me", &body).await.is(403);
    bench
        .patch(token, "/v1/accounts/me", &json!({"name": ""}))
        .await
        .is(422);
    assert_eq!(entries(&bench, token, "operation=accounts").await.len(), 0);
    bench
        .get(&reader, "/v1/accounts/me/audit_log")
        .await
        .is(403);
    bench
        .post(token, "/v1/auth/logout", &json!({}))
        .await
        .is(204);
    let other = bench.token(bench.sample.customer).await;
    assert_eq!(entries(&bench, &other, "operation=sign_out").await.len(), 1);
}

#[actix_web::test]
async fn the_log_is_exported_whole_and_no_cell_is_a_formula() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/audit_log/export";
    let request = bench.request(reqwest::Method::PATCH, &token, "/v1/accounts/me");
    let request = request.header("user-agent", "=cmd|' /C calc'!A0");
    super::harness::read(request.json(&json!({"name": "a,\"b\""})))
        .await
        .is(200);
    let table = bench
        .get(&token, &format!("{path}?format=csv"))
        .await
        .is(200);
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(table.text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2, "{}", table.text);
    assert_eq!(&rows[0][6], "'=cmd|' /C calc'!A0");
    assert_eq!(&rows[0][11], r#"{"name":"a,\"b\""}"#);
    let lines = bench
        .get(&token, &format!("{path}?format=ndjson"))
        .await
        .is(200);
    let lines: Vec<Value> = lines
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["after"]["name"], "a,\"b\"");
    assert_eq!(lines[1]["operation"], "sign_in");
}

#[actix_web::test]
async fn a_header_lets_me_stand_for_an_account_below_and_both_are_told() {
    let bench = Bench::start().await;
    let (customer, reseller) = (bench.sample.customer, bench.sample.reseller);
    let token = bench.token(reseller).await;
    let rename = async |account: String| {
        let request = bench.request(reqwest::Method::PATCH, &token, "/v1/accounts/me");
        let request = request.header("strowger-account", account);
        super::harness::read(request.json(&json!({"name": "By header"}))).await
    };
    let renamed = rename(customer.to_string()).await.is(200).body;
    assert_eq!(renamed["id"], json!(customer));
    let found = entries(&bench, &token, "operation=accounts.change").await;
    assert_eq!(found[0]["account"], json!(customer));
    assert_eq!(found[0]["actor_account"], json!(reseller));
    for other in [bench.sample.stranger, bench.sample.carrier] {
        rename(other.to_string()).await.is(404);
    }
    rename("acc_x".to_owned()).await.is(404);
}

#[actix_web::test]
async fn a_secret_in_a_long_body_and_the_end_of_a_sign_in_are_told() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let me = bench.get(&token, "/v1/me").await.is(200).body;
    let user = me["user"]["id"].as_str().unwrap();
    let path = format!("/v1/accounts/me/users/{user}");
    let name = json!({"name": "Somebody", "role": "standard", "email": "else@example.com",
        "password": PASSWORD});
    let made = bench.post(&token, "/v1/accounts/me/users", &name).await;
    let other = made.is(201).body["id"].as_str().unwrap().to_owned();
    let body = format!(
        "{{\"password\":\"another pass phrase\"{}}}",
        " ".repeat(17_000)
    );
    let there = format!("/v1/accounts/me/users/{other}");
    let request = bench.request(reqwest::Method::PATCH, &token, &there);
    let request = request
        .header("content-type", "application/json")
        .body(body);
    super::harness::read(request).await.is(200);
    let found = entries(&bench, &token, "operation=users.change").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["after"], json!({"password": "changed"}));

    let sessions = format!("{path}/sessions");
    let list = bench.get(&token, &sessions).await.is(200).body;
    let session = list["items"][0]["id"].as_str().unwrap();
    let gone = bench.delete(&token, &format!("{sessions}/{session}")).await;
    gone.is(204);
    let again = bench.token(bench.sample.customer).await;
    let found = entries(&bench, &again, "operation=users.sessions.delete").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["resource"], json!(session));
}
