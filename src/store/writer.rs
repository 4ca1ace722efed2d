//! Writes what calls leave behind, in batches, off the call path.
//!
//! Whoever has something to keep hands it over and goes on. One task writes it, in the order in
//! which it came, within 100 ms or 500 pieces, each batch in one transaction. While the database is
//! away the pieces wait in memory, up to a bound. Every piece has an identifier, so writing it twice
//! (when a commit's answer was lost) changes nothing.

mod batch;
mod task;

pub(super) use batch::{write_calls, write_events};

use super::Store;
use super::events::Event;
use super::recordings::Recording;
use super::scheduled_calls::ScheduledUpdate;
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
            capacity: 100_000,
            batch: 500,
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
    End(Box<(CallRecord, Event)>),
    /// A finished recording.
    Recording(Box<Recording>),
    /// What happened to a scheduled call.
    Scheduled(Box<ScheduledUpdate>),
    /// An event.
    Event(Box<Event>),
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
            Self::Event(event) => event.id.to_string(),
        }
    }
}

impl Writer {
    /// Starts the writing task on the current tokio runtime. It ends when the last clone is dropped
    /// and everything is written.
    pub fn start(store: Store, settings: WriterSettings) -> Self {
        let (pieces, waiting) = mpsc::channel(settings.capacity);
        let (flushes, asked) = mpsc::unbounded_channel();
        let (wrote, written) = watch::channel(0);
        tokio::spawn(task::run(task::Task::new(
            store, settings, waiting, asked, wrote,
        )));
        Self {
            pieces,
            flushes,
            written,
        }
    }

    /// Keeps a call as it stands, so that a crash leaves a trace. A call whose record is kept changes
    /// no more.
    pub fn call(&self, call: CallRecord) -> Result<(), Refused> {
        self.put(Piece::Call(Box::new(call)))
    }

    /// Keeps the record of a call that has ended and its terminal event, in one transaction: a crash
    /// leaves both or none.
    pub fn end(&self, record: CallRecord, ended: Event) -> Result<(), Refused> {
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

    /// Keeps an event. Events are read in the order in which they were handed over.
    pub fn event(&self, event: Event) -> Result<(), Refused> {
        self.put(Piece::Event(Box::new(event)))
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

    fn put(&self, piece: Piece) -> Result<(), Refused> {
        self.pieces.try_send(piece).map_err(|error| {
            let piece = match &error {
                mpsc::error::TrySendError::Full(piece)
                | mpsc::error::TrySendError::Closed(piece) => piece.kind(),
            };
            tracing::error!(piece, %error, "what a call left behind is lost");
            Refused
        })
    }
}
