//! An established call: a confirmed dialog and the re-INVITEs in it (RFC 3261 §14).

use super::closing::Closing;
use super::credentials::authorization_for;
use super::{Next, Unacknowledged, Usage, q850_of, session_of};
use crate::command::{Command, Credentials, InviteId};
use crate::dialog::{Dialog, contact_of};
use crate::event::Event;
use crate::reader::Message;
use crate::transaction::draft::{self, Reply};
use crate::transaction::timers::earliest;
use crate::transaction::{ClientId, Lost, ServerId, Transactions};
use crate::uri::Uri;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Q.850 cause 102, recovery on timer expiry: an ACK that never came.
const RECOVERY_ON_TIMER: u8 = 102;

/// How often a re-INVITE is sent again after 491 before the owner is told.
const GLARE_TRIES: u32 = 5;

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

#[derive(Debug)]
struct Theirs {
    server: ServerId,
    cseq: u32,
    target: Option<Uri>,
}

/// How far a re-INVITE of ours is.
#[derive(Debug)]
enum Ours {
    Idle,
    /// It waits for the ACK of our 2xx: no INVITE while another is in progress (§14.1).
    Queued {
        offer: Bytes,
    },
    Sent(SentOffer),
    /// 491 came: it is sent again later.
    Glare {
        offer: Bytes,
        at: Instant,
        tries: u32,
    },
    /// A 2xx with an offer came: the ACK waits for the owner's answer.
    AckDue {
        client: ClientId,
        cseq: u32,
        authorization: Vec<(String, String)>,
    },
}

#[derive(Debug)]
struct SentOffer {
    client: ClientId,
    cseq: u32,
    offer: Bytes,
    authorization: Vec<(String, String)>,
    /// How often 491 came before.
    tries: u32,
    /// After a provisional response: when to stop waiting for the final one.
    until: Option<Instant>,
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

    /// A re-INVITE of theirs (§14.2).
    pub(super) fn reinvited(
        &mut self,
        server: ServerId,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) {
        if self.theirs.is_some() {
            let seconds = tx.overlap_wait();
            let reply = Reply::new(500).header("Retry-After", seconds.to_string());
            tx.respond(server, &reply, now);
            return;
        }
        let busy = matches!(self.ours, Ours::Sent(_) | Ours::AckDue { .. });
        if busy || self.unacknowledged.is_some() {
            tx.respond(server, &Reply::new(491), now);
            return;
        }
        tx.respond(server, &Reply::new(100), now);
        tx.assign(server, self.id);
        let cseq = message.cseq().number;
        self.theirs = Some(Theirs {
            server,
            cseq,
            target: contact_of(message),
        });
        tx.tell(Event::Reinvited {
            invite: self.id,
            offer: session_of(message),
        });
    }

    /// A CANCEL of theirs.
    pub(super) fn cancelled(&mut self, server: ServerId, tx: &mut Transactions, now: Instant) {
        if self
            .theirs
            .as_ref()
            .is_some_and(|theirs| theirs.server == server)
        {
            self.theirs = None;
            tx.respond(server, &Reply::new(487), now);
            tx.tell(Event::ReinviteCancelled { invite: self.id });
        }
    }

    pub(super) fn ack(
        mut self: Box<Self>,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
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
        Some(Usage::Confirmed(self))
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

    pub(super) fn flow_failed(self: Box<Self>, tx: &mut Transactions) -> Next {
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

    /// Leaves no re-INVITE open, ours or theirs.
    fn drop_reinvites(&mut self, tx: &mut Transactions, now: Instant) {
        if let Some(theirs) = self.theirs.take() {
            tx.respond(theirs.server, &Reply::new(487), now);
        }
        self.acknowledge(None, tx);
        if let Ours::Sent(sent) = std::mem::replace(&mut self.ours, Ours::Idle) {
            tx.abandon(sent.client, now);
        }
    }

    /// Accepts their re-INVITE.
    fn accept(&mut self, body: Option<Bytes>, tx: &mut Transactions, now: Instant) {
        let Some(theirs) = self.theirs.take() else {
            return;
        };
        self.dialog.refresh(theirs.target);
        let contact = draft::contact(&self.dialog.flow, &tx.config);
        let reply = Reply {
            body,
            contact,
            ..Reply::new(200)
        };
        let flow = tx.reply_flow(theirs.server);
        if let (Some(response), Some(flow)) = (tx.respond(theirs.server, &reply, now), flow) {
            let wait = Unacknowledged::start(theirs.cseq, response, flow, false, tx, now);
            self.unacknowledged = Some(wait);
        }
    }

    /// The owner wants to change the session.
    fn offer(&mut self, offer: Bytes, tx: &mut Transactions, now: Instant) {
        if !matches!(self.ours, Ours::Idle) || self.theirs.is_some() {
            tx.tell(Event::ReinviteRefused {
                invite: self.id,
                status: 491,
            });
        } else if self.unacknowledged.is_some() {
            self.ours = Ours::Queued { offer };
        } else {
            self.send_offer(offer, 0, vec![], tx, now);
        }
    }

    fn send_offer(
        &mut self,
        offer: Bytes,
        tries: u32,
        authorization: Vec<(String, String)>,
        tx: &mut Transactions,
        now: Instant,
    ) {
        let cseq = self.dialog.next_cseq();
        let outline = draft::in_dialog(
            &self.dialog,
            "INVITE",
            cseq,
            authorization.clone(),
            Some(offer.clone()),
        );
        self.ours = match tx.send_in_dialog(&self.dialog, outline, Some(self.id), now) {
            Some(client) => Ours::Sent(SentOffer {
                client,
                cseq,
                offer,
                authorization,
                tries,
                until: None,
            }),
            None => {
                tx.tell(Event::ReinviteRefused {
                    invite: self.id,
                    status: 488,
                });
                Ours::Idle
            }
        };
    }

    fn reinvite_accepted(&mut self, sent: SentOffer, message: &Message, tx: &mut Transactions) {
        self.dialog.refresh(contact_of(message));
        let SentOffer {
            client,
            cseq,
            offer,
            authorization,
            ..
        } = sent;
        if offer.is_empty() {
            self.ours = Ours::AckDue {
                client,
                cseq,
                authorization,
            };
        } else {
            tx.send_ack(client, &self.dialog, cseq, authorization, None);
        }
        tx.tell(Event::Accepted {
            invite: self.id,
            body: session_of(message),
        });
    }

    /// Sends the ACK that waited for our answer.
    fn acknowledge(&mut self, body: Option<Bytes>, tx: &mut Transactions) {
        match std::mem::replace(&mut self.ours, Ours::Idle) {
            Ours::AckDue {
                client,
                cseq,
                authorization,
            } => {
                tx.send_ack(client, &self.dialog, cseq, authorization, body);
            }
            other => self.ours = other,
        }
    }

    /// Answers a challenge to a re-INVITE, once.
    fn tries_again(
        &mut self,
        sent: &SentOffer,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> bool {
        let Some(credentials) = &self.credentials else {
            return false;
        };
        if !sent.authorization.is_empty() {
            return false;
        }
        let (uri, _) = self.dialog.target_and_routes();
        let Some(header) = authorization_for(message, credentials, "INVITE", uri.as_str(), tx)
        else {
            return false;
        };
        self.send_offer(sent.offer.clone(), sent.tries, vec![header], tx, now);
        true
    }

    /// §14.1: who made the Call-ID waits 2.1 to 4 seconds, the other one 0 to 2.
    fn glare_wait(&self, tx: &mut Transactions) -> Duration {
        if self.we_called {
            tx.time_within(Duration::from_millis(2_100), Duration::from_secs(4))
        } else {
            tx.time_within(Duration::from_millis(10), Duration::from_secs(2))
        }
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
