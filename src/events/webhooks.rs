//! Sends events to webhooks: a task for each webhook that is active, and one that wakes them.
//!
//! What a webhook gets is taken from the log of events, and how far it has come is kept in the store,
//! so that neither a crash nor an endpoint that is away loses anything. When something is sent is
//! decided by [`strowger_domain::webhook::Endpoint`]. None of this stands in the way of calls: they
//! hand their events to the writer and know of no webhook.

mod attempt;
mod courier;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono::TimeDelta;
use strowger_domain::ids::{AccountId, WebhookId};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

pub use attempt::{Outcome, Sender};
pub use courier::delivery;
use courier::{Courier, News};

use super::http_client::HttpClient;
use crate::net::clock;
use crate::store::webhooks::Webhook;
use crate::store::{AccountScope, Store, StoreError, Writer};

/// Deliveries that wait no longer are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(30);
/// How often old deliveries are forgotten.
const TIDY: Duration = Duration::from_hours(1);
/// The pause after the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Bundles of events that are looked at together.
const AT_A_TIME: u64 = 5_000;

/// Tells the couriers what changed, and sends what is tried by hand. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    changes: mpsc::UnboundedSender<WebhookId>,
    sender: Sender,
}

impl Webhooks {
    /// The handle, and the task that sends, which is to be run where it delays no call. It ends when
    /// the last handle is dropped.
    pub fn new(
        store: Store,
        writer: Writer,
        http: HttpClient,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (changes, told) = mpsc::unbounded_channel();
        let sender = Sender::new(http);
        let dispatcher = Dispatcher {
            written: writer.written(),
            means: Means {
                store,
                writer,
                sender: sender.clone(),
            },
            changed: told,
            couriers: HashMap::new(),
            tasks: JoinSet::new(),
            stale: BTreeSet::new(),
            has_begun: false,
            read: 0,
        };
        (Self { changes, sender }, dispatcher.run())
    }

    /// A webhook was made, changed or removed, or is to send something again.
    pub fn changed(&self, webhook: WebhookId) {
        // An error means that the end is near: the next start reads what is stored.
        let _ = self.changes.send(webhook);
    }

    /// What sends.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }
}

/// What a courier works with.
#[derive(Clone)]
struct Means {
    store: Store,
    writer: Writer,
    sender: Sender,
}

/// A webhook's courier, seen from outside.
struct Running {
    account: AccountId,
    includes_descendants: bool,
    news: mpsc::UnboundedSender<News>,
    task: AbortHandle,
}

struct Dispatcher {
    means: Means,
    changed: mpsc::UnboundedReceiver<WebhookId>,
    written: watch::Receiver<u64>,
    couriers: HashMap<WebhookId, Running>,
    tasks: JoinSet<WebhookId>,
    /// Webhooks that must be read again.
    stale: BTreeSet<WebhookId>,
    /// Whether the active webhooks were read.
    has_begun: bool,
    /// The last bundle of events of which the couriers know.
    read: i64,
}

impl Dispatcher {
    async fn run(mut self) {
        let mut tidied = tokio::time::Instant::now();
        loop {
            let in_order = self.catch_up().await;
            if let Err(error) = &in_order {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "webhooks wait: the database does not answer");
            }
            let pause = if in_order.is_ok() { TIDY } else { PAUSE };
            tokio::select! {
                changed = self.changed.recv() => match changed {
                    Some(id) => {
                        self.stale.insert(id);
                        while let Ok(id) = self.changed.try_recv() {
                            self.stale.insert(id);
                        }
                    }
                    None => return,
                },
                told = self.written.changed() => if told.is_err() { return },
                Some(ended) = self.tasks.join_next() => {
                    // One that failed is started again with whatever is stored.
                    self.stale.extend(ended.ok());
                    let lost = self.couriers.iter().filter(|(_, one)| one.task.is_finished());
                    self.stale.extend(lost.map(|(id, _)| *id));
                }
                () = sleep(pause) => {}
            }
            if tidied.elapsed() >= TIDY {
                tidied = tokio::time::Instant::now();
                let before = clock::now().utc - KEPT;
                if let Err(error) = self.means.store.forget_deliveries(before).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "old deliveries of webhooks are still kept");
                }
            }
        }
    }

    async fn catch_up(&mut self) -> Result<(), StoreError> {
        if !self.has_begun {
            // Couriers read on from where they are; what is told from here on wakes them.
            self.read = self.means.store.end_of_log().await?.bundle;
            let all = AccountScope::platform();
            for webhook in self.means.store.active_webhooks(&all).await? {
                self.stale.remove(&webhook.id);
                self.put(webhook);
            }
            self.has_begun = true;
        }
        while let Some(id) = self.stale.first().copied() {
            let scope = AccountScope::platform();
            match self.means.store.webhook(&scope, id).await {
                Ok(webhook) if webhook.disabled.is_none() => self.put(webhook),
                Ok(_) | Err(StoreError::NotFound) => {
                    if let Some(courier) = self.couriers.remove(&id) {
                        courier.task.abort();
                    }
                }
                Err(error) => return Err(error),
            }
            self.stale.remove(&id);
        }
        self.wake().await
    }

    /// Gives a webhook's courier what is stored now, or makes one.
    fn put(&mut self, webhook: Webhook) {
        let id = webhook.id;
        if let Some(courier) = self.couriers.get_mut(&id)
            && !courier.task.is_finished()
        {
            courier.account = webhook.account;
            courier.includes_descendants = webhook.include_descendants;
            // One that ends just now is made again when its end is heard of.
            let _ = courier.news.send(News::Changed(Box::new(webhook)));
            return;
        }
        let (news, told) = mpsc::unbounded_channel();
        let (account, includes_descendants) = (webhook.account, webhook.include_descendants);
        let courier = Courier::new(webhook, self.means.clone(), told);
        let task = self.tasks.spawn(async move {
            courier.run().await;
            id
        });
        let running = Running {
            account,
            includes_descendants,
            news,
            task,
        };
        self.couriers.insert(id, running);
    }

    /// Wakes the couriers of accounts of which something was told.
    async fn wake(&mut self) -> Result<(), StoreError> {
        self.written.mark_unchanged();
        loop {
            let scope = AccountScope::platform();
            let told = self
                .means
                .store
                .told_since(&scope, self.read, AT_A_TIME)
                .await?;
            let Some((last, _)) = told.last() else {
                return Ok(());
            };
            self.read = *last;
            let accounts: BTreeSet<AccountId> = told.iter().map(|(_, account)| *account).collect();
            for courier in self.couriers.values() {
                if courier.includes_descendants || accounts.contains(&courier.account) {
                    let _ = courier.news.send(News::Told);
                }
            }
        }
    }
}
