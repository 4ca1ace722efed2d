//! What a call begins with.

use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use rand::SeedableRng;
use rand::rngs::StdRng;
use strowger_domain::account::AccountPath;
use strowger_domain::call::Facts;
use strowger_domain::call_plan::interpreter::Interpreter;
use strowger_domain::call_plan::plan::Plan;
use strowger_domain::call_plan::variables::Globals;
use strowger_domain::cdr::{Opening, Timeline};
use strowger_domain::ids::PlanId;
use strowger_sip::event::IncomingInvite;

use super::messages::{Progress, ProgressRecipient, Stage, Told};
use super::ticket::CallTicket;
use super::tools::Tools;
use crate::net::clock;
use crate::net::sip_endpoint::SipLeg;
use crate::store::Writer;

/// Who decides what the call does.
pub enum Driver {
    /// Its plan.
    Plan(Box<Interpreter>),
    /// The customer's application, behind an actor of `services/`.
    Application(Recipient<Told>),
    /// Nobody any more.
    None,
}

impl Driver {
    /// A plan's run. `globals`: the plan's shared variables as they are now.
    pub fn plan(plan: Arc<Plan>, facts: Facts, globals: Globals) -> Self {
        let mut interpreter = Interpreter::new(plan, facts, StdRng::from_rng(&mut rand::rng()));
        interpreter.set_globals(globals);
        Self::Plan(Box::new(interpreter))
    }
}

/// How the A-party comes into the call.
pub enum FirstLeg {
    /// It called us.
    Inbound {
        /// Its INVITE usage.
        leg: SipLeg,
        /// What it asked.
        request: Box<IncomingInvite>,
    },
    /// We dial it.
    Outbound {
        /// The number (`+44…`) or SIP URI.
        destination: String,
        /// How long it may ring.
        ring: Duration,
        /// Who is told how it goes.
        progress: Option<ProgressRecipient>,
    },
}

/// All that a call begins with.
pub struct Start {
    /// What is known of it.
    pub opening: Opening,
    /// Its account with its ancestors.
    pub path: AccountPath,
    /// The plan that it runs, for its global variables.
    pub plan: Option<PlanId>,
    /// Who decides.
    pub driver: Driver,
    /// Its A-party.
    pub first: FirstLeg,
    /// The network CLI of the calls that it makes: its service number.
    pub network: Option<String>,
    /// The presentation CLI of the calls that it makes; `None`: withheld.
    pub presentation: Option<String>,
    /// No call of its account lasts longer.
    pub max_duration: Duration,
    /// Its share of the limits, given back when it ends.
    pub ticket: CallTicket,
    /// What it needs of the house.
    pub tools: Arc<Tools>,
    /// What is left on record should it be lost on its way to its actor.
    pub unless_begun: Option<UnlessBegun>,
}

impl Start {
    /// The same start, which from now on leaves its record also when it is lost on its way: a mailbox
    /// drops what it holds when its actor panics.
    #[must_use]
    pub fn unless_lost(mut self) -> Self {
        let progress = match &self.first {
            FirstLeg::Outbound { progress, .. } => progress.clone(),
            FirstLeg::Inbound { .. } => None,
        };
        let (opening, writer) = (self.opening.clone(), self.tools.writer.clone());
        self.unless_begun = Some(UnlessBegun::new(opening, writer, progress));
        self
    }
}

/// Held by a start until its call has begun; dropped before, it writes the call's record and tells
/// whoever follows the call that it was cut.
pub struct UnlessBegun {
    opening: Option<Box<Opening>>,
    writer: Writer,
    progress: Option<ProgressRecipient>,
}

impl UnlessBegun {
    fn new(opening: Opening, writer: Writer, progress: Option<ProgressRecipient>) -> Self {
        Self {
            opening: Some(Box::new(opening)),
            writer,
            progress,
        }
    }

    /// The call has begun: it sees to its record itself.
    pub fn has_begun(mut self) {
        self.opening = None;
    }
}

impl Drop for UnlessBegun {
    fn drop(&mut self) {
        let Some(opening) = self.opening.take() else {
            return;
        };
        let (call, at) = (opening.call, clock::now().utc);
        tracing::error!(call.id = %call, "a call was lost before it began");
        let timeline = Timeline::new(*opening, at);
        super::write_cut(&self.writer, timeline.snapshot().clone(), 1);
        if let Some(progress) = &self.progress {
            let stage = Stage::Cut;
            progress.do_send(Progress { call, at, stage });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Sample, TestDatabase};
    use crate::store::writer::WriterSettings;
    use crate::store::{AccountScope, StoreError};
    use actix::prelude::*;
    use strowger_domain::call::Origin;
    use strowger_domain::cause::Cause;
    use strowger_domain::ids::CallId;
    use tokio::sync::mpsc;

    struct Follower(mpsc::UnboundedSender<Progress>);

    impl Actor for Follower {
        type Context = Context<Self>;
    }

    impl Handler<Progress> for Follower {
        type Result = ();

        fn handle(&mut self, progress: Progress, _: &mut Self::Context) {
            self.0.send(progress).expect("the test listens");
        }
    }

    #[actix::test]
    async fn a_start_that_is_lost_on_its_way_has_its_record_and_one_that_arrives_has_none_twice() {
        let database = TestDatabase::sqlite();
        let store = database.store().await.unwrap();
        let sample = Sample::new(store.clone()).await.unwrap();
        let writer = Writer::start(store.clone(), WriterSettings::default());
        let (told, mut hears) = mpsc::unbounded_channel();
        let follower = Follower(told).start();
        let start = || {
            let opening = Opening {
                call: CallId::from_uuid(uuid::Uuid::now_v7()),
                account: sample.customer,
                origin: Origin::Scheduled,
                service_number: None,
                calling: None,
                withheld_calling: None,
                called: "+447700900123".to_owned(),
                scheduled_call: None,
                instance: None,
            };
            let progress = Some(follower.clone().recipient());
            let call = opening.call;
            (call, UnlessBegun::new(opening, writer.clone(), progress))
        };
        let (lost, of_lost) = start();
        let (begun, of_begun) = start();
        of_begun.has_begun();
        drop(of_lost);
        let progress = hears.recv().await.unwrap();
        assert_eq!((progress.call, progress.stage), (lost, Stage::Cut));
        writer.flush().await;
        let scope = AccountScope::platform();
        let record = store.call(&scope, lost).await.unwrap();
        assert_eq!(record.cause, Some(Cause::TemporaryFailure));
        assert_eq!(store.events_of(&scope, lost).await.unwrap().len(), 1);
        let none = store.call(&scope, begun).await;
        assert!(matches!(none, Err(StoreError::NotFound)), "{none:?}");
    }
}
