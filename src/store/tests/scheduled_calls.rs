use super::with_accounts;
use crate::store::scheduled_calls::{
    Counts, ScheduledCall, ScheduledCallFilter, ScheduledState, ScheduledUpdate,
};
use crate::store::testing::{Sample, record};
use crate::store::writer::WriterSettings;
use crate::store::{AccountScope, Paging, Store, StoreError, Within, Writer};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{CallId, ScheduledCallId};
use strowger_domain::schedule::Fact;
use uuid::Uuid;

async fn queue(sample: &Sample, not_before: DateTime<Utc>) -> ScheduledCallId {
    let mut call = sample.scheduled_call(sample.customer, 1);
    call.booking.not_before = not_before;
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

fn call_id() -> CallId {
    CallId::from_uuid(Uuid::now_v7())
}

async fn claim(store: &Store, now: DateTime<Utc>) -> Vec<ScheduledCall> {
    let scope = &AccountScope::platform();
    store.claim_due(scope, now, 10, &[], call_id).await.unwrap()
}

#[tokio::test]
async fn sixteen_claimers_at_once_get_each_call_once() {
    with_accounts(async |store, sample| {
        sample.belongings(sample.customer, 1).await.unwrap();
        for _ in 0..99 {
            queue(&sample, sample.now).await;
        }
        let claimers = (0..16).map(|_| {
            let store = store.clone();
            let now = sample.now;
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                loop {
                    let some = store
                        .claim_due(&AccountScope::platform(), now, 3, &[], call_id)
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
async fn a_call_that_sixteen_claim_by_name_is_dialled_by_one() {
    with_accounts(async |store, sample| {
        let id = sample
            .belongings(sample.customer, 1)
            .await
            .unwrap()
            .scheduled_call;
        let claimers = (0..16).map(|_| {
            let (store, now) = (store.clone(), sample.now);
            tokio::spawn(async move {
                let scope = &AccountScope::platform();
                store.claim_scheduled_call(scope, id, call_id(), now).await
            })
        });
        let mut claimed = Vec::new();
        for claimer in claimers.collect::<Vec<_>>() {
            match claimer.await.unwrap() {
                Ok(call) => claimed.push(call),
                Err(StoreError::Stale) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let kept = store
            .scheduled_call(&AccountScope::platform(), id)
            .await
            .unwrap();
        assert_eq!(claimed, [kept]);
    })
    .await;
}

#[tokio::test]
async fn a_claimed_call_is_dialling_in_the_database() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let claimed = claim(store, sample.now).await;
        assert_eq!(claimed.len(), 1);
        let scope = &AccountScope::platform();
        let kept = store
            .scheduled_call(scope, made.scheduled_call)
            .await
            .unwrap();
        assert_eq!(claimed, [kept]);
        assert_eq!(claimed[0].state, ScheduledState::Dialling);
        assert!(claimed[0].call.is_some());
    })
    .await;
}

#[tokio::test]
async fn only_due_calls_of_accounts_below_their_limit_are_claimed() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let later = sample.now + TimeDelta::seconds(30);
        let second = queue(&sample, later).await;
        let full = [sample.customer];
        assert_eq!(
            store
                .claim_due(scope, sample.now, 10, &full, call_id)
                .await
                .unwrap(),
            []
        );
        assert_eq!(store.next_due(scope, &[]).await.unwrap(), Some(sample.now));
        let expiry = sample.now + TimeDelta::hours(1);
        assert_eq!(store.next_due(scope, &full).await.unwrap(), Some(expiry));
        let first = claim(store, sample.now).await;
        assert_eq!(
            first.iter().map(|call| call.id).collect::<Vec<_>>(),
            [made.scheduled_call]
        );
        assert_eq!(store.next_due(scope, &[]).await.unwrap(), Some(later));
        let then = claim(store, later).await;
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
        assert_eq!(claim(store, late).await, []);
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
        let waiting = queue(&sample, sample.now + TimeDelta::hours(2)).await;
        let scope = &AccountScope::platform();
        claim(store, sample.now).await;
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
async fn only_what_can_happen_is_noted() {
    with_accounts(async |store, sample| {
        let id = sample
            .belongings(sample.customer, 1)
            .await
            .unwrap()
            .scheduled_call;
        let scope = &AccountScope::platform();
        let at = sample.now;
        let note = async |fact: Fact| {
            store
                .note_scheduled_call(scope, ScheduledUpdate { id, fact, at })
                .await
        };
        let stale = async |fact: Fact| {
            let answer = note(fact.clone()).await;
            assert!(
                matches!(answer, Err(StoreError::Stale)),
                "{fact:?}: {answer:?}"
            );
        };
        let end = Fact::Ended {
            cause: Cause::NormalClearing,
            sip_status: None,
        };
        stale(end.clone()).await;
        let call = call_id();
        note(Fact::Claimed { call }).await.unwrap();
        note(Fact::Rang).await.unwrap();
        note(Fact::Answered).await.unwrap();
        stale(Fact::Rang).await;
        let noted = note(end).await.unwrap();
        assert_eq!(noted, store.scheduled_call(scope, id).await.unwrap());
        assert_eq!(noted.state, ScheduledState::Completed);
        assert_eq!(
            (noted.call, noted.cause),
            (Some(call), Some(Cause::NormalClearing))
        );
        assert_eq!((noted.answered_at, noted.ended_at), (Some(at), Some(at)));
        stale(Fact::Cut).await;
    })
    .await;
}

#[tokio::test]
async fn calls_that_a_crash_cut_fail_and_are_not_dialled_again() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let waiting = queue(&sample, sample.now + TimeDelta::minutes(1)).await;
        let scope = &AccountScope::platform();
        claim(store, sample.now).await;
        assert_eq!(store.open_scheduled_calls(scope).await.unwrap().len(), 2);
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
        assert_eq!(claim(store, sample.now).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_call_whose_record_was_kept_ends_as_that_says_and_not_as_cut() {
    with_accounts(async |store, sample| {
        sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let claimed = claim(store, sample.now).await.remove(0);
        let mut record = record(sample.customer, sample.now);
        record.id = claimed.call.unwrap();
        record.answered_at = Some(sample.now + TimeDelta::seconds(2));
        let ended_at = sample.now + TimeDelta::seconds(9);
        record.ended_at = Some(ended_at);
        record.cause = Some(Cause::NormalClearing);
        let writer = Writer::start(store.clone(), WriterSettings::default());
        writer.call(record.clone()).unwrap();
        writer.flush().await;
        let later = sample.now + TimeDelta::minutes(1);
        let call = store.close_lost(scope, claimed.id, later).await.unwrap();
        assert_eq!(call.state, ScheduledState::Completed);
        assert_eq!(
            (call.cause, call.answered_at, call.ended_at),
            (
                Some(Cause::NormalClearing),
                record.answered_at,
                Some(ended_at)
            )
        );
        assert_eq!(store.close_interrupted(scope, later).await.unwrap(), []);
        let again = store.close_lost(scope, claimed.id, later).await;
        assert!(matches!(again, Err(StoreError::Stale)), "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn counts_are_those_of_the_whole_branch() {
    with_accounts(async |store, sample| {
        sample.belongings(sample.customer, 1).await.unwrap();
        sample.belongings(sample.stranger, 2).await.unwrap();
        queue(&sample, sample.now + TimeDelta::hours(1)).await;
        let scope = &AccountScope::platform();
        claim(store, sample.now).await;
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
            first_party: Some("+441632960099".to_owned()),
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
        let mut given = sample.scheduled_call(sample.customer, 1);
        given.id = made.scheduled_call;
        assert_eq!(kept, given);
    })
    .await;
}
