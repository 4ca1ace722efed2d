//! Two or three legs and their peers in virtual time.
#![expect(clippy::disallowed_methods, reason = "tests need some first instant")]

use super::*;
use crate::goertzel::hears;
use crate::mixer::{Room, Seat};
use crate::player::Sound;
use crate::rtp::{Header, MAX_PACKET};
use crate::tone::{Generator, Tone};
use crate::{BEAT, Direction, FRAME};
use proptest::prelude::*;
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
    lines: Vec<Line>,
    /// The pair that is bridged.
    bridge: Option<(usize, usize)>,
    room: Room,
    seats: Vec<Seat>,
}

fn connection(codec: Codec, remote: SocketAddr) -> Connection {
    Connection {
        remote: Some(remote),
        remote_rtcp: None,
        codec,
        payload_type: codec.payload_type(),
        telephone_event: Some(EVENT),
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
                voice: Generator::new(Tone::Steady { hertz }),
                sequence: 65_500 + u16::from(number),
                timestamp: u32::MAX - 3000,
                ssrc: 900 + u32::from(number),
                came: Vec::new(),
            }
        });
        Self {
            now,
            lines: lines.collect(),
            bridge: None,
            room: Room::new(),
            seats: Vec::new(),
        }
    }

    fn bridge(&mut self, a: usize, b: usize) -> Path {
        let [first, second] = self.lines.get_disjoint_mut([a, b]).expect("are two");
        self.bridge = Some((a, b));
        bridge(&mut first.leg, &mut second.leg)
    }

    /// Puts all legs into the room.
    fn confer(&mut self) {
        for line in &mut self.lines {
            line.leg.set_path(Path::Mixed);
            self.seats.push(self.room.join(true));
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
        for line in &mut self.lines {
            line.leg.hear(self.now);
        }
        self.room.clear();
        for (line, &seat) in self.lines.iter().zip(&self.seats) {
            self.room.add(seat, line.leg.heard());
        }
        for number in 0..self.lines.len() {
            let say = match self.lines[number].leg.path() {
                Path::Transcoded => self
                    .other(number)
                    .map(|other| *self.lines[other].leg.heard()),
                Path::Mixed => {
                    let mut frame = SILENCE;
                    self.room.mix(self.seats[number], &mut frame);
                    Some(frame)
                }
                Path::Alone | Path::Relayed => None,
            };
            let line = &mut self.lines[number];
            let mut out = [0; MAX_PACKET];
            if let Some(len) = line.leg.tick(self.now, say.as_ref(), &mut out) {
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
        let mut payload = [0; FRAME];
        self.codec.encode(&frame, &mut payload);
        let timestamp = self.timestamp_of_next();
        self.packet(self.codec.payload_type(), timestamp, &payload)
    }

    fn timestamp_of_next(&mut self) -> u32 {
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
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

    /// What the phone hears of the packets since `from`.
    fn sound(&self, from: usize) -> Vec<i16> {
        self.came[from..]
            .iter()
            .filter(|(header, _)| header.payload_type == self.codec.payload_type())
            .flat_map(|(_, payload)| payload.iter().map(|&byte| self.codec.decode(byte)))
            .collect()
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
            if before.payload_type == EVENT {
                assert!(step < 8000, "{before:?} {after:?}");
            } else {
                assert!(
                    (payload.len() as u32..8000).contains(&step),
                    "{before:?} {after:?}"
                );
            }
        }
    }
}

fn pcm(tone: Tone, samples: usize) -> Sound {
    Sound::Pcm(Generator::new(tone).take(samples).collect::<Arc<[i16]>>())
}

#[test]
fn a_leg_with_nothing_to_say_sends_silence_without_a_break() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    bench.run(50);
    let line = &bench.lines[0];
    line.assert_one_stream();
    assert_eq!(line.came.len(), 50);
    assert!(line.came[0].0.marker && !line.came[1].0.marker);
    assert!(line.sound(0).iter().all(|sample| sample.abs() <= 8));
}

#[test]
fn a_leg_that_is_not_connected_neither_sends_nor_receives() {
    let now = Instant::now();
    let mut leg = Leg::new(Settings::default(), &mut StdRng::seed_from_u64(1), now);
    let mut out = [0; MAX_PACKET];
    assert_eq!(leg.tick(now, None, &mut out), None);
    assert_eq!(leg.report(now + Duration::from_mins(1), &mut out), None);
    let from = SocketAddr::from(([127, 0, 0, 1], 9));
    let received = leg.receive(&[0x80; 172], from, now);
    assert_eq!(received, Received::Ignored(Ignored::NotReceiving));
}

#[test]
fn legs_of_one_codec_are_relayed_as_packets_come() {
    for codec in Codec::ALL {
        let mut bench = Bench::new(&[(codec, 440), (codec, 1000)]);
        bench.run(5);
        assert_eq!(bench.bridge(0, 1), Path::Relayed);
        bench.talk(100);
        for (line, hertz) in [(0, 1000), (1, 440)] {
            bench.lines[line].assert_one_stream();
            assert_eq!(
                bench.lines[line].came.len(),
                105,
                "nothing is sent beside the relayed"
            );
            assert!(hears(&bench.lines[line].sound(5), hertz));
        }
    }
}

#[test]
fn a_relayed_stream_goes_on_for_longer_than_its_numbers_last() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.talk(70_000);
    bench.lines[1].assert_one_stream();
    assert_eq!(bench.lines[1].came.len(), 70_000);
}

#[test]
fn legs_of_unlike_codecs_are_transcoded() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcmu, 1000)]);
    assert_eq!(bench.bridge(0, 1), Path::Transcoded);
    bench.talk(100);
    for (line, hertz) in [(0, 1000), (1, 440)] {
        bench.lines[line].assert_one_stream();
        assert!(hears(&bench.lines[line].sound(10), hertz));
    }
}

#[test]
fn loss_and_reordering_are_relayed_as_they_are() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    let packets: Vec<_> = (0..10).map(|_| bench.lines[0].next_packet()).collect();
    for at in [0, 1, 2, 4, 3, 6, 9] {
        bench.datagram(0, &packets[at]);
    }
    let first = bench.lines[1].came[0].0;
    let steps: Vec<_> = bench.lines[1]
        .came
        .iter()
        .map(|(header, _)| {
            (
                header.sequence.wrapping_sub(first.sequence),
                header.timestamp.wrapping_sub(first.timestamp) / FRAME as u32,
            )
        })
        .collect();
    assert_eq!(
        steps,
        [(0, 0), (1, 1), (2, 2), (4, 4), (3, 3), (6, 6), (9, 9)]
    );
}

#[test]
fn a_relayed_leg_is_sent_silence_when_the_other_falls_silent() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.talk(50);
    for _ in 0..100 {
        bench.speak(1);
        bench.beat();
    }
    assert_eq!(
        bench.lines[1].came.len(),
        50 + 100 - 8,
        "silence waits for 200 ms"
    );
    assert_eq!(bench.lines[0].came.len(), 150);
    bench.talk(50);
    bench.lines[1].assert_one_stream();
    let returned = bench.lines[1].came.len() - 50;
    assert!(bench.lines[1].came[returned].0.marker);
    assert!(hears(&bench.lines[1].sound(returned), 440));
}

#[test]
fn a_recorded_leg_is_heard_while_it_is_relayed() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.lines[0].leg.listen(true);
    let mut heard = Vec::new();
    for _ in 0..100 {
        bench.talk(1);
        heard.extend(bench.lines[0].leg.heard());
        assert_eq!(
            bench.lines[1].leg.heard(),
            &SILENCE,
            "nobody listens to the other"
        );
    }
    assert!(hears(&heard[1600..], 440));
    assert_eq!(bench.lines[1].came.len(), 100);
    bench.lines[0].leg.listen(false);
    assert_eq!(bench.lines[0].leg.heard(), &SILENCE);
}

#[test]
fn a_play_is_heard_and_told_once() {
    let mut bench = Bench::new(&[(Codec::Pcmu, 440)]);
    let sounds = vec![
        pcm(Tone::Steady { hertz: 600 }, 1000),
        Sound::Tone(Tone::Beep),
    ];
    bench.command(
        0,
        Command::Play {
            play: 3,
            sounds,
            repeat: false,
        },
    );
    bench.run(31);
    assert_eq!(bench.events(0), []);
    let sound = bench.lines[0].sound(0);
    assert!(hears(&sound[..1000], 600) && hears(&sound[1000..4900], 1400));
    bench.run(20);
    assert_eq!(bench.events(0), [Event::Played { play: 3 }]);
    bench.lines[0].assert_one_stream();
}

#[test]
fn a_repeated_stopped_or_replaced_play_is_not_told() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let sounds = vec![pcm(Tone::Steady { hertz: 600 }, 1000)];
    let play = |play, repeat| Command::Play {
        play,
        sounds: sounds.clone(),
        repeat,
    };
    bench.command(0, play(1, true));
    bench.run(500);
    bench.command(0, play(2, false));
    bench.run(2);
    bench.command(0, play(3, false));
    bench.run(2);
    bench.command(0, Command::StopPlay);
    bench.run(100);
    assert_eq!(bench.events(0), []);
    assert!(
        bench.lines[0]
            .sound(510)
            .iter()
            .all(|sample| sample.abs() <= 8)
    );
}

#[test]
fn a_play_silences_the_bridge_until_it_ends() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.talk(20);
    let sounds = vec![Sound::Tone(Tone::Beep)];
    bench.command(
        1,
        Command::Play {
            play: 1,
            sounds,
            repeat: false,
        },
    );
    bench.talk(25);
    let sound = bench.lines[1].sound(20);
    assert!(hears(&sound, 1400) && !hears(&sound, 440));
    bench.talk(30);
    assert!(hears(&bench.lines[1].sound(50), 440));
    bench.lines[1].assert_one_stream();
    assert_eq!(bench.events(1).last(), Some(&Event::Played { play: 1 }));
}

#[test]
fn a_bridge_ends_what_was_played() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    let sounds = vec![Sound::Tone(Tone::Ringing)];
    bench.command(
        0,
        Command::Play {
            play: 1,
            sounds,
            repeat: true,
        },
    );
    bench.run(10);
    bench.bridge(0, 1);
    bench.talk(100);
    assert_eq!(
        bench.events(0),
        [Event::MediaStarted {
            from: bench.lines[0].address
        }]
    );
    let sound = bench.lines[0].sound(15);
    assert!(hears(&sound, 1000) && !hears(&sound, 450));
}

#[test]
fn keys_of_the_peer_are_told_once_and_passed_over_the_bridge() {
    for codecs in [[Codec::Pcma, Codec::Pcma], [Codec::Pcma, Codec::Pcmu]] {
        let mut bench = Bench::new(&[(codecs[0], 440), (codecs[1], 1000)]);
        bench.bridge(0, 1);
        bench.talk(20);
        let mut far = dtmf::Receiver::default();
        let mut sender = dtmf::Sender::default();
        sender.push("42");
        let mut start = 0;
        while let Some(step) = sender.beat() {
            let line = &mut bench.lines[0];
            let clock = line.timestamp_of_next();
            if step.is_first() {
                start = clock;
            }
            if let Some(payload) = step.payload() {
                let packet = line.packet(EVENT, start, &payload.bytes());
                bench.datagram(0, &packet);
            }
            bench.speak(1);
            bench.beat();
        }
        bench.talk(20);
        let told: Vec<_> = bench.events(0)[1..].to_vec();
        assert_eq!(told, [Event::Digit('4'), Event::Digit('2')]);
        bench.lines[1].assert_one_stream();
        let heard: String = bench.lines[1]
            .came
            .iter()
            .filter(|(header, _)| header.payload_type == EVENT)
            .filter_map(|(header, payload)| {
                far.take(&Packet {
                    header: *header,
                    payload,
                })
            })
            .collect();
        assert_eq!(heard, "42");
    }
}

#[test]
fn keys_are_sent_as_events_with_one_timestamp_each() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    bench.run(5);
    bench.command(0, Command::SendDigits("7#".into()));
    bench.run(30);
    bench.lines[0].assert_one_stream();
    let events: Vec<_> = bench.lines[0]
        .came
        .iter()
        .filter(|(header, _)| header.payload_type == EVENT)
        .map(|(header, _)| *header)
        .collect();
    assert_eq!(events.len(), 14);
    assert!(
        events[..7]
            .iter()
            .all(|header| header.timestamp == events[0].timestamp)
    );
    assert_eq!(
        events[7].timestamp.wrapping_sub(events[0].timestamp),
        10 * FRAME as u32
    );
    let markers: Vec<_> = events.iter().map(|header| header.marker).collect();
    assert_eq!(markers.iter().filter(|&&marker| marker).count(), 2);
    assert!(markers[0] && markers[7]);
    // The clock has not stood still: sound goes on where it would be without the keys.
    let (first, last) = (&bench.lines[0].came[0].0, &bench.lines[0].came[34].0);
    assert_eq!(
        last.timestamp.wrapping_sub(first.timestamp),
        34 * FRAME as u32
    );
}

#[test]
fn a_peer_without_telephone_event_hears_keys_as_tones() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    let address = bench.lines[1].address;
    let plain = Connection {
        telephone_event: None,
        ..connection(Codec::Pcma, address)
    };
    bench.command(1, Command::Connect(plain));
    bench.bridge(0, 1);
    let payload = dtmf::EventPayload {
        event: 5,
        end: false,
        volume: 10,
        duration: 160,
    };
    for _ in 0..3 {
        let timestamp = 77;
        let packet = bench.lines[0].packet(EVENT, timestamp, &payload.bytes());
        bench.datagram(0, &packet);
    }
    bench.run(30);
    assert_eq!(bench.lines[1].came.len(), 30);
    let sound = bench.lines[1].sound(0);
    assert!(hears(&sound[..800], 770) && hears(&sound[..800], 1336));
    assert!(
        sound[800..].iter().all(|sample| sample.abs() <= 8),
        "it is one key"
    );
}

#[test]
fn keys_of_a_peer_without_telephone_event_are_heard_in_its_sound() {
    let mut bench = Bench::new(&[(Codec::Pcmu, 440)]);
    let address = bench.lines[0].address;
    let plain = Connection {
        telephone_event: None,
        ..connection(Codec::Pcmu, address)
    };
    bench.command(0, Command::Connect(plain));
    bench.talk(10);
    let mut sender = dtmf::Sender::default();
    sender.push("90#");
    while let Some(step) = sender.beat() {
        let mut frame = SILENCE;
        step.sound(&mut frame);
        let mut payload = [0; FRAME];
        Codec::Pcmu.encode(&frame, &mut payload);
        let timestamp = bench.lines[0].timestamp_of_next();
        let packet = bench.lines[0].packet(0, timestamp, &payload);
        bench.datagram(0, &packet);
        bench.beat();
    }
    bench.run(5);
    let expected = ['9', '0', '#'].map(Event::Digit);
    assert_eq!(bench.events(0)[1..], expected);
}

#[test]
fn a_play_may_hold_keys() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let sounds = vec![
        pcm(Tone::Steady { hertz: 600 }, 800),
        Sound::Digits("1".into()),
        pcm(Tone::Steady { hertz: 600 }, 800),
    ];
    bench.command(
        0,
        Command::Play {
            play: 1,
            sounds,
            repeat: false,
        },
    );
    bench.run(30);
    let kinds: Vec<_> = bench.lines[0]
        .came
        .iter()
        .map(|(header, _)| header.payload_type)
        .collect();
    assert_eq!(kinds[..5], [8; 5]);
    assert_eq!(kinds[5..12], [EVENT; 7]);
    assert_eq!(kinds[12..], [8; 18]);
    assert_eq!(bench.events(0), [Event::Played { play: 1 }]);
}

#[test]
fn a_peer_on_hold_is_sent_nothing_and_a_play_still_ends() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let address = bench.lines[0].address;
    let held = Connection {
        direction: Direction::Inactive,
        ..connection(Codec::Pcma, address)
    };
    bench.run(5);
    bench.command(0, Command::Connect(held));
    let sounds = vec![Sound::Tone(Tone::Beep)];
    bench.command(
        0,
        Command::Play {
            play: 1,
            sounds,
            repeat: false,
        },
    );
    bench.run(2000);
    bench.speak(0);
    assert_eq!(bench.lines[0].came.len(), 5);
    assert_eq!(
        bench.events(0),
        [Event::Played { play: 1 }],
        "and no time-out"
    );
    bench.command(0, Command::Connect(connection(Codec::Pcma, address)));
    bench.talk(5);
    assert_eq!(bench.lines[0].came.len(), 10);
    assert!(bench.lines[0].came[5].0.marker);
    assert_eq!(bench.events(0), [Event::MediaStarted { from: address }]);
}

#[test]
fn media_that_stops_is_told_once_until_it_comes_again() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let from = bench.lines[0].address;
    bench.talk(10);
    assert_eq!(bench.events(0), [Event::MediaStarted { from }]);
    bench.run(5000);
    assert_eq!(bench.events(0), [Event::MediaTimedOut]);
    bench.talk(10);
    assert_eq!(bench.events(0), [Event::MediaStarted { from }]);
}

#[test]
fn packets_of_others_are_counted_and_not_heard() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    bench.talk(5);
    let packet = bench.lines[0].next_packet();
    let now = bench.now;
    let leg = &mut bench.lines[0].leg;
    let foreign = SocketAddr::from(([203, 0, 113, 99], 4000));
    assert_eq!(
        leg.receive(&packet, foreign, now),
        Received::Ignored(Ignored::Foreign)
    );
    let peer = SocketAddr::from(([203, 0, 113, 0], 4000));
    assert_eq!(
        leg.receive(&packet[..7], peer, now),
        Received::Ignored(Ignored::Malformed)
    );
    let mut other = packet.clone();
    other[1] = 18;
    assert_eq!(
        leg.receive(&other, peer, now),
        Received::Ignored(Ignored::PayloadType)
    );
    let statistics = leg.statistics();
    assert_eq!((statistics.foreign, statistics.malformed), (1, 2));
    assert_eq!(statistics.packets_received, 5);
    assert_eq!(statistics.packets_sent, 5);
    assert_eq!(leg.remote(), Some(peer));
}

#[test]
fn a_codec_change_goes_on_in_the_same_stream() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.talk(20);
    let address = bench.lines[0].address;
    bench.lines[0].codec = Codec::Pcmu;
    bench.command(0, Command::Connect(connection(Codec::Pcmu, address)));
    // Until the engine has bridged again, nothing in the wrong codec comes through.
    bench.talk(3);
    assert_eq!(bench.bridge(0, 1), Path::Transcoded);
    bench.talk(60);
    for (line, hertz) in [(0, 1000), (1, 440)] {
        let from = bench.lines[line].came.len() - 50;
        assert!(hears(&bench.lines[line].sound(from), hertz));
        let steps = bench.lines[line]
            .came
            .windows(2)
            .map(|pair| pair[1].0.sequence.wrapping_sub(pair[0].0.sequence));
        assert!(steps.into_iter().all(|step| step == 1));
    }
}

#[test]
fn reports_tell_both_sides_of_loss_and_round_trip() {
    let now = Instant::now();
    let mut rng = StdRng::seed_from_u64(3);
    let ports = [4000, 5000].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let mut legs = [0, 1].map(|number| {
        let mut leg = Leg::new(Settings::default(), &mut rng, now);
        leg.command(
            Command::Connect(connection(Codec::Pcma, ports[1 - number])),
            now,
        );
        leg
    });
    let mut out = [0; MAX_PACKET];
    let mut reports = [0, 0];
    // Reports travel for 40 ms each way.
    let mut travelling: Vec<(Instant, usize, Vec<u8>)> = Vec::new();
    for beat in 0..3000 {
        let now = now + BEAT * beat;
        for number in [0, 1] {
            if let Some(len) = legs[number].tick(now, None, &mut out)
                && !(number == 0 && beat % 10 == 5)
            {
                legs[1 - number].receive(&out[..len], ports[number], now);
            }
            if let Some(len) = legs[number].report(now, &mut out) {
                reports[number] += 1;
                travelling.push((now + 2 * BEAT, 1 - number, out[..len].to_vec()));
            }
        }
        for (_, to, bytes) in travelling.extract_if(.., |(at, ..)| *at <= now) {
            legs[to].receive_rtcp(&bytes, ports[1 - to], now);
        }
    }
    assert!(
        reports.iter().all(|count| (8..=24).contains(count)),
        "{reports:?} in a minute"
    );
    let [first, second] = legs.each_ref().map(Leg::statistics);
    assert!((299..=300).contains(&second.packets_lost), "{second:?}");
    assert_eq!(first.packets_lost, 0);
    assert!(
        (200..=300).contains(&first.packets_lost_by_peer),
        "{first:?}"
    );
    for statistics in [first, second] {
        let trip = statistics
            .round_trip
            .expect("reports went both ways")
            .as_millis();
        assert!((78..=82).contains(&trip), "{trip} ms");
        assert_eq!(statistics.jitter, Duration::ZERO);
    }
    let end = now + BEAT * 3000;
    let len = legs[0].goodbye(end, &mut out).expect("was connected");
    legs[1].receive_rtcp(&out[..len], SocketAddr::from(([203, 0, 113, 9], 4001)), end);
    assert!(!std::iter::from_fn(|| legs[1].next_event()).any(|event| event == Event::PeerLeft));
    legs[1].receive_rtcp(&out[..len], SocketAddr::from(([127, 0, 0, 1], 4001)), end);
    assert_eq!(legs[1].next_event(), Some(Event::PeerLeft));
}

#[test]
fn rtcp_goes_where_it_was_signalled_or_to_the_port_above() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let above = SocketAddr::from(([203, 0, 113, 0], 4001));
    assert_eq!(bench.lines[0].leg.remote_rtcp(), Some(above));
    let hidden = SocketAddr::from(([192, 168, 0, 9], 7000));
    let signalled = Connection {
        remote_rtcp: Some(SocketAddr::from(([192, 168, 0, 9], 7007))),
        ..connection(Codec::Pcma, hidden)
    };
    bench.command(0, Command::Connect(signalled));
    assert_eq!(bench.lines[0].leg.remote_rtcp(), signalled.remote_rtcp);
    bench.speak(0);
    assert_eq!(
        bench.lines[0].leg.remote_rtcp(),
        Some(above),
        "it is behind a NAT"
    );
}

#[test]
fn members_of_a_room_hear_the_others_and_not_themselves() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcmu, 700), (Codec::Pcma, 1000)]);
    bench.confer();
    bench.talk(100);
    for (line, own) in [(0, 440), (1, 700), (2, 1000)] {
        let sound = bench.lines[line].sound(20);
        for hertz in [440, 700, 1000] {
            assert_eq!(
                hears(&sound, hertz),
                hertz != own,
                "line {line}, {hertz} Hz"
            );
        }
        bench.lines[line].assert_one_stream();
    }
}

/// Whatever can happen to two legs.
#[derive(Clone, Debug)]
enum Happening {
    Speak(usize),
    Beat,
    Bridge,
    Part,
    Play(usize, usize),
    Keys(usize),
    Event(usize, u8, u32),
    Hold(usize),
    Resume(usize, Codec),
    Listen(usize, bool),
    Datagram(usize, Vec<u8>),
    Control(usize, Vec<u8>),
}

fn happening() -> impl Strategy<Value = Happening> {
    let line = 0..2_usize;
    let bytes = proptest::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        8 => line.clone().prop_map(Happening::Speak),
        8 => Just(Happening::Beat),
        1 => Just(Happening::Bridge),
        1 => Just(Happening::Part),
        1 => (line.clone(), 0..2000_usize).prop_map(|(line, len)| Happening::Play(line, len)),
        1 => line.clone().prop_map(Happening::Keys),
        2 => (line.clone(), 0..20_u8, 0..3_u32)
            .prop_map(|(line, event, at)| Happening::Event(line, event, at * 800)),
        1 => line.clone().prop_map(Happening::Hold),
        1 => (line.clone(), prop_oneof![Just(Codec::Pcma), Just(Codec::Pcmu)])
            .prop_map(|(line, codec)| Happening::Resume(line, codec)),
        1 => (line.clone(), any::<bool>()).prop_map(|(line, on)| Happening::Listen(line, on)),
        1 => (line.clone(), bytes.clone()).prop_map(|(line, mut bytes)| {
            // Most would not be RTP else.
            if let [first, second, ..] = bytes.as_mut_slice() {
                *first = *first & 0x3F | 0x80;
                *second = [0, 8, EVENT, 13][usize::from(*second) % 4];
            }
            Happening::Datagram(line, bytes)
        }),
        1 => (line, bytes).prop_map(|(line, bytes)| Happening::Control(line, bytes)),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_each_peer_gets_one_stream_without_reused_numbers(
        happenings in proptest::collection::vec(happening(), 0..300),
    ) {
        let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
        for happening in happenings {
            match happening {
                Happening::Speak(line) => bench.speak(line),
                Happening::Beat => bench.beat(),
                Happening::Bridge => {
                    bench.bridge(0, 1);
                }
                Happening::Part => {
                    bench.bridge = None;
                    bench.lines.iter_mut().for_each(|line| line.leg.set_path(Path::Alone));
                }
                Happening::Play(line, len) => {
                    let sounds = vec![Sound::Pcm(vec![99; len].into()), Sound::Digits("1".into())];
                    bench.command(line, Command::Play { play: 1, sounds, repeat: false });
                }
                Happening::Keys(line) => bench.command(line, Command::SendDigits("5".into())),
                Happening::Event(line, event, at) => {
                    let payload = dtmf::EventPayload { event, end: false, volume: 10, duration: 160 };
                    let packet = bench.lines[line].packet(EVENT, at, &payload.bytes());
                    bench.datagram(line, &packet);
                }
                Happening::Hold(line) => {
                    let held = Connection {
                        direction: Direction::Inactive,
                        ..connection(Codec::Pcma, bench.lines[line].address)
                    };
                    bench.command(line, Command::Connect(held));
                }
                Happening::Resume(line, codec) => {
                    bench.lines[line].codec = codec;
                    let agreed = connection(codec, bench.lines[line].address);
                    bench.command(line, Command::Connect(agreed));
                }
                Happening::Listen(line, listened) => bench.lines[line].leg.listen(listened),
                Happening::Datagram(line, bytes) => bench.datagram(line, &bytes),
                Happening::Control(line, bytes) => {
                    let (from, now) = (bench.lines[line].address, bench.now);
                    bench.lines[line].leg.receive_rtcp(&bytes, from, now);
                }
            }
        }
        for line in &bench.lines {
            let mut numbers: Vec<_> = line.came.iter().map(|(header, _)| header.sequence).collect();
            let first = numbers.first().copied().unwrap_or_default();
            numbers.iter_mut().for_each(|number| *number = number.wrapping_sub(first));
            let sent = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), sent, "no number is sent twice");
        }
    }
}
