use super::with_accounts;
use crate::store::audit_log::{AuditEntry, AuditFilter};
use crate::store::testing::Sample;
use crate::store::{AccountScope, Paging, StoreError, Within};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use strowger_domain::ids::{AccountId, AuditEntryId};
use uuid::Uuid;

fn entry(sample: &Sample, account: AccountId, operation: &str, days: i64) -> AuditEntry {
    AuditEntry {
        id: AuditEntryId::from_uuid(Uuid::now_v7()),
        account,
        created_at: sample.now - TimeDelta::days(days),
        actor: "usr_1".to_owned(),
        actor_name: "ada@example.test".to_owned(),
        actor_account: Some(sample.reseller),
        source: Some("192.0.2.1".to_owned()),
        user_agent: None,
        request_id: Some("r-1".to_owned()),
        operation: operation.to_owned(),
        resource: None,
        before: Some(json!({"name": "A"})),
        after: Some(json!({"name": "B"})),
    }
}

#[tokio::test]
async fn entries_are_read_back_by_filter_within_the_scope_and_forgotten_when_they_are_old() {
    with_accounts(async |store, sample| {
        let kept = entry(&sample, sample.customer, "users.change", 0);
        let old = entry(&sample, sample.reseller, "users.create", 400);
        let theirs = entry(&sample, sample.stranger, "users.change", 0);
        for one in [&kept, &old, &theirs] {
            store.note_change(one.clone()).await.unwrap();
        }
        let scope = &store.scope_of(sample.reseller).await.unwrap();
        let tree = Within::Tree(sample.reseller);
        let read = async |filter: AuditFilter| {
            let page = store.audit_log(scope, tree, &filter, Paging::default());
            page.await.unwrap().items
        };
        let by = |operation: &str| AuditFilter {
            operation: Some(operation.to_owned()),
            ..AuditFilter::default()
        };
        assert_eq!(
            read(AuditFilter::default()).await,
            [kept.clone(), old.clone()]
        );
        assert_eq!(read(by("users")).await, [kept.clone(), old.clone()]);
        assert_eq!(read(by("users.create")).await, std::slice::from_ref(&old));
        assert_eq!(read(by("user")).await, []);
        let from = |from: DateTime<Utc>| AuditFilter {
            from: Some(from),
            ..AuditFilter::default()
        };
        assert_eq!(read(from(sample.now)).await, std::slice::from_ref(&kept));
        let hidden = Within::Account(sample.stranger);
        let filter = AuditFilter::default();
        let page = store.audit_log(scope, hidden, &filter, Paging::default());
        assert!(matches!(page.await, Err(StoreError::NotFound)));

        let year = sample.now - TimeDelta::days(365);
        let everywhere = &AccountScope::platform();
        assert_eq!(
            store.forget_audit_log(everywhere, year, 10).await.unwrap(),
            1
        );
        assert_eq!(
            store.forget_audit_log(everywhere, year, 10).await.unwrap(),
            0
        );
        assert_eq!(read(AuditFilter::default()).await, [kept]);
    })
    .await;
}
