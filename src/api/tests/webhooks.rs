//! Webhooks, tried with an endpoint that answers as a test says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};
use strowger_domain::ids::{AccountId, CallId};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use uuid::Uuid;

use super::harness::{Bench, read};
use crate::events::{catalogue, log, signature};
use crate::store::events::{NewEvent, data};

/// A request that the endpoint got.
#[derive(Clone, Debug)]
struct Got {
    id: String,
    timestamp: i64,
    signature: String,
    body: String,
}

impl Got {
    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn number(&self) -> u64 {
        self.event()["data"]["number"].as_u64().unwrap()
    }
}

/// An endpoint on an address that the bench's client may reach.
struct Endpoint {
    address: SocketAddr,
    status: AtomicU16,
    got: Mutex<Vec<Got>>,
    came: Notify,
}

impl Endpoint {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let endpoint = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            status: AtomicU16::new(200),
            got: Mutex::default(),
            came: Notify::new(),
        });
        let serving = Arc::clone(&endpoint);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(stream));
            }
        });
        endpoint
    }

    fn url(&self) -> String {
        format!("http://{}/events?secret=4711", self.address)
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut got = Got {
                id: String::new(),
                timestamp: 0,
                signature: String::new(),
                body: String::new(),
            };
            let mut length = 0;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                let line = line.trim();
                if line.is_empty() {
                    break;
                }
                let (name, value) = line.split_once(": ").unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().ok()?,
                    "webhook-id" => got.id = value.to_owned(),
                    "webhook-timestamp" => got.timestamp = value.parse().ok()?,
                    "webhook-signature" => got.signature = value.to_owned(),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            got.body = String::from_utf8(body).ok()?;
            self.got.lock().unwrap().push(got);
            let status = self.status.load(Ordering::SeqCst);
            let answer = format!("HTTP/1.1 {status} -\r\ncontent-length: 2\r\n\r\nok");
            stream.write_all(answer.as_bytes()).await.ok()?;
            self.came.notify_waiters();
        }
    }

    /// What it got, as soon as that is as it should be.
    async fn until(&self, what: &str, is_so: impl Fn(&[Got]) -> bool) -> Vec<Got> {
        let look = async {
            loop {
                let came = self.came.notified();
                let got = self.got.lock().unwrap().clone();
                if is_so(&got) {
                    return got;
                }
                came.await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(30), look).await;
        seen.unwrap_or_else(|_| panic!("{what}: {:?}", self.got.lock().unwrap()))
    }
}

struct Made {
    path: String,
    secret: String,
}

async fn make(bench: &Bench, token: &str, mut wish: Value, endpoint: &Endpoint) -> Made {
    wish["url"] = json!(endpoint.url());
    let answer = bench.post(token, "/v1/accounts/me/webhooks", &wish).await;
    let answer = answer.is(201);
    Made {
        path: format!(
            "/v1/accounts/me/webhooks/{}",
            answer.body["id"].as_str().unwrap()
        ),
        secret: answer.body["secret"].as_str().unwrap().to_owned(),
    }
}

fn tell(bench: &Bench, account: AccountId, number: u64) {
    let told = json!({ "number": number });
    let kind = catalogue::SCHEDULED_CALL_UPDATED;
    log::tell(&bench.writer, kind, account, &told, Utc::now());
}

fn tell_of_call(bench: &Bench, call: CallId, sequence: u64) {
    let event = NewEvent {
        kind: "call.step",
        time: Utc::now(),
        account: bench.sample.customer,
        call: Some(call),
        leg: None,
        sequence,
        data: data(&json!({ "number": sequence })),
    };
    bench.writer.event(event).unwrap();
}

/// Asks until the answer is as it should be.
async fn eventually(
    bench: &Bench,
    token: &str,
    path: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let look = async {
        loop {
            let body = bench.get(token, path).await.is(200).body;
            if is_so(&body) {
                return body;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look)
        .await
        .expect("it becomes so")
}

#[actix_web::test]
async fn what_is_told_is_signed_sent_and_on_record() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let endpoint = Endpoint::start().await;
    let made = make(
        &bench,
        &token,
        json!({"event_types": ["scheduled_call.*"]}),
        &endpoint,
    )
    .await;
    tell(&bench, bench.sample.stranger, 1);
    let other = json!({});
    log::tell(
        &bench.writer,
        catalogue::NUMBER_UPDATED,
        bench.sample.customer,
        &other,
        Utc::now(),
    );
    tell(&bench, bench.sample.customer, 2);
    let got = endpoint.until("it comes", |got| !got.is_empty()).await;
    assert_eq!((got.len(), got[0].number()), (1, 2), "{got:?}");
    let event = got[0].event();
    assert_eq!(event["id"], got[0].id);
    assert_eq!(event["type"], "scheduled_call.updated");
    let signed = signature::sign(
        [made.secret.as_str()],
        &got[0].id,
        got[0].timestamp,
        got[0].body.as_bytes(),
    );
    assert_eq!(got[0].signature, signed);

    let path = format!("{}/deliveries?state=delivered", made.path);
    let list = eventually(&bench, &token, &path, |list| !list["items"][0].is_null()).await;
    let delivery = &list["items"][0];
    assert_eq!(delivery["event"], got[0].id);
    assert_eq!(delivery["attempts"], 1);
    assert_eq!(delivery["last_attempt"]["status"], 200);
    assert_eq!(delivery["last_attempt"]["response"], "ok");
    let path = format!(
        "{}/deliveries/{}",
        made.path,
        delivery["id"].as_str().unwrap()
    );
    assert_eq!(
        bench.get(&token, &path).await.is(200).body["payload"],
        event
    );
    let shown = bench.get(&token, &made.path).await.is(200);
    assert!(!shown.text.contains("whsec_"), "{}", shown.text);
}

#[actix_web::test]
async fn an_endpoint_that_was_away_gets_everything_once_and_in_order() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let endpoint = Endpoint::start().await;
    let made = make(&bench, &token, json!({}), &endpoint).await;
    endpoint.answers(503);
    let calls: Vec<_> = (0..3).map(|_| CallId::from_uuid(Uuid::now_v7())).collect();
    for sequence in 1..=10 {
        for call in &calls {
            tell_of_call(&bench, *call, sequence);
        }
        bench.writer.flush().await;
    }
    endpoint.until("it is refused", |got| got.len() >= 3).await;
    eventually(&bench, &token, &made.path, |shown| {
        !shown["failing_since"].is_null()
    })
    .await;
    endpoint.got.lock().unwrap().clear();
    endpoint.answers(204);
    let got = endpoint
        .until("all of them come", |got| {
            let mut ids: Vec<_> = got.iter().map(|one| &one.id).collect();
            ids.sort_unstable();
            ids.dedup();
            ids.len() == 30
        })
        .await;
    for call in calls {
        let of_call = got
            .iter()
            .filter(|one| one.event()["call"] == call.to_string());
        // What was refused as the endpoint came back may be there twice, but not out of order.
        let mut numbers: Vec<_> = of_call.map(Got::number).collect();
        numbers.dedup();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    }
    eventually(&bench, &token, &made.path, |shown| {
        shown["failing_since"].is_null()
    })
    .await;
}

#[actix_web::test]
async fn an_endpoint_that_is_gone_is_left_alone_until_somebody_enables_it() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let (endpoint, watcher) = (Endpoint::start().await, Endpoint::start().await);
    let made = make(
        &bench,
        &token,
        json!({"event_types": ["scheduled_call.*"]}),
        &endpoint,
    )
    .await;
    make(
        &bench,
        &token,
        json!({"event_types": ["webhook.*"]}),
        &watcher,
    )
    .await;
    endpoint.answers(410);
    tell(&bench, bench.sample.customer, 1);
    let alert = watcher.until("an alert comes", |got| !got.is_empty()).await;
    let alert = alert[0].event();
    assert_eq!(alert["type"], "webhook.disabled");
    assert_eq!(alert["data"]["cause"], "gone");
    let shown = bench.get(&token, &made.path).await.is(200).body;
    assert_eq!(
        (&shown["status"], &shown["disabled_cause"]),
        (&json!("disabled"), &json!("gone"))
    );
    tell(&bench, bench.sample.customer, 2);
    bench.writer.flush().await;
    let replay = json!({"from": "2026-01-01T00:00:00Z"});
    let path = format!("{}/replay", made.path);
    assert_eq!(
        bench.post(&token, &path, &replay).await.is(409).code(),
        "conflict"
    );
    endpoint.answers(200);
    let enabled = bench
        .post(&token, "/v1/accounts/me/webhooks/enable", &json!({}))
        .await
        .is(200);
    assert_eq!(enabled.body["items"].as_array().unwrap().len(), 1);
    let got = endpoint.until("both come", |got| got.len() == 3).await;
    assert_eq!(got.iter().map(Got::number).collect::<Vec<_>>(), [1, 1, 2]);
}

#[actix_web::test]
async fn both_secrets_sign_while_they_are_changed() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let endpoint = Endpoint::start().await;
    let made = make(&bench, &token, json!({}), &endpoint).await;
    let path = format!("{}/rotate_secret", made.path);
    let new = bench.post(&token, &path, &json!({})).await.is(200).body["secret"].clone();
    let tried = bench
        .post(&token, &format!("{}/test", made.path), &json!({}))
        .await
        .is(200);
    assert_eq!(tried.body["status"], 200);
    let got = endpoint
        .until("the test comes", |got| !got.is_empty())
        .await;
    let both = [new.as_str().unwrap(), &made.secret];
    let signed = signature::sign(both, &got[0].id, got[0].timestamp, got[0].body.as_bytes());
    assert_eq!(got[0].signature, signed);
    let again = bench
        .post(&token, &path, &json!({"overlap_h": 0}))
        .await
        .is(200);
    let last = again.body["secret"].as_str().unwrap();
    bench
        .post(&token, &format!("{}/test", made.path), &json!({}))
        .await
        .is(200);
    let got = endpoint.until("it comes again", |got| got.len() == 2).await;
    let signed = signature::sign([last], &got[1].id, got[1].timestamp, got[1].body.as_bytes());
    assert_eq!(got[1].signature, signed);
}

#[actix_web::test]
async fn what_was_sent_can_be_sent_again() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let endpoint = Endpoint::start().await;
    let made = make(&bench, &token, json!({}), &endpoint).await;
    for number in 0..3 {
        tell(&bench, bench.sample.customer, number);
    }
    let first = endpoint.until("they come", |got| got.len() == 3).await;
    let path = format!("{}/deliveries?state=delivered", made.path);
    let all = |list: &Value| list["items"].as_array().unwrap().len() == 3;
    let list = eventually(&bench, &token, &path, all).await;
    let one = &list["items"][1];
    let again = format!(
        "{}/deliveries/{}/replay",
        made.path,
        one["id"].as_str().unwrap()
    );
    bench.post(&token, &again, &json!({})).await.is(202);
    let got = endpoint.until("it comes again", |got| got.len() == 4).await;
    assert_eq!(got[3].id, one["event"].as_str().unwrap());
    let twice = |list: &Value| {
        let items = list["items"].as_array().unwrap();
        items.len() == 3 && items.iter().any(|item| item["attempts"] == 2)
    };
    eventually(&bench, &token, &path, twice).await;

    let replay = json!({"from": first[0].event()["time"]});
    let path = format!("{}/replay", made.path);
    let replayed = bench.post(&token, &path, &replay).await.is(202);
    assert_eq!(replayed.body["deliveries"], 3);
    let got = endpoint.until("all come again", |got| got.len() == 7).await;
    let ids = |got: &[Got]| got.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&got[4..]), ids(&first));
    let backwards = json!({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"});
    let answer = bench.post(&token, &path, &backwards).await.is(422);
    assert_eq!(answer.faults(), ["/from out_of_range"]);
}

#[actix_web::test]
async fn a_parent_may_have_the_events_of_those_below() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.reseller).await;
    let (with, without) = (Endpoint::start().await, Endpoint::start().await);
    make(&bench, &token, json!({"include_descendants": true}), &with).await;
    make(&bench, &token, json!({}), &without).await;
    tell(&bench, bench.sample.stranger, 1);
    tell(&bench, bench.sample.customer, 2);
    tell(&bench, bench.sample.reseller, 3);
    let got = with.until("both come", |got| got.len() == 2).await;
    // Two accounts are two lanes: they do not wait for each other.
    let mut numbers: Vec<_> = got.iter().map(Got::number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
    let got = without.until("its own comes", |got| !got.is_empty()).await;
    assert_eq!(got[0].number(), 3);
}

#[actix_web::test]
async fn what_is_no_webhook_is_refused_with_every_fault() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/webhooks";
    for url in [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:10.0.0.1]/",
        "ftp://example.com/",
        "https://user:secret@example.com/",
        "example.com",
    ] {
        let answer = bench
            .post(&token, path, &json!({ "url": url }))
            .await
            .is(422);
        assert_eq!(answer.faults(), ["/url bad_url"], "{url}");
    }
    let wish = json!({"url": "", "event_types": ["call.exploded"], "description": "\u{7}"});
    let answer = bench.post(&token, path, &wish).await.is(422);
    let faults = answer.faults().join(" ");
    assert!(faults.contains("/event_types/0 unknown_value"), "{faults}");
    assert!(
        faults.contains("/description control_character"),
        "{faults}"
    );
    for _ in 0..20 {
        let wish = json!({"url": "https://example.com/"});
        bench.post(&token, path, &wish).await.is(201);
    }
    let wish = json!({"url": "https://example.com/"});
    bench.post(&token, path, &wish).await.is(409);
}

#[actix_web::test]
async fn a_webhook_is_changed_listed_and_removed_by_its_own_branch_only() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let wish = json!({"url": "https://example.com/", "description": "Ours"});
    let made = bench
        .post(&token, "/v1/accounts/me/webhooks", &wish)
        .await
        .is(201);
    let id = made.body["id"].as_str().unwrap();
    let path = format!("/v1/accounts/me/webhooks/{id}");
    let patch = json!({"status": "disabled", "event_types": ["call.*"]});
    let changed = bench.patch(&token, &path, &patch).await.is(200);
    assert_eq!(changed.body["disabled_cause"], "by_hand");
    let outsider = bench.token(bench.sample.stranger).await;
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::GET, format!("{path}/deliveries")),
        (Method::POST, format!("{path}/rotate_secret")),
        (Method::POST, format!("{path}/test")),
    ] {
        let request = bench.request(method, &outsider, &path);
        read(request.json(&json!({}))).await.is(404);
    }
    // Whoever removes what is not there for them removes nothing.
    bench.delete(&outsider, &path).await.is(204);
    let list = bench.get(&token, "/v1/accounts/me/webhooks").await.is(200);
    assert_eq!(list.body["items"][0]["id"], id);
    bench.delete(&token, &path).await.is(204);
    bench.get(&token, &path).await.is(404);
}

#[actix_web::test]
async fn the_types_of_events_are_listed_with_examples() {
    let bench = Bench::start().await;
    let list = bench.get("", "/v1/event_types").await.is(200).body;
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), catalogue::CATALOGUE.len());
    for item in items {
        assert_eq!(item["example"]["type"], item["type"]);
    }
}
