//! A call of theirs that has no final response.

use super::session::Session;
use super::{Next, Unacknowledged, Usage, q850_of, reason};
use crate::command::{Command, InviteId};
use crate::dialog::Dialog;
use crate::digest::Challenge;
use crate::event::Event;
use crate::flow::Flow;
use crate::reader::Message;
use crate::transaction::draft::{self, Reply};
use crate::transaction::{ServerId, Transactions};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// An INVITE of theirs without final response.
#[derive(Debug)]
pub(crate) struct Answerer {
    id: InviteId,
    server: ServerId,
    dialog: Dialog,
    /// The `CSeq` number of the INVITE: its ACK has the same.
    cseq: u32,
    /// It came with credentials whose nonce is no longer good.
    was_stale: bool,
    /// The provisional response that is repeated, and when.
    ringing: Option<(Reply, Instant)>,
}

impl Answerer {
    pub(crate) fn new(id: InviteId, server: ServerId, dialog: Dialog, was_stale: bool) -> Self {
        let cseq = dialog.remote_cseq.unwrap_or_default();
        Self {
            id,
            server,
            dialog,
            cseq,
            was_stale,
            ringing: None,
        }
    }

    pub(crate) fn was_stale(&self) -> bool {
        self.was_stale
    }

    pub(super) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(super) fn dialog_mut(&mut self) -> &mut Dialog {
        &mut self.dialog
    }

    pub(super) fn command(
        mut self: Box<Self>,
        command: Command,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        match command {
            Command::Provisional { status, body, .. } => {
                if (101..200).contains(&status) {
                    let reply = Reply {
                        body,
                        ..self.reply_with_contact(status)
                    };
                    tx.respond(self.server, &reply, now);
                    self.ringing = Some((
                        reply,
                        now + tx.config.provisional_interval.max(Duration::from_secs(1)),
                    ));
                }
                Some(Usage::Ringing(self))
            }
            Command::Accept { body, .. } => Some(self.accept(body, tx, now)),
            Command::Refuse {
                status, headers, ..
            } => {
                let status = refusal(status);
                let reply = Reply {
                    headers: draft::sendable(&headers),
                    ..Reply::tagged(status, self.dialog.local_tag())
                };
                self.refuse(&reply, None, tx, now)
            }
            Command::End { status, q850, .. } => {
                let reply = Reply {
                    headers: reason::reason_header(q850),
                    ..Reply::tagged(refusal(status), self.dialog.local_tag())
                };
                self.refuse(&reply, q850, tx, now)
            }
            Command::Invite(_)
            | Command::Reinvite { .. }
            | Command::Acknowledge { .. }
            | Command::Challenge { .. } => Some(Usage::Ringing(self)),
        }
    }

    /// Sends a refusal: the usage is over.
    pub(crate) fn refuse(
        self: Box<Self>,
        reply: &Reply,
        q850: Option<u8>,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        tx.respond(self.server, reply, now);
        let status = Some(reply.status);
        tx.tell(Event::Ended {
            invite: self.id,
            status,
            q850,
            by_us: true,
        });
        None
    }

    /// A refusal that asks for credentials.
    pub(crate) fn challenge(
        self: Box<Self>,
        challenge: &Challenge,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        let reply = Reply::tagged(401, self.dialog.local_tag());
        let reply = reply.header("WWW-Authenticate", challenge.to_string());
        self.refuse(&reply, None, tx, now)
    }

    pub(super) fn cancelled(
        self: Box<Self>,
        q850: Option<u8>,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        let reply = Reply::tagged(487, self.dialog.local_tag());
        tx.respond(self.server, &reply, now);
        tx.tell(Event::Ended {
            invite: self.id,
            status: Some(487),
            q850,
            by_us: false,
        });
        None
    }

    /// A BYE in the early dialog ends the INVITE too (§15.1.2).
    pub(super) fn bye(
        self: Box<Self>,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        let q850 = q850_of(message);
        self.cancelled(q850, tx, now)
    }

    /// §13.3.1.1: proxies cancel what is silent for three minutes.
    pub(super) fn timeout(mut self: Box<Self>, tx: &mut Transactions, now: Instant) -> Usage {
        if let Some((reply, at)) = &mut self.ringing
            && *at <= now
        {
            tx.respond(self.server, reply, now);
            *at = now + tx.config.provisional_interval.max(Duration::from_secs(1));
        }
        Usage::Ringing(self)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ringing.as_ref().map(|(_, at)| *at)
    }

    pub(super) fn flow_failed(self: Box<Self>, tx: &mut Transactions) -> Next {
        tx.tell(Event::Ended {
            invite: self.id,
            status: Some(503),
            q850: None,
            by_us: false,
        });
        None
    }

    fn accept(self: Box<Self>, body: Option<Bytes>, tx: &mut Transactions, now: Instant) -> Usage {
        let reply = Reply {
            body,
            ..self.reply_with_contact(200)
        };
        let flow: Option<Flow> = tx.reply_flow(self.server);
        let response = tx.respond(self.server, &reply, now);
        let Self {
            id, dialog, cseq, ..
        } = *self;
        let mut session = Session::new(id, dialog, None, false);
        if let (Some(response), Some(flow)) = (response, flow) {
            session.expects_ack(Unacknowledged::start(cseq, response, flow, true, tx, now));
        }
        Usage::Confirmed(Box::new(session))
    }

    fn reply_with_contact(&self, status: u16) -> Reply {
        Reply {
            contact: Some(self.dialog.flow),
            ..Reply::tagged(status, self.dialog.local_tag())
        }
    }
}

/// A status that refuses: what is none becomes 480.
fn refusal(status: u16) -> u16 {
    if (300..700).contains(&status) {
        status
    } else {
        480
    }
}
