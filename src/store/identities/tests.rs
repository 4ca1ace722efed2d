//! What changed is never known as it was.

use std::path::Path;

use super::*;
use crate::store::testing::{Sample, TestDatabase};
use strowger_domain::account::{AccountStatus, Scopes};

#[tokio::test]
async fn an_account_is_known_as_it_was_until_it_or_one_above_changes() {
    let database = TestDatabase::sqlite();
    let store = database.store().await.unwrap();
    let sample = Sample::new(store.clone()).await.unwrap();
    let now = sample.now;
    let first = store.standing(sample.customer, now).await.unwrap();
    assert!(first.is_active && first.is_within(sample.carrier));
    let again = store.standing(sample.customer, now).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again), "it was looked up again");
    let stranger = store.standing(sample.rival, now).await.unwrap();
    let change = crate::store::accounts::AccountChange {
        status: Some(AccountStatus::Disabled),
        ..Default::default()
    };
    let everywhere = AccountScope::platform();
    store
        .update_account(&everywhere, sample.reseller, change, now)
        .await
        .unwrap();
    let changed = store.standing(sample.customer, now).await.unwrap();
    assert!(!changed.is_active);
    let other = store.standing(sample.rival, now).await.unwrap();
    assert!(
        Arc::ptr_eq(&stranger, &other),
        "another branch was forgotten too"
    );
    let later = store.standing(sample.customer, now + KEPT).await.unwrap();
    assert!(!Arc::ptr_eq(&changed, &later), "it was kept for too long");
    let back = store.standing(sample.customer, now - KEPT).await.unwrap();
    assert!(!Arc::ptr_eq(&later, &back), "the clock went back");
}

#[test]
fn what_was_read_before_a_change_and_comes_after_it_is_not_kept() {
    let identities = Identities::default();
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let hash = "hash".to_owned();
    let key = |hint: &str| ApiKey {
        id: ApiKeyId::from_uuid(uuid::Uuid::nil()),
        account: AccountId::from_uuid(uuid::Uuid::nil()),
        name: String::new(),
        hint: hint.to_owned(),
        scopes: Scopes::default(),
        allowed_sources: Vec::new(),
        created_by: None,
        created_at: now,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        last_used_from: None,
    };
    let find = || identities.find(|known| &known.secrets, &hash, now);
    let keep = |hint: &str, changes| {
        let new = (hash.clone(), key(hint));
        identities.keep(|known| &mut known.secrets, new, changes, now)
    };
    let before = find().unwrap_err();
    drop(identities.changing(Subject::Key(key("").id)));
    assert_eq!(keep("old", before).hint, "old");
    let after = find().unwrap_err();
    assert_eq!(keep("new", after).hint, "new");
    assert_eq!(find().unwrap().hint, "new");
    drop(identities.changing(Subject::Key(key("").id)));
    assert!(find().is_err());
}

/// Whoever writes a function that changes an account, a user, a session or a key must forget it.
#[test]
fn every_change_of_what_is_known_forgets_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    for name in [
        "accounts.rs",
        "users.rs",
        "sessions.rs",
        "api_keys.rs",
        "second_factors.rs",
    ] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let (_, text) = text.split_once("\nimpl Store {").unwrap();
        let (text, _) = text.split_once("\n}\n").unwrap();
        for function in text.split("    pub async fn ").skip(1) {
            let (name_of, _) = function.split_once('(').unwrap();
            let changes = function.contains("update_many()")
                || function.contains("delete_many()")
                || function.contains("revoke(&");
            // These change nothing that a request is judged by.
            let harmless = [
                "note_sign_in",
                "forget_sessions",
                "accept_step",
                "use_recovery_code",
                "replace_recovery_codes",
            ]
            .contains(&name_of);
            assert!(
                !changes || harmless || function.contains(".changing("),
                "{name}: {name_of} changes what identities.rs knows, and does not forget it"
            );
        }
    }
}
