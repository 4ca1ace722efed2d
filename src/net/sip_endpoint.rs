//! The actor around [`strowger_sip::endpoint::Endpoint`]: sockets in, owners' facts out.
//!
//! Each INVITE usage has an owner (a call) that is told its events, and a [`SipLeg`] held by that
//! owner. Whichever of the two is lost, the other side hears of it: a dropped leg ends its usage, a
//! lost endpoint ends its legs.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::prelude::*;
use bytes::Bytes;
use futures_util::stream;
use rand::SeedableRng;
use rand::rngs::StdRng;
use strowger_sip::command::{Command, Input, InviteId, OutgoingInvite};
use strowger_sip::config::Config;
use strowger_sip::endpoint::Endpoint;
use strowger_sip::event::{Counts, Effect, Event, IncomingInvite};
use strowger_sip::flow::{Flow, Transport};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::sip_socket::{Connection, FromConnection, SipSockets};
use crate::supervise::{Obituary, ProvokePanic};
use crate::telemetry;

/// Connections at once; more are closed at once.
const MAX_CONNECTIONS: usize = 10_000;
/// How long a socket that fails is left alone.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// An event of a usage, told to its owner.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct SipFact {
    /// The usage.
    pub invite: InviteId,
    /// What happened.
    pub event: Event,
}

/// A call comes in; whoever gets it holds its leg.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct InboundInvite {
    /// The usage. Dropping it refuses the call.
    pub leg: SipLeg,
    /// What was asked.
    pub request: Box<IncomingInvite>,
}

/// One INVITE usage, held by its owner. Dropping it before its terminal event ends the usage.
#[derive(Debug)]
pub struct SipLeg {
    endpoint: Addr<SipEndpoint>,
    invite: InviteId,
    over: bool,
}

impl SipLeg {
    /// Its name in [`SipFact`]s.
    pub fn invite(&self) -> InviteId {
        self.invite
    }

    /// From now on events go to `owner`; those that came before come first.
    pub fn adopt(&self, owner: Recipient<SipFact>) {
        self.endpoint.do_send(Adopt {
            invite: self.invite,
            owner,
        });
    }

    /// Rings, or sends early media.
    pub fn provisional(&self, status: u16, body: Option<Bytes>) {
        self.command(Command::Provisional {
            invite: self.invite,
            status,
            body,
        });
    }

    /// Accepts the INVITE or re-INVITE that waits.
    pub fn accept(&self, body: Option<Bytes>) {
        self.command(Command::Accept {
            invite: self.invite,
            body,
        });
    }

    /// Refuses the re-INVITE or INVITE that waits.
    pub fn refuse(&self, status: u16, headers: Vec<(String, String)>) {
        self.command(Command::Refuse {
            invite: self.invite,
            status,
            headers,
        });
    }

    /// Offers something else within the call.
    pub fn reinvite(&self, offer: Bytes) {
        self.command(Command::Reinvite {
            invite: self.invite,
            offer,
        });
    }

    /// Answers the offer in a 2xx.
    pub fn acknowledge(&self, body: Bytes) {
        self.command(Command::Acknowledge {
            invite: self.invite,
            body,
        });
    }

    /// Asks the caller for credentials; the usage is over.
    pub fn challenge(mut self, realm: String) {
        self.over = true;
        self.command(Command::Challenge {
            invite: self.invite,
            realm,
        });
    }

    /// Ends the usage by CANCEL, BYE or refusal; its terminal event is still told.
    pub fn end(&mut self, status: u16, q850: Option<u8>) {
        if !std::mem::replace(&mut self.over, true) {
            self.command(Command::End {
                invite: self.invite,
                status,
                q850,
            });
        }
    }

    /// The terminal event has come.
    pub fn is_over(&mut self) {
        self.over = true;
    }

    fn command(&self, command: Command) {
        self.endpoint.do_send(Perform(command));
    }
}

impl Drop for SipLeg {
    fn drop(&mut self) {
        self.end(500, Some(41));
        self.endpoint.do_send(Forget(self.invite));
    }
}

/// How calls reach the endpoint that lives now.
#[derive(Debug, Clone)]
pub struct SipHandle {
    current: watch::Receiver<Addr<SipEndpoint>>,
    next: Arc<AtomicU64>,
    /// Where we listen.
    pub local: SocketAddr,
}

impl SipHandle {
    /// A handle; the sender of `current` follows the endpoint's lives.
    pub fn new(current: watch::Receiver<Addr<SipEndpoint>>, local: SocketAddr) -> Self {
        Self {
            current,
            next: Arc::new(AtomicU64::new(0)),
            local,
        }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> Addr<SipEndpoint> {
        self.current.borrow().clone()
    }

    /// The flow to a peer.
    pub fn flow(&self, transport: Transport, remote: SocketAddr) -> Flow {
        Flow {
            transport,
            local: self.local,
            remote,
        }
    }

    /// Starts a call; `invite.invite` is filled in here.
    pub fn invite(&self, mut invite: OutgoingInvite, owner: Recipient<SipFact>) -> SipLeg {
        let endpoint = self.endpoint();
        let id = InviteId(self.next.fetch_add(1, Ordering::Relaxed) * 2 + 1);
        invite.invite = id;
        endpoint.do_send(Adopt { invite: id, owner });
        endpoint.do_send(Perform(Command::Invite(Box::new(invite))));
        SipLeg {
            endpoint,
            invite: id,
            over: false,
        }
    }
}

/// New calls are refused, or not any more.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct SetDraining(pub bool);

/// What lives in the endpoint?
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "Living")]
pub struct Observe;

/// What lives in the endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Living {
    /// Usages, transactions and timers.
    pub machine: Counts,
    /// Owners that are still to be told something.
    pub owners: usize,
    /// Connections, those being made included.
    pub connections: usize,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Perform(Command);

#[derive(Message)]
#[rtype(result = "()")]
struct Adopt {
    invite: InviteId,
    owner: Recipient<SipFact>,
}

/// Nobody holds the leg any more: its events need not be kept for an owner to come.
#[derive(Message)]
#[rtype(result = "()")]
struct Forget(InviteId);

#[derive(Message)]
#[rtype(result = "()")]
struct Connected {
    /// Which of the connections to its peer: news of an earlier one are none of a later one.
    number: u64,
    news: FromConnection,
}

/// Tells an owner that the endpoint was lost, if it is dropped before a terminal event.
struct Owner {
    invite: InviteId,
    recipient: Option<Recipient<SipFact>>,
    waiting: Vec<Event>,
    over: bool,
    forgotten: bool,
}

impl Owner {
    fn new(invite: InviteId) -> Self {
        Self {
            invite,
            recipient: None,
            waiting: Vec::new(),
            over: false,
            forgotten: false,
        }
    }

    /// Nothing more is to be told.
    fn is_done(&self) -> bool {
        self.over && (self.recipient.is_some() || self.forgotten)
    }

    fn tell(&mut self, event: Event) {
        self.over |= event.is_terminal();
        match &self.recipient {
            Some(recipient) => recipient.do_send(SipFact {
                invite: self.invite,
                event,
            }),
            None if self.forgotten => {}
            None => self.waiting.push(event),
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if !self.over {
            self.tell(Event::Ended {
                invite: self.invite,
                status: Some(503),
                q850: Some(41),
                by_us: true,
            });
        }
    }
}

/// The actor.
pub struct SipEndpoint {
    machine: Endpoint,
    sockets: SipSockets,
    connections: HashMap<Flow, (u64, Connection)>,
    /// Connections so far.
    connected: u64,
    owners: HashMap<InviteId, Owner>,
    inbound: Recipient<InboundInvite>,
    armed: Option<(std::time::Instant, SpawnHandle)>,
    _obituary: Obituary<()>,
}

impl SipEndpoint {
    /// An endpoint on these sockets; new calls go to `inbound`.
    pub fn new(
        config: Config,
        sockets: SipSockets,
        inbound: Recipient<InboundInvite>,
        obituary: Obituary<()>,
    ) -> Self {
        Self {
            machine: Endpoint::new(config, StdRng::from_rng(&mut rand::rng())),
            sockets,
            connections: HashMap::new(),
            connected: 0,
            owners: HashMap::new(),
            inbound,
            armed: None,
            _obituary: obituary,
        }
    }

    fn input(&mut self, input: Input<'_>, ctx: &mut Context<Self>) {
        self.machine.handle(input, Instant::now().into_std());
        self.drain(ctx);
    }

    fn drain(&mut self, ctx: &mut Context<Self>) {
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                Effect::Transmit { flow, bytes } => self.transmit(flow, bytes, ctx),
                Effect::Event(Event::Invited { invite, request }) => {
                    self.invited(invite, request, ctx);
                }
                Effect::Event(event) => self.tell(event),
            }
        }
        self.arm(ctx);
    }

    fn invited(&mut self, invite: InviteId, request: Box<IncomingInvite>, ctx: &mut Context<Self>) {
        self.owners.insert(invite, Owner::new(invite));
        let leg = SipLeg {
            endpoint: ctx.address(),
            invite,
            over: false,
        };
        // A full or dead platform drops the leg, which refuses the call.
        if let Err(error) = self.inbound.try_send(InboundInvite { leg, request }) {
            metrics::counter!(telemetry::CALLS_REFUSED, "reason" => "overload").increment(1);
            tracing::warn!(%error, "a call was refused: the platform is busy");
        }
    }

    fn tell(&mut self, event: Event) {
        let invite = event.invite();
        if let Some(owner) = self.owners.get_mut(&invite) {
            owner.tell(event);
            if owner.is_done() {
                self.owners.remove(&invite);
            }
        }
    }

    fn transmit(&mut self, flow: Flow, bytes: Bytes, ctx: &mut Context<Self>) {
        metrics::counter!(telemetry::SIP_SENT, "transport" => flow.transport.name()).increment(1);
        match flow.transport {
            Transport::Udp => {
                if let Err(error) = self.sockets.udp.try_send_to(&bytes, flow.remote) {
                    // A full buffer loses the datagram as the network would: it is sent again.
                    tracing::debug!(remote = %flow.remote, %error, "a datagram was not sent");
                }
            }
            Transport::Tcp => {
                let (count, address) = (&mut self.connected, ctx.address());
                let (number, connection) = self.connections.entry(flow).or_insert_with(|| {
                    *count += 1;
                    let number = *count;
                    let tell = move |news| address.do_send(Connected { number, news });
                    (number, Connection::open(flow, tell))
                });
                if !connection.send(bytes) {
                    ctx.notify(Connected {
                        number: *number,
                        news: FromConnection::Closed(flow),
                    });
                }
            }
        }
    }

    fn is_current(&self, flow: &Flow, number: u64) -> bool {
        let known = self.connections.get(flow);
        known.is_some_and(|(current, _)| *current == number)
    }

    fn arm(&mut self, ctx: &mut Context<Self>) {
        let Some(deadline) = self.machine.deadline() else {
            return;
        };
        if let Some((at, handle)) = &self.armed {
            // A timer that fires too early does no harm and arms the right one.
            if *at <= deadline {
                return;
            }
            ctx.cancel_future(*handle);
        }
        let delay = deadline.saturating_duration_since(Instant::now().into_std());
        let handle = ctx.run_later(delay, |actor, ctx| {
            actor.armed = None;
            actor.input(Input::Timeout, ctx);
        });
        self.armed = Some((deadline, handle));
    }
}

impl Drop for SipEndpoint {
    /// Who called is told of a loss before those who were called for it, so that a call ends by the
    /// loss and not as if its other party had hung up. Identifiers of calls that came are even.
    fn drop(&mut self) {
        let mut owners: Vec<_> = self.owners.drain().collect();
        owners.sort_by_key(|(InviteId(number), _)| (number % 2, *number));
        for owner in owners {
            drop(owner);
        }
    }
}

impl Actor for SipEndpoint {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let sockets = self.sockets.clone();
        ctx.add_stream(stream::unfold(
            (sockets, Vec::new()),
            |(sockets, mut buffer)| async {
                let receive = async || sockets.receive(&mut buffer).await;
                let batch = next("SIP datagrams can't be read", receive).await?;
                Some((batch, (sockets, buffer)))
            },
        ));
        let listener = Arc::clone(&self.sockets.tcp);
        ctx.add_stream(stream::unfold(listener, |listener| async {
            let accept = async || listener.accept().await;
            let accepted = next("a connection could not be accepted", accept).await?;
            Some((accepted, listener))
        }));
    }
}

/// What a socket gives next. An error is told once and tried again after a pause: out of file
/// descriptors, the next try would fail at once too. `None` when the runtime of the socket ends.
async fn next<T>(failure: &str, mut attempt: impl AsyncFnMut() -> io::Result<T>) -> Option<T> {
    let mut is_told = false;
    loop {
        match attempt().await {
            Ok(given) => return Some(given),
            Err(error) if tokio::runtime::is_rt_shutdown_err(&error) => return None,
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%error, "{failure}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl StreamHandler<Vec<(Flow, Bytes)>> for SipEndpoint {
    fn handle(&mut self, batch: Vec<(Flow, Bytes)>, ctx: &mut Self::Context) {
        metrics::counter!(telemetry::SIP_RECEIVED, "transport" => "UDP")
            .increment(batch.len() as u64);
        for (flow, bytes) in batch {
            self.input(
                Input::Message {
                    flow,
                    bytes: &bytes,
                },
                ctx,
            );
        }
    }
}

impl StreamHandler<(TcpStream, SocketAddr)> for SipEndpoint {
    fn handle(&mut self, (stream, remote): (TcpStream, SocketAddr), ctx: &mut Self::Context) {
        if self.connections.len() >= MAX_CONNECTIONS {
            tracing::warn!("a connection was refused: there are too many");
            return;
        }
        let flow = Flow {
            transport: Transport::Tcp,
            local: self.sockets.local,
            remote,
        };
        self.connected += 1;
        let (number, address) = (self.connected, ctx.address());
        let tell = move |news| address.do_send(Connected { number, news });
        let connection = Connection::accepted(stream, flow, tell);
        self.connections.insert(flow, (number, connection));
    }
}

impl Handler<Connected> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, Connected { number, news }: Connected, ctx: &mut Self::Context) {
        match news {
            FromConnection::Message(flow, bytes) => {
                metrics::counter!(telemetry::SIP_RECEIVED, "transport" => "TCP").increment(1);
                self.input(
                    Input::Message {
                        flow,
                        bytes: &bytes,
                    },
                    ctx,
                );
            }
            FromConnection::Idle(flow) => {
                if self.is_current(&flow, number) && !self.machine.lives_by(&flow) {
                    self.connections.remove(&flow);
                }
            }
            FromConnection::Closed(flow) => {
                if self.is_current(&flow, number) {
                    self.connections.remove(&flow);
                    self.input(Input::FlowFailed { flow }, ctx);
                }
            }
        }
    }
}

impl Handler<Perform> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, Perform(command): Perform, ctx: &mut Self::Context) {
        self.input(Input::Command(command), ctx);
    }
}

impl Handler<Adopt> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, Adopt { invite, owner }: Adopt, _: &mut Self::Context) {
        let entry = self
            .owners
            .entry(invite)
            .or_insert_with(|| Owner::new(invite));
        entry.recipient = Some(owner);
        for event in std::mem::take(&mut entry.waiting) {
            entry.tell(event);
        }
        if entry.is_done() {
            self.owners.remove(&invite);
        }
    }
}

impl Handler<Forget> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, Forget(invite): Forget, _: &mut Self::Context) {
        if let Some(owner) = self.owners.get_mut(&invite) {
            owner.forgotten = true;
            if owner.is_done() {
                self.owners.remove(&invite);
            }
        }
    }
}

impl Handler<SetDraining> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, SetDraining(draining): SetDraining, _: &mut Self::Context) {
        self.machine.set_draining(draining);
    }
}

impl Handler<Observe> for SipEndpoint {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(Living {
            machine: self.machine.live(),
            owners: self.owners.len(),
            connections: self.connections.len(),
        })
    }
}

impl Handler<ProvokePanic> for SipEndpoint {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_whose_runtime_is_gone_gives_nothing_more_and_one_that_fails_is_tried_again() {
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().build().expect("a runtime")
        };
        let first = runtime();
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let sockets = first.block_on(SipSockets::bind(local)).expect("bound");
        drop(first);
        runtime().block_on(async {
            let mut buffer = Vec::new();
            let batch = next("not read", async || sockets.receive(&mut buffer).await).await;
            assert!(batch.is_none(), "{batch:?}");
            let mut outcomes = vec![
                Ok(7),
                Err(io::Error::other("2")),
                Err(io::Error::other("1")),
            ];
            let given = next("not read", async || outcomes.pop().expect("one more")).await;
            assert_eq!(given, Some(7));
        });
    }
}
