//! Forgets what was kept long enough.

use std::time::Duration;

use chrono::{DateTime, Months, Utc};

use crate::net::clock;
use crate::store::{AccountScope, Store, StoreError};

/// How long the audit log is kept.
const AUDIT_LOG: Months = Months::new(12);

/// How often is looked.
const PERIOD: Duration = Duration::from_hours(1);

/// How many rows go at a time: others write between.
const AT_A_TIME: u64 = 500;

/// Most rows that go in one look.
const MOST: u64 = 100_000;

/// Looks again and again.
pub async fn keep(store: Store) {
    loop {
        match look(&store, clock::now().utc).await {
            Ok(0) => {}
            Ok(entries) => tracing::info!(entries, "old entries of the audit log are gone"),
            Err(error) => tracing::warn!(%error, "what is old could not be forgotten"),
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Forgets what is too old; answers how many rows that were.
pub async fn look(store: &Store, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let Some(before) = now.checked_sub_months(AUDIT_LOG) else {
        return Ok(0);
    };
    let (everywhere, mut all) = (AccountScope::platform(), 0);
    loop {
        let gone = store
            .forget_audit_log(&everywhere, before, AT_A_TIME)
            .await?;
        all += gone;
        if gone < AT_A_TIME || all >= MOST {
            return Ok(all);
        }
    }
}
