//! Writes what calls leave behind, in batches, off the call path.
//!
//! Whoever has something to keep hands it over and goes on. One task writes it, in the order in
//! which it came, within 100 ms or [`WriterSettings::batch`] pieces, each batch in one transaction.
//! Every row has an identifier, so writing it twice (when a commit's answer was lost) changes
//! nothing.
//!
//! While the database is away the pieces wait in memory, up to [`WriterSettings::capacity`]. When
//! three quarters of that are taken, events and the traces of calls that live are refused, so that
//! the rest is there for what can't be had again: records, recordings, and how scheduled calls went.

mod batch;
mod insert;
mod task;

pub(super) use batch::{write_calls, write_deliveries, write_events, write_scheduled};

use super::Store;
use super::events::NewEvent;
use super::recordings::Recording;
use super::scheduled_calls::ScheduledUpdate;
use crate::telemetry;
use std::time::Duration;
use strowger_domain::cdr::CallRecord;
use tokio::sync::{mpsc, oneshot, watch};

/// How the writer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterSettings {
    /// Pieces that may wait in memory; more are refused.
    pub capacity: usize,
    /// Most pieces of one transaction.
    pub batch: usize,
    /// The longest that a piece waits for others.
    pub delay: Duration,
    /// The pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause between two tries.
    pub longest_pause: Duration,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self {
            // A quarter of a gigabyte at most: a call leaves about ten pieces of half a kilobyte.
            capacity: 500_000,
            batch: 4_000,
            delay: Duration::from_millis(100),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// Takes what is to be kept. Cheap to clone; never waits.
#[derive(Clone, Debug)]
pub struct Writer {
    pieces: mpsc::Sender<Piece>,
    flushes: mpsc::UnboundedSender<oneshot::Sender<()>>,
    written: watch::Receiver<u64>,
}

/// The piece was not taken: too many wait already, or the writer has ended. It is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the writer takes no more: the database has been away for too long, or the end is near")]
pub struct Refused;

/// One thing to write.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// A call as it stands, live or ended.
    Call(Box<CallRecord>),
    /// A call's record and its terminal event: never one without the other.
    End(Box<(CallRecord, NewEvent)>),
    /// A finished recording.
    Recording(Box<Recording>),
    /// What happened to a scheduled call.
    Scheduled(Box<ScheduledUpdate>),
    /// An event.
    Event(Box<NewEvent>),
}

impl Piece {
    fn kind(&self) -> &'static str {
        match self {
            Self::Call(_) => "call",
            Self::End(_) => "call_record",
            Self::Recording(_) => "recording",
            Self::Scheduled(_) => "scheduled_call",
            Self::Event(_) => "event",
        }
    }

    fn id(&self) -> String {
        match self {
            Self::Call(call) => call.id.to_string(),
            Self::End(end) => end.0.id.to_string(),
            Self::Recording(recording) => recording.id.to_string(),
            Self::Scheduled(update) => update.id.to_string(),
            Self::Event(event) => match event.call {
                Some(call) => format!("{call}/{}", event.sequence),
                None => event.kind.to_owned(),
            },
        }
    }
}

impl Writer {
    /// Starts the writing task on the current tokio runtime. It ends when the last clone is dropped
    /// and everything is written.
    pub fn start(store: Store, settings: WriterSettings) -> Self {
        let (writer, task) = Self::new(store, settings);
        tokio::spawn(task);
        writer
    }

    /// A writer, and the task that writes, which is to be run where it delays nobody.
    pub fn new(
        store: Store,
        settings: WriterSettings,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (pieces, waiting) = mpsc::channel(settings.capacity);
        let (flushes, asked) = mpsc::unbounded_channel();
        let (wrote, written) = watch::channel(0);
        let task = task::run(task::Task::new(store, settings, waiting, asked, wrote));
        let writer = Self {
            pieces,
            flushes,
            written,
        };
        (writer, task)
    }

    /// Keeps a call as it stands, so that a crash leaves a trace. A call whose record is kept changes
    /// no more.
    pub fn call(&self, call: CallRecord) -> Result<(), Refused> {
        self.put_if_room(Piece::Call(Box::new(call)))
    }

    /// Keeps the record of a call that has ended and its terminal event, in one transaction: a crash
    /// leaves both or none.
    pub fn end(&self, record: CallRecord, ended: NewEvent) -> Result<(), Refused> {
        self.put(Piece::End(Box::new((record, ended))))
    }

    /// Keeps a finished recording's row.
    pub fn recording(&self, recording: Recording) -> Result<(), Refused> {
        self.put(Piece::Recording(Box::new(recording)))
    }

    /// Keeps what happened to a scheduled call. What cannot follow upon its kept state is left out.
    pub fn scheduled(&self, update: ScheduledUpdate) -> Result<(), Refused> {
        self.put(Piece::Scheduled(Box::new(update)))
    }

    /// Keeps an event. Those of a call are read in the order in which they were handed over, and so
    /// are those of an account that belong to no call.
    pub fn event(&self, event: NewEvent) -> Result<(), Refused> {
        self.put_if_room(Piece::Event(Box::new(event)))
    }

    /// Waits until everything that was handed over before is written. While the database is away,
    /// so does this: give it a timeout.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.flushes.send(done).is_ok() {
            // An error means that the task has ended, which it does with nothing left to write.
            let _ = wait.await;
        }
    }

    /// Changes whenever a batch with events was written: a reader of the event log waits for it and
    /// reads on.
    pub fn written(&self) -> watch::Receiver<u64> {
        self.written.clone()
    }

    /// Pieces that wait in memory.
    pub fn waiting(&self) -> usize {
        self.pieces.max_capacity() - self.pieces.capacity()
    }

    fn put_if_room(&self, piece: Piece) -> Result<(), Refused> {
        if self.pieces.capacity() < self.pieces.max_capacity() / 4 {
            return Err(lost(&piece, "three quarters of the room are taken"));
        }
        self.put(piece)
    }

    fn put(&self, piece: Piece) -> Result<(), Refused> {
        self.pieces.try_send(piece).map_err(|error| match error {
            mpsc::error::TrySendError::Full(piece) => lost(&piece, "too many wait"),
            mpsc::error::TrySendError::Closed(piece) => lost(&piece, "the writer has ended"),
        })
    }
}

fn lost(piece: &Piece, why: &str) -> Refused {
    let (kind, id) = (piece.kind(), piece.id());
    metrics::counter!(telemetry::RECORDS_LOST, "piece" => kind).increment(1);
    tracing::error!(
        piece = kind,
        piece.id = id,
        why,
        "what a call left behind is lost"
    );
    Refused
}
