//! Music on hold, made by arithmetic: nobody's recording, nobody's composition.

use crate::SAMPLE_RATE;
use crate::tone::amplitude;
use std::sync::Arc;

/// Length of a quaver in samples: 0.35 s, about 86 crotchets a minute.
const QUAVER: usize = SAMPLE_RATE as usize * 35 / 100;

/// Quavers of a bar.
const BAR: usize = 8;

/// Level of the loudest sample as the peak of a sine, in dBm0: soft beside speech, loud enough to
/// tell the caller that the line is alive.
const PEAK: f32 = -12.0;

/// The chords, a bar each, as semitones from middle C: C, Am7, Fmaj7, G, Em7, Am7, Dm7, G.
const CHORDS: [[i32; 4]; 8] = [
    [0, 4, 7, 12],
    [-3, 0, 4, 7],
    [-7, 0, 4, 9],
    [-5, 2, 7, 11],
    [-8, -1, 7, 11],
    [-3, 4, 7, 12],
    [-10, 0, 5, 9],
    [-5, -1, 5, 7],
];

/// In which order a bar's quavers pick the notes of its chord.
const PATTERN: [usize; BAR] = [0, 2, 1, 3, 2, 1, 3, 2];

/// The melody: bar, quaver within it, semitones from middle C, length in quavers.
const MELODY: [(usize, usize, i32, usize); 14] = [
    (0, 0, 16, 3),
    (0, 4, 14, 2),
    (1, 0, 12, 4),
    (1, 6, 14, 2),
    (2, 0, 16, 3),
    (2, 4, 17, 2),
    (3, 0, 19, 5),
    (4, 0, 19, 3),
    (4, 4, 18, 2),
    (5, 0, 16, 4),
    (5, 6, 12, 2),
    (6, 0, 14, 3),
    (6, 4, 17, 2),
    (7, 0, 14, 5),
];

/// A quiet piece of music that can be repeated without a seam: what rings on at its end is heard at
/// its start.
///
/// *Shape*: 22.4 s at 8 kHz, mono. To be made once and shared.
pub fn on_hold() -> Arc<[i16]> {
    let mut sound = vec![0.0; CHORDS.len() * BAR * QUAVER];
    for (bar, chord) in CHORDS.iter().enumerate() {
        for (quaver, &pick) in PATTERN.iter().enumerate() {
            let start = (bar * BAR + quaver) * QUAVER;
            pluck(&mut sound, start, chord[pick], 4 * QUAVER, 0.5);
        }
    }
    for (bar, quaver, semitones, quavers) in MELODY {
        pluck(
            &mut sound,
            (bar * BAR + quaver) * QUAVER,
            semitones,
            (quavers + 2) * QUAVER,
            1.0,
        );
    }
    let loudest = sound
        .iter()
        .fold(f32::EPSILON, |loudest, sample| sample.abs().max(loudest));
    let gain = amplitude(PEAK) / loudest;
    sound.iter().map(|sample| (sample * gain) as i16).collect()
}

/// Adds a plucked note, around the end of the sound to its start.
fn pluck(sound: &mut [f32], start: usize, semitones: i32, len: usize, volume: f32) {
    let rate = SAMPLE_RATE as f32;
    // Middle C in equal temperament, A at 440 Hz.
    let hertz = 261.63 * 2.0_f32.powf(semitones as f32 / 12.0);
    let total = sound.len();
    for at in 0..len {
        let seconds = at as f32 / rate;
        let attack = (seconds / 0.01).min(1.0);
        let release = ((len - at) as f32 / rate / 0.1).min(1.0);
        let turn = std::f32::consts::TAU * hertz * seconds;
        // Higher partials die away sooner, as on a string.
        let tone = turn.sin() * (-seconds * 2.0).exp()
            + 0.35 * (2.0 * turn).sin() * (-seconds * 4.0).exp()
            + 0.12 * (3.0 * turn).sin() * (-seconds * 7.0).exp();
        sound[(start + at) % total] += tone * attack * release * volume;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::level;

    #[test]
    fn it_is_neither_silent_nor_loud_anywhere() {
        let music = on_hold();
        assert_eq!(music.len(), 22 * 8000 + 3200);
        for (second, sound) in music.chunks(8000).enumerate() {
            let level = level(sound);
            assert!(
                (-30.0..-14.0).contains(&level),
                "second {second} has {level} dBm0"
            );
        }
    }

    #[test]
    fn its_end_leads_into_its_start() {
        let music = on_hold();
        let steps = |a: &[i16]| a.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max();
        let seam = [&music[music.len() - 10..], &music[..10]].concat();
        assert!(
            steps(&seam) <= steps(&music[..]).map(|step| step / 2),
            "no click at the seam"
        );
    }

    #[test]
    fn it_is_the_same_each_time() {
        assert_eq!(on_hold(), on_hold());
    }
}
