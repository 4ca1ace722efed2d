//! Tells of accounts and numbers that were changed, as they are now.

use serde_json::json;

use super::messages::Changed;
use crate::events::{catalogue, log};
use crate::net::clock;
use crate::store::{AccountScope, Store, StoreError, Writer};

/// Tells each change once. One that is gone by now tells nothing.
pub(super) async fn tell(store: &Store, writer: &Writer, changes: &[Changed]) {
    for change in changes {
        match tell_one(store, writer, *change).await {
            Ok(()) | Err(StoreError::NotFound) => {}
            Err(error) => tracing::warn!(%error, ?change, "a change is not told"),
        }
    }
}

async fn tell_one(store: &Store, writer: &Writer, change: Changed) -> Result<(), StoreError> {
    let (scope, now) = (AccountScope::platform(), clock::now().utc);
    match change {
        Changed::Account(id) => {
            let account = store.account(&scope, id).await?;
            let data = json!({
                "account": id,
                "name": account.name,
                "kind": account.kind,
                "status": account.status,
            });
            log::tell(writer, catalogue::ACCOUNT_UPDATED, id, &data, now);
        }
        Changed::Number(id) => {
            let number = store.number(&scope, id).await?;
            let data = json!({
                "number_id": id,
                "number": number.number,
                "status": number.status,
                "call_plan": number.call_plan,
            });
            log::tell(
                writer,
                catalogue::NUMBER_UPDATED,
                number.account,
                &data,
                now,
            );
        }
        Changed::Tree | Changed::Erased(_) | Changed::CallPlan(_) | Changed::Routes => {}
    }
    Ok(())
}
