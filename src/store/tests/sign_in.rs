use super::with_accounts;
use crate::store::idempotency::Known;
use crate::store::sessions::{NewSession, Rotation};
use crate::store::signing_keys::SigningKey;
use crate::store::testing::Sample;
use crate::store::users::UserChange;
use crate::store::{AccountScope, Store, StoreError};
use chrono::TimeDelta;
use serde_json::json;
use strowger_domain::account::Role;
use strowger_domain::ids::SessionId;
use uuid::Uuid;

async fn signed_in(sample: &Sample) -> SessionId {
    let user = sample.belongings(sample.customer, 1).await.unwrap().user;
    let session = NewSession {
        id: SessionId::from_uuid(Uuid::now_v7()),
        user,
        token_hash: "first".to_owned(),
        created_at: sample.now,
        expires_at: sample.now + TimeDelta::days(30),
        from: [192, 0, 2, 1].into(),
        user_agent: Some("curl/8".to_owned()),
    };
    sample.store.create_session(session).await.unwrap().id
}

fn rotation(sample: &Sample, presented: &str, next: &str) -> Rotation {
    Rotation {
        presented: presented.to_owned(),
        next: next.to_owned(),
        now: sample.now + TimeDelta::minutes(1),
        next_expires_at: sample.now + TimeDelta::days(1),
    }
}

async fn rotate(sample: &Sample, presented: &str, next: &str) -> Result<SessionId, StoreError> {
    let rotation = rotation(sample, presented, next);
    Ok(sample.store.rotate_session(rotation).await?.id)
}

#[tokio::test]
async fn a_user_is_found_by_its_address_in_any_case() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let found = store
            .user_by_email(scope, " ADA.1@example.TEST ")
            .await
            .unwrap();
        assert_eq!(found.id, made.user);
        assert_eq!(found.email, "Ada.1@Example.Test");
        let twice = sample.belongings(sample.stranger, 1).await;
        assert!(matches!(twice, Err(StoreError::Taken)), "{twice:?}");
    })
    .await;
}

#[tokio::test]
async fn a_user_is_changed_and_disabled() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let scope = &AccountScope::platform();
        let change = UserChange {
            role: Some(Role::ReadOnly),
            disabled: Some(true),
            ..UserChange::default()
        };
        let user = store
            .update_user(scope, made.user, change, sample.now)
            .await
            .unwrap();
        assert_eq!((user.role, user.disabled), (Role::ReadOnly, true));
        store.note_sign_in(made.user, sample.now).await.unwrap();
        let user = store.user(scope, made.user).await.unwrap();
        assert_eq!(user.signed_in_at, Some(sample.now));
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_once() {
    with_accounts(async |_, sample| {
        let session = signed_in(&sample).await;
        assert_eq!(rotate(&sample, "first", "second").await.unwrap(), session);
        assert_eq!(rotate(&sample, "second", "third").await.unwrap(), session);
        let unknown = rotate(&sample, "never issued", "x").await;
        assert!(
            matches!(unknown, Err(StoreError::TokenInvalid)),
            "{unknown:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_revokes_its_family() {
    with_accounts(async |store, sample| {
        let session = signed_in(&sample).await;
        rotate(&sample, "first", "second").await.unwrap();
        let again = rotate(&sample, "first", "stolen").await;
        assert!(matches!(again, Err(StoreError::TokenReused)), "{again:?}");
        let rightful = rotate(&sample, "second", "third").await;
        assert!(
            matches!(rightful, Err(StoreError::TokenInvalid)),
            "{rightful:?}"
        );
        let session = store.session(session, sample.now).await;
        assert!(matches!(session, Err(StoreError::NotFound)), "{session:?}");
    })
    .await;
}

#[tokio::test]
async fn of_many_exchanges_at_the_same_time_one_at_most_succeeds() {
    with_accounts(async |_, sample| {
        signed_in(&sample).await;
        let tries = (0..8).map(|n| {
            let sample = sample.clone();
            tokio::spawn(
                async move { rotate(&sample, "first", &format!("next {n}")).await.is_ok() },
            )
        });
        let mut succeeded = 0;
        for attempt in tries.collect::<Vec<_>>() {
            succeeded += u32::from(attempt.await.unwrap());
        }
        assert_eq!(succeeded, 1);
        let after = rotate(&sample, "next 0", "x").await;
        assert!(after.is_err(), "the family is not revoked");
    })
    .await;
}

#[tokio::test]
async fn an_expired_or_revoked_session_refreshes_no_more() {
    with_accounts(async |store, sample| {
        let session = signed_in(&sample).await;
        let mut late = rotation(&sample, "first", "second");
        late.now = sample.now + TimeDelta::days(31);
        let late = store.rotate_session(late).await;
        assert!(matches!(late, Err(StoreError::TokenInvalid)), "{late:?}");
        store.revoke_session(session, sample.now).await.unwrap();
        store.revoke_session(session, sample.now).await.unwrap();
        let revoked = rotate(&sample, "first", "second").await;
        assert!(
            matches!(revoked, Err(StoreError::TokenInvalid)),
            "{revoked:?}"
        );
        let far = sample.now + TimeDelta::days(60);
        assert_eq!(store.forget_sessions(far).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_newest_signing_key_comes_first() {
    with_accounts(async |store, sample| {
        for (id, minutes) in [("old", 0), ("new", 1)] {
            let key = SigningKey {
                id: id.to_owned(),
                algorithm: "EdDSA".to_owned(),
                secret: "-----BEGIN".to_owned(),
                created_at: sample.now + TimeDelta::minutes(minutes),
                retired_at: None,
            };
            assert!(!format!("{key:?}").contains("BEGIN"));
            store.create_signing_key(key).await.unwrap();
        }
        store.retire_signing_key("old", sample.now).await.unwrap();
        let keys = store.signing_keys().await.unwrap();
        let keys: Vec<_> = keys
            .iter()
            .map(|key| (key.id.as_str(), key.retired_at))
            .collect();
        assert_eq!(keys, [("new", None), ("old", Some(sample.now))]);
    })
    .await;
}

#[tokio::test]
async fn a_request_with_a_key_is_carried_out_once() {
    with_accounts(async |store: &Store, sample| {
        let scope = &AccountScope::platform();
        let account = sample.customer;
        let begin = async |hash: &str| {
            store
                .begin_request(scope, account, "k", hash, sample.now)
                .await
                .unwrap()
        };
        assert_eq!(begin("a").await, Known::New);
        assert_eq!(begin("a").await, Known::InProgress);
        assert_eq!(begin("b").await, Known::Different);
        store
            .finish_request(account, "k", 201, json!({"id": 1}))
            .await
            .unwrap();
        let body = json!({"id": 1});
        assert_eq!(begin("a").await, Known::Answered { status: 201, body });
        store.drop_request(account, "k").await.unwrap();
        assert_eq!(begin("b").await, Known::New);
    })
    .await;
}
