//! A whole platform in this process: its own folder, database and ports. A test that ends must find
//! it as it was: no call, no port, no actor left, one record and one terminal event for each call.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use strowger::accounts::messages::{Observe, Observed};
use strowger::app::App;
use strowger::config::{Config, Settings};
use strowger::events::catalogue::EventType;
use strowger::store::calls::CallFilter;
use strowger::store::events::Event;
use strowger::store::numbers::NumberStatus;
use strowger::store::page::Paging;
use strowger::store::trunks::TrunkTransport;
use strowger::store::{AccountScope, Within};
use strowger_domain::account::{Limits, Permissions};
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::CallId;
use tempfile::TempDir;

use super::api::Api;
use super::facts::eventually;
use super::line::Line;
use super::panics;
use super::phone::{Caller, Phone};
use super::seed::{CUSTOMER_NUMBER, Hosted, Owner, PASSWORD, Seed, Seeded, email, trunk_to};

/// RTP ports of one platform, and how many platforms have their own; below those that the system
/// hands out.
const PORTS: u16 = 400;
const RANGES: u16 = 30;
static NEXT_RANGE: AtomicU16 = AtomicU16::new(0);

/// A platform to be.
pub(crate) struct Builder {
    pub(crate) seed: Seed,
    pub(crate) settings: Settings,
    /// How many files the program may have open, where it is a process of its own.
    pub(crate) files: Option<u32>,
    folder: TempDir,
}

/// A platform that runs.
pub(crate) struct Platform {
    app: Option<App>,
    /// Signed in as the customer.
    pub(crate) api: Api,
    pub(crate) http: SocketAddr,
    pub(crate) sip: SocketAddr,
    pub(crate) seeded: Seeded,
    pub(crate) config: Config,
    folder: TempDir,
}

impl Builder {
    /// A platform with the customer's number on this plan, and a trunk to this phone.
    pub(crate) fn new(plan: Value, carrier: &Phone) -> Self {
        let mut builder = Self::empty();
        builder.seed.trunk = Some(trunk_to(&carrier.address.to_string(), TrunkTransport::Udp));
        builder.number(CUSTOMER_NUMBER, plan)
    }

    /// A platform without numbers and trunk.
    pub(crate) fn empty() -> Self {
        let first = 20_000 + NEXT_RANGE.fetch_add(1, Ordering::Relaxed) % RANGES * PORTS;
        let seed = Seed {
            permissions: BTreeMap::new(),
            limits: BTreeMap::new(),
            disabled: Vec::new(),
            numbers: Vec::new(),
            trunk: None,
        };
        let settings = Settings {
            http: Some("127.0.0.1:0".into()),
            sip: Some("127.0.0.1:0".into()),
            rtp: Some(format!("{first}-{}", first + PORTS - 1)),
            allow_private_fetch: Some("true".into()),
            drain_s: Some("5".into()),
            // Tests run beside each other, and on slow machines.
            shed_after_ms: Some("0".into()),
            ..Settings::default()
        };
        Self {
            seed,
            settings,
            files: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A further number of the customer.
    pub(crate) fn number(self, number: &str, plan: Value) -> Self {
        self.hosted(number, Owner::Customer, NumberStatus::Active, Some(plan))
    }

    /// A further number.
    pub(crate) fn hosted(
        mut self,
        number: &str,
        owner: Owner,
        status: NumberStatus,
        plan: Option<Value>,
    ) -> Self {
        self.seed.numbers.push(Hosted {
            number: number.into(),
            owner,
            status,
            plan,
        });
        self
    }

    pub(crate) fn permissions(mut self, owner: Owner, permissions: Permissions) -> Self {
        self.seed.permissions.insert(owner, permissions);
        self
    }

    pub(crate) fn limits(mut self, owner: Owner, limits: Limits) -> Self {
        self.seed.limits.insert(owner, limits);
        self
    }

    pub(crate) fn disabled(mut self, owner: Owner) -> Self {
        self.seed.disabled.push(owner);
        self
    }

    /// Limits the files that the program may have open.
    pub(crate) fn files(mut self, files: u32) -> Self {
        self.files = Some(files);
        self
    }

    /// Changes a setting.
    pub(crate) fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Starts it.
    pub(crate) async fn start(self) -> Platform {
        panics::watch();
        if let Ok(filter) = std::env::var("STROWGER_TEST_LOG") {
            strowger::telemetry::start_logging(strowger::config::LogFormat::Text, &filter);
        }
        let (config, seeded, folder) = self.plant().await;
        Platform::run(config, seeded, folder).await
    }

    /// Fills its database.
    pub(crate) async fn plant(mut self) -> (Config, Seeded, TempDir) {
        self.settings.data = Some(self.folder.path().display().to_string());
        let config = Config::check(self.settings).unwrap();
        let seeded = self.seed.plant(&config).await;
        (config, seeded, self.folder)
    }
}

impl Platform {
    async fn run(config: Config, seeded: Seeded, folder: TempDir) -> Self {
        let app = App::start(&config).await.unwrap();
        let api = Api::sign_in(app.http, &email(Owner::Customer), PASSWORD).await;
        Self {
            api,
            http: app.http,
            sip: app.sip,
            app: Some(app),
            seeded,
            config,
            folder,
        }
    }

    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().expect("it runs")
    }

    /// Signs in as the user of another account.
    pub(crate) async fn api_of(&self, owner: Owner) -> Api {
        Api::sign_in(self.http, &email(owner), PASSWORD).await
    }

    /// The phone calls the customer's number.
    pub(crate) async fn called_by(&self, phone: &Phone) -> Line {
        phone
            .call(CUSTOMER_NUMBER, self.sip, Caller::default())
            .await
    }

    /// Schedules a call of the customer's number to this first party, now.
    pub(crate) async fn schedule(&self, first_party: &str) -> String {
        self.schedule_with(json!({ "first_party": first_party }))
            .await
    }

    /// Schedules a call of the customer's number.
    pub(crate) async fn schedule_with(&self, mut wish: Value) -> String {
        if wish.get("service_number").is_none() {
            wish["service_number"] = json!(CUSTOMER_NUMBER);
        }
        let made = self
            .api
            .post("/v1/accounts/me/scheduled_calls", &wish)
            .await
            .is(201);
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until a scheduled call is in this state.
    #[track_caller]
    pub(crate) fn scheduled_is(&self, id: &str, state: &str) -> impl Future<Output = Value> {
        let path = format!("/v1/accounts/me/scheduled_calls/{id}");
        let (what, state) = (format!("it is {state}"), state.to_owned());
        self.api
            .until(path, what, move |call| call["state"] == state.as_str())
    }

    /// How many actors were restored, calls live, and ports are open.
    pub(crate) async fn observed(&self) -> Observed {
        self.app().root.send(Observe).await.unwrap()
    }

    /// Waits until that many calls live.
    pub(crate) async fn has_calls(&self, calls: u64) {
        eventually(&format!("there are {calls} calls"), || async move {
            (self.observed().await.live_calls == calls).then_some(())
        })
        .await;
    }

    /// The records of all calls, the oldest first, once no call lives.
    pub(crate) async fn records(&self) -> Vec<CallRecord> {
        self.has_calls(0).await;
        self.app().writer.flush().await;
        self.calls().await
    }

    /// The record of the only call.
    pub(crate) async fn record(&self) -> CallRecord {
        let mut records = self.records().await;
        assert_eq!(records.len(), 1, "{records:#?}");
        records.remove(0)
    }

    /// What is kept of calls, the oldest first.
    pub(crate) async fn calls(&self) -> Vec<CallRecord> {
        let within = Within::Tree(self.seeded.accounts[&Owner::Carrier]);
        let (mut calls, mut after) = (Vec::new(), None);
        loop {
            let paging = Paging { limit: 500, after };
            let filter = CallFilter::default();
            let scope = AccountScope::platform();
            let page = self
                .app()
                .store
                .calls(&scope, within, &filter, paging)
                .await
                .unwrap();
            calls.extend(page.items);
            after = page.next;
            if after.is_none() {
                calls.reverse();
                return calls;
            }
        }
    }

    /// The types of a call's events, in order.
    pub(crate) async fn events_of(&self, call: CallId) -> Vec<String> {
        self.app().writer.flush().await;
        let events = self
            .app()
            .store
            .events_of(&AccountScope::platform(), call)
            .await
            .unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    /// Everything that was left must be gone; then the platform is stopped.
    #[track_caller]
    pub(crate) fn finish(self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            self.is_clean(place).await;
            self.stop().await;
        }
    }

    /// Stops it as SIGTERM does.
    pub(crate) async fn stop(mut self) -> TempDir {
        let app = self.app.take().expect("it runs");
        app.stop().await;
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// Stops it and starts it again on the same data.
    pub(crate) async fn restart(self) -> Self {
        let (config, seeded) = (self.config.clone(), self.seeded.clone());
        let folder = self.stop().await;
        Self::run(config, seeded, folder).await
    }

    async fn is_clean(&self, place: &std::panic::Location<'_>) {
        let look = async {
            while !is_at_rest(&self.observed().await) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(12), look)
            .await
            .is_err()
        {
            let observed = self.observed().await;
            panic!("{place}: something is left: {observed:#?}");
        }
        self.app().writer.flush().await;
        for call in self.calls().await {
            let events = self
                .app()
                .store
                .events_of(&AccountScope::platform(), call.id)
                .await
                .unwrap();
            events.iter().for_each(stands_in_catalogue);
            let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
            assert!(
                call.ended_at.is_some(),
                "{place}: a call has no record: {call:#?}"
            );
            assert_eq!(
                usize::from(call.expected_count),
                call.legs.len(),
                "{place}: {call:#?}"
            );
            let ends = kinds.iter().filter(|kind| **kind == "call.ended").count();
            assert_eq!(ends, 1, "{place}: `call.ended` comes once: {kinds:?}");
            assert_eq!(
                kinds.last(),
                Some(&"call.ended"),
                "{place}: nothing follows: {kinds:?}"
            );
            let sequence: Vec<_> = events.iter().map(|event| event.sequence).collect();
            let expected: Vec<_> = (1..=events.len() as u64).collect();
            assert_eq!(sequence, expected, "{place}: events have gaps: {kinds:?}");
        }
        let panics = panics::found();
        assert!(
            panics.is_empty(),
            "{place}: the platform panicked: {panics:#?}"
        );
    }
}

/// What is told is what the catalogue says: a type of it, with no field that its example lacks.
#[track_caller]
fn stands_in_catalogue(event: &Event) {
    let kind = EventType::named(&event.kind);
    let kind = kind.unwrap_or_else(|| panic!("not in the catalogue: {event:?}"));
    let example = kind.example();
    let fields = event.data.as_object().expect("data are an object");
    for field in fields.keys() {
        assert!(example.get(field).is_some(), "{field}: {event:?}");
    }
}

/// Whether nothing is left of any call. Finished transactions may still swallow copies.
fn is_at_rest(observed: &Observed) -> bool {
    let calls = observed.live_calls + observed.tickets + observed.media_ports;
    calls == 0 && observed.sip.machine.invites + observed.sip.owners == 0
}

impl Drop for Platform {
    fn drop(&mut self) {
        let forgotten = self.app.is_some() && !std::thread::panicking();
        assert!(
            !forgotten,
            "a test ends with `finish`, `stop` or `restart` of its platform"
        );
    }
}
