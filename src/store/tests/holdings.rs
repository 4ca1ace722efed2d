use super::{on_both, with_accounts};
use crate::store::assignments::PlanSwitch;
use crate::store::branding::Branded;
use crate::store::holdings::{Held, Place, TABLES};
use crate::store::recordings::Recording;
use crate::store::sessions::NewSession;
use crate::store::testing::{Sample, record};
use crate::store::writer::{Writer, WriterSettings};
use crate::store::{AccountScope, Store, events};
use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, ModelTrait,
    Statement,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use strowger_domain::account::AccountStatus;
use strowger_domain::account::SignInRules;
use strowger_domain::ids::{AccountId, RecordingId, SessionId, SwitchId};
use strowger_entity::{
    audit_log, invitations, mail_settings, mail_templates, mails, webhook_deliveries, webhooks,
};
use uuid::Uuid;

async fn all(store: &Store, sql: String) -> Vec<sea_orm::QueryResult> {
    let statement = Statement::from_string(store.db.get_database_backend(), sql);
    store.db.query_all_raw(statement).await.unwrap()
}

/// The rows of every table.
async fn counts(store: &Store) -> BTreeMap<&'static str, i64> {
    let mut counts = BTreeMap::new();
    for table in TABLES {
        let rows = all(store, format!("SELECT count(*) FROM {table}")).await;
        counts.insert(*table, rows[0].try_get_by_index(0).unwrap());
    }
    counts
}

async fn insert<M>(store: &Store, model: M)
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    <M::Entity as EntityTrait>::insert(model.into_active_model())
        .exec_without_returning(&store.db)
        .await
        .unwrap();
}

/// Gives an account at least one row of every table.
async fn fill(store: &Store, sample: &Sample, account: AccountId, place: u8) {
    let made = sample.belongings(account, place).await.unwrap();
    let (scope, now) = (AccountScope::platform(), sample.now);
    let session = NewSession {
        id: SessionId::from_uuid(Uuid::now_v7()),
        user: made.user,
        token_hash: format!("hash of {place}"),
        created_at: now,
        expires_at: now + TimeDelta::hours(1),
        from: [192, 0, 2, 1].into(),
        user_agent: None,
    };
    store.create_session(session).await.unwrap();
    let secret = "GEZDGNBVGY3TQOJQ".to_owned();
    store
        .begin_second_factor(made.user, secret, now)
        .await
        .unwrap();
    let codes = vec![format!("hash of a code {place}")];
    store
        .confirm_second_factor(made.user, 1, codes, now)
        .await
        .unwrap();
    let rules = SignInRules {
        mfa_required: true,
        password_days: Some(90),
    };
    store
        .put_sign_in_rules(&scope, account, rules)
        .await
        .unwrap();
    let branded = Branded {
        host: Some(format!("portal{place}.example.test")),
        ..Branded::none(account)
    };
    store.put_branding(&scope, branded, now).await.unwrap();
    let switch = PlanSwitch {
        id: SwitchId::from_uuid(Uuid::now_v7()),
        account,
        number: made.number,
        call_plan: None,
        at: now,
        by: None,
        created_at: now,
    };
    store.create_switch(&scope, switch).await.unwrap();
    let id = account.uuid();
    let webhook = webhooks::Model {
        id: Uuid::now_v7(),
        account_id: id,
        url: "https://example.test/".to_owned(),
        event_types: serde_json::json!(["call.ended"]),
        description: String::new(),
        include_descendants: false,
        disabled_cause: None,
        disabled_at: None,
        failing_since: None,
        secret: "whsec_secret".to_owned(),
        previous_secret: None,
        previous_secret_until: None,
        seen_position: 0,
        seen_place: 0,
        created_at: now,
        updated_at: now,
    };
    let delivery = webhook_deliveries::Model {
        id: Uuid::now_v7(),
        webhook_id: webhook.id,
        event_id: Uuid::now_v7(),
        position: 1,
        event_type: "call.ended".to_owned(),
        account_id: id,
        call_id: None,
        state: "delivered".to_owned(),
        attempts: 1,
        due_at: now,
        expires_at: now,
        attempted_at: None,
        status: None,
        latency_ms: None,
        failure: None,
        response: None,
        created_at: now,
    };
    insert(store, webhook).await;
    insert(store, delivery).await;
    let settings = mail_settings::Model {
        account_id: id,
        host: "mail.example.test".to_owned(),
        port: 25,
        security: "none".to_owned(),
        username: None,
        password: Some("secret".to_owned()),
        from_address: "a@example.test".to_owned(),
        from_name: None,
        updated_at: now,
    };
    insert(store, settings).await;
    let template = mail_templates::Model {
        account_id: id,
        kind: "password".to_owned(),
        subject: String::new(),
        text: String::new(),
        html: None,
        updated_at: now,
    };
    insert(store, template).await;
    let mail = mails::Model {
        id: Uuid::now_v7(),
        account_id: id,
        kind: "password".to_owned(),
        recipient: "b@example.test".to_owned(),
        subject: String::new(),
        text: String::new(),
        html: None,
        status: "sent".to_owned(),
        attempts: 1,
        error: None,
        created_at: now,
        due_at: None,
        sent_at: None,
    };
    insert(store, mail).await;
    let invitation = invitations::Model {
        id: Uuid::now_v7(),
        account_id: id,
        email: "b@example.test".to_owned(),
        name: "B".to_owned(),
        role: "standard".to_owned(),
        token_hash: format!("invitation {place}"),
        created_at: now,
        expires_at: now,
        accepted_at: None,
    };
    insert(store, invitation).await;
    let (user, hash) = (made.user, format!("reset {place}"));
    store.put_password_reset(user, hash, now).await.unwrap();
    let entry = audit_log::Model {
        id: Uuid::now_v7(),
        account_id: id,
        created_at: now,
        actor: "usr_1".to_owned(),
        actor_name: "Ada".to_owned(),
        actor_account_id: None,
        source: None,
        user_agent: None,
        request_id: None,
        operation: "users.change".to_owned(),
        resource: None,
        before: None,
        after: None,
    };
    insert(store, entry).await;
    let key = store.begin_request(&scope, account, "once", "hash", now);
    key.await.unwrap();
    let writer = Writer::start(store.clone(), WriterSettings::default());
    let call = record(account, now);
    let recording = Recording {
        id: RecordingId::from_uuid(Uuid::now_v7()),
        account,
        call: call.id,
        file: "recordings/a.wav".to_owned(),
        channels: 1,
        duration: Duration::from_secs(1),
        size_bytes: 16_044,
        created_at: now,
    };
    writer.recording(recording).unwrap();
    let event = events::call_ended(&call, 1, now);
    writer.end(call, event).unwrap();
    writer.flush().await;
}

#[tokio::test]
async fn every_table_is_exported_and_erased_or_is_the_platforms_own() {
    on_both(async |database| {
        let store = database.store().await.unwrap();
        let sql = match store.db.get_database_backend() {
            DbBackend::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' \
                AND name NOT LIKE 'sqlite_%'"
            }
            _ => {
                "SELECT table_name FROM information_schema.tables \
                WHERE table_schema = current_schema()"
            }
        };
        let rows = all(&store, sql.to_owned()).await;
        let there: BTreeSet<String> = rows
            .iter()
            .map(|row| row.try_get_by_index(0).unwrap())
            .collect();
        let known = TABLES.iter().copied().chain(Store::own_tables());
        let known: BTreeSet<String> = known.map(ToOwned::to_owned).collect();
        assert_eq!(there, known);
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn erasing_an_account_takes_its_rows_of_every_table_and_no_others() {
    with_accounts(async |store, sample| {
        fill(store, &sample, sample.customer, 1).await;
        fill(store, &sample, sample.stranger, 2).await;
        let before = counts(store).await;
        for (table, rows) in &before {
            assert!(*rows > 0, "{table} has no row that could go");
        }
        let scope = store.scope_of(sample.carrier).await.unwrap();
        let mut gone = store.erase_account(&scope, sample.reseller).await.unwrap();
        gone.sort_unstable();
        let mut both = [sample.reseller, sample.customer];
        both.sort_unstable();
        assert_eq!(gone, both);
        for (table, rows) in counts(store).await {
            let left = if table == "accounts" {
                3
            } else {
                before[table] / 2
            };
            assert_eq!(rows, left, "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_export_has_every_table_once_and_no_secret() {
    with_accounts(async |store, sample| {
        fill(store, &sample, sample.customer, 1).await;
        fill(store, &sample, sample.stranger, 2).await;
        let scope = store.scope_of(sample.customer).await.unwrap();
        let (mut held, mut place): (Vec<Held>, _) = (Vec::new(), Some(Place::default()));
        while let Some(from) = place {
            let (rows, next) = store.export(&scope, sample.customer, from).await.unwrap();
            held.extend(rows);
            place = next;
        }
        let mut counted = BTreeMap::new();
        for row in &held {
            *counted.entry(row.table).or_insert(0) += 1;
        }
        let half = counts(store).await.into_iter();
        let half =
            half.map(|(table, rows)| (table, if table == "accounts" { 1 } else { rows / 2 }));
        assert_eq!(counted, half.collect());
        let text = format!("{held:?}");
        for secret in ["argon2", "\"secret\"", "whsec_", "hash of", "2.wav"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(text.contains("Ada.1@Example.Test"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_moved_account_takes_all_below_it_along() {
    with_accounts(async |store, sample| {
        let platform = AccountScope::platform();
        let carrier = store.scope_of(sample.carrier).await.unwrap();
        let refused = store.move_account(&carrier, sample.reseller, sample.customer, sample.now);
        assert!(refused.await.is_err());
        let moved = store
            .move_account(&carrier, sample.reseller, sample.rival, sample.now)
            .await
            .unwrap();
        assert_eq!(moved.parent, Some(sample.rival));
        let path = store
            .account_path(&platform, sample.customer)
            .await
            .unwrap();
        let expected = [
            sample.carrier,
            sample.rival,
            sample.reseller,
            sample.customer,
        ];
        assert_eq!(path.iter().collect::<Vec<_>>(), expected);
        let rival = store.scope_of(sample.rival).await.unwrap();
        assert!(store.account(&rival, sample.customer).await.is_ok());
        assert_eq!(store.levels(&rival, sample.rival).await.unwrap(), 3);
        assert_eq!(store.levels(&rival, sample.customer).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_closed_account_has_no_numbers_and_nobody_is_signed_in() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        let (platform, now) = (AccountScope::platform(), sample.now);
        let session = SessionId::from_uuid(Uuid::now_v7());
        let new = NewSession {
            id: session,
            user: made.user,
            token_hash: "hash".to_owned(),
            created_at: now,
            expires_at: now + TimeDelta::hours(1),
            from: [192, 0, 2, 1].into(),
            user_agent: None,
        };
        store.create_session(new).await.unwrap();
        let closed = store
            .close_account(&platform, sample.reseller, sample.carrier, now)
            .await
            .unwrap();
        assert_eq!(closed.status, AccountStatus::Closed);
        let number = store.number(&platform, made.number).await.unwrap();
        assert_eq!((number.account, number.call_plan), (sample.carrier, None));
        assert!(store.session(session, now).await.is_err());
    })
    .await;
}
