//! Mail goes by the account's server, says what its template says, and is tried again.

use serde_json::{Value, json};
use strowger_domain::ids::AccountId;

use super::harness::Bench;
use super::mail_server::MailServer;
use crate::store::AccountScope;
use crate::store::mail::{MailSettings, Security};

/// Lets an account send by the test's mail server, which is at a private address: the API refuses
/// to set it.
pub(super) async fn send_by(bench: &Bench, account: AccountId, server: &MailServer) {
    let settings = MailSettings {
        account,
        host: "127.0.0.1".to_owned(),
        port: server.address.port(),
        security: Security::None,
        username: Some("us".to_owned()),
        password: Some("smtp-password".to_owned()),
        from_address: "service@example.test".to_owned(),
        from_name: Some("Service".to_owned()),
    };
    let (everywhere, now) = (AccountScope::platform(), chrono::Utc::now());
    let put = bench.store.put_mail_settings(&everywhere, settings, now);
    put.await.unwrap();
}

async fn mails(bench: &Bench, token: &str) -> Vec<Value> {
    let list = bench.get(token, "/v1/accounts/me/mails").await.is(200);
    list.body["items"].as_array().unwrap().clone()
}

/// The latest mail once it is no more queued as it was.
async fn settled(bench: &Bench, token: &str, settled: impl Fn(&Value) -> bool) -> Value {
    loop {
        let latest = mails(bench, token).await.remove(0);
        if settled(&latest) {
            return latest;
        }
        tokio::task::yield_now().await;
    }
}

#[actix_web::test]
async fn a_mail_goes_by_the_server_of_the_account_above_and_says_what_its_template_says() {
    let bench = Bench::start().await;
    let mut server = MailServer::start(Vec::new());
    send_by(&bench, bench.sample.reseller, &server).await;
    let token = bench.token(bench.sample.customer).await;
    let settings = "/v1/accounts/me/mail_settings";
    let seen = bench.get(&token, settings).await.is(200);
    assert_eq!(seen.body["inherited"], true);
    assert_eq!(seen.body["host"], Value::Null);
    assert!(!seen.text.contains("smtp-password"));
    let path = "/v1/accounts/me/mail_templates/voicemail";
    let template = json!({"subject": "Call of {{caller}}", "text": "at {{time}}",
        "html": "<b>{{caller}}</b>"});
    bench.put(&token, path, &template).await.is(200);
    let preview = bench
        .post(&token, &format!("{path}/preview"), &json!({}))
        .await
        .is(200);
    assert_eq!(preview.body["subject"], "Call of +447700900123");
    let to = json!({"to": "ada@example.test"});
    bench
        .post(&token, &format!("{path}/test"), &to)
        .await
        .is(202);
    let mail = server.next().await;
    assert!(mail.from.contains("<service@example.test>"), "{mail:?}");
    assert!(mail.to.contains("<ada@example.test>"), "{mail:?}");
    assert!(mail.auth.is_some(), "{mail:?}");
    assert!(
        mail.text.contains("Subject: Call of +447700900123"),
        "{}",
        mail.text
    );
    assert!(mail.text.contains("at 2026-07-01 09:30"), "{}", mail.text);
    assert!(mail.text.contains("<b>+447700900123</b>"), "{}", mail.text);
    let sent = settled(&bench, &token, |mail| mail["status"] == "sent").await;
    assert_eq!(sent["attempts"], 1);
    bench.delete(&token, path).await.is(204);
    assert_eq!(bench.get(&token, path).await.body["account"], Value::Null);
}

#[actix_web::test]
async fn a_mail_that_is_refused_for_now_waits_and_one_refused_for_good_is_given_up() {
    let bench = Bench::start().await;
    let server = MailServer::start(vec!["451 try later", "550 no such person"]);
    send_by(&bench, bench.sample.customer, &server).await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/mail_templates/recording/test";
    let to = json!({"to": "ada@example.test"});
    bench.post(&token, path, &to).await.is(202);
    let waits = settled(&bench, &token, |mail| mail["attempts"] == 1).await;
    assert_eq!(waits["status"], "queued");
    assert!(
        waits["error"].as_str().unwrap().contains("try later"),
        "{waits}"
    );
    assert!(
        waits["due_at"].as_str() > waits["created_at"].as_str(),
        "{waits}"
    );
    bench.post(&token, path, &to).await.is(202);
    let failed = settled(&bench, &token, |mail| mail["attempts"] == 1).await;
    assert_eq!(failed["status"], "failed");
    assert!(
        failed["error"].as_str().unwrap().contains("no such person"),
        "{failed}"
    );
}

#[actix_web::test]
async fn settings_and_templates_are_checked_and_a_password_is_not_told_to_another_server() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/mail_settings";
    bench.get(&token, path).await.is(404);
    let to = json!({"to": "ada@example.test"});
    let none = bench
        .post(&token, "/v1/accounts/me/mail_templates/password/test", &to)
        .await;
    assert_eq!(none.is(409).code(), "no_mail_server");
    let settings = |host: &str| {
        json!({"host": host, "port": 587, "security": "starttls",
            "from_address": "service@example.test"})
    };
    for host in [
        "127.0.0.1",
        "10.0.0.1",
        "[::1]",
        "169.254.169.254",
        "0x7f.1",
    ] {
        let refused = bench.put(&token, path, &settings(host)).await.is(422);
        assert_eq!(refused.faults(), ["/host not_reachable"], "{host}");
    }
    for host in ["a b", "user@host", "host/path?", ""] {
        bench.put(&token, path, &settings(host)).await.is(422);
    }
    let mut with_password = settings("smtp.example.test");
    with_password["username"] = json!("us");
    with_password["password"] = json!("smtp-password");
    let made = bench.put(&token, path, &with_password).await.is(201);
    assert_eq!(made.body["has_password"], true);
    assert!(!made.text.contains("smtp-password"));
    let mut other = settings("smtp.example.test");
    other["username"] = json!("us");
    assert_eq!(
        bench.put(&token, path, &other).await.is(200).body["has_password"],
        true
    );
    other["host"] = json!("smtp.evil.test");
    let refused = bench.put(&token, path, &other).await.is(422);
    assert_eq!(refused.faults(), ["/password missing"]);
    let path = "/v1/accounts/me/mail_templates/invitation";
    let wrong = json!({"subject": "{{nobody}}", "text": "no link"});
    let refused = bench.put(&token, path, &wrong).await.is(422);
    assert_eq!(
        refused.faults(),
        ["/subject unknown_variable", "/text missing_variable"]
    );
    bench
        .get(&token, "/v1/accounts/me/mail_templates/postcard")
        .await
        .is(404);
}

#[actix_web::test]
async fn a_server_that_does_not_answer_holds_up_no_other_accounts_mail() {
    let bench = Bench::start().await;
    let (customer, reseller) = (bench.sample.customer, bench.sample.reseller);
    // It lets one connect and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (_, never) = tokio::sync::mpsc::unbounded_channel();
    let held = MailServer {
        address: silent.local_addr().unwrap(),
        arrived: never,
    };
    send_by(&bench, customer, &held).await;
    let mut server = MailServer::start(Vec::new());
    send_by(&bench, reseller, &server).await;
    let path = "/v1/accounts/me/mail_templates/recording/test";
    let to = json!({"to": "ada@example.test"});
    let token = bench.token(customer).await;
    for _ in 0..20 {
        bench.post(&token, path, &to).await.is(202);
    }
    let token = bench.token(reseller).await;
    bench.post(&token, path, &to).await.is(202);
    let patience = std::time::Duration::from_secs(20);
    let arrived = tokio::time::timeout(patience, server.next()).await;
    assert!(arrived.is_ok(), "it waits behind another account's mail");
}

#[actix_web::test]
async fn a_link_by_which_one_signs_in_stands_in_no_subject() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/mail_templates/password";
    let template = json!({"subject": "Go to {{link}}", "text": "{{link}}"});
    let refused = bench.put(&token, path, &template).await;
    assert_eq!(refused.is(422).faults(), ["/subject not_here"]);
}
