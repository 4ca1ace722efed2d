//! RTP, RTCP and telephone-events, as a leg takes them; and WAV files.
//!
//! A seed of the first three is a sequence of datagrams, each behind its length in 16 bits
//! (RFC 4571), so that what one changes is there when the next comes.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use strowger_media::dtmf::{EventPayload, Receiver};
use strowger_media::rtp::{MAX_PACKET, Packet, rtcp};
use strowger_media::sdp::negotiate::{Local, TELEPHONE_EVENT, accept, answer, offer};
use strowger_media::session::{Command, Leg, Received, Say, Settings, bridge};
use strowger_media::wav::{self, Wav};
use strowger_media::{BEAT, Direction, codec::Codec, wav::WavError};

use crate::fuzzer::{Target, outcome};

/// Most datagrams of one input.
const DATAGRAMS: usize = 400;

/// The datagrams of an input; the last takes what is left.
fn datagrams(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (datagram, behind) = behind.split_at(length);
        rest = behind;
        Some(datagram)
    })
    .take(DATAGRAMS)
}

/// Two legs that agreed on this codec, bridged and listened to.
fn legs(codec: Codec, now: Instant) -> [Leg; 2] {
    let local = |port: u16| Local {
        address: SocketAddr::from(([192, 0, 2, 1], port)),
        session_id: 1,
        version: 1,
        codecs: vec![codec],
        direction: Direction::SendReceive,
        ptime_ms: 20,
    };
    let offered = offer(&local(4000));
    let theirs = answer(&offered, &local(5000)).expect("our own offer");
    let ours = accept(&offered, &theirs.sdp).expect("its answer");
    let mut rng = StdRng::seed_from_u64(1);
    let leg = |agreed: strowger_media::session::Connection, rng: &mut StdRng| {
        let mut leg = Leg::new(Settings::default(), rng, now);
        leg.command(Command::Connect(agreed), now);
        leg.listen(true);
        leg
    };
    let mut legs = [
        leg(ours.connection(), &mut rng),
        leg(theirs.connection(), &mut rng),
    ];
    let [a, b] = &mut legs;
    bridge(a, b);
    legs
}

/// Two legs in the middle of a call, and the time there.
struct Talk {
    legs: [Leg; 2],
    now: Instant,
    seen: Vec<String>,
}

impl Talk {
    fn new(rng: &mut StdRng) -> Self {
        let now = Instant::now();
        let codec = Codec::ALL[rng.random_range(0..Codec::ALL.len())];
        Self {
            legs: legs(codec, now),
            now,
            seen: vec![format!("{codec:?}")],
        }
    }

    fn from(rng: &mut StdRng) -> SocketAddr {
        // The peer, now and then somebody else.
        let port = if rng.random_ratio(1, 8) { 6000 } else { 5000 };
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn beat(&mut self) {
        let mut out = [0; MAX_PACKET];
        self.now += BEAT;
        let now = self.now;
        for leg in &mut self.legs {
            leg.hear(now);
        }
        let [a, b] = &mut self.legs;
        for (leg, other) in [(&mut *a, &*b)] {
            if let Some(length) = leg.tick(now, Some(Say::Sound(other.heard())), &mut out) {
                assert!(Packet::read(&out[..length]).is_ok(), "what we send is RTP");
            }
        }
        for leg in &mut self.legs {
            if let Some(length) = leg.report(now, &mut out) {
                assert!(rtcp::read(&out[..length]).all(|report| report.is_ok()));
            }
            while let Some(event) = leg.next_event() {
                self.seen.push(format!("{event:?}"));
            }
            black_box(leg.statistics());
        }
    }
}

fn check_rtp(bytes: &[u8], rng: &mut StdRng) -> Vec<String> {
    let mut talk = Talk::new(rng);
    let mut out = [0; MAX_PACKET];
    for datagram in datagrams(bytes) {
        let [a, b] = &mut talk.legs;
        let seen = match a.receive(datagram, Talk::from(rng), talk.now) {
            Received::Relay(passing) => {
                let length = b.relay(&passing, talk.now, &mut out);
                if let Some(length) = length {
                    let relayed = Packet::read(&out[..length]).expect("what we relay is RTP");
                    let came = Packet::read(datagram).expect("it was read");
                    // A telephone-event is written anew: four octets, at the clock of the peer.
                    if relayed.payload.len() != 4 {
                        assert_eq!(relayed.payload, came.payload);
                    }
                }
                "relayed".to_owned()
            }
            other => format!("{other:?}"),
        };
        talk.seen.push(seen);
        if rng.random_ratio(3, 4) {
            talk.beat();
        }
    }
    talk.beat();
    talk.seen.sort();
    talk.seen.dedup();
    talk.seen
}

fn check_rtcp(bytes: &[u8], rng: &mut StdRng) -> Vec<String> {
    let mut talk = Talk::new(rng);
    for datagram in datagrams(bytes) {
        for report in rtcp::read(datagram) {
            if let Ok(rtcp::Report::Report { blocks, .. }) = &report {
                assert!(blocks.clone().count() <= 31, "a count has five bits");
            }
            let text = format!("{report:?}");
            let kind = text.split([' ', '{']).next().unwrap_or_default();
            talk.seen.push(kind.to_owned());
        }
        let [a, _] = &mut talk.legs;
        a.receive_rtcp(datagram, Talk::from(rng), talk.now);
        talk.now += Duration::from_millis(rng.random_range(0..10_000));
        talk.beat();
    }
    let mut out = [0; MAX_PACKET];
    for leg in &mut talk.legs {
        if let Some(length) = leg.goodbye(talk.now, &mut out) {
            assert!(rtcp::read(&out[..length]).all(|report| report.is_ok()));
        }
    }
    talk.seen.sort();
    talk.seen.dedup();
    talk.seen
}

fn check_telephone_events(bytes: &[u8], rng: &mut StdRng) -> Vec<String> {
    let mut talk = Talk::new(rng);
    let (mut receiver, mut packets) = (Receiver::default(), 0);
    let mut keys = String::new();
    for datagram in datagrams(bytes) {
        let mut datagram = datagram.to_vec();
        if let Some(second) = datagram.get_mut(1) {
            *second = *second & 0x80 | TELEPHONE_EVENT;
        }
        let Ok(packet) = Packet::read(&datagram) else {
            continue;
        };
        packets += 1;
        if let Some(payload) = EventPayload::read(packet.payload) {
            let again = EventPayload::read(&payload.bytes()).expect("four octets");
            assert_eq!(again, payload);
        }
        keys.extend(receiver.take(&packet, 8000));
        let [a, _] = &mut talk.legs;
        black_box(a.receive(&datagram, Talk::from(rng), talk.now));
        talk.beat();
    }
    assert!(keys.len() <= packets, "{keys} in {packets} packets");
    assert!(keys.chars().all(|key| "0123456789ABCD*#".contains(key)));
    keys.truncate(3);
    talk.seen.sort();
    talk.seen.dedup();
    talk.seen.push(keys);
    talk.seen
}

fn check_wav(bytes: &[u8]) -> String {
    let wav = match Wav::parse(bytes) {
        Ok(wav) => wav,
        Err(WavError::Encoding { .. }) => return "encoding".into(),
        Err(WavError::Channels(_)) => return "channels".into(),
        Err(WavError::SampleRate(_)) => return "rate".into(),
        Err(WavError::Truncated { promised, present }) => {
            assert!(promised > present);
            return "truncated".into();
        }
        Err(error) => return error.to_string(),
    };
    let mono = wav.mono();
    assert!(mono.len() <= bytes.len() * 2 + 2, "a file grows no further");
    let samples = usize::try_from(wav.duration().as_micros() / 125).expect("short");
    assert!(
        mono.len().abs_diff(samples) < 3,
        "{} of {samples}",
        mono.len()
    );
    for channel in 0..wav.channels {
        assert_eq!(wav.channel(channel).expect("is there").len(), mono.len());
    }
    assert!(wav.channel(wav.channels).is_none());
    let written = wav::write(&mono);
    assert_eq!(wav::read(&written).expect("ours is readable"), mono);
    format!(
        "{:?} {} {}",
        wav.encoding,
        wav.channels,
        wav.sample_rate / 8000
    )
}

#[test]
fn any_rtp_packet_is_heard_or_passed_over() {
    Target {
        name: "rtp",
        seeds: &[],
        words: &[],
        check: |bytes, rng| outcome(check_rtp(bytes, rng)),
    }
    .run();
}

#[test]
fn any_rtcp_packet_is_read_or_passed_over() {
    Target {
        name: "rtcp",
        seeds: &[],
        words: &[
            b"\x81\xc8",
            b"\x81\xc9\x00\x07",
            b"\x81\xca",
            b"\x81\xcb\x00\x01",
            b"\x80\xcc",
        ],
        check: |bytes, rng| outcome(check_rtcp(bytes, rng)),
    }
    .run();
}

#[test]
fn any_telephone_event_is_a_key_or_passed_over() {
    Target {
        name: "telephone_event",
        seeds: &[],
        words: &[],
        check: |bytes, rng| outcome(check_telephone_events(bytes, rng)),
    }
    .run();
}

#[test]
fn any_wav_file_is_read_or_refused() {
    Target {
        name: "wav",
        seeds: &[],
        words: &[
            b"RIFF",
            b"WAVE",
            b"fmt ",
            b"data",
            b"LIST",
            b"\xfe\xff",
            b"\x06\x00",
        ],
        check: |bytes, _| outcome(check_wav(bytes)),
    }
    .run();
}
