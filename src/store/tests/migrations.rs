use super::on_both;
use crate::store::{AccountScope, Store, Within};
use chrono::DateTime;
use sea_orm::{ConnectionTrait, EntityTrait};
use sea_orm_migration::MigratorTrait;
use sea_orm_migration::sea_orm::sea_query::Query;
use serde_json::json;
use strowger_domain::ids::{AccountId, CallId, EventId, LegId};
use strowger_entity as entity;
use strowger_migration::Migrator;

async fn is_empty_table<E: EntityTrait>(store: &Store, _table: E) {
    assert!(E::find().all(&store.db).await.unwrap().is_empty());
}

#[tokio::test]
async fn every_migration_goes_up_down_and_up_again() {
    on_both(async |database| {
        let store = Store::connect(database.url()).await.unwrap();
        store.migrate().await.unwrap();
        Migrator::down(&store.db, None).await.unwrap();
        let left = sea_orm_migration::SchemaManager::new(&store.db);
        for table in ["accounts", "calls", "events", "idempotency_keys"] {
            assert!(!left.has_table(table).await.unwrap(), "{table} is left");
        }
        store.migrate().await.unwrap();
        store.migrate().await.unwrap();
        assert!(
            Migrator::get_pending_migrations(&store.db)
                .await
                .unwrap()
                .is_empty()
        );
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn every_table_has_the_columns_of_its_entity() {
    on_both(async |database| {
        let store = database.store().await.unwrap();
        is_empty_table(&store, entity::accounts::Entity).await;
        is_empty_table(&store, entity::audio::Entity).await;
        is_empty_table(&store, entity::audit_log::Entity).await;
        is_empty_table(&store, entity::brandings::Entity).await;
        is_empty_table(&store, entity::call_legs::Entity).await;
        is_empty_table(&store, entity::call_plan_versions::Entity).await;
        is_empty_table(&store, entity::call_plans::Entity).await;
        is_empty_table(&store, entity::calls::Entity).await;
        is_empty_table(&store, entity::events::Entity).await;
        is_empty_table(&store, entity::idempotency_keys::Entity).await;
        is_empty_table(&store, entity::instances::Entity).await;
        is_empty_table(&store, entity::invitations::Entity).await;
        is_empty_table(&store, entity::password_resets::Entity).await;
        is_empty_table(&store, entity::mail_settings::Entity).await;
        is_empty_table(&store, entity::mail_templates::Entity).await;
        is_empty_table(&store, entity::mails::Entity).await;
        is_empty_table(&store, entity::number_assignments::Entity).await;
        is_empty_table(&store, entity::number_plans::Entity).await;
        is_empty_table(&store, entity::numbers::Entity).await;
        is_empty_table(&store, entity::plan_switches::Entity).await;
        is_empty_table(&store, entity::recordings::Entity).await;
        is_empty_table(&store, entity::refresh_tokens::Entity).await;
        is_empty_table(&store, entity::routes::Entity).await;
        is_empty_table(&store, entity::scheduled_calls::Entity).await;
        is_empty_table(&store, entity::recovery_codes::Entity).await;
        is_empty_table(&store, entity::second_factors::Entity).await;
        is_empty_table(&store, entity::services::Entity).await;
        is_empty_table(&store, entity::sign_in_rules::Entity).await;
        is_empty_table(&store, entity::sessions::Entity).await;
        is_empty_table(&store, entity::signing_keys::Entity).await;
        is_empty_table(&store, entity::trunks::Entity).await;
        is_empty_table(&store, entity::api_keys::Entity).await;
        is_empty_table(&store, entity::users::Entity).await;
        is_empty_table(&store, entity::webhook_deliveries::Entity).await;
        is_empty_table(&store, entity::webhooks::Entity).await;
        store.close().await.unwrap();
    })
    .await;
}

/// Steps before that which makes bundles of events.
const SINGLE_EVENTS: u32 = 14;

#[tokio::test]
async fn events_of_an_earlier_build_are_told_as_they_were() {
    on_both(async |database| {
        let store = Store::connect(database.url()).await.unwrap();
        Migrator::up(&store.db, Some(SINGLE_EVENTS)).await.unwrap();
        let account = AccountId::from_uuid(uuid::Uuid::now_v7());
        let made = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
        let insert = Query::insert()
            .into_table("accounts")
            .columns([
                "id",
                "path",
                "kind",
                "name",
                "status",
                "time_zone",
                "permissions",
                "limits",
                "created_at",
                "updated_at",
            ])
            .values_panic([
                account.uuid().into(),
                format!("{}/", account.uuid().simple()).into(),
                "carrier".into(),
                "Root".into(),
                "active".into(),
                "UTC".into(),
                json!({}).into(),
                json!({}).into(),
                made.into(),
                made.into(),
            ])
            .to_owned();
        store.db.execute(&insert).await.unwrap();
        let (call, leg) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
        let mut ids = Vec::new();
        for sequence in 1..=700_i64 {
            let id = uuid::Uuid::now_v7();
            let insert = Query::insert()
                .into_table("events")
                .columns([
                    "id",
                    "account_id",
                    "kind",
                    "time",
                    "call_id",
                    "leg_id",
                    "sequence",
                    "data",
                ])
                .values_panic([
                    id.into(),
                    account.uuid().into(),
                    "leg.answered".into(),
                    made.into(),
                    call.into(),
                    (sequence == 2).then_some(leg).into(),
                    sequence.into(),
                    json!({ "n": sequence }).into(),
                ])
                .to_owned();
            store.db.execute(&insert).await.unwrap();
            ids.push(EventId::from_uuid(id));
        }
        store.migrate().await.unwrap();

        let scope = AccountScope::platform();
        let told = store
            .events_of(&scope, CallId::from_uuid(call))
            .await
            .unwrap();
        assert_eq!(told.len(), 700);
        let second = &told[1];
        assert_eq!(
            (second.kind.as_str(), second.account, second.leg),
            ("leg.answered", account, Some(LegId::from_uuid(leg)))
        );
        assert_eq!((second.time, &second.data), (made, &json!({ "n": 2 })));
        // A reader that stopped in the middle goes on there.
        let rest = store
            .events_after(&scope, Within::Tree(account), Some(ids[698]), 10)
            .await
            .unwrap();
        let rest: Vec<_> = rest.iter().map(|event| event.sequence).collect();
        assert_eq!(rest, [700]);
        store.close().await.unwrap();
    })
    .await;
}
