//! Telephone keys heard as tone pairs, for peers that send no telephone-events.

use super::{FREQUENCIES, key_of};
use crate::tone::level_of_amplitude;
use crate::{FRAME, Narrow, SAMPLE_RATE, activity};

/// The frequencies of rows and columns, in hertz.
///
/// *Source*: ITU-T Q.23 Table 1.
const ROWS: [u16; 4] = [697, 770, 852, 941];
const COLUMNS: [u16; 4] = [1209, 1336, 1477, 1633];

/// Weakest tone that counts, in dBm0.
///
/// *Source*: Q.24 Annex A, Table A-1: down to -25 (NTT, AT&T), here with a margin for lines.
const WEAKEST: f32 = -27.0;

/// Largest difference between the two tones, in dB.
///
/// *Source*: Q.24 Annex A, Table A-1: 8 dB at most for one group above the other.
const TWIST: f32 = 8.0;

/// How much the strongest tone of a group is above the next one of it, in dB: the filters of 20 ms
/// leave at least this between neighbours.
const CLEAR: f32 = 5.0;

/// How much of the whole sound may be something else, in dB: speech has power elsewhere as well.
const PURE: f32 = 1.5;

/// Beats in which a pair must be found: wherever the beat cuts it, any key of 60 ms is taken and
/// most of 40 ms are, which is the shortest that Q.24 Table A-1 asks for.
const ATTACK: u8 = 2;

/// Beats without the pair until the same key counts again.
const RELEASE: u8 = 2;

/// Hears keys in the frames of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detector {
    candidate: Option<u8>,
    seen: u8,
    /// The key that was told and still sounds.
    told: Option<u8>,
    missing: u8,
}

impl Detector {
    /// Takes a frame; answers a key when it begins.
    pub fn take(&mut self, frame: &Narrow) -> Option<char> {
        let pair = pair_in(frame);
        if pair.is_some() && pair == self.told {
            self.missing = 0;
            return None;
        }
        if self.told.is_some() {
            self.missing += 1;
            if self.missing >= RELEASE {
                self.told = None;
            }
        }
        if pair != self.candidate {
            self.candidate = pair;
            self.seen = 0;
        }
        self.seen = self.seen.saturating_add(1);
        let code = pair.filter(|_| self.seen >= ATTACK)?;
        self.told = Some(code);
        self.missing = 0;
        key_of(code)
    }
}

/// The event code of the key whose tone pair fills this frame.
fn pair_in(frame: &Narrow) -> Option<u8> {
    let total = activity::level(frame);
    if total < WEAKEST {
        return None;
    }
    let (row, row_level) = strongest(frame, ROWS)?;
    let (column, column_level) = strongest(frame, COLUMNS)?;
    let both =
        10.0 * (10.0_f32.powf(row_level / 10.0) + 10.0_f32.powf(column_level / 10.0)).log10();
    if (row_level - column_level).abs() > TWIST || both < total - PURE {
        return None;
    }
    (0..)
        .zip(FREQUENCIES)
        .find(|&(_, pair)| pair == (row, column))
        .map(|(code, _)| code)
}

/// The frequency of a group that stands out, and its level.
fn strongest(frame: &Narrow, group: [u16; 4]) -> Option<(u16, f32)> {
    let mut levels = group.map(|hertz| (hertz, level(frame, hertz)));
    levels.sort_by(|a, b| b.1.total_cmp(&a.1));
    let [first, second, ..] = levels;
    (first.1 >= WEAKEST && first.1 - second.1 >= CLEAR).then_some(first)
}

/// The level of one frequency in dBm0 by an unweighted Goertzel filter: 50 Hz wide.
fn level(frame: &Narrow, hertz: u16) -> f32 {
    let step = std::f32::consts::TAU * f32::from(hertz) / SAMPLE_RATE as f32;
    let coefficient = 2.0 * step.cos();
    let (mut before, mut last) = (0.0_f32, 0.0_f32);
    for &sample in frame {
        let next = f32::from(sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    level_of_amplitude(power.max(f32::EPSILON).sqrt() * 2.0 / FRAME as f32)
}

#[cfg(test)]
mod tests {
    use super::super::{KEYS, Sender, code_of};
    use super::*;
    use crate::tone::{Oscillator, amplitude};
    use rand::{RngExt, SeedableRng};

    /// A tone pair of some milliseconds, then silence up to 300 ms, after this many samples.
    fn key(code: u8, levels: (f32, f32), milliseconds: usize, offset: usize) -> Vec<i16> {
        let (row, column) = FREQUENCIES[usize::from(code)];
        let mut tones = [
            Oscillator::new(f32::from(row)),
            Oscillator::new(f32::from(column)),
        ];
        let mut sound = vec![0; offset];
        sound.extend((0..milliseconds * 8).map(|_| {
            let [row, column] = &mut tones;
            (row.next() * amplitude(levels.0) + column.next() * amplitude(levels.1)) as i16
        }));
        sound.resize(2400, 0);
        sound
    }

    fn heard(sound: &[i16]) -> String {
        let mut detector = Detector::default();
        let frames = sound
            .chunks_exact(FRAME)
            .filter_map(|chunk| <&Narrow>::try_from(chunk).ok());
        frames.filter_map(|frame| detector.take(frame)).collect()
    }

    #[test]
    fn every_key_is_heard_once_wherever_the_beat_cuts_it() {
        for expected in KEYS {
            let code = code_of(expected).expect("is a key");
            for offset in (0..FRAME).step_by(20) {
                for levels in [(-13.0, -13.0), (-7.0, -5.0), (-22.0, -20.0), (-16.0, -11.0)] {
                    let sound = key(code, levels, 80, offset);
                    assert_eq!(
                        heard(&sound),
                        expected.to_string(),
                        "{levels:?} at {offset}"
                    );
                }
            }
        }
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
    fn what_is_too_short_too_weak_or_too_uneven_is_no_key() {
        for (levels, milliseconds) in [
            ((-13.0, -13.0), 20),
            ((-35.0, -35.0), 100),
            ((-25.0, -10.0), 100),
        ] {
            for offset in [0, 40, 80, 120] {
                assert_eq!(heard(&key(5, levels, milliseconds, offset)), "");
            }
        }
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
}
