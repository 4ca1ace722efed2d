//! What a conference costs for each member and 20 ms frame, sockets left out:
//! `cargo bench -p strowger-media --bench room`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::expect_used,
    reason = "a program for a hand at a terminal"
)]

use rand::SeedableRng;
use rand::rngs::StdRng;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use strowger_media::codec::opus::Wishes;
use strowger_media::codec::{Codec, Encoder, MAX_PAYLOAD};
use strowger_media::mixer::{Room, Seat};
use strowger_media::rtp::{Header, MAX_PACKET, Packet};
use strowger_media::session::{Command, Connection, Leg, Path, Say, Settings, TelephoneEvent};
use strowger_media::tone::Oscillator;
use strowger_media::{BEAT, Direction, FRAME, Narrow, Rate};

const BEATS: u16 = 500;

/// Who says what in a room.
struct Scene {
    name: &'static str,
    /// Members that are seated as talkers.
    talkers: fn(usize) -> usize,
    /// Members that speak; the other talkers send line noise.
    speak: fn(usize) -> usize,
}

const SCENES: [Scene; 3] = [
    Scene {
        name: "all speak",
        talkers: |members| members,
        speak: |members| members,
    },
    Scene {
        name: "three speak, the others are quiet",
        talkers: |members| members,
        speak: |members| members.min(3),
    },
    Scene {
        name: "three speak, the others only listen",
        talkers: |members| members.min(3),
        speak: |members| members.min(3),
    },
];

/// Time spent in each round of the beat.
#[derive(Default)]
struct Spent {
    receive: Duration,
    hear: Duration,
    mix: Duration,
    say: Duration,
}

fn address(member: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1024 + member as u16))
}

fn main() {
    println!("µs per member and frame, {BEATS} beats each");
    println!("members  receive  hear   mix    say    sum    scene");
    for scene in &SCENES {
        for members in [10, 100, 1000] {
            let spent = run(scene, members);
            let each =
                |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(BEATS) / members as f64;
            println!(
                "{members:7}  {:7.2}  {:5.2}  {:5.2}  {:5.2}  {:5.2}  {}",
                each(spent.receive),
                each(spent.hear),
                each(spent.mix),
                each(spent.say),
                each(spent.receive + spent.hear + spent.mix + spent.say),
                scene.name
            );
        }
    }
}

fn run(scene: &Scene, members: usize) -> Spent {
    let mut now = Instant::now();
    let mut rng = StdRng::seed_from_u64(1);
    let mut room = Room::new();
    let mut legs: Vec<_> = (0..members)
        .map(|member| {
            let mut leg = Leg::new(Settings::default(), &mut rng, now);
            let connection = Connection {
                remote: Some(address(member)),
                remote_rtcp: None,
                codec: Codec::Pcma,
                payload_type: 8,
                telephone_event: Some(TelephoneEvent {
                    payload_type: 101,
                    clock_rate: 8000,
                }),
                comfort_noise: false,
                opus: Wishes::default(),
                direction: Direction::SendReceive,
            };
            leg.command(Command::Connect(connection), now);
            let talker = member < (scene.talkers)(members);
            leg.set_path(if talker { Path::Mixed } else { Path::Listening });
            room.join(Seat(member as u64), talker);
            leg
        })
        .collect();
    let speech = sound(8000.0);
    let noise = sound(20.0);
    let mut spent = Spent::default();
    let mut out = [0; MAX_PACKET];
    let mut octets = 0;
    for beat in 0..BEATS {
        now += BEAT;
        let packets = [&speech, &noise].map(|payload| packet(beat, payload));
        let began = Instant::now();
        for (member, leg) in legs.iter_mut().enumerate() {
            let quiet = usize::from(member >= (scene.speak)(members));
            leg.receive(&packets[quiet], address(member), now);
        }
        let received = Instant::now();
        for leg in &mut legs {
            leg.hear(now);
        }
        let heard = Instant::now();
        room.beat(Rate::Narrow, |Seat(member)| {
            legs.get(member as usize).map(Leg::heard)
        });
        let mixed = Instant::now();
        for (member, leg) in legs.iter_mut().enumerate() {
            let own = room.own(Seat(member as u64));
            let say = match &own {
                Some(own) => Say::Sound(own),
                None => Say::Shared(room.everything()),
            };
            octets += leg.tick(now, Some(say), &mut out).unwrap_or_default();
            while leg.next_event().is_some() {}
        }
        let said = Instant::now();
        spent.receive += received - began;
        spent.hear += heard - received;
        spent.mix += mixed - heard;
        spent.say += said - mixed;
    }
    assert_eq!(octets, usize::from(BEATS) * members * (12 + FRAME));
    spent
}

/// A beat of a tone, in A-law.
fn sound(amplitude: f32) -> Vec<u8> {
    let mut oscillator = Oscillator::new(400.0);
    let frame: Narrow = std::array::from_fn(|_| (oscillator.next() * amplitude) as i16);
    let mut payload = [0; MAX_PAYLOAD];
    let len = Encoder::new(Codec::Pcma, Wishes::default()).encode(&frame.into(), &mut payload);
    payload[..len].to_vec()
}

fn packet(beat: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: 8,
        sequence: beat,
        timestamp: u32::from(beat) * FRAME as u32,
        ssrc: 7,
    };
    let mut bytes = [0; MAX_PACKET];
    let length = Packet { header, payload }.write(&mut bytes);
    bytes[..length.expect("fits")].to_vec()
}
