//! Signing in, staying in, going out.

use serde_json::json;
use strowger_domain::account::Role;

use super::harness::{Bench, PASSWORD};

#[actix_web::test]
async fn a_user_signs_in_and_is_told_who_it_is() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let answer = bench.sign_in(&email.to_uppercase(), PASSWORD).await.is(200);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in_s"], 900);
    let me = bench
        .get(answer.body["access_token"].as_str().unwrap(), "/v1/me")
        .await
        .is(200);
    assert_eq!(me.body["user"]["email"], email);
    assert_eq!(me.body["account"]["id"], bench.sample.customer.to_string());
    assert_eq!(me.body["scopes"], json!(Role::Standard.scopes()));
    let keys = bench.get("", "/v1/.well-known/jwks.json").await.is(200);
    assert_eq!(keys.body["keys"][0]["crv"], "Ed25519");
    assert!(keys.body["keys"][0].get("d").is_none());
}

#[actix_web::test]
async fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let wrong = bench.sign_in(&email, "wrong wrong wrong").await.is(401);
    let unknown = bench.sign_in("nobody@example.test", PASSWORD).await.is(401);
    assert_eq!(
        (wrong.code(), unknown.code()),
        ("wrong_credentials", "wrong_credentials")
    );
    let missing = bench
        .post("", "/v1/auth/token", &json!({"grant_type": "password"}))
        .await;
    assert_eq!(
        missing.is(422).faults(),
        ["/email missing", "/password missing"]
    );
}

#[actix_web::test]
async fn many_wrong_passwords_stop_that_pair_only() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let other = bench.user(bench.sample.customer, Role::Standard).await;
    for _ in 0..10 {
        bench.sign_in(&email, "wrong wrong wrong").await.is(401);
    }
    let refused = bench.sign_in(&email, PASSWORD).await.is(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    bench.sign_in(&other, PASSWORD).await.is(200);
}

#[actix_web::test]
async fn a_refresh_token_that_is_used_twice_ends_the_sign_in() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let first = bench.sign_in(&email, PASSWORD).await.is(200).body;
    let refresh = json!({"refresh_token": first["refresh_token"]});
    let second = bench
        .post("", "/v1/auth/refresh", &refresh)
        .await
        .is(200)
        .body;
    let access = second["access_token"].as_str().unwrap();
    bench.get(access, "/v1/me").await.is(200);
    let reused = bench.post("", "/v1/auth/refresh", &refresh).await.is(401);
    assert_eq!(reused.code(), "refresh_token_reused");
    bench.get(access, "/v1/me").await.is(401);
    let next = json!({"grant_type": "refresh_token", "refresh_token": second["refresh_token"]});
    assert_eq!(
        bench.post("", "/v1/auth/token", &next).await.is(401).code(),
        "refresh_token_invalid"
    );
}

#[actix_web::test]
async fn a_token_is_worth_nothing_after_logout_or_when_it_was_tampered_with() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = head.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIn0";
    for forged in [
        format!("{head}."),
        format!("{header}.{claims}x.{signature}"),
        format!("{none}.{claims}."),
        "x".to_owned(),
    ] {
        assert_eq!(
            bench.get(&forged, "/v1/me").await.is(401).code(),
            "token_invalid",
            "{forged}"
        );
    }
    bench
        .post(&token, "/v1/auth/logout", &json!({}))
        .await
        .is(204);
    bench.get(&token, "/v1/me").await.is(401);
}

#[actix_web::test]
async fn a_new_password_ends_the_old_sign_ins() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let signed = bench.sign_in(&email, PASSWORD).await.is(200).body;
    let token = signed["access_token"].as_str().unwrap();
    let path = "/v1/auth/password";
    let change = |old: &str, new: &str| json!({"current_password": old, "new_password": new});
    let short = bench.post(token, path, &change(PASSWORD, "short")).await;
    assert_eq!(short.is(422).faults(), ["/new_password bad_length"]);
    let wrong = change("not my password", "another good one");
    let refused = bench.post(token, path, &wrong).await.is(422);
    assert_eq!(refused.faults(), ["/current_password wrong"]);
    let other = bench.sign_in(&email, PASSWORD).await.is(200).body;
    let right = change(PASSWORD, "another good one");
    bench.post(token, path, &right).await.is(204);
    bench.get(token, "/v1/me").await.is(200);
    let other = other["access_token"].as_str().unwrap();
    bench.get(other, "/v1/me").await.is(401);
    bench.sign_in(&email, PASSWORD).await.is(401);
    bench.sign_in(&email, "another good one").await.is(200);
}

/// Nobody can have a turn of the hashing: that stops sign-ins, and nothing else.
#[actix_web::test]
async fn a_flood_of_sign_ins_slows_sign_ins_only() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let token = bench.token(bench.sample.customer).await;
    let turns = bench.passwords.all_turns().await;
    let mut others = Vec::new();
    for number in 0..20 {
        others.push(format!("nobody{number}@example.test"));
    }
    let flood = others.iter().map(|other| bench.sign_in(other, PASSWORD));
    let flood = futures_util::future::join_all(flood);
    let meanwhile = async {
        for _ in 0..50 {
            bench.get(&token, "/v1/me").await.is(200);
        }
        bench.get("", "/system/health").await.is(200);
        drop(turns);
    };
    let (flood, ()) = tokio::join!(flood, meanwhile);
    for answer in flood {
        let told = ["wrong_credentials", "unavailable"].contains(&answer.code());
        assert!(told, "{}", answer.text);
    }
    bench.sign_in(&email, PASSWORD).await.is(200);
}
