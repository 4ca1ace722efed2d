//! The server half of the table: requests that come in and the responses to them.

use super::draft::{self, Reply};
use super::key::{MergeKey, ServerKey};
use super::server::Server;
use super::server_invite::ServerInvite;
use super::{Owner, ServerAction, ServerId, ServerInput, Transactions};
use crate::command::InviteId;
use crate::flow::{Flow, Transport};
use crate::reader::Message;
use crate::via::Via;
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
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
    key: ServerKey,
    merge: Option<MergeKey>,
    flow: Flow,
    reply_flow: Flow,
    /// Kept until the final response is made from it; a finished transaction keeps only that.
    request: Option<Box<Message>>,
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
    /// New, but there is no room.
    Full,
}

impl Transactions {
    /// Finds or makes the transaction of a request.
    pub(crate) fn request(&mut self, message: &Message, flow: Flow, now: Instant) -> Arrival {
        let key = key_of(message);
        if message.method() == "ACK" {
            return match self.server_keys.get(&key).copied() {
                Some(id) if self.server_input(id, ServerInput::Ack, now).delivers_ack => {
                    Arrival::Ack
                }
                Some(_) => Arrival::Absorbed,
                None => Arrival::Ack,
            };
        }
        if let Some(&id) = self.server_keys.get(&key) {
            self.server_input(id, ServerInput::Request, now);
            return Arrival::Absorbed;
        }
        if self.is_full(message.to().tag().is_some()) {
            return Arrival::Full;
        }
        let id = ServerId(self.next_number());
        let merge = merge_key_of(message);
        let is_merged = merge
            .as_ref()
            .is_some_and(|key| self.merges.contains_key(key));
        let merge = merge.filter(|_| !is_merged);
        if let Some(merge) = &merge {
            self.merges.insert(merge.clone(), id);
        }
        let (reliable, timers) = (flow.transport.is_reliable(), self.config.timers);
        let machine = if message.method() == "INVITE" {
            Machine::Invite(ServerInvite::new(reliable, timers))
        } else {
            Machine::Other(Server::new(reliable, timers))
        };
        let entry = ServerEntry {
            machine,
            key: key.clone(),
            merge,
            flow,
            reply_flow: reply_flow(message.via(), flow),
            request: Some(Box::new(message.clone())),
            usage: None,
        };
        self.servers.insert(id, entry);
        self.server_keys.insert(key, id);
        self.join_flow(flow, Owner::Server(id));
        if is_merged {
            Arrival::Merged(id)
        } else {
            Arrival::New(id)
        }
    }

    /// The INVITE that a CANCEL wants to end, and its usage.
    pub(crate) fn cancelled_by(&self, cancel: &Message) -> Option<(ServerId, Option<InviteId>)> {
        let id = *self.server_keys.get(&key_of(cancel).of_invite())?;
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
        self.servers.get(&id).map(|entry| entry.reply_flow)
    }

    /// Whether a request waits for its final response.
    pub(crate) fn is_unanswered(&self, id: ServerId) -> bool {
        self.servers
            .get(&id)
            .is_some_and(|entry| entry.request.is_some())
    }

    /// The deadline of a server transaction has come.
    pub(crate) fn server_timeout(&mut self, id: ServerId, now: Instant) {
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
        let flow = entry.reply_flow;
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
        let at = self.servers.get(&id).and_then(ServerEntry::deadline);
        self.schedule.set(Owner::Server(id), at);
        outcome
    }

    fn forget_server(&mut self, id: ServerId) {
        if let Some(entry) = self.servers.remove(&id) {
            self.server_keys.remove(&entry.key);
            if let Some(merge) = &entry.merge {
                self.merges.remove(merge);
            }
            self.leave_flow(&entry.flow, Owner::Server(id));
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
    fn deadline(&self) -> Option<Instant> {
        match &self.machine {
            Machine::Invite(machine) => machine.deadline(),
            Machine::Other(machine) => machine.deadline(),
        }
    }
}

/// The key of a request (§17.2.3); an ACK has that of its INVITE.
fn key_of(message: &Message) -> ServerKey {
    let via = message.via();
    let method = if message.method() == "ACK" {
        "INVITE"
    } else {
        message.method()
    }
    .to_owned();
    match via.branch() {
        Some(branch) if via.has_rfc3261_branch() => ServerKey::Branch {
            branch: branch.to_owned(),
            sent_by: match via.port() {
                Some(port) => format!("{}:{port}", via.host().to_ascii_lowercase()),
                None => via.host().to_ascii_lowercase(),
            },
            method,
        },
        _ => ServerKey::Legacy {
            request_uri: message
                .request_uri()
                .map(ToString::to_string)
                .unwrap_or_default(),
            from_tag: message.from().tag().unwrap_or_default().to_owned(),
            call_id: message.call_id().to_owned(),
            cseq: message.cseq().number,
            via: via.to_string(),
            method,
        },
    }
}

/// What tells a merged request; only requests outside of dialogs can be merged.
fn merge_key_of(message: &Message) -> Option<MergeKey> {
    (message.to().tag().is_none() && message.method() != "CANCEL").then(|| MergeKey {
        from_tag: message.from().tag().unwrap_or_default().to_owned(),
        call_id: message.call_id().to_owned(),
        cseq: message.cseq().number,
        method: message.method().to_owned(),
    })
}

/// Where a response goes: along the connection; by UDP to where the request came from, with the
/// port of sent-by unless the sender asked for rport (§18.2.2, RFC 3581 §4). maddr is not heeded:
/// it would let a stranger direct our responses at third parties.
pub(crate) fn reply_flow(via: &Via, flow: Flow) -> Flow {
    match flow.transport {
        Transport::Udp if !via.wants_rport() => {
            let ip: IpAddr = flow.remote.ip();
            Flow {
                remote: SocketAddr::new(ip, via.port().unwrap_or(DEFAULT_PORT)),
                ..flow
            }
        }
        Transport::Udp | Transport::Tcp => flow,
    }
}
