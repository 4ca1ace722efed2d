use super::{act, with_accounts};
use crate::store::call_plans::Publication;
use crate::store::numbers::{DirectoryRow, NumberChange, NumberStatus};
use crate::store::page::MAX_LIMIT;
use crate::store::users::NewUser;
use crate::store::{AccountScope, Cursor, Paging, StoreError, Within};
use chrono::{TimeDelta, Utc};
use serde_json::json;
use strowger_domain::account::{AccountKind, Role};
use strowger_domain::ids::{AccountId, UserId};
use uuid::Uuid;

#[tokio::test]
async fn a_draft_is_replaced_only_by_who_saw_it_last() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let seen = store.call_plan(scope, made.plan).await.unwrap().draft_etag;
        let put = async |etag: &str, draft| {
            store
                .put_draft(scope, made.plan, etag, draft, sample.now)
                .await
        };
        let changed = put(&seen, json!({"nodes": {"a": 1}})).await.unwrap();
        assert_ne!(changed.draft_etag, seen);
        for etag in [seen.as_str(), "", "d", "\"x\""] {
            let stale = put(etag, json!({})).await;
            assert!(matches!(stale, Err(StoreError::Stale)), "{etag}: {stale:?}");
        }
        let kept = store.call_plan(scope, made.plan).await.unwrap();
        assert_eq!(kept, changed);
    })
    .await;
}

#[tokio::test]
async fn a_published_version_never_changes() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let plan = store.call_plan(scope, made.plan).await.unwrap();
        let draft = json!({"nodes": {"b": 2}});
        let plan = store
            .put_draft(
                scope,
                made.plan,
                &plan.draft_etag,
                draft.clone(),
                sample.now,
            )
            .await
            .unwrap();
        let publish = async |etag: &str| {
            let publication = Publication {
                plan: made.plan,
                etag: etag.to_owned(),
                note: "second".to_owned(),
                by: None,
                now: sample.now,
            };
            store.publish_call_plan(scope, publication).await
        };
        let stale = publish("d1").await;
        assert!(matches!(stale, Err(StoreError::Stale)), "{stale:?}");
        let second = publish(&plan.draft_etag).await.unwrap();
        assert_eq!((second.version, &second.plan), (2, &draft));
        let versions = store.call_plan_versions(scope, made.plan).await.unwrap();
        let versions: Vec<_> = versions
            .iter()
            .map(|v| (v.version, v.note.as_str()))
            .collect();
        assert_eq!(versions, [(2, "second"), (1, "first")]);
        let first = store.call_plan_version(scope, made.plan, 1).await.unwrap();
        assert_eq!(first.plan, json!({"nodes": {}}));
        assert_eq!(
            store.published_call_plan(scope, made.plan).await.unwrap(),
            second
        );
    })
    .await;
}

#[tokio::test]
async fn the_directory_names_each_numbers_published_plan() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let number = store.number(scope, made.number).await.unwrap();
        let with_plan = DirectoryRow {
            number: number.clone(),
            plan: Some((made.plan, 1)),
        };
        assert_eq!(store.directory_rows(scope).await.unwrap(), [with_plan]);
        assert_eq!(
            store.number_by_e164(scope, &number.number).await.unwrap(),
            number
        );
        let change = NumberChange {
            status: Some(NumberStatus::Parked),
            call_plan: Some(None),
            ..NumberChange::default()
        };
        store
            .update_number(scope, made.number, change, act(sample.now))
            .await
            .unwrap();
        let rows = store.directory_rows(scope).await.unwrap();
        assert_eq!(
            (rows[0].number.status, rows[0].plan),
            (NumberStatus::Parked, None)
        );
    })
    .await;
}

#[tokio::test]
async fn a_number_belongs_to_one_account_of_the_platform() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let mut number = store.number(scope, made.number).await.unwrap();
        number.id = strowger_domain::ids::NumberId::from_uuid(Uuid::now_v7());
        number.account = sample.stranger;
        let twice = store.create_number(scope, number).await;
        assert!(matches!(twice, Err(StoreError::Taken)), "{twice:?}");
    })
    .await;
}

#[tokio::test]
async fn pages_hold_every_row_once_newest_first() {
    with_accounts(async |store, sample| {
        let scope = &AccountScope::platform();
        let mut expected = Vec::new();
        for n in 0..7_i64 {
            let user = NewUser {
                id: UserId::from_uuid(Uuid::now_v7()),
                account: sample.customer,
                email: format!("{n}@example.test"),
                name: String::new(),
                role: Role::Standard,
                password_hash: String::new(),
                // Pairs of rows with the same time.
                created_at: sample.now + TimeDelta::microseconds(n / 2),
            };
            expected.insert(0, store.create_user(scope, user).await.unwrap().id);
        }
        let mut seen = Vec::new();
        let mut paging = Paging {
            limit: 2,
            after: None,
        };
        loop {
            let within = Within::Tree(sample.carrier);
            let page = store.users(scope, within, paging).await.unwrap();
            seen.extend(page.items.iter().map(|user| user.id));
            let Some(next) = page.next else { break };
            let text = next.to_string();
            paging.after = Some(text.parse::<Cursor>().unwrap());
        }
        assert_eq!(seen, expected);
    })
    .await;
}

#[test]
fn a_text_that_is_no_cursor_is_refused() {
    for text in [
        "",
        "-",
        "x",
        "1-2",
        "zz-0190b5d96a274d9a5b2c3d4e5f60718a",
        "9-",
    ] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
    assert!(MAX_LIMIT >= Paging::default().limit);
}

#[tokio::test]
async fn the_tree_is_read_from_the_root_downwards() {
    with_accounts(async |store, sample| {
        let scope = &AccountScope::platform();
        let accounts = store.all_accounts(scope).await.unwrap();
        let place = |id: AccountId| {
            accounts
                .iter()
                .position(|account| account.id == id)
                .unwrap()
        };
        assert_eq!(place(sample.carrier), 0);
        assert!(place(sample.reseller) < place(sample.customer));
        assert!(place(sample.rival) < place(sample.stranger));
        let path = store.account_path(scope, sample.customer).await.unwrap();
        let path: Vec<_> = path.iter().collect();
        assert_eq!(path, [sample.carrier, sample.reseller, sample.customer]);
        let children = store
            .children(scope, sample.carrier, Paging::default())
            .await
            .unwrap();
        assert_eq!(children.items.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_account_keeps_what_it_was_given() {
    with_accounts(async |store, sample| {
        let reseller = store.scope_of(sample.reseller).await.unwrap();
        let id = AccountId::from_uuid(Uuid::now_v7());
        let mut account = sample.account(id, Some(sample.reseller), AccountKind::Customer);
        account.created_at = Utc::now();
        let kept = store
            .create_account(&reseller, account.clone())
            .await
            .unwrap();
        account.created_at = kept.created_at;
        assert_eq!(kept, account);
    })
    .await;
}
