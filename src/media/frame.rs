//! One beat of sound, at either of two sample rates.

use std::time::Duration;

/// Samples per second of telephone-band sound, and of all sound that is not said to be wideband.
pub const SAMPLE_RATE: u32 = 8000;

/// Samples of one beat: 20 ms at 8 kHz.
pub const FRAME: usize = 160;

/// Samples of one beat of wideband sound: 20 ms at 16 kHz.
pub const WIDE_FRAME: usize = 2 * FRAME;

/// The length of one beat.
pub const BEAT: Duration = Duration::from_millis(20);

/// One beat of telephone-band sound.
///
/// *Shape*: 20 ms at 8 kHz, mono, 16-bit linear, host order.
pub type Narrow = [i16; FRAME];

/// One beat of wideband sound.
///
/// *Shape*: 20 ms at 16 kHz, mono, 16-bit linear, host order.
pub type Wide = [i16; WIDE_FRAME];

/// A telephone-band beat without sound.
pub const SILENCE: Narrow = [0; FRAME];

/// How often sound is sampled inside this crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rate {
    /// 8 kHz: the telephone band, 300 to 3,400 Hz.
    #[default]
    Narrow,
    /// 16 kHz: wideband, 50 to 7,000 Hz.
    Wide,
}

impl Rate {
    /// Samples per second.
    pub const fn hertz(self) -> u32 {
        match self {
            Self::Narrow => SAMPLE_RATE,
            Self::Wide => 2 * SAMPLE_RATE,
        }
    }

    /// Samples of one beat.
    pub const fn frame(self) -> usize {
        match self {
            Self::Narrow => FRAME,
            Self::Wide => WIDE_FRAME,
        }
    }
}

/// One beat of sound at the rate of whoever made it. Who needs another rate converts it by
/// [`Converter`](crate::resample::Converter); who works in the telephone band only takes
/// [`Narrow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a frame is copied once a beat and never kept in numbers"
)]
pub enum Frame {
    /// At 8 kHz.
    Narrow(Narrow),
    /// At 16 kHz.
    Wide(Wide),
}

impl Frame {
    /// A beat without sound.
    pub const SILENCE: Self = Self::Narrow(SILENCE);

    /// A beat without sound, at a rate.
    pub const fn silent(rate: Rate) -> Self {
        match rate {
            Rate::Narrow => Self::SILENCE,
            Rate::Wide => Self::Wide([0; WIDE_FRAME]),
        }
    }

    /// How often it is sampled.
    pub const fn rate(&self) -> Rate {
        match self {
            Self::Narrow(_) => Rate::Narrow,
            Self::Wide(_) => Rate::Wide,
        }
    }

    /// Its samples: 160 or 320.
    pub fn samples(&self) -> &[i16] {
        match self {
            Self::Narrow(samples) => samples,
            Self::Wide(samples) => samples,
        }
    }

    /// Its samples, to be written.
    pub fn samples_mut(&mut self) -> &mut [i16] {
        match self {
            Self::Narrow(samples) => samples,
            Self::Wide(samples) => samples,
        }
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::SILENCE
    }
}

impl From<Narrow> for Frame {
    fn from(samples: Narrow) -> Self {
        Self::Narrow(samples)
    }
}

impl From<Wide> for Frame {
    fn from(samples: Wide) -> Self {
        Self::Wide(samples)
    }
}
