//! A phone that does, step by step, what a test says: our own signalling on sockets of its own.

use std::net::SocketAddr;

use actix::prelude::*;
use bytes::Bytes;
use strowger::net::sip_endpoint::{InboundInvite, SipFact, SipHandle};
use strowger::net::sip_keeper::{Finish, SipKeeper};
use strowger::net::sip_socket::SipSockets;
use strowger_media::codec::Codec;
use strowger_media::sdp::negotiate;
use strowger_sip::command::{Credentials, InviteId, OutgoingInvite, Party};
use strowger_sip::event::Event;
use strowger_sip::flow::Transport;
use strowger_sip::overload::Patience;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::facts::in_time;
use super::line::Line;
use super::sound::Sound;

/// Hands facts of an actor's world to a test.
pub(super) struct Ear<M>(pub(super) UnboundedSender<M>);

impl<M: Unpin + 'static> Actor for Ear<M> {
    type Context = Context<Self>;
}

impl Handler<InboundInvite> for Ear<InboundInvite> {
    type Result = ();

    fn handle(&mut self, message: InboundInvite, _: &mut Self::Context) {
        // Dropped where the test is over: that refuses the call.
        let _ = self.0.send(message);
    }
}

impl Handler<SipFact> for Ear<Event> {
    type Result = ();

    fn handle(&mut self, fact: SipFact, _: &mut Self::Context) {
        let _ = self.0.send(fact.event);
    }
}

/// A phone.
pub(crate) struct Phone {
    pub(crate) address: SocketAddr,
    sip: SipHandle,
    keeper: Addr<SipKeeper>,
    calls: UnboundedReceiver<InboundInvite>,
    arbiter: Arbiter,
    codecs: Vec<Codec>,
}

/// Who calls, and how.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The number in From.
    pub(crate) from: String,
    /// UDP, or TCP.
    pub(crate) transport: Transport,
    /// The codecs that are offered; empty: the INVITE has no offer.
    pub(crate) codecs: Vec<Codec>,
    /// In place of an offer made of these codecs.
    pub(crate) offer: Option<Bytes>,
    /// For P-Asserted-Identity.
    pub(crate) asserted: Option<String>,
    /// Further headers.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) credentials: Option<Credentials>,
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            from: "+447700900001".into(),
            transport: Transport::Udp,
            codecs: Codec::ALL.to_vec(),
            offer: None,
            asserted: None,
            headers: Vec::new(),
            credentials: None,
        }
    }
}

impl Caller {
    /// A caller of this number.
    pub(crate) fn number(from: &str) -> Self {
        Self {
            from: from.into(),
            ..Self::default()
        }
    }
}

impl Phone {
    /// A phone that knows all codecs.
    pub(crate) async fn start() -> Self {
        Self::with_codecs(&Codec::ALL).await
    }

    /// Only the sound of a phone, for one whom nobody has called.
    pub(crate) async fn a_sound() -> Sound {
        let (keys, _) = unbounded_channel();
        Sound::open(keys).await
    }

    /// A phone that answers with these codecs.
    pub(crate) async fn with_codecs(codecs: &[Codec]) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), codecs).await
    }

    /// A phone at this address.
    pub(crate) async fn at(address: SocketAddr, codecs: &[Codec]) -> Self {
        let sockets = SipSockets::bind(address).await.unwrap();
        let address = sockets.local;
        let arbiter = Arbiter::new();
        let (sender, calls) = unbounded_channel();
        let ear = Ear::start_in_arbiter(&arbiter.handle(), |_| Ear::<InboundInvite>(sender));
        let config = strowger_sip::config::Config {
            udp_address: Some(address),
            tcp_address: Some(address),
            user_agent: "test phone".into(),
            // However slow the machine is, the phone rings.
            patience: Patience::ENDLESS,
            ..strowger_sip::config::Config::default()
        };
        let (keeper, sip) = SipKeeper::start(config, sockets, ear.recipient(), arbiter.handle());
        Self {
            address,
            sip,
            keeper,
            calls,
            arbiter,
            codecs: codecs.to_vec(),
        }
    }

    /// Waits until it is called.
    #[track_caller]
    pub(crate) fn rings(&mut self) -> impl Future<Output = Line> {
        let place = std::panic::Location::caller();
        async move {
            let call = in_time(&format!("{place}: the phone rings"), self.calls.recv()).await;
            let InboundInvite { leg, request } = call.expect("the phone lives");
            Line::called(leg, request, &self.codecs).await
        }
    }

    /// The next call, whenever it comes.
    pub(crate) async fn next_call(&mut self) -> Option<Line> {
        let InboundInvite { leg, request } = self.calls.recv().await?;
        Some(Line::called(leg, request, &self.codecs).await)
    }

    /// Whether no call waits to be taken.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.calls.try_recv().is_err()
    }

    /// Calls a number of the platform at that address.
    pub(crate) async fn call(&self, number: &str, platform: SocketAddr, caller: Caller) -> Line {
        let (mut line, events) = Line::open(&caller.codecs).await;
        let ours = self.address;
        let offer = match (&caller.offer, caller.codecs.is_empty()) {
            (Some(offer), _) => offer.clone(),
            (None, true) => Bytes::new(),
            (None, false) => negotiate::offer(&line.local),
        };
        line.sent = (!offer.is_empty()).then(|| offer.clone());
        let tcp = match caller.transport {
            Transport::Tcp => ";transport=tcp",
            Transport::Udp => "",
        };
        let uri = format!("sip:{number}@{platform}{tcp}");
        let invite = OutgoingInvite {
            invite: InviteId(0),
            flow: self.sip.flow(caller.transport, platform),
            request_uri: uri.clone(),
            from: Party::new(format!("sip:{}@{ours}", caller.from)),
            to: Party::new(uri),
            p_asserted_identity: caller.asserted,
            credentials: caller.credentials,
            headers: caller.headers,
            offer,
            route: Vec::new(),
            call_id: None,
        };
        line.sip = Some(self.sip.invite(invite, events));
        line
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.keeper.do_send(Finish);
        self.arbiter.stop();
    }
}
