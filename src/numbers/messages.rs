//! What a service number is asked, and what it tells.

use actix::{Addr, Message};
use strowger_domain::ids::{AccountId, CallId, NumberId};

use crate::calls::call::{Call, Start};

/// Start a call on this number. The number, its plan and the limits were checked.
#[derive(Message)]
#[rtype(result = "()")]
pub struct StartCall {
    /// On which number.
    pub number: NumberId,
    /// All that it begins with.
    pub start: Box<Start>,
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

/// A call is over, and its record is written.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct CallGone(pub CallId);

/// A panic, for tests of supervision.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct ProvokePanic;
