//! Recording what legs hear.

use crate::{FRAME, Frame};
use std::time::Duration;

/// How one or two legs are put on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One leg, one channel.
    Alone,
    /// Two legs in one channel.
    Mixed,
    /// Two legs in two channels: the first left, the second right.
    Stereo,
}

impl Layout {
    /// How many channels the file has.
    pub const fn channels(self) -> u16 {
        match self {
            Self::Alone | Self::Mixed => 1,
            Self::Stereo => 2,
        }
    }
}

/// What is to be recorded, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whose sound.
    pub layout: Layout,
    /// Ends by itself at this length.
    pub max_duration: Option<Duration>,
    /// Ends by itself after this much silence, at the start too.
    pub max_silence: Option<Duration>,
}

/// Why a recording ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It reached its length.
    MaxDuration,
    /// Nobody was heard for long.
    Silence,
}

/// 20 ms for the disk: 8 kHz, 16-bit linear, channels interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    samples: [i16; 2 * FRAME],
    len: usize,
}

impl Block {
    /// Its samples: 160, or 320 in stereo.
    pub fn samples(&self) -> &[i16] {
        &self.samples[..self.len]
    }
}

/// A tap on one or two legs. The engine owns it, lets its legs be heard by
/// [`Leg::listen`](crate::session::Leg::listen), asks it for a block on every beat and gives that
/// to its disk thread.
#[derive(Debug)]
pub struct Tap {
    settings: Settings,
}

impl Tap {
    /// A tap that has heard nothing.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// What was asked.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a beat: what the first leg was heard to say, and the second
    /// ([`SILENCE`](crate::SILENCE) for one that is not there).
    pub fn beat(&mut self, a: &Frame, _b: &Frame) -> Block {
        let mut samples = [0; 2 * FRAME];
        samples[..FRAME].copy_from_slice(a);
        Block {
            samples,
            len: FRAME,
        }
    }

    /// Whether it ended by itself; asked after each beat. No more beats are due then.
    pub fn ended(&self) -> Option<Ended> {
        None
    }

    /// Its length until now.
    pub fn duration(&self) -> Duration {
        Duration::ZERO
    }

    /// Somebody was heard in it.
    pub fn contains_sound(&self) -> bool {
        false
    }
}

/// The header of a WAV file of 8 kHz 16-bit linear samples, 44 octets, to be followed by the
/// samples in little-endian order. `data_len` is `None` while the file grows: readers then take all
/// that follows. When it is complete, the header is written again with the length in octets, also
/// over a file that a crash left behind (its length less 44).
pub fn wav_header(channels: u16, data_len: Option<u32>) -> [u8; 44] {
    let data = data_len.map_or(u32::MAX, |len| len.min(u32::MAX - 36));
    let mut header = [0; 44];
    let block = channels * 2;
    let fields: [(usize, &[u8]); 13] = [
        (0, b"RIFF"),
        (4, &data.saturating_add(36).to_le_bytes()),
        (8, b"WAVE"),
        (12, b"fmt "),
        (16, &16_u32.to_le_bytes()),
        (20, &1_u16.to_le_bytes()),
        (22, &channels.to_le_bytes()),
        (24, &crate::SAMPLE_RATE.to_le_bytes()),
        (28, &(crate::SAMPLE_RATE * u32::from(block)).to_le_bytes()),
        (32, &block.to_le_bytes()),
        (34, &16_u16.to_le_bytes()),
        (36, b"data"),
        (40, &data.to_le_bytes()),
    ];
    for (at, bytes) in fields {
        header[at..at + bytes.len()].copy_from_slice(bytes);
    }
    header
}
