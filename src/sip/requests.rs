//! What comes in as a request, and what is answered without asking anybody (RFC 3261 §8.2).

use crate::address::NameAddr;
use crate::command::Party;
use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::event::{Event, IncomingInvite};
use crate::flow::Flow;
use crate::inspection::{Refusal, inspect};
use crate::invite::{Answerer, Usage, q850_of, session_of};
use crate::reader::Message;
use crate::transaction::draft::{ABILITIES, Reply, SDP};
use crate::transaction::{Arrival, ServerId};
use crate::uri::Uri;
use std::sync::Arc;
use std::time::Instant;

impl Endpoint {
    pub(crate) fn request(&mut self, message: &Arc<Message>, flow: Flow, now: Instant) {
        // New calls are shed before anything is kept of them (§8.2.7), whatever the reason.
        let takes_none = self.draining || self.is_at_capacity();
        let overload = &mut self.overload;
        let shed = overload.shed();
        let takes = || !takes_none && !overload.sheds();
        let reply = match self.tx.request(message, flow, takes, now) {
            Arrival::Absorbed => return,
            Arrival::Ack => {
                if let Some((id, _)) = self.usage_of(message) {
                    self.step(id, |usage, tx| usage.ack(message, tx, now));
                }
                return;
            }
            Arrival::Full(id) => {
                let is_call = message.method() == "INVITE";
                if is_call && !self.draining && self.overload.shed() == shed {
                    self.without_room += 1;
                }
                let seconds = self.tx.config.retry_after.as_secs();
                let reply = Reply::tagged(503, id.tag());
                let reply = reply.header("Retry-After", seconds.to_string());
                self.tx.respond_statelessly(message, flow, &reply);
                return;
            }
            Arrival::Merged(id) => (id, Some(Reply::new(482))),
            Arrival::New(id) => (id, self.dispatch(id, message, flow, now)),
        };
        if let (id, Some(mut reply)) = reply {
            if reply.to_tag.is_none() {
                reply.to_tag = Some(self.tx.word());
            }
            self.tx.respond(id, &reply, now);
        }
    }

    /// Hands a request to whom it concerns; gives the response when that is nobody.
    fn dispatch(
        &mut self,
        id: ServerId,
        message: &Arc<Message>,
        flow: Flow,
        now: Instant,
    ) -> Option<Reply> {
        match message.method() {
            "CANCEL" => return self.cancel(id, message, now),
            // Who hangs up is heard, whatever else he says.
            "BYE" => {}
            _ => {
                if let Err(refusal) = inspect(message, &ABILITIES) {
                    return Some(refusal.into());
                }
            }
        }
        if message.to().tag().is_some() {
            self.in_dialog(id, message, flow, now)
        } else {
            self.out_of_dialog(id, message, flow, now)
        }
    }

    /// A CANCEL is answered at once; the INVITE that it ends is answered by its usage (§9.2).
    fn cancel(&mut self, id: ServerId, message: &Message, now: Instant) -> Option<Reply> {
        let Some((server, usage)) = self.tx.cancelled_by(message) else {
            return Some(Reply::new(481));
        };
        let tag = self.tag_of(usage);
        self.tx.respond(id, &Reply::tagged(200, tag), now);
        if let Some(usage) = usage.filter(|_| self.tx.is_unanswered(server)) {
            let q850 = q850_of(message);
            self.step(usage, |usage, tx| usage.cancelled(server, q850, tx, now));
        }
        None
    }

    fn in_dialog(
        &mut self,
        id: ServerId,
        message: &Message,
        flow: Flow,
        now: Instant,
    ) -> Option<Reply> {
        let Some((invite, usage)) = self.usage_of(message) else {
            return Some(Reply::new(481));
        };
        if usage.is_closing() && message.method() != "BYE" {
            return Some(Reply::new(481));
        }
        let cseq = message.cseq().number;
        if let Some(dialog) = usage.dialog_mut()
            && dialog.check_cseq(cseq, message.method()).is_err()
        {
            return Some(Reply::new(500));
        }
        self.follow(invite, flow);
        match message.method() {
            "BYE" => self.step(invite, |usage, tx| usage.bye(id, message, tx, now)),
            "INVITE" => {
                self.step(invite, |usage, tx| {
                    Some(usage.reinvite(id, message, tx, now))
                });
            }
            "INFO" if !message.body().is_empty() => return Some(Reply::new(415)),
            "INFO" => return Some(Reply::new(200)),
            _ => return Some(capabilities()),
        }
        None
    }

    fn out_of_dialog(
        &mut self,
        id: ServerId,
        message: &Arc<Message>,
        flow: Flow,
        now: Instant,
    ) -> Option<Reply> {
        match message.method() {
            "OPTIONS" => Some(capabilities()),
            "INVITE" if message.max_forwards() == Some(0) => Some(Reply::new(483)),
            "INVITE" => self.invited(id, message, flow, now),
            _ => Some(Reply::new(481)),
        }
    }

    fn invited(
        &mut self,
        id: ServerId,
        message: &Arc<Message>,
        flow: Flow,
        now: Instant,
    ) -> Option<Reply> {
        let tag = self.tx.word();
        let Some(dialog) = Dialog::of_answerer(message, &tag, flow) else {
            return Some(Reply::new(400).header("Warning", "399 - \"Contact is missing\""));
        };
        self.tx.respond(id, &Reply::new(100), now);
        let (credentials, was_stale) = self.credentials_in(message, now);
        let invite = self.next_invite();
        self.tx.assign(id, invite);
        let answerer = Answerer::new(invite, id, dialog, was_stale);
        self.insert(invite, Usage::Ringing(Box::new(answerer)));
        let request = Box::new(IncomingInvite {
            flow,
            request_uri: message
                .request_uri()
                .map(ToString::to_string)
                .unwrap_or_default(),
            user: message.request_uri().map(number_of).unwrap_or_default(),
            from: party_of(message.from()),
            to: party_of(message.to()),
            p_asserted_identity: identities_of(message),
            call_id: message.call_id().to_owned(),
            message: Arc::clone(message),
            offer: session_of(message),
            credentials,
        });
        self.tx.tell(Event::Invited { invite, request });
        None
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let headers = refusal
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Self {
            headers: headers.collect(),
            ..Self::new(refusal.status)
        }
    }
}

/// The answer to OPTIONS (§11.2).
fn capabilities() -> Reply {
    Reply::new(200)
        .header("Accept", SDP)
        .header("Accept-Encoding", "identity")
}

/// The dialled number: the user part without parameters and escapes.
fn number_of(uri: &Uri) -> String {
    let user = uri.unescaped_user().unwrap_or_default();
    user.split(';').next().unwrap_or_default().to_owned()
}

fn party_of(address: &NameAddr) -> Party {
    Party {
        display: address.display().map(ToOwned::to_owned),
        uri: address.uri().to_string(),
    }
}

fn identities_of(message: &Message) -> Vec<Party> {
    let values = message.header_list("P-Asserted-Identity");
    values
        .iter()
        .filter_map(|value| NameAddr::parse(value).ok())
        .map(|a| party_of(&a))
        .collect()
}
