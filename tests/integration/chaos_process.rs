//! The program under floods, and out of file descriptors: it refuses, it never ends, and it gives
//! everything back. `STROWGER_CHAOS_ROUNDS` (2) has the flood longer.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::harness::{
    Bare, Builder, CUSTOMER_NUMBER, Caller, Phone, Process, audio, in_time, plan,
};

/// INVITEs of one flood.
const FLOOD: usize = 10_000;
/// INVITEs on their way at once: more would be lost in the sockets' buffers.
const AT_ONCE: usize = 200;
/// What the resident memory may grow by from one flood to the next, in bytes: allocators keep some.
const SLOPE: f64 = 48.0 * 1024.0 * 1024.0;

/// Answers, and waits until the caller hangs up.
fn hello() -> Value {
    let waits = json!({ "prompt": [audio(500)], "timeout_s": 60 });
    plan("hello", Some("hello"))
        .node("hello", "ivr_menu", waits, json!({ "1": "bye" }))
        .hang_up("bye", "normal_clearing")
        .build()
}

/// Short timers, so that what only time ends is seen to end: 64*T1 is 1.3 s.
fn hurried(builder: Builder) -> Builder {
    builder.set(|settings| settings.sip_t1_ms = Some("20".into()))
}

/// Sends INVITEs without ever an ACK; every tenth to a number that answers, the others to none.
/// Answers how many got a final response.
async fn flood(rude: &Bare, process: &Process, round: usize) -> usize {
    let mut answered = std::collections::HashSet::new();
    for start in (0..FLOOD).step_by(AT_ONCE) {
        for n in start..start + AT_ONCE {
            let number = if n % 10 == 0 {
                CUSTOMER_NUMBER
            } else {
                "+441632999999"
            };
            let call = format!("flood-{round}-{n}");
            rude.send(&rude.invite(number, &call), process.sip).await;
        }
        let enough = start + AT_ONCE;
        let hearing = async {
            while answered.len() < enough {
                let text = rude.hears_any().await;
                let call = text.lines().find_map(|line| line.strip_prefix("Call-ID: "));
                if let Some(call) = call.filter(|_| is_final(&text)) {
                    answered.insert(call.to_owned());
                }
            }
        };
        // What is lost on the way to us is lost.
        let _ = tokio::time::timeout(Duration::from_secs(3), hearing).await;
    }
    answered.len()
}

fn is_final(text: &str) -> bool {
    text.starts_with("SIP/2.0 ") && !text.starts_with("SIP/2.0 1")
}

async fn is_well(process: &Process, phone: &Phone) {
    let mut line = phone
        .call(CUSTOMER_NUMBER, process.sip, Caller::default())
        .await;
    line.is_answered().await;
    line.hang_up();
    line.is_over().await;
}

#[actix::test]
async fn ten_thousand_invites_without_an_ack_leave_nothing() {
    let rounds = std::env::var("STROWGER_CHAOS_ROUNDS").map_or(2, |rounds| rounds.parse().unwrap());
    let phone = Phone::start().await;
    let process = hurried(Builder::new(hello(), &phone)).spawn().await;
    is_well(&process, &phone).await;
    let before = process.is_as(&process.gauges().await).await;
    let mut resident = Vec::new();
    for round in 0..rounds {
        let rude = Bare::start().await;
        let answered = flood(&rude, &process, round).await;
        assert!(answered > FLOOD * 9 / 10, "{answered} were answered");
        let after = process.is_as(&before).await;
        is_well(&process, &phone).await;
        resident.push(after["process_resident_memory_bytes"]);
    }
    let grown = resident[rounds - 1] - resident[0];
    assert!(grown < SLOPE, "memory grows: {resident:?}");
    process.terminate().await;
}

#[actix::test]
async fn without_file_descriptors_calls_get_503_and_the_api_goes_on() {
    let phone = Phone::start().await;
    let process = hurried(Builder::new(hello(), &phone))
        .files(300)
        .spawn()
        .await;
    is_well(&process, &phone).await;
    let before = process.is_as(&process.gauges().await).await;
    // As many connections as there can be descriptors: what is too much is closed.
    let mut connections = Vec::new();
    for _ in 0..300 {
        let connection = in_time("a connection", TcpStream::connect(process.sip)).await;
        connections.push(connection.unwrap());
    }
    let mut lines = Vec::new();
    let refused = loop {
        assert!(lines.len() < 300, "nobody is refused");
        // Without an offer nobody knows yet where its sound comes from: it needs ports of its own.
        let caller = Caller {
            codecs: Vec::new(),
            ..Caller::default()
        };
        let mut line = phone.call(CUSTOMER_NUMBER, process.sip, caller).await;
        let refused = line.is_answered_or_refused().await;
        lines.push(line);
        if let Some(status) = refused {
            break status;
        }
    };
    assert_eq!(refused, 503, "after {} calls", lines.len());
    assert!(lines.len() > 20, "only {} calls", lines.len());
    let api = process.api().await;
    api.get("/v1/accounts/me/calls?state=live").await.is(200);
    drop(connections);
    lines.pop();
    for mut line in lines {
        line.hang_up();
        line.is_over().await;
    }
    process.is_as(&before).await;
    is_well(&process, &phone).await;
    process.terminate().await;
}
