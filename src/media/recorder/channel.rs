//! One leg's sound on its way to the record.

use super::Heard;
use crate::mixer::NOISE;
use crate::{FRAME, Narrow, SAMPLE_RATE, SILENCE, mixer};

/// Beats by which a block comes later than it was heard: as long as a jitter buffer may keep
/// sound, 300 ms.
pub(super) const LAG: u32 = 15;

const ROOM: usize = (LAG as usize + 1) * FRAME;

/// Puts frames to the time at which they were said.
#[derive(Debug)]
pub(super) struct Channel {
    /// Samples by their time, which counts from the start of the recording.
    samples: Box<[i16; ROOM]>,
    /// How much earlier than heard a sample is put, in samples.
    delay: u32,
    /// Nothing that was said before is put.
    from: i64,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            samples: Box::new([0; ROOM]),
            delay: 0,
            from: 0,
        }
    }
}

impl Channel {
    /// Leaves out what was said before a beat.
    pub(super) fn forbid_before(&mut self, beat: u32) {
        self.from = i64::from(beat) * FRAME as i64;
    }

    /// Takes what was heard in a beat.
    pub(super) fn put(&mut self, beat: u32, heard: Heard<'_>) {
        self.follow(heard);
        let start = i64::from(beat) * FRAME as i64 - i64::from(self.delay);
        for (at, &sample) in (start..).zip(heard.frame) {
            if at >= self.from {
                self.samples[at as usize % ROOM] = sample;
            }
        }
    }

    /// Follows the delay of the buffer: in pauses every change, in speech only one of a beat or more,
    /// for each is a cut in the sound.
    fn follow(&mut self, heard: Heard<'_>) {
        let samples = heard.delay.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000;
        let delay = u32::try_from(samples)
            .unwrap_or(u32::MAX)
            .min(LAG * FRAME as u32);
        let far = delay.abs_diff(self.delay) >= FRAME as u32;
        if far || mixer::power(heard.frame) <= NOISE {
            self.delay = delay;
        }
    }

    /// Takes out a beat that nothing is put to any more.
    pub(super) fn take(&mut self, beat: u32) -> Narrow {
        let mut frame = SILENCE;
        let start = beat as usize * FRAME;
        for (at, sample) in (start..).zip(&mut frame) {
            *sample = std::mem::take(&mut self.samples[at % ROOM]);
        }
        frame
    }
}
