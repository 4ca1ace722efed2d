//! Recording what legs hear.

use crate::activity::Activity;
use crate::{BEAT, FRAME, Narrow, mixer};
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

    /// The samples as they stand in a WAV file.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        self.samples()
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
    }
}

/// A tap on one or two legs. The engine owns it, lets its legs be heard by
/// [`Leg::listen`](crate::session::Leg::listen), asks it for a block on every beat and gives that
/// to its disk thread.
#[derive(Debug)]
pub struct Tap {
    settings: Settings,
    beats: u32,
    activity: Activity,
    ended: Option<Ended>,
}

impl Tap {
    /// A tap that has heard nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            beats: 0,
            activity: Activity::new(),
            ended: None,
        }
    }

    /// What was asked.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a beat: what the first leg was heard to say, and the second
    /// ([`SILENCE`](crate::SILENCE) for one that is not there).
    pub fn beat(&mut self, a: &Narrow, b: &Narrow) -> Block {
        let mut samples = [0; 2 * FRAME];
        let both = match self.settings.layout {
            Layout::Alone => *a,
            Layout::Mixed | Layout::Stereo => mixer::sum(a, b),
        };
        let len = match self.settings.layout {
            Layout::Alone | Layout::Mixed => {
                samples[..FRAME].copy_from_slice(&both);
                FRAME
            }
            Layout::Stereo => {
                for (pair, (&left, &right)) in samples.chunks_exact_mut(2).zip(a.iter().zip(b)) {
                    pair.copy_from_slice(&[left, right]);
                }
                2 * FRAME
            }
        };
        self.activity.take(&both);
        self.beats = self.beats.saturating_add(1);
        if self.ended.is_none() {
            let reached = |limit: Option<Duration>, now| limit.is_some_and(|limit| now >= limit);
            if reached(self.settings.max_duration, self.duration()) {
                self.ended = Some(Ended::MaxDuration);
            } else if reached(self.settings.max_silence, self.activity.quiet_for()) {
                self.ended = Some(Ended::Silence);
            }
        }
        Block { samples, len }
    }

    /// Whether it ended by itself; asked after each beat. No more beats are due then.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Its length until now.
    pub fn duration(&self) -> Duration {
        BEAT * self.beats
    }

    /// Somebody was heard in it.
    pub fn contains_sound(&self) -> bool {
        self.activity.has_heard()
    }
}

/// Octets of [`wav_header`].
pub const WAV_HEADER: usize = 44;

/// The header of a WAV file of 8 kHz 16-bit linear samples, 44 octets, to be followed by the
/// samples in little-endian order. `data_len` is `None` while the file grows: readers then take all
/// that follows. When it is complete, the header is written again with the length in octets, also
/// over a file that a crash left behind ([`repair`]).
pub fn wav_header(channels: u16, data_len: Option<u32>) -> [u8; WAV_HEADER] {
    let data = data_len.map_or(u32::MAX, |len| len.min(u32::MAX - 36));
    let mut header = [0; WAV_HEADER];
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

/// The header to write over that of a file which a crash left behind while it grew, from the
/// header that it has and its length in octets; `None` when it is complete or none of ours. Samples
/// that were written by half are left out of the count.
pub fn repair(header: &[u8; WAV_HEADER], file_len: u64) -> Option<[u8; WAV_HEADER]> {
    let channels = u16::from_le_bytes([header[22], header[23]]);
    if !(1..=2).contains(&channels) || *header != wav_header(channels, None) {
        return None;
    }
    let data = file_len.checked_sub(WAV_HEADER as u64)?;
    let block = u64::from(channels) * 2;
    let whole = u32::try_from(data - data % block).unwrap_or(u32::MAX - 36);
    Some(wav_header(channels, Some(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SILENCE;

    const NO_LIMIT: Settings = Settings {
        layout: Layout::Alone,
        max_duration: None,
        max_silence: None,
    };

    /// A sound that counts as speech.
    fn speech() -> Narrow {
        std::array::from_fn(|at| if at % 8 < 4 { 5000 } else { -5000 })
    }

    #[test]
    fn legs_are_put_on_record_alone_mixed_or_side_by_side() {
        let (a, b) = ([100; FRAME], [7; FRAME]);
        let block = |layout| Tap::new(Settings { layout, ..NO_LIMIT }).beat(&a, &b);
        assert_eq!(block(Layout::Alone).samples(), [100; FRAME]);
        assert_eq!(block(Layout::Mixed).samples(), [107; FRAME]);
        assert_eq!(block(Layout::Stereo).samples(), [100, 7].repeat(FRAME));
        assert_eq!(
            block(Layout::Stereo).bytes().take(4).collect::<Vec<_>>(),
            [100, 0, 7, 0]
        );
    }

    #[test]
    fn it_ends_at_its_length() {
        let max_duration = Some(Duration::from_millis(90));
        let mut tap = Tap::new(Settings {
            max_duration,
            ..NO_LIMIT
        });
        for beat in 1..=5 {
            assert_eq!(tap.ended(), None);
            tap.beat(&speech(), &SILENCE);
            assert_eq!(tap.duration(), BEAT * beat);
        }
        assert_eq!(tap.ended(), Some(Ended::MaxDuration));
    }

    #[test]
    fn it_ends_when_nobody_speaks_any_more() {
        let max_silence = Some(Duration::from_secs(1));
        let mut tap = Tap::new(Settings {
            max_silence,
            ..NO_LIMIT
        });
        for _ in 0..100 {
            tap.beat(&speech(), &SILENCE);
        }
        assert!(tap.contains_sound());
        let mut beats = 0;
        while tap.ended().is_none() {
            tap.beat(&SILENCE, &SILENCE);
            beats += 1;
        }
        assert_eq!(tap.ended(), Some(Ended::Silence));
        assert!((50..=60).contains(&beats), "after {beats} beats");
    }

    #[test]
    fn either_leg_keeps_a_recording_of_both_alive() {
        let max_silence = Some(Duration::from_secs(1));
        let mut tap = Tap::new(Settings {
            layout: Layout::Stereo,
            max_silence,
            ..NO_LIMIT
        });
        for _ in 0..200 {
            tap.beat(&SILENCE, &speech());
        }
        assert_eq!(tap.ended(), None);
    }

    #[test]
    fn silence_contains_no_sound() {
        let mut tap = Tap::new(NO_LIMIT);
        for _ in 0..100 {
            tap.beat(&SILENCE, &SILENCE);
        }
        assert!(!tap.contains_sound());
    }

    #[test]
    fn a_written_file_is_read_by_another_reader() {
        let mut tap = Tap::new(Settings {
            layout: Layout::Stereo,
            ..NO_LIMIT
        });
        let mut data = Vec::new();
        for beat in 0..50 {
            data.extend(tap.beat(&[beat; FRAME], &[-beat; FRAME]).bytes());
        }
        let mut file = wav_header(2, Some(data.len() as u32)).to_vec();
        file.extend(&data);
        let mut reader = hound::WavReader::new(file.as_slice()).expect("is a WAV file");
        let spec = reader.spec();
        assert_eq!(
            (spec.channels, spec.sample_rate, spec.bits_per_sample),
            (2, 8000, 16)
        );
        let samples: Vec<i16> = reader
            .samples()
            .collect::<Result<_, _>>()
            .expect("is whole");
        assert_eq!(samples.len(), 50 * 2 * FRAME);
        assert_eq!(samples[2 * FRAME..2 * FRAME + 2], [1, -1]);
    }

    #[test]
    fn a_file_that_a_crash_cut_is_repaired() {
        let growing = wav_header(2, None);
        assert_eq!(repair(&growing, 44 + 643), Some(wav_header(2, Some(640))));
        assert_eq!(repair(&growing, 44), Some(wav_header(2, Some(0))));
        assert_eq!(repair(&growing, 3), None);
        assert_eq!(
            repair(&wav_header(2, Some(640)), 44 + 640),
            None,
            "is complete"
        );
        assert_eq!(repair(&[0; WAV_HEADER], 100), None, "is none of ours");
    }
}
