//! Mutants: what becomes of a seed when bits flip, pieces get lost, come twice or come from another
//! seed, lengths lie, and words that mean something stand where they do not belong.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

/// No mutant is longer.
const LONGEST: usize = 192 * 1024;

/// Where the borders of numbers are: of octets, words, ports, seconds, and of what fits nowhere.
const NUMBERS: &[i128] = &[
    0,
    1,
    -1,
    2,
    15,
    16,
    31,
    32,
    63,
    64,
    96,
    100,
    127,
    128,
    254,
    255,
    256,
    999,
    1_000,
    1_024,
    8_000,
    32_767,
    32_768,
    65_535,
    65_536,
    86_400,
    i32::MAX as i128,
    i32::MAX as i128 + 1,
    u32::MAX as i128,
    u32::MAX as i128 + 1,
    i64::MAX as i128,
    i64::MAX as i128 + 1,
    u64::MAX as i128,
    u64::MAX as i128 + 1,
    i64::MIN as i128,
    i128::MAX,
];

pub(crate) struct Mutator {
    pub(crate) words: &'static [&'static [u8]],
}

impl Mutator {
    /// A mutant of one of these inputs.
    pub(crate) fn mutant(&self, inputs: &[Vec<u8>], rng: &mut StdRng) -> Vec<u8> {
        let mut bytes = any(inputs, rng).clone();
        for _ in 0..rng.random_range(1..=6) {
            self.mutate(&mut bytes, inputs, rng);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn mutate(&self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>], rng: &mut StdRng) {
        let start = rng.random_range(0..=bytes.len());
        let end = (start + rng.random_range(0..=32)).min(bytes.len());
        match rng.random_range(0..40) {
            0..3 => bytes.truncate(start),
            3..7 => drop(bytes.drain(start..end)),
            7..11 => {
                let piece = bytes[start..end].to_vec();
                bytes.splice(start..start, piece.repeat(rng.random_range(1..40)));
            }
            11..15 => {
                let other = any(inputs, rng);
                let from = rng.random_range(0..=other.len());
                let to = (from + rng.random_range(0..=200)).min(other.len());
                bytes.splice(start..end, other[from..to].iter().copied());
            }
            15..19 => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
            19..22 => {
                let end = (start + rng.random_range(1..=4)).min(bytes.len());
                rng.fill_bytes(&mut bytes[start..end]);
            }
            22..26 => binary_number(&mut bytes[start..], rng),
            26..30 => decimal_number(bytes, start, rng),
            30 => {
                // One piece again and again, up to what no reader may need long for.
                let piece = match bytes.get(start..end) {
                    Some(piece) if !piece.is_empty() => piece.to_vec(),
                    _ => b"x".to_vec(),
                };
                let times = rng.random_range(1..=70_000) / piece.len() + 1;
                bytes.splice(start..start, piece.repeat(times));
            }
            _ if self.words.is_empty() => bytes.insert(start, rng.random()),
            _ => {
                let word = self.words[rng.random_range(0..self.words.len())];
                let end = end.min(start + rng.random_range(0..=3));
                bytes.splice(start..end, word.iter().copied());
            }
        }
    }
}

fn any<'a>(inputs: &'a [Vec<u8>], rng: &mut StdRng) -> &'a Vec<u8> {
    &inputs[rng.random_range(0..inputs.len())]
}

fn number(rng: &mut StdRng) -> i128 {
    let near = rng.random_range(-1..=1);
    NUMBERS[rng.random_range(0..NUMBERS.len())].saturating_add(near)
}

/// Writes a number over what stands here, as a length field would have it.
fn binary_number(bytes: &mut [u8], rng: &mut StdRng) {
    let width = [1, 2, 4, 8][rng.random_range(0..4)].min(bytes.len());
    let mut octets = number(rng).to_be_bytes();
    let octets = &mut octets[16 - width..];
    if rng.random() {
        octets.reverse();
    }
    bytes[..width].copy_from_slice(octets);
}

/// Puts another number in the place of the next one that is written in digits.
fn decimal_number(bytes: &mut Vec<u8>, start: usize, rng: &mut StdRng) {
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(from) = bytes[start..].iter().position(digit) else {
        return;
    };
    let from = start + from;
    let length = bytes[from..].iter().take_while(|byte| digit(byte)).count();
    bytes.splice(from..from + length, number(rng).to_string().into_bytes());
}
