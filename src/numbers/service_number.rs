//! The actor of a service number: starts its calls.

use actix::prelude::*;
use strowger_domain::ids::NumberId;

use super::messages::StartCall;
use crate::calls::threads::CallThreads;
use crate::supervise::{Obituary, ProvokePanic};

/// The actor.
pub struct ServiceNumber {
    threads: CallThreads,
    _obituary: Obituary<NumberId>,
}

impl ServiceNumber {
    /// A number whose calls live on these threads.
    pub fn new(threads: CallThreads, obituary: Obituary<NumberId>) -> Self {
        Self {
            threads,
            _obituary: obituary,
        }
    }
}

impl Actor for ServiceNumber {
    type Context = Context<Self>;
}

impl Handler<StartCall> for ServiceNumber {
    type Result = ();

    fn handle(&mut self, StartCall { start, .. }: StartCall, _: &mut Self::Context) {
        self.threads.start(*start, None);
    }
}

impl Handler<ProvokePanic> for ServiceNumber {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}
