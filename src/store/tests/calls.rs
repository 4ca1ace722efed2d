use super::with_accounts;
use crate::store::calls::CallFilter;
use crate::store::events::{self, NewEvent};
use crate::store::services::{InstanceState, InstanceUpdate};
use crate::store::testing::record;
use crate::store::writer::{Writer, WriterSettings};
use crate::store::{AccountScope, Paging, StoreError, Within};
use chrono::TimeDelta;
use serde_json::json;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, EventId};
use uuid::Uuid;

fn event_id() -> EventId {
    EventId::from_uuid(Uuid::now_v7())
}

fn event(account: AccountId, kind: &'static str, sequence: u64) -> NewEvent {
    NewEvent {
        kind,
        time: chrono::DateTime::UNIX_EPOCH,
        account,
        call: None,
        leg: None,
        sequence,
        data: events::data(&json!({"a": [1, "x", null]})),
    }
}

#[tokio::test]
async fn a_call_that_was_cut_is_closed_once_with_cause_41() {
    with_accounts(async |store, sample| {
        let scope = &AccountScope::platform();
        let cut = record(sample.customer, sample.now);
        let mut started = event(sample.customer, "call.started", 1);
        started.call = Some(cut.id);
        started.time = sample.now + TimeDelta::seconds(4);
        let ended = record(sample.customer, sample.now).cut(sample.now);
        let writer = Writer::start(store.clone(), WriterSettings::default());
        writer.call(cut.clone()).unwrap();
        writer.call(ended.clone()).unwrap();
        writer.event(started).unwrap();
        writer.flush().await;
        let at = sample.now + TimeDelta::seconds(9);
        let closed = store.close_cut(scope, at, event_id).await.unwrap();
        let last_seen = sample.now + TimeDelta::seconds(4);
        assert_eq!(closed, [cut.clone().cut(last_seen)]);
        assert_eq!(store.call(scope, cut.id).await.unwrap(), closed[0]);
        assert_eq!(store.call(scope, ended.id).await.unwrap(), ended);
        let later = at + TimeDelta::hours(1);
        assert_eq!(store.close_cut(scope, later, event_id).await.unwrap(), []);
        let events = store.events_of(scope, cut.id).await.unwrap();
        let events: Vec<_> = events
            .iter()
            .map(|e| (e.kind.as_str(), e.sequence))
            .collect();
        assert_eq!(events, [("call.started", 1), ("call.ended", 2)]);
    })
    .await;
}

#[tokio::test]
async fn a_record_that_is_kept_changes_no_more() {
    with_accounts(async |store, sample| {
        let scope = &AccountScope::platform();
        let live = record(sample.customer, sample.now);
        let ended = live.clone().cut(sample.now + TimeDelta::seconds(1));
        let writer = Writer::start(store.clone(), WriterSettings::default());
        for call in [&live, &ended, &live] {
            writer.call(call.clone()).unwrap();
            writer.call(call.clone()).unwrap();
        }
        writer.flush().await;
        for call in [&live, &live.clone().cut(sample.now + TimeDelta::hours(1))] {
            writer.call(call.clone()).unwrap();
            writer.flush().await;
        }
        assert_eq!(store.call(scope, live.id).await.unwrap(), ended);
    })
    .await;
}

#[tokio::test]
async fn calls_are_filtered() {
    with_accounts(async |store, sample| {
        let scope = &store.scope_of(sample.reseller).await.unwrap();
        let live = record(sample.customer, sample.now);
        let ended = record(sample.customer, sample.now).cut(sample.now);
        let writer = Writer::start(store.clone(), WriterSettings::default());
        writer.call(live.clone()).unwrap();
        writer.call(ended.clone()).unwrap();
        writer.flush().await;
        let found = async |filter: CallFilter| {
            let within = Within::Tree(sample.reseller);
            let page = store
                .calls(scope, within, &filter, Paging::default())
                .await
                .unwrap();
            page.items
        };
        assert_eq!(
            found(CallFilter::default()).await,
            [ended.clone(), live.clone()]
        );
        let filter = |live| CallFilter {
            live: Some(live),
            number: Some("+447700900001".to_owned()),
            origin: Some(live_origin()),
            scheduled_call: None,
            started_from: Some(sample.now),
            started_before: Some(sample.now + TimeDelta::microseconds(1)),
        };
        assert_eq!(found(filter(true)).await, [live]);
        assert_eq!(found(filter(false)).await, [ended]);
        let number = Some("+440000".to_owned());
        assert_eq!(
            found(CallFilter {
                number,
                ..filter(true)
            })
            .await,
            []
        );
    })
    .await;
}

fn live_origin() -> strowger_domain::call::Origin {
    strowger_domain::call::Origin::Inbound
}

#[tokio::test]
async fn a_reader_of_events_goes_on_where_it_was() {
    with_accounts(async |store, sample| {
        let scope = &store.scope_of(sample.customer).await.unwrap();
        let within = Within::Account(sample.customer);
        assert_eq!(store.last_event(scope, within).await.unwrap(), None);
        let writer = Writer::start(store.clone(), WriterSettings::default());
        let mut written = writer.written();
        let events: Vec<_> = (1..=5).map(|n| event(sample.customer, "x", n)).collect();
        for event in &events {
            writer.event(event.clone()).unwrap();
            let theirs = NewEvent {
                account: sample.stranger,
                ..event.clone()
            };
            writer.event(theirs).unwrap();
        }
        written.changed().await.unwrap();
        writer.flush().await;
        let all = store.events_after(scope, within, None, 100).await.unwrap();
        let told: Vec<_> = all
            .iter()
            .map(|event| (event.sequence, event.kind.as_str(), event.time, &event.data))
            .collect();
        let data = json!({"a": [1, "x", null]});
        let expected: Vec<_> = events
            .iter()
            .map(|event| (event.sequence, event.kind, event.time, &data))
            .collect();
        assert_eq!(told, expected);
        let after = Some(all[1].id);
        let some = store.events_after(scope, within, after, 2).await.unwrap();
        assert_eq!(some, all[2..4]);
        let last = store.last_event(scope, within).await.unwrap();
        assert_eq!(last, Some(all[4].id));
        assert_eq!(
            store.events_after(scope, within, last, 9).await.unwrap(),
            []
        );
        assert_eq!(store.forget_events(sample.now).await.unwrap(), 2);
        assert_eq!(store.last_event(scope, within).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_instance_ends_once() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let end = || InstanceUpdate {
            state: Some(InstanceState::Ended),
            cause: Some(Cause::UserBusy),
            sip_status: Some(486),
            ..InstanceUpdate::default()
        };
        store
            .update_instance(scope, made.instance, end(), sample.now)
            .await
            .unwrap();
        let twice = store
            .update_instance(scope, made.instance, end(), sample.now)
            .await;
        assert!(matches!(twice, Err(StoreError::Stale)), "{twice:?}");
        let kept = store.instance(scope, made.instance).await.unwrap();
        assert_eq!(
            (kept.cause, kept.ended_at),
            (Some(Cause::UserBusy), Some(sample.now))
        );
        assert_eq!(
            store.close_cut_instances(scope, sample.now).await.unwrap(),
            []
        );
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_was_cut_is_closed_with_cause_41() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let cut = store.close_cut_instances(scope, sample.now).await.unwrap();
        assert_eq!(cut.len(), 1);
        assert_eq!(cut[0].cause, Some(Cause::TemporaryFailure));
        assert_eq!(store.instance(scope, made.instance).await.unwrap(), cut[0]);
        let service = store
            .outbound_service_by_id(scope, made.service)
            .await
            .unwrap();
        let mut again = service.clone();
        again.id = strowger_domain::ids::ServiceId::from_uuid(Uuid::now_v7());
        again.extra_channels = 9;
        let (put, is_new) = store.put_outbound_service(scope, again).await.unwrap();
        assert_eq!((put.id, put.extra_channels, is_new), (service.id, 9, false));
    })
    .await;
}
