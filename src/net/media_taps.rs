//! The recording taps of a media thread.

use actix::Recipient;
use strowger_media::recorder::{Gap, Heard, Tap};

use super::media_engine::{MediaEvent, MediaFact, MediaLegId, Record};
use super::recording_writer::{RecordingWriter, Written};

/// One recording under way.
pub(super) struct ActiveTap {
    owner: MediaLegId,
    recording: u16,
    with: Option<MediaLegId>,
    tap: Tap,
    file: Written,
    recipient: Recipient<MediaFact>,
}

impl ActiveTap {
    /// Whose recording it is.
    pub(super) fn owner(&self) -> MediaLegId {
        self.owner
    }

    /// The legs that it hears.
    pub(super) fn legs(&self) -> impl Iterator<Item = MediaLegId> + use<> {
        [Some(self.owner), self.with].into_iter().flatten()
    }

    /// Whether it is this one.
    pub(super) fn is(&self, owner: MediaLegId, recording: u16) -> bool {
        self.owner == owner && self.recording == recording
    }

    /// Whether it ended by itself, or can't be written.
    pub(super) fn has_ended(&self) -> bool {
        self.tap.ended().is_some() || self.file.has_failed()
    }
}

impl Drop for ActiveTap {
    /// Completes the file, also when the engine is lost; its owner hears of it from the disk thread.
    fn drop(&mut self) {
        while let Some(block) = self.tap.last_block() {
            self.file.write(&block);
        }
        let (leg, recording) = (self.owner, self.recording);
        let (duration, contains_sound) = (self.tap.duration(), self.tap.contains_sound());
        let (ended, recipient) = (self.tap.ended(), self.recipient.clone());
        self.file.finish(move |failure| {
            recipient.do_send(MediaFact {
                leg,
                event: MediaEvent::Recorded {
                    recording,
                    duration,
                    contains_sound,
                    ended,
                    failure,
                },
            });
        });
    }
}

/// All recordings under way.
pub(super) struct Taps {
    writer: RecordingWriter,
    active: Vec<ActiveTap>,
}

impl Taps {
    /// None yet; their files are written by `writer`.
    pub(super) fn new(writer: RecordingWriter) -> Self {
        Self {
            writer,
            active: Vec::new(),
        }
    }

    /// Begins a recording of `owner`; `recipient` is told of its end.
    pub(super) fn start(
        &mut self,
        owner: MediaLegId,
        record: Record,
        recipient: Recipient<MediaFact>,
    ) {
        let file = self.writer.open(record.paths, record.settings.layout);
        self.active.push(ActiveTap {
            owner,
            recording: record.recording,
            with: record.with,
            tap: Tap::new(record.settings),
            file,
            recipient,
        });
    }

    /// Takes out a recording that is to end: dropping it completes its file.
    pub(super) fn take(&mut self, which: impl Fn(&ActiveTap) -> bool) -> Option<ActiveTap> {
        let at = self.active.iter().position(which)?;
        Some(self.active.swap_remove(at))
    }

    /// Leaves out what is said from now on, or goes on.
    pub(super) fn pause(&mut self, owner: MediaLegId, recording: u16, gap: Option<Gap>) {
        let tap = self.active.iter_mut().find(|tap| tap.is(owner, recording));
        match (tap, gap) {
            (Some(tap), Some(gap)) => tap.tap.pause(gap),
            (Some(tap), None) => tap.tap.resume(),
            (None, _) => {}
        }
    }

    /// Puts a beat on record; answers whether a recording has ended by itself, or failed.
    pub(super) fn hear<'a>(&mut self, heard: impl Fn(MediaLegId) -> Option<Heard<'a>>) -> bool {
        let mut ended = false;
        for tap in &mut self.active {
            let a = heard(tap.owner).unwrap_or_default();
            let b = tap.with.and_then(&heard).unwrap_or_default();
            tap.tap.beat(a, b);
            while let Some(block) = tap.tap.next_block() {
                tap.file.write(&block);
            }
            ended |= tap.has_ended();
        }
        ended
    }
}
