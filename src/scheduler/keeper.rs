//! The one address of the scheduler: forwards to it, and makes it again when it fails. What it was
//! doing is in the store.

use actix::prelude::*;

use super::scheduler::{Asked, Scheduler};
use crate::accounts::messages::WakeScheduler;
use crate::accounts::platform::Drain;
use crate::accounts::root::Root;
use crate::calls::messages::Progress;
use crate::calls::ticket::ChannelsFreed;
use crate::store::{Store, Writer};
use crate::supervise::{Children, Down, Fate, ProvokePanic};

/// The actor.
pub struct SchedulerKeeper {
    scheduler: Children<(), Scheduler>,
    draining: bool,
}

impl SchedulerKeeper {
    /// Starts the scheduler and its keeper.
    pub fn start_scheduler(store: Store, writer: Writer, platform: &Addr<Root>) -> Addr<Self> {
        Self::create(|ctx| {
            let asked = Asked {
                prepare: platform.clone().recipient(),
                start: platform.clone().recipient(),
                find: platform.clone().recipient(),
                progress: ctx.address().recipient(),
                freed: ctx.address().recipient(),
            };
            let mut scheduler = Children::new(ctx.address().recipient(), move |(), obituary| {
                let (store, writer) = (store.clone(), writer.clone());
                Scheduler::new(store, writer, asked.clone(), obituary).start()
            });
            scheduler.get_or_start(&());
            Self {
                scheduler,
                draining: false,
            }
        })
    }

    fn forward<M>(&mut self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        Scheduler: Handler<M>,
    {
        self.scheduler.get_or_start(&()).do_send(message);
    }
}

impl Actor for SchedulerKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(10_000);
    }
}

impl Handler<Down<()>> for SchedulerKeeper {
    type Result = ();

    fn handle(&mut self, down: Down<()>, _: &mut Self::Context) {
        match self.scheduler.bury(&down) {
            Fate::Gone => {}
            Fate::Restarted => {
                crate::telemetry::actor_failed("scheduler");
                if self.draining {
                    self.forward(Drain);
                }
            }
            Fate::TooMany => {
                tracing::error!("the scheduler failed too often: the process ends");
                System::current().stop_with_code(70);
            }
        }
    }
}

impl Handler<WakeScheduler> for SchedulerKeeper {
    type Result = ();

    fn handle(&mut self, message: WakeScheduler, _: &mut Self::Context) {
        self.forward(message);
    }
}

impl Handler<Progress> for SchedulerKeeper {
    type Result = ();

    fn handle(&mut self, message: Progress, _: &mut Self::Context) {
        self.forward(message);
    }
}

impl Handler<ChannelsFreed> for SchedulerKeeper {
    type Result = ();

    fn handle(&mut self, message: ChannelsFreed, _: &mut Self::Context) {
        self.forward(message);
    }
}

impl Handler<Drain> for SchedulerKeeper {
    type Result = ();

    fn handle(&mut self, message: Drain, _: &mut Self::Context) {
        self.draining = true;
        self.forward(message);
    }
}

impl Handler<ProvokePanic> for SchedulerKeeper {
    type Result = ();

    fn handle(&mut self, message: ProvokePanic, _: &mut Self::Context) {
        self.forward(message);
    }
}
