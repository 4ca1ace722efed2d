//! Recording what legs hear.

mod channel;

use crate::activity::Activity;
use crate::{BEAT, FRAME, Narrow, SILENCE, mixer};
use channel::{Channel, LAG};
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
    /// Two legs in a file of one channel each.
    Separate,
}

impl Layout {
    /// How many files there are.
    pub const fn files(self) -> u16 {
        match self {
            Self::Alone | Self::Mixed | Self::Stereo => 1,
            Self::Separate => 2,
        }
    }

    /// How many channels each file has.
    pub const fn channels(self) -> u16 {
        match self {
            Self::Alone | Self::Mixed | Self::Separate => 1,
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

/// What becomes of the time in which a recording is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// It is silent in the recording, whose time goes on with the call's.
    Silent,
    /// It is not in the recording, which goes on where it was paused.
    LeftOut,
}

/// What a leg was heard to say in a beat.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The sound.
    pub frame: &'a Narrow,
    /// How long the leg's jitter buffer kept it: it was said so much earlier.
    pub delay: Duration,
}

impl Default for Heard<'_> {
    /// Nothing, from a leg that is not there.
    fn default() -> Self {
        Self {
            frame: &SILENCE,
            delay: Duration::ZERO,
        }
    }
}

/// 20 ms for the disk: 8 kHz, 16-bit linear, channels interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    samples: [i16; 2 * FRAME],
    len: usize,
}

impl Block {
    /// Its samples: 160, or 320 where there are two channels or files.
    pub fn samples(&self) -> &[i16] {
        &self.samples[..self.len]
    }
}

/// A tap on one or two legs. The engine owns it, lets its legs be heard by
/// [`Leg::listen`](crate::session::Leg::listen), gives it every beat, takes the blocks that come of
/// it and gives them to its disk thread.
///
/// Each leg's jitter buffer keeps sound for a time of its own, and changes that time. On record, sound
/// stands where it was said: blocks come 320 ms later, and in them every channel is moved back
/// by what its leg's buffer kept it. So channels are aligned within a beat.
#[derive(Debug)]
pub struct Tap {
    settings: Settings,
    paused: Option<Gap>,
    /// Beats of the recording until now.
    beats: u32,
    /// Blocks that were given out.
    given: u32,
    channels: [Channel; 2],
    activity: Activity,
    ended: Option<Ended>,
}

impl Tap {
    /// A tap that has heard nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            paused: None,
            beats: 0,
            given: 0,
            channels: Default::default(),
            activity: Activity::new(),
            ended: None,
        }
    }

    /// What was asked.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Leaves out what is said from now on until [`resume`](Self::resume).
    pub fn pause(&mut self, gap: Gap) {
        self.paused = Some(gap);
    }

    /// Goes on with what is said from now on: what was said in the pause and is heard only now is
    /// left out too.
    pub fn resume(&mut self) {
        if self.paused.take().is_some() {
            for channel in &mut self.channels {
                channel.forbid_before(self.beats);
            }
        }
    }

    /// Takes a beat: what the first leg was heard to say, and the second. Then come its
    /// [blocks](Self::next_block).
    pub fn beat(&mut self, a: Heard<'_>, b: Heard<'_>) {
        match self.paused {
            Some(Gap::LeftOut) => return,
            Some(Gap::Silent) => {}
            None => {
                for (channel, heard) in self.channels.iter_mut().zip([a, b]) {
                    channel.put(self.beats, heard);
                }
                self.activity.take(&self.both(a.frame, b.frame));
            }
        }
        self.beats = self.beats.saturating_add(1);
        if self.ended.is_none() {
            let reached = |limit: Option<Duration>, now| limit.is_some_and(|limit| now >= limit);
            if reached(self.settings.max_duration, self.duration()) {
                self.ended = Some(Ended::MaxDuration);
            } else if reached(self.settings.max_silence, self.activity.quiet_for()) {
                self.ended = Some(Ended::Silence);
            }
        }
    }

    /// The next 20 ms that nothing can change any more.
    pub fn next_block(&mut self) -> Option<Block> {
        (self.beats.saturating_sub(self.given) > LAG).then(|| self.block())
    }

    /// What is left at its end.
    pub fn last_block(&mut self) -> Option<Block> {
        (self.beats > self.given).then(|| self.block())
    }

    fn block(&mut self) -> Block {
        let [a, b] = [0, 1].map(|channel: usize| self.channels[channel].take(self.given));
        self.given += 1;
        let mut samples = [0; 2 * FRAME];
        let len = match self.settings.layout {
            Layout::Alone | Layout::Mixed => {
                samples[..FRAME].copy_from_slice(&self.both(&a, &b));
                FRAME
            }
            Layout::Stereo | Layout::Separate => {
                for (pair, (&left, &right)) in samples.chunks_exact_mut(2).zip(a.iter().zip(&b)) {
                    pair.copy_from_slice(&[left, right]);
                }
                2 * FRAME
            }
        };
        Block { samples, len }
    }

    fn both(&self, a: &Narrow, b: &Narrow) -> Narrow {
        match self.settings.layout {
            Layout::Alone => *a,
            Layout::Mixed | Layout::Stereo | Layout::Separate => mixer::sum(a, b),
        }
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

    const NO_LIMIT: Settings = Settings {
        layout: Layout::Alone,
        max_duration: None,
        max_silence: None,
    };

    /// A sound that counts as speech.
    fn speech() -> Narrow {
        std::array::from_fn(|at| if at % 8 < 4 { 5000 } else { -5000 })
    }

    fn heard(frame: &Narrow) -> Heard<'_> {
        Heard {
            frame,
            delay: Duration::ZERO,
        }
    }

    /// A tap and what it has put on record.
    struct Record {
        tap: Tap,
        samples: Vec<i16>,
    }

    impl Record {
        fn new(settings: Settings) -> Self {
            Self {
                tap: Tap::new(settings),
                samples: Vec::new(),
            }
        }

        fn beat(&mut self, a: &Narrow, b: &Narrow) {
            self.tap.beat(heard(a), heard(b));
            while let Some(block) = self.tap.next_block() {
                self.samples.extend(block.samples());
            }
        }

        fn end(mut self) -> Vec<i16> {
            while let Some(block) = self.tap.last_block() {
                self.samples.extend(block.samples());
            }
            self.samples
        }
    }

    #[test]
    fn legs_are_put_on_record_alone_mixed_or_side_by_side() {
        let (a, b) = ([100; FRAME], [7; FRAME]);
        let record = |layout| {
            let mut record = Record::new(Settings { layout, ..NO_LIMIT });
            record.beat(&a, &b);
            record.end()
        };
        assert_eq!(record(Layout::Alone), [100; FRAME]);
        assert_eq!(record(Layout::Mixed), [107; FRAME]);
        assert_eq!(record(Layout::Stereo), [100, 7].repeat(FRAME));
        assert_eq!(record(Layout::Separate), [100, 7].repeat(FRAME));
    }

    #[test]
    fn every_beat_is_on_record_once_and_in_order() {
        let mut record = Record::new(NO_LIMIT);
        for beat in 1..100 {
            record.beat(&[beat; FRAME], &SILENCE);
        }
        assert!(record.samples.len() >= 80 * FRAME);
        let expected: Vec<_> = (1..100).flat_map(|beat| [beat; FRAME]).collect();
        assert_eq!(record.end(), expected);
    }

    #[test]
    fn sound_stands_where_it_was_said_and_not_where_it_was_heard() {
        let mut tap = Tap::new(Settings {
            layout: Layout::Stereo,
            ..NO_LIMIT
        });
        let mut samples = Vec::new();
        // The second buffer keeps what the first gives at once, at first for 60, then for 100 ms:
        // while the delay grows it repeats a frame, for all that it knows.
        let said = |beat: i16| [(beat - 20).max(0) * 100; FRAME];
        let mut delay = 3;
        for beat in 0..60_i16 {
            if beat == 40 {
                delay = 5;
            }
            let late = Heard {
                frame: &said(beat - delay),
                delay: BEAT * delay as u32,
            };
            tap.beat(heard(&said(beat)), late);
            while let Some(block) = tap.next_block() {
                samples.extend(block.samples().to_vec());
            }
        }
        for pair in samples.chunks_exact(2) {
            assert_eq!(pair[0], pair[1]);
        }
        assert!(samples.iter().any(|&sample| sample > 1000));
    }

    #[test]
    fn what_is_said_in_a_pause_is_never_on_record() {
        for gap in [Gap::Silent, Gap::LeftOut] {
            let mut tap = Tap::new(NO_LIMIT);
            let mut samples = Vec::new();
            let delay = BEAT * 3;
            for beat in 0..60 {
                match beat {
                    20 => tap.pause(gap),
                    40 => tap.resume(),
                    _ => {}
                }
                // Said three beats ago: 1 before the pause, 2 in it, 3 after it.
                let said = match beat - 3 {
                    ..20 => 1000,
                    20..40 => 2000,
                    _ => 3000,
                };
                let frame = &[said; FRAME];
                tap.beat(Heard { frame, delay }, Heard::default());
                while let Some(block) = tap.next_block() {
                    samples.extend(block.samples().to_vec());
                }
            }
            let beats = if gap == Gap::Silent { 60 } else { 40 };
            assert_eq!(tap.duration(), BEAT * beats);
            while let Some(block) = tap.last_block() {
                samples.extend(block.samples().to_vec());
            }
            assert_eq!(samples.len(), beats as usize * FRAME);
            let count = |level| samples.iter().filter(|&&sample| sample == level).count();
            assert_eq!((count(1000), count(2000)), (17 * FRAME, 0), "{gap:?}");
            assert_eq!(count(3000), 17 * FRAME, "{gap:?}");
        }
    }

    #[test]
    fn a_pause_is_no_silence_that_ends_a_recording() {
        let max_silence = Some(Duration::from_secs(1));
        let mut record = Record::new(Settings {
            max_silence,
            ..NO_LIMIT
        });
        for _ in 0..20 {
            record.beat(&speech(), &SILENCE);
        }
        record.tap.pause(Gap::Silent);
        for _ in 0..200 {
            record.beat(&SILENCE, &SILENCE);
        }
        assert_eq!(record.tap.ended(), None);
    }

    #[test]
    fn it_ends_at_its_length() {
        let max_duration = Some(Duration::from_millis(90));
        let mut record = Record::new(Settings {
            max_duration,
            ..NO_LIMIT
        });
        for beat in 1..=5 {
            assert_eq!(record.tap.ended(), None);
            record.beat(&speech(), &SILENCE);
            assert_eq!(record.tap.duration(), BEAT * beat);
        }
        assert_eq!(record.tap.ended(), Some(Ended::MaxDuration));
    }

    #[test]
    fn it_ends_when_nobody_speaks_any_more() {
        let max_silence = Some(Duration::from_secs(1));
        let mut record = Record::new(Settings {
            max_silence,
            ..NO_LIMIT
        });
        for _ in 0..100 {
            record.beat(&speech(), &SILENCE);
        }
        assert!(record.tap.contains_sound());
        let mut beats = 0;
        while record.tap.ended().is_none() {
            record.beat(&SILENCE, &SILENCE);
            beats += 1;
        }
        assert_eq!(record.tap.ended(), Some(Ended::Silence));
        assert!((50..=60).contains(&beats), "after {beats} beats");
    }

    #[test]
    fn either_leg_keeps_a_recording_of_both_alive() {
        let max_silence = Some(Duration::from_secs(1));
        let mut record = Record::new(Settings {
            layout: Layout::Stereo,
            max_silence,
            ..NO_LIMIT
        });
        for _ in 0..200 {
            record.beat(&SILENCE, &speech());
        }
        assert_eq!(record.tap.ended(), None);
    }

    #[test]
    fn silence_contains_no_sound() {
        let mut record = Record::new(NO_LIMIT);
        for _ in 0..100 {
            record.beat(&SILENCE, &SILENCE);
        }
        assert!(!record.tap.contains_sound());
    }

    #[test]
    fn a_written_file_is_read_by_another_reader() {
        let mut record = Record::new(Settings {
            layout: Layout::Stereo,
            ..NO_LIMIT
        });
        for beat in 0..50 {
            record.beat(&[beat; FRAME], &[-beat; FRAME]);
        }
        let recorded = record.end();
        let data: Vec<u8> = recorded
            .iter()
            .copied()
            .flat_map(i16::to_le_bytes)
            .collect();
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
        assert_eq!(samples, recorded);
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
