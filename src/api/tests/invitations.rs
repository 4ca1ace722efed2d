//! Users come by invitation, and come back by a link when they forgot their password.

use serde_json::json;
use strowger_domain::account::Role;

use super::harness::{Bench, PASSWORD};
use super::mail::send_by;
use super::mail_server::{Arrived, MailServer};

fn token_of(mail: &Arrived) -> String {
    let (_, token) = mail.text.split_once("#token=").unwrap();
    token.split_whitespace().next().unwrap().to_owned()
}

#[actix_web::test]
async fn somebody_who_is_invited_becomes_a_user_once() {
    let bench = Bench::start().await;
    let mut server = MailServer::start(Vec::new());
    send_by(&bench, bench.sample.carrier, &server).await;
    let admin = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/invitations";
    let wish = json!({"email": "New@example.test", "name": "New One", "role": "standard"});
    let made = bench.post(&admin, path, &wish).await.is(201).body;
    assert_eq!(made["status"], "open");
    let mail = server.next().await;
    assert!(mail.to.contains("<New@example.test>"), "{mail:?}");
    assert!(
        mail.text
            .contains("http://127.0.0.1:8080/invitation#token="),
        "{}",
        mail.text
    );
    let token = token_of(&mail);
    let accept = |token: &str, password: &str| json!({"token": token, "password": password});
    let door = "/v1/auth/invitation";
    bench.post("", door, &accept(&token, "short")).await.is(422);
    let wrong = bench
        .post("", door, &accept("x", "a long password"))
        .await
        .is(401);
    assert_eq!(wrong.code(), "link_invalid");
    let user = bench
        .post("", door, &accept(&token, "a long password"))
        .await
        .is(201)
        .body;
    assert_eq!(user["role"], "standard");
    bench
        .sign_in("new@example.test", "a long password")
        .await
        .is(200);
    let again = bench
        .post("", door, &accept(&token, "another password"))
        .await
        .is(401);
    assert_eq!(again.code(), "link_invalid");
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        bench.get(&admin, &one).await.is(200).body["status"],
        "accepted"
    );
    assert_eq!(
        bench.post(&admin, path, &wish).await.is(409).code(),
        "taken"
    );
    // An invitation that is taken back is worth nothing.
    let other = json!({"email": "other@example.test", "name": "Other", "role": "read_only"});
    let made = bench.post(&admin, path, &other).await.is(201).body;
    let token = token_of(&server.next().await);
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    bench.delete(&admin, &one).await.is(204);
    bench
        .post("", door, &accept(&token, "a long password"))
        .await
        .is(401);
    let log = "/v1/accounts/me/audit_log?operation=auth.invitation";
    let log = bench.get(&admin, log).await.is(200);
    assert_eq!(log.body["items"][0]["actor"], user["id"]);
    assert!(!log.text.contains("a long password"));
}

#[actix_web::test]
async fn nobody_gives_a_role_that_permits_more_than_their_own() {
    let bench = Bench::start().await;
    let (customer, reseller) = (bench.sample.customer, bench.sample.reseller);
    let admin = bench.token(reseller).await;
    let key = json!({"name": "users", "scopes": ["users:read", "users:write"]});
    let key = bench
        .post(&admin, "/v1/accounts/me/api_keys", &key)
        .await
        .is(201)
        .body;
    let key = key["key"].as_str().unwrap();
    let user = json!({"email": "x@example.test", "name": "X", "role": "administrator",
        "password": "a long password"});
    let path = format!("/v1/accounts/{customer}/users");
    let refused = bench.post(key, &path, &user).await.is(422);
    assert_eq!(refused.faults(), ["/role exceeds_own"]);
    let wish = json!({"email": "x@example.test", "name": "X", "role": "standard"});
    let path = format!("/v1/accounts/{customer}/invitations");
    let refused = bench.post(key, &path, &wish).await.is(422);
    assert_eq!(refused.faults(), ["/role exceeds_own"]);
    let made = bench
        .post(&admin, &format!("/v1/accounts/{customer}/users"), &user)
        .await;
    let id = made.is(201).body["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/accounts/{customer}/users/{id}");
    let change = json!({"password": "taken over now"});
    bench.patch(key, &path, &change).await.is(403);
}

#[actix_web::test]
async fn a_forgotten_password_is_replaced_by_a_link_once_and_every_sign_in_ends() {
    let bench = Bench::start().await;
    let mut server = MailServer::start(Vec::new());
    send_by(&bench, bench.sample.carrier, &server).await;
    let email = bench.user(bench.sample.customer, Role::Administrator).await;
    let answer = bench.sign_in(&email, PASSWORD).await.is(200);
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let ask = async |email: &str| {
        let wish = json!({"email": email});
        bench
            .post("", "/v1/auth/password_reset", &wish)
            .await
            .is(202)
    };
    let unknown = ask("nobody@example.test").await;
    let known = ask(&email.to_uppercase()).await;
    assert_eq!(unknown.text, known.text);
    let first = token_of(&server.next().await);
    ask(&email).await;
    let link = token_of(&server.next().await);
    let confirm = async |token: &str, password: &str| {
        let reset = json!({"token": token, "password": password});
        bench
            .post("", "/v1/auth/password_reset/confirm", &reset)
            .await
    };
    // Only the latest link is good.
    assert_eq!(
        confirm(&first, "a new password").await.is(401).code(),
        "link_invalid"
    );
    confirm(&link, "a new password").await.is(204);
    assert_eq!(
        confirm(&link, "one more password").await.is(401).code(),
        "link_invalid"
    );
    bench.get(&token, "/v1/me").await.is(401);
    bench.sign_in(&email, PASSWORD).await.is(401);
    bench.sign_in(&email, "a new password").await.is(200);
}
