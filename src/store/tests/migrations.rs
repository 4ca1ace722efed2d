use super::on_both;
use crate::store::Store;
use sea_orm::EntityTrait;
use sea_orm_migration::MigratorTrait;
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
        is_empty_table(&store, entity::call_legs::Entity).await;
        is_empty_table(&store, entity::call_plan_versions::Entity).await;
        is_empty_table(&store, entity::call_plans::Entity).await;
        is_empty_table(&store, entity::calls::Entity).await;
        is_empty_table(&store, entity::events::Entity).await;
        is_empty_table(&store, entity::idempotency_keys::Entity).await;
        is_empty_table(&store, entity::instances::Entity).await;
        is_empty_table(&store, entity::numbers::Entity).await;
        is_empty_table(&store, entity::recordings::Entity).await;
        is_empty_table(&store, entity::refresh_tokens::Entity).await;
        is_empty_table(&store, entity::routes::Entity).await;
        is_empty_table(&store, entity::scheduled_calls::Entity).await;
        is_empty_table(&store, entity::services::Entity).await;
        is_empty_table(&store, entity::sessions::Entity).await;
        is_empty_table(&store, entity::signing_keys::Entity).await;
        is_empty_table(&store, entity::trunks::Entity).await;
        is_empty_table(&store, entity::api_keys::Entity).await;
        is_empty_table(&store, entity::users::Entity).await;
        store.close().await.unwrap();
    })
    .await;
}
