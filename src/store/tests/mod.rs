//! The same tests on SQLite and on PostgreSQL.

mod assignments;
mod audit_log;
mod calls;
mod holdings;
mod migrations;
mod plans;
mod scheduled_calls;
mod sign_in;
mod tenancy;
mod webhooks;
mod writer;

use super::Store;
use super::assignments::Act;
use super::testing::{Sample, TestDatabase};
use chrono::{DateTime, Utc};

/// Runs a test on an empty SQLite database, and then on an empty one of PostgreSQL.
async fn on_both(test: impl AsyncFn(TestDatabase)) {
    eprintln!("on SQLite:");
    test(TestDatabase::sqlite()).await;
    if let Some(database) = TestDatabase::postgres().await {
        eprintln!("on PostgreSQL:");
        test(database).await;
    }
}

/// The same with the sample accounts in it.
async fn with_accounts(test: impl AsyncFn(&Store, Sample)) {
    on_both(async |database| {
        let store = database.store().await.unwrap();
        let sample = Sample::new(store.clone()).await.unwrap();
        test(&store, sample).await;
        store.close().await.unwrap();
    })
    .await;
}

/// Something that nobody in particular does.
fn act(at: DateTime<Utc>) -> Act {
    Act { by: None, at }
}
