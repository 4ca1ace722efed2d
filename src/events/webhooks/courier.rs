//! The courier of one webhook: takes its events from the log, and sends them as its machine says.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use strowger_domain::ids::DeliveryId;
use strowger_domain::webhook::{DisabledCause, Effect, Endpoint, Input, Job, LATEST, Lane};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::attempt::Outcome;
use super::{Means, PAUSE, Sender};
use crate::events::{catalogue, log};
use crate::net::clock;
use crate::store::deliveries::{Delivery, DeliveryState};
use crate::store::events::{Event, LogPosition};
use crate::store::webhooks::{Webhook, WebhookChange};
use crate::store::{AccountScope, StoreError};
use crate::telemetry;

/// Deliveries that one courier has in its hands.
const MOST_IN_HAND: usize = 500;
/// Events that are read at a time.
const AT_A_TIME: u64 = 200;
/// A courier whose webhook takes nothing of what is told notes now and then how far it has read.
const UNNOTED_BUNDLES: i64 = 10_000;
/// The longest sleep: the wall clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What a courier is told.
#[derive(Debug)]
pub(super) enum News {
    /// The log has more.
    Told,
    /// The webhook has changed, or is to send something again.
    Changed(Box<Webhook>),
}

/// What a courier has in its hands.
struct Parcel {
    delivery: Delivery,
    body: Bytes,
}

pub(super) struct Courier {
    webhook: Webhook,
    means: Means,
    news: mpsc::UnboundedReceiver<News>,
    endpoint: Endpoint,
    parcels: HashMap<DeliveryId, Parcel>,
    sending: JoinSet<(DeliveryId, Outcome)>,
    /// How far it has read, and how far that is noted.
    seen: LogPosition,
    noted: LogPosition,
    /// Deliveries may wait in the store that are not in its hands.
    has_backlog: bool,
    /// The log may have more.
    has_more: bool,
    /// What is not kept yet.
    unkept: Vec<Delivery>,
    failing_since: Option<DateTime<Utc>>,
}

/// The delivery of an event to a webhook, if the webhook takes it.
pub fn delivery(
    webhook: &Webhook,
    position: i64,
    event: &Event,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Option<Delivery> {
    catalogue::is_named(&webhook.event_types, &event.kind).then(|| Delivery {
        id: DeliveryId::from_uuid(Uuid::now_v7()),
        webhook: webhook.id,
        event: event.id,
        position,
        kind: event.kind.clone(),
        account: event.account,
        call: event.call,
        state: DeliveryState::Pending,
        attempts: 0,
        due: now,
        expires_at,
        last: None,
        created_at: now,
    })
}

impl Courier {
    pub(super) fn new(webhook: Webhook, means: Means, news: mpsc::UnboundedReceiver<News>) -> Self {
        Self {
            endpoint: Endpoint::restore(webhook.failing_since),
            seen: webhook.seen,
            noted: webhook.seen,
            failing_since: webhook.failing_since,
            webhook,
            means,
            news,
            parcels: HashMap::new(),
            sending: JoinSet::new(),
            has_backlog: true,
            has_more: true,
            unkept: Vec::new(),
        }
    }

    /// Sends until the webhook is disabled or removed, or the platform ends.
    pub(super) async fn run(mut self) {
        loop {
            match self.work().await {
                Ok(true) => {}
                // It is gone, and what it had with it.
                Ok(false) | Err(StoreError::NotFound | StoreError::Referred) => return,
                Err(error) => {
                    tracing::warn!(%error, webhook.id = %self.webhook.id, "a webhook waits");
                    sleep(PAUSE).await;
                    continue;
                }
            }
            let now = clock::now().utc;
            let due = self.endpoint.deadline().map_or(LONGEST_SLEEP, |deadline| {
                (deadline - now).to_std().unwrap_or_default()
            });
            tokio::select! {
                news = self.news.recv() => match news {
                    Some(news) => self.told(news),
                    None => return,
                },
                Some(ended) = self.sending.join_next() => self.sent(ended.ok()),
                () = sleep(due.min(LONGEST_SLEEP)) => {
                    self.endpoint.handle(Input::Tick, clock::now().utc);
                }
            }
            while let Ok(news) = self.news.try_recv() {
                self.told(news);
            }
            while let Some(ended) = self.sending.try_join_next() {
                self.sent(ended.ok());
            }
        }
    }

    fn told(&mut self, news: News) {
        match news {
            News::Told => self.has_more = true,
            News::Changed(webhook) => {
                self.webhook = *webhook;
                (self.has_backlog, self.has_more) = (true, true);
            }
        }
    }

    /// Everything that can be done now; `false`: the webhook is disabled.
    async fn work(&mut self) -> Result<bool, StoreError> {
        loop {
            let disabled = self.carry_out();
            self.keep().await?;
            if let Some(cause) = disabled {
                self.disable(cause).await?;
                return Ok(false);
            }
            let room = MOST_IN_HAND.saturating_sub(self.parcels.len());
            let is_full = room < usize::try_from(AT_A_TIME).unwrap_or(usize::MAX);
            if is_full || !(self.has_backlog || self.has_more) {
                return Ok(true);
            }
            if self.has_backlog {
                self.read_backlog(room).await?;
            } else {
                self.read_log().await?;
            }
        }
    }

    /// Takes up what waits in the store: from before a restart, or to be sent again.
    async fn read_backlog(&mut self, room: usize) -> Result<(), StoreError> {
        let scope = AccountScope::platform();
        let limit = u64::try_from(MOST_IN_HAND).unwrap_or(u64::MAX);
        let waiting = self
            .means
            .store
            .pending_deliveries(&scope, self.webhook.id, limit);
        let waiting = waiting.await?;
        let may_have_more = waiting.len() >= MOST_IN_HAND;
        let known = |delivery: &Delivery| self.parcels.contains_key(&delivery.id);
        let mut new: Vec<_> = waiting.into_iter().filter(|(one, _)| !known(one)).collect();
        self.has_backlog = may_have_more && !new.is_empty();
        new.truncate(room);
        for (mut delivery, event) in new {
            if let Some(event) = event {
                self.add(delivery, &event);
            } else {
                delivery.state = DeliveryState::Failed;
                self.unkept.push(delivery);
            }
        }
        Ok(())
    }

    /// Reads on in the log. What is too late is left out.
    async fn read_log(&mut self) -> Result<(), StoreError> {
        let (store, scope) = (&self.means.store, AccountScope::platform());
        let read = store.read_log(&scope, self.webhook.within(), self.seen, AT_A_TIME);
        let read = read.await?;
        let Some((end, _)) = read.last() else {
            self.has_more = false;
            return Ok(());
        };
        let (end, now) = (*end, clock::now().utc);
        let mut new = Vec::new();
        for (position, event) in read {
            let expires_at = event.time + LATEST;
            if expires_at <= now {
                continue;
            }
            let bundle = position.bundle;
            if let Some(delivery) = delivery(&self.webhook, bundle, &event, now, expires_at) {
                new.push((delivery, event));
            }
        }
        if !new.is_empty() || end.bundle - self.noted.bundle > UNNOTED_BUNDLES {
            let deliveries: Vec<_> = new.iter().map(|(delivery, _)| delivery.clone()).collect();
            store
                .queue_deliveries(&scope, self.webhook.id, &deliveries, end)
                .await?;
            self.noted = end;
        }
        self.seen = end;
        for (delivery, event) in new {
            self.add(delivery, &event);
        }
        Ok(())
    }

    fn add(&mut self, delivery: Delivery, event: &Event) {
        let job = Job {
            id: delivery.id,
            lane: match delivery.call {
                Some(call) => Lane::Call(call),
                None => Lane::Account(delivery.account),
            },
            attempts: delivery.attempts,
            due: delivery.due,
            expires_at: delivery.expires_at,
        };
        let body = Sender::body(event);
        self.parcels.insert(job.id, Parcel { delivery, body });
        self.endpoint.handle(Input::Add(job), clock::now().utc);
    }

    fn sent(&mut self, ended: Option<(DeliveryId, Outcome)>) {
        // None: the attempt failed in itself, and its delivery is taken up after a restart.
        let Some((id, outcome)) = ended else {
            tracing::error!(webhook.id = %self.webhook.id, "an attempt of a webhook failed");
            return;
        };
        let taken = if outcome.attempt.failure.is_none() {
            "taken"
        } else {
            "refused"
        };
        metrics::counter!(telemetry::WEBHOOK_ATTEMPTS, "outcome" => taken).increment(1);
        if let Some(parcel) = self.parcels.get_mut(&id) {
            parcel.delivery.attempts = parcel.delivery.attempts.saturating_add(1);
            parcel.delivery.last = Some(outcome.attempt);
        }
        let input = Input::Answered {
            id,
            answer: outcome.answer,
            chance: rand::random(),
        };
        self.endpoint.handle(input, clock::now().utc);
    }

    /// Carries out what the machine asks for; the cause, if it wants the webhook disabled.
    fn carry_out(&mut self) -> Option<DisabledCause> {
        let mut disabled = None;
        while let Some(effect) = self.endpoint.next_effect() {
            match effect {
                Effect::Send(id) => self.send(id),
                Effect::Delivered(id) => self.settle(id, DeliveryState::Delivered),
                Effect::Failed(id) => self.settle(id, DeliveryState::Failed),
                Effect::Waits { id, due } => {
                    if let Some(parcel) = self.parcels.get_mut(&id) {
                        parcel.delivery.due = due;
                        self.unkept.push(parcel.delivery.clone());
                    }
                }
                Effect::Disable(cause) => disabled = Some(cause),
            }
        }
        disabled
    }

    fn send(&mut self, id: DeliveryId) {
        let Some(parcel) = self.parcels.get(&id) else {
            return;
        };
        let (event, body) = (parcel.delivery.event, parcel.body.clone());
        let (sender, webhook) = (self.means.sender.clone(), self.webhook.clone());
        self.sending
            .spawn(async move { (id, sender.send(&webhook, event, body).await) });
    }

    fn settle(&mut self, id: DeliveryId, state: DeliveryState) {
        if let Some(mut parcel) = self.parcels.remove(&id) {
            parcel.delivery.state = state;
            self.unkept.push(parcel.delivery);
        }
    }

    async fn keep(&mut self) -> Result<(), StoreError> {
        // Only how each stands now: a database takes no row twice in one statement.
        let mut last: HashMap<DeliveryId, Delivery> = HashMap::new();
        for delivery in self.unkept.drain(..) {
            last.insert(delivery.id, delivery);
        }
        self.unkept = last.into_values().collect();
        if !self.unkept.is_empty() {
            self.means.store.keep_deliveries(&self.unkept).await?;
            self.unkept.clear();
        }
        let since = self.endpoint.failing_since();
        if since != self.failing_since {
            let scope = AccountScope::platform();
            self.means
                .store
                .note_webhook_failing(&scope, self.webhook.id, since)
                .await?;
            self.failing_since = since;
        }
        Ok(())
    }

    /// Nothing is sent any more, and whoever may enable it again is told.
    async fn disable(&mut self, cause: DisabledCause) -> Result<(), StoreError> {
        let (scope, now) = (AccountScope::platform(), clock::now().utc);
        let since = self.endpoint.failing_since();
        let change = WebhookChange {
            disabled: Some(Some(cause)),
            ..WebhookChange::default()
        };
        let id = self.webhook.id;
        self.means
            .store
            .update_webhook(&scope, id, change, now)
            .await?;
        tracing::warn!(webhook.id = %id, ?cause, "a webhook is disabled");
        let data = serde_json::json!({
            "webhook": id,
            "url": self.webhook.url,
            "cause": cause,
            "failing_since": since.as_ref().map(strowger_domain::timestamp::text),
        });
        let writer = &self.means.writer;
        let account = self.webhook.account;
        log::tell(writer, catalogue::WEBHOOK_DISABLED, account, &data, now);
        Ok(())
    }
}
