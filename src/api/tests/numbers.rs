//! Numbers: their way through the tree, their plans, their history, and lists of them.

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::harness::{Answer, Bench, read};

async fn import(bench: &Bench, token: &str, path: &str, list: &str) -> Answer {
    let request = bench.request(Method::POST, token, path);
    let request = request.header(header::CONTENT_TYPE, "text/csv");
    read(request.body(list.to_owned())).await
}

fn kinds(history: &Value) -> Vec<&str> {
    let lines = history["items"].as_array().unwrap();
    lines
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn a_number_goes_down_the_tree_and_up_again_and_its_history_stays() {
    let bench = Bench::start().await;
    let carrier = bench.token(bench.sample.carrier).await;
    let reseller = bench.token(bench.sample.reseller).await;
    let customer = bench.token(bench.sample.customer).await;
    let own = "/v1/accounts/me/numbers";
    for number in ["+441632960101", "+441632960102"] {
        bench
            .post(&carrier, own, &json!({ "number": number }))
            .await
            .is(201);
    }
    let numbers = json!(["+441632960101", "01632 960102"]);
    let give = |account: String, even_in_use: bool| json!({ "numbers": numbers, "account": account, "even_in_use": even_in_use });
    let move_them = "/v1/accounts/me/numbers/allocations";
    let down = give(bench.sample.customer.to_string(), false);
    let given = bench.post(&carrier, move_them, &down).await.is(200).body;
    assert_eq!(
        given["items"][1]["account"],
        bench.sample.customer.to_string()
    );
    let one = given["items"][0]["id"].as_str().unwrap().to_owned();
    let one = format!("{own}/{one}");
    let patch = json!({ "pin": "4071", "description": "Sales" });
    let changed = bench.patch(&customer, &one, &patch).await.is(200);
    assert_eq!(changed.body["has_pin"], true);
    assert!(!changed.text.contains("4071") && !changed.text.contains("argon2"));
    let beside = give(bench.sample.stranger.to_string(), false);
    let refused = bench.post(&reseller, move_them, &beside).await.is(422);
    assert_eq!(refused.faults(), ["/account not_found"]);
    let up = give(bench.sample.reseller.to_string(), false);
    let back = bench.post(&reseller, move_them, &up).await.is(200).body;
    assert_eq!(back["items"][0]["has_pin"], false);
    assert_eq!(back["items"][0]["description"], "");
    bench.get(&customer, &one).await.is(404);
    let history = bench
        .get(&reseller, &format!("{one}/assignments"))
        .await
        .is(200)
        .body;
    assert_eq!(kinds(&history), ["allocated", "withdrawn", "allocated"]);
    bench.delete(&reseller, &one).await.is(403);
    bench.delete(&carrier, &one).await.is(204);
    bench.delete(&carrier, &one).await.is(204);
    bench.get(&carrier, &one).await.is(404);
}

#[actix_web::test]
async fn a_plan_is_assigned_and_switched_at_a_set_time() {
    let bench = Bench::start().await;
    let made = bench
        .sample
        .belongings(bench.sample.customer, 1)
        .await
        .unwrap();
    let token = bench.token(bench.sample.customer).await;
    let one = format!("/v1/accounts/me/numbers/{}", made.number);
    let number = bench.get(&token, &one).await.is(200);
    assert_eq!(number.body["call_plans"], json!([made.plan.to_string()]));
    let switches = format!("{one}/switches");
    let late = json!({ "call_plan": "plan_00000000000000000000000000000000", "at": "2001-01-01T00:00:00Z" });
    let refused = bench.post(&token, &switches, &late).await.is(422);
    assert_eq!(
        refused.faults(),
        ["/call_plan not_found", "/at out_of_range"]
    );
    let at = (chrono::Utc::now() + chrono::TimeDelta::days(1)).to_rfc3339();
    let good = json!({ "call_plan": null, "at": at });
    let ordered = bench.post(&token, &switches, &good).await.is(201).body;
    let number = bench.get(&token, &one).await.is(200);
    assert_eq!(number.body["next_switch_at"], ordered["at"]);
    let id = ordered["id"].as_str().unwrap();
    bench
        .delete(&token, &format!("{switches}/{id}"))
        .await
        .is(204);
    bench
        .delete(&token, &format!("{switches}/{id}"))
        .await
        .is(204);
    let left = bench.get(&token, &switches).await.is(200).body;
    assert_eq!(left["items"], json!([]));
    let off = json!({ "call_plan": null });
    bench.patch(&token, &one, &off).await.is(200);
    let history = bench
        .get(&token, &format!("{one}/assignments"))
        .await
        .is(200)
        .body;
    assert_eq!(kinds(&history)[0], "plan_activated");
    let stranger = bench.token(bench.sample.stranger).await;
    for path in [&one, &switches, &format!("{one}/assignments")] {
        bench.get(&stranger, path).await.is(404);
    }
}

#[actix_web::test]
async fn a_change_names_what_it_has_read() {
    let bench = Bench::start().await;
    let made = bench
        .sample
        .belongings(bench.sample.customer, 1)
        .await
        .unwrap();
    let token = bench.token(bench.sample.customer).await;
    let one = format!("/v1/accounts/me/numbers/{}", made.number);
    let tag = bench
        .get(&token, &one)
        .await
        .is(200)
        .header("etag")
        .to_owned();
    let get = bench.request(Method::GET, &token, &one);
    read(get.header(header::IF_NONE_MATCH, &tag)).await.is(304);
    let change = |text: &str| {
        let request = bench.request(Method::PATCH, &token, &one);
        let request = request.header(header::IF_MATCH, &tag);
        read(request.json(&json!({ "description": text })))
    };
    let changed = change("first").await.is(200);
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(change("second").await.is(412).code(), "precondition_failed");
}

#[actix_web::test]
async fn faults_of_shape_and_of_rules_are_told_together() {
    let bench = Bench::start().await;
    let made = bench
        .sample
        .belongings(bench.sample.customer, 1)
        .await
        .unwrap();
    let token = bench.token(bench.sample.customer).await;
    let one = format!("/v1/accounts/me/numbers/{}", made.number);
    let wrong = json!({ "description": null, "status": "asleep", "pin": "1234", "colour": 1,
        "call_plan": "plan_00000000000000000000000000000000", "call_plans": ["x"] });
    let mut faults = bench.patch(&token, &one, &wrong).await.is(422).faults();
    faults.sort();
    assert_eq!(
        faults,
        [
            "/call_plan not_found",
            "/call_plans/0 invalid_value",
            "/colour unknown_field",
            "/description wrong_type",
            "/pin not_pin",
            "/status unknown_value"
        ]
    );
    let kept = bench.get(&token, &one).await.is(200).body;
    assert_eq!(
        (&kept["status"], &kept["has_pin"]),
        (&json!("active"), &json!(false))
    );
}

#[actix_web::test]
async fn a_list_is_imported_with_a_report_of_each_line_and_exported_without_formulas() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.carrier).await;
    let path = "/v1/accounts/me/numbers/import";
    let list = "number,description,status,call_plan\r\n\
                +441632960111,\"=cmd|' /C calc'!A0\",active,\r\n\
                01632 960112,Plain,parked,\r\n\
                nonsense,,asleep,x\r\n\
                +441632960111,Again,,\r\n";
    let report = import(&bench, &token, path, list).await.is(200).body;
    assert_eq!(
        (&report["added"], &report["refused"]),
        (&json!(0), &json!(2))
    );
    let outcomes = |report: &Value| {
        let lines = report["lines"].as_array().unwrap().iter();
        lines
            .map(|line| line["outcome"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        outcomes(&report),
        ["unchanged", "unchanged", "refused", "refused"]
    );
    assert_eq!(report["lines"][3]["line"], 5);
    assert_eq!(report["lines"][3]["errors"][0]["code"], "repeated");
    let each = format!("{path}?all_or_nothing=false");
    let report = import(&bench, &token, &each, list).await.is(200).body;
    assert_eq!(outcomes(&report), ["added", "added", "refused", "refused"]);
    let export = bench
        .get(&token, "/v1/accounts/me/numbers/export?number=9601")
        .await
        .is(200);
    assert!(export.header("content-type").starts_with("text/csv"));
    for cell in ["'+441632960111,", "\"'=cmd", "'+441632960112,parked,Plain,"] {
        assert!(
            export.text.contains(cell) || export.text.contains(&cell[1..]),
            "{cell}: {}",
            export.text
        );
    }
    assert!(!export.text.contains("\n="), "{}", export.text);
    assert!(!export.text.contains(",="), "{}", export.text);
    let again = import(&bench, &token, path, &export.text)
        .await
        .is(200)
        .body;
    assert_eq!(outcomes(&again), ["changed", "changed"]);
    let found = bench
        .get(&token, "/v1/accounts/me/numbers?description=cmd")
        .await
        .is(200)
        .body;
    assert_eq!(found["items"][0]["description"], "=cmd|' /C calc'!A0");
    let wrong = import(&bench, &token, path, "number,\"x").await;
    assert_eq!(
        (wrong.status, wrong.faults()),
        (422, vec!["/x unknown_field".to_owned()])
    );
    bench.post(&token, path, &json!({})).await.is(415);
}

#[actix_web::test]
async fn numbers_are_found_by_part_of_them() {
    let bench = Bench::start().await;
    bench
        .sample
        .belongings(bench.sample.customer, 1)
        .await
        .unwrap();
    let token = bench.token(bench.sample.customer).await;
    for (query, count) in [
        ("number=01632%20960", 1),
        ("number=999999", 0),
        ("description=SALES", 1),
        ("status=parked", 0),
        ("call_plan=none", 0),
    ] {
        let path = format!("/v1/accounts/me/numbers?{query}");
        let found = bench.get(&token, &path).await.is(200).body;
        assert_eq!(
            found["items"].as_array().unwrap().len(),
            count,
            "{query}: {found}"
        );
    }
    let wrong = bench
        .get(&token, "/v1/accounts/me/numbers?limit=x&status=y&z=1")
        .await
        .is(400);
    let detail = wrong.body["detail"].as_str().unwrap();
    for name in ["limit: ", "status: ", "there is no `z`"] {
        assert!(detail.contains(name), "{detail}");
    }
}
