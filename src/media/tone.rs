//! Call-progress tones and our own signals.

mod listener;

pub use listener::{Heard, Listener};

use crate::SAMPLE_RATE;

/// A tone.
///
/// *Source*: ITU-T E.180 Supplement 2, United Kingdom; the others are our own signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// 400 + 450 Hz, 0.4 s on, 0.2 off, 0.4 on, 2.0 off; endless.
    Ringing,
    /// 400 Hz, 0.375 s on, 0.375 off; endless.
    Busy,
    /// 400 Hz, 0.4 s on, 0.35 off, 0.225 on, 0.525 off; endless.
    Congestion,
    /// 400 Hz without a break; endless.
    NumberUnobtainable,
    /// 1,400 Hz for 0.5 s: a recording starts.
    Beep,
    /// Two rising notes: somebody joined a conference.
    Joined,
    /// Two falling notes: somebody left it.
    Left,
    /// A sine without a break; endless. For trying lines.
    Steady {
        /// Its frequency.
        hertz: u16,
    },
}

/// Level of a tone of one frequency, in dBm0.
const LEVEL: f32 = -10.0;

/// Level of each frequency where two sound together: half the power of [`LEVEL`].
const PAIR_LEVEL: f32 = -13.0;

/// G.711 §5: a sine that just reaches the largest value has 3.14 dBm0 (A-law; 3.17 in µ-law).
#[expect(
    clippy::approx_constant,
    reason = "decibels that happen to look like π"
)]
const FULL_SCALE: f32 = 3.14;

/// Samples of fading at both ends of a sound, so that it does not click: 2.5 ms.
const EDGE: u32 = 20;

/// One part of a cadence.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The frequencies; 0: none.
    hertz: [u16; 2],
    milliseconds: u32,
}

const fn on(hertz: u16, milliseconds: u32) -> Part {
    Part {
        hertz: [hertz, 0],
        milliseconds,
    }
}

const fn pair(hertz: [u16; 2], milliseconds: u32) -> Part {
    Part {
        hertz,
        milliseconds,
    }
}

const fn off(milliseconds: u32) -> Part {
    Part {
        hertz: [0, 0],
        milliseconds,
    }
}

const RINGING: [Part; 4] = [
    pair([400, 450], 400),
    off(200),
    pair([400, 450], 400),
    off(2000),
];
const BUSY: [Part; 2] = [on(400, 375), off(375)];
const CONGESTION: [Part; 4] = [on(400, 400), off(350), on(400, 225), off(525)];
const BEEP: [Part; 1] = [on(1400, 500)];
const JOINED: [Part; 2] = [on(660, 120), on(880, 160)];
const LEFT: [Part; 2] = [on(880, 120), on(660, 160)];

impl Tone {
    /// It goes on until stopped.
    pub const fn is_endless(self) -> bool {
        match self {
            Self::Ringing
            | Self::Busy
            | Self::Congestion
            | Self::NumberUnobtainable
            | Self::Steady { .. } => true,
            Self::Beep | Self::Joined | Self::Left => false,
        }
    }
}

/// The peak of a sine of this level.
///
/// *Units*: level in dBm0, answer in steps of 16-bit linear.
pub fn amplitude(level: f32) -> f32 {
    32768.0 * 10.0_f32.powf((level - FULL_SCALE) / 20.0)
}

/// The level of a sine with this peak: [`amplitude`] the other way.
pub fn level_of_amplitude(peak: f32) -> f32 {
    20.0 * (peak / 32768.0).log10() + FULL_SCALE
}

/// A sine of amplitude 1.
///
/// A complex number turned by a fixed angle for each sample: no sine is computed on the beat.
#[derive(Clone, Copy, Debug)]
pub struct Oscillator {
    sine: f32,
    cosine: f32,
    turn_sine: f32,
    turn_cosine: f32,
}

impl Oscillator {
    /// A sine at its zero crossing.
    pub fn new(hertz: f32) -> Self {
        let turn = std::f32::consts::TAU * hertz / SAMPLE_RATE as f32;
        Self {
            sine: 0.0,
            cosine: 1.0,
            turn_sine: turn.sin(),
            turn_cosine: turn.cos(),
        }
    }

    /// Lets some samples pass.
    pub fn skip(&mut self, samples: u32) {
        for _ in 0..samples {
            self.next();
        }
    }

    /// The next sample.
    #[expect(clippy::should_implement_trait, reason = "an oscillator never ends")]
    pub fn next(&mut self) -> f32 {
        let sample = self.sine;
        let sine = self.sine * self.turn_cosine + self.cosine * self.turn_sine;
        let cosine = self.cosine * self.turn_cosine - self.sine * self.turn_sine;
        // One step of Newton's method keeps rounding from changing the amplitude.
        let correction = 1.5 - 0.5 * (sine * sine + cosine * cosine);
        self.sine = sine * correction;
        self.cosine = cosine * correction;
        sample
    }
}

/// Sounds a tone.
#[derive(Clone, Debug)]
pub struct Generator {
    tone: Tone,
    part: usize,
    /// Samples of the part that were made.
    done: u32,
    oscillators: [Oscillator; 2],
    /// Peak of each oscillator.
    peak: f32,
    ended: bool,
}

impl Generator {
    /// A tone at its start.
    pub fn new(tone: Tone) -> Self {
        let mut generator = Self {
            tone,
            part: 0,
            done: 0,
            oscillators: [Oscillator::new(0.0); 2],
            peak: 0.0,
            ended: false,
        };
        generator.tune();
        generator
    }

    fn parts(&self) -> &'static [Part] {
        match self.tone {
            Tone::Ringing => &RINGING,
            Tone::Busy => &BUSY,
            Tone::Congestion => &CONGESTION,
            Tone::Beep => &BEEP,
            Tone::Joined => &JOINED,
            Tone::Left => &LEFT,
            Tone::NumberUnobtainable | Tone::Steady { .. } => &[],
        }
    }

    /// The frequencies of the present part, and its length where it has one.
    fn present(&self) -> ([u16; 2], Option<u32>) {
        match self.tone {
            Tone::NumberUnobtainable => ([400, 0], None),
            Tone::Steady { hertz } => ([hertz, 0], None),
            Tone::Ringing
            | Tone::Busy
            | Tone::Congestion
            | Tone::Beep
            | Tone::Joined
            | Tone::Left => {
                let part = self.parts()[self.part];
                (part.hertz, Some(part.milliseconds * SAMPLE_RATE / 1000))
            }
        }
    }

    fn tune(&mut self) {
        let (hertz, _) = self.present();
        self.oscillators = hertz.map(|hertz| Oscillator::new(f32::from(hertz)));
        self.peak = amplitude(if hertz[1] == 0 { LEVEL } else { PAIR_LEVEL });
        self.done = 0;
    }
}

impl Iterator for Generator {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        if self.ended {
            return None;
        }
        let (_, len) = self.present();
        let left = len.map_or(EDGE, |len| len - self.done);
        let gain = self.done.min(left).min(EDGE) as f32 / EDGE as f32;
        let peak = self.peak;
        let sum: f32 = self.oscillators.iter_mut().map(Oscillator::next).sum();
        self.done = self.done.saturating_add(1);
        if len.is_some_and(|len| self.done >= len) {
            self.part += 1;
            if self.part == self.parts().len() {
                self.part = 0;
                self.ended = !self.tone.is_endless();
            }
            self.tune();
        }
        Some((sum * gain * peak) as i16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::level;
    use crate::goertzel::hears;

    /// Where sound is on, in milliseconds, in this many seconds of a tone.
    fn cadence(tone: Tone, seconds: u32) -> Vec<(u32, u32)> {
        let sound: Vec<_> = Generator::new(tone)
            .take((SAMPLE_RATE * seconds) as usize)
            .collect();
        let mut spans = Vec::new();
        let mut start = None;
        // Zero crossings are no pauses: 5 ms are looked at together.
        for (window, samples) in (0..).zip(sound.chunks(40)) {
            let on = samples.iter().any(|sample| sample.abs() > 100);
            match (on, start) {
                (true, None) => start = Some(window * 5),
                (false, Some(from)) => {
                    spans.push((from, window * 5));
                    start = None;
                }
                _ => {}
            }
        }
        spans.extend(start.map(|from| (from, seconds * 1000)));
        spans
    }

    #[test]
    fn cadences_are_those_of_the_united_kingdom() {
        assert_eq!(
            cadence(Tone::Ringing, 4),
            [(0, 400), (600, 1000), (3000, 3400), (3600, 4000)]
        );
        assert_eq!(cadence(Tone::Busy, 1), [(0, 375), (750, 1000)]);
        assert_eq!(
            cadence(Tone::Congestion, 2),
            [(0, 400), (750, 975), (1500, 1900)]
        );
        assert_eq!(cadence(Tone::NumberUnobtainable, 3), [(0, 3000)]);
    }

    #[test]
    fn tones_have_their_frequencies_and_level() {
        for (tone, frequencies) in [
            (Tone::Ringing, &[400, 450][..]),
            (Tone::Busy, &[400]),
            (Tone::Congestion, &[400]),
            (Tone::NumberUnobtainable, &[400]),
            (Tone::Beep, &[1400]),
            (Tone::Steady { hertz: 1004 }, &[1004]),
        ] {
            let sound: Vec<_> = Generator::new(tone).take(2800).collect();
            for &hertz in frequencies {
                assert!(hears(&sound, hertz), "{hertz} Hz in {tone:?}");
            }
            let measured = level(&sound[100..2700]);
            assert!(
                (measured + 10.0).abs() < 0.5,
                "{tone:?} has {measured} dBm0"
            );
        }
    }

    #[test]
    fn signals_end_and_call_progress_tones_do_not() {
        assert_eq!(Generator::new(Tone::Beep).count(), 4000);
        assert_eq!(Generator::new(Tone::Joined).count(), 2240);
        for tone in [
            Tone::Ringing,
            Tone::Busy,
            Tone::Congestion,
            Tone::NumberUnobtainable,
        ] {
            assert!(tone.is_endless());
            assert_eq!(Generator::new(tone).take(100_000).count(), 100_000);
        }
    }

    #[test]
    fn joining_rises_and_leaving_falls() {
        for (tone, first, second) in [(Tone::Joined, 660, 880), (Tone::Left, 880, 660)] {
            let sound: Vec<_> = Generator::new(tone).collect();
            assert!(hears(&sound[..900], first) && hears(&sound[1000..], second));
        }
    }

    #[test]
    fn an_oscillator_keeps_its_amplitude_for_an_hour() {
        let mut oscillator = Oscillator::new(450.0);
        oscillator.skip(3600 * SAMPLE_RATE);
        let peak = (0..8000)
            .map(|_| oscillator.next().abs())
            .fold(0.0, f32::max);
        assert!((peak - 1.0).abs() < 0.01, "{peak}");
    }
}
