//! Which tones are in what a phone has heard.

use serde::Serialize;
use strowger_media::{activity, goertzel};

/// Tones that were heard for some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// From here, in milliseconds from the beginning of the recording.
    pub from_ms: u64,
    /// Until here.
    pub until_ms: u64,
    /// Their frequencies, the lowest first.
    pub hertz: Vec<u16>,
}

/// Half a second at 8 kHz: what is looked at in one go.
const BLOCK: usize = 4000;
const BLOCK_MS: u64 = 500;
/// The coarse search: frequencies in these steps, in parts of a block of which each tells
/// frequencies apart that are 20 Hz from each other.
const STEP: usize = 20;
const PART: usize = 800;
/// What a telephone line carries (ITU-T G.712: 300 to 3400 Hz). What lies below is the pitch of
/// voices.
const LOWEST: u16 = 280;
const HIGHEST: u16 = 3420;
/// Blocks below this level are silence, in dBm0.
const SILENCE: f32 = -45.0;
/// A tone of the coarse search is looked at closely from this level on, in dBm0.
const FAINT: f32 = -40.0;
/// More tones at once are no tones but speech or music.
const MOST: usize = 4;

/// The tones of some samples (8 kHz, mono), with neighbouring half seconds of the same tones put
/// together. What remains of the last half second is left out.
pub fn tones(samples: &[i16]) -> Vec<Heard> {
    let mut all: Vec<Heard> = Vec::new();
    let mut from_ms = 0;
    for block in samples.chunks_exact(BLOCK) {
        let hertz = tones_of(block);
        let until_ms = from_ms + BLOCK_MS;
        match all.last_mut() {
            Some(last) if last.until_ms == from_ms && alike(&last.hertz, &hertz) => {
                last.until_ms = until_ms;
            }
            _ if hertz.is_empty() => {}
            _ => all.push(Heard {
                from_ms,
                until_ms,
                hertz,
            }),
        }
        from_ms = until_ms;
    }
    all
}

fn alike(one: &[u16], other: &[u16]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.abs_diff(*b) <= 3)
}

fn tones_of(block: &[i16]) -> Vec<u16> {
    if activity::level(block) < SILENCE {
        return Vec::new();
    }
    let coarse: Vec<(u16, f32)> = (LOWEST..=HIGHEST)
        .step_by(STEP)
        .map(|hertz| (hertz, coarse_level(block, hertz)))
        .collect();
    let mut peaks: Vec<(u16, f32)> = coarse
        .windows(3)
        .filter_map(|near| match near {
            [before, here, after] if here.1 >= before.1 && here.1 > after.1 => Some(*here),
            _ => None,
        })
        .filter(|(_, level)| *level > FAINT)
        .collect();
    peaks.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut tones: Vec<u16> = peaks
        .into_iter()
        .take(MOST)
        .map(|(hertz, _)| closest(block, hertz))
        .filter(|hertz| goertzel::hears(block, *hertz))
        .collect();
    tones.sort_unstable();
    tones.dedup_by(|one, other| one.abs_diff(*other) <= 3);
    tones
}

/// The mean level of a frequency over the parts of a block.
fn coarse_level(block: &[i16], hertz: u16) -> f32 {
    let power: f32 = block
        .chunks_exact(PART)
        .map(|part| 10.0_f32.powf(goertzel::level(part, hertz) / 10.0))
        .sum();
    let parts = BLOCK / PART;
    10.0 * (power / f32::from(u16::try_from(parts).unwrap_or(1))).log10()
}

/// The frequency around this one that is the loudest in the whole block.
fn closest(block: &[i16], hertz: u16) -> u16 {
    let reach = u16::try_from(STEP).unwrap_or(0);
    (hertz.saturating_sub(reach)..=hertz + reach)
        .map(|hertz| (hertz, goertzel::level(block, hertz)))
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .map_or(hertz, |(hertz, _)| hertz)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_media::tone::{Generator, Tone};

    fn tone(tone: Tone, samples: usize) -> Vec<i16> {
        Generator::new(tone).take(samples).collect()
    }

    #[test]
    fn each_half_second_tells_its_tones() {
        let mut samples = vec![0; 4000];
        samples.extend(tone(Tone::Steady { hertz: 613 }, 8000));
        samples.extend(vec![0; 4000]);
        samples.extend(tone(Tone::Steady { hertz: 800 }, 4000));
        let expected = [
            Heard {
                from_ms: 500,
                until_ms: 1500,
                hertz: vec![613],
            },
            Heard {
                from_ms: 2000,
                until_ms: 2500,
                hertz: vec![800],
            },
        ];
        assert_eq!(tones(&samples), expected);
    }

    #[test]
    fn both_tones_of_a_pair_are_heard() {
        let pair = |hertz| Tone::Steady { hertz };
        let samples: Vec<i16> = tone(pair(600), 4000)
            .into_iter()
            .zip(tone(pair(800), 4000))
            .map(|(one, other)| one + other)
            .collect();
        assert_eq!(
            tones(&samples),
            [Heard {
                from_ms: 0,
                until_ms: 500,
                hertz: vec![600, 800]
            }]
        );
    }

    #[test]
    fn silence_and_noise_have_no_tones() {
        assert_eq!(tones(&[0; 8000]), []);
        let mut state = 1_u32;
        let noise: Vec<i16> = (0..8000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                i16::try_from(state >> 19).unwrap_or(0) - 4096
            })
            .collect();
        assert_eq!(tones(&noise), []);
    }
}
