//! The channels of all accounts, and a call's share of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use actix::{Message, Recipient};
use strowger_domain::account::{AccountPath, AccountTree, Limits};
use strowger_domain::ids::AccountId;
use strowger_domain::limits::{Admission, Refusal, Ticket};

/// An account that had no free channel has some.
#[derive(Message, Debug, Clone, Copy, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct ChannelsFreed {
    /// Which.
    pub account: AccountId,
    /// How many.
    pub channels: u32,
}

/// The channels of all accounts: who may have how many calls, and how many there are.
///
/// They stand outside of the actors, behind a lock that is held for a moment, so that calls keep
/// theirs whichever actor is made again, and give them back on their own thread.
#[derive(Clone, Default)]
pub struct Channels(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    admission: Admission,
    /// Who waits for a channel of an account.
    waiting: HashMap<AccountId, Recipient<ChannelsFreed>>,
}

impl Channels {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets an account's own limits. Calls above a lowered limit go on.
    pub fn set(&self, account: AccountId, limits: Limits) {
        self.inner().admission.set(account, limits);
    }

    /// Forgets the accounts that are no longer there.
    pub fn forget_all_but(&self, tree: &AccountTree) {
        let mut inner = self.inner();
        inner
            .admission
            .retain(|account| tree.get(account).is_some());
    }

    /// Takes a channel of every account of a path, or says who has reached what.
    pub fn take(&self, path: &AccountPath, now: Instant) -> Result<CallTicket, Refusal> {
        let ticket = self.inner().admission.admit(path, now)?;
        Ok(CallTicket {
            ticket: Some(ticket),
            channels: self.clone(),
        })
    }

    /// Tells somebody, once, when a channel of this account is free.
    pub fn tell_when_free(&self, account: AccountId, whom: Recipient<ChannelsFreed>) {
        self.inner().waiting.insert(account, whom);
    }

    /// How many calls there are. Zero when no call lives.
    pub fn taken(&self) -> usize {
        self.inner().admission.held()
    }

    /// The calls of an account and all below it.
    pub fn calls(&self, account: AccountId) -> u32 {
        self.inner().admission.calls(account)
    }

    /// Those of them that began within the last second, where that is limited.
    pub fn new_calls(&self, account: AccountId, now: Instant) -> u32 {
        self.inner().admission.new_calls(account, now)
    }

    fn give_back(&self, ticket: Ticket) {
        let mut freed = Vec::new();
        {
            let mut inner = self.inner();
            let Some(path) = inner.admission.give_back(ticket) else {
                return;
            };
            if inner.waiting.is_empty() {
                return;
            }
            for account in path.iter() {
                if let Some(whom) = inner.waiting.remove(&account) {
                    let channels = inner.admission.free(account).unwrap_or(1);
                    freed.push((whom, ChannelsFreed { account, channels }));
                }
            }
        }
        for (whom, news) in freed {
            whom.do_send(news);
        }
    }
}

/// A ticket in its holder's hands; dropping it gives it back, also when the holder panicked.
pub struct CallTicket {
    ticket: Option<Ticket>,
    channels: Channels,
}

impl Drop for CallTicket {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.channels.give_back(ticket);
        }
    }
}
