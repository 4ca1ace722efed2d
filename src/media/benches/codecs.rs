//! What a beat of 20 ms costs in each codec: `cargo bench -p strowger-media --bench codecs`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a bench measures time and prints it"
)]

use std::f64::consts::TAU;
use std::hint::black_box;
use std::time::Instant;
use strowger_media::codec::comfort_noise::ComfortNoise;
use strowger_media::codec::opus::Wishes;
use strowger_media::codec::{Codec, Decoder, Encoder, MAX_PAYLOAD};
use strowger_media::resample::{Doubler, Halver};
use strowger_media::{Frame, Rate, SILENCE, WIDE_FRAME};

const BEATS: usize = 500;
const ROUNDS: usize = 15;

/// Ten seconds like speech: harmonics of a gliding pitch, in syllables.
fn speech(rate: Rate) -> Vec<Frame> {
    let mut phase = 0.0;
    let mut at = 0_u32;
    let hertz = f64::from(rate.hertz());
    (0..BEATS)
        .map(|_| {
            let mut frame = Frame::silent(rate);
            for sample in frame.samples_mut() {
                let time = f64::from(at) / hertz;
                at += 1;
                phase += TAU * (120.0 + 30.0 * (TAU * 0.7 * time).sin()) / hertz;
                let syllable = (TAU * 2.2 * time).sin().max(0.0);
                let voice: f64 = (1..25)
                    .map(|harmonic| (f64::from(harmonic) * phase).sin() / f64::from(harmonic))
                    .sum();
                *sample = (6000.0 * syllable * voice) as i16;
            }
            frame
        })
        .collect()
}

/// The median time of a beat, in microseconds.
fn measure(mut beats: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            beats();
            start.elapsed().as_secs_f64() * 1e6 / BEATS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn codec(codec: Codec, known: &str) {
    let speech = speech(codec.rate());
    let wishes = Wishes {
        in_band_fec: true,
        ..Wishes::default()
    };
    let mut payload = [0; MAX_PAYLOAD];
    let mut encoder = Encoder::new(codec, wishes);
    let encoding = measure(|| {
        for frame in &speech {
            black_box(encoder.encode(frame, &mut payload));
        }
    });
    let mut encoder = Encoder::new(codec, wishes);
    let payloads: Vec<Vec<u8>> = speech
        .iter()
        .map(|frame| {
            let len = encoder.encode(frame, &mut payload);
            payload[..len].to_vec()
        })
        .collect();
    let mut decoder = Decoder::new(codec);
    let decoding = measure(|| {
        for payload in &payloads {
            black_box(decoder.decode(payload));
        }
    });
    let beat = codec.clock_rate() / 50;
    let losing = measure(|| {
        for pair in payloads.chunks(10) {
            for payload in pair.iter().skip(1) {
                black_box(decoder.decode(payload));
            }
            black_box(decoder.conceal(beat, None));
        }
    });
    let octets = payloads.iter().map(Vec::len).sum::<usize>() / BEATS;
    println!(
        "{:<6} encode {encoding:>7.2}   decode {decoding:>6.2}   with 10 % lost {losing:>6.2}   \
         {octets:>3} octets   (stack.md: {known})",
        codec.name()
    );
}

fn main() {
    println!("µs per beat of 20 ms, median of {ROUNDS} rounds of {BEATS}");
    codec(Codec::Pcma, "0.05 / 0.03 to 0.06");
    codec(Codec::Pcmu, "0.05 / 0.03 to 0.06");
    codec(Codec::G722, "11.3 / 6.8");
    codec(
        Codec::Opus,
        "110 / 7.5 with libopus at 16 kHz, complexity 5",
    );
    let mut doubler = Doubler::default();
    let up = measure(|| {
        for _ in 0..BEATS {
            black_box(doubler.take(black_box(&SILENCE)));
        }
    });
    let mut halver = Halver::default();
    let down = measure(|| {
        for _ in 0..BEATS {
            black_box(halver.take(black_box(&[1; WIDE_FRAME])));
        }
    });
    println!("8 to 16 kHz {up:.2}   16 to 8 kHz {down:.2}   (stack.md: 0.8 / 0.44)");
    let mut noise = ComfortNoise::default();
    noise.take(&[50, 100, 140], false);
    let rest = measure(|| {
        for _ in 0..BEATS {
            let mut frame = SILENCE;
            noise.fill(&mut frame);
            black_box(frame);
        }
    });
    println!("comfort noise {rest:.2}");
}
