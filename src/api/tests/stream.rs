//! A reader of events misses nothing, also when it comes back.

use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};
use strowger_domain::ids::{AccountId, CallId};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::harness::Bench;
use crate::api::Settings;
use crate::api::event_stream::StreamSettings;
use crate::events::{catalogue, log};
use crate::store::events::{NewEvent, data};

fn tell(bench: &Bench, account: AccountId, number: u32) {
    let data = json!({"number": number});
    log::tell(
        &bench.writer,
        catalogue::SCHEDULED_CALL_UPDATED,
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

/// A WebSocket client: the handshake, and the texts that come.
struct Socket {
    stream: BufReader<TcpStream>,
}

impl Socket {
    /// Opens a stream; `Err` is the HTTP status of a refusal.
    async fn open(bench: &Bench, path: &str, headers: &str) -> Result<Self, u16> {
        let stream = TcpStream::connect(bench.address).await.unwrap();
        let mut stream = BufReader::new(stream);
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {headers}\r\n",
            bench.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = String::new();
        stream.read_line(&mut status).await.unwrap();
        let code: u16 = status.split(' ').nth(1).unwrap().parse().unwrap();
        if code != 101 {
            return Err(code);
        }
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            stream.read_line(&mut head).await.unwrap();
        }
        if headers.contains("sec-websocket-protocol") {
            let head = head.to_ascii_lowercase();
            assert!(
                head.contains("sec-websocket-protocol: strowger.events.v1\r\n"),
                "{head}"
            );
        }
        Ok(Self { stream })
    }

    /// The next text; `None`: the stream was closed.
    async fn text(&mut self) -> Option<Value> {
        loop {
            let first = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => u64::from(self.stream.read_u16().await.ok()?),
                127 => self.stream.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload).await.ok()?;
            match first & 0x0f {
                1 => return Some(serde_json::from_slice(&payload).unwrap()),
                8 => return None,
                // A pong, masked with zeros.
                9 => self
                    .stream
                    .write_all(&[0x8a, 0x80, 0, 0, 0, 0])
                    .await
                    .ok()?,
                _ => {}
            }
        }
    }

    /// So many events, and what stood between them is left out.
    async fn events(&mut self, many: usize) -> Vec<Value> {
        let mut events = Vec::new();
        let read = async {
            while events.len() < many {
                let text = self.text().await.expect("the stream goes on");
                if !text["type"].as_str().unwrap().starts_with("stream.") {
                    events.push(text);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read)
            .await
            .expect("events in time");
        events
    }
}

fn numbers(events: &[Value]) -> Vec<u64> {
    let numbers = events.iter().map(|event| event["data"]["number"].as_u64());
    numbers.map(Option::unwrap).collect()
}

#[actix_web::test]
async fn a_browser_reads_by_web_socket_and_gets_what_it_missed() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let offered = format!("sec-websocket-protocol: strowger.events.v1, bearer.{token}\r\n");
    let path = "/v1/accounts/me/events";
    let mut socket = Socket::open(&bench, path, &offered).await.ok().unwrap();
    assert_eq!(socket.text().await.unwrap()["type"], "stream.opened");
    for number in 0..3 {
        tell(&bench, bench.sample.customer, number);
        tell(&bench, bench.sample.stranger, 100 + number);
    }
    let first = socket.events(3).await;
    assert_eq!(numbers(&first), [0, 1, 2]);
    drop(socket);
    tell(&bench, bench.sample.customer, 3);
    let path = format!("{path}?after={}", first[0]["id"].as_str().unwrap());
    let mut socket = Socket::open(&bench, &path, &offered).await.ok().unwrap();
    assert_eq!(numbers(&socket.events(3).await), [1, 2, 3]);
}

#[actix_web::test]
async fn a_web_socket_without_a_token_is_refused() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/events";
    for headers in [
        String::new(),
        "sec-websocket-protocol: strowger.events.v1\r\n".to_owned(),
        "sec-websocket-protocol: strowger.events.v1, bearer.nonsense\r\n".to_owned(),
        format!("sec-websocket-protocol: bearer.{token}\r\n"),
    ] {
        assert_eq!(Socket::open(&bench, path, &headers).await.err(), Some(401));
    }
    let in_query = format!("{path}?access_token={token}");
    assert_eq!(Socket::open(&bench, &in_query, "").await.err(), Some(401));
    let other = format!("/v1/accounts/{}/events", bench.sample.stranger);
    let headers = format!("authorization: Bearer {token}\r\n");
    assert_eq!(
        Socket::open(&bench, &other, &headers).await.err(),
        Some(404)
    );
}

fn quick() -> Settings {
    Settings {
        streams: StreamSettings {
            heartbeat: Duration::from_millis(50),
            patience: Duration::from_millis(200),
            most: 1,
        },
        ..Settings::default()
    }
}

#[actix_web::test]
async fn a_stream_ends_with_the_sign_in_and_each_account_has_so_many() {
    let bench = Bench::start_with(quick()).await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/events";
    let headers = format!("authorization: Bearer {token}\r\n");
    let mut socket = Socket::open(&bench, path, &headers).await.ok().unwrap();
    let second = Socket::open(&bench, path, &headers).await;
    assert_eq!(second.err(), Some(429));
    while socket.text().await.unwrap()["type"] != "stream.heartbeat" {}
    bench.post(&token, "/v1/auth/logout", &json!({})).await;
    let ended = loop {
        let text = socket.text().await.unwrap();
        if text["type"] == "stream.ended" {
            break text;
        }
    };
    assert_eq!(ended["cause"], "unauthorised");
    assert_eq!(socket.text().await, None);
    // Its place is free again.
    let token = bench.token(bench.sample.customer).await;
    let headers = format!("authorization: Bearer {token}\r\n");
    let again = async {
        while Socket::open(&bench, path, &headers).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again)
        .await
        .expect("there is room");
}

#[actix_web::test]
async fn a_reader_that_is_too_slow_is_told_where_to_go_on() {
    let mut settings = quick();
    settings.streams.heartbeat = Duration::from_mins(1);
    let bench = Bench::start_with(settings).await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/events";
    let headers = format!("authorization: Bearer {token}\r\n");
    let mut socket = Socket::open(&bench, path, &headers).await.ok().unwrap();
    assert_eq!(socket.text().await.unwrap()["type"], "stream.opened");
    // More than the sockets of both sides hold.
    let most = 1000_u32;
    for number in 0..most {
        let data = json!({ "number": number, "text": "x".repeat(30_000) });
        let kind = catalogue::SCHEDULED_CALL_UPDATED;
        log::tell(
            &bench.writer,
            kind,
            bench.sample.customer,
            &data,
            Utc::now(),
        );
    }
    bench.writer.flush().await;
    // The place of a reader that is let go is free; it has read nothing meanwhile.
    let again = async {
        loop {
            let now = Socket::open(&bench, path, &headers).await;
            if now.is_ok() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again)
        .await
        .expect("it is let go");
    let (mut got, mut ended) = (Vec::new(), Value::Null);
    while let Some(text) = socket.text().await {
        match text["type"].as_str().unwrap() {
            "stream.ended" => ended = text,
            "stream.heartbeat" => {}
            _ => got.push(text),
        }
    }
    assert_eq!(ended["cause"], "too_slow");
    assert_eq!(ended["after"], got.last().unwrap()["id"]);
    assert!(got.len() < usize::try_from(most).unwrap());
    let rest = format!("{path}?after={}", ended["after"].as_str().unwrap());
    let missing = usize::try_from(most).unwrap() - got.len();
    let resume = async {
        loop {
            if let Ok(socket) = Socket::open(&bench, &rest, &headers).await {
                return socket;
            }
            tokio::task::yield_now().await;
        }
    };
    let mut socket = tokio::time::timeout(Duration::from_secs(20), resume)
        .await
        .expect("it comes back");
    got.extend(socket.events(missing).await);
    assert_eq!(numbers(&got), (0..u64::from(most)).collect::<Vec<_>>());
}

#[actix_web::test]
async fn the_events_of_a_number_are_those_of_its_calls() {
    let bench = Bench::start().await;
    let token = bench.token(bench.sample.customer).await;
    let path = "/v1/accounts/me/events?number=%2B441632960001&types=call.*";
    let headers = format!("authorization: Bearer {token}\r\n");
    let mut socket = Socket::open(&bench, path, &headers).await.ok().unwrap();
    assert_eq!(socket.text().await.unwrap()["type"], "stream.opened");
    let of = |number: &str, sequence: u64| {
        let call = CallId::from_uuid(Uuid::now_v7());
        for (place, kind) in ["call.started", "leg.ringing", "call.ended"]
            .into_iter()
            .enumerate()
        {
            let told = json!({ "service_number": number, "number": sequence + place as u64 });
            let told = if place == 0 {
                told
            } else {
                json!({"number": sequence + place as u64})
            };
            let event = NewEvent {
                kind,
                time: Utc::now(),
                account: bench.sample.customer,
                call: Some(call),
                leg: None,
                sequence: place as u64 + 1,
                data: data(&told),
            };
            bench.writer.event(event).unwrap();
        }
    };
    of("+441632960002", 10);
    of("+441632960001", 20);
    assert_eq!(numbers(&socket.events(2).await), [20, 22]);
}
