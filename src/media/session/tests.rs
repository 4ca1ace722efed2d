//! Two or three legs and their peers in virtual time.
#![expect(clippy::disallowed_methods, reason = "tests need some first instant")]

mod aligned;
mod any_order;
mod bridge;
mod keys;
mod peer;
mod play;

use super::*;
use crate::codec::opus::Wishes;
use crate::codec::{Decoder, MAX_PAYLOAD};
use crate::goertzel::hears;
use crate::mixer::{Room, Seat};
use crate::player::Sound;
use crate::rtp::{Header, MAX_PACKET};
use crate::tone::{Generator, Tone};
use crate::{BEAT, Direction, FRAME, Rate, SILENCE};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;
use std::time::Duration;

const EVENT: u8 = 101;

/// A leg of ours and the phone that it talks to.
struct Line {
    leg: Leg,
    address: SocketAddr,
    codec: Codec,
    encoder: Encoder,
    /// What the phone says: a tone, as packets of its own stream.
    voice: Generator,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    /// All RTP that came to the phone.
    came: Vec<(Header, Vec<u8>)>,
}

struct Bench {
    now: Instant,
    beats: u32,
    lines: Vec<Line>,
    /// The pair that is bridged.
    bridge: Option<(usize, usize)>,
    room: Room,
}

fn connection(codec: Codec, remote: SocketAddr) -> Connection {
    Connection {
        remote: Some(remote),
        remote_rtcp: None,
        codec,
        payload_type: codec.payload_type(),
        telephone_event: Some(TelephoneEvent {
            payload_type: EVENT,
            clock_rate: codec.clock_rate(),
        }),
        comfort_noise: false,
        opus: Wishes::default(),
        direction: Direction::SendReceive,
    }
}

impl Bench {
    /// Connected legs whose phones say these tones in these codecs.
    fn new(phones: &[(Codec, u16)]) -> Self {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(7);
        let lines = (0..).zip(phones).map(|(number, &(codec, hertz))| {
            let address = SocketAddr::from(([203, 0, 113, number], 4000));
            let mut leg = Leg::new(Settings::default(), &mut rng, now);
            leg.command(Command::Connect(connection(codec, address)), now);
            Line {
                leg,
                address,
                codec,
                encoder: Encoder::new(codec, Wishes::default()),
                voice: Generator::new(Tone::Steady { hertz }),
                sequence: 65_500 + u16::from(number),
                timestamp: u32::MAX - 3000,
                ssrc: 900 + u32::from(number),
                came: Vec::new(),
            }
        });
        Self {
            now,
            beats: 0,
            lines: lines.collect(),
            bridge: None,
            room: Room::new(),
        }
    }

    fn bridge(&mut self, a: usize, b: usize) -> Path {
        let [first, second] = self.lines.get_disjoint_mut([a, b]).expect("are two");
        self.bridge = Some((a, b));
        bridge(&mut first.leg, &mut second.leg)
    }

    /// Puts all legs into the room.
    fn confer(&mut self) {
        for (number, line) in self.lines.iter_mut().enumerate() {
            line.leg.set_path(Path::Mixed);
            self.room.join(Seat(number as u64), true);
        }
    }

    fn other(&self, line: usize) -> Option<usize> {
        match self.bridge? {
            (a, b) if a == line => Some(b),
            (a, b) if b == line => Some(a),
            _ => None,
        }
    }

    /// A datagram of a phone comes to its leg and goes where the leg says.
    fn datagram(&mut self, line: usize, bytes: &[u8]) {
        let from = self.lines[line].address;
        let received = self.lines[line].leg.receive(bytes, from, self.now);
        if let (Received::Relay(passing), Some(other)) = (received, self.other(line)) {
            let mut out = [0; MAX_PACKET];
            let other = &mut self.lines[other];
            if let Some(len) = other.leg.relay(&passing, self.now, &mut out) {
                other.take(&out[..len]);
            }
        }
    }

    /// The phone says its next 20 ms.
    fn speak(&mut self, line: usize) {
        let packet = self.lines[line].next_packet();
        self.datagram(line, &packet);
    }

    /// A beat as the engine does it.
    fn beat(&mut self) {
        self.now += BEAT;
        self.beats += 1;
        let mut rests = Vec::new();
        for line in &mut self.lines {
            rests.push(!self.beats.is_multiple_of(5) && line.leg.pass_beat());
            if rests.last() == Some(&false) {
                line.leg.hear(self.now);
            }
        }
        self.room.beat(Rate::Narrow, |Seat(number)| {
            Some(self.lines[number as usize].leg.heard())
        });
        for (number, rests) in rests.into_iter().enumerate() {
            if rests {
                continue;
            }
            let path = self.lines[number].leg.path();
            let own = match path {
                Path::Transcoded => self
                    .other(number)
                    .map(|other| *self.lines[other].leg.heard()),
                Path::Mixed | Path::Listening => self.room.own(Seat(number as u64)),
                Path::Alone | Path::Relayed => None,
            };
            let say = match (&own, path) {
                (Some(own), _) => Some(Say::Sound(own)),
                (None, Path::Mixed | Path::Listening) => Some(Say::Shared(self.room.everything())),
                (None, _) => None,
            };
            let line = &mut self.lines[number];
            let mut out = [0; MAX_PACKET];
            if let Some(len) = line.leg.tick(self.now, say, &mut out) {
                line.take(&out[..len]);
            }
        }
    }

    /// Both speak for so many beats.
    fn talk(&mut self, beats: usize) {
        for _ in 0..beats {
            for line in 0..self.lines.len() {
                self.speak(line);
            }
            self.beat();
        }
    }

    fn run(&mut self, beats: usize) {
        for _ in 0..beats {
            self.beat();
        }
    }

    fn events(&mut self, line: usize) -> Vec<Event> {
        std::iter::from_fn(|| self.lines[line].leg.next_event()).collect()
    }

    fn command(&mut self, line: usize, command: Command) {
        self.lines[line].leg.command(command, self.now);
    }
}

impl Line {
    fn next_packet(&mut self) -> Vec<u8> {
        let mut frame = SILENCE;
        for (sample, next) in frame.iter_mut().zip(&mut self.voice) {
            *sample = next;
        }
        let mut payload = [0; MAX_PAYLOAD];
        let len = self.encoder.encode(&frame.into(), &mut payload);
        let timestamp = self.timestamp_of_next();
        self.packet(self.codec.payload_type(), timestamp, &payload[..len])
    }

    fn speaks(&mut self, codec: Codec) {
        self.codec = codec;
        self.encoder = Encoder::new(codec, Wishes::default());
    }

    /// Ticks of one beat.
    fn beat(&self) -> u32 {
        self.codec.clock_rate() / 50
    }

    fn timestamp_of_next(&mut self) -> u32 {
        self.timestamp = self.timestamp.wrapping_add(self.beat());
        self.timestamp
    }

    fn packet(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header {
            marker: false,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        let mut out = [0; MAX_PACKET];
        let len = Packet { header, payload }.write(&mut out).expect("fits");
        out[..len].to_vec()
    }

    fn take(&mut self, bytes: &[u8]) {
        let packet = Packet::read(bytes).expect("we send RTP");
        self.came.push((packet.header, packet.payload.to_vec()));
    }

    /// What the phone hears of the packets since `from`, at 8 kHz.
    fn sound(&self, from: usize) -> Vec<i16> {
        let mut decoder = Decoder::new(self.codec);
        let mut heard = Vec::new();
        for (header, payload) in &self.came[from..] {
            if header.payload_type == self.codec.payload_type() {
                heard.extend_from_slice(decoder.decode(payload));
            }
        }
        match self.codec.rate() {
            Rate::Narrow => heard,
            Rate::Wide => {
                let mut halver = Halver::default();
                let (frames, _) = heard.as_chunks();
                frames.iter().flat_map(|it| halver.take(it)).collect()
            }
        }
    }

    /// The stream must be one: no number twice or left out, sound never overlapping.
    fn assert_one_stream(&self) {
        for pair in self.came.windows(2) {
            let ((before, payload), (after, _)) = (&pair[0], &pair[1]);
            assert_eq!(after.ssrc, before.ssrc);
            assert_eq!(
                after.sequence,
                before.sequence.wrapping_add(1),
                "{before:?} {after:?}"
            );
            let step = after.timestamp.wrapping_sub(before.timestamp);
            let least = if before.payload_type == EVENT {
                0
            } else {
                self.codec.ticks(payload)
            };
            let second = self.codec.clock_rate();
            assert!((least..second).contains(&step), "{before:?} {after:?}");
        }
    }
}

fn pcm(tone: Tone, samples: usize) -> Sound {
    Sound::Pcm(Generator::new(tone).take(samples).collect::<Arc<[i16]>>())
}
