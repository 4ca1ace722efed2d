//! Files of other writers, and files that are wrong.

use super::*;
use crate::activity::level;
use crate::goertzel::hears;
use hound::{SampleFormat, WavSpec, WavWriter};
use proptest::prelude::*;
use std::io::Cursor;

/// Half a second of a tone at -10 dBm0, written by hound.
fn hound_file(hertz: f64, spec: WavSpec) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).expect("a good format");
    let peak = f64::from(crate::tone::amplitude(-10.0)) / 32768.0;
    for at in 0..spec.sample_rate / 2 {
        let turn = std::f64::consts::TAU * hertz / f64::from(spec.sample_rate);
        let value = (turn * f64::from(at)).sin() * peak;
        for _ in 0..spec.channels {
            match spec.sample_format {
                SampleFormat::Float => writer.write_sample(value as f32).expect("fits"),
                SampleFormat::Int => {
                    let full = f64::from(1_u32 << (spec.bits_per_sample - 1));
                    writer
                        .write_sample((value * full).round() as i32)
                        .expect("fits");
                }
            }
        }
    }
    writer.finalize().expect("memory has room");
    file.into_inner()
}

/// A file with this `fmt ` chunk and data.
fn file(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let block = channels.wrapping_mul(bits / 8);
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

#[test]
fn linear_and_float_files_of_any_rate_are_heard_alike() {
    for channels in [1, 2] {
        for sample_rate in [8000, 11_025, 16_000, 22_050, 44_100, 48_000] {
            for (bits_per_sample, sample_format) in [
                (8, SampleFormat::Int),
                (16, SampleFormat::Int),
                (24, SampleFormat::Int),
                (32, SampleFormat::Int),
                (32, SampleFormat::Float),
            ] {
                let spec = WavSpec {
                    channels,
                    sample_rate,
                    bits_per_sample,
                    sample_format,
                };
                let file = hound_file(1000.0, spec);
                let wav = Wav::parse(&file).expect("is a WAV file");
                assert_eq!(
                    wav.duration() + odd_sample(sample_rate),
                    Duration::from_millis(500)
                );
                let sound = wav.mono();
                assert!((3999..=4000).contains(&sound.len()), "{spec:?}");
                assert!(hears(&sound, 1000), "{spec:?}");
                let level = level(&sound[100..3900]);
                assert!((level + 10.0).abs() < 0.2, "{spec:?} has {level} dBm0");
            }
        }
    }
}

/// Half a second of an odd rate is half a sample short.
fn odd_sample(rate: u32) -> Duration {
    let whole = u64::from(rate / 2) * 1_000_000_000 / u64::from(rate);
    Duration::from_nanos(500_000_000 - whole)
}

#[test]
fn companded_files_are_read_by_the_tables() {
    let bytes: Vec<u8> = (0..=255).collect();
    for (tag, table) in [(A_LAW, &g711::A_LAW), (MU_LAW, &g711::MU_LAW)] {
        let sound = read(&file(tag, 1, 8000, 8, &bytes)).expect("is playable");
        assert_eq!(sound[..], table[..]);
    }
}

#[test]
fn channels_of_a_stereo_file_are_told_apart_or_put_together() {
    let data: Vec<u8> = [[100_i16, 300]; 50]
        .iter()
        .flatten()
        .flat_map(|s| s.to_le_bytes())
        .collect();
    let file = file(PCM, 2, 8000, 16, &data);
    let wav = Wav::parse(&file).expect("is playable");
    assert_eq!(wav.channel(0).as_deref(), Some(&[100; 50][..]));
    assert_eq!(wav.channel(1).as_deref(), Some(&[300; 50][..]));
    assert_eq!(wav.channel(2), None);
    assert_eq!(wav.mono()[..], [200; 50]);
}

#[test]
fn what_we_wrote_we_read() {
    let samples: Vec<i16> = (-2000..2000).map(|step| step * 16).collect();
    assert_eq!(read(&write(&samples)).expect("is ours")[..], samples[..]);
}

#[test]
fn a_growing_or_piped_file_is_read_to_its_end() {
    for unknown in [u32::MAX, 0x7FFF_F000] {
        let mut bytes = file(PCM, 1, 8000, 16, &[1, 0, 2, 0, 9]);
        bytes[40..44].copy_from_slice(&unknown.to_le_bytes());
        assert_eq!(read(&bytes).expect("is playable")[..], [1, 2]);
    }
}

#[test]
fn extensible_headers_and_unknown_chunks_are_passed_through() {
    let plain = file(PCM, 1, 8000, 16, &[1, 0, 2, 0]);
    let mut bytes = plain[..12].to_vec();
    bytes.extend(b"LIST\x03\0\0\0abc\0"); // odd length, padded
    bytes.extend(b"fmt \x28\0\0\0");
    bytes.extend(&plain[20..36]);
    bytes.extend([22, 0, 16, 0, 4, 0, 0, 0]);
    bytes.extend([
        1, 0, 0, 0, 0, 0, 16, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71,
    ]);
    let format = bytes.len() - 40;
    bytes[format..format + 2].copy_from_slice(&EXTENSIBLE.to_le_bytes());
    bytes.extend(&plain[36..]);
    assert_eq!(read(&bytes).expect("is playable")[..], [1, 2]);
}

#[test]
fn each_fault_has_its_own_words() {
    let data = [0; 8];
    let good = file(PCM, 1, 8000, 16, &data);
    let without_format = [&good[..12], &good[36..]].concat();
    let cases = [
        (b"hello, world! this is text".to_vec(), WavError::NotWav),
        (Vec::new(), WavError::NotWav),
        ([b"RIFX", &good[4..]].concat(), WavError::NotWav),
        (without_format, WavError::NoFormat),
        (good[..30].to_vec(), WavError::NoFormat),
        (good[..36].to_vec(), WavError::NoSamples),
        (
            file(PCM, 1, 8000, 12, &data),
            WavError::Encoding { tag: 1, bits: 12 },
        ),
        (
            file(0x55, 1, 8000, 0, &data),
            WavError::Encoding { tag: 0x55, bits: 0 },
        ),
        (file(PCM, 0, 8000, 16, &data), WavError::Channels(0)),
        (file(PCM, 6, 8000, 16, &data), WavError::Channels(6)),
        (file(PCM, 1, 0, 16, &data), WavError::SampleRate(0)),
        (
            file(PCM, 1, 999_999, 16, &data),
            WavError::SampleRate(999_999),
        ),
        (
            good[..48].to_vec(),
            WavError::Truncated {
                promised: 8,
                present: 4,
            },
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read(&bytes), Err(expected), "{bytes:?}");
    }
}

#[test]
fn a_file_without_samples_is_an_empty_sound() {
    assert_eq!(
        read(&file(PCM, 1, 44_100, 16, &[]))
            .expect("is playable")
            .len(),
        0
    );
}

#[test]
fn floats_that_are_no_numbers_or_too_large_do_no_harm() {
    let values = [f32::NAN, f32::INFINITY, 7.0, -7.0, 0.5];
    let data: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let sound = read(&file(FLOAT, 1, 8000, 32, &data)).expect("is playable");
    assert_eq!(sound[..], [0, 0, 32767, -32768, 16384]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_change_of_a_good_file_makes_it_fall_over(
        changes in proptest::collection::vec((0..60_usize, any::<u8>()), 0..6), cut in 0..100_usize,
    ) {
        let mut bytes = file(PCM, 1, 8000, 16, &[5; 64]);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(cut.max(12));
        let _ = read(&bytes);
    }
}

#[test]
fn what_holds_more_than_the_telephone_band_is_read_at_both_rates() {
    let data: Vec<u8> = (0..480_i16).flat_map(|it| (it % 7).to_le_bytes()).collect();
    match sound(&file(PCM, 1, 24_000, 16, &data)).expect("is playable") {
        Sound::Wideband { narrow, wide } => assert_eq!((narrow.len(), wide.len()), (160, 320)),
        other => panic!("{other:?}"),
    }
    let narrow = sound(&file(PCM, 1, 8000, 16, &data)).expect("is playable");
    assert!(matches!(narrow, Sound::Pcm(samples) if samples.len() == 480));
}
