//! What the endpoint's owner tells it.

use crate::flow::Flow;
use bytes::Bytes;

/// The name of one INVITE usage: a dialog, or what may become one.
///
/// The owner makes odd numbers for the calls that it starts, the endpoint makes even ones for those
/// that come in; so they never collide. A number is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InviteId(pub u64);

impl InviteId {
    /// Whether the owner of the endpoint made it (an outgoing call).
    pub fn is_ours(self) -> bool {
        self.0 % 2 == 1
    }
}

/// One input of an [`Endpoint`](crate::endpoint::Endpoint).
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram, or one whole message cut from a stream.
    Message {
        /// Where it came from.
        flow: Flow,
        /// The message.
        bytes: &'a [u8],
    },
    /// A connection is gone, or a datagram could not be sent.
    FlowFailed {
        /// Which.
        flow: Flow,
    },
    /// The owner wants something.
    Command(Command),
    /// The deadline has come.
    Timeout,
}

/// What the owner may ask for. A command for a usage that has ended, or that is not in a state for
/// it, does nothing: the terminal event is on its way or was given.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Start a call.
    Invite(Box<OutgoingInvite>),
    /// Send a provisional response to an incoming INVITE (180, or 183 with early media).
    Provisional {
        /// Which usage.
        invite: InviteId,
        /// 101 to 199.
        status: u16,
        /// Session description of the early media.
        body: Option<Bytes>,
    },
    /// Accept the INVITE or re-INVITE that waits for an answer.
    Accept {
        /// Which usage.
        invite: InviteId,
        /// The answer; or our offer, when the INVITE had none.
        body: Option<Bytes>,
    },
    /// Refuse the INVITE or re-INVITE that waits for an answer. Refusing the initial INVITE ends
    /// the usage.
    Refuse {
        /// Which usage.
        invite: InviteId,
        /// 300 to 699.
        status: u16,
        /// Further headers, for instance Retry-After or Reason.
        headers: Vec<(String, String)>,
    },
    /// Change the session: hold, resume, other codec. Answered by `Accepted` or `ReinviteRefused`.
    Reinvite {
        /// Which usage.
        invite: InviteId,
        /// The new offer; empty: the far end shall offer.
        offer: Bytes,
    },
    /// Send the ACK of a 2xx whose INVITE or re-INVITE was sent without an offer; with an offer the
    /// ACK goes by itself.
    Acknowledge {
        /// Which usage.
        invite: InviteId,
        /// Our answer to the offer in the 2xx.
        body: Bytes,
    },
    /// Ask the caller for credentials: 401. Ends the usage; the next try comes as a new `Invited`.
    Challenge {
        /// Which usage.
        invite: InviteId,
        /// The protection domain that the caller's user knows.
        realm: String,
    },
    /// End the usage, by its state: CANCEL, BYE, or refusal.
    End {
        /// Which usage.
        invite: InviteId,
        /// The status of a refusal (also reported in the terminal event).
        status: u16,
        /// Q.850 cause for the Reason header (RFC 3326).
        q850: Option<u8>,
    },
}

/// A call to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct OutgoingInvite {
    /// The caller's name for it: an odd number, never used before.
    pub invite: InviteId,
    /// Where to send. A request over 1300 bytes is sent on a UDP flow all the same: whoever wants
    /// RFC 3261 §18.1.1's change to TCP gives a TCP flow.
    pub flow: Flow,
    /// Request-URI.
    pub request_uri: String,
    /// The From header, without tag.
    pub from: Party,
    /// The To header.
    pub to: Party,
    /// A URI for P-Asserted-Identity (RFC 3325).
    pub p_asserted_identity: Option<String>,
    /// For the answer to a 401 or 407.
    pub credentials: Option<Credentials>,
    /// Further headers. Names that the endpoint writes itself are left out.
    pub headers: Vec<(String, String)>,
    /// The offer; empty: the far end shall offer, and [`Command::Acknowledge`] carries our answer.
    pub offer: Bytes,
    /// URIs of a pre-loaded route set, nearest first.
    pub route: Vec<String>,
    /// The Call-ID; `None`: the endpoint makes one.
    pub call_id: Option<String>,
}

/// A user with a password at the far end.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The content of a From, To or P-Asserted-Identity header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// Display name, without quotes and escapes.
    pub display: Option<String>,
    /// The URI as text.
    pub uri: String,
}

impl Party {
    /// A party without display name.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            display: None,
            uri: uri.into(),
        }
    }
}
