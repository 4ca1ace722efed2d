//! What a call puts on record: facts to its timeline, rows and events to the writer.

use std::time::Duration;

use serde::Serialize;
use strowger_domain::call::{Event, LegNumber, Origin, RecordingNumber};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::{CallRecord, Ending, Fact, LegQuality, Timeline};
use strowger_domain::ids::{LegId, RecordingId};
use strowger_media::codec::Codec;

use super::call::Call;
use super::effects::STORAGE_FULL;
use super::legs::Leg;
use crate::net::clock;
use crate::store::Writer;
use crate::store::events::{self, NewEvent};
use crate::store::recordings::Recording;
use crate::telemetry;

#[derive(Serialize)]
struct Started<'a> {
    origin: Origin,
    service_number: Option<&'a str>,
    calling: Option<&'a str>,
    called: &'a str,
}

#[derive(Serialize)]
struct LegAnswered {
    number: u16,
}

#[derive(Serialize)]
struct LegEnded {
    cause: Cause,
    q850: u8,
    sip_status: Option<u16>,
    quality: Option<LegQuality>,
}

impl Call {
    /// Notes a fact on the timeline; answers whether it is new.
    pub(super) fn note(&mut self, fact: Fact) -> bool {
        let now = self.clock.now().utc;
        self.timeline
            .as_mut()
            .is_some_and(|timeline| timeline.note(fact, now))
    }

    /// Writes an event: numbered within the call, without gaps.
    pub(super) fn emit(&mut self, kind: &'static str, leg: Option<LegId>, data: &impl Serialize) {
        let event = NewEvent {
            kind,
            time: self.clock.now().utc,
            account: self.path.account(),
            call: Some(self.id),
            leg,
            sequence: self.next_sequence(),
            data: events::data(data),
        };
        // A writer that takes no more has said so in the log.
        let _ = self.tools.writer.event(event);
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(super) fn leg_id(&self, number: LegNumber) -> Option<LegId> {
        let record = self.timeline.as_ref()?.snapshot();
        record
            .legs
            .iter()
            .find(|leg| leg.number == number.0)
            .map(|leg| leg.id)
    }

    pub(super) fn note_codec(&mut self, number: LegNumber, codec: Option<Codec>) {
        if let Some(codec) = codec {
            self.note(Fact::LegCodec(number, codec.name().to_owned()));
        }
    }

    pub(super) fn note_answered(&mut self, number: LegNumber) {
        if !self.note(Fact::LegAnswered(number)) {
            return;
        }
        let id = self.leg_id(number);
        self.emit("leg.answered", id, &LegAnswered { number: number.0 });
        if number == LegNumber::A {
            self.emit("call.answered", None, &serde_json::json!({}));
        }
        // Should the process be killed, the call is on record as far as it had come.
        if let Some(timeline) = &self.timeline {
            let _ = self.tools.writer.call(timeline.snapshot().clone());
        }
    }

    /// A leg is gone, or could not even be tried.
    pub(super) fn note_ended(&mut self, number: LegNumber, ending: Ending) {
        if !self.note(Fact::LegEnded(number, ending)) {
            return;
        }
        let record = self.timeline.as_ref().map(Timeline::snapshot);
        let leg = record.and_then(|record| record.legs.iter().find(|leg| leg.number == number.0));
        let ended = LegEnded {
            cause: ending.cause,
            q850: ending.cause.q850(),
            sip_status: ending.sip_status,
            quality: leg.and_then(|leg| leg.quality),
        };
        let id = leg.map(|leg| leg.id);
        self.emit("leg.ended", id, &ended);
    }

    pub(super) fn note_traffic(&mut self, leg: &Leg) {
        self.note(leg.traffic());
    }

    /// A recording's file is complete, or failed: what the driver is told.
    pub(super) fn note_recording(
        &mut self,
        number: RecordingNumber,
        duration: Duration,
        contains_sound: bool,
        failure: Option<String>,
    ) -> Option<Event> {
        let ongoing = self.recordings.remove(&number)?;
        let name = ongoing.files.first().map(|(_, name)| name.clone());
        let name = name.unwrap_or_default();
        for (id, name) in &ongoing.files {
            if let Some(failure) = &failure {
                let data = serde_json::json!({ "recording": id, "failure": failure });
                self.emit("recording.failed", None, &data);
            } else if ongoing.keep {
                let full = ongoing.room.is_some_and(|room| duration >= room);
                self.keep_recording(*id, name, duration, ongoing.channels, full);
            }
        }
        Some(Event::Recorded {
            recording: number,
            file: name,
            duration,
            contains_sound,
            failure,
        })
    }

    /// A file is kept as a recording of the call.
    fn keep_recording(
        &mut self,
        id: RecordingId,
        name: &str,
        duration: Duration,
        channels: u16,
        full: bool,
    ) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(0);
        let row = Recording {
            id,
            account: self.path.account(),
            call: self.id,
            file: name.to_owned(),
            channels: u8::try_from(channels).unwrap_or(1),
            duration,
            size_bytes: 44 + recorded_bytes(millis, channels),
            created_at: self.clock.now().utc,
        };
        self.tools.storage.add(row.account, row.size_bytes);
        let _ = self.tools.writer.recording(row);
        self.note(Fact::Recorded(id));
        let mut data = serde_json::json!({ "recording": id, "duration_ms": millis });
        if full {
            data["cut"] = STORAGE_FULL.into();
        }
        self.emit("recording.ready", None, &data);
    }

    /// The row that a crash would leave.
    pub(super) fn write_start(&mut self) {
        let Some(record) = self.timeline.as_ref().map(|line| line.snapshot().clone()) else {
            return;
        };
        metrics::counter!(telemetry::CALLS_STARTED, "origin" => record.origin.name()).increment(1);
        metrics::gauge!(telemetry::CALLS_LIVE).increment(1.0);
        let started = Started {
            origin: record.origin,
            service_number: record.service_number.as_deref(),
            calling: record.calling.as_deref(),
            called: &record.called,
        };
        self.emit("call.started", None, &started);
        let _ = self.tools.writer.call(record);
    }

    /// The call's one record, and its terminal event.
    pub(super) fn write_record(&mut self, record: CallRecord) {
        let outcome = record
            .outcome
            .map_or("failed", strowger_domain::cause::Outcome::name);
        metrics::counter!(telemetry::CALLS_ENDED, "outcome" => outcome).increment(1);
        metrics::gauge!(telemetry::CALLS_LIVE).decrement(1.0);
        let event = events::call_ended(&record, self.next_sequence(), self.clock.now().utc);
        let _ = self.tools.writer.end(record, event);
    }

    /// The same for a call whose actor dies.
    pub(super) fn write_cut(&mut self, record: CallRecord) {
        metrics::counter!(telemetry::CALLS_ENDED, "outcome" => "failed").increment(1);
        metrics::gauge!(telemetry::CALLS_LIVE).decrement(1.0);
        let sequence = self.next_sequence();
        write_cut(&self.tools.writer, record, sequence);
    }
}

/// The bytes of so many milliseconds of sound in a recording, without the header: 8 kHz, 16 bits.
pub(super) fn recorded_bytes(millis: u64, channels: u16) -> u64 {
    millis * 8 * 2 * u64::from(channels)
}

/// Writes the one record of a call that was cut, and its terminal event.
pub(crate) fn write_cut(writer: &Writer, record: CallRecord, sequence: u64) {
    let now = clock::now().utc;
    let record = record.cut(now);
    let event = events::call_ended(&record, sequence, now);
    // A writer that takes no more has said so in the log.
    let _ = writer.end(record, event);
}
