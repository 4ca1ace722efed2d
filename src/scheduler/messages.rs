//! What the scheduler asks of the platform.

use actix::Message;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, CallId, ScheduledCallId};
use strowger_domain::schedule::Booking;

use crate::calls::messages::ProgressRecipient;
use crate::numbers::messages::StartCall;

/// Check the rules again, take a channel, and make everything ready to dial the first party. Nothing
/// is dialled yet: the answer is to be sent as a message when the call is claimed. Dropping it gives
/// the channel back.
#[derive(Message, Debug)]
#[rtype(result = "Result<StartCall, NotReady>")]
pub struct PrepareScheduled {
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

/// Why it can't be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// On record.
    pub cause: Cause,
    /// In words.
    pub why: String,
    /// There may be room later; otherwise it is refused for good.
    pub later: bool,
}

/// A panic, for tests of supervision.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct ProvokePanic;
