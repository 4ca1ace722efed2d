//! Keeps the SIP endpoint alive: makes it again on the same sockets when it fails.

use actix::prelude::*;
use strowger_sip::config::Config;
use tokio::sync::watch;

use super::sip_endpoint::{InboundInvite, SetDraining, SipEndpoint, SipHandle};
use super::sip_socket::SipSockets;
use crate::supervise::{Children, Down, Fate};

/// The actor.
pub struct SipKeeper {
    endpoint: Option<Children<(), SipEndpoint>>,
    current: watch::Sender<Addr<SipEndpoint>>,
    draining: bool,
}

impl SipKeeper {
    /// Starts the endpoint on a thread of its own, and its keeper; new calls go to `inbound`.
    pub fn start(
        config: Config,
        sockets: SipSockets,
        inbound: Recipient<InboundInvite>,
        thread: ArbiterHandle,
    ) -> (Addr<Self>, SipHandle) {
        let local = sockets.local;
        let (sender, receiver) = std::sync::mpsc::channel();
        let keeper = Self::create(|ctx| {
            let mut endpoint = Children::new(ctx.address().recipient(), move |(), obituary| {
                let (config, sockets) = (config.clone(), sockets.clone());
                let inbound = inbound.clone();
                SipEndpoint::start_in_arbiter(&thread, move |_| {
                    SipEndpoint::new(config, sockets, inbound, obituary)
                })
            });
            let (current, follow) = watch::channel(endpoint.get_or_start(&()));
            // `create` runs this closure before it returns.
            let _ = sender.send(follow);
            Self {
                endpoint: Some(endpoint),
                current,
                draining: false,
            }
        });
        #[expect(clippy::expect_used, reason = "the closure above has run")]
        let follow = receiver.recv().expect("the keeper was made");
        (keeper, SipHandle::new(follow, local))
    }
}

impl Actor for SipKeeper {
    type Context = Context<Self>;
}

impl Handler<Down<()>> for SipKeeper {
    type Result = ();

    fn handle(&mut self, down: Down<()>, _: &mut Self::Context) {
        let Some(endpoint) = &mut self.endpoint else {
            return;
        };
        match endpoint.bury(&down) {
            Fate::Gone => {}
            Fate::Restarted => {
                crate::telemetry::actor_failed("sip_endpoint");
                let address = endpoint.get_or_start(&());
                if self.draining {
                    address.do_send(SetDraining(true));
                }
                self.current.send_replace(address);
            }
            Fate::TooMany => {
                tracing::error!("the SIP endpoint failed too often: the process ends");
                System::current().stop_with_code(70);
            }
        }
    }
}

impl Handler<SetDraining> for SipKeeper {
    type Result = ();

    fn handle(&mut self, message: SetDraining, _: &mut Self::Context) {
        self.draining = message.0;
        self.current.borrow().do_send(message);
    }
}

/// The endpoint is not needed any more.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct Finish;

impl Handler<Finish> for SipKeeper {
    type Result = ();

    fn handle(&mut self, message: Finish, ctx: &mut Self::Context) {
        self.endpoint = None;
        self.current.borrow().do_send(message);
        ctx.stop();
    }
}

impl Handler<Finish> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
