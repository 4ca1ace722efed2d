//! What a call is told and asked, and what it tells.

use actix::{Addr, Message, Recipient};
use chrono::{DateTime, Utc};
use strowger_domain::call::{Effect, Event, Gap};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::{AccountId, CallId, PlanId};

use super::call::Call;

/// The application that drives a call asks for an effect.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Perform(pub Effect);

/// A call tells the application that drives it.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Told {
    /// Which call.
    pub call: CallId,
    /// What happened.
    pub event: Event,
}

/// End the call.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct Stop(pub Cause);

/// Leave out of what is being recorded of the call what is said from now on, or go on with it.
/// Answers whether something is being recorded.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "bool")]
pub struct Pause(pub Option<Gap>);

/// The call as it stands.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "Option<CallRecord>")]
pub struct Look;

/// How a call that the platform started goes on, told to whoever started it.
#[derive(Message, Debug, Clone, PartialEq)]
#[rtype(result = "()")]
pub struct Progress {
    /// Which call.
    pub call: CallId,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub stage: Stage,
}

/// See [`Progress`].
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// The first party rings.
    Ringing,
    /// The first party answered.
    Answered,
    /// The call's actor died; nothing follows.
    Cut,
    /// The call has ended; nothing follows.
    Ended {
        /// The first party had answered.
        answered: bool,
        /// Why.
        cause: Cause,
        /// The SIP status of the first party's refusal.
        sip_status: Option<u16>,
    },
}

/// A call lives: how it can be reached.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct CallStarted {
    /// Which.
    pub call: CallId,
    /// Whose.
    pub account: AccountId,
    /// Its actor.
    pub address: Addr<Call>,
}

/// A call is over: its record is written, or its actor died.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct CallGone(pub CallId);

/// Tells that a call is gone when the call's actor drops it, also when that panicked.
#[derive(Debug)]
pub struct Registered {
    call: CallId,
    gone: Recipient<CallGone>,
}

impl Registered {
    /// A call that `gone` has been told of.
    pub fn new(call: CallId, gone: Recipient<CallGone>) -> Self {
        Self { call, gone }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.gone.do_send(CallGone(self.call));
    }
}

/// A call assigned global variables of its plan.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct GlobalsChanged {
    /// Whose variables.
    pub plan: PlanId,
    /// Names and values, in the order of assignment.
    pub values: Vec<(String, String)>,
}

/// Who is told of a call's progress.
pub type ProgressRecipient = Recipient<Progress>;
