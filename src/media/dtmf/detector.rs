//! Telephone keys heard as tone pairs, for peers that send no telephone-events.

use super::key_of;
use crate::tone::level_of_amplitude;
use crate::{Narrow, SAMPLE_RATE};

/// The frequencies of rows and columns, in hertz.
///
/// *Source*: ITU-T Q.23 Table 1.
const ROWS: [u16; 4] = [697, 770, 852, 941];
const COLUMNS: [u16; 4] = [1209, 1336, 1477, 1633];

/// The event codes by row and column.
const CODES: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

/// Samples that are looked at together: 12.75 ms, so that a key of 40 ms fills two blocks wherever
/// it begins.
const BLOCK: usize = 102;

/// A block's parts, by which the length of a key is measured: 2.1 ms.
const PART: usize = 17;
const PARTS: usize = BLOCK / PART;

/// Parts that are remembered: four blocks.
const HISTORY: usize = 4 * PARTS;

/// Parts that a key lasts at least: 30 ms.
///
/// *Source*: Q.24 Annex A, Table A-1: 40 ms and more are keys, 23 ms (AT&T) are none.
const SHORTEST: usize = 14;

/// Weakest tone that counts, in dBm0.
///
/// *Source*: Q.24 Annex A, Table A-1: down to -25 (AT&T), here with a margin for lines.
const WEAKEST: f32 = -27.0;

/// How far the column may be above the row, and below it, in dB.
///
/// *Source*: Q.24 Annex A, Table A-1: +4 and -8 (AT&T), 5 either way (NTT); with a margin for
/// what the tones leak into each other's filters.
const COLUMN_ABOVE: f32 = 6.5;
const COLUMN_BELOW: f32 = 11.0;

/// How much the strongest tone of a group is above the others of it, in dB.
const CLEAR: f32 = 6.0;

/// How far the pair may be below the whole sound of a block, in dB: before its frequencies are known
/// exactly, and for two blocks afterwards. Speech has power elsewhere as well.
const ROUGHLY_PURE: f32 = 2.6;
const PURE: f32 = 0.9;

/// How far second harmonics are below their tones at least, in dB: those of voices are not.
const HARMONIC: f32 = 12.0;

/// A row's harmonic this close to the column can't be told from it, in hertz.
const BESIDE: u16 = 200;

/// How far a frequency may be from its nominal value.
///
/// *Source*: Q.24 Annex A, Table A-1: within 1.5 % are keys, beyond 3.5 % are none (AT&T).
const TOLERANCE: f32 = 0.025;

/// Levels, in dB, by which a key that is heard already may fall: an interruption of 10 ms is none.
const HELD: f32 = 10.0;

/// Blocks without the pair until the same key counts again: 25 ms.
///
/// *Source*: Q.24 Annex A, Table A-1: pauses of 40 ms and more divide keys.
const RELEASE: u8 = 2;

/// Hears keys in the frames of one stream.
///
/// Each block goes through eight Goertzel filters, but only when it is loud enough. A pair that
/// stands out in two blocks one after the other is measured: its exact frequencies by the phase
/// from the first to the second, then how much of the sound it is, and how long it lasts.
#[derive(Clone, Debug)]
pub struct Detector {
    block: [i16; BLOCK],
    filled: usize,
    /// Energy of the last parts, the newest last.
    parts: [f32; HISTORY],
    /// The pair of the last block.
    before: Option<Pair>,
    /// A key that passed all but the test of its length.
    candidate: Option<Candidate>,
    told: Option<Told>,
}

/// A tone in one block: the output of its filter.
#[derive(Clone, Copy, Debug)]
struct Bin {
    real: f32,
    imaginary: f32,
}

/// A pair that stands out in a block.
#[derive(Clone, Copy, Debug)]
struct Pair {
    row: usize,
    column: usize,
    bins: [Bin; 2],
    energy: f32,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    code: u8,
    /// Mean energy of a part.
    energy: f32,
    /// Of the weaker tone, in dBm0.
    level: f32,
}

/// The key that was told and still sounds.
#[derive(Clone, Copy, Debug)]
struct Told {
    code: u8,
    level: f32,
    missing: u8,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            block: [0; BLOCK],
            filled: 0,
            parts: [0.0; HISTORY],
            before: None,
            candidate: None,
            told: None,
        }
    }
}

impl Detector {
    /// Takes a frame; answers a key when it has lasted long enough.
    pub fn take(&mut self, frame: &Narrow) -> Option<char> {
        let mut told = None;
        let mut rest = &frame[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK - self.filled));
            self.block[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            rest = later;
            if self.filled == BLOCK {
                self.filled = 0;
                told = told.or(self.judge());
            }
        }
        told.and_then(key_of)
    }

    /// Judges the block that is full; answers the code of a key that is new.
    fn judge(&mut self) -> Option<u8> {
        self.parts.copy_within(PARTS.., 0);
        for (part, samples) in self.parts[HISTORY - PARTS..]
            .iter_mut()
            .zip(self.block.chunks_exact(PART))
        {
            *part = samples
                .iter()
                .map(|&it| f32::from(it) * f32::from(it))
                .sum();
        }
        let energy = self.parts[HISTORY - PARTS..].iter().sum();
        // Each tone alone may be as weak as the weakest.
        if level_of_energy(energy) < WEAKEST {
            self.before = None;
            self.release();
            return self.long_enough();
        }
        let rows = ROWS.map(|hertz| bin(&self.block, hertz));
        let columns = COLUMNS.map(|hertz| bin(&self.block, hertz));
        self.hold(&rows, &columns);
        let pair = self.pair(&rows, &columns, energy);
        let before = std::mem::replace(&mut self.before, pair);
        let found = match (before, pair) {
            (Some(before), Some(pair)) if before.is_same(&pair) => before.measured(&pair),
            _ => None,
        };
        if let Some(found) =
            found.filter(|found| self.told.is_none_or(|told| told.code != found.code))
        {
            self.candidate = Some(found);
        }
        self.long_enough()
    }

    /// The pair that fills the block, by all that one block can show.
    fn pair(&self, rows: &[Bin; 4], columns: &[Bin; 4], energy: f32) -> Option<Pair> {
        let row = standing_out(rows)?;
        let column = standing_out(columns)?;
        let (low, high) = (rows[row].level(), columns[column].level());
        let power = rows[row].power() + columns[column].power();
        let beside = COLUMNS[column].abs_diff(2 * ROWS[row]) < BESIDE;
        let is_pair = low.min(high) >= WEAKEST
            && (-COLUMN_BELOW..=COLUMN_ABOVE).contains(&(high - low))
            && share_in_decibels(power, energy) >= -ROUGHLY_PURE
            && (beside || bin(&self.block, 2 * ROWS[row]).level() <= low - HARMONIC)
            && bin(&self.block, 2 * COLUMNS[column]).level() <= high - HARMONIC;
        is_pair.then(|| Pair {
            row,
            column,
            bins: [rows[row], columns[column]],
            energy,
        })
    }

    /// Watches whether the key that was told goes on.
    fn hold(&mut self, rows: &[Bin; 4], columns: &[Bin; 4]) {
        let Some(told) = &mut self.told else { return };
        let strongest =
            |bins: &[Bin; 4]| (0..4).max_by(|&a, &b| bins[a].power().total_cmp(&bins[b].power()));
        let goes_on = match (strongest(rows), strongest(columns)) {
            (Some(row), Some(column)) => {
                let level = rows[row].level().min(columns[column].level());
                CODES[row][column] == told.code && level >= told.level - HELD
            }
            _ => false,
        };
        if goes_on {
            told.missing = 0;
        } else {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(told) = &mut self.told {
            told.missing += 1;
            if told.missing >= RELEASE {
                self.told = None;
            }
        }
    }

    /// The candidate, when it has lasted long enough; one that is over without is forgotten.
    fn long_enough(&mut self) -> Option<u8> {
        let candidate = self.candidate?;
        let is_loud = |part: &&f32| **part > candidate.energy / 4.0;
        let parts = self.parts.iter().rev();
        let lasts = parts
            .skip_while(|part| !is_loud(part))
            .take_while(is_loud)
            .count();
        if lasts >= SHORTEST {
            self.candidate = None;
            self.told = Some(Told {
                code: candidate.code,
                level: candidate.level,
                missing: 0,
            });
            return Some(candidate.code);
        }
        if self.before.is_none() {
            self.candidate = None;
        }
        None
    }
}

impl Pair {
    fn is_same(&self, other: &Self) -> bool {
        (self.row, self.column) == (other.row, other.column)
    }

    /// The key of this block and the one after it, when both are one pair of the right frequencies
    /// and nothing else.
    fn measured(&self, next: &Self) -> Option<Candidate> {
        let mut power = 0.0;
        let mut level = f32::INFINITY;
        for (tone, hertz) in [ROWS[self.row], COLUMNS[self.column]]
            .into_iter()
            .enumerate()
        {
            let (one, other) = (self.bins[tone], next.bins[tone]);
            let off = one.hertz_off(other, hertz);
            if off.abs() > TOLERANCE * f32::from(hertz) {
                return None;
            }
            // A filter beside the tone shows less of it.
            let bins = std::f32::consts::PI * off * BLOCK as f32 / SAMPLE_RATE as f32;
            let shown = if bins.abs() < 1e-3 {
                1.0
            } else {
                bins.sin() / bins
            };
            level = level.min(one.level().max(other.level()));
            power += (one.power() + other.power()) / (shown * shown);
        }
        let energy = self.energy + next.energy;
        (share_in_decibels(power, energy) >= -PURE).then(|| Candidate {
            code: CODES[self.row][self.column],
            energy: energy / (2 * PARTS) as f32,
            level,
        })
    }
}

impl Bin {
    /// The square of the peak.
    fn power(self) -> f32 {
        let peak = 2.0 / BLOCK as f32;
        (self.real * self.real + self.imaginary * self.imaginary) * peak * peak
    }

    fn level(self) -> f32 {
        level_of_amplitude(self.power().max(1.0).sqrt())
    }

    /// How far a tone is from a filter's frequency, by the phase from one block to the next.
    fn hertz_off(self, next: Self, hertz: u16) -> f32 {
        let turns = f32::from(hertz) * BLOCK as f32 / SAMPLE_RATE as f32;
        let phase = next.imaginary.atan2(next.real) - self.imaginary.atan2(self.real);
        let turned = phase / std::f32::consts::TAU - turns;
        (turned - turned.round()) * SAMPLE_RATE as f32 / BLOCK as f32
    }
}

/// A Goertzel filter over a block, with the phase at its end.
fn bin(block: &[i16; BLOCK], hertz: u16) -> Bin {
    let step = std::f32::consts::TAU * f32::from(hertz) / SAMPLE_RATE as f32;
    let (sine, cosine) = step.sin_cos();
    let coefficient = 2.0 * cosine;
    let (mut before, mut last) = (0.0_f32, 0.0_f32);
    for &sample in block {
        let next = f32::from(sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    Bin {
        real: last - before * cosine,
        imaginary: before * sine,
    }
}

/// The tone that is stronger than all others of its group.
fn standing_out(group: &[Bin; 4]) -> Option<usize> {
    let strongest = (0..4).max_by(|&a, &b| group[a].power().total_cmp(&group[b].power()))?;
    let level = group[strongest].level();
    let alone = (0..4).all(|at| at == strongest || group[at].level() <= level - CLEAR);
    alone.then_some(strongest)
}

/// The share of some tones, by the squares of their peaks, in the energy of as many blocks.
fn share_in_decibels(power: f32, energy: f32) -> f32 {
    10.0 * (power * BLOCK as f32 / 2.0 / energy.max(1.0)).log10()
}

/// The level of a sine with this energy in a block, in dBm0.
fn level_of_energy(energy: f32) -> f32 {
    level_of_amplitude((2.0 * energy / BLOCK as f32).max(1.0).sqrt())
}

#[cfg(test)]
mod tests;
