//! Something like speech, for whoever must decode, mix or play it.

use std::f64::consts::TAU;

/// Samples in a second.
const RATE: usize = 8000;

/// Syllables of a voice with pauses between some of them: 16-bit samples at 8 kHz.
pub(crate) fn speech(seconds: usize) -> Vec<i16> {
    let mut noise = 1_u32;
    (0..seconds * RATE)
        .map(|at| {
            let time = at as f64 / RATE as f64;
            let pitch = 120.0 + 20.0 * (TAU * 0.7 * time).sin();
            let voice: f64 = (1..8)
                .map(|k| (TAU * pitch * f64::from(k) * time).sin() / f64::from(k))
                .sum();
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let breath = f64::from(noise >> 16) / 65_536.0 - 0.5;
            let syllable = (TAU * 2.0 * time).sin().abs();
            let pause = if (time * 0.8).fract() < 0.75 {
                1.0
            } else {
                0.0
            };
            ((voice + 0.3 * breath) * syllable * pause * 6000.0) as i16
        })
        .collect()
}

/// A-law of ITU-T G.711, without its table.
pub(crate) fn a_law(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|sample| compress(*sample)).collect()
}

fn compress(sample: i16) -> u8 {
    let (sign, level) = if sample >= 0 {
        (0x80, sample)
    } else {
        (0, !sample)
    };
    let level = level.unsigned_abs() >> 4;
    // Two segments with the same steps, then one for every doubling.
    let segment = 12_u32.saturating_sub(level.leading_zeros());
    let mantissa = level >> segment.saturating_sub(1) & 0x0f;
    let code = (segment as u8) << 4 | mantissa as u8;
    (sign | code) ^ 0x55
}

/// A WAV file of them.
pub(crate) fn wav(samples: &[i16]) -> Vec<u8> {
    let length = samples.len() as u32 * 2;
    let rate = RATE as u32;
    let mut file = Vec::with_capacity(samples.len() * 2 + 44);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + length).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&[1, 0, 1, 0]);
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * 2).to_le_bytes());
    file.extend_from_slice(&[2, 0, 16, 0]);
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    for sample in samples {
        file.extend_from_slice(&sample.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::compress;

    /// ITU-T G.711, table 1a: ends and middle of the range, even bits inverted.
    #[test]
    fn a_law_is_that_of_the_table() {
        for (sample, code) in [
            (0, 0xd5),
            (-1, 0x55),
            (32_767, 0xaa),
            (-32_768, 0x2a),
            (1024, 0xe5),
        ] {
            assert_eq!(compress(sample), code, "{sample}");
        }
    }
}
