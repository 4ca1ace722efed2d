//! Whatever happens, in any order.

use super::*;
use proptest::prelude::*;

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
            for number in &mut numbers {
                *number = number.wrapping_sub(first);
            }
            let sent = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), sent, "no number is sent twice");
        }
    }
}
