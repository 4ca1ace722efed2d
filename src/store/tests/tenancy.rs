use super::{act, with_accounts};
use crate::store::accounts::AccountChange;
use crate::store::call_plans::Publication;
use crate::store::calls::CallFilter;
use crate::store::events::{self, NewEvent};
use crate::store::numbers::{NumberChange, NumberFilter};
use crate::store::recordings::Recording;
use crate::store::scheduled_calls::ScheduledCallFilter;
use crate::store::services::InstanceUpdate;
use crate::store::testing::record;
use crate::store::trunks::TrunkChange;
use crate::store::users::UserChange;
use crate::store::writer::{Writer, WriterSettings};
use crate::store::{AccountScope, Page, Paging, StoreError, Within};
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::Duration;
use strowger_domain::account::AccountKind;
use strowger_domain::ids::{AccountId, CallId, EventId, RecordingId};
use uuid::Uuid;

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is the answer of the call beside it"
)]
#[track_caller]
fn hidden<T: Debug>(what: &str, answer: Result<T, StoreError>) {
    assert!(
        matches!(answer, Err(StoreError::NotFound)),
        "{what}: {answer:?}"
    );
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is the answer of the call beside it"
)]
#[track_caller]
fn seen<T: Debug>(what: &str, answer: Result<T, StoreError>) {
    assert!(answer.is_ok(), "{what}: {answer:?}");
}

fn call_id() -> CallId {
    CallId::from_uuid(Uuid::now_v7())
}

fn one<T: Debug>(what: &str, page: Result<Page<T>, StoreError>) {
    let page = page.unwrap();
    assert_eq!(page.items.len(), 1, "{what}: {page:?}");
}

#[tokio::test]
async fn rows_of_another_branch_are_not_found() {
    with_accounts(async |store, sample| {
        let theirs = sample.belongings(sample.stranger, 2).await.unwrap();
        let scope = &store.scope_of(sample.reseller).await.unwrap();
        let now = sample.now;
        let stranger = sample.stranger;
        let paging = Paging::default();
        hidden("account", store.account(scope, stranger).await);
        hidden("parent", store.account(scope, sample.carrier).await);
        hidden("account path", store.account_path(scope, stranger).await);
        hidden(
            "children",
            store.children(scope, sample.rival, paging).await,
        );
        let change = AccountChange::default();
        hidden(
            "change",
            store.update_account(scope, stranger, change, now).await,
        );
        let id = AccountId::from_uuid(Uuid::now_v7());
        let child = sample.account(id, Some(sample.rival), AccountKind::Customer);
        hidden("child", store.create_account(scope, child).await);
        let root = sample.account(id, None, AccountKind::Carrier);
        hidden("second root", store.create_account(scope, root).await);
        hidden("user", store.user(scope, theirs.user).await);
        let change = UserChange::default();
        hidden(
            "change",
            store.update_user(scope, theirs.user, change, now).await,
        );
        hidden(
            "user by address",
            store.user_by_email(scope, "ada.2@example.test").await,
        );
        hidden("plan", store.call_plan(scope, theirs.plan).await);
        hidden(
            "draft",
            store
                .put_draft(scope, theirs.plan, "d1", Value::Null, now)
                .await,
        );
        hidden(
            "name",
            store
                .rename_call_plan(scope, theirs.plan, String::new(), now)
                .await,
        );
        hidden(
            "versions",
            store.call_plan_versions(scope, theirs.plan).await,
        );
        hidden(
            "version",
            store.call_plan_version(scope, theirs.plan, 1).await,
        );
        hidden(
            "published",
            store.published_call_plan(scope, theirs.plan).await,
        );
        let publication = Publication {
            plan: theirs.plan,
            etag: "d1".to_owned(),
            note: String::new(),
            by: None,
            now,
        };
        hidden("publish", store.publish_call_plan(scope, publication).await);
        hidden("number", store.number(scope, theirs.number).await);
        let platform = &AccountScope::platform();
        let number = store.number(platform, theirs.number).await.unwrap();
        hidden(
            "number by digits",
            store.number_by_e164(scope, &number.number).await,
        );
        let change = NumberChange::default();
        hidden(
            "change",
            store
                .update_number(scope, theirs.number, change, act(now))
                .await,
        );
        hidden("audio", store.audio(scope, theirs.audio).await);
        hidden(
            "delete audio",
            store.delete_audio(scope, theirs.audio).await,
        );
        hidden("API key", store.api_key(scope, theirs.api_key).await);
        store
            .revoke_api_key(scope, theirs.api_key, now)
            .await
            .unwrap();
        let platform = AccountScope::platform();
        let key = store.api_key(&platform, theirs.api_key).await.unwrap();
        assert_eq!(key.revoked_at, None, "revoked by another branch");
        hidden("trunk", store.trunk(scope, theirs.trunk).await);
        let change = TrunkChange::default();
        hidden(
            "change",
            store.update_trunk(scope, theirs.trunk, change, now).await,
        );
        hidden(
            "delete trunk",
            store.delete_trunk(scope, theirs.trunk).await,
        );
        hidden("route", store.route(scope, theirs.route).await);
        hidden(
            "delete route",
            store.delete_route(scope, theirs.route).await,
        );
        hidden(
            "service",
            store.outbound_service(scope, stranger, "survey").await,
        );
        hidden(
            "service by id",
            store.outbound_service_by_id(scope, theirs.service).await,
        );
        hidden(
            "delete service",
            store.delete_outbound_service(scope, theirs.service).await,
        );
        hidden("instance", store.instance(scope, theirs.instance).await);
        hidden(
            "instances",
            store.instances(scope, theirs.service, paging).await,
        );
        let update = InstanceUpdate::default();
        let update = store
            .update_instance(scope, theirs.instance, update, now)
            .await;
        assert!(matches!(update, Err(StoreError::Stale)), "{update:?}");
        assert_eq!(store.close_cut_instances(scope, now).await.unwrap(), []);
        hidden(
            "scheduled",
            store.scheduled_call(scope, theirs.scheduled_call).await,
        );
        let cancelled = store
            .cancel_scheduled_call(scope, theirs.scheduled_call, now)
            .await;
        hidden("cancel", cancelled);
        let call = sample.scheduled_call(sample.customer, 2);
        hidden(
            "a call from their number",
            store.create_scheduled_call(scope, call).await,
        );
        assert_eq!(
            store.claim_due(scope, now, 10, &[], call_id).await.unwrap(),
            []
        );
        let id = theirs.scheduled_call;
        hidden(
            "claim",
            store.claim_scheduled_call(scope, id, call_id(), now).await,
        );
        assert_eq!(store.open_scheduled_calls(scope).await.unwrap(), []);
        assert_eq!(store.close_interrupted(scope, now).await.unwrap(), []);
        assert_eq!(store.expire_due(scope, now).await.unwrap(), []);
        assert_eq!(store.next_due(scope, &[]).await.unwrap(), None);
        assert!(store.scheduled_counts(scope).await.unwrap().is_empty());
        assert_eq!(store.directory_rows(scope).await.unwrap(), []);
        for within in [Within::Account(stranger), Within::Tree(sample.rival)] {
            hidden(
                "accounts",
                store
                    .accounts(scope, Within::Tree(sample.rival), paging)
                    .await,
            );
            hidden("users", store.users(scope, within, paging).await);
            hidden("plans", store.call_plans(scope, within, paging).await);
            hidden(
                "numbers",
                store
                    .numbers(scope, within, &NumberFilter::default(), paging)
                    .await,
            );
            hidden(
                "audio files",
                store.audio_files(scope, within, paging).await,
            );
            hidden("API keys", store.api_keys(scope, within, paging).await);
            hidden("trunks", store.trunks(scope, within, paging).await);
            hidden("routes", store.routes(scope, within, paging).await);
            hidden(
                "services",
                store.outbound_services(scope, within, paging).await,
            );
            let filter = ScheduledCallFilter::default();
            hidden(
                "scheduled",
                store.scheduled_calls(scope, within, &filter, paging).await,
            );
            hidden("counts", store.count_scheduled_calls(scope, within).await);
            let filter = CallFilter::default();
            hidden("calls", store.calls(scope, within, &filter, paging).await);
            hidden("recordings", store.recordings(scope, within, paging).await);
            hidden("events", store.events_after(scope, within, None, 10).await);
            hidden("last event", store.last_event(scope, within).await);
        }
        hidden(
            "key",
            store.begin_request(scope, stranger, "k", "h", now).await,
        );
    })
    .await;
}

#[tokio::test]
async fn calls_recordings_and_events_of_another_branch_are_not_found() {
    with_accounts(async |store, sample| {
        let scope = &store.scope_of(sample.customer).await.unwrap();
        let now = sample.now;
        let theirs = record(sample.stranger, now);
        let recording = Recording {
            id: RecordingId::from_uuid(Uuid::now_v7()),
            account: sample.stranger,
            call: theirs.id,
            file: "x.wav".to_owned(),
            channels: 2,
            duration: Duration::from_secs(1),
            size_bytes: 44,
            created_at: now,
        };
        let event = NewEvent {
            kind: "call.started",
            time: now,
            account: sample.stranger,
            call: Some(theirs.id),
            leg: None,
            sequence: 1,
            data: events::data(&json!({})),
        };
        let writer = Writer::start(store.clone(), WriterSettings::default());
        writer.call(theirs.clone()).unwrap();
        writer.recording(recording.clone()).unwrap();
        writer.event(event).unwrap();
        writer.flush().await;
        hidden("call", store.call(scope, theirs.id).await);
        hidden("recording", store.recording(scope, recording.id).await);
        hidden(
            "delete recording",
            store.delete_recording(scope, recording.id).await,
        );
        assert_eq!(store.recordings_of(scope, theirs.id).await.unwrap(), []);
        assert_eq!(store.events_of(scope, theirs.id).await.unwrap(), []);
        let next = || EventId::from_uuid(Uuid::now_v7());
        assert_eq!(store.close_cut(scope, now, next).await.unwrap(), []);
        let own = &store.scope_of(sample.rival).await.unwrap();
        seen("call", store.call(own, theirs.id).await);
        seen("recording", store.recording(own, recording.id).await);
        assert_eq!(store.events_of(own, theirs.id).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_account_reaches_all_its_descendants() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.customer, 1).await.unwrap();
        sample.belongings(sample.stranger, 2).await.unwrap();
        let scope = &store.scope_of(sample.reseller).await.unwrap();
        let paging = Paging::default();
        assert_eq!(scope.account(), Some(sample.reseller));
        seen("account", store.account(scope, sample.customer).await);
        seen("user", store.user(scope, made.user).await);
        seen("plan", store.published_call_plan(scope, made.plan).await);
        seen("number", store.number(scope, made.number).await);
        seen(
            "service",
            store
                .outbound_service(scope, sample.customer, "survey")
                .await,
        );
        seen("instance", store.instance(scope, made.instance).await);
        for within in [
            Within::Account(sample.customer),
            Within::Tree(sample.reseller),
        ] {
            one("users", store.users(scope, within, paging).await);
            one("plans", store.call_plans(scope, within, paging).await);
            one(
                "numbers",
                store
                    .numbers(scope, within, &NumberFilter::default(), paging)
                    .await,
            );
            one("audio", store.audio_files(scope, within, paging).await);
            one("API keys", store.api_keys(scope, within, paging).await);
            one("trunks", store.trunks(scope, within, paging).await);
            one("routes", store.routes(scope, within, paging).await);
            one(
                "services",
                store.outbound_services(scope, within, paging).await,
            );
        }
        let own = store
            .users(scope, Within::Account(sample.reseller), paging)
            .await
            .unwrap();
        assert_eq!(own.items, [], "a descendant's users are not its own");
        assert_eq!(store.all_accounts(scope).await.unwrap().len(), 2);
        seen(
            "scheduled",
            store.scheduled_call(scope, made.scheduled_call).await,
        );
    })
    .await;
}

#[tokio::test]
async fn routes_and_trunks_are_looked_up_along_the_path() {
    with_accounts(async |store, sample| {
        let made = sample.belongings(sample.reseller, 3).await.unwrap();
        let table = store
            .routing_table(&AccountScope::platform())
            .await
            .unwrap();
        let path = store
            .account_path(&AccountScope::platform(), sample.customer)
            .await
            .unwrap();
        let path: Vec<_> = path.iter().collect();
        let trunk = table.find(&path, "+447700900001").unwrap();
        assert_eq!(
            (trunk.id, trunk.host.as_str(), trunk.port),
            (made.trunk, "192.0.2.1", 5070)
        );
        assert!(table.find(&path, "+15555550100").is_none());
        let source = "192.0.2.77".parse().unwrap();
        assert!(table.of_source(&path, source).is_some());
        let scope = &AccountScope::platform();
        let used = store.delete_trunk(scope, made.trunk).await;
        assert!(matches!(used, Err(StoreError::Referred)), "{used:?}");
        store.delete_route(scope, made.route).await.unwrap();
        store.delete_trunk(scope, made.trunk).await.unwrap();
    })
    .await;
}
