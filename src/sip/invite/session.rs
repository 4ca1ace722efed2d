//! An established call: a confirmed dialog and the re-INVITEs in it (RFC 3261 §14).

mod reinvite;

use self::reinvite::{GLARE_TRIES, Ours, Theirs};
use super::closing::Closing;
use super::{Next, Unacknowledged, Usage, q850_of, session_of};
use crate::command::{Command, Credentials, InviteId};
use crate::dialog::Dialog;
use crate::event::Event;
use crate::reader::Message;
use crate::transaction::draft::{self, Reply};
use crate::transaction::timers::earliest;
use crate::transaction::{ClientId, Lost, Transactions};
use std::time::Instant;

/// Q.850 cause 102, recovery on timer expiry: an ACK that never came.
const RECOVERY_ON_TIMER: u8 = 102;

/// An established call.
#[derive(Debug)]
pub(crate) struct Session {
    id: InviteId,
    dialog: Dialog,
    credentials: Option<Credentials>,
    /// Whether the Call-ID is ours: it decides who waits longer after glare (§14.1).
    we_called: bool,
    /// Our 2xx whose ACK is to come.
    unacknowledged: Option<Unacknowledged>,
    /// Their re-INVITE that the owner is to answer.
    theirs: Option<Theirs>,
    ours: Ours,
}

impl Session {
    pub(super) fn new(
        id: InviteId,
        dialog: Dialog,
        credentials: Option<Credentials>,
        we_called: bool,
    ) -> Self {
        Self {
            id,
            dialog,
            credentials,
            we_called,
            unacknowledged: None,
            theirs: None,
            ours: Ours::Idle,
        }
    }

    pub(super) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(super) fn dialog_mut(&mut self) -> &mut Dialog {
        &mut self.dialog
    }

    /// The 2xx to our INVITE carried the offer.
    pub(super) fn owes_ack(
        &mut self,
        client: ClientId,
        cseq: u32,
        authorization: Vec<(String, String)>,
    ) {
        self.ours = Ours::AckDue {
            client,
            cseq,
            authorization,
        };
    }

    pub(super) fn expects_ack(&mut self, response: Unacknowledged) {
        self.unacknowledged = Some(response);
    }

    pub(super) fn command(
        mut self: Box<Self>,
        command: Command,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        match command {
            Command::Accept { body, .. } => self.accept(body, tx, now),
            Command::Refuse {
                status, headers, ..
            } => {
                if let Some(theirs) = self.theirs.take() {
                    let status = if (300..700).contains(&status) {
                        status
                    } else {
                        488
                    };
                    let reply = Reply {
                        headers: draft::sendable(&headers),
                        ..Reply::new(status)
                    };
                    tx.respond(theirs.server, &reply, now);
                }
            }
            Command::Reinvite { offer, .. } => self.offer(offer, tx, now),
            Command::Acknowledge { body, .. } => self.acknowledge(Some(body), tx),
            Command::End { q850, .. } => return self.end(None, q850, true, tx, now),
            Command::Invite(_) | Command::Provisional { .. } | Command::Challenge { .. } => {}
        }
        Some(Usage::Confirmed(self))
    }

    pub(super) fn ack(
        mut self: Box<Self>,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Usage {
        let awaited = self.unacknowledged.as_ref().map(|response| response.cseq);
        if awaited == Some(message.cseq().number) {
            self.unacknowledged = None;
            tx.tell(Event::Acknowledged {
                invite: self.id,
                body: session_of(message),
            });
            if let Ours::Queued { .. } = &self.ours
                && let Ours::Queued { offer } = std::mem::replace(&mut self.ours, Ours::Idle)
            {
                self.offer(offer, tx, now);
            }
        }
        Usage::Confirmed(self)
    }

    pub(super) fn bye(
        mut self: Box<Self>,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        self.drop_reinvites(tx, now);
        let q850 = q850_of(message);
        tx.tell(Event::Ended {
            invite: self.id,
            status: None,
            q850,
            by_us: false,
        });
        None
    }

    pub(super) fn response(
        mut self: Box<Self>,
        client: ClientId,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        let ours = std::mem::replace(&mut self.ours, Ours::Idle);
        let mut sent = match ours {
            Ours::Sent(sent) if sent.client == client => sent,
            other => {
                self.ours = other;
                if is_other_branch(message, &self.dialog) {
                    tx.hang_up_stray(client, message, self.dialog.flow, now);
                }
                return Some(Usage::Confirmed(self));
            }
        };
        match message.status().unwrap_or_default() {
            ..200 => {
                sent.until = Some(now + tx.config.ring_limit);
                self.ours = Ours::Sent(sent);
            }
            200..300 => self.reinvite_accepted(sent, message, tx),
            status @ (401 | 407) => {
                if !self.tries_again(&sent, message, tx, now) {
                    tx.tell(Event::ReinviteRefused {
                        invite: self.id,
                        status,
                    });
                }
            }
            // §12.2.1.2: the dialog is over.
            status @ (408 | 481) => return self.end(Some(status), None, false, tx, now),
            491 if sent.tries < GLARE_TRIES => {
                let at = now + self.glare_wait(tx);
                self.ours = Ours::Glare {
                    offer: sent.offer,
                    at,
                    tries: sent.tries + 1,
                };
            }
            status @ 300.. => tx.tell(Event::ReinviteRefused {
                invite: self.id,
                status,
            }),
        }
        Some(Usage::Confirmed(self))
    }

    pub(super) fn lost(self: Box<Self>, lost: Lost, tx: &mut Transactions, now: Instant) -> Next {
        match &self.ours {
            Ours::Sent(sent) if sent.client == lost.client => {
                self.end(Some(lost.status), None, false, tx, now)
            }
            Ours::Sent(_)
            | Ours::Idle
            | Ours::Queued { .. }
            | Ours::Glare { .. }
            | Ours::AckDue { .. } => Some(Usage::Confirmed(self)),
        }
    }

    pub(super) fn timeout(mut self: Box<Self>, tx: &mut Transactions, now: Instant) -> Next {
        let given_up = self
            .unacknowledged
            .as_mut()
            .is_some_and(|wait| wait.is_given_up(tx, now));
        if given_up {
            // §13.3.1.4: without an ACK for 64*T1 the dialog is ended by BYE.
            self.unacknowledged = None;
            return self.end(Some(408), Some(RECOVERY_ON_TIMER), true, tx, now);
        }
        match &self.ours {
            Ours::Sent(sent) if sent.until.is_some_and(|until| until <= now) => {
                return self.end(Some(408), None, false, tx, now);
            }
            Ours::Glare { offer, at, tries } if *at <= now => {
                let (offer, tries) = (offer.clone(), *tries);
                if self.theirs.is_some() || self.unacknowledged.is_some() {
                    self.ours = Ours::Glare {
                        offer,
                        at: now + self.glare_wait(tx),
                        tries,
                    };
                } else {
                    self.send_offer(offer, tries, vec![], tx, now);
                }
            }
            Ours::Sent(_)
            | Ours::Glare { .. }
            | Ours::Idle
            | Ours::Queued { .. }
            | Ours::AckDue { .. } => {}
        }
        Some(Usage::Confirmed(self))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let ours = match &self.ours {
            Ours::Sent(sent) => sent.until,
            Ours::Glare { at, .. } => Some(*at),
            Ours::Idle | Ours::Queued { .. } | Ours::AckDue { .. } => None,
        };
        earliest(
            ours,
            self.unacknowledged.as_ref().map(Unacknowledged::deadline),
        )
    }

    pub(super) fn flow_failed(mut self: Box<Self>, tx: &mut Transactions, now: Instant) -> Next {
        self.drop_reinvites(tx, now);
        tx.tell(Event::Ended {
            invite: self.id,
            status: Some(503),
            q850: None,
            by_us: false,
        });
        None
    }

    /// Tells that the call is over and says BYE.
    fn end(
        mut self: Box<Self>,
        status: Option<u16>,
        q850: Option<u8>,
        by_us: bool,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        self.drop_reinvites(tx, now);
        tx.tell(Event::Ended {
            invite: self.id,
            status,
            q850,
            by_us,
        });
        let Self {
            id,
            dialog,
            credentials,
            unacknowledged,
            ..
        } = *self;
        let waits = unacknowledged.filter(|response| response.is_first);
        Closing::start(id, dialog, credentials, q850, waits, tx, now)
    }
}

/// Whether a response is the 2xx of a further branch of the fork that made the dialog.
pub(super) fn is_other_branch(message: &Message, dialog: &Dialog) -> bool {
    message.method() == "INVITE"
        && message
            .status()
            .is_some_and(|status| (200..300).contains(&status))
        && message.to().tag().unwrap_or_default() != dialog.remote_tag()
}
