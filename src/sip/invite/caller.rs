//! A call of ours that has no final response.

use super::credentials::authorization_for;
use super::session::Session;
use super::{Next, Usage, q850_of, reason, session_of};
use crate::address::NameAddr;
use crate::command::{Command, Credentials, InviteId, OutgoingInvite, Party};
use crate::dialog::Dialog;
use crate::event::Event;
use crate::flow::Flow;
use crate::reader::Message;
use crate::transaction::draft::{self, Outline};
use crate::transaction::{ClientId, Lost, Sent, Transactions};
use crate::uri::Uri;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// An INVITE of ours without final response.
#[derive(Debug)]
pub(crate) struct Caller {
    id: InviteId,
    client: ClientId,
    invitation: Invitation,
    cseq: u32,
    /// Our answer to a challenge; one is enough.
    authorization: Vec<(String, String)>,
    ring_until: Option<Instant>,
}

/// What the INVITE says, for a second try with credentials.
#[derive(Debug)]
struct Invitation {
    flow: Flow,
    uri: Uri,
    routes: Vec<NameAddr>,
    from: NameAddr,
    to: NameAddr,
    call_id: String,
    headers: Vec<(String, String)>,
    offer: Bytes,
    credentials: Option<Credentials>,
}

impl Caller {
    /// Sends the INVITE. `None`: something in it can't be sent.
    pub(crate) fn start(
        invite: OutgoingInvite,
        tx: &mut Transactions,
        now: Instant,
    ) -> Option<Self> {
        let id = invite.invite;
        let invitation = Invitation::new(invite, tx)?;
        let client = invitation.send(id, 1, vec![], tx, now)?;
        Some(Self {
            id,
            client,
            invitation,
            cseq: 1,
            authorization: vec![],
            ring_until: None,
        })
    }

    pub(super) fn command(
        self: Box<Self>,
        command: &Command,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        let Command::End { q850, .. } = *command else {
            return Some(Usage::Calling(self));
        };
        tx.cancel(self.client, q850.map(reason::reason_value), now);
        tx.tell(Event::Ended {
            invite: self.id,
            status: Some(487),
            q850,
            by_us: true,
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
        if client != self.client {
            return Some(Usage::Calling(self));
        }
        let invite = self.id;
        match message.status().unwrap_or_default() {
            ..101 => self.ring_until = Some(now + tx.config.ring_limit),
            status @ 101..200 => {
                self.ring_until = Some(now + tx.config.ring_limit);
                tx.tell(Event::Provisional {
                    invite,
                    status,
                    body: session_of(message),
                });
            }
            200..300 => return Some(self.confirm(message, tx)),
            status @ 300.. => {
                if matches!(status, 401 | 407) && self.tries_again(message, tx, now) {
                    return Some(Usage::Calling(self));
                }
                tx.tell(Event::Refused {
                    invite,
                    status,
                    q850: q850_of(message),
                    reason: message.reason().to_owned(),
                    retry_after: retry_after(message),
                });
                return None;
            }
        }
        Some(Usage::Calling(self))
    }

    pub(super) fn lost(self: Box<Self>, lost: Lost, tx: &mut Transactions) -> Next {
        if lost.client != self.client {
            return Some(Usage::Calling(self));
        }
        self.give_up(lost.status, tx)
    }

    /// The answerer hangs up before its 2xx has reached us: whatever comes yet is cancelled.
    pub(super) fn bye(
        self: Box<Self>,
        message: &Message,
        tx: &mut Transactions,
        now: Instant,
    ) -> Next {
        tx.cancel(self.client, None, now);
        let q850 = q850_of(message);
        tx.tell(Event::Ended {
            invite: self.id,
            status: None,
            q850,
            by_us: false,
        });
        None
    }

    pub(super) fn timeout(self: Box<Self>, tx: &mut Transactions, now: Instant) -> Next {
        if self.ring_until.is_none_or(|until| now < until) {
            return Some(Usage::Calling(self));
        }
        tx.cancel(self.client, None, now);
        self.give_up(408, tx)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ring_until
    }

    pub(super) fn call_id_and_tag(&self) -> (&str, &str) {
        (
            &self.invitation.call_id,
            self.invitation.from.tag().unwrap_or_default(),
        )
    }

    pub(super) fn flow(&self) -> Flow {
        self.invitation.flow
    }

    fn give_up(self: Box<Self>, status: u16, tx: &mut Transactions) -> Next {
        tx.tell(Event::Refused {
            invite: self.id,
            status,
            q850: None,
            reason: crate::message::reason_phrase(status).to_owned(),
            retry_after: None,
        });
        None
    }

    /// Answers a challenge, once (§22.2, §22.3).
    fn tries_again(&mut self, message: &Message, tx: &mut Transactions, now: Instant) -> bool {
        let Some(credentials) = &self.invitation.credentials else {
            return false;
        };
        if !self.authorization.is_empty() {
            return false;
        }
        let uri = self.invitation.uri.as_str();
        let Some(header) = authorization_for(message, credentials, "INVITE", uri, tx) else {
            return false;
        };
        let sent = self
            .invitation
            .send(self.id, self.cseq + 1, vec![header.clone()], tx, now);
        let Some(client) = sent else { return false };
        self.client = client;
        self.cseq += 1;
        self.authorization = vec![header];
        self.ring_until = None;
        true
    }

    fn confirm(self: Box<Self>, message: &Message, tx: &mut Transactions) -> Usage {
        let Self {
            id,
            client,
            invitation,
            cseq,
            authorization,
            ..
        } = *self;
        let mut dialog = Dialog::of_caller(message, invitation.flow);
        dialog.local = invitation.from;
        dialog.local_cseq = cseq;
        let mut session = Session::new(id, dialog, invitation.credentials, true);
        if invitation.offer.is_empty() {
            session.owes_ack(client, cseq, authorization);
        } else {
            tx.send_ack(client, session.dialog(), cseq, authorization, None);
        }
        tx.tell(Event::Accepted {
            invite: id,
            body: session_of(message),
        });
        Usage::Confirmed(Box::new(session))
    }
}

impl Invitation {
    fn new(invite: OutgoingInvite, tx: &mut Transactions) -> Option<Self> {
        let routes = invite
            .route
            .iter()
            .map(|route| route_of(route))
            .collect::<Option<_>>()?;
        let mut headers = draft::sendable(&invite.headers);
        if let Some(identity) = &invite.p_asserted_identity {
            let identity = NameAddr::new(None, Uri::parse(identity).ok()?).ok()?;
            headers.push(("P-Asserted-Identity".to_owned(), identity.to_string()));
        }
        let call_id = match invite.call_id {
            Some(call_id) => call_id,
            None => tx.word() + &tx.word(),
        };
        Some(Self {
            flow: invite.flow,
            uri: Uri::parse(&invite.request_uri).ok()?,
            routes,
            from: address_of(&invite.from)?.with_tag(&tx.word()).ok()?,
            to: address_of(&invite.to)?,
            call_id,
            headers,
            offer: invite.offer,
            credentials: invite.credentials,
        })
    }

    fn send(
        &self,
        id: InviteId,
        cseq: u32,
        authorization: Vec<(String, String)>,
        tx: &mut Transactions,
        now: Instant,
    ) -> Option<ClientId> {
        let branch = tx.branch();
        let mut headers = self.headers.clone();
        headers.extend(authorization);
        let outline = Outline {
            method: "INVITE",
            uri: self.uri.clone(),
            routes: self.routes.clone(),
            from: &self.from,
            to: &self.to,
            call_id: &self.call_id,
            cseq,
            headers,
            body: Some(self.offer.clone()),
        };
        let bytes = draft::request_of_owner(outline, &self.flow, branch, &tx.config)?;
        let sent = Sent {
            method: "INVITE",
            branch,
            flow: self.flow,
            bytes,
            usage: Some(id),
        };
        Some(tx.send(sent, now))
    }
}

fn address_of(party: &Party) -> Option<NameAddr> {
    NameAddr::new(party.display.as_deref(), Uri::parse(&party.uri).ok()?).ok()
}

/// A member of a pre-loaded route set: a URI, or an address in brackets.
fn route_of(text: &str) -> Option<NameAddr> {
    if text.contains('<') {
        return NameAddr::parse(text).ok();
    }
    NameAddr::new(None, Uri::parse(text).ok()?).ok()
}

/// RFC 3261 §20.33: seconds, maybe with a comment and parameters.
fn retry_after(message: &Message) -> Option<Duration> {
    let value = message.header("Retry-After")?;
    let digits: String = value
        .trim()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits
        .parse::<u32>()
        .ok()
        .map(|seconds| Duration::from_secs(seconds.into()))
}
