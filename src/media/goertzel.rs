//! Hearing single frequencies.

/// The level of one frequency in some samples, in dBm0 (a sine of that level).
///
/// Samples are weighted by a Hann window, so that neighbours more than two bins
/// (2 × 8,000 / length) away do not count.
///
/// *Source*: G. Goertzel, An Algorithm for the Evaluation of Finite Trigonometric Series (1958).
pub fn level(samples: &[i16], hertz: u16) -> f32 {
    if samples.is_empty() {
        return f32::NEG_INFINITY;
    }
    let turn = std::f64::consts::TAU / samples.len() as f64;
    let step = std::f64::consts::TAU * f64::from(hertz) / f64::from(crate::SAMPLE_RATE);
    let coefficient = 2.0 * step.cos();
    let (mut before, mut last) = (0.0, 0.0);
    for (at, &sample) in samples.iter().enumerate() {
        let weight = 1.0 - (turn * at as f64).cos();
        let next = f64::from(sample) * weight + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    let amplitude = 2.0 * power.max(0.0).sqrt() / samples.len() as f64;
    crate::tone::level_of_amplitude(amplitude as f32)
}

/// Whether a tone of this frequency is in the samples: loud enough to be meant (-35 dBm0), and at
/// least a quarter of all the sound that there is.
pub fn hears(samples: &[i16], hertz: u16) -> bool {
    let tone = level(samples, hertz);
    tone > -35.0 && tone > crate::activity::level(samples) - 6.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{Oscillator, amplitude};

    fn sine(hertz: f32, level: f32, len: usize) -> Vec<i16> {
        let mut oscillator = Oscillator::new(hertz);
        (0..len)
            .map(|_| (oscillator.next() * amplitude(level)) as i16)
            .collect()
    }

    #[test]
    fn the_level_of_a_sine_is_measured() {
        for expected in [-10.0, -20.0, -30.0] {
            let measured = level(&sine(1000.0, expected, 800), 1000);
            assert!((measured - expected).abs() < 0.2, "{measured} dBm0");
        }
    }

    #[test]
    fn other_frequencies_are_not_heard() {
        let sound = sine(425.0, -10.0, 1600);
        assert!(hears(&sound, 425));
        for hertz in [350, 400, 450, 1000] {
            assert!(!hears(&sound, hertz), "{hertz} Hz");
        }
    }

    #[test]
    fn nothing_is_heard_in_silence() {
        assert!(!hears(&[0; 800], 1000));
        assert!(!hears(&[], 1000));
    }
}
