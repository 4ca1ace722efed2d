//! The queue of mails: whoever has something to say hands it to the [`Postbox`], and the [`Outbox`]
//! sends what is due. What is in the queue is in the store, so that no restart loses it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use strowger_domain::ids::{AccountId, MailId};
use strowger_domain::mail::{self, Kind, Rendered, Template};
use tokio::sync::Notify;
use uuid::Uuid;

use super::smtp;
use crate::events::http_client::HttpClient;
use crate::net::clock;
use crate::store::mail::{Attempt, Mail, NewMail};
use crate::store::{AccountScope, Store, StoreError};

/// Mails that are sent at the same time.
const AT_A_TIME: usize = 16;

/// The pause after a mail whose attempt could not be noted.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the outbox sleeps at most.
const SLEEP: Duration = Duration::from_mins(1);

/// Why a mail is not in the queue.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// It could not be written into the store.
    #[error("the mail cannot be queued")]
    Store(#[from] StoreError),
    /// No account of the path says by which server mail is sent.
    #[error("no mail server is set for the account or any above it")]
    NoServer,
    /// The account has too many in the queue.
    #[error("too many mails are waiting already")]
    Full,
}

/// Takes mails. Clones put into the same queue.
#[derive(Clone, Debug)]
pub struct Postbox {
    store: Store,
    filled: Arc<Notify>,
}

/// To whom a mail goes, and for which account.
#[derive(Clone, Debug)]
pub struct Addressed<'a> {
    /// The accounts from the root to the one whose mail it is.
    pub path: &'a [AccountId],
    /// Of which kind.
    pub kind: Kind,
    /// To whom.
    pub recipient: String,
}

impl Postbox {
    /// One that fills the queue of this store.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            filled: Arc::new(Notify::new()),
        }
    }

    /// The template that holds, and whose it is; `None`: it is the product's own.
    pub async fn template(
        &self,
        scope: &AccountScope,
        path: &[AccountId],
        kind: Kind,
    ) -> Result<(Option<AccountId>, Template), StoreError> {
        let found = self.store.mail_template(scope, path, kind).await?;
        Ok(match found {
            Some((account, template)) => (Some(account), template),
            None => (None, Template::default_of(kind)),
        })
    }

    /// Writes a mail by its template and puts it into the queue.
    pub async fn post(
        &self,
        scope: &AccountScope,
        to: Addressed<'_>,
        values: &BTreeMap<String, String>,
    ) -> Result<MailId, PostError> {
        let (_, template) = self.template(scope, to.path, to.kind).await?;
        self.put(scope, to, template.render(values)).await
    }

    /// Puts what is written already into the queue.
    pub async fn put(
        &self,
        scope: &AccountScope,
        to: Addressed<'_>,
        content: Rendered,
    ) -> Result<MailId, PostError> {
        let account = *to.path.last().ok_or(StoreError::NotFound)?;
        if self.store.mail_settings(scope, to.path).await?.is_none() {
            return Err(PostError::NoServer);
        }
        let id = MailId::from_uuid(Uuid::now_v7());
        let mail = NewMail {
            id,
            account,
            kind: to.kind,
            recipient: to.recipient,
            content,
            created_at: clock::now().utc,
        };
        if !self.store.queue_mail(scope, mail).await? {
            return Err(PostError::Full);
        }
        self.filled.notify_one();
        Ok(id)
    }
}

/// Sends what is due.
#[derive(Debug)]
pub struct Outbox {
    store: Store,
    http: HttpClient,
    scope: AccountScope,
    filled: Arc<Notify>,
}

impl Outbox {
    /// The other end of a postbox. `scope` is the platform's.
    pub fn new(postbox: &Postbox, http: HttpClient, scope: AccountScope) -> Self {
        Self {
            store: postbox.store.clone(),
            http,
            scope,
            filled: Arc::clone(&postbox.filled),
        }
    }

    /// Sends for as long as the process lives. Each account has one mail under way: whose server
    /// does not answer holds up nobody else.
    pub async fn run(self) {
        let mut sending = FuturesUnordered::new();
        let mut busy = HashSet::new();
        loop {
            let now = clock::now().utc;
            let found = self.look(now, AT_A_TIME - sending.len(), &busy).await;
            let (due, rest) = found.unwrap_or_else(|error| {
                tracing::warn!(%error, "the queue of mails can't be read");
                (Vec::new(), SLEEP)
            });
            for mail in due {
                busy.insert(mail.account);
                sending.push(async { (mail.account, self.attempt(mail).await) });
            }
            tokio::select! {
                Some((account, noted)) = sending.next() => {
                    if let Err(error) = noted {
                        // It may have been sent: it is not tried again and again meanwhile.
                        tracing::error!(%error, account.id = %account, "a mail can't be noted");
                        tokio::time::sleep(PAUSE).await;
                    }
                    busy.remove(&account);
                }
                // Elapsed or woken, there is something to look for.
                _ = tokio::time::timeout(rest, self.filled.notified()) => {}
            }
        }
    }

    /// Up to so many mails that are due, one of an account, and how long nothing else will be.
    async fn look(
        &self,
        now: DateTime<Utc>,
        most: usize,
        busy: &HashSet<AccountId>,
    ) -> Result<(Vec<Mail>, Duration), StoreError> {
        let due = self.store.due_mails(&self.scope, now, most, busy).await?;
        let next = self.store.next_mail_due(&self.scope, now).await?;
        let wait = next.map(|at| (at - now).to_std().unwrap_or_default());
        Ok((due, wait.unwrap_or(SLEEP).min(SLEEP)))
    }

    async fn attempt(&self, mail: Mail) -> Result<(), StoreError> {
        let path = self.store.account_path(&self.scope, mail.account).await?;
        let path: Vec<AccountId> = path.iter().collect();
        let settings = self.store.mail_settings(&self.scope, &path).await?;
        let sent = match &settings {
            Some(settings) => smtp::send(&self.http, settings, &mail)
                .await
                .map_err(|error| (error.is_final(), error.to_string())),
            None => Err((false, PostError::NoServer.to_string())),
        };
        let now = clock::now().utc;
        let age = (now - mail.created_at).to_std().unwrap_or_default();
        let attempt = match sent {
            Ok(()) => Attempt::Sent,
            Err((true, why)) => Attempt::Failed(why),
            Err((false, why)) => match mail::retry(mail.attempts + 1, age) {
                Some(wait) => Attempt::Again(now + wait, why),
                None => Attempt::Failed(why),
            },
        };
        if let Attempt::Failed(why) | Attempt::Again(_, why) = &attempt {
            tracing::info!(mail.id = %mail.id, why, "a mail was not sent");
        }
        self.store
            .note_mail_attempt(&self.scope, mail.id, attempt, now)
            .await
    }
}
