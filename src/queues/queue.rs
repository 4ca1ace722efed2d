//! The actor of one queue, around `domain::queue`.
//!
//! It touches neither media nor SIP: it tells a caller's call whom to dial, and the call tells how
//! that ended.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::prelude::*;
use strowger_domain::ids::CallId;
use strowger_domain::queue::{Discipline, Effect, Input, Settings};

use super::messages::{EnterQueue, FromCaller, Place, QueueFact, QueueName, Said};
use crate::net::clock;
use crate::supervise::{Idle, Obituary, ProvokePanic};

/// A queue that was empty for this long is forgotten, with the turn of its destinations.
const REST: Duration = Duration::from_hours(1);

/// A caller as the queue reaches it. Dropped while it is still in, it is told that the queue is
/// lost, and joins the next one with its own `since`.
struct Caller {
    reply_to: Recipient<QueueFact>,
    out: bool,
}

impl Drop for Caller {
    fn drop(&mut self) {
        if !self.out {
            self.reply_to.do_send(QueueFact::Lost);
        }
    }
}

/// The actor.
pub struct Queue {
    discipline: Discipline,
    callers: HashMap<CallId, Caller>,
    timer: Option<(Instant, SpawnHandle)>,
    /// Entries that were asked for.
    heard: u64,
    /// It was empty, and is looked at again.
    resting: bool,
    idle: Recipient<Idle<QueueName>>,
    obituary: Obituary<QueueName>,
}

impl Queue {
    /// An empty queue; `idle` is told when it has been so for long.
    pub fn new(idle: Recipient<Idle<QueueName>>, obituary: Obituary<QueueName>) -> Self {
        Self {
            discipline: Discipline::default(),
            callers: HashMap::new(),
            timer: None,
            heard: 0,
            resting: false,
            idle,
            obituary,
        }
    }

    fn input(&mut self, input: Input, ctx: &mut Context<Self>) {
        self.discipline.handle(input, clock::now().instant);
        while let Some(effect) = self.discipline.next_effect() {
            match effect {
                Effect::Joined { caller, position } => {
                    let place = Place::new(ctx.address().recipient(), caller);
                    self.tell(caller, QueueFact::Waiting { place, position });
                }
                Effect::Refused { caller } => {
                    self.tell(caller, QueueFact::Refused);
                    self.forget(caller);
                }
                Effect::Position { caller, position } => {
                    self.tell(caller, QueueFact::Position(position));
                }
                Effect::Offer {
                    caller,
                    destination,
                } => {
                    self.tell(caller, QueueFact::Offered { destination });
                }
                // Dropping it tells it.
                Effect::Lost { caller } => drop(self.callers.remove(&caller)),
            }
        }
        self.arm(ctx);
        self.rest(ctx);
    }

    /// A queue that nobody is in keeps whose turn it is for a while.
    fn rest(&mut self, ctx: &mut Context<Self>) {
        if !self.callers.is_empty() || std::mem::replace(&mut self.resting, true) {
            return;
        }
        ctx.run_later(REST, |queue, _| {
            queue.resting = false;
            if queue.callers.is_empty() {
                queue.idle.do_send(queue.obituary.idle(queue.heard));
            }
        });
    }

    fn tell(&self, caller: CallId, fact: QueueFact) {
        if let Some(caller) = self.callers.get(&caller) {
            caller.reply_to.do_send(fact);
        }
    }

    fn forget(&mut self, caller: CallId) {
        if let Some(mut caller) = self.callers.remove(&caller) {
            caller.out = true;
        }
    }

    fn arm(&mut self, ctx: &mut Context<Self>) {
        let deadline = self.discipline.deadline();
        match (deadline, &self.timer) {
            (Some(deadline), Some((armed, _))) if *armed == deadline => return,
            (_, Some((_, handle))) => {
                ctx.cancel_future(*handle);
                self.timer = None;
            }
            (_, None) => {}
        }
        if let Some(deadline) = deadline {
            let delay = deadline.saturating_duration_since(clock::now().instant);
            let handle = ctx.run_later(delay, |queue, ctx| {
                queue.timer = None;
                queue.input(Input::Tick, ctx);
            });
            self.timer = Some((deadline, handle));
        }
    }
}

impl Actor for Queue {
    type Context = Context<Self>;
}

impl Handler<EnterQueue> for Queue {
    type Result = ();

    fn handle(&mut self, enter: EnterQueue, ctx: &mut Self::Context) {
        self.heard += 1;
        let (caller, since) = (enter.call, enter.since);
        let settings = Settings {
            destinations: enter.entry.destinations,
            max_connected: enter.entry.max_connected,
            max_waiting: enter.entry.max_waiting,
        };
        self.callers.insert(
            caller,
            Caller {
                reply_to: enter.reply_to,
                out: false,
            },
        );
        let input = match enter.rejoins {
            None => Input::Join {
                caller,
                since,
                settings,
            },
            Some(stage) => {
                let place = Place::new(ctx.address().recipient(), caller);
                self.tell(caller, QueueFact::Rejoined { place });
                Input::Rejoin {
                    caller,
                    since,
                    stage,
                    settings,
                }
            }
        };
        self.input(input, ctx);
    }
}

impl Handler<FromCaller> for Queue {
    type Result = ();

    fn handle(&mut self, said: FromCaller, ctx: &mut Self::Context) {
        let caller = said.call;
        match said.what {
            Said::Offer { refused } => self.input(Input::OfferEnded { caller, refused }, ctx),
            Said::Left => {
                self.forget(caller);
                self.input(Input::Leave { caller }, ctx);
            }
        }
    }
}

impl Handler<ProvokePanic> for Queue {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}
