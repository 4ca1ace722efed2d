//! What a call begins with.

use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use rand::SeedableRng;
use rand::rngs::StdRng;
use strowger_domain::account::{AccountPath, Permissions};
use strowger_domain::call::Facts;
use strowger_domain::call_plan::interpreter::Interpreter;
use strowger_domain::call_plan::plan::Plan;
use strowger_domain::call_plan::variables::Globals;
use strowger_domain::cdr::Opening;
use strowger_domain::ids::PlanId;
use strowger_sip::event::IncomingInvite;

use super::messages::{ProgressRecipient, Told};
use super::ticket::CallTicket;
use super::tools::Tools;
use crate::net::sip_endpoint::SipLeg;

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
    /// What the account may do now.
    pub permissions: Permissions,
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
    /// Its share of the limits, given back when it ends.
    pub ticket: CallTicket,
    /// What it needs of the house.
    pub tools: Tools,
}
