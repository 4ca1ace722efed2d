//! What is refused before anybody looks at it, and the description of it all.

use std::collections::BTreeSet;

use reqwest::header;
use serde_json::json;

use super::harness::{Bench, read};
use crate::api::router::Declared;
use crate::api::{openapi, routes};

#[actix_web::test]
async fn a_malformed_body_of_each_kind_is_refused_clearly() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/scheduled_calls";
    let post = |body: Vec<u8>, kind: &'static str| {
        let request = bench.request(reqwest::Method::POST, &token, path);
        read(request.header(header::CONTENT_TYPE, kind).body(body))
    };
    for (body, kind, status, code) in [
        (&b"{"[..], "application/json", 400, "malformed_json"),
        (b"", "application/json", 400, "malformed_json"),
        (b"\xff\xfe", "application/json", 400, "malformed_json"),
        (b"[]", "application/json", 422, "invalid"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (
            b"a=b",
            "application/x-www-form-urlencoded",
            415,
            "unsupported_media_type",
        ),
        (br#"{"nonsense":1}"#, "application/json", 422, "invalid"),
        (
            br#"{"ring_duration_s":"x"}"#,
            "application/json",
            422,
            "invalid",
        ),
        (
            br#"{"variables":{"a":1}}"#,
            "application/merge-patch+json",
            422,
            "invalid",
        ),
    ] {
        let answer = post(body.to_vec(), kind).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, code),
            "{body:?}: {}",
            answer.text
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
    }
    let listed = json!(["password", "grace@example.test", "pw", null]);
    let answer = bench.post("", "/v1/auth/token", &listed).await.is(422);
    assert_eq!(answer.faults(), [" wrong_type"]);
    let large = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(
        post(large, "application/json").await.is(413).code(),
        "too_large"
    );
    let wrong = br#"{"variables":{"a":{"b":1}}}"#.to_vec();
    let answer = post(wrong, "application/json").await;
    assert_eq!(answer.faults(), ["/variables/a wrong_type"]);
    let unknown = br#"{"service_nmber":"+441632960001"}"#.to_vec();
    assert_eq!(
        post(unknown, "application/json").await.faults(),
        ["/service_nmber unknown_field"]
    );
}

#[actix_web::test]
async fn paths_methods_and_queries_that_are_not_there_are_told_so() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    assert_eq!(
        bench.get(&token, "/v1/nothing").await.is(404).code(),
        "not_found"
    );
    assert_eq!(
        bench.get(&token, "/system/nothing").await.is(404).code(),
        "not_found"
    );
    assert_eq!(
        bench
            .get(&token, "/v1/accounts/me/calls/call_x")
            .await
            .is(404)
            .code(),
        "not_found"
    );
    let wrong = bench
        .delete(&token, "/v1/accounts/me/scheduled_calls")
        .await
        .is(405);
    assert_eq!(
        (wrong.code(), wrong.header("allow")),
        ("method_not_allowed", "GET, POST")
    );
    for query in [
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=x",
        "offset=1",
        "state=asleep",
    ] {
        let path = format!("/v1/accounts/me/calls?{query}");
        assert_eq!(
            bench.get(&token, &path).await.is(400).code(),
            "malformed_query",
            "{query}"
        );
    }
    for (query, detail) in [
        ("limit=abc", "limit: write a whole number"),
        (
            "state=live&created_at%5Bgte%5D=yesterday",
            "created_at[gte]: write a time, such as 2026-07-01T08:00:00Z",
        ),
        ("state=asleep", "state: choose `live` or `ended`"),
        ("descendants=perhaps", "descendants: write true or false"),
    ] {
        let path = format!("/v1/accounts/me/calls?{query}");
        assert_eq!(bench.get(&token, &path).await.body["detail"], detail);
    }
    let filters = "created_at%5Bgte%5D=2026-01-01T00:00:00Z&state=live&number=%2B441632960001";
    bench
        .get(&token, &format!("/v1/accounts/me/calls?{filters}"))
        .await
        .is(200);
}

#[actix_web::test]
async fn the_portal_answers_every_other_path_and_the_operator_sees_how_it_does() {
    let bench = Bench::start().await;
    for path in ["/", "/numbers", "/accounts/acc_1/calls"] {
        let page = bench.get("", path).await.is(200);
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{path}"
        );
        assert!(
            page.header("content-security-policy")
                .contains("default-src"),
            "{path}"
        );
        assert_eq!(page.header("cache-control"), "no-cache");
    }
    bench.get("", "/assets/none.js").await.is(404);
    bench.post("", "/numbers", &json!({})).await.is(405);
    assert_eq!(
        bench.get("", "/system/health").await.is(200).body["status"],
        "ok"
    );
    assert_eq!(
        bench.get("", "/system/ready").await.is(200).body["status"],
        "ready"
    );
    bench.get("", "/system/metrics").await.is(200);
}

#[actix_web::test]
async fn an_account_that_asks_too_often_waits_and_others_do_not() {
    let settings = crate::api::Settings {
        requests_per_10_s: 3,
        ..Default::default()
    };
    let bench = Bench::start_with(settings).await;
    let token = bench.token(bench.sample.customer).await;
    let other = bench.token(bench.sample.stranger).await;
    for _ in 0..3 {
        bench.get(&token, "/v1/me").await.is(200);
    }
    let refused = bench.get(&token, "/v1/me").await.is(429);
    let wait = refused.header("retry-after");
    let told = refused.body["detail"].as_str().unwrap();
    assert!(told.contains(&format!("Wait {wait} second")), "{told}");
    bench.get(&other, "/v1/me").await.is(200);
}

#[actix_web::test]
async fn the_served_description_holds_exactly_the_routes() {
    let bench = Bench::start().await;
    let document = bench.get("", "/v1/openapi.json").await.is(200).body;
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let told = |route: Declared| format!("{} {}", route.method, route.path);
    let served: BTreeSet<_> = routes().routes().into_iter().map(told).collect();
    assert_eq!(described, served);
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name} is not described"
        );
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = serde_json::to_value(openapi::description()).unwrap();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            assert!(names.insert(name.clone()), "{path}: {name} is taken");
        }
    }
}

#[test]
fn every_operation_says_what_it_needs() {
    let document = serde_json::to_value(openapi::description()).unwrap();
    for (method, path, needs) in [
        ("get", "/v1/openapi.json", json!([{}])),
        ("get", "/v1/me", json!([{"token": []}])),
        (
            "patch",
            "/v1/accounts/{account}",
            json!([{"token": ["accounts:write"]}]),
        ),
        (
            "post",
            "/v1/accounts/{account}/services/outbound/{service}/start",
            json!([{"token": ["instances:write"]}, {"service": []}]),
        ),
    ] {
        assert_eq!(document["paths"][path][method]["security"], needs, "{path}");
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            assert!(operation["security"].is_array(), "{path}");
        }
    }
}

/// Two types of one name would be one schema, and the wrong one for one of them.
#[test]
fn a_user_s_role_and_a_leg_s_are_told_apart() {
    let document = serde_json::to_value(openapi::description()).unwrap();
    let schemas = &document["components"]["schemas"];
    for (owner, name, values) in [
        (
            "UserInput",
            "Role",
            json!(["administrator", "standard", "read_only"]),
        ),
        ("LegRecord", "PartyRole", json!(["a", "b", "c"])),
    ] {
        let role = &schemas[owner]["properties"]["role"].to_string();
        assert!(role.contains(&format!("schemas/{name}\"")), "{role}");
        let schema = &schemas[name];
        let told = match schema["oneOf"].as_array() {
            Some(all) => all.iter().map(|one| one["enum"][0].clone()).collect(),
            None => schema["enum"].clone(),
        };
        assert_eq!(told, values, "{name}");
    }
}

/// The portal's types are generated from this file.
#[test]
fn the_description_in_the_tree_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/web/openapi.json");
    let now = openapi::description().to_pretty_json().unwrap() + "\n";
    if std::env::var("UPDATE_OPENAPI").is_ok_and(|value| value == "1") {
        std::fs::write(path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == now,
        "web/openapi.json is stale: run this test with UPDATE_OPENAPI=1, then `npm --prefix web run types`"
    );
}
