//! Re-INVITEs of an established call, ours and theirs (RFC 3261 §14).

use super::Session;
use crate::dialog::contact_of;
use crate::event::Event;
use crate::invite::credentials::authorization_for;
use crate::invite::{Unacknowledged, session_of};
use crate::reader::Message;
use crate::transaction::draft::{self, Reply};
use crate::transaction::{ClientId, ServerId, Transactions};
use crate::uri::Uri;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// How often a re-INVITE is sent again after 491 before the owner is told.
pub(super) const GLARE_TRIES: u32 = 5;

/// Their re-INVITE that the owner is to answer.
#[derive(Debug)]
pub(super) struct Theirs {
    pub(super) server: ServerId,
    pub(super) cseq: u32,
    pub(super) target: Option<Uri>,
}

/// How far a re-INVITE of ours is.
#[derive(Debug)]
pub(super) enum Ours {
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

/// A re-INVITE without final response.
#[derive(Debug)]
pub(super) struct SentOffer {
    pub(super) client: ClientId,
    pub(super) cseq: u32,
    pub(super) offer: Bytes,
    pub(super) authorization: Vec<(String, String)>,
    /// How often 491 came before.
    pub(super) tries: u32,
    /// After a provisional response: when to stop waiting for the final one.
    pub(super) until: Option<Instant>,
}

impl Session {
    /// Leaves no re-INVITE open, ours or theirs.
    pub(super) fn drop_reinvites(&mut self, tx: &mut Transactions, now: Instant) {
        if let Some(theirs) = self.theirs.take() {
            tx.respond(theirs.server, &Reply::new(487), now);
        }
        self.acknowledge(None, tx);
        if let Ours::Sent(sent) = std::mem::replace(&mut self.ours, Ours::Idle) {
            tx.abandon(sent.client, now);
        }
    }

    /// Accepts their re-INVITE.
    pub(super) fn accept(&mut self, body: Option<Bytes>, tx: &mut Transactions, now: Instant) {
        let Some(theirs) = self.theirs.take() else {
            return;
        };
        self.dialog.refresh(theirs.target);
        let reply = Reply {
            contact: Some(self.dialog.flow),
            body,
            ..Reply::new(200)
        };
        let flow = tx.reply_flow(theirs.server);
        if let (Some(response), Some(flow)) = (tx.respond(theirs.server, &reply, now), flow) {
            let wait = Unacknowledged::start(theirs.cseq, response, flow, false, tx, now);
            self.unacknowledged = Some(wait);
        }
    }

    /// The owner wants to change the session.
    pub(super) fn offer(&mut self, offer: Bytes, tx: &mut Transactions, now: Instant) {
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

    pub(super) fn send_offer(
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
        self.ours = Ours::Idle;
        if let Some(client) = tx.send_in_dialog(&self.dialog, outline, Some(self.id), now) {
            let until = None;
            self.ours = Ours::Sent(SentOffer {
                client,
                cseq,
                offer,
                authorization,
                tries,
                until,
            });
        } else {
            tx.tell(Event::ReinviteRefused {
                invite: self.id,
                status: 488,
            });
        }
    }

    pub(super) fn reinvite_accepted(
        &mut self,
        sent: SentOffer,
        message: &Message,
        tx: &mut Transactions,
    ) {
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
    pub(super) fn acknowledge(&mut self, body: Option<Bytes>, tx: &mut Transactions) {
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
    pub(super) fn tries_again(
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
    pub(super) fn glare_wait(&self, tx: &mut Transactions) -> Duration {
        if self.we_called {
            tx.time_within(Duration::from_millis(2_100), Duration::from_secs(4))
        } else {
            tx.time_within(Duration::from_millis(10), Duration::from_secs(2))
        }
    }

    /// A re-INVITE of theirs (§14.2).
    pub(in crate::invite) fn reinvited(
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
    pub(in crate::invite) fn cancelled(
        &mut self,
        server: ServerId,
        tx: &mut Transactions,
        now: Instant,
    ) {
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
}
