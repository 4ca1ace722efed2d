//! The server half of the table: requests that come in and the responses to them.

use super::draft::{self, Reply};
use super::key::Fingerprint;
use super::server::Server;
use super::server_invite::ServerInvite;
use super::timers::Armed;
use super::{Owner, ServerAction, ServerId, ServerInput, Transactions};
use crate::command::InviteId;
use crate::flow::{Flow, Transport};
use crate::reader::Message;
use crate::via::Via;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

/// RFC 3261 §18.2.2: the port of a sent-by that names none.
const DEFAULT_PORT: u16 = 5060;

#[derive(Debug)]
enum Machine {
    Invite(ServerInvite),
    Other(Server),
}

/// A server transaction in the table.
#[derive(Debug)]
pub(crate) struct ServerEntry {
    machine: Machine,
    armed: Armed,
    merge: Option<Fingerprint>,
    flow: Flow,
    /// Where at the peer responses go.
    reply_port: u16,
    /// Kept until the final response is made from it; a finished transaction keeps only that.
    request: Option<Arc<Message>>,
    usage: Option<InviteId>,
}

impl ServerEntry {
    /// Its refusal has not been acknowledged.
    pub(super) fn is_unsettled(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_unsettled(),
            Machine::Other(_) => false,
        }
    }
}

/// What a request is to the transaction layer.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A copy, or an ACK that ended with its transaction.
    Absorbed,
    /// An ACK for a 2xx.
    Ack,
    /// The first of its transaction.
    New(ServerId),
    /// New, but another copy came by another way (§8.2.2.2): 482.
    Merged(ServerId),
    /// New, but there is no room, or the call is not taken.
    Full(ServerId),
}

impl Transactions {
    /// Finds or makes the transaction of a request. `takes` is asked when a new call comes.
    pub(crate) fn request(
        &mut self,
        message: &Arc<Message>,
        flow: Flow,
        takes: impl FnOnce() -> bool,
        now: Instant,
    ) -> Arrival {
        if message.method() == "ACK" {
            let id = ServerId(self.fingerprints.of_transaction(message, "INVITE"));
            let is_known = self.servers.contains_key(&id);
            let is_for_usage =
                !is_known || self.server_input(id, ServerInput::Ack, now).delivers_ack;
            return if is_for_usage {
                Arrival::Ack
            } else {
                Arrival::Absorbed
            };
        }
        let id = self.fingerprints.of_transaction(message, message.method());
        let id = ServerId(id);
        if self.servers.contains_key(&id) {
            self.server_input(id, ServerInput::Request, now);
            return Arrival::Absorbed;
        }
        let is_in_dialog = message.to().tag().is_some();
        let is_call = message.method() == "INVITE" && !is_in_dialog;
        if self.is_full(is_in_dialog) || (is_call && !takes()) {
            return Arrival::Full(id);
        }
        let merge = self.fingerprints.of_merged(message);
        let is_merged = merge
            .as_ref()
            .is_some_and(|key| self.merges.contains_key(key));
        let merge = merge.filter(|_| !is_merged);
        if let Some(merge) = merge {
            self.merges.insert(merge, id);
        }
        let (reliable, timers) = (flow.transport.is_reliable(), self.config.timers);
        let machine = if message.method() == "INVITE" {
            Machine::Invite(ServerInvite::new(reliable, timers))
        } else {
            Machine::Other(Server::new(reliable, timers))
        };
        let entry = ServerEntry {
            machine,
            armed: Armed::default(),
            merge,
            flow,
            reply_port: reply_flow(message.via(), flow).remote.port(),
            request: Some(Arc::clone(message)),
            usage: None,
        };
        self.servers.insert(id, Box::new(entry));
        // A failed datagram changes nothing for who waits for datagrams.
        if reliable {
            self.join_flow(flow, Owner::Server(id));
        }
        if is_merged {
            Arrival::Merged(id)
        } else {
            Arrival::New(id)
        }
    }

    /// The INVITE that a CANCEL wants to end, and its usage.
    pub(crate) fn cancelled_by(&self, cancel: &Message) -> Option<(ServerId, Option<InviteId>)> {
        let id = ServerId(self.fingerprints.of_transaction(cancel, "INVITE"));
        self.servers.get(&id).map(|entry| (id, entry.usage))
    }

    /// Says which usage a request belongs to: it hears of its loss and of its CANCEL.
    pub(crate) fn assign(&mut self, id: ServerId, usage: InviteId) {
        if let Some(entry) = self.servers.get_mut(&id) {
            entry.usage = Some(usage);
        }
    }

    /// Answers a request. Gives the bytes of the response; `None` when it was answered before.
    pub(crate) fn respond(&mut self, id: ServerId, reply: &Reply, now: Instant) -> Option<Bytes> {
        let entry = self.servers.get_mut(&id)?;
        let bytes = draft::response(entry.request.as_deref()?, reply, &self.config)?;
        let input = match reply.status {
            ..200 => ServerInput::Provisional(bytes.clone()),
            200..300 => ServerInput::Success(bytes.clone()),
            300.. => ServerInput::Failure(bytes.clone()),
        };
        if reply.status >= 200 {
            entry.request = None;
        }
        self.server_input(id, input, now);
        if reply.status >= 200 && self.servers.contains_key(&id) {
            self.served.push_back(id);
        }
        Some(bytes)
    }

    /// Answers a request that has no transaction.
    pub(crate) fn respond_statelessly(&mut self, message: &Message, flow: Flow, reply: &Reply) {
        if let Some(bytes) = draft::response(message, reply, &self.config) {
            self.transmit(reply_flow(message.via(), flow), bytes);
        }
    }

    /// Where the responses of a request go: copies of a 2xx take the same way.
    pub(crate) fn reply_flow(&self, id: ServerId) -> Option<Flow> {
        self.servers.get(&id).map(|entry| entry.reply_flow())
    }

    /// Whether a request waits for its final response.
    pub(crate) fn is_unanswered(&self, id: ServerId) -> bool {
        self.servers
            .get(&id)
            .is_some_and(|entry| entry.request.is_some())
    }

    /// The deadline of a server transaction has come.
    pub(crate) fn server_timeout(&mut self, id: ServerId, now: Instant) {
        if let Some(entry) = self.servers.get_mut(&id) {
            entry.armed.fired();
        }
        self.server_input(id, ServerInput::Timeout, now);
    }

    /// The connection of a request is gone; gives the usage that can't answer it any more.
    pub(crate) fn server_failed(&mut self, id: ServerId, now: Instant) -> Option<InviteId> {
        let outcome = self.server_input(id, ServerInput::TransportFailed, now);
        outcome.usage.filter(|_| outcome.failed)
    }

    fn server_input(&mut self, id: ServerId, input: ServerInput, now: Instant) -> Outcome {
        let Some(entry) = self.servers.get_mut(&id) else {
            return Outcome::default();
        };
        let flow = entry.reply_flow();
        let mut outcome = Outcome {
            usage: entry.usage,
            ..Outcome::default()
        };
        let actions = match &mut entry.machine {
            Machine::Invite(machine) => machine.handle(input, now),
            Machine::Other(machine) => machine.handle(input, now),
        };
        for action in actions {
            match action {
                ServerAction::Transmit(bytes) => self.transmit(flow, bytes),
                ServerAction::DeliverAck => outcome.delivers_ack = true,
                ServerAction::Failed => outcome.failed = true,
                ServerAction::Terminated => self.forget_server(id),
            }
        }
        if let Some(entry) = self.servers.get_mut(&id) {
            let at = entry.deadline();
            self.schedule.set(Owner::Server(id), &mut entry.armed, at);
        }
        outcome
    }

    pub(super) fn forget_server(&mut self, id: ServerId) {
        if let Some(mut entry) = self.servers.remove(&id) {
            self.schedule.set(Owner::Server(id), &mut entry.armed, None);
            if let Some(merge) = &entry.merge {
                self.merges.remove(merge);
            }
            self.leave_flow(&entry.flow, Owner::Server(id));
        }
        while self
            .served
            .front()
            .is_some_and(|oldest| !self.servers.contains_key(oldest))
        {
            self.served.pop_front();
        }
    }
}

/// What came of an input.
#[derive(Debug, Default)]
struct Outcome {
    usage: Option<InviteId>,
    delivers_ack: bool,
    failed: bool,
}

impl ServerEntry {
    fn reply_flow(&self) -> Flow {
        at_port(self.flow, self.reply_port)
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.machine {
            Machine::Invite(machine) => machine.deadline(),
            Machine::Other(machine) => machine.deadline(),
        }
    }
}

/// Where a response goes: along the connection; by UDP to where the request came from, with the
/// port of sent-by unless the sender asked for rport (§18.2.2, RFC 3581 §4). maddr is not heeded:
/// it would let a stranger direct our responses at third parties.
pub(crate) fn reply_flow(via: &Via, flow: Flow) -> Flow {
    match flow.transport {
        Transport::Udp if !via.wants_rport() => at_port(flow, via.port().unwrap_or(DEFAULT_PORT)),
        Transport::Udp | Transport::Tcp => flow,
    }
}

fn at_port(mut flow: Flow, port: u16) -> Flow {
    flow.remote.set_port(port);
    flow
}
