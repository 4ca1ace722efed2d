//! `record`: records what the far end says.

use super::{Desk, Outcome, Running, play};
use crate::application::fields::{Fields, Reader};
use crate::application::page::{Page, seconds};
use crate::call::{self, Event, LegNumber, PlayNumber, RecordingNumber, Sound, Tone};
use serde_json::{Value, json};
use std::time::Duration;

/// The longest recording, in seconds.
const MAX_SECONDS: i64 = 4 * 3600;

/// A recording to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Requested with the result.
    pub next_page: Page,
    /// The application's own name for it; empty: none.
    pub id: String,
    /// Any of these ends it.
    pub barge_in_digits: String,
    /// It ends by itself after this time.
    pub max_duration: Duration,
    /// It ends by itself after this much silence.
    pub max_silence: Duration,
    /// A beep is heard before it starts.
    pub beep_on_start: bool,
}

/// Reads a `record` action.
pub(in crate::application) fn read(
    value: &Value,
    pointer: &str,
    reader: &mut Reader,
) -> Option<Record> {
    let mut fields = Fields::new(value, pointer, reader)?;
    fields.required("next_page");
    let next_page = fields.page("next_page");
    let id = fields.string("id").unwrap_or_default();
    let barge_in_digits = fields
        .string("barge_in_digits")
        .unwrap_or_else(|| "#".to_owned());
    let max_seconds = fields.integer("seconds_max_duration", 60, 1..=MAX_SECONDS);
    let max_silence = fields.integer("milliseconds_max_silence", 3000, 1..=MAX_SECONDS * 1000);
    // 0 means: as `milliseconds_max_silence`, which is what is built.
    fields.integer("milliseconds_max_initial_silence", 0, 0..=0);
    let beep_on_start = fields.boolean("beep_on_start", false);
    let format = fields.string("format");
    if format.is_some_and(|format| !matches!(format.as_str(), "alaw" | "ulaw")) {
        fields.fault("format", "not_a_format", "`alaw` or `ulaw` is needed here");
    }
    fields.unsupported("encryption_cipher");
    fields.unsupported("recording_available_page");
    if !barge_in_digits.is_empty() && !play::are_digits(&barge_in_digits) {
        fields.fault(
            "barge_in_digits",
            "not_digits",
            "0-9, A-D, * and # are needed here",
        );
    }
    fields.finish();
    Some(Record {
        next_page: next_page?,
        id,
        barge_in_digits,
        max_duration: Duration::from_secs(max_seconds.unsigned_abs()),
        max_silence: Duration::from_millis(max_silence.unsigned_abs()),
        beep_on_start,
    })
}

#[derive(Clone, Debug)]
enum Stage {
    Beep(PlayNumber),
    Recording(RecordingNumber),
    /// Asked to stop; its file is awaited.
    Stopping(RecordingNumber),
}

/// A recording that runs.
#[derive(Clone, Debug)]
pub(in crate::application) struct Run {
    order: Record,
    stage: Stage,
}

impl Record {
    pub(in crate::application) fn start(self, desk: &mut Desk) -> Running {
        let stage = if self.beep_on_start {
            Stage::Beep(desk.play(vec![Sound::Tone(Tone::Beep)], false))
        } else {
            self.begin(desk)
        };
        Running::Record(Run { order: self, stage })
    }

    fn begin(&self, desk: &mut Desk) -> Stage {
        let recording = desk.new_recording();
        desk.call(call::Effect::StartRecording(call::Recording {
            recording,
            a: LegNumber::A,
            b: None,
            parties: call::Parties::Mixed,
            max_duration: Some(self.max_duration),
            max_silence: Some(self.max_silence),
            keep: true,
        }));
        Stage::Recording(recording)
    }
}

impl Run {
    pub(super) fn handle(&mut self, event: &Event, desk: &mut Desk) -> Option<Outcome> {
        match (event, &self.stage) {
            // A beep that could not be played is no reason not to record.
            (
                Event::Played {
                    leg: LegNumber::A,
                    play,
                    ..
                },
                Stage::Beep(current),
            ) if play == current => {
                self.stage = self.order.begin(desk);
                None
            }
            (
                Event::Digit {
                    leg: LegNumber::A,
                    digit,
                },
                Stage::Recording(recording),
            ) if self.order.barge_in_digits.contains(*digit) => {
                let recording = *recording;
                desk.call(call::Effect::StopRecording { recording });
                self.stage = Stage::Stopping(recording);
                None
            }
            (
                Event::Recorded {
                    recording,
                    file,
                    duration,
                    contains_sound,
                    failure,
                },
                Stage::Recording(current) | Stage::Stopping(current),
            ) if recording == current => {
                if let Some(text) = failure {
                    return Some(Outcome::Failed(text.clone()));
                }
                let mut result = json!({
                    "filename": file,
                    "contains_sound": contains_sound,
                    "seconds_duration": seconds(*duration),
                });
                if let Some(result) = result.as_object_mut().filter(|_| !self.order.id.is_empty()) {
                    result.insert("id".to_owned(), Value::String(self.order.id.clone()));
                }
                Some(Outcome::Page {
                    page: Box::new(self.order.next_page.clone()),
                    result,
                })
            }
            (_, _) => None,
        }
    }
}
