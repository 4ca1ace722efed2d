//! Sound through every codec and back.

use super::*;
use crate::SILENCE;
use proptest::prelude::*;
use std::f64::consts::TAU;

const BEATS: usize = 60;

fn tone(rate: Rate, hertz: f64) -> Vec<i16> {
    let turn = TAU * hertz / f64::from(rate.hertz());
    (0..BEATS * rate.frame())
        .map(|at| (8000.0 * (turn * at as f64).sin()).round() as i16)
        .collect()
}

fn frames(rate: Rate, samples: &[i16]) -> impl Iterator<Item = Frame> {
    samples.chunks_exact(rate.frame()).map(move |chunk| {
        let mut frame = Frame::silent(rate);
        frame.samples_mut().copy_from_slice(chunk);
        frame
    })
}

fn payloads(codec: Codec, rate: Rate, samples: &[i16]) -> Vec<Vec<u8>> {
    let wishes = opus::Wishes {
        in_band_fec: true,
        ..opus::Wishes::default()
    };
    let mut encoder = Encoder::new(codec, wishes);
    frames(rate, samples)
        .map(|frame| {
            let mut payload = [0; MAX_PAYLOAD];
            let len = encoder.encode(&frame, &mut payload);
            payload[..len].to_vec()
        })
        .collect()
}

/// What comes of a sound through a codec: signal to noise in dB at the best delay, and that delay in
/// samples at the codec's rate.
fn through(codec: Codec, sent: &[i16]) -> (f64, usize) {
    let rate = codec.rate();
    let mut decoder = Decoder::new(codec);
    let mut heard = Vec::new();
    for payload in payloads(codec, rate, sent) {
        heard.extend_from_slice(decoder.decode(&payload));
    }
    assert_eq!(heard.len(), sent.len());
    // The first beats are left out: codecs adapt.
    let from = 20 * rate.frame();
    let delays = (0..rate.frame()).map(|delay| {
        let pairs = || heard[from + delay..].iter().zip(&sent[from..]);
        let (mut product, mut energy) = (0.0, 0.0);
        for (&heard, &sent) in pairs() {
            product += f64::from(heard) * f64::from(sent);
            energy += f64::from(sent).powi(2);
        }
        let gain = product / energy;
        let error: f64 = pairs()
            .map(|(&heard, &sent)| (f64::from(heard) - gain * f64::from(sent)).powi(2))
            .sum();
        let snr = 10.0 * (gain * gain * energy / (error + 1.0)).log10();
        (snr, delay)
    });
    delays
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .expect("there are delays")
}

pub(crate) fn snr_of_tone(codec: Codec, hertz: f64) -> f64 {
    through(codec, &tone(codec.rate(), hertz)).0
}

#[test]
fn names_and_payload_types_lead_back_to_the_codec() {
    for codec in Codec::ALL {
        assert_eq!(Codec::from_name(&codec.name().to_lowercase()), Some(codec));
        let known = (codec != Codec::Opus).then_some(codec);
        assert_eq!(Codec::from_payload_type(codec.payload_type()), known);
    }
    assert_eq!(Codec::from_name("G729"), None);
    assert_eq!(Codec::from_payload_type(18), None);
}

#[test]
fn silence_stays_silence() {
    for codec in Codec::ALL {
        let silence = vec![0; 20 * codec.rate().frame()];
        let mut decoder = Decoder::new(codec);
        for payload in payloads(codec, codec.rate(), &silence) {
            let heard = decoder.decode(&payload);
            assert!(heard.iter().all(|sample| sample.abs() <= 8), "{codec:?}");
        }
    }
}

#[test]
fn a_tone_of_the_telephone_band_comes_through_every_codec() {
    for (codec, least) in [
        (Codec::Pcma, 36.0),
        (Codec::Pcmu, 36.0),
        (Codec::G722, 30.0),
        (Codec::Opus, 12.0),
    ] {
        let snr = snr_of_tone(codec, 710.0);
        assert!(snr > least, "{codec:?}: {snr:.1} dB");
    }
}

#[test]
fn the_delay_of_each_codec_is_known() {
    for (codec, expected) in [
        (Codec::Pcma, 0..=0),
        (Codec::Pcmu, 0..=0),
        // G.722 §1.4.2: 3 ms at most; 22 samples of its filters.
        (Codec::G722, 21..=23),
        // RFC 6716 §2: 6.5 ms beside the 20 ms of the frame itself.
        (Codec::Opus, 60..=110),
    ] {
        // From 300 to 2,500 Hz: a tone would fit again after each period.
        let hertz = f64::from(codec.rate().hertz());
        let sweep: Vec<i16> = (0..BEATS * codec.rate().frame())
            .map(|at| {
                let time = at as f64 / hertz;
                let cycles = 300.0 * time + 2200.0 / 2.4 * time * time;
                (8000.0 * (TAU * cycles).sin()).round() as i16
            })
            .collect();
        let (snr, delay) = through(codec, &sweep);
        assert!(expected.contains(&delay), "{codec:?}: {delay} samples late");
        assert!(snr > 5.0, "{codec:?}: {snr:.1} dB");
    }
}

#[test]
fn frames_of_either_rate_are_taken() {
    for codec in Codec::ALL {
        for rate in [Rate::Narrow, Rate::Wide] {
            let mut decoder = Decoder::new(codec);
            let heard: Vec<i16> = payloads(codec, rate, &tone(rate, 1000.0))
                .iter()
                .flat_map(|payload| decoder.decode(payload).to_vec())
                .collect();
            let second = &heard[codec.rate().hertz() as usize / 2..];
            let level = level(second);
            assert!((level - -9.1).abs() < 1.5, "{codec:?} {rate:?}: {level}");
        }
    }
}

#[test]
fn a_lost_packet_is_made_up() {
    for codec in Codec::ALL {
        let rate = codec.rate();
        let sent = payloads(codec, rate, &tone(rate, 400.0));
        for after in [false, true] {
            let mut decoder = Decoder::new(codec);
            for payload in &sent[..30] {
                decoder.decode(payload);
            }
            let beat = codec.clock_rate() / 50;
            let next = after.then(|| sent[31].as_slice());
            let made_up = decoder.conceal(beat, next).to_vec();
            assert_eq!(made_up.len(), rate.frame());
            let level = level(&made_up[..rate.frame() / 2]);
            assert!(level > -16.0, "{codec:?}: {level}");
            assert_eq!(decoder.decode(&sent[31]).len(), rate.frame());
        }
    }
}

#[test]
fn a_silent_sender_is_heard_as_it_said() {
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
        let mut decoder = Decoder::new(codec);
        decoder.take_noise(&[60]);
        let said = level(decoder.rest(8000));
        assert!((said - -53.9).abs() < 1.5, "{codec:?}: {said}");
    }
    // Nothing was said: as faint as the line was.
    let mut decoder = Decoder::new(Codec::Pcma);
    let mut quiet = Encoder::new(Codec::Pcma, opus::Wishes::default());
    let mut noise = ComfortNoise::default();
    noise.set_level(-58.0);
    for _ in 0..400 {
        let (mut frame, mut payload) = (SILENCE, [0; MAX_PAYLOAD]);
        noise.fill(&mut frame);
        let len = quiet.encode(&frame.into(), &mut payload);
        decoder.decode(&payload[..len]);
    }
    let rest = level(decoder.rest(8000));
    assert!((rest - -58.0).abs() < 3.0, "{rest}");
    let mut unknown = Decoder::new(Codec::Pcma);
    assert_eq!(unknown.rest(160), SILENCE);
}

#[test]
fn the_length_of_an_opus_packet_is_read_from_its_first_octets() {
    for (packet, ticks) in [
        (&[0x08][..], Some(960)),
        (&[0x18], Some(2880)),
        (&[0x60], Some(480)),
        (&[0x80], Some(120)),
        (&[0xF8], Some(960)),
        (&[0xF9], Some(1920)),
        (&[0xFB, 3], Some(2880)),
        (&[0x1B, 3], None),
        (&[0xFB, 0], None),
        (&[0xFB], None),
        (&[], None),
    ] {
        assert_eq!(opus::ticks(packet), ticks, "{packet:x?}");
    }
}

#[test]
fn wishes_are_read_whatever_else_stands_beside_them() {
    let wishes = opus::Wishes::read(
        "minptime=10; useinbandfec=1;MaxPlaybackRate=8000;stereo=0;x;cbr=1;maxaveragebitrate=-1",
    );
    assert_eq!(
        wishes,
        opus::Wishes {
            max_playback_rate: 8000,
            max_average_bitrate: None,
            in_band_fec: true,
            constant_bitrate: true,
        }
    );
    assert_eq!(opus::Wishes::read(""), opus::Wishes::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_payloads_in_any_order_are_decoded_concealed_or_rested(
        steps in prop::collection::vec((0..6_u8, prop::collection::vec(any::<u8>(), 0..90)), 1..20),
    ) {
        for codec in Codec::ALL {
            let mut decoder = Decoder::new(codec);
            let beat = codec.clock_rate() / 50;
            for (step, payload) in &steps {
                let len = match step {
                    0 => decoder.conceal(beat, None).len(),
                    1 => decoder.conceal(beat, Some(payload)).len(),
                    2 => {
                        decoder.take_noise(payload);
                        codec.rate().frame()
                    }
                    3 => decoder.rest(beat).len(),
                    _ => {
                        prop_assert!(codec.ticks(payload) <= codec.clock_rate());
                        prop_assert!(decoder.decode(payload).len() <= opus::MOST_SAMPLES);
                        continue;
                    }
                };
                prop_assert_eq!(len, codec.rate().frame());
            }
        }
    }
}
