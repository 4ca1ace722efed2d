//! A reader of events misses nothing, also when it comes back.

use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};
use strowger_domain::ids::AccountId;

use super::harness::Bench;
use crate::events::log;

fn tell(bench: &Bench, account: AccountId, number: u32) {
    let data = json!({"number": number});
    log::tell(
        &bench.writer,
        log::SCHEDULED_CALL_UPDATED,
        account,
        &data,
        Utc::now(),
    );
}

/// Reads a stream until it has told so many events; answers their ids and numbers.
async fn told(bench: &Bench, token: &str, last: Option<&str>, many: usize) -> Vec<(String, u64)> {
    let mut request = bench.request(
        reqwest::Method::GET,
        token,
        "/v1/accounts/me/events?types=scheduled_call.*",
    );
    request = request.header("accept-encoding", "gzip");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let read = async {
        while text.matches("\ndata: ").count() < many {
            let chunk = response.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(&String::from_utf8_lossy(&chunk));
            if last.is_none() && text.contains(": hello") && !text.contains("\ndata: ") {
                for number in 0..3 {
                    tell(bench, bench.sample.customer, number);
                    tell(bench, bench.sample.stranger, 100 + number);
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("events in time");
    let events = text
        .split("\n\n")
        .filter_map(|block| block.split_once("\ndata: "));
    events
        .map(|(_, data)| {
            let event: Value = serde_json::from_str(data).unwrap();
            assert_eq!(event["type"], "scheduled_call.updated");
            let id = event["id"].as_str().unwrap().to_owned();
            (id, event["data"]["number"].as_u64().unwrap())
        })
        .collect()
}

#[actix_web::test]
async fn a_reader_that_comes_back_gets_what_it_missed_and_nothing_of_others() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let first = told(&bench, &token, None, 3).await;
    assert_eq!(
        first.iter().map(|(_, number)| *number).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    tell(&bench, bench.sample.customer, 3);
    let missed = told(&bench, &token, Some(&first[0].0), 3).await;
    assert_eq!(
        missed.iter().map(|(_, number)| *number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(missed[0].0, first[1].0);
}

#[actix_web::test]
async fn an_event_type_that_does_not_exist_is_refused() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/events?types=call.exploded";
    assert_eq!(
        bench.get(&token, path).await.is(400).code(),
        "malformed_query"
    );
}
