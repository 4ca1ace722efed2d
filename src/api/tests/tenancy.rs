//! Nobody sees another branch of the tree, whatever the path.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;
use strowger_domain::account::{Role, Scope, Scopes};

use super::harness::{Bench, read};
use crate::api::router::{Access, Declared};
use crate::api::routes;
use crate::store::testing::{Belongings, record};

/// The path with the ids of what an account owns.
fn filled(path: &str, account: &str, own: &Belongings, call: &str) -> String {
    path.replace("{account}", account)
        .replace("{user}", &own.user.to_string())
        .replace("{session}", "ses_00000000000000000000000000000000")
        .replace("{api_key}", &own.api_key.to_string())
        .replace("{number}", &own.number.to_string())
        .replace("{plan}", &own.plan.to_string())
        .replace("{mail_kind}", "voicemail")
        .replace("{invitation}", "inv_00000000000000000000000000000000")
        .replace("{version}", "1")
        .replace("{audio}", &own.audio.to_string())
        .replace("{trunk}", &own.trunk.to_string())
        .replace("{route}", &own.route.to_string())
        .replace("{scheduled_call}", &own.scheduled_call.to_string())
        .replace("{call}", call)
        .replace("{recording}", "rec_00000000000000000000000000000000")
        .replace("{service}", "survey")
        .replace("{instance}", &own.instance.to_string())
        .replace("{webhook}", "whk_00000000000000000000000000000000")
        .replace("{delivery}", "dlv_00000000000000000000000000000000")
}

fn tenant_routes() -> Vec<(Method, &'static str)> {
    let all = routes().routes().into_iter();
    let ours = all.filter(|route| route.path.contains("{account}"));
    ours.map(|route| (method(&route), route.path)).collect()
}

fn method(route: &Declared) -> Method {
    Method::from_bytes(route.method.as_str().as_bytes()).unwrap()
}

#[actix_web::test]
async fn another_branch_of_the_tree_is_not_found_on_any_path() {
    let bench = Bench::start().await;
    let (customer, stranger) = (bench.sample.customer, bench.sample.stranger);
    let own = bench.sample.belongings(customer, 1).await.unwrap();
    let call = record(customer, bench.sample.now);
    bench.writer.call(call.clone()).unwrap();
    bench.writer.flush().await;
    let call = call.id.to_string();
    let outsider = bench.token(stranger).await;
    let rival = bench.token(bench.sample.rival).await;
    for (method, path) in tenant_routes() {
        let theirs = filled(path, &customer.to_string(), &own, &call);
        for token in [&outsider, &rival] {
            let answer = read(bench.request(method.clone(), token, &theirs)).await;
            assert_eq!(
                (answer.status, answer.code()),
                (404, "not_found"),
                "{method} {theirs}"
            );
        }
        let answer = read(bench.request(method.clone(), "", &theirs)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "unauthenticated"),
            "{method} {theirs}"
        );
    }
}

#[actix_web::test]
async fn what_another_branch_owns_is_not_found_below_the_own_account() {
    let bench = Bench::start().await;
    let own = bench
        .sample
        .belongings(bench.sample.customer, 1)
        .await
        .unwrap();
    let call = record(bench.sample.customer, bench.sample.now);
    bench.writer.call(call.clone()).unwrap();
    bench.writer.flush().await;
    let outsider = bench.token(bench.sample.stranger).await;
    let singular = tenant_routes()
        .into_iter()
        .filter(|(_, path)| path.matches('{').count() > 1);
    for (method, path) in singular {
        let body = match path {
            _ if path.contains("{mail_kind}") => continue, // every account has its own
            _ if method == Method::DELETE => continue,     // it is gone, whoever asks
            _ if path.ends_with("{service}") && method == Method::PUT => continue, // names its own
            _ if path.ends_with("/draft") => json!({"format_version": 1, "nodes": []}),
            _ if path.ends_with("/actions") => json!({"action": "hang_up"}),
            _ if path.ends_with("/start") => json!({"to": "+447700900001"}),
            _ if path.ends_with("{webhook}/replay") => json!({"from": "2026-11-20T12:00:00Z"}),
            _ if path.ends_with("/simulate") => {
                json!({"origin": "inbound", "called": "+441632960001",
                    "at": "2026-11-20T12:00:00Z"})
            }
            _ => json!({}),
        };
        let path = filled(path, "me", &own, &call.id.to_string());
        let request = bench
            .request(method.clone(), &outsider, &path)
            .header("if-match", "\"1\"");
        let request = if method == Method::GET {
            request
        } else {
            request.json(&body)
        };
        let answer = read(request).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
    }
}

#[actix_web::test]
async fn an_account_above_sees_what_is_below() {
    let bench = Bench::start().await;
    let customer = bench.sample.customer;
    let own = bench.sample.belongings(customer, 1).await.unwrap();
    for above in [bench.sample.carrier, bench.sample.reseller, customer] {
        let token = bench.token(above).await;
        let path = format!("/v1/accounts/{customer}/numbers/{}", own.number);
        assert_eq!(
            bench.get(&token, &path).await.is(200).body["number"],
            "+441632960001"
        );
        let list = bench
            .get(&token, "/v1/accounts/me/numbers?descendants=true")
            .await
            .is(200);
        assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
    }
}

/// A key that permits everything but what the route needs, and one that permits that alone.
#[actix_web::test]
async fn every_route_needs_the_scope_that_it_declares() {
    let bench = Bench::start().await;
    let customer = bench.sample.customer;
    let own = bench.sample.belongings(customer, 1).await.unwrap();
    let call = "call_00000000000000000000000000000000";
    let mut keys = BTreeMap::new();
    for scope in Scope::ALL {
        let only = Scopes::of(&[*scope]);
        let others = Scopes::all().difference(only);
        keys.insert(
            scope,
            (
                bench.key(customer, only).await,
                bench.key(customer, others).await,
            ),
        );
    }
    for route in routes().routes() {
        let scope = match route.access {
            Access::Public | Access::SignedIn => continue,
            Access::Scope(scope) | Access::ServiceOr(scope) => scope,
        };
        let (only, others) = &keys[&scope];
        let path = filled(route.path, "me", &own, call);
        let refused = read(bench.request(method(&route), others, &path)).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "forbidden"),
            "{route:?}"
        );
        let challenge = refused.header("www-authenticate");
        assert!(
            challenge.ends_with(&format!("scope=\"{scope}\"")),
            "{challenge}"
        );
        let is_stream = route.path.ends_with("/events") && !route.path.contains("{call}");
        if is_stream || scope == Scope::SystemWrite {
            continue; // a stream that is let in has no end; the system is the root's alone
        }
        let taken = read(bench.request(method(&route), only, &path)).await;
        assert!(
            !matches!(taken.status, 401 | 403 | 500..),
            "{route:?}: {}",
            taken.text
        );
    }
}

#[actix_web::test]
async fn a_route_without_a_scope_tells_only_about_oneself() {
    let open: Vec<_> = routes()
        .routes()
        .into_iter()
        .filter(|route| matches!(route.access, Access::Public | Access::SignedIn))
        .map(|route| route.path)
        .collect();
    for path in open {
        let known = [
            "/v1/auth/",
            "/v1/me",
            "/v1/.well-known/",
            "/v1/openapi.json",
            "/v1/event_types",
            "/v1/branding",
            "/system/",
        ];
        assert!(known.iter().any(|one| path.starts_with(one)), "{path}");
    }
}

#[actix_web::test]
async fn a_role_that_only_reads_changes_nothing() {
    let bench = Bench::start().await;
    let customer = bench.sample.customer;
    let own = bench.sample.belongings(customer, 1).await.unwrap();
    let token = bench.token_as(customer, Role::ReadOnly).await;
    let path = format!("/v1/accounts/me/numbers/{}", own.number);
    bench.get(&token, &path).await.is(200);
    let refused = bench
        .patch(&token, &path, &json!({"description": "mine"}))
        .await
        .is(403);
    assert_eq!(refused.code(), "forbidden");
    let order = json!({"service_number": "+441632960001", "first_party": "+447700900123"});
    bench
        .post(&token, "/v1/accounts/me/scheduled_calls", &order)
        .await
        .is(403);
}

#[actix_web::test]
async fn the_token_of_a_disabled_account_is_refused_in_plain_words() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Administrator).await;
    let token = bench
        .sign_in(&email, super::harness::PASSWORD)
        .await
        .is(200)
        .body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let above = bench.token(bench.sample.carrier).await;
    let reseller = format!("/v1/accounts/{}", bench.sample.reseller);
    bench
        .patch(&above, &reseller, &json!({"status": "disabled"}))
        .await
        .is(200);
    let refused = bench.get(&token, "/v1/me").await.is(403);
    assert_eq!(refused.code(), "account_disabled");
    let refused = bench
        .sign_in(&email, super::harness::PASSWORD)
        .await
        .is(403);
    assert!(
        refused.text.contains("This account is disabled"),
        "{}",
        refused.text
    );
}
