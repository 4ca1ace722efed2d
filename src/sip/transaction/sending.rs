//! The client half of the table: requests that we send.

use super::client::Client;
use super::client_invite::ClientInvite;
use super::key::Branch;
use super::timers::Armed;
use super::{ClientAction, ClientId, ClientInput, Owner, Transactions, draft};
use crate::command::InviteId;
use crate::flow::Flow;
use crate::reader::Message;
use bytes::Bytes;
use std::time::Instant;

#[derive(Debug)]
enum Machine {
    Invite(ClientInvite),
    Other(Client),
}

/// A client transaction in the table.
#[derive(Debug)]
pub(crate) struct ClientEntry {
    machine: Machine,
    method: &'static str,
    armed: Armed,
    flow: Flow,
    usage: Option<InviteId>,
    cancel: Cancel,
    /// The ACKs of the 2xx that came, by To tag: each copy of a 2xx is answered by its ACK.
    acks: Vec<(Box<str>, Flow, Bytes)>,
}

impl ClientEntry {
    /// No final response has come.
    pub(super) fn is_unsettled(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_unsettled(),
            Machine::Other(machine) => machine.is_unsettled(),
        }
    }
}

/// How far the CANCEL of an INVITE is.
#[derive(Debug)]
enum Cancel {
    NotWanted,
    /// It waits for a provisional response (§9.1).
    Wanted {
        reason: Option<String>,
    },
    /// Sent; without a final response the INVITE is forgotten after 64*T1 (§9.1).
    Sent {
        gives_up: Instant,
    },
}

/// A response for the transaction user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) client: ClientId,
    /// `None`: nobody waits for it any more.
    pub(crate) usage: Option<InviteId>,
}

/// A request without response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) client: ClientId,
    pub(crate) usage: InviteId,
    /// 408 when nobody answered, 503 when the transport failed (§8.1.3.1).
    pub(crate) status: u16,
}

/// A request to be sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) branch: Branch,
    pub(crate) flow: Flow,
    pub(crate) bytes: Bytes,
    pub(crate) usage: Option<InviteId>,
}

impl Transactions {
    /// Sends a request in a transaction of its own.
    pub(crate) fn send(&mut self, sent: Sent, now: Instant) -> ClientId {
        let id = ClientId {
            branch: sent.branch,
            is_cancel: sent.method == "CANCEL",
        };
        let reliable = sent.flow.transport.is_reliable();
        let timers = self.config.timers;
        let (machine, actions) = if sent.method == "INVITE" {
            let (machine, actions) = ClientInvite::start(sent.bytes, reliable, timers, now);
            (Machine::Invite(machine), actions)
        } else {
            let (machine, actions) = Client::start(sent.bytes, reliable, timers, now);
            (Machine::Other(machine), actions)
        };
        let entry = ClientEntry {
            machine,
            method: sent.method,
            armed: Armed::default(),
            flow: sent.flow,
            usage: sent.usage,
            cancel: Cancel::NotWanted,
            acks: vec![],
        };
        self.clients.insert(id, Box::new(entry));
        self.join_flow(sent.flow, Owner::Client(id));
        self.apply_client(id, actions);
        id
    }

    /// Feeds a response to its transaction; says who is to have it. Responses of no transaction
    /// are dropped (RFC 6026 §8.9).
    pub(crate) fn response(&mut self, message: &Message, now: Instant) -> Option<Delivered> {
        // §8.1.3.3: a response with a second Via is not for us.
        if message.vias().count() != 1 {
            return None;
        }
        let id = ClientId {
            branch: Branch::read(message.via().branch()?)?,
            is_cancel: message.method() == "CANCEL",
        };
        let entry = self.clients.get(&id)?;
        if entry.method != message.method() {
            return None;
        }
        let input = match message.status()? {
            ..200 => ClientInput::Provisional,
            200..300 => {
                let tag = message.to().tag().unwrap_or_default();
                if let Some((_, flow, ack)) =
                    entry.acks.iter().find(|(known, _, _)| **known == *tag)
                {
                    let (flow, ack) = (*flow, ack.clone());
                    self.transmit(flow, ack);
                    return None;
                }
                ClientInput::Success
            }
            300.. => ClientInput::Failure {
                ack: entry.ack_for(message),
            },
        };
        let outcome = self.client_input(id, input, now);
        self.send_wanted_cancel(id, now);
        outcome.deliver.then_some(Delivered {
            client: id,
            usage: outcome.usage,
        })
    }

    /// The deadline of a client transaction has come.
    pub(crate) fn client_timeout(&mut self, id: ClientId, now: Instant) -> Option<Lost> {
        let entry = self.clients.get_mut(&id)?;
        entry.armed.fired();
        if matches!(entry.cancel, Cancel::Sent { gives_up } if gives_up <= now) {
            self.forget_client(id);
            return None;
        }
        self.client_input(id, ClientInput::Timeout, now).lost(id)
    }

    /// The flow of a client transaction failed.
    pub(crate) fn client_failed(&mut self, id: ClientId, now: Instant) -> Option<Lost> {
        self.client_input(id, ClientInput::TransportFailed, now)
            .lost(id)
    }

    /// Gives an INVITE up: CANCEL goes as soon as a provisional response came. Nobody is told of it
    /// any more; a 2xx that crosses the CANCEL is delivered to no usage.
    pub(crate) fn cancel(&mut self, id: ClientId, reason: Option<String>, now: Instant) {
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        entry.usage = None;
        if let Cancel::NotWanted = entry.cancel {
            entry.cancel = Cancel::Wanted { reason };
        }
        self.send_wanted_cancel(id, now);
    }

    /// Stops waiting for a re-INVITE whose dialog is over: the BYE ends it at the far end too.
    pub(crate) fn abandon(&mut self, id: ClientId, now: Instant) {
        if let Some(entry) = self.clients.get_mut(&id) {
            entry.usage = None;
            entry.cancel = Cancel::Sent {
                gives_up: now + self.config.timers.sixty_four_t1(),
            };
            self.arm_client(id);
        }
    }

    /// Sends the ACK of a 2xx, now and for each further copy of it.
    pub(crate) fn acknowledge(&mut self, id: ClientId, tag: &str, flow: Flow, ack: Bytes) {
        self.transmit(flow, ack.clone());
        if let Some(entry) = self.clients.get_mut(&id) {
            entry.acks.push((tag.into(), flow, ack));
        }
    }

    fn send_wanted_cancel(&mut self, id: ClientId, now: Instant) {
        let Some(entry) = self.clients.get_mut(&id) else {
            return;
        };
        let (Cancel::Wanted { reason }, Machine::Invite(invite)) = (&entry.cancel, &entry.machine)
        else {
            return;
        };
        let Some(request) = invite.request().filter(|_| invite.is_proceeding()) else {
            return;
        };
        let cancel = draft::cancel(request, reason.as_deref());
        let flow = entry.flow;
        entry.cancel = Cancel::Sent {
            gives_up: now + self.config.timers.sixty_four_t1(),
        };
        self.arm_client(id);
        if let Some(bytes) = cancel {
            self.send(
                Sent {
                    method: "CANCEL",
                    branch: id.branch,
                    flow,
                    bytes,
                    usage: None,
                },
                now,
            );
        }
    }

    fn client_input(&mut self, id: ClientId, input: ClientInput, now: Instant) -> Outcome {
        let Some(entry) = self.clients.get_mut(&id) else {
            return Outcome::default();
        };
        let usage = entry.usage;
        let actions = match &mut entry.machine {
            Machine::Invite(machine) => machine.handle(input, now),
            Machine::Other(machine) => machine.handle(input, now),
        };
        Outcome {
            usage,
            ..self.apply_client(id, actions)
        }
    }

    fn apply_client(&mut self, id: ClientId, actions: Vec<ClientAction>) -> Outcome {
        let mut outcome = Outcome::default();
        for action in actions {
            match action {
                ClientAction::Transmit(bytes) => {
                    if let Some(flow) = self.clients.get(&id).map(|entry| entry.flow) {
                        self.transmit(flow, bytes);
                    }
                }
                ClientAction::Deliver => outcome.deliver = true,
                ClientAction::TimedOut => outcome.lost = Some(408),
                ClientAction::Failed => outcome.lost = Some(503),
                ClientAction::Terminated => self.forget_client(id),
            }
        }
        self.arm_client(id);
        outcome
    }

    fn arm_client(&mut self, id: ClientId) {
        if let Some(entry) = self.clients.get_mut(&id) {
            let at = entry.deadline();
            self.schedule.set(Owner::Client(id), &mut entry.armed, at);
        }
    }

    fn forget_client(&mut self, id: ClientId) {
        if let Some(mut entry) = self.clients.remove(&id) {
            self.leave_flow(&entry.flow, Owner::Client(id));
            self.schedule.set(Owner::Client(id), &mut entry.armed, None);
        }
    }
}

/// What came of an input.
#[derive(Debug, Default)]
struct Outcome {
    usage: Option<InviteId>,
    deliver: bool,
    lost: Option<u16>,
}

impl Outcome {
    fn lost(self, client: ClientId) -> Option<Lost> {
        Some(Lost {
            client,
            usage: self.usage?,
            status: self.lost?,
        })
    }
}

impl ClientEntry {
    fn deadline(&self) -> Option<Instant> {
        let machine = match &self.machine {
            Machine::Invite(machine) => machine.deadline(),
            Machine::Other(machine) => machine.deadline(),
        };
        match self.cancel {
            Cancel::Sent { gives_up } if machine.is_none() => Some(gives_up),
            Cancel::NotWanted | Cancel::Wanted { .. } | Cancel::Sent { .. } => machine,
        }
    }

    /// The ACK of a refused INVITE, made while its request is still kept.
    fn ack_for(&self, response: &Message) -> Option<Bytes> {
        match &self.machine {
            Machine::Invite(machine) => draft::ack_of_refusal(machine.request()?, response),
            Machine::Other(_) => None,
        }
    }
}
