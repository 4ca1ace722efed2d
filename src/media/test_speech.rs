//! Sounds like speech, for tests of what must not be taken for something else.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A resonance of the vocal tract: two poles.
#[derive(Clone, Copy, Debug, Default)]
struct Formant {
    hertz: f32,
    width: f32,
    before: f32,
    last: f32,
}

impl Formant {
    fn next(&mut self, input: f32) -> f32 {
        let radius = (-std::f32::consts::PI * self.width / 8000.0).exp();
        let angle = std::f32::consts::TAU * self.hertz / 8000.0;
        let gain =
            (1.0 - radius) * (1.0 - 2.0 * radius * (2.0 * angle).cos() + radius * radius).sqrt();
        let next =
            gain * input + 2.0 * radius * angle.cos() * self.last - radius * radius * self.before;
        self.before = self.last;
        self.last = next;
        next
    }
}

/// So many seconds of syllables: glottal pulses of a gliding pitch, or breath, through formants that
/// move from sound to sound, with pauses. Voices are low and high; levels are those of talkers.
pub(crate) fn speech(seed: u64, seconds: usize) -> Vec<i16> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut sound = Vec::with_capacity(seconds * 8000);
    let mut formants = [Formant::default(); 4];
    let base = rng.random_range(80.0..260.0_f32);
    let mut phase = 0.0_f32;
    while sound.len() < seconds * 8000 {
        let len = rng.random_range(400..2400_usize);
        let kind = rng.random_range(0..10);
        let (pitch, glide) = (
            base * rng.random_range(0.8..1.3),
            rng.random_range(0.8..1.25_f32),
        );
        let level = rng.random_range(2000.0..9000.0_f32);
        let targets = [
            (rng.random_range(230.0..900.0), rng.random_range(30.0..90.0)),
            (
                rng.random_range(750.0..2400.0),
                rng.random_range(40.0..120.0),
            ),
            (
                rng.random_range(2100.0..3100.0),
                rng.random_range(80.0..180.0),
            ),
            (3500.0, 200.0),
        ];
        for at in 0..len {
            let done = at as f32 / len as f32;
            let pulse = match kind {
                0 | 1 => 0.0,
                2 | 3 => rng.random_range(-0.3..0.3_f32),
                _ => {
                    phase += pitch * glide.powf(done) / 8000.0;
                    let opens = phase >= 1.0;
                    phase -= phase.floor();
                    if opens { 12.0 } else { -0.15 }
                }
            };
            let mut sample = 0.0;
            for (formant, (hertz, width)) in formants.iter_mut().zip(targets) {
                formant.hertz += (hertz - formant.hertz) * 0.003;
                formant.width += (width - formant.width) * 0.003;
                sample += formant.next(pulse);
            }
            let edge = (done.min(1.0 - done) * 8.0).min(1.0);
            sound.push((sample * level * edge) as i16);
        }
    }
    sound.truncate(seconds * 8000);
    sound
}
