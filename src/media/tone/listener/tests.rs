use super::*;
use crate::FRAME;
use crate::test_speech::speech;
use crate::tone::{Generator, Oscillator, Tone, amplitude};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Some frequencies for some milliseconds, at this level each in dBm0; none: a pause.
fn part(hertz: &[f32], milliseconds: usize, level: f32) -> Vec<i16> {
    let mut tones: Vec<_> = hertz.iter().map(|&hertz| Oscillator::new(hertz)).collect();
    (0..milliseconds * 8)
        .map(|_| {
            let sum: f32 = tones.iter_mut().map(Oscillator::next).sum();
            (sum * amplitude(level)) as i16
        })
        .collect()
}

/// Parts again and again.
fn repeated(parts: &[(&[f32], usize)], times: usize) -> Vec<i16> {
    let once: Vec<i16> = parts
        .iter()
        .flat_map(|(hertz, milliseconds)| part(hertz, *milliseconds, -13.0))
        .collect();
    once.repeat(times)
}

fn heard(sound: &[i16]) -> Vec<Heard> {
    let mut listener = Listener::default();
    let frames = sound
        .chunks_exact(FRAME)
        .filter_map(|chunk| <&Narrow>::try_from(chunk).ok());
    frames.filter_map(|frame| listener.take(frame)).collect()
}

/// What is heard wherever the beat cuts it, over line noise, through G.711.
#[track_caller]
fn check(sound: &[i16], expected: &[Heard]) {
    let mut rng = StdRng::seed_from_u64(1);
    for offset in (0..FRAME).step_by(23) {
        let mut shifted = vec![0; 4000 + offset];
        shifted.extend(sound);
        shifted.resize(shifted.len() + 24_000, 0);
        for sample in &mut shifted {
            let noisy = sample.saturating_add(rng.random_range(-40..=40));
            *sample =
                crate::codec::g711::A_LAW[usize::from(crate::codec::g711::encode_a_law(noisy))];
        }
        assert_eq!(heard(&shifted), expected, "at {offset}");
    }
}

#[test]
fn busy_tones_of_many_countries_are_heard() {
    for (hertz, on, off) in [
        (&[400.0][..], 375, 375),    // United Kingdom
        (&[425.0], 500, 500),        // most of Europe
        (&[425.0], 480, 480),        // Germany
        (&[440.0], 500, 500),        // France
        (&[400.0], 500, 500),        // Japan
        (&[450.0], 350, 350),        // China
        (&[480.0, 620.0], 500, 500), // North America
        (&[425.0], 330, 330),
    ] {
        check(&repeated(&[(hertz, on), (&[], off)], 5), &[Heard::Busy]);
    }
}

#[test]
fn congestion_tones_are_heard() {
    for (hertz, on, off) in [
        (&[425.0][..], 240, 240),
        (&[425.0], 200, 200),
        (&[480.0, 620.0], 250, 250),
        (&[425.0], 167, 167),
    ] {
        check(
            &repeated(&[(hertz, on), (&[], off)], 8),
            &[Heard::Congestion],
        );
    }
    let british: Vec<_> = Generator::new(Tone::Congestion).take(40_000).collect();
    check(&british, &[Heard::Congestion]);
}

#[test]
fn special_information_is_heard() {
    for gap in [0, 30] {
        let mut sound = Vec::new();
        for hertz in [950.0, 1400.0, 1800.0] {
            sound.extend(part(&[hertz], 330, -14.0));
            sound.extend(part(&[], gap, 0.0));
        }
        check(&sound, &[Heard::SpecialInformation]);
    }
    // North America: other lengths and frequencies.
    let mut sound = part(&[985.2], 380, -14.0);
    sound.extend(part(&[1370.6], 274, -14.0));
    sound.extend(part(&[1776.7], 380, -14.0));
    check(&sound, &[Heard::SpecialInformation]);
}

#[test]
fn fax_machines_are_heard() {
    for hertz in [1070.0, 1100.0, 1130.0] {
        let calling = repeated(&[(&[hertz], 500), (&[], 3000)], 3);
        check(&calling, &[Heard::FaxCalling]);
    }
    for hertz in [2085.0, 2100.0, 2115.0] {
        check(&part(&[hertz], 3000, -12.0), &[Heard::FaxAnswering]);
    }
    // ANS with its phase turned every 450 ms (V.25 §4).
    let mut sound = Vec::new();
    for turn in 0..7 {
        let sign = if turn % 2 == 0 { 1 } else { -1 };
        sound.extend(
            part(&[2100.0], 450, -12.0)
                .into_iter()
                .map(|sample| sample * sign),
        );
    }
    check(&sound, &[Heard::FaxAnswering]);
}

#[test]
fn beeps_of_answering_machines_are_heard_after_the_greeting() {
    for (hertz, milliseconds) in [
        (1000.0, 200),
        (1400.0, 500),
        (800.0, 300),
        (440.0, 400),
        (2000.0, 120),
        (600.0, 1000),
    ] {
        let mut sound = speech(9, 6);
        // The talker's last word ends before the beep.
        sound.extend(part(&[], 300, 0.0));
        sound.extend(part(&[hertz], milliseconds, -14.0));
        check(&sound, &[Heard::Beep]);
    }
}

#[test]
fn ringing_dial_tone_and_keys_are_none_of_them() {
    let ringing: Vec<_> = Generator::new(Tone::Ringing).take(160_000).collect();
    check(&ringing, &[]);
    check(&repeated(&[(&[425.0], 1000), (&[], 4000)], 4), &[]);
    check(&repeated(&[(&[440.0, 480.0], 2000), (&[], 4000)], 3), &[]);
    check(&part(&[425.0], 10_000, -13.0), &[]);
    check(&repeated(&[(&[770.0, 1336.0], 100), (&[], 100)], 20), &[]);
}

#[test]
fn noise_and_music_are_none_of_them() {
    let mut rng = StdRng::seed_from_u64(5);
    let noise: Vec<i16> = (0..400_000)
        .map(|_| rng.random_range(-8000..8000))
        .collect();
    assert_eq!(heard(&noise), []);
    assert_eq!(heard(&crate::music::on_hold().repeat(3)), []);
}

#[test]
fn speech_is_none_of_them() {
    let mut all = Vec::new();
    for seed in 100..130 {
        all.extend(heard(&speech(seed, 60)));
    }
    assert_eq!(all, [], "in half an hour");
}
