//! G.711 companding, bit exact with the reference program of ITU-T G.191.

/// What each A-law byte means.
///
/// *Shape*: 16-bit linear, left aligned as in G.191.
/// *Source*: G.711 Table 1a, G.191 `alaw_expand`.
pub const A_LAW: [i16; 256] = expand_a_law();

/// What each µ-law byte means.
///
/// *Shape*: 16-bit linear, left aligned as in G.191.
/// *Source*: G.711 Table 2a, G.191 `ulaw_expand`.
pub const MU_LAW: [i16; 256] = expand_mu_law();

/// The A-law byte of each sample without its four low bits, which do not matter.
static A_LAW_CODES: [u8; 4096] = compress_a_law();

/// The µ-law byte of each sample without its two low bits, which do not matter.
static MU_LAW_CODES: [u8; 16384] = compress_mu_law();

/// The A-law byte of a sample: [`encode_a_law`] by a table, many at once.
pub fn a_law(sample: i16) -> u8 {
    A_LAW_CODES[usize::from(sample as u16 >> 4)]
}

/// The µ-law byte of a sample: [`encode_mu_law`] by a table, many at once.
pub fn mu_law(sample: i16) -> u8 {
    MU_LAW_CODES[usize::from(sample as u16 >> 2)]
}

const fn compress_a_law() -> [u8; 4096] {
    let mut table = [0; 4096];
    let mut at = 0_usize;
    while at < table.len() {
        table[at] = encode_a_law((at << 4) as u16 as i16);
        at += 1;
    }
    table
}

const fn compress_mu_law() -> [u8; 16384] {
    let mut table = [0; 16384];
    let mut at = 0_usize;
    while at < table.len() {
        table[at] = encode_mu_law((at << 2) as u16 as i16);
        at += 1;
    }
    table
}

/// Bits that A-law inverts on the line so that silence is not all zeros (G.711 §3, even bits).
const A_LAW_TOGGLE: u8 = 0x55;

/// G.711's µ-law bias of 33, in units of 14-bit linear.
const MU_LAW_BIAS: i32 = 33;

/// Largest biased 14-bit magnitude of µ-law.
const MU_LAW_CLIP: i32 = 0x1FFF;

/// Compresses one linear sample to A-law.
///
/// *Source*: G.191 `alaw_compress`.
pub const fn encode_a_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    // One's complement of negative values: the decision values of G.711 are symmetric.
    let magnitude = (if sample < 0 { !sample } else { sample }) as u32 >> 4;
    // 11 bits: a segment number and four bits below its leading one.
    let segment = (32 - magnitude.leading_zeros()).saturating_sub(4);
    let step = if segment > 1 {
        (magnitude >> (segment - 1)) & 0x0F
    } else {
        magnitude & 0x0F
    };
    (((segment << 4) | step) as u8 | sign) ^ A_LAW_TOGGLE
}

/// Compresses one linear sample to µ-law.
///
/// *Source*: G.191 `ulaw_compress`.
pub const fn encode_mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    let magnitude = (if sample < 0 { !sample } else { sample }) as i32 >> 2;
    let biased = magnitude + MU_LAW_BIAS;
    let biased = if biased > MU_LAW_CLIP {
        MU_LAW_CLIP
    } else {
        biased
    } as u32;
    let segment = 32 - (biased >> 6).leading_zeros();
    let step = (biased >> (segment + 1)) & 0x0F;
    ((7 - segment) << 4 | (0x0F - step)) as u8 | sign
}

const fn expand_a_law() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let code = byte as u8 ^ A_LAW_TOGGLE;
        let segment = (code & 0x7F) >> 4;
        let mut magnitude = (code & 0x0F) as i16;
        if segment > 0 {
            magnitude += 16;
        }
        magnitude = (magnitude << 4) + 8;
        if segment > 1 {
            magnitude <<= segment - 1;
        }
        table[byte] = if code & 0x80 == 0 {
            -magnitude
        } else {
            magnitude
        };
        byte += 1;
    }
    table
}

const fn expand_mu_law() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let code = !(byte as u8);
        let segment = (code >> 4) & 0x07;
        let step = 4_i32 << (segment + 1);
        let magnitude =
            (0x80_i32 << segment) + step * (code & 0x0F) as i32 + step / 2 - 4 * MU_LAW_BIAS;
        table[byte] = if byte < 0x80 { -magnitude } else { magnitude } as i16;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `alaw_compress` of G.191, written as it stands there.
    fn reference_a_law(sample: i16) -> u8 {
        let mut ix = if sample < 0 {
            !sample >> 4
        } else {
            sample >> 4
        };
        if ix > 15 {
            let mut exponent = 1;
            while ix > 16 + 15 {
                ix >>= 1;
                exponent += 1;
            }
            ix -= 16;
            ix += exponent << 4;
        }
        if sample >= 0 {
            ix |= 0x80;
        }
        ix as u8 ^ 0x55
    }

    /// `ulaw_compress` of G.191, written as it stands there.
    fn reference_mu_law(sample: i16) -> u8 {
        let magnitude = if sample < 0 {
            ((!i32::from(sample)) >> 2) + 33
        } else {
            (i32::from(sample) >> 2) + 33
        };
        let magnitude = magnitude.min(0x1FFF);
        let mut i = magnitude >> 6;
        let mut segment = 1;
        while i != 0 {
            segment += 1;
            i >>= 1;
        }
        let high = 8 - segment;
        let low = 0x0F - ((magnitude >> segment) & 0x0F);
        let mut code = (high << 4) | low;
        if sample >= 0 {
            code |= 0x80;
        }
        code as u8
    }

    #[test]
    fn every_sample_is_compressed_as_by_the_itu_program() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(
                encode_a_law(sample),
                reference_a_law(sample),
                "A-law of {sample}"
            );
            assert_eq!(
                encode_mu_law(sample),
                reference_mu_law(sample),
                "µ-law of {sample}"
            );
            assert_eq!(a_law(sample), encode_a_law(sample));
            assert_eq!(mu_law(sample), encode_mu_law(sample));
        }
    }

    #[test]
    fn every_byte_survives_expansion_and_compression() {
        for byte in 0..=255_u8 {
            assert_eq!(encode_a_law(A_LAW[byte as usize]), byte);
            // µ-law has two zeros; the negative one comes back as the positive.
            let expected = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(encode_mu_law(MU_LAW[byte as usize]), expected);
        }
    }

    #[test]
    fn known_points_of_the_tables_are_right() {
        assert_eq!(A_LAW[0xD5], 8);
        assert_eq!(A_LAW[0x55], -8);
        assert_eq!(A_LAW[0xAA], 32256);
        assert_eq!(A_LAW[0x2A], -32256);
        assert_eq!(MU_LAW[0xFF], 0);
        assert_eq!(MU_LAW[0x7F], 0);
        assert_eq!(MU_LAW[0x80], 32124);
        assert_eq!(MU_LAW[0x00], -32124);
    }

    #[test]
    fn expansion_is_within_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let value = i32::from(sample);
            let allowed = 16 + value.abs() / 16 + if value.abs() > 32124 { 650 } else { 0 };
            for heard in [
                A_LAW[encode_a_law(sample) as usize],
                MU_LAW[encode_mu_law(sample) as usize],
            ] {
                assert!(
                    (i32::from(heard) - value).abs() <= allowed,
                    "{sample} became {heard}"
                );
            }
        }
    }
}
