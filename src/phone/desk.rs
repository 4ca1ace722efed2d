//! The actor that takes a phone's calls and watches over them.

use std::collections::HashMap;
use std::net::IpAddr;

use actix::prelude::*;
use strowger_domain::cause::Cause;
use strowger_sip::command::OutgoingInvite;

use super::behaviour::Behaviour;
use super::call::{Beginning, HangUp, Listener, PhoneCall, Start, tell};
use super::report::Happening;
use crate::net::clock;
use crate::net::media_engine::MediaHandle;
use crate::net::sip_endpoint::{InboundInvite, SipHandle};
use crate::supervise::{Down, Obituary};

/// What the phone does, by the number that was dialled.
pub(super) type Manners = Box<dyn Fn(&str) -> Behaviour + Send>;

/// Calls that may wait for their turn: more are refused by the endpoint.
const WAITING: usize = 1024;

/// Call somebody; the answer is the call's number.
#[derive(Message)]
#[rtype(result = "u64")]
pub(super) struct Place {
    pub(super) sip: SipHandle,
    pub(super) invite: Box<OutgoingInvite>,
    pub(super) behaviour: Behaviour,
}

/// How many calls are there?
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "usize")]
pub(super) struct Count;

/// The actor.
pub(super) struct Desk {
    manners: Manners,
    media: MediaHandle,
    advertise: IpAddr,
    listener: Listener,
    calls: HashMap<u64, Addr<PhoneCall>>,
    last: u64,
}

impl Desk {
    pub(super) fn new(
        manners: Manners,
        media: MediaHandle,
        advertise: IpAddr,
        listener: Listener,
    ) -> Self {
        Self {
            manners,
            media,
            advertise,
            listener,
            calls: HashMap::new(),
            last: 0,
        }
    }

    fn begin(
        &mut self,
        beginning: Beginning,
        behaviour: Behaviour,
        ctx: &mut Context<Self>,
    ) -> u64 {
        self.last += 1;
        let number = self.last;
        let start = Start {
            number,
            behaviour,
            media: self.media.clone(),
            advertise: self.advertise,
            beginning,
            listener: self.listener.clone(),
        };
        let obituary = Obituary::once(ctx.address().recipient(), number);
        self.calls
            .insert(number, PhoneCall::new(start, obituary).start());
        number
    }
}

impl Actor for Desk {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(WAITING);
    }
}

impl Handler<InboundInvite> for Desk {
    type Result = ();

    fn handle(&mut self, InboundInvite { leg, request }: InboundInvite, ctx: &mut Self::Context) {
        let behaviour = (self.manners)(&request.user);
        self.begin(Beginning::Inbound { leg, request }, behaviour, ctx);
    }
}

impl Handler<Place> for Desk {
    type Result = u64;

    fn handle(&mut self, place: Place, ctx: &mut Self::Context) -> u64 {
        let Place {
            sip,
            invite,
            behaviour,
        } = place;
        self.begin(Beginning::Outbound { sip, invite }, behaviour, ctx)
    }
}

impl Handler<HangUp> for Desk {
    type Result = ();

    fn handle(&mut self, _: HangUp, _: &mut Self::Context) {
        for call in self.calls.values() {
            call.do_send(HangUp);
        }
    }
}

impl Handler<Count> for Desk {
    type Result = usize;

    fn handle(&mut self, _: Count, _: &mut Self::Context) -> usize {
        self.calls.len()
    }
}

impl Handler<Down<u64>> for Desk {
    type Result = ();

    fn handle(&mut self, down: Down<u64>, _: &mut Self::Context) {
        self.calls.remove(&down.key);
        if !down.finished {
            crate::telemetry::actor_failed("phone_call");
            let cause = Cause::TemporaryFailure;
            let event = Happening::Ended {
                cause,
                q850: cause.q850(),
                status: None,
                by_us: true,
                answered: false,
                duration_ms: 0,
            };
            tell(&self.listener, clock::now().utc, Some(down.key), event);
        }
    }
}
