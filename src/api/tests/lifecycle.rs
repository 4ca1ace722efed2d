//! Accounts are moved, closed, exported and erased.

use serde_json::{Value, json};
use strowger_domain::account::Role;

use super::harness::{Bench, PASSWORD};
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
