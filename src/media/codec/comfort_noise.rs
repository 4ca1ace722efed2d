//! Comfort noise: what is heard while the sender is silent and says so.
//!
//! *Source*: RFC 3389, ITU-T G.711 Appendix II.

use crate::tone::amplitude;

/// RFC 3389 §3 allows any order; what encoders use is 10 (G.711 Appendix II).
const ORDER: usize = 12;

/// The level of a full-scale square wave, in dBm0, against which RFC 3389 counts (dBov): that of the
/// digital overload point of A-law, +3.14 dBm0, and 3 dB between sine and square.
const OVERLOAD: f32 = 6.14;

/// Levels that comfort noise is taken at: louder is no background, and no comfort.
const LOUDEST: f32 = -30.0;

/// The static payload type (RFC 3551 Table 4), at a clock of 8 kHz.
pub const PAYLOAD_TYPE: u8 = 13;

/// Makes noise of a level and spectrum.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    /// Root mean square of what goes into the filter.
    strength: f32,
    reflections: [f32; ORDER],
    memory: [f32; ORDER],
    dice: u32,
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self {
            strength: 0.0,
            reflections: [0.0; ORDER],
            memory: [0.0; ORDER],
            dice: 0x2545_F491,
        }
    }
}

impl ComfortNoise {
    /// Takes a payload of RFC 3389: a level and, maybe, reflection coefficients. An empty one says
    /// nothing about either. With `flat`, the spectrum is left out: it is that of 8 kHz.
    pub fn take(&mut self, payload: &[u8], flat: bool) {
        let Some((&level, spectrum)) = payload.split_first() else {
            return;
        };
        self.reflections = [0.0; ORDER];
        if !flat {
            for (place, &octet) in self.reflections.iter_mut().zip(spectrum) {
                // RFC 3389 §3.2: k = 258 (N - 127) / 32768.
                *place = ((f32::from(octet) - 127.0) * 258.0 / 32768.0).clamp(-0.99, 0.99);
            }
        }
        self.set_level(OVERLOAD - f32::from(level & 0x7F));
    }

    /// Sets the level, in dBm0.
    pub fn set_level(&mut self, level: f32) {
        // What the filter adds: each stage by 1 / (1 - k²).
        let shrink: f32 = self.reflections.iter().map(|k| 1.0 - k * k).product();
        let rms = amplitude(level.min(LOUDEST)) / std::f32::consts::SQRT_2;
        self.strength = rms * shrink.max(0.0).sqrt();
    }

    /// Writes the next noise.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            let mut forward = self.white() * self.strength;
            // An all-pole lattice, from its last stage on.
            for stage in (0..ORDER).rev() {
                let k = self.reflections[stage];
                forward -= k * self.memory[stage];
                let backward = self.memory[stage] + k * forward;
                if let Some(next) = self.memory.get_mut(stage + 1) {
                    *next = backward;
                }
            }
            self.memory[0] = forward;
            *sample = forward.round_ties_even() as i16;
        }
    }

    /// Even noise of a root mean square of 1.
    fn white(&mut self) -> f32 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 17;
        self.dice ^= self.dice << 5;
        (self.dice as f32 / u32::MAX as f32 - 0.5) * 12.0_f32.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::level;

    fn noise(payload: &[u8]) -> Vec<i16> {
        let mut noise = ComfortNoise::default();
        noise.take(payload, false);
        let mut samples = vec![0; 16_000];
        noise.fill(&mut samples);
        samples
    }

    #[test]
    fn the_level_is_the_one_that_was_said() {
        for dbov in [40, 50, 60, 70] {
            for spectrum in [&[][..], &[230, 100], &[20, 140, 127, 127, 90, 200]] {
                let payload: Vec<u8> = [&[dbov], spectrum].concat();
                let heard = level(&noise(&payload));
                let said = OVERLOAD - f32::from(dbov);
                assert!((heard - said).abs() < 1.5, "{payload:?}: {heard:.1} dBm0");
            }
        }
    }

    #[test]
    fn the_spectrum_leans_as_the_coefficients_say() {
        // The first coefficient is the negative correlation of neighbours.
        let correlation = |samples: &[i16]| {
            let products = samples
                .windows(2)
                .map(|two| f64::from(two[0]) * f64::from(two[1]));
            let power: f64 = samples.iter().map(|&it| f64::from(it).powi(2)).sum();
            products.sum::<f64>() / power
        };
        assert!(correlation(&noise(&[40, 32])) > 0.6);
        assert!(correlation(&noise(&[40, 222])) < -0.6);
        assert!(correlation(&noise(&[40])).abs() < 0.1);
    }

    #[test]
    fn any_payload_is_noise_that_is_not_loud() {
        let mut dice = ComfortNoise::default();
        for len in 0..40 {
            for _ in 0..50 {
                let payload: Vec<u8> = (0..len)
                    .map(|_| (dice.white() * 100.0) as i8 as u8)
                    .collect();
                let heard = level(&noise(&payload));
                assert!(heard < LOUDEST + 6.0, "{payload:?}: {heard:.1} dBm0");
            }
        }
        assert!(noise(&[]).iter().all(|&sample| sample == 0));
    }
}
