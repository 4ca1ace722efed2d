//! What the endpoint tells its owner.

use crate::command::{InviteId, Party};
use crate::digest::{self, Ha1};
use crate::flow::Flow;
use crate::reader::Message;
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// One output of an [`Endpoint`](crate::endpoint::Endpoint).
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send this.
    Transmit {
        /// Where.
        flow: Flow,
        /// One whole message.
        bytes: Bytes,
    },
    /// Something happened.
    Event(Event),
}

/// A fact about an INVITE usage. Each usage gets exactly one terminal event, [`Event::Refused`] or
/// [`Event::Ended`], and nothing after it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A call comes in. 100 goes by itself; answer with `Provisional`, `Accept`, `Refuse`,
    /// `Challenge` or `End`.
    Invited {
        /// Its name from now on.
        invite: InviteId,
        /// What was asked.
        request: Box<IncomingInvite>,
    },
    /// The far end rings, or sends early media.
    Provisional {
        /// Which usage.
        invite: InviteId,
        /// 101 to 199.
        status: u16,
        /// Session description of the early media.
        body: Option<Bytes>,
    },
    /// The far end accepted our INVITE or re-INVITE.
    Accepted {
        /// Which usage.
        invite: InviteId,
        /// The answer; or the offer when we sent none, to be answered by `Acknowledge`.
        body: Option<Bytes>,
    },
    /// Terminal: our INVITE was refused, or nobody answered it (408), or its flow failed (503).
    Refused {
        /// Which usage.
        invite: InviteId,
        /// 300 to 699.
        status: u16,
        /// Q.850 cause of the Reason header.
        q850: Option<u8>,
        /// The reason phrase as it came.
        reason: String,
        /// The far end's Retry-After.
        retry_after: Option<Duration>,
    },
    /// Our re-INVITE was refused; the session is as before.
    ReinviteRefused {
        /// Which usage.
        invite: InviteId,
        /// 300 to 699.
        status: u16,
    },
    /// The far end wants to change the session; answer with `Accept` or `Refuse`.
    Reinvited {
        /// Which usage.
        invite: InviteId,
        /// The new offer; `None`: we shall offer.
        offer: Option<Bytes>,
    },
    /// The far end took back the re-INVITE that waits for an answer; the session is as before.
    ReinviteCancelled {
        /// Which usage.
        invite: InviteId,
    },
    /// Our 2xx was acknowledged.
    Acknowledged {
        /// Which usage.
        invite: InviteId,
        /// The answer, when our 2xx carried the offer.
        body: Option<Bytes>,
    },
    /// Terminal: CANCEL, BYE, refusal by us, lost ACK, dead flow.
    Ended {
        /// Which usage.
        invite: InviteId,
        /// The status that ended it, where one did: 487 after CANCEL, our refusal's, 408 for a far
        /// end that fell silent.
        status: Option<u16>,
        /// Q.850 cause of the Reason header, theirs or ours.
        q850: Option<u8>,
        /// Whether we ended it.
        by_us: bool,
    },
}

impl Event {
    /// The usage that the event is about.
    pub fn invite(&self) -> InviteId {
        match self {
            Self::Invited { invite, .. }
            | Self::Provisional { invite, .. }
            | Self::Accepted { invite, .. }
            | Self::Refused { invite, .. }
            | Self::ReinviteRefused { invite, .. }
            | Self::Reinvited { invite, .. }
            | Self::ReinviteCancelled { invite }
            | Self::Acknowledged { invite, .. }
            | Self::Ended { invite, .. } => *invite,
        }
    }

    /// Whether it is the usage's last.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Ended { .. })
    }
}

/// An INVITE as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingInvite {
    /// Where it came from.
    pub flow: Flow,
    /// Request-URI as it came.
    pub request_uri: String,
    /// The user part of the Request-URI without parameters and escapes: the dialled number. Empty
    /// when there is none.
    pub user: String,
    /// The From header.
    pub from: Party,
    /// The To header.
    pub to: Party,
    /// The P-Asserted-Identity headers, in order.
    pub p_asserted_identity: Vec<Party>,
    /// Call-ID.
    pub call_id: String,
    /// The message itself: what else it says.
    pub message: Arc<Message>,
    /// The offer; `None`: we shall offer in our 2xx.
    pub offer: Option<Bytes>,
    /// The answer to a challenge of ours whose nonce is good. Absent when the INVITE has none, or
    /// its nonce is unknown, too old or used before: then `Challenge`.
    pub credentials: Option<OfferedCredentials>,
}

impl IncomingInvite {
    /// The first header of this name, by its long name.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.message.header(name)
    }
}

/// Credentials that a caller presented. Its nonce was checked; whether the password is right is for
/// the owner to ask, who knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedCredentials {
    /// User name.
    pub username: String,
    /// The realm, as the caller has it: compare it with that of the challenge.
    pub realm: String,
    /// The response and what it was made of.
    pub digest: digest::Credentials,
}

impl OfferedCredentials {
    /// Whether the response was made with this password.
    pub fn has_password(&self, password: &str) -> bool {
        let algorithm = self.digest.algorithm();
        self.has_secret(&Ha1::new(algorithm, &self.username, &self.realm, password))
    }

    /// Whether the response was made with this stored secret; it must be for the algorithm of the
    /// challenge, MD5.
    pub fn has_secret(&self, secret: &Ha1) -> bool {
        self.digest.verify(secret, "INVITE").is_ok()
    }
}

/// What lives in an endpoint: for metrics, for draining, and for tests that nothing stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// INVITE usages without terminal event.
    pub invites: usize,
    /// Ended usages that still wait for a last message.
    pub lingering: usize,
    /// Client transactions.
    pub client_transactions: usize,
    /// Server transactions.
    pub server_transactions: usize,
    /// Transactions that still have something to say: a request of ours that has no final
    /// response, a refusal of ours that has no ACK. The others only swallow copies.
    pub unsettled: usize,
    /// Flows by which a transaction or a connection's usage lives.
    pub flows: usize,
    /// Nonces of our challenges that were used.
    pub nonces: usize,
    /// Armed timers.
    pub timers: usize,
}
