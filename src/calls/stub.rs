//! What a parent keeps of a call that it started, to end it should its actor die.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use actix::{Actor, Addr, ArbiterHandle};
use strowger_domain::cdr::{CallRecord, Timeline};
use strowger_domain::ids::{CallId, EventId};

use super::call::Call;
use super::messages::{Progress, ProgressRecipient, Stage};
use super::start::{FirstLeg, Start};
use crate::net::clock;
use crate::store::Writer;
use crate::store::events::Event;
use crate::supervise::Obituary;
use crate::telemetry;

/// The threads on which calls live, used in turn.
#[derive(Clone, Debug)]
pub struct CallThreads {
    threads: Arc<[ArbiterHandle]>,
    next: Arc<AtomicUsize>,
}

impl CallThreads {
    /// These threads; at least one.
    pub fn new(threads: Vec<ArbiterHandle>) -> Self {
        Self {
            threads: threads.into(),
            next: Arc::default(),
        }
    }

    fn pick(&self) -> Option<&ArbiterHandle> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.threads.get(turn % self.threads.len().max(1))
    }
}

/// A call as its parent remembers it.
#[derive(Debug)]
pub struct Stub {
    /// The call's actor.
    pub address: Addr<Call>,
    record: CallRecord,
    sequence: Arc<AtomicU64>,
    progress: Option<ProgressRecipient>,
    writer: Writer,
}

impl Stub {
    /// Starts a call on one of the threads.
    pub fn start(threads: &CallThreads, start: Start, obituary: Obituary<CallId>) -> Self {
        let record = Timeline::new(start.opening.clone(), clock::now().utc)
            .snapshot()
            .clone();
        let sequence = Arc::new(AtomicU64::new(0));
        let progress = match &start.first {
            FirstLeg::Outbound { progress, .. } => progress.clone(),
            FirstLeg::Inbound { .. } => None,
        };
        let writer = start.tools.writer.clone();
        let counter = Arc::clone(&sequence);
        let address = match threads.pick() {
            Some(thread) => {
                Call::start_in_arbiter(thread, move |_| Call::new(start, counter, obituary))
            }
            None => Call::new(start, counter, obituary).start(),
        };
        Self {
            address,
            record,
            sequence,
            progress,
            writer,
        }
    }

    /// The call's actor died: its legs and ports went with it; here is its one record.
    pub fn bury(self) {
        telemetry::actor_failed("call");
        metrics::gauge!(telemetry::CALLS_LIVE).decrement(1.0);
        let now = clock::now().utc;
        let call = self.record.id;
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        write_cut(&self.writer, self.record, sequence);
        if let Some(progress) = &self.progress {
            progress.do_send(Progress {
                call,
                at: now,
                stage: Stage::Cut,
            });
        }
    }
}

/// Writes the one record of a call that was cut, and its terminal event.
pub(crate) fn write_cut(writer: &Writer, record: CallRecord, sequence: u64) {
    let now = clock::now().utc;
    let record = record.cut(now);
    let event = Event {
        id: EventId::from_uuid(uuid::Uuid::now_v7()),
        kind: "call.ended".into(),
        time: now,
        account: record.account,
        call: Some(record.id),
        leg: None,
        sequence,
        data: super::notes::ended(&record),
    };
    // A writer that takes no more has said so in the log.
    let _ = writer.call(record);
    let _ = writer.event(event);
}
