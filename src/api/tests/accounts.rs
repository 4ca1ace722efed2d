//! The tree grows by its rules, and numbers go down it.

use serde_json::json;
use strowger_domain::cdr::WithheldNumber;

use super::harness::Bench;
use crate::store::testing::record;

#[actix_web::test]
async fn a_child_has_a_kind_and_permissions_that_its_parent_can_give() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.reseller).await;
    let children = "/v1/accounts/me/children";
    let above = json!({"kind": "carrier", "name": "", "permissions": {"recording": true}});
    let refused = bench.post(&token, children, &above).await.is(422);
    assert_eq!(
        refused.faults(),
        ["/kind not_permitted", "/name bad_length"]
    );
    let good = json!({"kind": "customer", "name": "Ada Ltd", "reference": "C-1",
        "permissions": {"recording": true}, "limits": {"calls": 10}});
    let made = bench.post(&token, children, &good).await.is(201).body;
    assert_eq!(made["parent"], bench.sample.reseller.to_string());
    assert_eq!(made["permissions"]["recording"], true);
    assert_eq!(made["permissions"]["queues"], false);
    let one = format!("/v1/accounts/{}", made["id"].as_str().unwrap());
    let patch =
        json!({"permissions": {"queues": true}, "limits": {"calls": null}, "reference": null});
    let changed = bench.patch(&token, &one, &patch).await.is(200).body;
    assert_eq!(changed["permissions"]["recording"], true);
    assert_eq!(changed["permissions"]["queues"], true);
    assert_eq!(changed["limits"]["calls"], json!(null));
    assert_eq!(changed["reference"], json!(null));
    let wrong = json!({"permissions": {"fly": true}, "limits": {"calls": "x"}});
    let refused = bench.patch(&token, &one, &wrong).await.is(422);
    assert_eq!(
        refused.faults(),
        ["/permissions/fly unknown_field", "/limits/calls wrong_type"]
    );
    let child = made["id"].as_str().unwrap().parse().unwrap();
    let below = bench.token(child).await;
    let own = json!({"permissions": {"custom_cli": true}});
    assert_eq!(
        bench
            .patch(&below, "/v1/accounts/me", &own)
            .await
            .is(403)
            .code(),
        "forbidden"
    );
    let grand = json!({"kind": "customer", "name": "Below"});
    bench.post(&below, children, &grand).await.is(422);
}

#[actix_web::test]
async fn permissions_beyond_the_parents_are_refused_by_name() {
    let bench = Bench::start().await;
    let carrier = bench.token(bench.sample.carrier).await;
    let one = format!("/v1/accounts/{}", bench.sample.reseller);
    bench
        .patch(&carrier, &one, &json!({"permissions": {"queues": false}}))
        .await
        .is(200);
    let token = bench.token(bench.sample.reseller).await;
    let wish = json!({"kind": "customer", "name": "Ada Ltd", "permissions": {"queues": true}});
    let refused = bench
        .post(&token, "/v1/accounts/me/children", &wish)
        .await
        .is(422);
    assert_eq!(refused.faults(), ["/permissions/queues exceeds_parent"]);
}

#[actix_web::test]
async fn custom_cli_needs_its_agreement_and_withheld_numbers_a_service_provider() {
    let bench = Bench::start().await;
    let carrier = bench.token(bench.sample.carrier).await;
    let one = format!("/v1/accounts/{}", bench.sample.reseller);
    let nothing = json!({"permissions": {"custom_cli": false, "withheld_cli": false,
        "node_types": ["queue"], "countries": ["GB"]}});
    bench.patch(&carrier, &one, &nothing).await.is(200);
    let wish = json!({"permissions": {"custom_cli": true, "node_types": ["teleport"]}});
    let refused = bench.patch(&carrier, &one, &wish).await.is(422);
    assert_eq!(
        refused.faults(),
        [
            "/permissions/custom_cli_agreement missing",
            "/permissions/node_types/0 unknown_value"
        ]
    );
    let wish = json!({"permissions": {"custom_cli": true, "withheld_cli": true,
        "custom_cli_agreement": {"signed_on": "2026-05-01", "document": "CLI-1"}}});
    let given = bench.patch(&carrier, &one, &wish).await.is(200).body;
    assert_eq!(
        given["permissions"]["custom_cli_agreement"]["document"],
        "CLI-1"
    );
    let reseller = bench.token(bench.sample.reseller).await;
    let children = "/v1/accounts/me/children";
    let customer = json!({"kind": "customer", "name": "Ada Ltd", "permissions": {
        "withheld_cli": true, "node_types": ["day"], "countries": ["FR"]}});
    let refused = bench.post(&reseller, children, &customer).await.is(422);
    assert_eq!(
        refused.faults(),
        [
            "/permissions/node_types/0 exceeds_parent",
            "/permissions/countries/0 exceeds_parent",
            "/permissions/withheld_cli not_for_customers",
            "/permissions/withheld_cli not_permitted"
        ]
    );
    let below = json!({"kind": "sub_reseller", "name": "Bea", "permissions": {
        "withheld_cli": true}});
    let refused = bench.post(&reseller, children, &below).await.is(422);
    assert_eq!(
        refused.faults(),
        ["/permissions/withheld_cli not_permitted"]
    );
}

#[actix_web::test]
async fn a_withheld_number_is_masked_for_those_who_may_not_see_it() {
    let bench = Bench::start().await;
    let owner = bench.sample.customer;
    let call = strowger_domain::cdr::CallRecord {
        calling: None,
        withheld_calling: Some(WithheldNumber::new("+447700900123")),
        ..record(owner, bench.sample.now)
    };
    bench.writer.call(call.clone()).unwrap();
    bench.writer.flush().await;
    let path = format!("/v1/accounts/{owner}/calls/{}", call.id);
    let list = format!("/v1/accounts/{owner}/calls");
    let export = format!("/v1/accounts/{owner}/export");
    let (carrier, customer) = (
        bench.token(bench.sample.carrier).await,
        bench.token(owner).await,
    );
    let seen = bench.get(&carrier, &path).await.is(200).body;
    assert_eq!(seen["withheld_calling"], "+447700900123");
    for path in [&path, &list, &export] {
        let shown = bench.get(&customer, path).await.is(200).text;
        assert!(shown.contains("+447700******"), "{shown}");
        assert!(!shown.contains("900123"), "{shown}");
    }
    let one = format!("/v1/accounts/{}", bench.sample.reseller);
    let nothing = json!({"permissions": {"withheld_cli": false}});
    bench.patch(&carrier, &one, &nothing).await.is(200);
    let reseller = bench.token(bench.sample.reseller).await;
    let masked = bench.get(&reseller, &path).await.is(200).body;
    assert_eq!(masked["withheld_calling"], "+447700******");
}

#[actix_web::test]
async fn a_number_is_made_above_and_given_down_the_tree() {
    let bench = Bench::start().await;
    let carrier = bench.token(bench.sample.carrier).await;
    let reseller = bench.token(bench.sample.reseller).await;
    let to_reseller = format!("/v1/accounts/{}/numbers", bench.sample.reseller);
    let to_customer = format!("/v1/accounts/{}/numbers", bench.sample.customer);
    let number = json!({"number": "01632 960123", "description": "sales"});
    let refused = bench
        .post(&reseller, "/v1/accounts/me/numbers", &number)
        .await
        .is(422);
    assert_eq!(refused.faults(), ["/number not_in_pool"]);
    let made = bench
        .post(&carrier, &to_reseller, &number)
        .await
        .is(201)
        .body;
    assert_eq!(
        (&made["number"], &made["class"]),
        (&json!("+441632960123"), &json!("uk_geographic"))
    );
    let given = bench
        .post(&reseller, &to_customer, &number)
        .await
        .is(201)
        .body;
    assert_eq!(given["account"], bench.sample.customer.to_string());
    assert_eq!(given["id"], made["id"]);
    let refused = bench.post(&reseller, &to_customer, &number).await.is(422);
    assert_eq!(refused.faults(), ["/number taken"]);
    let customer = bench.token(bench.sample.customer).await;
    let one = format!("/v1/accounts/me/numbers/{}", made["id"].as_str().unwrap());
    let parked = bench
        .patch(&customer, &one, &json!({"status": "parked"}))
        .await
        .is(200)
        .body;
    assert_eq!(parked["status"], "parked");
    bench
        .patch(&customer, &one, &json!({"status": "suspended"}))
        .await
        .is(403);
    let strange = json!({"call_plan": "plan_00000000000000000000000000000000"});
    let refused = bench.patch(&customer, &one, &strange).await.is(422);
    assert_eq!(refused.faults(), ["/call_plan not_found"]);
}

#[actix_web::test]
async fn lists_are_read_page_by_page() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.carrier).await;
    let mut path = "/v1/accounts?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = bench.get(&token, &path).await.is(200);
        seen.extend(
            page.body["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| a["id"].to_string()),
        );
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            break;
        };
        assert_eq!(
            page.header("link"),
            format!("</v1/accounts?limit=2&cursor={cursor}>; rel=\"next\"")
        );
        path = format!("/v1/accounts?limit=2&cursor={cursor}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[actix_web::test]
async fn users_trunks_and_routes_are_made_and_checked() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let user = json!({"email": "x", "name": "", "role": "standard", "password": "short"});
    let refused = bench
        .post(&token, "/v1/accounts/me/users", &user)
        .await
        .is(422);
    assert_eq!(
        refused.faults(),
        [
            "/email not_email",
            "/name bad_length",
            "/password bad_length"
        ]
    );
    let user = json!({"email": "Bea@example.test", "name": "Bea", "role": "standard",
        "password": "a good long one"});
    let made = bench
        .post(&token, "/v1/accounts/me/users", &user)
        .await
        .is(201);
    assert!(!made.text.contains("argon2"), "{}", made.text);
    assert_eq!(
        bench
            .post(&token, "/v1/accounts/me/users", &user)
            .await
            .is(409)
            .code(),
        "taken"
    );
    let trunk = json!({"name": "Carrier", "host": "sip.example.test/x", "allowed_sources": ["x"],
        "codecs": ["G729"]});
    let refused = bench
        .post(&token, "/v1/accounts/me/trunks", &trunk)
        .await
        .is(422);
    assert_eq!(
        refused.faults(),
        [
            "/host not_host",
            "/allowed_sources/0 not_network",
            "/codecs/0 unknown_value"
        ]
    );
    let trunk = json!({"name": "Carrier", "host": "192.0.2.1:5070", "transport": "tcp",
        "username": "u", "password": "topsecret", "allowed_sources": ["192.0.2.0/24"]});
    let made = bench
        .post(&token, "/v1/accounts/me/trunks", &trunk)
        .await
        .is(201);
    assert!(!made.text.contains("topsecret"), "{}", made.text);
    let route = json!({"prefix": "44", "trunk": "trk_00000000000000000000000000000000"});
    let refused = bench
        .post(&token, "/v1/accounts/me/routes", &route)
        .await
        .is(422);
    assert_eq!(refused.faults(), ["/prefix not_prefix", "/trunk not_found"]);
    let route = json!({"prefix": "+44", "trunk": made.body["id"]});
    let route = bench
        .post(&token, "/v1/accounts/me/routes", &route)
        .await
        .is(201)
        .body;
    let trunk = format!(
        "/v1/accounts/me/trunks/{}",
        made.body["id"].as_str().unwrap()
    );
    assert_eq!(bench.delete(&token, &trunk).await.is(409).code(), "in_use");
    let route = format!("/v1/accounts/me/routes/{}", route["id"].as_str().unwrap());
    bench.delete(&token, &route).await.is(204);
    bench.delete(&token, &route).await.is(204);
    bench.delete(&token, &trunk).await.is(204);
}
