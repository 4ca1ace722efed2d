//! What two legs say at one time stands at one time on record.

use super::*;
use crate::recorder::{self, Heard, Layout, Tap};
use rand::RngExt;

const BEATS: usize = 700;

/// Noise in syllables.
fn speech() -> Vec<i16> {
    let mut rng = StdRng::seed_from_u64(5);
    let syllable = |at: usize| at / 1600 % 4 < 3;
    (0..BEATS * FRAME)
        .map(|at| rng.random_range(-4000..4000) * i16::from(syllable(at)))
        .collect()
}

/// When packets come, and which: one for each beat, in the order of their coming.
fn arrivals(jitter: u64, loss: f64, from: usize) -> Vec<(Duration, usize)> {
    let mut rng = StdRng::seed_from_u64(jitter);
    let mut packets: Vec<_> = (from..BEATS)
        .filter_map(|beat| {
            let way = Duration::from_millis(7 + rng.random_range(0..=jitter));
            (!rng.random_bool(loss)).then(|| (BEAT * beat as u32 + way, beat))
        })
        .collect();
    packets.sort_unstable();
    packets
}

/// By how many samples the second channel is later than the first, where they are most alike.
fn lag(left: &[i16], right: &[i16]) -> isize {
    let alike = |lag: isize| -> i64 {
        let pairs = (800..left.len() - 800).map(|at| (at, at.wrapping_add_signed(lag)));
        pairs
            .map(|(at, other)| i64::from(left[at]) * i64::from(right[other]))
            .sum()
    };
    (-800..=800).max_by_key(|&lag| alike(lag)).expect("some")
}

fn recorded_lag(ways: [Vec<(Duration, usize)>; 2]) -> isize {
    let start = Instant::now();
    let mut rng = StdRng::seed_from_u64(1);
    let said = speech();
    let address = SocketAddr::from(([203, 0, 113, 9], 4000));
    let mut legs = [0, 1].map(|_| {
        let mut leg = Leg::new(Settings::default(), &mut rng, start);
        leg.command(Command::Connect(connection(Codec::Pcma, address)), start);
        leg.listen(true);
        leg
    });
    let mut tap = Tap::new(recorder::Settings {
        layout: Layout::Stereo,
        max_duration: None,
        max_silence: None,
    });
    let mut ways = ways.map(|way| way.into_iter().peekable());
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for beat in 0..BEATS {
        let until = BEAT * beat as u32;
        for (leg, way) in legs.iter_mut().zip(&mut ways) {
            while let Some((at, number)) = way.next_if(|(at, _)| *at <= until) {
                let frame: Narrow = std::array::from_fn(|at| said[number * FRAME + at]);
                let mut payload = [0; MAX_PAYLOAD];
                let len = Encoder::new(Codec::Pcma, Wishes::default())
                    .encode(&frame.into(), &mut payload);
                let header = Header {
                    marker: false,
                    payload_type: 8,
                    sequence: number as u16,
                    timestamp: (number * FRAME) as u32,
                    ssrc: 5,
                };
                let mut bytes = [0; MAX_PACKET];
                let payload = &payload[..len];
                let length = Packet { header, payload }.write(&mut bytes).expect("fits");
                leg.receive(&bytes[..length], address, start + at);
            }
            leg.hear(start + until);
        }
        let [a, b] = &legs;
        let heard = [a, b].map(|leg| Heard {
            frame: leg.heard_narrow(),
            delay: leg.delay(),
        });
        tap.beat(heard[0], heard[1]);
        while let Some(block) = tap.next_block() {
            left.extend(block.samples().iter().step_by(2));
            right.extend(block.samples().iter().skip(1).step_by(2));
        }
    }
    let half = left.len() / 2;
    lag(&left[half..], &right[half..])
}

#[test]
fn the_channels_of_a_recording_are_aligned_through_jitter_and_loss() {
    for jitter in [0, 30, 60, 120] {
        let lag = recorded_lag([arrivals(0, 0.0, 0), arrivals(jitter, 0.05, 0)]);
        assert!(lag.abs() <= FRAME as isize, "{jitter} ms: {lag} samples");
    }
}

#[test]
fn a_second_party_that_comes_late_is_aligned_too() {
    for jitter in [0, 60] {
        let lag = recorded_lag([arrivals(30, 0.02, 0), arrivals(jitter, 0.02, 120)]);
        assert!(lag.abs() <= FRAME as isize, "{jitter} ms: {lag} samples");
    }
}
