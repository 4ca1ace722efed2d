//! What the scheduler asks of the platform.

use actix::Message;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, CallId, ScheduledCallId};
use strowger_domain::schedule::Booking;

use crate::calls::messages::ProgressRecipient;

/// Check the rules again and dial the first party. The call is claimed: it is dialled now or never.
#[derive(Message, Debug)]
#[rtype(result = "Result<(), NotStarted>")]
pub struct StartScheduled {
    /// Which.
    pub scheduled_call: ScheduledCallId,
    /// Who ordered it.
    pub account: AccountId,
    /// What was ordered.
    pub booking: Booking,
    /// The call's name.
    pub call: CallId,
    /// Who is told how it goes.
    pub progress: ProgressRecipient,
}

/// Why it was not dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStarted {
    /// On record.
    pub cause: Cause,
    /// In words.
    pub why: String,
}

/// A panic, for tests of supervision.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct ProvokePanic;
