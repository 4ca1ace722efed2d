//! INVITE usages: from the first INVITE to the last BYE (RFC 3261 §13 to §15).
//!
//! A usage is in one of four states, each a type of its own. Every input takes the state and gives
//! the next one, or none when nothing is left to do; the terminal event is told by the step that
//! leaves [`Caller`], [`Answerer`] or [`Session`] for [`Closing`] or for nothing.

mod answerer;
mod caller;
mod closing;
mod credentials;
mod reason;
mod session;

pub(crate) use answerer::Answerer;
pub(crate) use caller::Caller;
pub(crate) use closing::Closing;
pub(crate) use reason::q850_of;
pub(crate) use session::Session;

use crate::command::{Command, InviteId};
use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::reader::Message;
use crate::transaction::draft::{self, Outline, Reply, SDP};
use crate::transaction::{ClientId, Lost, Retransmission, Sent, ServerId, Transactions};
use bytes::Bytes;
use std::time::Instant;

/// One INVITE usage.
#[derive(Debug)]
pub(crate) enum Usage {
    /// Our INVITE has no final response.
    Calling(Box<Caller>),
    /// Their INVITE has no final response.
    Ringing(Box<Answerer>),
    /// The dialog stands.
    Confirmed(Box<Session>),
    /// The terminal event was told; the last messages are on their way.
    Closing(Box<Closing>),
}

/// What follows an input: the next state, or the end.
pub(crate) type Next = Option<Usage>;

/// A 2xx of ours that waits for its ACK (§13.3.1.4).
#[derive(Debug)]
pub(crate) struct Unacknowledged {
    cseq: u32,
    response: Bytes,
    flow: Flow,
    again: Retransmission,
    gives_up: Instant,
    /// It answers the INVITE that made the dialog: no BYE before its ACK (§15).
    is_first: bool,
}

impl Unacknowledged {
    fn start(
        cseq: u32,
        response: Bytes,
        flow: Flow,
        is_first: bool,
        tx: &Transactions,
        now: Instant,
    ) -> Self {
        let timers = tx.config.timers;
        Self {
            cseq,
            response,
            flow,
            again: Retransmission::start(now, timers.t1, Some(timers.t2)),
            gives_up: now + timers.sixty_four_t1(),
            is_first,
        }
    }

    fn deadline(&self) -> Instant {
        self.again.at().min(self.gives_up)
    }

    /// Sends the 2xx again when it is time; says whether it is given up.
    fn is_given_up(&mut self, tx: &mut Transactions, now: Instant) -> bool {
        if self.gives_up <= now {
            return true;
        }
        if self.again.is_due(now) {
            tx.transmit(self.flow, self.response.clone());
        }
        false
    }
}

impl Usage {
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self, Self::Closing(_))
    }

    pub(crate) fn command(self, command: Command, tx: &mut Transactions, now: Instant) -> Next {
        match self {
            Self::Calling(usage) => usage.command(&command, tx, now),
            Self::Ringing(usage) => usage.command(command, tx, now),
            Self::Confirmed(usage) => usage.command(command, tx, now),
            Self::Closing(_) => Some(self),
        }
    }

    pub(crate) fn response(
        self,
        client: ClientId,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        match self {
            Self::Calling(usage) => usage.response(client, message, tx, now),
            Self::Ringing(_) => Some(self),
            Self::Confirmed(usage) => usage.response(client, message, tx, now),
            Self::Closing(usage) => usage.response(client, message, tx, now),
        }
    }

    /// A request of ours got no response.
    pub(crate) fn lost(self, lost: Lost, tx: &mut Transactions, now: Instant) -> Next {
        match self {
            Self::Calling(usage) => usage.lost(lost, tx),
            Self::Ringing(_) => Some(self),
            Self::Confirmed(usage) => usage.lost(lost, tx, now),
            Self::Closing(usage) => usage.lost(lost),
        }
    }

    /// A BYE within the dialog; it is answered here.
    pub(crate) fn bye(
        self,
        server: ServerId,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        tx.respond(server, &Reply::new(200), now);
        match self {
            Self::Calling(usage) => usage.bye(message, tx, now),
            Self::Ringing(usage) => usage.bye(message, tx, now),
            Self::Confirmed(usage) => usage.bye(message, tx, now),
            Self::Closing(usage) => usage.bye(),
        }
    }

    /// An INVITE within the dialog.
    pub(crate) fn reinvite(
        self,
        server: ServerId,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Self {
        match self {
            Self::Confirmed(mut usage) => {
                usage.reinvited(server, message, tx, now);
                Self::Confirmed(usage)
            }
            Self::Ringing(_) => {
                let seconds = tx.overlap_wait();
                let reply = Reply::new(500).header("Retry-After", seconds.to_string());
                tx.respond(server, &reply, now);
                self
            }
            Self::Calling(_) => {
                tx.respond(server, &Reply::new(491), now);
                self
            }
            Self::Closing(_) => {
                tx.respond(server, &Reply::new(481), now);
                self
            }
        }
    }

    /// An ACK within the dialog.
    pub(crate) fn ack(self, message: &Message, tx: &mut Transactions, now: Instant) -> Next {
        match self {
            Self::Calling(_) | Self::Ringing(_) => Some(self),
            Self::Confirmed(usage) => Some(usage.ack(message, tx, now)),
            Self::Closing(usage) => usage.ack(message, tx, now),
        }
    }

    /// A CANCEL for this INVITE or re-INVITE; the CANCEL itself is answered already.
    pub(crate) fn cancelled(
        self,
        server: ServerId,
        q850: Option<u8>,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        match self {
            Self::Ringing(usage) => usage.cancelled(q850, tx, now),
            Self::Confirmed(mut usage) => {
                usage.cancelled(server, tx, now);
                Some(Self::Confirmed(usage))
            }
            Self::Calling(_) | Self::Closing(_) => Some(self),
        }
    }

    pub(crate) fn timeout(self, tx: &mut Transactions, now: Instant) -> Next {
        match self {
            Self::Calling(usage) => usage.timeout(tx, now),
            Self::Ringing(usage) => Some(usage.timeout(tx, now)),
            Self::Confirmed(usage) => usage.timeout(tx, now),
            Self::Closing(usage) => usage.timeout(tx, now),
        }
    }

    /// The connection by which the dialog lives is gone. Its transactions hear of it themselves.
    pub(crate) fn flow_failed(self, tx: &mut Transactions, now: Instant) -> Next {
        match self {
            Self::Calling(_) => Some(self),
            Self::Ringing(usage) => usage.flow_failed(tx),
            Self::Confirmed(usage) => usage.flow_failed(tx, now),
            Self::Closing(_) => None,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Calling(usage) => usage.deadline(),
            Self::Ringing(usage) => usage.deadline(),
            Self::Confirmed(usage) => usage.deadline(),
            Self::Closing(usage) => usage.deadline(),
        }
    }

    /// Call-ID and our tag: by these an endpoint finds the usage of a request.
    pub(crate) fn call_id_and_tag(&self) -> (&str, &str) {
        match self {
            Self::Calling(usage) => usage.call_id_and_tag(),
            Self::Ringing(usage) => (&usage.dialog().call_id, usage.dialog().local_tag()),
            Self::Confirmed(usage) => (&usage.dialog().call_id, usage.dialog().local_tag()),
            Self::Closing(usage) => (&usage.dialog().call_id, usage.dialog().local_tag()),
        }
    }

    /// The dialog, once there is one.
    pub(crate) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match self {
            Self::Calling(_) => None,
            Self::Ringing(usage) => Some(usage.dialog_mut()),
            Self::Confirmed(usage) => Some(usage.dialog_mut()),
            Self::Closing(usage) => Some(usage.dialog_mut()),
        }
    }

    /// The flow by which it lives.
    pub(crate) fn flow(&self) -> Flow {
        match self {
            Self::Calling(usage) => usage.flow(),
            Self::Ringing(usage) => usage.dialog().flow,
            Self::Confirmed(usage) => usage.dialog().flow,
            Self::Closing(usage) => usage.dialog().flow,
        }
    }
}

impl Transactions {
    /// Sends a request within a dialog. `None` is never seen: what a dialog holds was read before.
    pub(crate) fn send_in_dialog(
        &mut self,
        dialog: &Dialog,
        outline: Outline<'_>,
        usage: Option<InviteId>,
        now: Instant,
    ) -> Option<ClientId> {
        let flow = dialog.next_hop();
        let branch = self.branch();
        let method = outline.method;
        let bytes = draft::request(outline, &flow, branch, &self.config)?;
        Some(self.send(
            Sent {
                method,
                branch,
                flow,
                bytes,
                usage,
            },
            now,
        ))
    }

    /// Acknowledges a 2xx in `client`, now and whenever it comes again (§13.2.2.4).
    pub(crate) fn send_ack(
        &mut self,
        client: ClientId,
        dialog: &Dialog,
        cseq: u32,
        authorization: Vec<(String, String)>,
        body: Option<Bytes>,
    ) {
        let flow = dialog.next_hop();
        let branch = self.branch();
        let outline = draft::in_dialog(dialog, "ACK", cseq, authorization, body);
        if let Some(ack) = draft::request(outline, &flow, branch, &self.config) {
            self.acknowledge(client, dialog.remote_tag(), flow, ack);
        }
    }

    /// Acknowledges and ends the dialog of a 2xx that nobody waits for: a further branch of a fork
    /// (§13.2.2.4), or one that crossed our CANCEL.
    pub(crate) fn hang_up_stray(
        &mut self,
        client: ClientId,
        message: &Message,
        flow: Flow,
        now: Instant,
    ) {
        let mut dialog = Dialog::of_caller(message, flow);
        self.send_ack(client, &dialog, message.cseq().number, vec![], None);
        let cseq = dialog.next_cseq();
        let outline = draft::in_dialog(&dialog, "BYE", cseq, vec![], None);
        self.send_in_dialog(&dialog, outline, None, now);
    }

    /// RFC 3261 §14.2: a second INVITE before the first is answered is told to come again within
    /// ten seconds.
    pub(crate) fn overlap_wait(&mut self) -> u64 {
        self.time_within(
            std::time::Duration::ZERO,
            std::time::Duration::from_secs(10),
        )
        .as_secs()
    }
}

/// The session description of a message.
pub(crate) fn session_of(message: &Message) -> Option<Bytes> {
    (!message.body().is_empty() && message.is_of_type(SDP)).then(|| message.body().clone())
}
