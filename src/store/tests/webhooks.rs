use super::with_accounts;
use crate::store::deliveries::{Delivery, DeliveryState};
use crate::store::events::{self, Event, LogPosition, NewEvent};
use crate::store::testing::Sample;
use crate::store::webhooks::{Webhook, WebhookChange};
use crate::store::writer::{Writer, WriterSettings};
use crate::store::{AccountScope, Paging, Store, StoreError, Within};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use strowger_domain::ids::{AccountId, CallId, DeliveryId, WebhookId};
use strowger_domain::webhook::DisabledCause;
use uuid::Uuid;

fn webhook(account: AccountId, include_descendants: bool, now: DateTime<Utc>) -> Webhook {
    Webhook {
        id: WebhookId::from_uuid(Uuid::now_v7()),
        account,
        url: "https://example.test/events".to_owned(),
        event_types: vec!["call.*".to_owned()],
        description: "Ours".to_owned(),
        include_descendants,
        disabled: None,
        failing_since: None,
        secret: "whsec_first".to_owned(),
        previous_secret: None,
        seen: LogPosition::default(),
        created_at: now,
    }
}

fn delivery(webhook: &Webhook, position: i64, event: &Event) -> Delivery {
    Delivery {
        id: DeliveryId::from_uuid(Uuid::now_v7()),
        webhook: webhook.id,
        event: event.id,
        position,
        kind: event.kind.clone(),
        account: event.account,
        call: event.call,
        state: DeliveryState::Pending,
        attempts: 0,
        due: event.time,
        expires_at: event.time + TimeDelta::hours(24),
        last: None,
        created_at: event.time,
    }
}

async fn tell(store: &Store, sample: &Sample, account: AccountId, count: u64) {
    let writer = Writer::start(store.clone(), WriterSettings::default());
    let call = CallId::from_uuid(Uuid::now_v7());
    for sequence in 1..=count {
        let event = NewEvent {
            kind: "call.step",
            time: sample.now,
            account,
            call: Some(call),
            leg: None,
            sequence,
            data: events::data(&json!({})),
        };
        writer.event(event).unwrap();
    }
    writer.flush().await;
}

#[tokio::test]
async fn what_a_webhook_gets_is_noted_with_how_far_it_has_read() {
    with_accounts(async |store, sample| {
        let all = &AccountScope::platform();
        tell(store, &sample, sample.customer, 2).await;
        let made = webhook(sample.reseller, true, sample.now);
        let made = store.create_webhook(all, made).await.unwrap();
        tell(store, &sample, sample.customer, 3).await;
        tell(store, &sample, sample.stranger, 3).await;
        let read = store
            .read_log(all, made.within(), made.seen, 2)
            .await
            .unwrap();
        let sequences: Vec<_> = read.iter().map(|(_, event)| event.sequence).collect();
        assert_eq!(
            sequences,
            [1, 2],
            "what was told before it was made is not for it"
        );
        let seen = read[1].0;
        let deliveries: Vec<_> = read
            .iter()
            .map(|(position, event)| delivery(&made, position.bundle, event))
            .collect();
        store
            .queue_deliveries(all, made.id, &deliveries, seen)
            .await
            .unwrap();
        // A second time after a crash changes nothing.
        let again: Vec<_> = read
            .iter()
            .map(|(position, event)| delivery(&made, position.bundle, event))
            .collect();
        store
            .queue_deliveries(all, made.id, &again, seen)
            .await
            .unwrap();
        let made = store.webhook(all, made.id).await.unwrap();
        assert_eq!(made.seen, seen);
        let rest = store.read_log(all, made.within(), seen, 200).await.unwrap();
        assert_eq!(rest.len(), 1);

        let waiting = store.pending_deliveries(all, made.id, 100).await.unwrap();
        assert_eq!(waiting.len(), 2);
        assert_eq!(waiting[0].0, deliveries[0]);
        assert_eq!(waiting[0].1.as_ref().unwrap(), &read[0].1);
        let mut first = waiting[0].0.clone();
        (first.state, first.attempts) = (DeliveryState::Delivered, 1);
        store.keep_deliveries(&[first.clone()]).await.unwrap();
        let waiting = store.pending_deliveries(all, made.id, 100).await.unwrap();
        assert_eq!(waiting.len(), 1);

        let time = (sample.now, sample.now + TimeDelta::seconds(1));
        let makes = |position: i64, event: &Event| Some(delivery(&made, position, event));
        let replayed = store.replay_deliveries(all, &made, time, makes, (sample.now, 5));
        assert_eq!(replayed.await.unwrap(), Some(5));
        let waiting = store.pending_deliveries(all, made.id, 100).await.unwrap();
        assert_eq!(waiting.len(), 5);
        let replayed = store.replay_deliveries(all, &made, time, makes, (sample.now, 4));
        assert_eq!(replayed.await.unwrap(), None, "too many");
        store.keep_deliveries(&[first]).await.unwrap();
        let later = sample.now + TimeDelta::days(1);
        assert_eq!(store.forget_deliveries(later).await.unwrap(), 1);
        store.delete_webhook(all, made.id).await.unwrap();
        let gone = store.queue_deliveries(all, made.id, &[], seen).await;
        assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    })
    .await;
}

#[tokio::test]
async fn a_webhook_is_found_by_its_own_branch_only() {
    with_accounts(async |store, sample| {
        let ours = &store.scope_of(sample.reseller).await.unwrap();
        let theirs = &store.scope_of(sample.rival).await.unwrap();
        let made = webhook(sample.customer, false, sample.now);
        let refused = store.create_webhook(theirs, made.clone()).await;
        assert!(matches!(refused, Err(StoreError::NotFound)));
        let made = store.create_webhook(ours, made).await.unwrap();
        let (now, change) = (sample.now, WebhookChange::default());
        for refused in [
            store.webhook(theirs, made.id).await.map(drop),
            store
                .update_webhook(theirs, made.id, change, now)
                .await
                .map(drop),
            store
                .rotate_webhook_secret(theirs, made.id, String::new(), now, now)
                .await
                .map(drop),
            store.delete_webhook(theirs, made.id).await,
            store
                .deliveries(theirs, made.id, None, Paging::default())
                .await
                .map(drop),
            store.pending_deliveries(theirs, made.id, 1).await.map(drop),
        ] {
            assert!(matches!(refused, Err(StoreError::NotFound)), "{refused:?}");
        }
        let until = now + TimeDelta::hours(1);
        let rotated = store
            .rotate_webhook_secret(ours, made.id, "whsec_second".to_owned(), until, now)
            .await
            .unwrap();
        let secrets: Vec<_> = rotated.secrets(now).collect();
        assert_eq!(secrets, ["whsec_second", "whsec_first"]);
        assert_eq!(rotated.secrets(until).count(), 1);
        let disable = WebhookChange {
            disabled: Some(Some(DisabledCause::Failing)),
            ..WebhookChange::default()
        };
        let disabled = store.update_webhook(ours, made.id, disable, now).await;
        let disabled = disabled.unwrap().disabled;
        assert_eq!(disabled, Some((DisabledCause::Failing, now)));
        assert_eq!(store.active_webhooks(ours).await.unwrap(), []);
        let customer = sample.customer;
        let found = store.disabled_webhooks(ours, customer, None).await;
        assert_eq!(found.unwrap(), [made.id]);
        let page = store.webhooks(ours, Within::Tree(sample.reseller), Paging::default());
        assert_eq!(page.await.unwrap().items.len(), 1);
    })
    .await;
}
