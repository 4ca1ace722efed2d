//! The actor of a service number: starts its calls, and buries those whose actor died.

use std::collections::HashMap;

use actix::prelude::*;
use strowger_domain::ids::{CallId, NumberId};

use super::messages::{CallGone, CallStarted, ProvokePanic, StartCall};
use crate::calls::stub::{CallThreads, Stub};
use crate::supervise::{Down, Obituary};

/// The actor.
pub struct ServiceNumber {
    threads: CallThreads,
    started: Recipient<CallStarted>,
    gone: Recipient<CallGone>,
    calls: HashMap<CallId, Stub>,
    _obituary: Obituary<NumberId>,
}

impl ServiceNumber {
    /// A number without calls; it tells of those that come and go.
    pub fn new(
        threads: CallThreads,
        started: Recipient<CallStarted>,
        gone: Recipient<CallGone>,
        obituary: Obituary<NumberId>,
    ) -> Self {
        Self {
            threads,
            started,
            gone,
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
        let (call, account) = (start.opening.call, start.opening.account);
        let obituary = Obituary::once(ctx.address().recipient(), call);
        let stub = Stub::start(&self.threads, *start, obituary);
        self.started.do_send(CallStarted {
            call,
            account,
            address: stub.address.clone(),
        });
        self.calls.insert(call, stub);
    }
}

impl Handler<Down<CallId>> for ServiceNumber {
    type Result = ();

    fn handle(&mut self, down: Down<CallId>, _: &mut Self::Context) {
        if let Some(stub) = self.calls.remove(&down.key) {
            if !down.finished {
                stub.bury();
            }
            self.gone.do_send(CallGone(down.key));
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
