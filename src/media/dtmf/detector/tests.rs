use super::super::{KEYS, Sender, code_of};
use super::*;
use crate::test_speech::speech;
use crate::tone::{Oscillator, amplitude};
use crate::{FRAME, activity};
use rand::{RngExt, SeedableRng};

/// How a key sounds.
#[derive(Clone, Copy, Debug)]
struct Press {
    code: u8,
    /// Of row and column, in dBm0.
    levels: (f32, f32),
    /// Both frequencies are off by this, as a share.
    off: f32,
    milliseconds: f32,
}

const PLAIN: Press = Press {
    code: 5,
    levels: (-13.0, -13.0),
    off: 0.0,
    milliseconds: 80.0,
};

impl Press {
    fn sound(self) -> Vec<i16> {
        let code = self.code;
        let row = CODES
            .iter()
            .position(|row| row.contains(&code))
            .expect("is a key");
        let column = CODES[row]
            .iter()
            .position(|&it| it == code)
            .expect("is a key");
        let mut tones = [ROWS[row], COLUMNS[column]]
            .map(|hertz| Oscillator::new(f32::from(hertz) * (1.0 + self.off)));
        let len = (self.milliseconds * 8.0) as usize;
        let sound = (0..len).map(|_| {
            let [row, column] = &mut tones;
            (row.next() * amplitude(self.levels.0) + column.next() * amplitude(self.levels.1))
                as i16
        });
        sound.collect()
    }

    /// What is heard of it, when it begins so many samples after a frame.
    fn heard(self, offset: usize) -> String {
        let mut sound = vec![0; offset];
        sound.extend(self.sound());
        sound.resize(sound.len() + 1600, 0);
        heard(&sound)
    }
}

fn heard(sound: &[i16]) -> String {
    let mut detector = Detector::default();
    let frames = sound
        .chunks_exact(FRAME)
        .filter_map(|chunk| <&Narrow>::try_from(chunk).ok());
    frames.filter_map(|frame| detector.take(frame)).collect()
}

/// Where a block may cut a key.
fn offsets() -> impl Iterator<Item = usize> {
    (0..2 * BLOCK).step_by(7)
}

#[test]
fn codes_are_those_of_the_frequencies() {
    for (row, codes) in CODES.iter().enumerate() {
        for (column, &code) in codes.iter().enumerate() {
            let pair = super::super::FREQUENCIES[usize::from(code)];
            assert_eq!(pair, (ROWS[row], COLUMNS[column]));
        }
    }
}

#[test]
fn every_key_of_40_ms_is_heard_once_wherever_it_begins() {
    for expected in KEYS {
        let code = code_of(expected).expect("is a key");
        for offset in offsets() {
            for levels in [
                (-13.0, -13.0),
                (-7.0, -5.0),
                (-25.0, -25.0),
                (-14.0, -10.0),
                (-8.0, -16.0),
            ] {
                let press = Press {
                    code,
                    levels,
                    milliseconds: 40.0,
                    ..PLAIN
                };
                assert_eq!(
                    press.heard(offset),
                    expected.to_string(),
                    "{press:?} at {offset}"
                );
            }
        }
    }
}

#[test]
fn frequencies_may_be_off_by_one_and_a_half_per_cent_and_not_by_three_and_a_half() {
    for expected in KEYS {
        let code = code_of(expected).expect("is a key");
        for offset in offsets() {
            for off in [-0.035, -0.015, 0.015, 0.035_f32] {
                let press = Press { code, off, ..PLAIN };
                let right = if off.abs() < 0.02 {
                    expected.to_string()
                } else {
                    String::new()
                };
                assert_eq!(press.heard(offset), right, "{press:?} at {offset}");
            }
        }
    }
}

#[test]
fn what_is_too_short_too_weak_or_too_uneven_is_no_key() {
    let bad = [
        Press {
            milliseconds: 23.0,
            ..PLAIN
        },
        Press {
            levels: (-32.0, -32.0),
            ..PLAIN
        },
        Press {
            levels: (-25.0, -10.0),
            ..PLAIN
        },
        Press {
            levels: (-8.0, -24.0),
            ..PLAIN
        },
    ];
    for press in bad {
        for offset in offsets() {
            assert_eq!(press.heard(offset), "", "{press:?} at {offset}");
        }
    }
}

#[test]
fn a_pause_of_40_ms_divides_keys_and_an_interruption_of_10_ms_does_not() {
    for offset in offsets() {
        for (pause, expected) in [(10, "5"), (40, "55"), (60, "55")] {
            let mut sound = vec![0; offset];
            sound.extend(PLAIN.sound());
            sound.resize(sound.len() + pause * 8, 0);
            sound.extend(PLAIN.sound());
            sound.resize(sound.len() + 1600, 0);
            assert_eq!(heard(&sound), expected, "{pause} ms at {offset}");
        }
    }
}

#[test]
fn keys_are_heard_over_noise_15_db_below() {
    let mut rng = rand::rngs::StdRng::seed_from_u64(3);
    let mut missed = 0;
    for round in 0..200 {
        let press = Press {
            code: round % 16,
            ..PLAIN
        };
        // The mean square of even noise is a third of its peak's; two tones of -13 are -10.
        let peak = amplitude(-25.0) * 1.5_f32.sqrt();
        let mut sound = vec![0; usize::from(round) * 11 % FRAME];
        sound.extend(press.sound());
        sound.resize(3200, 0);
        for sample in &mut sound {
            *sample += rng.random_range(-peak..peak) as i16;
        }
        missed += u32::from(heard(&sound) != KEYS[usize::from(press.code)].to_string());
    }
    assert!(missed <= 2, "{missed} of 200 keys");
}

#[test]
fn keys_follow_one_another() {
    let keys = "0123456789*#ABCD1155";
    let mut sender = Sender::default();
    sender.push(keys);
    let mut sound = Vec::new();
    while let Some(step) = sender.beat() {
        let mut frame = crate::SILENCE;
        step.sound(&mut frame);
        sound.extend(frame);
    }
    assert_eq!(heard(&sound), keys);
}

#[test]
fn single_tones_noise_and_music_are_no_keys() {
    let mut rng = rand::rngs::StdRng::seed_from_u64(5);
    let noise: Vec<i16> = (0..80_000).map(|_| rng.random_range(-8000..8000)).collect();
    assert_eq!(heard(&noise), "");
    assert_eq!(heard(&crate::music::on_hold()), "");
    for hertz in [400.0, 697.0, 941.0, 1209.0, 1400.0, 1633.0] {
        let mut tone = Oscillator::new(hertz);
        let sound: Vec<_> = (0..8000)
            .map(|_| (tone.next() * amplitude(-10.0)) as i16)
            .collect();
        assert_eq!(heard(&sound), "", "{hertz} Hz");
    }
    let ringing: Vec<_> = crate::tone::Generator::new(crate::tone::Tone::Ringing)
        .take(24_000)
        .collect();
    assert_eq!(heard(&ringing), "");
}

#[test]
fn speech_is_no_key() {
    let mut false_keys = String::new();
    for seed in 0..30 {
        let talk = speech(seed, 60);
        assert!(
            activity::level(&talk) > -30.0,
            "{} dBm0",
            activity::level(&talk)
        );
        false_keys += &heard(&talk);
    }
    assert_eq!(false_keys, "", "in half an hour");
}
