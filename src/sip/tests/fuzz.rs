//! Mutates the RFC 4475 messages for a bounded time: whatever comes, reading ends without a panic,
//! and what can be answered is answered readably.
//!
//! `STROWGER_FUZZ_SECONDS` sets the time (3), `STROWGER_FUZZ_SEED` the seed (1). A failure prints
//! the message that caused it.
#![expect(clippy::expect_used, reason = "a test fails by it")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use strowger_sip::address::NameAddr;
use strowger_sip::digest::{Challenge, Credentials};
use strowger_sip::message::ResponseBuilder;
use strowger_sip::reader::{Frame, Framer, MAX_BODY, MAX_HEAD, Message, read};
use strowger_sip::uri::Uri;
use strowger_sip::via::Via;

/// Most rounds, however fast the machine is.
const MAX_ROUNDS: u64 = 20_000_000;

/// Pieces that mean something to a reader of SIP.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b"\r\n ",
    b":",
    b";",
    b";;",
    b",",
    b"=",
    b"\"",
    b"\\",
    b"\\\"",
    b"<",
    b">",
    b"@",
    b"?",
    b"&",
    b"%",
    b"%00",
    b"%zz",
    b"[",
    b"]",
    b"[::1]",
    b"/",
    b"*",
    b"sip:",
    b"sips:",
    b"tel:",
    b"SIP/2.0",
    b"SIP/2.0/UDP ",
    b"\xff",
    b"\xc3\xa9",
    b"0",
    b"-1",
    b"4294967296",
    b"99999999999999999999",
    b"Content-Length: 5\r\n",
    b"l:0\r\n",
    b"v: SIP/2.0/UDP h;branch=z9hG4bK\r\n",
    b"Contact: *\r\n",
    b"Route: <sip:h;lr>,\r\n",
    b"Authorization: Digest username=\"a\", nc=00000001, qop=auth\r\n",
    b";rport",
    b";received=::1",
    b"CSeq: 1 ACK\r\n",
    b"Date: x GMT\r\n",
    b";tag=",
    b"INVITE",
    b"ACK",
    b"GMT",
];

/// Prints the input when a check panics.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("input: {}", self.0.escape_ascii());
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a fuzzer is bounded by true time"
)]
fn now() -> Instant {
    Instant::now()
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("fixtures are there")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).expect("readable"))
        .collect()
}

fn mutated(corpus: &[Vec<u8>], rng: &mut StdRng) -> Vec<u8> {
    let any = |rng: &mut StdRng| corpus[rng.random_range(0..corpus.len())].clone();
    let mut bytes = any(rng);
    for _ in 0..rng.random_range(1..=6) {
        let length = bytes.len();
        let start = rng.random_range(0..=length);
        let end = (start + rng.random_range(0..=24)).min(length);
        match rng.random_range(0..8) {
            0 => bytes.truncate(start),
            1 => drop(bytes.drain(start..end)),
            2 => {
                let piece = bytes[start..end].to_vec();
                bytes.splice(start..start, piece.repeat(rng.random_range(1..40)));
            }
            3 => {
                let other = any(rng);
                let from = rng.random_range(0..=other.len());
                let to = (from + rng.random_range(0..=200)).min(other.len());
                bytes.splice(start..end, other[from..to].iter().copied());
            }
            4 => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte = rng.random();
                }
            }
            _ => {
                let piece = PIECES[rng.random_range(0..PIECES.len())];
                bytes.splice(start..end.min(start + 2), piece.iter().copied());
            }
        }
    }
    bytes
}

/// Looks at everything that a message has.
fn touch(message: &Message) {
    black_box((
        message.method(),
        message.status(),
        message.reason(),
        message.call_id(),
    ));
    black_box((
        message.max_forwards(),
        message.content_type(),
        message.body(),
    ));
    black_box(message.has_wildcard_contact());
    for uri in message
        .request_uri()
        .into_iter()
        .chain([message.from().uri(), message.to().uri()])
    {
        touch_uri(uri);
    }
    let addresses = message
        .contacts()
        .iter()
        .chain(message.routes())
        .chain(message.record_routes());
    for address in addresses {
        touch_uri(address.uri());
        black_box((
            address.display(),
            address.tag(),
            address.params().to_string(),
        ));
        let tagged = address.with_tag("t");
        assert!(
            tagged.is_ok() || address.params().has("tag"),
            "{address}: {tagged:?}"
        );
    }
    for via in message.vias() {
        black_box((
            via.host_ip(),
            via.rport(),
            via.received(),
            via.has_rfc3261_branch(),
        ));
        let again = Via::parse(
            &via.stamped("192.0.2.9:9".parse().expect("address"))
                .to_string(),
        );
        assert!(
            again.is_some_and(|again| again.branch() == via.branch()),
            "{via}"
        );
    }
    for (name, value) in message.headers() {
        black_box(message.header(&name));
        black_box(message.header_list(&name));
        touch_text(&String::from_utf8_lossy(value));
    }
}

fn touch_uri(uri: &Uri) {
    black_box((
        uri.user(),
        uri.unescaped_user(),
        uri.password(),
        uri.host_ip(),
        uri.port(),
    ));
    black_box((
        uri.params().count(),
        uri.headers().count(),
        uri.is_loose_router(),
    ));
    assert_eq!(Uri::parse(uri.as_str()).as_ref(), Ok(uri));
}

/// Reads a text as everything that may stand in a header field.
fn touch_text(text: &str) {
    black_box(Uri::parse(text).is_ok());
    black_box(Via::parse_list(text).is_some());
    if let Ok(list) = NameAddr::parse_list(text) {
        for address in list {
            assert_eq!(NameAddr::parse(address.as_str()).as_ref(), Ok(&address));
        }
    }
    if let Ok(credentials) = Credentials::parse(text) {
        assert_eq!(
            Credentials::parse(&credentials.to_string()).as_ref(),
            Ok(&credentials)
        );
    }
    if let Ok(challenge) = Challenge::parse(text) {
        assert_eq!(
            Challenge::parse(&challenge.to_string()).as_ref(),
            Ok(&challenge)
        );
    }
}

fn check_datagram(bytes: &[u8]) {
    let answer = match read(bytes) {
        Ok(message) => {
            touch(&message);
            if !message.is_request() {
                return;
            }
            let answer = ResponseBuilder::new(&message, 400).to_tag("ours").build();
            let answer = read(&answer.expect("printable")).expect("our answer is readable");
            assert_eq!(answer.call_id(), message.call_id());
            assert_eq!(answer.cseq(), message.cseq());
            assert!(answer.vias().eq(message.vias()));
            return;
        }
        Err(unreadable) => ResponseBuilder::to_unreadable(&unreadable),
    };
    if let Some(answer) = answer {
        black_box(answer.to_tag("ours").build().expect("printable"));
    }
}

fn check_stream(bytes: &[u8], rng: &mut StdRng) {
    let mut framer = Framer::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rng.random_range(1..=rest.len()));
        framer.push(piece);
        while let Some(frame) = framer.next_frame() {
            match frame {
                Frame::Message(message) => {
                    // Both cut at the same place: the body is all that is left of the frame.
                    if let Ok(read) = read(&message) {
                        assert!(message.ends_with(read.body()));
                    }
                }
                Frame::Last(last) => check_datagram(&last),
                Frame::Ping => {}
            }
        }
        assert!(framer.pending() <= MAX_HEAD + MAX_BODY);
        rest = behind;
    }
}

#[test]
fn no_message_makes_the_reader_panic() {
    let corpus = corpus();
    let mut rng = StdRng::seed_from_u64(setting("STROWGER_FUZZ_SEED", 1));
    let end = now() + Duration::from_secs(setting("STROWGER_FUZZ_SECONDS", 3));
    let mut rounds = 0;
    while rounds < MAX_ROUNDS && (rounds % 64 != 0 || now() < end) {
        let bytes = mutated(&corpus, &mut rng);
        let shown = Shown(&bytes);
        check_datagram(&bytes);
        check_stream(&bytes, &mut rng);
        drop(shown);
        rounds += 1;
    }
    eprintln!("{rounds} messages");
}

#[test]
fn no_long_message_takes_long() {
    let line = |text: &str| text.repeat(MAX_HEAD / text.len());
    let start = now();
    for piece in [
        ";", ",", "<", "\"", "%", "@", "a;", "\\\"", ";a=b", "<sip:a>,", "&a=", "\r\n ", "x:",
    ] {
        let long = line(piece);
        let message = format!(
            "INVITE sip:a@b;{long} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1{long}\r\n\
             From: {long}\r\nTo: <sip:a@b>{long}\r\n\r\n"
        );
        for name in [
            "Via",
            "From",
            "Contact",
            "Route",
            "Authorization",
            "Content-Length",
        ] {
            let text = format!("INVITE sip:a@b SIP/2.0\r\n{name}: sip:a@b{long}");
            check_datagram(text.get(..MAX_HEAD - 4).expect("long").as_bytes());
            touch_text(&long);
        }
        check_datagram(message.as_bytes());
    }
    // A hundred long ones; each takes microseconds, but the machine may be busy.
    assert!(
        now() - start < Duration::from_secs(20),
        "reading is not linear"
    );
}
