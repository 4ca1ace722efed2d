//! Concealing what was lost of codecs that have no way of their own.
//!
//! *Source*: after the idea of ITU-T G.711 Appendix I: the last pitch period again and again, fading
//! away. Unlike there, sound is not held back for 3.75 ms to smooth the beginning of a loss; the
//! period itself is made without a seam.

use crate::Rate;

/// Periods that are looked for: 400 to 67 Hz, as tenths of milliseconds.
const PERIODS: std::ops::RangeInclusive<usize> = 25..=150;

/// How much of the last sound is compared with what came before it, in tenths of milliseconds.
const COMPARED: usize = 150;

/// Every so many samples at 8 kHz are compared in the first search.
const COARSE: usize = 2;

/// The first 10 ms of a loss are as loud as what was there, then it fades until 60 ms.
const FULL: usize = 100;
const GONE: usize = 600;

/// What comes after a loss is blended in over 4 ms, and 4 ms more for each 10 ms lost, 10 ms at most.
const BLEND: usize = 40;
const MOST_BLENDED: usize = 100;

/// Remembers the end of what was heard and goes on with it when nothing comes.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// Samples in a tenth of a millisecond, times ten: 8 or 16.
    unit: usize,
    /// The last samples that were really heard.
    past: Vec<i16>,
    /// One period of them, to be repeated.
    period: Vec<i16>,
    /// Samples made up since the last real one.
    lost: usize,
    /// Samples of real sound that still are to be blended, and out of how many.
    blending: (usize, usize),
}

impl Concealer {
    /// One that has heard nothing.
    pub fn new(rate: Rate) -> Self {
        let unit = rate.hertz() as usize / 1000;
        let room = (PERIODS.end() + COMPARED) * unit / 10;
        Self {
            unit,
            past: vec![0; room],
            period: Vec::with_capacity(room),
            lost: 0,
            blending: (0, 0),
        }
    }

    /// Forgets what was heard.
    pub fn reset(&mut self) {
        self.past.fill(0);
        self.lost = 0;
        self.blending = (0, 0);
    }

    fn samples(&self, tenths: usize) -> usize {
        tenths * self.unit / 10
    }

    /// Sound came: after a loss its beginning is blended with what was made up. It is remembered.
    pub fn heard(&mut self, samples: &mut [i16]) {
        if self.lost > 0 && self.blending.1 == 0 {
            let length = self.samples(BLEND) * (1 + self.lost / self.samples(100));
            let length = length.min(self.samples(MOST_BLENDED));
            self.blending = (length, length);
        }
        let (left, total) = self.blending;
        for (at, sample) in samples.iter_mut().take(left).enumerate() {
            let made_up = i64::from(self.next());
            let weight = (left - at) as i64;
            let real = i64::from(*sample) * (total as i64 - weight);
            *sample = ((made_up * weight + real) / total as i64) as i16;
        }
        self.blending.0 = left.saturating_sub(samples.len());
        if self.blending.0 == 0 {
            self.blending = (0, 0);
            self.lost = 0;
        }
        let room = self.past.len();
        let new = &samples[samples.len().saturating_sub(room)..];
        self.past.copy_within(new.len().., 0);
        self.past[room - new.len()..].copy_from_slice(new);
    }

    /// Makes up what did not come.
    pub fn conceal(&mut self, samples: &mut [i16]) {
        if self.lost == 0 {
            self.find_period();
        }
        self.blending = (0, 0);
        for sample in samples {
            *sample = self.next();
        }
    }

    /// The next made-up sample.
    fn next(&mut self) -> i16 {
        let Some(&sample) = self.period.get(self.lost % self.period.len().max(1)) else {
            return 0;
        };
        let (full, gone) = (self.samples(FULL), self.samples(GONE));
        let left = gone.saturating_sub(self.lost).min(gone - full);
        self.lost += 1;
        (i64::from(sample) * left as i64 / (gone - full) as i64) as i16
    }

    /// Takes the last period of what was heard, its end blended into what comes before its beginning,
    /// so that it can be repeated.
    fn find_period(&mut self) {
        let length = self.pitch();
        let start = self.past.len() - length;
        self.period.clear();
        self.period.extend_from_slice(&self.past[start..]);
        let quarter = length / 4;
        let before = &self.past[start - quarter..start];
        for (at, (sample, &before)) in
            (1..).zip(self.period[length - quarter..].iter_mut().zip(before))
        {
            let sum = i32::from(*sample) * (quarter as i32 - at) + i32::from(before) * at;
            *sample = (sum / quarter as i32) as i16;
        }
    }

    /// The shift by which the end of what was heard is most like itself.
    fn pitch(&self) -> usize {
        let (shortest, longest) = (self.samples(*PERIODS.start()), self.samples(*PERIODS.end()));
        let coarse = COARSE * self.unit / 8;
        let first = self.best((shortest..=longest).step_by(coarse), coarse);
        let near = first.saturating_sub(coarse).max(shortest)..=(first + coarse).min(longest);
        self.best(near, 1)
    }

    fn best(&self, shifts: impl Iterator<Item = usize>, step: usize) -> usize {
        let length = self.samples(COMPARED);
        let end = &self.past[self.past.len() - length..];
        let likeness = |shift: usize| {
            let start = self.past.len() - length - shift;
            let earlier = &self.past[start..start + length];
            let (mut product, mut energy) = (0.0_f32, 1.0_f32);
            for (&now, &then) in end.iter().zip(earlier).step_by(step) {
                product += f32::from(now) * f32::from(then);
                energy += f32::from(then) * f32::from(then);
            }
            product / energy.sqrt()
        };
        let shifts = shifts.map(|shift| (shift, likeness(shift)));
        let best = shifts.max_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(self.samples(*PERIODS.end()), |(shift, _)| shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice-like sound: a pulse train through a decaying resonance.
    fn vowel(rate: Rate, period: f64, len: usize) -> Vec<i16> {
        let hertz = f64::from(rate.hertz());
        let pitch = period * hertz / 1000.0;
        (0..len)
            .map(|at| {
                let phase = (at as f64).rem_euclid(pitch);
                let time = phase / hertz;
                let wave = (std::f64::consts::TAU * 700.0 * time).sin() * (-300.0 * time).exp();
                (8000.0 * wave) as i16
            })
            .collect()
    }

    fn snr(real: &[i16], made: &[i16]) -> f64 {
        let power = |it: &mut dyn Iterator<Item = f64>| it.map(|x| x * x).sum::<f64>() + 1.0;
        let signal = power(&mut real.iter().map(|&x| f64::from(x)));
        let error = power(
            &mut real
                .iter()
                .zip(made)
                .map(|(&a, &b)| f64::from(a) - f64::from(b)),
        );
        10.0 * (signal / error).log10()
    }

    #[test]
    fn a_vowel_goes_on_through_a_short_loss() {
        for rate in [Rate::Narrow, Rate::Wide] {
            for period in [3.1, 5.0, 8.3, 12.5] {
                let beat = rate.frame();
                let mut voice = vowel(rate, period, 10 * beat);
                let real = voice.clone();
                let mut concealer = Concealer::new(rate);
                for (number, frame) in voice.chunks_exact_mut(beat).enumerate() {
                    if number == 6 {
                        concealer.conceal(frame);
                    } else {
                        concealer.heard(frame);
                    }
                }
                let half = 6 * beat..6 * beat + beat / 2;
                let clean = snr(&real[half.clone()], &voice[half]);
                assert!(clean > 6.0, "{rate:?} {period} ms: {clean:.1} dB");
                // No click where real sound comes again.
                let steps = |sound: &[i16]| {
                    let steps = sound
                        .windows(2)
                        .map(|two| i32::from(two[1]) - i32::from(two[0]));
                    steps.map(i32::abs).max()
                };
                assert!(steps(&voice[5 * beat..]) <= steps(&real).map(|most| most + 1500));
                assert_eq!(voice[8 * beat..], real[8 * beat..]);
            }
        }
    }

    #[test]
    fn a_long_loss_fades_into_silence() {
        let mut voice = vowel(Rate::Narrow, 5.0, 1600);
        let mut concealer = Concealer::new(Rate::Narrow);
        concealer.heard(&mut voice);
        let mut lost = [0; 800];
        concealer.conceal(&mut lost);
        let loudest = |part: &[i16]| part.iter().map(|it| it.unsigned_abs()).max();
        assert!(loudest(&lost[..80]) > loudest(&lost[240..320]));
        assert!(loudest(&lost[240..320]) > loudest(&lost[400..480]));
        assert_eq!(loudest(&lost[480..]), Some(0));
    }

    #[test]
    fn any_pieces_in_any_order_are_taken() {
        for rate in [Rate::Narrow, Rate::Wide] {
            let mut concealer = Concealer::new(rate);
            for turn in 0..2000_usize {
                let mut piece = vec![i16::MIN; turn * 37 % 1000];
                if turn % 3 == 0 {
                    concealer.conceal(&mut piece);
                } else {
                    concealer.heard(&mut piece);
                }
            }
            concealer.reset();
            let mut piece = [7; 100];
            concealer.conceal(&mut piece);
            assert_eq!(piece, [0; 100]);
        }
    }
}
