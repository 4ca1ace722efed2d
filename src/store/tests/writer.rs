use super::{on_both, with_accounts};
use crate::store::events::{self, NewEvent};
use crate::store::scheduled_calls::{ScheduledState, ScheduledUpdate};
use crate::store::testing::{Sample, TestDatabase, record};
use crate::store::writer::{Refused, Writer, WriterSettings, write_events};
use crate::store::{AccountScope, Store, StoreError, Within};
use sea_orm::ConnectionTrait;
use serde_json::json;
use std::time::Duration;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, CallId, EventId};
use strowger_domain::schedule::Fact;
use tokio::time::timeout;
use uuid::Uuid;

fn quick() -> WriterSettings {
    WriterSettings {
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        ..WriterSettings::default()
    }
}

fn event(account: AccountId, sequence: u64) -> NewEvent {
    NewEvent {
        kind: "call.step",
        time: chrono::DateTime::UNIX_EPOCH,
        account,
        call: None,
        leg: None,
        sequence,
        data: events::data(&json!({})),
    }
}

async fn sequences(store: &Store, account: AccountId) -> Vec<u64> {
    let scope = &AccountScope::platform();
    let within = Within::Account(account);
    let events = store
        .events_after(scope, within, None, 10_000)
        .await
        .unwrap();
    events.iter().map(|event| event.sequence).collect()
}

#[tokio::test]
async fn a_record_and_its_terminal_event_are_one_piece() {
    with_accounts(async |store, sample| {
        let settings = WriterSettings {
            batch: 1,
            ..quick()
        };
        let writer = Writer::start(store.clone(), settings);
        let mut written = writer.written();
        let ended = record(sample.customer, sample.now).cut(sample.now);
        let last = event(sample.customer, 1);
        writer.end(ended.clone(), last).unwrap();
        written.changed().await.unwrap();
        let kept = store.call(&AccountScope::platform(), ended.id).await;
        assert_eq!(kept.unwrap().ended_at, ended.ended_at);
        assert_eq!(sequences(store, sample.customer).await, [1]);
    })
    .await;
}

#[tokio::test]
async fn a_record_is_durable_without_a_flush_and_outlives_a_crash() {
    on_both(async |database: TestDatabase| {
        let store = database.store().await.unwrap();
        let sample = Sample::new(store.clone()).await.unwrap();
        let writer = Writer::start(store.clone(), WriterSettings::default());
        let mut written = writer.written();
        let ended = record(sample.customer, sample.now).cut(sample.now);
        writer.call(ended.clone()).unwrap();
        writer.event(event(sample.customer, 1)).unwrap();
        let within_a_second = timeout(Duration::from_secs(1), written.changed()).await;
        within_a_second.unwrap().unwrap();
        // As after a crash: nobody flushes, another process opens the database.
        let next = Store::connect(database.url()).await.unwrap();
        let scope = &AccountScope::platform();
        assert_eq!(next.call(scope, ended.id).await.unwrap(), ended);
        next.close().await.unwrap();
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_flush_waits_for_everything_that_was_handed_over() {
    with_accounts(async |store, sample| {
        let settings = WriterSettings {
            batch: 7,
            delay: Duration::from_hours(1),
            ..quick()
        };
        let writer = Writer::start(store.clone(), settings);
        let expected: Vec<u64> = (1..=100).collect();
        for n in &expected {
            writer.event(event(sample.customer, *n)).unwrap();
        }
        writer.flush().await;
        assert_eq!(sequences(store, sample.customer).await, expected);
        writer.flush().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_handed_over_is_written_when_the_last_writer_goes() {
    with_accounts(async |store, sample| {
        let settings = WriterSettings {
            delay: Duration::from_hours(1),
            ..quick()
        };
        let writer = Writer::start(store.clone(), settings);
        let mut written = writer.written();
        writer.event(event(sample.customer, 1)).unwrap();
        drop(writer);
        written.changed().await.unwrap();
        assert_eq!(sequences(store, sample.customer).await, [1]);
    })
    .await;
}

#[tokio::test]
async fn records_wait_in_order_while_the_database_refuses() {
    with_accounts(async |store, sample| {
        let rename = async |from: &str, to: &str| {
            let sql = format!("ALTER TABLE {from} RENAME TO {to}");
            store.db.execute_unprepared(&sql).await.unwrap();
        };
        rename("events", "away").await;
        let writer = Writer::start(store.clone(), quick());
        let live = record(sample.customer, sample.now);
        writer.call(live.clone()).unwrap();
        let expected: Vec<u64> = (1..=1200).collect();
        for n in &expected {
            writer.event(event(sample.customer, *n)).unwrap();
        }
        let flushed = timeout(Duration::from_millis(100), writer.flush()).await;
        assert!(flushed.is_err(), "nothing can be written now");
        let scope = &AccountScope::platform();
        let call = store.call(scope, live.id).await;
        assert!(
            matches!(call, Err(StoreError::NotFound)),
            "half a batch is kept: {call:?}"
        );
        rename("away", "events").await;
        writer.flush().await;
        assert_eq!(sequences(store, sample.customer).await, expected);
        assert_eq!(store.call(scope, live.id).await.unwrap(), live);
    })
    .await;
}

#[tokio::test]
async fn the_writer_goes_on_when_the_server_is_back() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let store = database.store().await.unwrap();
    let sample = Sample::new(store.clone()).await.unwrap();
    let writer = Writer::start(store.clone(), quick());
    writer.event(event(sample.customer, 1)).unwrap();
    writer.flush().await;
    let (server, name) = database.url().rsplit_once('/').unwrap();
    let admin = Store::connect(&format!("{server}/postgres")).await.unwrap();
    let run = async |sql: String| {
        admin.db.execute_unprepared(&sql).await.unwrap();
    };
    run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    run(format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    ))
    .await;
    writer.event(event(sample.customer, 2)).unwrap();
    writer.event(event(sample.customer, 3)).unwrap();
    let flushed = timeout(Duration::from_millis(300), writer.flush()).await;
    assert!(flushed.is_err(), "the server takes no connections");
    run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    writer.flush().await;
    assert_eq!(sequences(&store, sample.customer).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_piece_that_cannot_be_kept_takes_no_other_with_it() {
    with_accounts(async |store, sample| {
        let nobody = AccountId::from_uuid(Uuid::now_v7());
        let writer = Writer::start(store.clone(), quick());
        writer.event(event(sample.customer, 1)).unwrap();
        writer.event(event(nobody, 2)).unwrap();
        writer.call(record(nobody, sample.now)).unwrap();
        writer.event(event(sample.customer, 3)).unwrap();
        writer.flush().await;
        assert_eq!(sequences(store, sample.customer).await, [1, 3]);
    })
    .await;
}

#[tokio::test]
async fn what_is_written_twice_is_kept_once() {
    with_accounts(async |store, sample| {
        let event = event(sample.customer, 1);
        let name = EventId::from_uuid(Uuid::now_v7());
        for _ in 0..2 {
            // As when the answer to a commit was lost.
            let told = std::slice::from_ref(&event);
            write_events(&store.db, told, || name).await.unwrap();
        }
        assert_eq!(sequences(store, sample.customer).await, [1]);
    })
    .await;
}

#[tokio::test]
async fn too_much_is_refused_and_said() {
    with_accounts(async |store, sample| {
        let settings = WriterSettings {
            capacity: 3,
            ..quick()
        };
        let writer = Writer::start(store.clone(), settings);
        let results: Vec<_> = (1..=5)
            .map(|n| writer.event(event(sample.customer, n)))
            .collect();
        assert_eq!(
            results,
            [Ok(()), Ok(()), Ok(()), Err(Refused), Err(Refused)]
        );
        assert_eq!(writer.waiting(), 3);
        writer.flush().await;
        assert_eq!(sequences(store, sample.customer).await, [1, 2, 3]);
    })
    .await;
}

#[tokio::test]
async fn what_happens_to_a_scheduled_call_is_written_in_order() {
    with_accounts(async |store, sample| {
        let id = sample
            .belongings(sample.customer, 1)
            .await
            .unwrap()
            .scheduled_call;
        let scope = &AccountScope::platform();
        let call = CallId::from_uuid(Uuid::now_v7());
        store
            .claim_scheduled_call(scope, id, call, sample.now)
            .await
            .unwrap();
        let writer = Writer::start(store.clone(), quick());
        let ended = Fact::Ended {
            cause: Cause::NormalClearing,
            sip_status: None,
        };
        for fact in [Fact::Rang, Fact::Answered, Fact::Rang, ended, Fact::Cut] {
            let at = sample.now;
            writer.scheduled(ScheduledUpdate { id, fact, at }).unwrap();
        }
        writer.flush().await;
        let kept = store.scheduled_call(scope, id).await.unwrap();
        assert_eq!(kept.state, ScheduledState::Completed);
        assert_eq!(kept.cause, Some(Cause::NormalClearing));
    })
    .await;
}

#[tokio::test]
async fn the_last_quarter_of_the_room_is_for_what_cannot_be_had_again() {
    with_accounts(async |store, sample| {
        let settings = WriterSettings {
            capacity: 8,
            ..quick()
        };
        let writer = Writer::start(store.clone(), settings);
        let told = (1..=9).filter(|n| writer.event(event(sample.customer, *n)).is_ok());
        assert_eq!(told.count(), 7);
        let live = record(sample.customer, sample.now);
        assert_eq!(writer.call(live.clone()), Err(Refused));
        let ended = live.cut(sample.now);
        writer
            .end(ended.clone(), event(sample.customer, 8))
            .unwrap();
        writer.flush().await;
        let scope = &AccountScope::platform();
        assert_eq!(store.call(scope, ended.id).await.unwrap(), ended);
    })
    .await;
}

#[tokio::test]
async fn events_of_many_calls_are_told_in_the_order_of_each_call() {
    with_accounts(async |store, sample| {
        let writer = Writer::start(store.clone(), quick());
        let calls: Vec<_> = (0..3).map(|_| CallId::from_uuid(Uuid::now_v7())).collect();
        for sequence in 1..=500 {
            for call in &calls {
                let call = Some(*call);
                let told = NewEvent {
                    call,
                    ..event(sample.customer, sequence)
                };
                writer.event(told).unwrap();
            }
        }
        writer.flush().await;
        let scope = &AccountScope::platform();
        let within = Within::Account(sample.customer);
        let (mut seen, mut all) = (None, Vec::new());
        loop {
            let some = store.events_after(scope, within, seen, 7).await.unwrap();
            let Some(last) = some.last() else { break };
            seen = Some(last.id);
            all.extend(some);
        }
        assert_eq!(all.len(), 1500);
        let expected: Vec<u64> = (1..=500).collect();
        for call in calls {
            let of_call = all.iter().filter(|event| event.call == Some(call));
            let sequence: Vec<_> = of_call.map(|event| event.sequence).collect();
            assert_eq!(sequence, expected);
            let events = store.events_of(scope, call).await.unwrap();
            assert_eq!(events.len(), 500);
        }
    })
    .await;
}
