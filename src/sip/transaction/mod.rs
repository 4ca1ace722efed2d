//! The transaction layer (RFC 3261 §17): four machines, their table, and what they send.
//!
//! Each machine takes an input and answers with actions; the table in [`Transactions`] finds the
//! machine of a message, carries out its actions and keeps its deadline in the one queue.

mod answering;
mod client;
mod client_invite;
pub(crate) mod draft;
pub(crate) mod key;
#[cfg(test)]
mod machine_tests;
mod retransmission;
mod sending;
mod server;
mod server_invite;
pub(crate) mod timers;

use answering::ServerEntry;
pub(crate) use answering::{Arrival, reply_flow};
pub(crate) use retransmission::Retransmission;
use sending::ClientEntry;
pub(crate) use sending::{Lost, Sent};

use crate::command::InviteId;
use crate::config::Config;
use crate::event::{Effect, Event};
use crate::flow::Flow;
use bytes::Bytes;
use key::{Branch, Fingerprint, Fingerprints, Table};
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Write;
use std::time::{Duration, Instant};
use timers::Schedule;

/// What a client transaction is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientInput {
    /// A response below 200.
    Provisional,
    /// A 2xx.
    Success,
    /// A response from 300 on, with the ACK for it where one is due.
    Failure { ack: Option<Bytes> },
    /// The deadline has come.
    Timeout,
    /// What was sent cannot have arrived.
    TransportFailed,
}

/// What a client transaction wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientAction {
    Transmit(Bytes),
    /// Hand the response to the transaction user.
    Deliver,
    /// Nobody answered: as if 408 had come.
    TimedOut,
    /// The transport failed: as if 503 had come.
    Failed,
    /// The transaction is over and is forgotten.
    Terminated,
}

/// What a server transaction is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerInput {
    /// Another copy of the request.
    Request,
    /// The ACK for the response, or another copy of it.
    Ack,
    /// Our provisional response.
    Provisional(Bytes),
    /// Our 2xx.
    Success(Bytes),
    /// Our final response from 300 on.
    Failure(Bytes),
    /// The deadline has come.
    Timeout,
    /// The connection is gone.
    TransportFailed,
}

/// What a server transaction wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerAction {
    Transmit(Bytes),
    /// An ACK that belongs to a 2xx (RFC 2543 peers use the branch of the INVITE).
    DeliverAck,
    /// The connection is gone before the final response.
    Failed,
    /// The transaction is over and is forgotten.
    Terminated,
}

/// A client transaction: the branch that we made, which a CANCEL shares with its INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClientId {
    branch: Branch,
    is_cancel: bool,
}

/// A server transaction: what its peer named it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ServerId(Fingerprint);

impl ServerId {
    /// A tag that each copy of the request gets, though nothing is kept of it (§8.2.7).
    pub(crate) fn tag(self) -> String {
        self.0.to_string()
    }
}

/// Whoever may have a deadline, or live by a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Owner {
    Client(ClientId),
    Server(ServerId),
    Usage(InviteId),
}

/// All transactions of an endpoint, and what every part of it shares: settings, random numbers,
/// the queue of deadlines and the queue of effects.
#[derive(Debug)]
pub(crate) struct Transactions {
    pub(crate) config: Config,
    rng: StdRng,
    effects: VecDeque<Effect>,
    pub(crate) schedule: Schedule<Owner>,
    pub(crate) fingerprints: Fingerprints,
    clients: Table<ClientId, Box<ClientEntry>>,
    servers: Table<ServerId, Box<ServerEntry>>,
    /// Those that have answered finally and only know copies of their request, the oldest first.
    served: VecDeque<ServerId>,
    /// The requests that are told from copies by another way.
    merges: Table<Fingerprint, ServerId>,
    /// What lives by a flow, or waits for a response by it.
    flows: HashMap<Flow, BTreeSet<Owner>>,
}

impl Transactions {
    pub(crate) fn new(config: Config, mut rng: StdRng) -> Self {
        Self {
            config,
            fingerprints: Fingerprints::new(&mut rng),
            rng,
            effects: VecDeque::new(),
            schedule: Schedule::new(),
            clients: Table::default(),
            servers: Table::default(),
            served: VecDeque::new(),
            merges: Table::default(),
            flows: HashMap::new(),
        }
    }

    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(crate) fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        self.effects.push_back(Effect::Transmit { flow, bytes });
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.effects.push_back(Effect::Event(event));
    }

    pub(crate) fn client_count(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn server_count(&self) -> usize {
        self.servers.len()
    }

    /// Those that wait for the peer, and say again what they said until it is heard.
    pub(crate) fn unsettled_count(&self) -> usize {
        let clients = self.clients.values().filter(|entry| entry.is_unsettled());
        let servers = self.servers.values().filter(|entry| entry.is_unsettled());
        clients.count() + servers.count()
    }

    /// Whether there is no room for another transaction. Requests that were answered are forgotten
    /// for it, the oldest first: a copy that comes that late is rarer than a caller. What belongs to
    /// a call that lives has twice the room: it is served when new calls no longer are.
    pub(crate) fn is_full(&mut self, is_in_dialog: bool) -> bool {
        let most = self.config.max_transactions;
        while self.clients.len() + self.servers.len() >= most
            && let Some(oldest) = self.served.pop_front()
        {
            // A refusal without its ACK is said again, and ends by itself.
            if self
                .servers
                .get(&oldest)
                .is_some_and(|entry| !entry.is_unsettled())
            {
                self.forget_server(oldest);
            }
        }
        let most = if is_in_dialog {
            most.saturating_mul(2)
        } else {
            most
        };
        self.clients.len() + self.servers.len() >= most
    }

    pub(crate) fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    /// An unguessable word of 64 bits, for tags, branches, Call-IDs and nonces.
    pub(crate) fn word(&mut self) -> String {
        let mut word = String::with_capacity(16);
        let _infallible = write!(word, "{:016x}", self.rng.next_u64());
        word
    }

    /// A time from `0` to `limit` in steps of 10 ms (RFC 3261 §14.1).
    pub(crate) fn time_within(&mut self, least: Duration, most: Duration) -> Duration {
        let steps = |time: Duration| u64::try_from(time.as_millis() / 10).unwrap_or(u64::MAX);
        Duration::from_millis(10 * self.rng.random_range(steps(least)..=steps(most)))
    }

    /// A branch that nobody can guess.
    pub(crate) fn branch(&mut self) -> Branch {
        Branch(self.rng.next_u64())
    }

    /// Makes an owner hear of the flow's failure.
    pub(crate) fn join_flow(&mut self, flow: Flow, owner: Owner) {
        self.flows.entry(flow).or_default().insert(owner);
    }

    pub(crate) fn leave_flow(&mut self, flow: &Flow, owner: Owner) {
        if let Some(owners) = self.flows.get_mut(flow) {
            owners.remove(&owner);
            if owners.is_empty() {
                self.flows.remove(flow);
            }
        }
    }

    /// Everyone who lives by a flow.
    pub(crate) fn owners_by(&self, flow: &Flow) -> Vec<Owner> {
        self.flows
            .get(flow)
            .map(|owners| owners.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Flows that something lives by.
    pub(crate) fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// Takes the owner whose deadline came first.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Owner> {
        self.schedule.pop_due(now)
    }
}
