//! Nothing is allocated for a packet: a leg's buffers are its own, and are reused.
#![expect(
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "tests need some first instant, and their numbers are small"
)]

use rand::SeedableRng;
use rand::rngs::StdRng;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use strowger_media::codec::opus::Wishes;
use strowger_media::codec::{Codec, Encoder, MAX_PAYLOAD};
use strowger_media::mixer::{Room, Seat};
use strowger_media::player::Sound;
use strowger_media::rtp::{Header, MAX_PACKET, Packet};
use strowger_media::session::{
    Command, Connection, Leg, Path, Received, Say, Settings, TelephoneEvent, bridge,
};
use strowger_media::tone::Oscillator;
use strowger_media::{BEAT, Direction, Frame, Rate};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Beats in which buffers find their sizes; longer than the jitter buffer is deep.
const WARM_UP: u16 = 200;
const BEATS: u16 = 1000;

fn address(leg: usize) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 1], 4000 + leg as u16))
}

struct Bench {
    now: Instant,
    legs: Vec<Leg>,
    codecs: Vec<Codec>,
    /// One packet of speech in each leg's codec.
    said: Vec<Vec<u8>>,
}

impl Bench {
    fn new(codecs: &[Codec]) -> Self {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(3);
        let legs = codecs.iter().enumerate().map(|(number, &codec)| {
            let mut leg = Leg::new(Settings::default(), &mut rng, now);
            let connection = Connection {
                remote: Some(address(number)),
                remote_rtcp: None,
                codec,
                payload_type: codec.payload_type(),
                telephone_event: Some(TelephoneEvent {
                    payload_type: 101,
                    clock_rate: codec.clock_rate(),
                }),
                comfort_noise: false,
                opus: Wishes::default(),
                direction: Direction::SendReceive,
            };
            leg.command(Command::Connect(connection), now);
            leg
        });
        let said = codecs.iter().map(|&codec| {
            let mut tone = Oscillator::new(440.0);
            let mut frame = Frame::silent(codec.rate());
            for sample in frame.samples_mut() {
                *sample = (tone.next() * 8000.0) as i16;
            }
            let mut payload = [0; MAX_PAYLOAD];
            let len = Encoder::new(codec, Wishes::default()).encode(&frame, &mut payload);
            payload[..len].to_vec()
        });
        Self {
            now,
            legs: legs.collect(),
            codecs: codecs.to_vec(),
            said: said.collect(),
        }
    }

    /// The phone of a leg says 20 ms; gives the length of what was passed on to `other`.
    fn speaks(&mut self, leg: usize, other: Option<usize>, beat: u16) -> Option<usize> {
        let codec = self.codecs[leg];
        let packet = Packet {
            header: Header {
                marker: beat == 0,
                payload_type: codec.payload_type(),
                sequence: beat,
                timestamp: u32::from(beat) * (codec.clock_rate() / 50),
                ssrc: leg as u32,
            },
            payload: &self.said[leg],
        };
        let mut bytes = [0; MAX_PACKET];
        let len = packet.write(&mut bytes)?;
        match self.legs[leg].receive(&bytes[..len], address(leg), self.now) {
            Received::Relay(passing) => {
                let mut out = [0; MAX_PACKET];
                self.legs[other?].relay(&passing, self.now, &mut out)
            }
            Received::Kept | Received::Ignored(_) => None,
        }
    }

    /// What is allocated in beats of this kind, once they have found their stride.
    fn allocations(&mut self, mut beat: impl FnMut(&mut Self, u16)) -> usize {
        let mut run = |bench: &mut Self, beats: std::ops::Range<u16>| {
            for number in beats {
                bench.now += BEAT;
                beat(bench, number);
                for leg in &mut bench.legs {
                    while leg.next_event().is_some() {}
                }
            }
        };
        run(self, 0..WARM_UP);
        let region = Region::new(ALLOCATOR);
        run(self, WARM_UP..WARM_UP + BEATS);
        let change = region.change();
        change.allocations + change.reallocations
    }
}

/// Two legs of a bridge, packet by packet, with the beat beside it.
fn bridged(bench: &mut Bench, beat: u16) {
    let mut passed = 0;
    for leg in [0, 1] {
        passed += usize::from(bench.speaks(leg, Some(1 - leg), beat).is_some());
    }
    let mut out = [0; MAX_PACKET];
    let now = bench.now;
    for leg in &mut bench.legs {
        leg.hear(now);
    }
    let heard = [0, 1].map(|leg| *bench.legs[leg].heard());
    for leg in [0, 1] {
        let say =
            (bench.legs[leg].path() == Path::Transcoded).then_some(Say::Sound(&heard[1 - leg]));
        passed += usize::from(bench.legs[leg].tick(now, say, &mut out).is_some());
        bench.legs[leg].report(now, &mut out);
    }
    assert!(
        beat < 20 || passed == 2,
        "each leg sends a packet: {passed}"
    );
}

fn confer(bench: &mut Bench, room: &mut Room, beat: u16) {
    for leg in 0..bench.legs.len() {
        bench.speaks(leg, None, beat);
    }
    let now = bench.now;
    for leg in &mut bench.legs {
        leg.hear(now);
    }
    let legs = &bench.legs;
    room.beat(Rate::Narrow, |Seat(member)| {
        legs.get(member as usize).map(Leg::heard)
    });
    let mut out = [0; MAX_PACKET];
    for (member, leg) in bench.legs.iter_mut().enumerate() {
        let own = room.own(Seat(member as u64));
        let say = match &own {
            Some(own) => Say::Sound(own),
            None => Say::Shared(room.everything()),
        };
        assert!(leg.tick(now, Some(say), &mut out).is_some());
    }
}

/// One test, because the allocator counts what all threads do.
#[test]
fn nothing_is_allocated_for_a_packet() {
    let mut relayed = Bench::new(&[Codec::Pcma, Codec::Pcma]);
    let [a, b] = &mut relayed.legs[..] else {
        unreachable!()
    };
    assert_eq!(bridge(a, b), Path::Relayed);
    assert_eq!(relayed.allocations(bridged), 0, "relayed");

    for codec in [Codec::Pcmu, Codec::G722] {
        let mut transcoded = Bench::new(&[Codec::Pcma, codec]);
        let [a, b] = &mut transcoded.legs[..] else {
            unreachable!()
        };
        assert_eq!(bridge(a, b), Path::Transcoded);
        assert_eq!(
            transcoded.allocations(bridged),
            0,
            "transcoded to {codec:?}"
        );
    }

    let mut heard = Bench::new(&[Codec::Pcma]);
    let prompt: Arc<[i16]> = vec![1000; 8000].into();
    let play = Command::Play {
        play: 1,
        sounds: vec![Sound::Pcm(prompt)],
        repeat: true,
    };
    let now = heard.now;
    heard.legs[0].command(play, now);
    let spent = heard.allocations(|bench, beat| {
        bench.speaks(0, None, beat);
        let mut out = [0; MAX_PACKET];
        let now = bench.now;
        bench.legs[0].hear(now);
        assert!(bench.legs[0].tick(now, None, &mut out).is_some());
    });
    assert_eq!(spent, 0, "a prompt");

    let mut members = Bench::new(&[Codec::Pcma; 12]);
    let mut room = Room::new();
    for (member, leg) in members.legs.iter_mut().enumerate() {
        leg.set_path(Path::Mixed);
        room.join(Seat(member as u64), member < 9);
    }
    let spent = members.allocations(|bench, beat| confer(bench, &mut room, beat));
    assert_eq!(spent, 0, "a conference");
}
