//! The threads on which calls live.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{Actor, Addr, ArbiterHandle};
use strowger_domain::ids::CallId;

use super::call::Call;
use super::start::Start;
use crate::supervise::Obituary;

/// The threads, used in turn.
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

    /// Starts a call; whoever wants to know its end gives an obituary.
    pub fn start(&self, start: Start, obituary: Option<Obituary<CallId>>) -> Addr<Call> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        match self.threads.get(turn % self.threads.len().max(1)) {
            Some(thread) => Call::start_in_arbiter(thread, move |_| Call::new(start, obituary)),
            None => Call::new(start, obituary).start(),
        }
    }
}
