//! The actor around [`strowger_sip::endpoint::Endpoint`]: sockets in, owners' facts out.
//!
//! Each INVITE usage has an owner (a call) that is told its events, and a [`SipLeg`] held by that
//! owner. Whichever of the two is lost, the other side hears of it: a dropped leg ends its usage, a
//! lost endpoint ends its legs.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
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

use super::files;
use super::sip_datagrams::{Incoming, Outgoing};
use super::sip_owners::{Arrivals, Owner};
use super::sip_socket::{Connection, FromConnection, SipSockets};
use crate::supervise::{Obituary, ProvokePanic};
use crate::telemetry;

/// Connections at once, where so many files may be open; more are closed at once.
const MAX_CONNECTIONS: usize = 10_000;
/// Connections at once from one address: a house full of phones, but not all that there may be.
const MAX_CONNECTIONS_OF_ADDRESS: usize = 1_000;
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
    adopted: Cell<bool>,
}

impl SipLeg {
    /// Its name in [`SipFact`]s.
    pub fn invite(&self) -> InviteId {
        self.invite
    }

    /// From now on events go to `owner`; those that came before come first.
    pub fn adopt(&self, owner: Recipient<SipFact>) {
        self.adopted.set(true);
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
        // What happens to a leg with an owner is told, whether the owner still listens or not.
        if !self.adopted.get() {
            self.endpoint.do_send(Forget(self.invite));
        }
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
        endpoint.do_send(Start { invite, owner });
        SipLeg {
            endpoint,
            invite: id,
            over: false,
            adopted: Cell::new(true),
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
struct Start {
    invite: OutgoingInvite,
    owner: Recipient<SipFact>,
}

/// What was made ready since goes out, and the timer is set: once for all that came in one go.
#[derive(Message)]
#[rtype(result = "()")]
struct Settle;

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

/// The actor.
pub struct SipEndpoint {
    machine: Endpoint,
    sockets: SipSockets,
    connections: HashMap<Flow, (u64, Connection)>,
    /// Connections so far.
    connected: u64,
    /// Connections by the address of their peer.
    connected_from: HashMap<IpAddr, usize>,
    owners: HashMap<InviteId, Owner>,
    arrivals: Arrivals,
    inbound: Recipient<InboundInvite>,
    armed: Option<(std::time::Instant, SpawnHandle)>,
    incoming: Option<Box<Incoming>>,
    outgoing: Outgoing,
    /// A [`Settle`] is on its way.
    settles: bool,
    /// The socket failed, and that was told.
    failing: bool,
    counters: Counters,
    _obituary: Obituary<()>,
}

/// Handles to what is counted for each message: looking them up would cost more than counting.
struct Counters {
    received: [metrics::Counter; 2],
    sent: [metrics::Counter; 2],
    refused: metrics::Counter,
    /// Calls that were shed and are counted.
    shed: u64,
    socket_age: metrics::Gauge,
    platform_age: metrics::Gauge,
}

impl Counters {
    fn new() -> Self {
        let by_transport = |name: &'static str| {
            [Transport::Udp, Transport::Tcp]
                .map(|transport| metrics::counter!(name, "transport" => transport.name()))
        };
        Self {
            received: by_transport(telemetry::SIP_RECEIVED),
            sent: by_transport(telemetry::SIP_SENT),
            refused: metrics::counter!(telemetry::CALLS_REFUSED, "reason" => "overload"),
            shed: 0,
            socket_age: metrics::gauge!(telemetry::SIP_QUEUE_AGE, "queue" => "socket"),
            platform_age: metrics::gauge!(telemetry::SIP_QUEUE_AGE, "queue" => "platform"),
        }
    }
}

fn of(counters: &[metrics::Counter; 2], transport: Transport) -> &metrics::Counter {
    let [udp, tcp] = counters;
    match transport {
        Transport::Udp => udp,
        Transport::Tcp => tcp,
    }
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
            connected_from: HashMap::new(),
            owners: HashMap::new(),
            arrivals: Arrivals::default(),
            inbound,
            armed: None,
            incoming: None,
            outgoing: Outgoing::default(),
            settles: false,
            failing: false,
            counters: Counters::new(),
            _obituary: obituary,
        }
    }

    /// One input, and what comes of it. The caller settles.
    fn input(&mut self, input: Input<'_>, now: std::time::Instant, ctx: &mut Context<Self>) {
        self.machine.handle(input, now);
        while let Some(effect) = self.machine.next_effect() {
            match effect {
                Effect::Transmit { flow, bytes } => self.transmit(flow, bytes, ctx),
                Effect::Event(Event::Invited { invite, request }) => {
                    self.arrivals.came(invite, now);
                    self.invited(invite, request, ctx);
                }
                Effect::Event(event) => self.tell(event),
            }
        }
    }

    /// An input that came by itself: more may be on their way, and are settled together.
    fn lone_input(&mut self, input: Input<'_>, ctx: &mut Context<Self>) {
        self.input(input, Instant::now().into_std(), ctx);
        if !std::mem::replace(&mut self.settles, true) {
            ctx.notify(Settle);
        }
    }

    /// Sends what is ready, counts, and sets the timer.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        self.outgoing.flush(&self.sockets.udp);
        let shed = self.machine.shed();
        let since = shed - std::mem::replace(&mut self.counters.shed, shed);
        self.counters.refused.increment(since);
        self.arm(ctx);
    }

    /// Waits for datagrams, takes a batch, and goes on so until the runtime of the socket ends.
    fn listen(&mut self, pause: Option<std::time::Duration>, ctx: &mut Context<Self>) {
        let udp = Arc::clone(&self.sockets.udp);
        let ready = async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            udp.readable().await
        };
        ctx.spawn(ready.into_actor(self).map(|ready, actor, ctx| {
            // Waiting for a socket fails only when its runtime ends.
            if ready.is_ok() {
                let pause = actor.receive(ctx);
                actor.listen(pause, ctx);
            }
        }));
    }

    /// Takes a batch of datagrams; gives how long the socket is to be left alone, if it fails.
    fn receive(&mut self, ctx: &mut Context<Self>) -> Option<std::time::Duration> {
        let mut incoming = self
            .incoming
            .take()
            .unwrap_or_else(|| Box::new(Incoming::new()));
        let received = incoming.receive(&self.sockets.udp);
        let now = Instant::now().into_std();
        let ages = (incoming.age(), self.arrivals.age(now));
        self.machine.note_age(ages.0.max(ages.1), now);
        self.counters.socket_age.set(ages.0);
        self.counters.platform_age.set(ages.1);
        of(&self.counters.received, Transport::Udp).increment(incoming.len() as u64);
        let local = self.sockets.local;
        for (remote, bytes) in incoming.datagrams() {
            let flow = Flow {
                transport: Transport::Udp,
                local,
                remote,
            };
            self.input(Input::Message { flow, bytes }, now, ctx);
        }
        self.incoming = Some(incoming);
        self.settle(ctx);
        match received {
            Ok(_) => self.failing = false,
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "SIP datagrams can't be read");
                }
                return Some(PAUSE);
            }
        }
        None
    }

    fn invited(&mut self, invite: InviteId, request: Box<IncomingInvite>, ctx: &mut Context<Self>) {
        self.owners.insert(invite, Owner::new(invite));
        let leg = SipLeg {
            endpoint: ctx.address(),
            invite,
            over: false,
            adopted: Cell::new(false),
        };
        // A full or dead platform drops the leg, which refuses the call.
        if let Err(error) = self.inbound.try_send(InboundInvite { leg, request }) {
            self.counters.refused.increment(1);
            tracing::debug!(%error, "a call was refused: the platform is busy");
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
        of(&self.counters.sent, flow.transport).increment(1);
        match flow.transport {
            Transport::Udp => self.outgoing.push(flow.remote, bytes),
            Transport::Tcp => {
                let (count, address) = (&mut self.connected, ctx.address());
                let from = &mut self.connected_from;
                let (number, connection) = self.connections.entry(flow).or_insert_with(|| {
                    *count += 1;
                    *from.entry(flow.remote.ip()).or_default() += 1;
                    let number = *count;
                    let tell = tell_of(address, number);
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

    fn forget_connection(&mut self, flow: &Flow) {
        if self.connections.remove(flow).is_none() {
            return;
        }
        let address = flow.remote.ip();
        if let Some(count) = self.connected_from.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.connected_from.remove(&address);
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
            actor.input(Input::Timeout, Instant::now().into_std(), ctx);
            actor.settle(ctx);
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
        self.listen(None, ctx);
        let listener = Arc::clone(&self.sockets.tcp);
        ctx.add_stream(stream::unfold(listener, |listener| async {
            let accept = async || listener.accept().await;
            let accepted = next("a connection could not be accepted", accept).await?;
            Some((accepted, listener))
        }));
    }
}

/// Tells the endpoint what a connection says, and waits until it was heard.
fn tell_of(endpoint: Addr<SipEndpoint>, number: u64) -> impl AsyncFn(FromConnection) + 'static {
    async move |news| {
        // A lost endpoint closes its connections.
        let _ = endpoint.send(Connected { number, news }).await;
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

impl StreamHandler<(TcpStream, SocketAddr)> for SipEndpoint {
    fn handle(&mut self, (stream, remote): (TcpStream, SocketAddr), ctx: &mut Self::Context) {
        let from = self.connected_from.get(&remote.ip()).copied();
        if self.connections.len() >= files::connections().min(MAX_CONNECTIONS)
            || from.is_some_and(|count| count >= MAX_CONNECTIONS_OF_ADDRESS)
        {
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
        let tell = tell_of(address, number);
        let connection = Connection::accepted(stream, flow, tell);
        // One from the same port is an earlier one whose end is still to be told.
        if self
            .connections
            .insert(flow, (number, connection))
            .is_none()
        {
            *self.connected_from.entry(remote.ip()).or_default() += 1;
        }
    }
}

impl Handler<Connected> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, Connected { number, news }: Connected, ctx: &mut Self::Context) {
        match news {
            FromConnection::Message(flow, bytes) => {
                of(&self.counters.received, Transport::Tcp).increment(1);
                let now = Instant::now().into_std();
                self.machine.note_age(self.arrivals.age(now), now);
                self.lone_input(
                    Input::Message {
                        flow,
                        bytes: &bytes,
                    },
                    ctx,
                );
            }
            FromConnection::Idle(flow) => {
                if self.is_current(&flow, number) && !self.machine.lives_by(&flow) {
                    self.forget_connection(&flow);
                }
            }
            FromConnection::Closed(flow) => {
                if self.is_current(&flow, number) {
                    self.forget_connection(&flow);
                    self.lone_input(Input::FlowFailed { flow }, ctx);
                }
            }
        }
    }
}

impl Handler<Perform> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, Perform(command): Perform, ctx: &mut Self::Context) {
        self.lone_input(Input::Command(command), ctx);
    }
}

impl Handler<Start> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, Start { invite, owner }: Start, ctx: &mut Self::Context) {
        let mut entry = Owner::new(invite.invite);
        entry.adopt(owner);
        self.owners.insert(invite.invite, entry);
        self.lone_input(Input::Command(Command::Invite(Box::new(invite))), ctx);
    }
}

impl Handler<Settle> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, _: Settle, ctx: &mut Self::Context) {
        self.settles = false;
        self.settle(ctx);
    }
}

impl Handler<Adopt> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, Adopt { invite, owner }: Adopt, _: &mut Self::Context) {
        self.arrivals.left(invite, Instant::now().into_std());
        if let Some(entry) = self.owners.get_mut(&invite) {
            entry.adopt(owner);
            if entry.is_done() {
                self.owners.remove(&invite);
            }
        }
    }
}

impl Handler<Forget> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, Forget(invite): Forget, _: &mut Self::Context) {
        self.arrivals.left(invite, Instant::now().into_std());
        if let Some(entry) = self.owners.get_mut(&invite) {
            entry.forget();
            if entry.is_done() {
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
    use tokio::net::TcpListener;

    #[test]
    fn a_socket_whose_runtime_is_gone_gives_nothing_more_and_one_that_fails_is_tried_again() {
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().build().expect("a runtime")
        };
        let first = runtime();
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = first.block_on(TcpListener::bind(local)).expect("bound");
        drop(first);
        runtime().block_on(async {
            let accepted = next("not accepted", async || listener.accept().await).await;
            assert!(accepted.is_none(), "{accepted:?}");
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
