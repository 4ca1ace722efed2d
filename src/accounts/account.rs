//! The actor of an account, of whatever level: parent of its numbers, queues, conferences and
//! application instances.

use std::collections::HashMap;

use actix::prelude::*;
use strowger_domain::ids::{AccountId, InstanceId, NumberId};

use super::platform::{Child, ProvokePanic};
use crate::calls::threads::CallThreads;
use crate::conferences::conference::Conference;
use crate::conferences::messages::{EnterRoom, RoomName};
use crate::net::media_engine::MediaHandle;
use crate::numbers::messages::StartCall;
use crate::numbers::service_number::ServiceNumber;
use crate::queues::messages::{EnterQueue, QueueName};
use crate::queues::queue::Queue;
use crate::services::instance::Instance;
use crate::services::messages::RunInstance;
use crate::supervise::{self, Children, Down, Fate, Idle, Obituary};

/// What an account needs to make its children.
#[derive(Clone)]
pub struct Nursery {
    /// What numbers and instances need to start calls.
    pub threads: CallThreads,
    /// Where conferences are mixed.
    pub media: MediaHandle,
}

/// The actor.
pub struct Account {
    id: AccountId,
    nursery: Nursery,
    numbers: Option<Children<NumberId, ServiceNumber>>,
    queues: Option<Children<QueueName, Queue>>,
    conferences: Option<Children<RoomName, Conference>>,
    instances: HashMap<InstanceId, Addr<Instance>>,
    _obituary: Obituary<AccountId>,
}

impl Account {
    /// An account whose children are made when they are needed.
    pub fn new(id: AccountId, nursery: Nursery, obituary: Obituary<AccountId>) -> Self {
        Self {
            id,
            nursery,
            numbers: None,
            queues: None,
            conferences: None,
            instances: HashMap::new(),
            _obituary: obituary,
        }
    }

    fn buried(&mut self, fate: &Fate, kind: &'static str, ctx: &mut Context<Self>) {
        match fate {
            Fate::Gone => {}
            Fate::Restarted => crate::telemetry::actor_failed(kind),
            Fate::TooMany => {
                tracing::error!(account.id = %self.id, kind, "too many failures: the account fails");
                ctx.stop();
            }
        }
    }
}

impl Actor for Account {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let threads = self.nursery.threads.clone();
        self.numbers = Some(Children::new(
            ctx.address().recipient(),
            move |_, obituary| ServiceNumber::new(threads.clone(), obituary).start(),
        ));
        let idle = ctx.address().recipient();
        self.queues = Some(Children::new(
            ctx.address().recipient(),
            move |_, obituary| Queue::new(idle.clone(), obituary).start(),
        ));
        let media = self.nursery.media.clone();
        let idle = ctx.address().recipient();
        self.conferences = Some(Children::new(
            ctx.address().recipient(),
            move |_, obituary| Conference::new(media.clone(), idle.clone(), obituary).start(),
        ));
    }
}

impl Handler<StartCall> for Account {
    type Result = ();

    fn handle(&mut self, message: StartCall, _: &mut Self::Context) {
        if let Some(numbers) = &mut self.numbers {
            numbers.get_or_start(&message.number).do_send(message);
        }
    }
}

impl Handler<EnterQueue> for Account {
    type Result = ();

    fn handle(&mut self, message: EnterQueue, _: &mut Self::Context) {
        if let Some(queues) = &mut self.queues {
            queues.tell(&QueueName(message.entry.queue.clone()), message);
        }
    }
}

impl Handler<EnterRoom> for Account {
    type Result = ();

    fn handle(&mut self, message: EnterRoom, _: &mut Self::Context) {
        if let Some(conferences) = &mut self.conferences {
            conferences.tell(&RoomName(message.entry.room.clone()), message);
        }
    }
}

impl Handler<RunInstance> for Account {
    type Result = ();

    fn handle(&mut self, RunInstance(run): RunInstance, ctx: &mut Self::Context) {
        let id = run.id;
        let obituary = Obituary::once(ctx.address().recipient(), id);
        let address = Instance::new(*run, self.nursery.threads.clone(), obituary).start();
        self.instances.insert(id, address);
    }
}

impl Handler<Down<NumberId>> for Account {
    type Result = ();

    fn handle(&mut self, down: Down<NumberId>, ctx: &mut Self::Context) {
        if let Some(fate) = self.numbers.as_mut().map(|numbers| numbers.bury(&down)) {
            self.buried(&fate, "service_number", ctx);
        }
    }
}

impl Handler<Down<QueueName>> for Account {
    type Result = ();

    fn handle(&mut self, down: Down<QueueName>, ctx: &mut Self::Context) {
        if let Some(fate) = self.queues.as_mut().map(|queues| queues.bury(&down)) {
            self.buried(&fate, "queue", ctx);
        }
    }
}

impl Handler<Down<RoomName>> for Account {
    type Result = ();

    fn handle(&mut self, down: Down<RoomName>, ctx: &mut Self::Context) {
        if let Some(fate) = self.conferences.as_mut().map(|rooms| rooms.bury(&down)) {
            self.buried(&fate, "conference", ctx);
        }
    }
}

impl Handler<Idle<QueueName>> for Account {
    type Result = ();

    fn handle(&mut self, idle: Idle<QueueName>, _: &mut Self::Context) {
        if let Some(queues) = &mut self.queues {
            queues.forget(&idle);
        }
    }
}

impl Handler<Idle<RoomName>> for Account {
    type Result = ();

    fn handle(&mut self, idle: Idle<RoomName>, _: &mut Self::Context) {
        if let Some(conferences) = &mut self.conferences {
            conferences.forget(&idle);
        }
    }
}

impl Handler<Down<InstanceId>> for Account {
    type Result = ();

    fn handle(&mut self, down: Down<InstanceId>, _: &mut Self::Context) {
        self.instances.remove(&down.key);
        if !down.finished {
            crate::telemetry::actor_failed("instance");
        }
    }
}

impl Handler<ProvokePanic> for Account {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, provoke: ProvokePanic, _: &mut Self::Context) {
        let ProvokePanic::Child(_, child) = provoke else {
            panic!("provoked");
        };
        match child {
            Child::Number(id) => provoke_in(self.numbers.as_ref(), &id),
            Child::Queue(name) => provoke_in(self.queues.as_ref(), &name),
            Child::Conference(name) => provoke_in(self.conferences.as_ref(), &name),
            Child::Instance(id) => {
                if let Some(instance) = self.instances.get(&id) {
                    instance.do_send(supervise::ProvokePanic);
                }
            }
        }
    }
}

fn provoke_in<K, A>(children: Option<&Children<K, A>>, key: &K)
where
    K: Clone + Eq + std::hash::Hash + Send + 'static,
    A: Actor<Context = Context<A>> + Handler<supervise::ProvokePanic>,
{
    if let Some(child) = children.and_then(|children| children.get(key)) {
        child.do_send(supervise::ProvokePanic);
    }
}
