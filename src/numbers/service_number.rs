//! The actor of a service number: starts its calls, and buries those whose actor died.

use std::collections::HashMap;

use actix::prelude::*;
use strowger_domain::ids::{CallId, NumberId};

use super::messages::StartCall;
use crate::calls::stub::{CallThreads, Stub};
use crate::supervise::{Down, Obituary, ProvokePanic};

/// The actor.
pub struct ServiceNumber {
    threads: CallThreads,
    calls: HashMap<CallId, Stub>,
    _obituary: Obituary<NumberId>,
}

impl ServiceNumber {
    /// A number without calls.
    pub fn new(threads: CallThreads, obituary: Obituary<NumberId>) -> Self {
        Self {
            threads,
            calls: HashMap::new(),
            _obituary: obituary,
        }
    }
}

impl Actor for ServiceNumber {
    type Context = Context<Self>;
}

impl Handler<StartCall> for ServiceNumber {
    type Result = ();

    fn handle(&mut self, StartCall { start, .. }: StartCall, ctx: &mut Self::Context) {
        let call = start.opening.call;
        let obituary = Obituary::once(ctx.address().recipient(), call);
        let stub = Stub::start(&self.threads, *start, obituary);
        self.calls.insert(call, stub);
    }
}

impl Handler<Down<CallId>> for ServiceNumber {
    type Result = ();

    fn handle(&mut self, down: Down<CallId>, _: &mut Self::Context) {
        let stub = self.calls.remove(&down.key);
        if let (Some(stub), false) = (stub, down.finished) {
            stub.bury();
        }
    }
}

impl Handler<ProvokePanic> for ServiceNumber {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}
