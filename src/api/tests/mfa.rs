//! The second factor, the age of passwords, and what accounts ask for.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use strowger_domain::account::Role;
use strowger_domain::totp::{Secret, step};

use super::harness::{Answer, Bench, PASSWORD};
use crate::api::passwords::breached::{self, BreachedList};

const MFA: &str = "/v1/auth/mfa";

fn password() -> Value {
    json!({ "current_password": PASSWORD })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// An authenticator app. It shows the code of a period after those that it showed before.
struct App {
    secret: Secret,
    next: u64,
}

impl App {
    fn code(&mut self) -> String {
        let code = self.secret.password(self.next);
        self.next += 1;
        code
    }
}

/// A user's access token, and the app once it is confirmed, with the recovery codes.
async fn enrolled(bench: &Bench, email: &str) -> (String, App, Vec<String>) {
    let token = text(&bench.sign_in(email, PASSWORD).await.is(200).body["access_token"]);
    let begun = bench.post(&token, MFA, &password()).await.is(201).body;
    let secret = Secret::from_base32(&text(&begun["secret"])).unwrap();
    assert!(text(&begun["otpauth_uri"]).starts_with("otpauth://totp/Strowger:"));
    // From the period before this one on, there are three codes that are good now.
    let next = step(Utc::now()) - 1;
    let mut app = App { secret, next };
    let code = json!({ "code": app.code() });
    let path = format!("{MFA}/confirm");
    let codes = bench.post(&token, &path, &code).await.is(200).body;
    let codes = codes["recovery_codes"].as_array().unwrap();
    (token, app, codes.iter().map(text).collect())
}

async fn sign_in(bench: &Bench, email: &str, code: &str) -> Answer {
    let body =
        json!({"grant_type": "password", "email": email, "password": PASSWORD, "code": code});
    bench.post("", "/v1/auth/token", &body).await
}

#[actix_web::test]
async fn a_user_with_an_app_needs_a_code_of_it_which_is_good_once() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let (token, mut app, _) = enrolled(&bench, &email).await;
    let stands = bench.get(&token, MFA).await.is(200).body;
    assert_eq!(
        (&stands["enrolled"], &stands["recovery_codes_left"]),
        (&json!(true), &json!(10))
    );
    assert_eq!(
        bench.sign_in(&email, PASSWORD).await.is(401).code(),
        "mfa_required"
    );
    let wrong = bench.sign_in(&email, "not the password").await;
    assert_eq!(wrong.is(401).code(), "wrong_credentials");
    assert_eq!(
        sign_in(&bench, &email, "000").await.is(401).code(),
        "wrong_mfa_code"
    );
    let code = app.code();
    sign_in(&bench, &email, &code).await.is(200);
    assert_eq!(
        sign_in(&bench, &email, &code).await.is(401).code(),
        "wrong_mfa_code"
    );
    assert_eq!(
        bench.post(&token, MFA, &password()).await.is(409).code(),
        "conflict"
    );
}

#[actix_web::test]
async fn each_recovery_code_opens_the_door_once() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let (token, _, codes) = enrolled(&bench, &email).await;
    assert_eq!(codes.len(), 10);
    let spoken = codes[0].to_uppercase().replace('-', " ");
    sign_in(&bench, &email, &spoken).await.is(200);
    sign_in(&bench, &email, &codes[0]).await.is(401);
    let stands = bench.get(&token, MFA).await.is(200).body;
    assert_eq!(stands["recovery_codes_left"], 9);
    let path = format!("{MFA}/recovery_codes");
    let none = json!({"current_password": "a wrong one"});
    assert_eq!(
        bench.post(&token, &path, &none).await.is(422).faults(),
        ["/current_password wrong"]
    );
    let new = bench.post(&token, &path, &password()).await.is(200).body;
    sign_in(&bench, &email, &codes[1]).await.is(401);
    sign_in(&bench, &email, &text(&new["recovery_codes"][9]))
        .await
        .is(200);
}

#[actix_web::test]
async fn codes_are_not_guessed_from_anywhere() {
    let bench = Bench::start().await;
    let email = bench.user(bench.sample.customer, Role::Standard).await;
    let (_, mut app, _) = enrolled(&bench, &email).await;
    let now = step(Utc::now());
    let good: Vec<_> = (now - 2..now + 40)
        .map(|step| app.secret.password(step))
        .collect();
    let wrong = (0..100_u32).map(|code| format!("{code:06}"));
    for code in wrong.filter(|code| !good.contains(code)).take(10) {
        sign_in(&bench, &email, &code).await.is(401);
    }
    let refused = sign_in(&bench, &email, &app.code()).await.is(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[actix_web::test]
async fn an_app_is_removed_by_its_owner_or_an_administrator() {
    let bench = Bench::start().await;
    let customer = bench.sample.customer;
    let email = bench.user(customer, Role::Standard).await;
    let (token, mut app, codes) = enrolled(&bench, &email).await;
    let path = format!("{MFA}/remove");
    let input = |code: &str| json!({"current_password": PASSWORD, "code": code});
    let refused = bench.post(&token, &path, &input("123")).await.is(422);
    assert_eq!(refused.faults(), ["/code wrong"]);
    bench.post(&token, &path, &input(&app.code())).await.is(204);
    bench.sign_in(&email, PASSWORD).await.is(200);
    sign_in(&bench, &email, &codes[0]).await.is(200); // nothing is asked for any more
    let (token, _, _) = enrolled(&bench, &email).await;
    let me = bench.get(&token, "/v1/me").await.is(200).body;
    let path = format!(
        "/v1/accounts/{customer}/users/{}/mfa",
        text(&me["user"]["id"])
    );
    let outsider = bench.token(bench.sample.stranger).await;
    bench.delete(&outsider, &path).await.is(404);
    bench.delete(&token, &path).await.is(403);
    let administrator = bench.token(customer).await;
    bench.delete(&administrator, &path).await.is(204);
    bench.get(&token, "/v1/me").await.is(401);
    bench.sign_in(&email, PASSWORD).await.is(200);
}

#[actix_web::test]
async fn an_account_that_requires_an_app_gets_nothing_done_without() {
    let bench = Bench::start().await;
    let customer = bench.sample.customer;
    let email = bench.user(customer, Role::Standard).await;
    let administrator = bench.token(customer).await;
    let rules = "/v1/accounts/me/sign_in_rules";
    let wrong = json!({"mfa_required": true, "password_days": 0});
    let refused = bench.put(&administrator, rules, &wrong).await.is(422);
    assert_eq!(refused.faults(), ["/password_days out_of_range"]);
    let token = text(&bench.sign_in(&email, PASSWORD).await.is(200).body["access_token"]);
    let strict = json!({"mfa_required": true, "password_days": null});
    let put = bench.put(&administrator, rules, &strict).await.is(200).body;
    assert_eq!(put, strict);
    let numbers = "/v1/accounts/me/numbers";
    for token in [&token, &administrator] {
        assert_eq!(
            bench.get(token, numbers).await.is(403).code(),
            "mfa_not_enrolled"
        );
    }
    let answer = bench.sign_in(&email, PASSWORD).await.is(200).body;
    assert_eq!(answer["duties"], json!(["enrol_mfa"]));
    let me = bench.get(&token, "/v1/me").await.is(200).body;
    assert_eq!(
        (&me["duties"], &me["scopes"]),
        (&json!(["enrol_mfa"]), &json!([]))
    );
    let (token, _, _) = enrolled(&bench, &email).await;
    bench.get(&token, numbers).await.is(200);
    // Another account does not ask.
    let outsider = bench.token(bench.sample.stranger).await;
    bench.get(&outsider, numbers).await.is(200);
}

#[actix_web::test]
async fn a_password_that_is_too_old_must_be_changed_first() {
    let bench = Bench::start().await;
    let customer = bench.sample.customer;
    let email = bench.user(customer, Role::Standard).await;
    let token = text(&bench.sign_in(&email, PASSWORD).await.is(200).body["access_token"]);
    let administrator = bench.token(customer).await;
    let rules = json!({"mfa_required": false, "password_days": 30});
    bench
        .put(&administrator, "/v1/accounts/me/sign_in_rules", &rules)
        .await
        .is(200);
    let numbers = "/v1/accounts/me/numbers";
    bench.get(&token, numbers).await.is(200);
    let user = bench.get(&token, "/v1/me").await.is(200).body;
    let user = text(&user["user"]["id"]).parse().unwrap();
    bench
        .chose_password(user, Utc::now() - TimeDelta::days(31))
        .await;
    assert_eq!(
        bench.get(&token, numbers).await.is(403).code(),
        "password_expired"
    );
    let change = json!({"current_password": PASSWORD, "new_password": "another good one"});
    bench
        .post(&token, "/v1/auth/password", &change)
        .await
        .is(204);
    bench.get(&token, numbers).await.is(200);
}

#[actix_web::test]
async fn a_password_that_was_found_in_a_breach_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breached.txt");
    let hash = breached::hash("another good one");
    std::fs::write(&path, format!("{hash}:12\n")).unwrap();
    let settings = crate::api::Settings {
        breached_passwords: Some(BreachedList::open(path).unwrap()),
        ..Default::default()
    };
    let bench = Bench::start_with(settings).await;
    let token = bench.token(bench.sample.customer).await;
    let change = |new: &str| json!({"current_password": PASSWORD, "new_password": new});
    let refused = bench
        .post(&token, "/v1/auth/password", &change("another good one"))
        .await;
    assert_eq!(refused.is(422).faults(), ["/new_password breached"]);
    let user = json!({"email": "eve@example.test", "name": "Eve", "role": "standard",
        "password": "another good one"});
    let refused = bench.post(&token, "/v1/accounts/me/users", &user).await;
    assert_eq!(refused.is(422).faults(), ["/password breached"]);
    let right = change("yet another good one");
    bench
        .post(&token, "/v1/auth/password", &right)
        .await
        .is(204);
}
