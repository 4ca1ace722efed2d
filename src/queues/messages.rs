//! What calls and queues say to each other.

use actix::{Message, Recipient};
use chrono::{DateTime, Utc};
use strowger_domain::call::QueueEntry;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, CallId};
use strowger_domain::queue::Stage;

/// A queue's name within its account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueName(pub String);

/// A caller wants to wait; the account's queue of that name answers by [`QueueFact`]s.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct EnterQueue {
    /// Whose queue.
    pub account: AccountId,
    /// The caller.
    pub call: CallId,
    /// Since when it waits: a queue that was lost gets its order back from its members.
    pub since: DateTime<Utc>,
    /// How far it was in a queue that was lost; `None`: it comes for the first time.
    pub rejoins: Option<Stage>,
    /// What the plan asked.
    pub entry: QueueEntry,
    /// Who is told.
    pub reply_to: Recipient<QueueFact>,
}

/// A caller's place in a queue; dropping it leaves the queue.
#[derive(Debug)]
pub struct Place {
    queue: Recipient<FromCaller>,
    call: CallId,
}

impl Place {
    /// The place of a call that was let in.
    pub fn new(queue: Recipient<FromCaller>, call: CallId) -> Self {
        Self { queue, call }
    }

    /// Tells how an offer ended.
    pub fn answer_offer(&self, refused: Option<Cause>) {
        self.queue.do_send(FromCaller {
            call: self.call,
            what: Said::Offer { refused },
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.do_send(FromCaller {
            call: self.call,
            what: Said::Left,
        });
    }
}

/// What a caller tells its queue.
#[derive(Message, Debug, Clone, Copy, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct FromCaller {
    /// Which.
    pub call: CallId,
    /// What.
    pub what: Said,
}

/// See [`FromCaller`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// How the offer ended: `None`, connected.
    Offer {
        /// Why it was not.
        refused: Option<Cause>,
    },
    /// It is gone, waiting or connected.
    Left,
}

/// What a queue tells a caller.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub enum QueueFact {
    /// It waits.
    Waiting {
        /// To be held as long as it waits or is connected.
        place: Place,
        /// 1 is the head.
        position: u16,
    },
    /// It is in again, after the queue was lost.
    Rejoined {
        /// To be held as long as it waits or is connected.
        place: Place,
    },
    /// Its place changed.
    Position(u16),
    /// The queue is full.
    Refused,
    /// A destination is free for it.
    Offered {
        /// Whom to dial.
        destination: String,
    },
    /// The queue failed.
    Lost,
}
