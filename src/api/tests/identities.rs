//! Whoever lost a right has lost it at the very next request.

use serde_json::{Value, json};
use strowger_domain::account::{Role, Scopes};

use super::harness::{Bench, PASSWORD};

/// A user's access token, its refresh token and its id.
async fn signed_in(bench: &Bench, email: &str) -> (String, String, String) {
    let answer = bench.sign_in(email, PASSWORD).await.is(200).body;
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    let (access, refresh) = (text("access_token"), text("refresh_token"));
    let me = bench.get(&access, "/v1/me").await.is(200).body;
    (
        access,
        refresh,
        me["user"]["id"].as_str().unwrap().to_owned(),
    )
}

#[actix_web::test]
async fn a_user_sees_its_sign_ins_and_ends_them() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let (here, _, _) = signed_in(&bench, &email).await;
    let (there, _, _) = signed_in(&bench, &email).await;
    let (third, _, _) = signed_in(&bench, &email).await;
    let path = "/v1/auth/sessions";
    let list = bench.get(&here, path).await.is(200).body;
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    let current = |item: &&Value| item["current"] == true;
    let own = items.iter().find(current).unwrap();
    assert_eq!(own["created_from"], "127.0.0.1");
    assert!(own["last_used_at"].is_string());
    let there_path = format!("{path}/{}", items[1]["id"].as_str().unwrap());
    bench.get(&there, "/v1/me").await.is(200);
    bench.delete(&here, &there_path).await.is(204);
    bench.delete(&here, &there_path).await.is(204);
    assert_eq!(
        bench.get(&there, "/v1/me").await.is(401).code(),
        "token_invalid"
    );
    bench.delete(&here, path).await.is(204);
    bench.get(&third, "/v1/me").await.is(401);
    bench.get(&here, "/v1/me").await.is(200);
    let list = bench.get(&here, path).await.is(200).body;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let key = bench.key(bench.sample.customer, Scopes::all()).await;
    assert_eq!(bench.get(&key, path).await.is(403).code(), "forbidden");
}

#[actix_web::test]
async fn nobody_ends_or_sees_the_sign_ins_of_others() {
    let bench = Bench::start().await;
    let (customer, stranger) = (bench.sample.customer, bench.sample.stranger);
    let email = bench.user(customer, Role::Standard).await;
    let (token, _, user) = signed_in(&bench, &email).await;
    let list = bench.get(&token, "/v1/auth/sessions").await.is(200).body;
    let session = list["items"][0]["id"].as_str().unwrap().to_owned();
    let others = bench.user(customer, Role::Standard).await;
    let (colleague, _, _) = signed_in(&bench, &others).await;
    let own = format!("/v1/auth/sessions/{session}");
    bench.delete(&colleague, &own).await.is(204);
    bench.get(&token, "/v1/me").await.is(200);
    let path = format!("/v1/accounts/{customer}/users/{user}/sessions");
    let outsider = bench.token(stranger).await;
    bench.get(&outsider, &path).await.is(404);
    bench
        .delete(&outsider, &format!("{path}/{session}"))
        .await
        .is(404);
    let mine = format!("/v1/accounts/me/users/{user}/sessions");
    bench.get(&outsider, &mine).await.is(404);
    bench
        .delete(&outsider, &format!("{mine}/{session}"))
        .await
        .is(404);
    bench
        .delete(&colleague, &format!("{path}/{session}"))
        .await
        .is(403);
    bench.get(&token, "/v1/me").await.is(200);
    let administrator = bench.token(customer).await;
    let list = bench.get(&administrator, &path).await.is(200).body;
    assert_eq!(list["items"][0]["current"], false);
    bench
        .delete(&administrator, &format!("{path}/{session}"))
        .await
        .is(204);
    bench.get(&token, "/v1/me").await.is(401);
}

#[actix_web::test]
async fn a_sign_out_needs_no_access_token_that_is_still_good() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let (access, refresh, _) = signed_in(&bench, &email).await;
    let path = "/v1/auth/logout";
    bench.post("", path, &json!({})).await.is(401);
    let unknown = json!({"refresh_token": "somebody's"});
    bench.post("", path, &unknown).await.is(204);
    bench.get(&access, "/v1/me").await.is(200);
    bench
        .post("", path, &json!({"refresh_token": refresh}))
        .await
        .is(204);
    bench.get(&access, "/v1/me").await.is(401);
    let again = bench
        .post("", "/v1/auth/refresh", &json!({"refresh_token": refresh}))
        .await;
    assert_eq!(again.is(401).code(), "refresh_token_invalid");
}

#[actix_web::test]
async fn a_disabled_user_a_lesser_role_and_a_disabled_account_hold_at_once() {
    let bench = Bench::start().await;
    let (customer, carrier) = (bench.sample.customer, bench.sample.carrier);
    let email = bench.user(customer, Role::Administrator).await;
    let (token, _, user) = signed_in(&bench, &email).await;
    let key = bench.key(customer, Scopes::all()).await;
    let above = bench.token(carrier).await;
    let users = format!("/v1/accounts/{customer}/users/{user}");
    let keys = "/v1/accounts/me/api_keys";
    bench.get(&token, keys).await.is(200);
    bench.get(&key, keys).await.is(200);
    bench
        .patch(&above, &users, &json!({"role": "standard"}))
        .await
        .is(200);
    bench.get(&token, keys).await.is(403);
    bench
        .patch(&above, &users, &json!({"role": "administrator"}))
        .await
        .is(200);
    bench.get(&token, keys).await.is(200);
    let reseller = format!("/v1/accounts/{}", bench.sample.reseller);
    bench
        .patch(&above, &reseller, &json!({"status": "disabled"}))
        .await
        .is(200);
    for token in [&token, &key] {
        assert_eq!(
            bench.get(token, keys).await.is(403).code(),
            "account_disabled"
        );
    }
    bench
        .patch(&above, &reseller, &json!({"status": "active"}))
        .await
        .is(200);
    bench.get(&token, keys).await.is(200);
    bench.get(&key, keys).await.is(200);
    bench
        .patch(&above, &users, &json!({"status": "disabled"}))
        .await
        .is(200);
    bench.get(&token, keys).await.is(401);
}

#[actix_web::test]
async fn only_the_root_replaces_the_signing_key_and_nobody_has_to_sign_in_again() {
    let bench = Bench::start().await;
    let path = "/v1/system/signing_keys";
    let customer = bench.token(bench.sample.customer).await;
    let key = bench.key(bench.sample.customer, Scopes::all()).await;
    for token in [&customer, &key] {
        assert_eq!(
            bench.post(token, path, &json!({})).await.is(403).code(),
            "forbidden"
        );
    }
    let root = bench.token(bench.sample.carrier).await;
    let kid = bench.post(&root, path, &json!({})).await.is(201).body["kid"].clone();
    bench.get(&customer, "/v1/me").await.is(200);
    let keys = bench
        .get("", "/v1/.well-known/jwks.json")
        .await
        .is(200)
        .body;
    assert_eq!(keys["keys"][0]["kid"], kid);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
}
