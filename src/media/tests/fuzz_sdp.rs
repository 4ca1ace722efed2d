//! Mutates recorded session descriptions for a bounded time: whatever comes, negotiation ends
//! without a panic, and what we answer fits what was offered.
//!
//! `STROWGER_FUZZ_SECONDS` sets the time (3), `STROWGER_FUZZ_SEED` the seed (1). A failure prints
//! the description that caused it.
#![expect(clippy::expect_used, reason = "a test fails by it")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use strowger_media::Direction;
use strowger_media::codec::Codec;
use strowger_media::sdp::negotiate::{Local, accept, answer, answer_again, offer, offer_again};
use strowger_media::sdp::session::Session;

/// Most rounds, however fast the machine is.
const MAX_ROUNDS: u64 = 20_000_000;

/// Pieces that mean something to a reader of SDP.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"/",
    b":",
    b"=",
    b"-1",
    b"0",
    b"65536",
    b"99999999999999999999",
    b"128",
    b"m=audio 1 RTP/AVP 0\r\n",
    b"m=audio 0 RTP/AVP 8\r\n",
    b"m=",
    b"c=IN IP4 0.0.0.0\r\n",
    b"c=IN IP6 ::1\r\n",
    b"c=IN IP4 224.0.0.1/127/3\r\n",
    b"v=0\r\n",
    b"a=rtpmap:8 PCMU/8000\r\n",
    b"a=rtpmap:0 telephone-event/8000\r\n",
    b"a=ptime:0\r\n",
    b"a=rtcp:1 IN IP4 x\r\n",
    b"a=sendonly\r\n",
    b"a=inactive\r\n",
    b"RTP/AVP",
    b"RTP/SAVP",
    b"\xff",
    b"\xc3\xa9",
    b"\xef\xbb\xbf",
    b"8000/2",
    b"audio",
    b"t=",
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sdp");
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

fn local() -> Local {
    Local {
        address: "192.0.2.10:20000".parse().expect("address"),
        session_id: 1,
        version: 1,
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        direction: Direction::SendReceive,
        ptime_ms: 20,
    }
}

fn mutated(corpus: &[Vec<u8>], rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = corpus[rng.random_range(0..corpus.len())].clone();
    for _ in 0..rng.random_range(1..=6) {
        let start = rng.random_range(0..=bytes.len());
        let end = (start + rng.random_range(0..=24)).min(bytes.len());
        match rng.random_range(0..6) {
            0 if rng.random_range(0..8) == 0 => bytes.truncate(start),
            1 => drop(bytes.drain(start..end)),
            2 => {
                let piece = bytes[start..end].to_vec();
                bytes.splice(start..start, piece.repeat(rng.random_range(1..40)));
            }
            3 => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte = rng.random();
                }
            }
            _ => {
                let piece = PIECES[rng.random_range(0..PIECES.len())];
                bytes.splice(start..end.min(start + 3), piece.iter().copied());
            }
        }
    }
    bytes
}

fn check(bytes: &[u8], ours: &Bytes) {
    if let Ok(session) = Session::parse(bytes) {
        for media in &session.media {
            black_box((
                media.rtp_address(),
                media.rtcp_address(),
                media.telephone_event(),
            ));
        }
    }
    if let Ok(agreed) = answer(bytes, &local()) {
        let offered = Session::parse(bytes).expect("was read");
        let answered = Session::parse(&agreed.sdp).expect("ours is readable");
        assert_eq!(offered.media.len(), answered.media.len());
        assert_eq!(
            answered
                .media
                .iter()
                .filter(|media| media.port != 0)
                .count(),
            1
        );
        for (theirs, ours) in offered.media.iter().zip(&answered.media) {
            assert!(theirs.kind.eq_ignore_ascii_case(&ours.kind));
            assert!(ours.port == 0 || ours.encodings.iter().all(|e| theirs.encodings.contains(e)));
        }
        let again = answer_again(&agreed.sdp, bytes, &local()).expect("as before");
        assert_eq!(again.sdp, agreed.sdp);
        let further = offer_again(&agreed.sdp, &local()).expect("ours is readable");
        let further = Session::parse(&further).expect("ours is readable");
        assert_eq!(further.media.len(), answered.media.len());
    }
    if let Ok(agreed) = accept(ours, bytes) {
        assert!(local().codecs.contains(&agreed.codec));
    }
}

#[test]
fn no_session_description_makes_the_negotiation_panic() {
    let corpus = corpus();
    let ours = offer(&local());
    let mut rng = StdRng::seed_from_u64(setting("STROWGER_FUZZ_SEED", 1));
    let end = now() + Duration::from_secs(setting("STROWGER_FUZZ_SECONDS", 3));
    let mut rounds = 0;
    while rounds < MAX_ROUNDS && (rounds % 64 != 0 || now() < end) {
        let bytes = mutated(&corpus, &mut rng);
        let shown = Shown(&bytes);
        check(&bytes, &ours);
        drop(shown);
        rounds += 1;
    }
    eprintln!("{rounds} session descriptions");
}
