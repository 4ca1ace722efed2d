//! The endpoint: messages and commands in, transmits and events out. It owns all transactions,
//! dialogs and INVITE usages of one SIP element.

pub use crate::command::{Command, Credentials, Input, InviteId, OutgoingInvite, Party};
pub use crate::config::{Config, Timers};
pub use crate::event::{Counts, Effect, Event, IncomingInvite, OfferedCredentials};
pub use crate::flow::{Flow, Transport};

use crate::digest::{self, Challenge, Nonces};
use crate::invite::{Caller, Next, Usage};
use crate::message::reason_phrase;
use crate::overload::Overload;
use crate::reader::{self, Message, Unreadable};
use crate::transaction::key::{Fingerprint, Table};
use crate::transaction::timers::Armed;
use crate::transaction::{Lost, Owner, Transactions, draft, reply_flow};
use rand::rngs::StdRng;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A SIP element without sockets: one input, then drain the effects, then the next input; one timer
/// armed for [`Endpoint::deadline`].
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) tx: Transactions,
    usages: Table<InviteId, Kept>,
    /// Usages by Call-ID and our tag.
    dialogs: Table<Fingerprint, InviteId>,
    /// Usages without terminal event.
    live: usize,
    last_invite: u64,
    pub(crate) draining: bool,
    pub(crate) overload: Overload,
    /// New calls that were refused because there was no room for them.
    pub(crate) without_room: u64,
    /// Made at the first need: nonces are dated.
    nonces: Option<Nonces>,
}

/// A usage in the table.
#[derive(Debug)]
struct Kept {
    usage: Usage,
    dialog: Fingerprint,
    armed: Armed,
}

impl Endpoint {
    /// An endpoint without calls. The random numbers make tags, branches, nonces and Call-IDs: seed
    /// them from the system.
    pub fn new(config: Config, rng: StdRng) -> Self {
        Self {
            overload: Overload::new(config.patience),
            without_room: 0,
            tx: Transactions::new(config, rng),
            usages: Table::default(),
            dialogs: Table::default(),
            live: 0,
            last_invite: 0,
            draining: false,
            nonces: None,
        }
    }

    /// Takes one input. `now` never goes backwards.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Message { flow, bytes } => match reader::read(bytes) {
                Ok(mut message) if message.is_request() => {
                    message.received_from(flow.remote);
                    self.request(&Arc::new(message), flow, now);
                }
                Ok(message) => self.response(&message, flow, now),
                Err(refused) => self.refuse_unreadable(refused, flow),
            },
            Input::FlowFailed { flow } => self.flow_failed(flow, now),
            Input::Command(command) => self.command(command, now),
            Input::Timeout => self.timeout(now),
        }
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.tx.next_effect()
    }

    /// When [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.tx.schedule.deadline()
    }

    /// Whether new calls are refused with 503 and Retry-After; those that live are served.
    pub fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// Notes how long the oldest thing has waited that waits for this endpoint, or for whoever
    /// takes its calls. New calls are shed with 503 and Retry-After when that is too long for a
    /// while.
    pub fn note_age(&mut self, age: Duration, now: Instant) {
        self.overload.note(age, now);
    }

    /// How many calls were shed since the endpoint was made, because work waited too long or there
    /// was no room.
    pub fn shed(&self) -> u64 {
        self.overload.shed() + self.without_room
    }

    /// What lives now.
    pub fn live(&self) -> Counts {
        Counts {
            invites: self.live,
            lingering: self.usages.len() - self.live,
            client_transactions: self.tx.client_count(),
            server_transactions: self.tx.server_count(),
            unsettled: self.tx.unsettled_count(),
            flows: self.tx.flow_count(),
            nonces: self.nonces.as_ref().map_or(0, Nonces::remembered),
            timers: self.tx.schedule.len(),
        }
    }

    /// Whether a call or a transaction lives by this connection.
    pub fn lives_by(&self, flow: &Flow) -> bool {
        !self.tx.owners_by(flow).is_empty()
    }

    pub(crate) fn is_at_capacity(&self) -> bool {
        self.live >= self.tx.config.capacity
    }

    pub(crate) fn next_invite(&mut self) -> InviteId {
        self.last_invite += 2;
        InviteId(self.last_invite)
    }

    /// The usage that a request within a dialog belongs to.
    pub(crate) fn usage_of(&mut self, message: &Message) -> Option<(InviteId, &mut Usage)> {
        let tag = message.to().tag()?;
        let dialog = self.tx.fingerprints.of_dialog(message.call_id(), tag);
        let id = *self.dialogs.get(&dialog)?;
        let usage = &mut self.usages.get_mut(&id)?.usage;
        let theirs = message.from().tag().unwrap_or_default();
        match usage.dialog_mut() {
            Some(dialog) if dialog.remote_tag() != theirs => None,
            Some(_) | None => Some((id, usage)),
        }
    }

    /// Our tag in a dialog; a new one when there is none.
    pub(crate) fn tag_of(&mut self, usage: Option<InviteId>) -> String {
        match usage.and_then(|id| self.usages.get(&id)) {
            Some(kept) => kept.usage.call_id_and_tag().1.to_owned(),
            None => self.tx.word(),
        }
    }

    /// Notes by which way the peer reaches us now. A peer that comes by a new connection, or from
    /// behind a translator that moved it, is answered there.
    pub(crate) fn follow(&mut self, id: InviteId, flow: Flow) {
        let kept = self.usages.get_mut(&id);
        let Some(dialog) = kept.and_then(|kept| kept.usage.dialog_mut()) else {
            return;
        };
        let old = dialog.flow;
        let may_move =
            flow.transport == old.transport && (flow.transport.is_reliable() || dialog.keeps_flow);
        if !may_move || flow == old {
            return;
        }
        dialog.flow = flow;
        if flow.transport.is_reliable() {
            self.tx.leave_flow(&old, Owner::Usage(id));
            self.tx.join_flow(flow, Owner::Usage(id));
        }
    }

    /// Takes a new usage into the tables.
    pub(crate) fn insert(&mut self, id: InviteId, usage: Usage) {
        let (call_id, tag) = usage.call_id_and_tag();
        let dialog = self.tx.fingerprints.of_dialog(call_id, tag);
        self.dialogs.insert(dialog, id);
        let flow = usage.flow();
        if flow.transport.is_reliable() {
            self.tx.join_flow(flow, Owner::Usage(id));
        }
        self.live += 1;
        let mut armed = Armed::default();
        let at = usage.deadline();
        self.tx.schedule.set(Owner::Usage(id), &mut armed, at);
        let kept = Kept {
            usage,
            dialog,
            armed,
        };
        self.usages.insert(id, kept);
    }

    /// Lets a usage take an input, and keeps or forgets what it becomes.
    pub(crate) fn step(
        &mut self,
        id: InviteId,
        input: impl FnOnce(Usage, &mut Transactions) -> Next,
    ) {
        let Some(kept) = self.usages.remove(&id) else {
            return;
        };
        let Kept {
            usage,
            dialog,
            mut armed,
        } = kept;
        let flow = usage.flow();
        let was_live = !usage.is_closing();
        let next = input(usage, &mut self.tx);
        let is_live = next.as_ref().is_some_and(|usage| !usage.is_closing());
        self.live -= usize::from(was_live && !is_live);
        let at = next.as_ref().and_then(Usage::deadline);
        self.tx.schedule.set(Owner::Usage(id), &mut armed, at);
        if let Some(usage) = next {
            let kept = Kept {
                usage,
                dialog,
                armed,
            };
            self.usages.insert(id, kept);
        } else {
            self.dialogs.remove(&dialog);
            self.tx.leave_flow(&flow, Owner::Usage(id));
        }
    }

    fn response(&mut self, message: &Message, flow: Flow, now: Instant) {
        let Some(delivered) = self.tx.response(message, now) else {
            return;
        };
        let is_success = message
            .status()
            .is_some_and(|code| (200..300).contains(&code));
        if let Some(id) = delivered.usage.filter(|id| self.usages.contains_key(id)) {
            self.step(id, |usage, tx| {
                usage.response(delivered.client, message, tx, now)
            });
        } else if message.method() == "INVITE" && is_success {
            self.tx.hang_up_stray(delivered.client, message, flow, now);
        }
    }

    fn refuse_unreadable(&mut self, refused: Unreadable, flow: Flow) {
        let tag = self.tx.word();
        let refusal = draft::refusal_of_unreadable(refused, &flow, &tag, &self.tx.config);
        if let Some((via, bytes)) = refusal {
            self.tx.transmit(reply_flow(&via, flow), bytes);
        }
    }

    fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Invite(invite) => self.invite(*invite, now),
            Command::Challenge { invite, realm } => self.challenge(invite, realm, now),
            Command::Provisional { invite, .. }
            | Command::Accept { invite, .. }
            | Command::Refuse { invite, .. }
            | Command::Reinvite { invite, .. }
            | Command::Acknowledge { invite, .. }
            | Command::End { invite, .. } => {
                self.step(invite, |usage, tx| usage.command(command, tx, now));
            }
        }
    }

    fn challenge(&mut self, invite: InviteId, realm: String, now: Instant) {
        let usage = self.usages.get(&invite).map(|kept| &kept.usage);
        let stale = matches!(usage, Some(Usage::Ringing(u)) if u.was_stale());
        let config = &self.tx.config;
        let (lifetime, room) = (config.nonce_lifetime, config.max_nonces);
        let rng = self.tx.rng();
        let nonces = self
            .nonces
            .get_or_insert_with(|| Nonces::new(rng, now, lifetime, room));
        let challenge = Challenge {
            realm,
            nonce: nonces.issue(rng, now),
            opaque: None,
            algorithm: digest::Algorithm::Md5,
            qop_auth: true,
            stale,
        };
        self.step(invite, |usage, tx| match usage {
            Usage::Ringing(usage) => usage.challenge(&challenge, tx, now),
            Usage::Calling(_) | Usage::Confirmed(_) | Usage::Closing(_) => Some(usage),
        });
    }

    /// The credentials of a request, and whether there are some whose nonce is no longer good.
    pub(crate) fn credentials_in(
        &mut self,
        message: &Message,
        now: Instant,
    ) -> (Option<OfferedCredentials>, bool) {
        let mut offered = message
            .header_values("Authorization")
            .filter_map(|value| digest::Credentials::parse(&value).ok());
        let Some(digest) = offered.next() else {
            return (None, false);
        };
        let is_good = self
            .nonces
            .as_mut()
            .is_some_and(|nonces| nonces.take(&digest, now).is_ok());
        let offered = OfferedCredentials {
            username: digest.username().to_owned(),
            realm: digest.realm().to_owned(),
            digest,
        };
        (is_good.then_some(offered), !is_good)
    }

    fn invite(&mut self, invite: OutgoingInvite, now: Instant) {
        let id = invite.invite;
        if self.usages.contains_key(&id) {
            return;
        }
        let refused = if self.tx.is_full(false) {
            503
        } else if let Some(caller) = Caller::start(invite, &mut self.tx, now) {
            self.insert(id, Usage::Calling(Box::new(caller)));
            return;
        } else {
            400
        };
        self.tx.tell(Event::Refused {
            invite: id,
            status: refused,
            q850: None,
            reason: reason_phrase(refused).to_owned(),
            retry_after: None,
        });
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(owner) = self.tx.pop_due(now) {
            match owner {
                Owner::Client(id) => {
                    let lost = self.tx.client_timeout(id, now);
                    self.lost(lost, now);
                }
                Owner::Server(id) => self.tx.server_timeout(id, now),
                Owner::Usage(id) => {
                    if let Some(kept) = self.usages.get_mut(&id) {
                        kept.armed.fired();
                    }
                    self.step(id, |usage, tx| usage.timeout(tx, now));
                }
            }
        }
    }

    fn lost(&mut self, lost: Option<Lost>, now: Instant) {
        if let Some(lost) = lost {
            self.step(lost.usage, |usage, tx| usage.lost(lost, tx, now));
        }
    }

    /// A connection that is gone takes with it whatever lived by it. After a failed datagram only
    /// the requests that wait for a response are given up: the next one may get through.
    fn flow_failed(&mut self, flow: Flow, now: Instant) {
        for owner in self.tx.owners_by(&flow) {
            match owner {
                Owner::Client(id) => {
                    let lost = self.tx.client_failed(id, now);
                    self.lost(lost, now);
                }
                Owner::Server(id) if flow.transport.is_reliable() => {
                    self.tx.server_failed(id, now);
                }
                Owner::Usage(id) => self.step(id, |usage, tx| usage.flow_failed(tx, now)),
                Owner::Server(_) => {}
            }
        }
    }
}
