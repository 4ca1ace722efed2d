//! The writing task: collect, write, retry.

use super::batch::{self, Batch};
use super::{Piece, WriterSettings};
use crate::store::{Store, StoreError};
use crate::telemetry;
use std::time::Duration;
use strowger_domain::ids::EventId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

pub(super) struct Task {
    store: Store,
    settings: WriterSettings,
    waiting: mpsc::Receiver<Piece>,
    asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    wrote: watch::Sender<u64>,
}

impl Task {
    pub(super) fn new(
        store: Store,
        settings: WriterSettings,
        waiting: mpsc::Receiver<Piece>,
        asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
        wrote: watch::Sender<u64>,
    ) -> Self {
        Self {
            store,
            settings,
            waiting,
            asked,
            wrote,
        }
    }

    /// The next pieces, oldest first, and who waits for them to be written. `None`: no more come.
    async fn collect(&mut self) -> Option<(Vec<Piece>, Vec<oneshot::Sender<()>>)> {
        let mut pieces = Vec::new();
        let mut flushes = Vec::new();
        tokio::select! {
            biased;
            taken = self.waiting.recv_many(&mut pieces, self.settings.batch) => {
                if taken == 0 {
                    return None;
                }
            }
            Some(flush) = self.asked.recv() => flushes.push(flush),
        }
        if flushes.is_empty() && pieces.len() < self.settings.batch {
            // Others come meanwhile: to be woken by each would cost more than to write it.
            tokio::select! {
                biased;
                // None: the last writer is gone.
                flush = self.asked.recv() => flushes.extend(flush),
                () = sleep(self.settings.delay) => {}
            }
            while pieces.len() < self.settings.batch
                && let Ok(piece) = self.waiting.try_recv()
            {
                pieces.push(piece);
            }
        }
        // Who asks to flush has handed over everything before: take all that waits.
        while !flushes.is_empty()
            && let Ok(piece) = self.waiting.try_recv()
        {
            pieces.push(piece);
        }
        Some((pieces, flushes))
    }

    /// Writes the pieces, however long it takes.
    async fn write(&self, pieces: &[Piece]) {
        for some in pieces.chunks(self.settings.batch) {
            let mut pause = self.settings.first_pause;
            let batch = Batch::of(some, name);
            while let Err(error) = batch::write(&self.store, &batch).await {
                if !error.is_passing() {
                    self.write_each(some, &error).await;
                    break;
                }
                tracing::error!(
                    error = %chain(&error),
                    waiting = some.len() + self.waiting.len(),
                    pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                    "the database does not take call records; they wait in memory"
                );
                pause = self.rest(pause).await;
            }
            if batch.tells() {
                self.wrote.send_modify(|count| *count += 1);
            }
        }
    }

    /// Something in the batch can never be written: writes each piece alone, and leaves out the one
    /// at fault.
    async fn write_each(&self, pieces: &[Piece], error: &StoreError) {
        tracing::error!(error = %chain(error), "a batch of call records was refused");
        for piece in pieces {
            let batch = Batch::of(std::slice::from_ref(piece), name);
            let mut pause = self.settings.first_pause;
            while let Err(error) = batch::write(&self.store, &batch).await {
                if !error.is_passing() {
                    tracing::error!(
                        error = %chain(&error),
                        piece = piece.kind(),
                        piece.id = piece.id(),
                        "what a call left behind cannot be kept"
                    );
                    metrics::counter!(telemetry::RECORDS_LOST, "piece" => piece.kind())
                        .increment(1);
                    break;
                }
                pause = self.rest(pause).await;
            }
        }
    }

    async fn rest(&self, pause: Duration) -> Duration {
        sleep(pause).await;
        (pause * 2).min(self.settings.longest_pause)
    }
}

/// Names a bundle of events: the writer does so, as it alone knows what is written together.
fn name() -> EventId {
    EventId::from_uuid(uuid::Uuid::now_v7())
}

pub(super) async fn run(mut task: Task) {
    while let Some((pieces, flushes)) = task.collect().await {
        task.write(&pieces).await;
        for flush in flushes {
            // Whoever asked may have lost patience.
            let _ = flush.send(());
        }
    }
}

/// An error with its causes: the text alone does not repeat them.
fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
