use super::with_accounts;
use crate::store::scheduled_calls::{Counts, ScheduledCallFilter, ScheduledState, ScheduledUpdate};
use crate::store::testing::Sample;
use crate::store::{AccountScope, Paging, Store, StoreError, Within};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{CallId, NumberId, ScheduledCallId};
use uuid::Uuid;

async fn queue(sample: &Sample, number: NumberId, not_before: DateTime<Utc>) -> ScheduledCallId {
    let mut call = sample.scheduled_call(sample.customer, number);
    call.not_before = not_before;
    let scope = &AccountScope::platform();
    sample
        .store
        .create_scheduled_call(scope, call)
        .await
        .unwrap()
        .id
}

async fn state(store: &Store, id: ScheduledCallId) -> ScheduledState {
    let scope = &AccountScope::platform();
    store.scheduled_call(scope, id).await.unwrap().state
}

fn update(id: ScheduledCallId, state: ScheduledState, at: DateTime<Utc>) -> ScheduledUpdate {
    ScheduledUpdate {
        id,
        state,
        call: None,
        cause: None,
        sip_status: None,
        at,
    }
}

#[tokio::test]
async fn sixteen_claimers_at_once_get_each_call_once() {
    with_accounts(async |store, sample| {
        let number = sample.belongings(sample.customer, 1).await.unwrap().number;
        for _ in 0..99 {
            queue(&sample, number, sample.now).await;
        }
        let claimers = (0..16).map(|_| {
            let store = store.clone();
            let now = sample.now;
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                loop {
                    let some = store
                        .claim_due(&AccountScope::platform(), now, 3, &[])
                        .await
                        .unwrap();
                    if some.is_empty() {
                        return claimed;
                    }
                    claimed.extend(some.into_iter().map(|call| call.id));
                }
            })
        });
        let mut claimed = Vec::new();
        for claimer in claimers.collect::<Vec<_>>() {
            claimed.extend(claimer.await.unwrap());
        }
        assert_eq!(claimed.len(), 100, "a call was claimed twice or never");
        assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 100);
    })
    .await;
}

#[tokio::test]
async fn a_claimed_call_is_dialling_in_the_database() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let claimed = store.claim_due(scope, sample.now, 10, &[]).await.unwrap();
        assert_eq!(claimed.len(), 1);
        let kept = store
            .scheduled_call(scope, made.scheduled_call)
            .await
            .unwrap();
        assert_eq!(claimed, [kept]);
        assert_eq!(claimed[0].state, ScheduledState::Dialling);
        assert_eq!(claimed[0].claimed_at, Some(sample.now));
    })
    .await;
}

#[tokio::test]
async fn only_due_calls_of_accounts_below_their_limit_are_claimed() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let later = sample.now + TimeDelta::seconds(30);
        let second = queue(&sample, made.number, later).await;
        let full = [sample.customer];
        assert_eq!(
            store.claim_due(scope, sample.now, 10, &full).await.unwrap(),
            []
        );
        assert_eq!(store.next_due(scope, &[]).await.unwrap(), Some(sample.now));
        let expiry = sample.now + TimeDelta::hours(1);
        assert_eq!(store.next_due(scope, &full).await.unwrap(), Some(expiry));
        let first = store.claim_due(scope, sample.now, 10, &[]).await.unwrap();
        assert_eq!(
            first.iter().map(|call| call.id).collect::<Vec<_>>(),
            [made.scheduled_call]
        );
        assert_eq!(store.next_due(scope, &[]).await.unwrap(), Some(later));
        let then = store.claim_due(scope, later, 10, &[]).await.unwrap();
        assert_eq!(
            then.iter().map(|call| call.id).collect::<Vec<_>>(),
            [second]
        );
        assert_eq!(store.next_due(scope, &[]).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_call_whose_time_is_over_expires_and_is_never_claimed() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let late = sample.now + TimeDelta::hours(1);
        assert_eq!(store.claim_due(scope, late, 10, &[]).await.unwrap(), []);
        let expired = store.expire_due(scope, late).await.unwrap();
        assert_eq!(
            expired.iter().map(|c| c.id).collect::<Vec<_>>(),
            [made.scheduled_call]
        );
        let kept = store
            .scheduled_call(scope, made.scheduled_call)
            .await
            .unwrap();
        assert_eq!(
            (kept.state, kept.ended_at),
            (ScheduledState::Expired, Some(late))
        );
        assert_eq!(store.expire_due(scope, late).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_call_is_cancelled_only_while_it_waits() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let waiting = queue(&sample, made.number, sample.now + TimeDelta::hours(2)).await;
        let scope = &AccountScope::platform();
        store.claim_due(scope, sample.now, 10, &[]).await.unwrap();
        let late = store
            .cancel_scheduled_call(scope, made.scheduled_call, sample.now)
            .await;
        assert!(matches!(late, Err(StoreError::Stale)), "{late:?}");
        let cancelled = store
            .cancel_scheduled_call(scope, waiting, sample.now)
            .await
            .unwrap();
        assert_eq!(cancelled.state, ScheduledState::Cancelled);
        let twice = store
            .cancel_scheduled_call(scope, waiting, sample.now)
            .await;
        assert!(matches!(twice, Err(StoreError::Stale)), "{twice:?}");
    })
    .await;
}

#[tokio::test]
async fn progress_goes_forwards_only() {
    with_accounts(async |store, sample| {
        let id = sample
            .belongings(sample.customer, 1)
            .await
            .unwrap()
            .scheduled_call;
        let scope = &AccountScope::platform();
        let now = sample.now;
        let step = async |state| {
            store
                .update_scheduled_call(scope, &update(id, state, now))
                .await
        };
        let early = step(ScheduledState::Completed).await;
        assert!(matches!(early, Err(StoreError::Stale)), "{early:?}");
        store.claim_due(scope, now, 1, &[]).await.unwrap();
        let mut dialling = update(id, ScheduledState::Dialling, now);
        let call = CallId::from_uuid(Uuid::now_v7());
        dialling.call = Some(call);
        store.update_scheduled_call(scope, &dialling).await.unwrap();
        step(ScheduledState::Ringing).await.unwrap();
        step(ScheduledState::InProgress).await.unwrap();
        let back = step(ScheduledState::Ringing).await;
        assert!(matches!(back, Err(StoreError::Stale)), "{back:?}");
        let mut end = update(id, ScheduledState::Completed, now);
        end.cause = Some(Cause::NormalClearing);
        store.update_scheduled_call(scope, &end).await.unwrap();
        let kept = store.scheduled_call(scope, id).await.unwrap();
        assert_eq!(
            (kept.call, kept.cause),
            (Some(call), Some(Cause::NormalClearing))
        );
        assert_eq!((kept.answered_at, kept.ended_at), (Some(now), Some(now)));
        let twice = step(ScheduledState::Failed).await;
        assert!(matches!(twice, Err(StoreError::Stale)), "{twice:?}");
    })
    .await;
}

#[tokio::test]
async fn calls_that_a_crash_cut_fail_and_are_not_dialled_again() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let waiting = queue(&sample, made.number, sample.now + TimeDelta::minutes(1)).await;
        let scope = &AccountScope::platform();
        store.claim_due(scope, sample.now, 1, &[]).await.unwrap();
        let cut = store.close_interrupted(scope, sample.now).await.unwrap();
        assert_eq!(cut.len(), 1);
        assert_eq!(cut[0].cause, Some(Cause::TemporaryFailure));
        let kept = store
            .scheduled_call(scope, made.scheduled_call)
            .await
            .unwrap();
        assert_eq!([kept], *cut);
        assert_eq!(state(store, waiting).await, ScheduledState::Queued);
        assert_eq!(
            store.close_interrupted(scope, sample.now).await.unwrap(),
            []
        );
        assert_eq!(
            store.claim_due(scope, sample.now, 10, &[]).await.unwrap(),
            []
        );
    })
    .await;
}

#[tokio::test]
async fn counts_are_those_of_the_whole_branch() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        sample.belongings(sample.stranger, 2).await.unwrap();
        queue(&sample, made.number, sample.now + TimeDelta::hours(1)).await;
        let scope = &AccountScope::platform();
        store.claim_due(scope, sample.now, 10, &[]).await.unwrap();
        let count = async |within| store.count_scheduled_calls(scope, within).await.unwrap();
        let one_each = Counts {
            queued: 1,
            in_progress: 1,
        };
        assert_eq!(count(Within::Tree(sample.reseller)).await, one_each);
        assert_eq!(
            count(Within::Account(sample.reseller)).await,
            Counts::default()
        );
        assert_eq!(count(Within::Tree(sample.carrier)).await.in_progress, 2);
        let by_account = store.scheduled_counts(scope).await.unwrap();
        assert_eq!(by_account.get(&sample.customer), Some(&one_each));
        assert_eq!(by_account.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn scheduled_calls_are_filtered() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &store.scope_of(sample.customer).await.unwrap();
        let found = async |filter: ScheduledCallFilter| {
            let within = Within::Account(sample.customer);
            let page = store
                .scheduled_calls(scope, within, &filter, Paging::default())
                .await;
            page.unwrap().items.len()
        };
        let mine = ScheduledCallFilter {
            state: Some(ScheduledState::Queued),
            service_number: Some("+441632960001".to_owned()),
            first_party: Some("+447700900001".to_owned()),
            reference: Some("R-1".to_owned()),
            created_from: Some(sample.now),
            created_before: Some(sample.now + TimeDelta::microseconds(1)),
        };
        assert_eq!(found(mine.clone()).await, 1);
        let state = Some(ScheduledState::Failed);
        assert_eq!(
            found(ScheduledCallFilter {
                state,
                ..mine.clone()
            })
            .await,
            0
        );
        let created_before = Some(sample.now);
        assert_eq!(
            found(ScheduledCallFilter {
                created_before,
                ..mine
            })
            .await,
            0
        );
        let kept = store
            .scheduled_call(scope, made.scheduled_call)
            .await
            .unwrap();
        let mut given = sample.scheduled_call(sample.customer, made.number);
        given.id = made.scheduled_call;
        assert_eq!(kept, given);
    })
    .await;
}
