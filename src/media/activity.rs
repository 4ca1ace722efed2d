//! Whether somebody speaks, by the energy of the sound.

use crate::{BEAT, Narrow};
use std::time::Duration;

/// Sound below this is never speech, in dBm0.
const FLOOR: f32 = -48.0;

/// Sound above this always counts, in dBm0.
const CEILING: f32 = -24.0;

/// Speech is this much above the noise of the line, in dB.
const ABOVE_NOISE: f32 = 9.0;

/// Beats of sound before it counts: a click is no speech.
const ATTACK: u16 = 3;

/// Beats that speech lasts on after its last sound: the pauses between syllables.
const HANGOVER: u16 = 10;

/// How fast the noise estimate falls and rises, of its distance on each beat.
const FALL: f32 = 0.2;
const RISE: f32 = 0.005;

/// The level of some samples in dBm0.
pub fn level(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return f32::NEG_INFINITY;
    }
    let energy: i64 = samples
        .iter()
        .map(|&sample| i64::from(sample) * i64::from(sample))
        .sum();
    let mean = energy as f64 / samples.len() as f64;
    crate::tone::level_of_amplitude((mean * 2.0).sqrt() as f32)
}

/// Follows one stream of frames.
///
/// The threshold lies above a noise level that is learned from the quiet parts, between two fixed
/// bounds: line noise does not count as speech, and loud speech without a pause does.
#[derive(Clone, Copy, Debug)]
pub struct Activity {
    noise: f32,
    loud: u16,
    hangover: u16,
    quiet: u32,
    ever: bool,
}

impl Default for Activity {
    fn default() -> Self {
        Self::new()
    }
}

impl Activity {
    /// Nothing was heard.
    pub const fn new() -> Self {
        Self {
            noise: FLOOR - ABOVE_NOISE,
            loud: 0,
            hangover: 0,
            quiet: 0,
            ever: false,
        }
    }

    /// Takes a frame; answers whether somebody speaks.
    pub fn take(&mut self, frame: &Narrow) -> bool {
        let level = level(frame).max(-90.0);
        let threshold = (self.noise + ABOVE_NOISE).clamp(FLOOR, CEILING);
        if level > threshold {
            self.loud = (self.loud + 1).min(ATTACK);
        } else {
            self.loud = 0;
        }
        let rate = if level < self.noise { FALL } else { RISE };
        self.noise += (level - self.noise) * rate;
        if self.loud >= ATTACK {
            self.hangover = HANGOVER;
            self.ever = true;
        } else {
            self.hangover = self.hangover.saturating_sub(1);
        }
        if self.hangover > 0 {
            self.quiet = 0;
        } else {
            self.quiet = self.quiet.saturating_add(1);
        }
        self.hangover > 0
    }

    /// How long nobody has spoken.
    pub fn quiet_for(&self) -> Duration {
        BEAT * self.quiet
    }

    /// Somebody spoke at some time.
    pub fn has_heard(&self) -> bool {
        self.ever
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{Oscillator, amplitude};
    use crate::{FRAME, SILENCE};
    use rand::{RngExt, SeedableRng};

    fn noise(seed: u64, level: f32) -> impl FnMut() -> Narrow {
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        // The mean square of even noise is a third of its peak's.
        let peak = amplitude(level) * (1.5_f32).sqrt();
        move || std::array::from_fn(|_| rng.random_range(-peak..=peak) as i16)
    }

    #[test]
    fn a_tone_is_heard_and_silence_is_not() {
        let mut activity = Activity::new();
        for _ in 0..50 {
            assert!(!activity.take(&SILENCE));
        }
        assert_eq!(activity.quiet_for(), Duration::from_secs(1));
        assert!(!activity.has_heard());
        let mut oscillator = Oscillator::new(440.0);
        for beat in 0..20 {
            let frame: Narrow =
                std::array::from_fn(|_| (oscillator.next() * amplitude(-20.0)) as i16);
            assert_eq!(activity.take(&frame), beat >= 2, "beat {beat}");
        }
        assert!(activity.has_heard());
        assert_eq!(activity.quiet_for(), Duration::ZERO);
    }

    #[test]
    fn line_noise_is_no_speech() {
        let mut noise = noise(1, -50.0);
        let mut activity = Activity::new();
        for _ in 0..500 {
            activity.take(&noise());
        }
        assert!(!activity.has_heard());
    }

    #[test]
    fn loud_steady_noise_is_learned_and_speech_over_it_is_heard() {
        let mut hiss = noise(2, -38.0);
        let mut activity = Activity::new();
        for _ in 0..1500 {
            activity.take(&hiss());
        }
        assert!(
            activity.quiet_for() > Duration::from_secs(5),
            "{activity:?}"
        );
        let mut speech = noise(3, -18.0);
        for _ in 0..5 {
            activity.take(&speech());
        }
        assert_eq!(activity.quiet_for(), Duration::ZERO);
    }

    #[test]
    fn a_click_is_no_speech() {
        let mut activity = Activity::new();
        activity.take(&[20_000; FRAME]);
        for _ in 0..10 {
            activity.take(&SILENCE);
        }
        assert!(!activity.has_heard());
    }

    #[test]
    fn levels_are_those_of_the_standard() {
        // G.711 Table 5: the digital milliwatt is a sine of 0 dBm0.
        let mut oscillator = Oscillator::new(1000.0);
        let sine: Vec<_> = (0..8000)
            .map(|_| (oscillator.next() * amplitude(0.0)) as i16)
            .collect();
        assert!((level(&sine)).abs() < 0.05, "{} dBm0", level(&sine));
        assert!(level(&[]).is_infinite());
    }
}
