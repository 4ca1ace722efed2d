//! G.722 at 64 kbit/s: wideband sound in two bands, six bits for the lower and two for the upper.
//!
//! *Source*: ITU-T G.722 (2012); blocks are named as there.

use crate::WIDE_FRAME;

/// Octets of one beat.
pub const OCTETS: usize = WIDE_FRAME / 2;

/// One half of the quadrature mirror filter; the other mirrors it.
///
/// *Source*: G.722 Table 4, coefficients h0, h2 … h22 in units of 2^-13.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Pairs of samples that the filters look back to.
const PAST: usize = QMF.len() - 1;

/// Decision levels of the lower band's quantiser.
///
/// *Source*: G.722 Table 14, from its second level on.
const LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
    1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// Decision level of the upper band's quantiser.
///
/// *Source*: G.722 Table 20.
const UPPER_LEVEL: i32 = 564;

/// What the four high bits of the lower band's code stand for: by them the predictor follows.
///
/// *Source*: G.722 Table 17, QQ4.
const LOWER_4: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584,
    1200, 0,
];

/// What all six bits stand for.
///
/// *Source*: G.722 Table 17, QQ6.
const LOWER_6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776,
    -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280,
    11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776,
    2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];

/// What the upper band's code stands for.
///
/// *Source*: G.722 Table 21, QQ2.
const UPPER_2: [i32; 4] = [-7408, -1616, 7408, 1616];

/// How the logarithmic scale factor follows the four high bits of the lower band's code.
///
/// *Source*: G.722 Tables 18 and 19, WL by RIL.
const LOWER_STEPS: [i32; 16] = [
    -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
];

/// The same for the upper band.
///
/// *Source*: G.722 Tables 22 and 23, WH by IH.
const UPPER_STEPS: [i32; 4] = [798, -214, 798, -214];

/// Powers of two in steps of 1/32.
///
/// *Source*: G.722 Table 16, ILB.
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

const fn saturate(value: i32) -> i32 {
    if value > i16::MAX as i32 {
        i16::MAX as i32
    } else if value < i16::MIN as i32 {
        i16::MIN as i32
    } else {
        value
    }
}

/// `step` when both are on the same side of zero, else its negative.
const fn towards(a: i32, b: i32, step: i32) -> i32 {
    if (a ^ b) < 0 { -step } else { step }
}

/// The adaptive predictor and quantiser scale of one band.
#[derive(Clone, Copy, Debug)]
struct Band {
    /// The predicted sample.
    predicted: i32,
    /// The part of it that the zeros make.
    by_zeros: i32,
    poles: [i32; 2],
    zeros: [i32; 6],
    /// Quantised differences, the latest first, doubled.
    differences: [i32; 6],
    /// The reconstructed sample before, doubled.
    reconstructed: i32,
    /// Differences and the zeros' part together, the latest first.
    partial: [i32; 2],
    log_scale: i32,
    scale: i32,
}

impl Band {
    const fn new(scale: i32) -> Self {
        Self {
            predicted: 0,
            by_zeros: 0,
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            reconstructed: 0,
            partial: [0; 2],
            log_scale: 0,
            scale,
        }
    }

    /// Blocks LOGSCL and SCALEL, or LOGSCH and SCALEH: the scale follows the code.
    fn rescale(&mut self, step: i32, most: i32, shift: i32) {
        self.log_scale = (((self.log_scale * 127) >> 7) + step).clamp(0, most);
        let power = POWERS[(self.log_scale >> 6 & 31) as usize];
        let down = shift - (self.log_scale >> 11);
        let scaled = if down < 0 {
            power << -down
        } else {
            power >> down
        };
        self.scale = scaled << 2;
    }

    /// Block 4: the predictor follows the quantised difference.
    fn follow(&mut self, difference: i32) {
        let reconstructed = saturate(self.predicted + difference);
        let partial = saturate(self.by_zeros + difference);
        let [first, second] = self.poles;
        // UPPOL2
        let lean = saturate(first << 2);
        let lean = towards(partial, self.partial[0], -lean).min(i32::from(i16::MAX));
        let second =
            (lean >> 7) + towards(partial, self.partial[1], 128) + ((second * 32512) >> 15);
        let second = second.clamp(-12288, 12288);
        // UPPOL1
        let most = 15360 - second;
        let first = saturate(towards(partial, self.partial[0], 192) + ((first * 32640) >> 15));
        let first = first.clamp(-most, most);
        self.poles = [first, second];
        self.partial = [partial, self.partial[0]];
        // UPZERO
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, &before) in self.zeros.iter_mut().zip(&self.differences) {
            *zero = saturate(towards(before, difference, step) + ((*zero * 32640) >> 15));
        }
        // DELAYA
        self.differences.copy_within(..5, 1);
        self.differences[0] = saturate(2 * difference);
        let newest = saturate(2 * reconstructed);
        let older = std::mem::replace(&mut self.reconstructed, newest);
        // FILTEP, FILTEZ, PREDIC
        let by_poles = saturate(((first * newest) >> 15) + ((second * older) >> 15));
        let taps = self.zeros.iter().zip(&self.differences);
        self.by_zeros = saturate(taps.map(|(zero, before)| (zero * before) >> 15).sum());
        self.predicted = saturate(by_poles + self.by_zeros);
    }

    /// The lower band follows a code of six bits.
    fn follow_lower(&mut self, code: u8) {
        let high = usize::from(code >> 2);
        let difference = (self.scale * LOWER_4[high]) >> 15;
        self.rescale(LOWER_STEPS[high], 18_432, 8);
        self.follow(difference);
    }

    /// The upper band follows a code of two bits.
    fn follow_upper(&mut self, code: u8) {
        let difference = (self.scale * UPPER_2[usize::from(code)]) >> 15;
        self.rescale(UPPER_STEPS[usize::from(code)], 22_528, 10);
        self.follow(difference);
    }
}

/// Both bands at the start of a stream.
const BANDS: [Band; 2] = [Band::new(32), Band::new(8)];

/// One phase of a filter's input: what came before, then a beat.
type Phase = [i32; PAST + OCTETS];

/// Puts a beat behind what came before it.
fn slide(past: &mut [i32; PAST], samples: impl Iterator<Item = i32>) -> Phase {
    let mut phase = [0; PAST + OCTETS];
    phase[..PAST].copy_from_slice(past);
    for (place, sample) in phase[PAST..].iter_mut().zip(samples) {
        *place = sample;
    }
    past.copy_from_slice(&phase[OCTETS..]);
    phase
}

/// The sums of a filter over one phase.
fn filtered(phase: &Phase, taps: impl Iterator<Item = i32>) -> [i32; OCTETS] {
    let mut sums = [0; OCTETS];
    for (at, tap) in taps.enumerate() {
        for (sum, sample) in sums.iter_mut().zip(&phase[at..]) {
            *sum += tap * sample;
        }
    }
    sums
}

/// Makes a stream.
#[derive(Clone, Debug)]
pub struct Encoder {
    bands: [Band; 2],
    even: [i32; PAST],
    odd: [i32; PAST],
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            bands: BANDS,
            even: [0; PAST],
            odd: [0; PAST],
        }
    }
}

impl Encoder {
    /// Encodes a beat at 16 kHz.
    pub fn encode(&mut self, frame: &[i16; WIDE_FRAME], payload: &mut [u8; OCTETS]) {
        let samples = || frame.iter().map(|&sample| i32::from(sample));
        let even = slide(&mut self.even, samples().step_by(2));
        let odd = slide(&mut self.odd, samples().skip(1).step_by(2));
        let even = filtered(&even, QMF.into_iter());
        let odd = filtered(&odd, QMF.into_iter().rev());
        let [lower, upper] = &mut self.bands;
        for ((octet, even), odd) in payload.iter_mut().zip(even).zip(odd) {
            let low = quantise_lower(lower, (odd + even) >> 14);
            let high = quantise_upper(upper, (odd - even) >> 14);
            lower.follow_lower(low);
            upper.follow_upper(high);
            *octet = high << 6 | low;
        }
    }
}

/// Blocks SUBTRA and QUANTL.
fn quantise_lower(band: &Band, sample: i32) -> u8 {
    let error = saturate(sample - band.predicted);
    let magnitude = if error < 0 { !error } else { error };
    let below = LEVELS.partition_point(|level| magnitude >= (level * band.scale) >> 12) as u8;
    match (error < 0, below) {
        (false, _) => 61 - below,
        (true, 0 | 1) => 63 - below,
        (true, _) => 33 - below,
    }
}

/// Blocks SUBTRA and QUANTH.
fn quantise_upper(band: &Band, sample: i32) -> u8 {
    let error = saturate(sample - band.predicted);
    let magnitude = if error < 0 { !error } else { error };
    let outer = magnitude >= (UPPER_LEVEL * band.scale) >> 12;
    match (error < 0, outer) {
        (false, false) => 3,
        (false, true) => 2,
        (true, false) => 1,
        (true, true) => 0,
    }
}

/// Reads a stream.
#[derive(Clone, Debug)]
pub struct Decoder {
    bands: [Band; 2],
    sums: [i32; PAST],
    differences: [i32; PAST],
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            bands: BANDS,
            sums: [0; PAST],
            differences: [0; PAST],
        }
    }
}

impl Decoder {
    /// Decodes a payload of any length: two samples at 16 kHz for each octet.
    pub fn decode(&mut self, payload: &[u8], mut sound: impl FnMut(&[i16])) {
        let (beats, rest) = payload.as_chunks();
        for beat in beats {
            sound(&self.decode_beat(beat));
        }
        for octet in rest {
            sound(&self.decode_pair(*octet));
        }
    }

    fn decode_beat(&mut self, octets: &[u8; OCTETS]) -> [i16; WIDE_FRAME] {
        let mut bands = [(0, 0); OCTETS];
        for (pair, octet) in bands.iter_mut().zip(octets) {
            *pair = self.reconstruct(*octet);
        }
        let sums = slide(&mut self.sums, bands.iter().map(|(low, high)| low + high));
        let differences = slide(
            &mut self.differences,
            bands.iter().map(|(low, high)| low - high),
        );
        let first = filtered(&differences, QMF.into_iter().rev());
        let second = filtered(&sums, QMF.into_iter());
        let mut frame = [0; WIDE_FRAME];
        for ((pair, first), second) in frame.chunks_exact_mut(2).zip(first).zip(second) {
            pair.copy_from_slice(&[saturate(first >> 11) as i16, saturate(second >> 11) as i16]);
        }
        frame
    }

    fn decode_pair(&mut self, octet: u8) -> [i16; 2] {
        let (low, high) = self.reconstruct(octet);
        let taps = |past: &[i32; PAST], newest: i32, taps: [i32; 12]| {
            let window = past.iter().chain(std::iter::once(&newest));
            let sum: i32 = window.zip(taps).map(|(sample, tap)| sample * tap).sum();
            saturate(sum >> 11) as i16
        };
        let mut mirrored = QMF;
        mirrored.reverse();
        let pair = [
            taps(&self.differences, low - high, mirrored),
            taps(&self.sums, low + high, QMF),
        ];
        for (past, newest) in [
            (&mut self.sums, low + high),
            (&mut self.differences, low - high),
        ] {
            past.copy_within(1.., 0);
            past[PAST - 1] = newest;
        }
        pair
    }

    /// Blocks INVQBL, INVQAH, RECONS and LIMIT of both bands.
    fn reconstruct(&mut self, octet: u8) -> (i32, i32) {
        let [lower, upper] = &mut self.bands;
        let (low_code, high_code) = (octet & 0x3F, octet >> 6);
        let low = lower.predicted + ((lower.scale * LOWER_6[usize::from(low_code)]) >> 15);
        let high = upper.predicted + ((upper.scale * UPPER_2[usize::from(high_code)]) >> 15);
        lower.follow_lower(low_code);
        upper.follow_upper(high_code);
        (low.clamp(-16_384, 16_383), high.clamp(-16_384, 16_383))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::codec::tests::snr_of_tone;

    fn noise(len: usize) -> Vec<i16> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16
        };
        (0..len).map(|at| next() >> (at / WIDE_FRAME % 8)).collect()
    }

    fn encoded(samples: &[i16]) -> Vec<u8> {
        let mut encoder = Encoder::default();
        let (frames, _) = samples.as_chunks();
        let mut payload = [0; OCTETS];
        let beats = frames.iter().flat_map(|frame| {
            encoder.encode(frame, &mut payload);
            payload
        });
        beats.collect()
    }

    fn decoded(octets: &[u8]) -> Vec<i16> {
        let mut samples = Vec::new();
        Decoder::default().decode(octets, |sound| samples.extend_from_slice(sound));
        samples
    }

    /// FNV-1a, to compare much with little.
    fn hash(octets: impl IntoIterator<Item = u8>) -> u64 {
        octets.into_iter().fold(0xCBF2_9CE4_8422_2325, |hash, it| {
            (hash ^ u64::from(it)).wrapping_mul(0x100_0000_01B3)
        })
    }

    /// What `ffmpeg -f s16le -ar 16000 -i noise -c:a g722` and the way back make of the same noise
    /// (version 5.1).
    #[test]
    fn every_bit_is_that_of_another_implementation() {
        let octets = encoded(&noise(20 * WIDE_FRAME));
        assert_eq!(octets[..8], [146, 32, 132, 32, 132, 32, 135, 10]);
        assert_eq!(hash(octets.iter().copied()), 0x9C7C_0DFE_50B0_5222);
        let samples = decoded(&octets);
        let octets = samples.iter().flat_map(|sample| sample.to_le_bytes());
        assert_eq!(hash(octets), 0x9BB4_8A92_CF8D_C8C6);
    }

    #[test]
    fn payloads_cut_anywhere_give_the_same_sound() {
        let octets = encoded(&noise(20 * WIDE_FRAME));
        let whole = decoded(&octets);
        for len in [1, 80, 159, 161, 240, 1000] {
            let mut decoder = Decoder::default();
            let mut samples = Vec::new();
            for payload in octets.chunks(len) {
                decoder.decode(payload, |sound| samples.extend_from_slice(sound));
            }
            assert_eq!(samples, whole, "payloads of {len}");
        }
    }

    #[test]
    fn tones_of_both_bands_come_through() {
        for (hertz, least) in [
            (300.0, 30.0),
            (1000.0, 30.0),
            (3400.0, 22.0),
            (6000.0, 14.0),
        ] {
            let snr = snr_of_tone(Codec::G722, hertz);
            assert!(snr > least, "{hertz} Hz: {snr:.1} dB");
        }
    }

    #[test]
    fn any_octets_are_sound() {
        let octets: Vec<u8> = noise(50_000)
            .iter()
            .map(|&sample| (sample >> 4) as u8)
            .collect();
        assert_eq!(decoded(&octets).len(), 2 * octets.len());
        for octet in [0, 0x3F, 0xC0, 0xFF] {
            decoded(&[octet; 5000]);
        }
    }
}
