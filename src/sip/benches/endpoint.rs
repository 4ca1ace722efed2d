//! What a call costs the endpoint: CPU time, allocations and memory, without sockets.
//!
//! `cargo bench -p strowger-sip` plays calls at 1,000 a second of virtual time through one endpoint
//! until its memory of finished transactions (32 s) is full, measures the next ones, and prints a
//! table. With an argument (`uas` or `uac`) it plays that side only, for a profiler.
#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench measures time, and stops when something is not as it should be"
)]

use std::alloc::System;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use strowger_sip::command::{Command, Input, InviteId, OutgoingInvite, Party};
use strowger_sip::config::Config;
use strowger_sip::endpoint::Endpoint;
use strowger_sip::event::{Effect, Event};
use strowger_sip::flow::{Flow, Transport};
use strowger_sip::reader;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Calls until the memory of 32 s is full at 1,000 a second.
const WARM: u64 = 33_000;
/// Calls that are measured.
const MEASURED: u32 = 20_000;
/// Calls that stand at once when the memory of one is measured.
const STANDING: u64 = 5_000;

const SDP: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 192.0.2.9\r\ns=-\r\n\
    c=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";

/// One endpoint in virtual time, and what it sent last.
struct Bench {
    endpoint: Endpoint,
    now: Instant,
    flow: Flow,
    sent: Vec<Bytes>,
    invited: Option<InviteId>,
    /// Time and allocations within the endpoint; the bench's own messages are not counted.
    spent: Duration,
    allocations: u64,
}

impl Bench {
    fn new() -> Self {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let config = Config {
            capacity: 1_000_000,
            max_transactions: 1_000_000,
            ..Config::default()
        };
        Self {
            endpoint: Endpoint::new(config, StdRng::seed_from_u64(7)),
            now: Instant::now(),
            flow: Flow {
                transport: Transport::Udp,
                local: address("192.0.2.1:5060"),
                remote: address("192.0.2.9:5060"),
            },
            sent: Vec::new(),
            invited: None,
            spent: Duration::ZERO,
            allocations: 0,
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.sent.clear();
        let (before, began) = (ALLOCATOR.stats(), Instant::now());
        self.endpoint.handle(input, self.now);
        while let Some(effect) = self.endpoint.next_effect() {
            match effect {
                Effect::Transmit { bytes, .. } => self.sent.push(bytes),
                Effect::Event(Event::Invited { invite, .. }) => self.invited = Some(invite),
                Effect::Event(_) => {}
            }
        }
        self.spent += began.elapsed();
        let after = ALLOCATOR.stats();
        self.allocations += (after.allocations - before.allocations) as u64;
    }

    fn receive(&mut self, text: &str) {
        let flow = self.flow;
        self.input(Input::Message {
            flow,
            bytes: text.as_bytes(),
        });
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.endpoint.deadline().is_some_and(|at| at <= self.now) {
            self.input(Input::Timeout);
        }
    }

    /// The value of a header field of the message that was sent last.
    fn sent_header(&self, name: &str) -> String {
        let last = self.sent.last().expect("a message was sent");
        let message = reader::read(last).expect("it is readable");
        message.header(name).expect("the header").into_owned()
    }
}

/// What their INVITE, ACK and BYE say, given our To tag once it is known.
fn request(method: &str, number: u64, cseq: u32, to: &str) -> String {
    let body = if method == "INVITE" { SDP } else { "" };
    let kind = if method == "INVITE" {
        "Content-Type: application/sdp\r\n"
    } else {
        ""
    };
    format!(
        "{method} sip:4930123456@192.0.2.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-{method}-{number}-0\r\n\
         From: \"Caller\" <sip:4940987654@192.0.2.9:5060>;tag=7831SIPpTag00{number}\r\n\
         To: {to}\r\n\
         Call-ID: {number}-7831@192.0.2.9\r\n\
         CSeq: {cseq} {method}\r\n\
         Contact: <sip:4940987654@192.0.2.9:5060>\r\n\
         Max-Forwards: 70\r\n\
         Subject: Performance Test\r\n\
         User-Agent: carrier 1.0\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const TO: &str = "<sip:4930123456@192.0.2.1:5060>";

/// A call that comes in is answered, and the caller hangs up.
fn answered(bench: &mut Bench, number: u64) {
    set_up_answered(bench, number);
    let to = bench.sent_header("To");
    bench.receive(&request("ACK", number, 1, &to));
    bench.receive(&request("BYE", number, 2, &to));
    assert_eq!(bench.sent.len(), 1, "the BYE is answered");
}

fn set_up_answered(bench: &mut Bench, number: u64) {
    bench.receive(&request("INVITE", number, 1, TO));
    let invite = bench.invited.take().expect("the call came in");
    bench.input(Input::Command(Command::Accept {
        invite,
        body: Some(Bytes::from_static(SDP.as_bytes())),
    }));
}

/// What they answer to the request of ours that was sent last.
fn response(bench: &Bench, status: &str, number: u64, body: &str) -> String {
    let last = bench.sent.last().expect("a request was sent");
    let text = std::str::from_utf8(last).expect("text");
    let line = |name: &str| {
        let found = text.lines().find(|line| line.starts_with(name));
        found.expect("the header").to_owned()
    };
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    let tag = if text.contains("them-") {
        String::new()
    } else {
        format!(";tag=them-{number}")
    };
    format!(
        "SIP/2.0 {status}\r\n{}\r\n{}\r\n{}{tag}\r\n{}\r\n{}\r\n\
         Contact: <sip:4930123456@192.0.2.9:5060>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        line("Via:"),
        line("From:"),
        line("To:"),
        line("Call-ID:"),
        line("CSeq:"),
        body.len()
    )
}

/// A call of ours is answered, and we hang up.
fn called(bench: &mut Bench, number: u64) {
    let invite = set_up_called(bench, number);
    bench.input(Input::Command(Command::End {
        invite,
        status: 487,
        q850: Some(16),
    }));
    let ok = response(bench, "200 OK", number, "");
    bench.receive(&ok);
}

fn set_up_called(bench: &mut Bench, number: u64) -> InviteId {
    let invite = InviteId(number * 2 + 1);
    let flow = bench.flow;
    bench.input(Input::Command(Command::Invite(Box::new(OutgoingInvite {
        invite,
        flow,
        request_uri: "sip:4930123456@192.0.2.9:5060".to_owned(),
        from: Party::new("sip:4940987654@192.0.2.1:5060"),
        to: Party::new("sip:4930123456@192.0.2.9:5060"),
        p_asserted_identity: Some("sip:4940987654@192.0.2.1".to_owned()),
        credentials: None,
        headers: Vec::new(),
        offer: Bytes::from_static(SDP.as_bytes()),
        route: Vec::new(),
        call_id: None,
    }))));
    let trying = response(bench, "100 Trying", number, "");
    let ringing = response(bench, "180 Ringing", number, "");
    let ok = response(bench, "200 OK", number, SDP);
    bench.receive(&trying);
    bench.receive(&ringing);
    bench.receive(&ok);
    assert_eq!(bench.sent.len(), 1, "the 2xx is acknowledged");
    invite
}

fn held() -> u64 {
    let stats = ALLOCATOR.stats();
    (stats.bytes_allocated as u64).wrapping_sub(stats.bytes_deallocated as u64)
}

/// Memory that this process has (PSS), in KiB.
fn resident() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.trim().split(' ').next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

fn measure(name: &str, call: fn(&mut Bench, u64), set_up: &dyn Fn(&mut Bench, u64)) {
    let mut bench = Bench::new();
    let empty = held();
    for number in 0..WARM {
        call(&mut bench, number);
        bench.pass(Duration::from_millis(1));
    }
    let counts = bench.endpoint.live();
    let finished = counts.client_transactions + counts.server_transactions;
    let per_finished = (held() - empty) / finished as u64;
    (bench.spent, bench.allocations) = (Duration::ZERO, 0);
    for number in WARM..WARM + u64::from(MEASURED) {
        call(&mut bench, number);
        bench.pass(Duration::from_millis(1));
    }
    let (spent, allocations) = (bench.spent / MEASURED, bench.allocations);
    let full = resident();
    bench.pass(Duration::from_mins(2));
    println!(
        "{name}: {full} KiB are resident with the memory of 32 s, {} after it",
        resident()
    );
    let over = held();
    for number in 0..STANDING {
        set_up(&mut bench, 1_000_000 + number);
    }
    let standing = (held() - over) / STANDING;
    println!(
        "{name}: {spent:.1?} and {} allocations a call; {per_finished} bytes a finished transaction \
         ({finished} of them); {standing} bytes a call that stands, with its transactions",
        allocations / u64::from(MEASURED),
    );
}

fn main() {
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let plays = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if plays("uas") {
        measure("uas", answered, &set_up_answered);
    }
    if plays("uac") {
        measure("uac", called, &|bench, number| {
            set_up_called(bench, number);
        });
    }
}
