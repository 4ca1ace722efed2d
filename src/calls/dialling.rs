//! Dialling: from a destination to an INVITE on its way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use strowger_domain::call::{Event, LegNumber, Origin};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::{Ending, Fact, LegOpening, Role};
use strowger_domain::destination::Destination;
use strowger_domain::ids::LegId;
use strowger_media::codec::Codec;
use strowger_media::sdp::negotiate::Offer;

use super::call::Call;
use super::legs::{Leg, Target, place_of};
use super::start::Driver;
use crate::net::names;

impl Call {
    pub(super) fn begin_outbound(
        &mut self,
        destination: &str,
        ring: Duration,
        ctx: &mut Context<Self>,
    ) {
        self.emit(
            "call.dialling",
            None,
            &serde_json::json!({ "to": destination }),
        );
        let (presentation, network) = (self.presentation.clone(), self.network.clone());
        let tried = self.dial(
            LegNumber::A,
            destination,
            ring,
            presentation,
            network,
            false,
            ctx,
        );
        if let Err(cause) = tried {
            let ending = Ending {
                cause,
                sip_status: None,
            };
            self.note_ended(LegNumber::A, ending);
            self.not_reached(ending, ctx);
        }
    }

    /// The first party was not reached. A plan has not begun then; an application is told, and
    /// ends the call.
    pub(super) fn not_reached(&mut self, ending: Ending, ctx: &mut Context<Self>) {
        match &self.driver {
            Driver::Application(_) => {
                let Ending {
                    cause,
                    sip_status: status,
                } = ending;
                self.unreached = Some(ending);
                self.tell(
                    Event::DialFailed {
                        leg: LegNumber::A,
                        cause,
                        status,
                    },
                    ctx,
                );
            }
            Driver::Plan(_) | Driver::None => self.end(ending, ctx),
        }
    }

    /// Starts to dial a leg. An error: it could not even be tried.
    #[expect(
        clippy::too_many_arguments,
        reason = "one caller for A, one for all others"
    )]
    pub(super) fn dial(
        &mut self,
        number: LegNumber,
        destination: &str,
        ring: Duration,
        presentation: Option<String>,
        network: Option<String>,
        early_media: bool,
        ctx: &mut Context<Self>,
    ) -> Result<(), Cause> {
        let role = match number {
            LegNumber::A => Role::A,
            _ => Role::B,
        };
        self.note_leg(
            number,
            role,
            Some(destination.to_owned()),
            presentation.clone(),
        );
        let target = self.target(destination, presentation, network)?;
        let beside = self.legs.get(&LegNumber::A).and_then(|leg| leg.codec);
        let codecs = target.codecs(&self.tools.codecs, beside);
        let mut leg = self.open_leg(number, codecs, None, ctx)?;
        leg.early_media = early_media;
        self.legs.insert(number, leg);
        let remote = target
            .host
            .parse()
            .ok()
            .map(|ip| SocketAddr::new(ip, target.port));
        if let Some(remote) = remote {
            self.invite(number, &target, remote, ctx);
        } else {
            let (host, port) = (target.host.clone(), target.port);
            // Our socket reaches addresses of its own family only.
            let is_v4 = self.tools.sip.local.is_ipv4();
            let resolved = async move {
                let found = names::resolve(&host, port).await.ok()?;
                found.into_iter().find(|found| found.is_ipv4() == is_v4)
            };
            ctx.spawn(resolved.into_actor(self).map(move |remote, call, ctx| {
                if let Some(remote) = remote {
                    call.invite(number, &target, remote, ctx);
                } else {
                    tracing::warn!(host = target.host, "a trunk's host has no address");
                    call.leg_over(number, Cause::NoRouteToDestination, None, ctx);
                }
            }));
        }
        ctx.run_later(ring, move |call, ctx| {
            let still_rings = call.legs.get(&number).is_some_and(|leg| !leg.answered);
            if still_rings {
                call.clear_leg(number, Cause::NoAnswer, ctx);
            }
        });
        Ok(())
    }

    pub(super) fn target(
        &self,
        destination: &str,
        presentation: Option<String>,
        network: Option<String>,
    ) -> Result<Target, Cause> {
        let checked = Destination::read(destination, self.tools.country)
            .map_err(|_unreadable| Cause::InvalidNumberFormat)?;
        checked
            .check(&self.permissions())
            .map_err(|_forbidden| Cause::CallRejected)?;
        match checked {
            Destination::Sip(uri) => {
                let (host, port, transport) = place_of(&uri).ok_or(Cause::InvalidNumberFormat)?;
                let destination = uri;
                let trunk = None;
                Ok(Target {
                    destination,
                    trunk,
                    host,
                    port,
                    transport,
                    presentation,
                    network,
                })
            }
            Destination::Number(number) => {
                let path: Vec<_> = self.path.iter().collect();
                let routes = Arc::clone(&self.tools.known.borrow().routes);
                let trunk = routes
                    .find(&path, number.as_str())
                    .ok_or(Cause::NoRouteToDestination)?
                    .clone();
                let transport = if trunk.tcp {
                    strowger_sip::flow::Transport::Tcp
                } else {
                    strowger_sip::flow::Transport::Udp
                };
                Ok(Target {
                    destination: number.to_string(),
                    host: trunk.host.clone(),
                    port: trunk.port,
                    transport,
                    trunk: Some(trunk),
                    presentation,
                    network,
                })
            }
        }
    }

    /// A leg with its media; `offer` is the far end's, where it made one.
    pub(super) fn open_leg(
        &mut self,
        number: LegNumber,
        codecs: Vec<Codec>,
        offer: Option<&Offer>,
        ctx: &mut Context<Self>,
    ) -> Result<Leg, Cause> {
        let outgoing = number != LegNumber::A || self.origin != Origin::Inbound;
        let account = self.path.account();
        let peer = offer.and_then(Offer::peer);
        let media = self
            .tools
            .media
            .open(account, peer, ctx.address().recipient())
            .map_err(|error| {
                tracing::error!(%error, call.id = %self.id, "a leg has no ports");
                Cause::NoCircuit
            })?;
        self.by_media.insert(media.id(), number);
        let advertised = SocketAddr::new(self.tools.advertise, media.address.port());
        Ok(Leg::new(number, media, advertised, codecs, outgoing))
    }

    pub(super) fn invite(
        &mut self,
        number: LegNumber,
        target: &Target,
        remote: SocketAddr,
        ctx: &mut Context<Self>,
    ) {
        let Some(leg) = self.legs.get_mut(&number) else {
            return;
        };
        if leg.clearing.is_some() {
            return;
        }
        let flow = self.tools.sip.flow(target.transport, remote);
        let ours = SocketAddr::new(self.tools.advertise, self.tools.sip.local.port());
        let invite = target.invite(flow, &ours.to_string(), leg.offer());
        let sip = self.tools.sip.invite(invite, ctx.address().recipient());
        self.by_invite.insert(sip.invite(), number);
        leg.sip = Some(sip);
    }

    pub(super) fn note_leg(
        &mut self,
        leg: LegNumber,
        role: Role,
        address: Option<String>,
        presentation: Option<String>,
    ) {
        let id = LegId::from_uuid(uuid::Uuid::now_v7());
        let outgoing = !(leg == LegNumber::A && self.origin == Origin::Inbound);
        let data = serde_json::json!({ "address": address, "number": leg.0 });
        self.note(Fact::LegStarted(LegOpening {
            leg,
            id,
            role,
            address,
            presentation,
        }));
        if outgoing {
            self.emit("leg.dialling", Some(id), &data);
        }
    }
}
