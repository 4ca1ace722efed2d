//! A running API with two customers that must not see each other.

use std::net::{SocketAddr, TcpListener};

use actix::{Actor, Addr, Context, Handler};
use actix_web::dev::ServerHandle;
use chrono::{DateTime, Utc};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use strowger_domain::account::{Role, Scopes};
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::{AccountId, ApiKeyId, InstanceId, UserId};
use uuid::Uuid;

use crate::accounts::messages::{
    CountCalls, Counted, DirectoryChanged, FindCall, HangUp, LiveCalls, Observe, Observed,
    PauseRecordings, Platform, StartRefused, StartService, WakeScheduler,
};
use crate::api::passwords::Passwords;
use crate::api::{Api, Parts, Settings, passwords, serve, tokens};
use crate::events::http_client::{HttpClient, Policy};
use crate::events::webhooks::Webhooks;
use crate::mail::{Outbox, Postbox};
use crate::sound::media_files::MediaFiles;
use crate::sound::storage::Storage;
use crate::store::api_keys::ApiKey;
use crate::store::testing::{Sample, TestDatabase};
use crate::store::users::{NewUser, UserChange};
use crate::store::writer::WriterSettings;
use crate::store::{AccountScope, Store, Writer};

pub(super) const PASSWORD: &str = "correct horse battery";

/// The platform's other end: has the calls that a test gives it, and starts every service.
#[derive(Default)]
pub(super) struct Stage {
    pub(super) live: Vec<CallRecord>,
    pub(super) started: Vec<StartService>,
}

impl Actor for Stage {
    type Context = Context<Self>;
}

/// Puts calls on the stage.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Show(Vec<CallRecord>);

impl Handler<Show> for Stage {
    type Result = ();

    fn handle(&mut self, shown: Show, _ctx: &mut Context<Self>) {
        self.live = shown.0;
    }
}

impl Handler<LiveCalls> for Stage {
    type Result = Vec<CallRecord>;

    fn handle(&mut self, asked: LiveCalls, _ctx: &mut Context<Self>) -> Vec<CallRecord> {
        self.live
            .iter()
            .filter(|call| call.account == asked.account)
            .cloned()
            .collect()
    }
}

impl Handler<FindCall> for Stage {
    type Result = Option<Box<CallRecord>>;

    fn handle(&mut self, asked: FindCall, _ctx: &mut Context<Self>) -> Self::Result {
        let found = self
            .live
            .iter()
            .find(|c| c.id == asked.call && c.account == asked.account);
        found.cloned().map(Box::new)
    }
}

impl Handler<CountCalls> for Stage {
    type Result = actix::MessageResult<CountCalls>;

    fn handle(&mut self, _asked: CountCalls, _ctx: &mut Context<Self>) -> Self::Result {
        let live = u32::try_from(self.live.len()).unwrap();
        actix::MessageResult(Counted { live, new: 0 })
    }
}

impl Handler<HangUp> for Stage {
    type Result = bool;

    fn handle(&mut self, asked: HangUp, _ctx: &mut Context<Self>) -> bool {
        let before = self.live.len();
        self.live.retain(|call| call.id != asked.call);
        self.live.len() < before
    }
}

impl Handler<PauseRecordings> for Stage {
    type Result = bool;

    fn handle(&mut self, asked: PauseRecordings, _ctx: &mut Context<Self>) -> bool {
        self.live.iter().any(|call| call.id == asked.call)
    }
}

impl Handler<StartService> for Stage {
    type Result = Result<InstanceId, StartRefused>;

    fn handle(&mut self, asked: StartService, _ctx: &mut Context<Self>) -> Self::Result {
        self.started.push(asked);
        Ok(InstanceId::from_uuid(Uuid::now_v7()))
    }
}

impl Handler<DirectoryChanged> for Stage {
    type Result = ();

    fn handle(&mut self, _told: DirectoryChanged, _ctx: &mut Context<Self>) {}
}

impl Handler<WakeScheduler> for Stage {
    type Result = ();

    fn handle(&mut self, _told: WakeScheduler, _ctx: &mut Context<Self>) {}
}

impl Handler<Observe> for Stage {
    type Result = actix::MessageResult<Observe>;

    fn handle(&mut self, _asked: Observe, _ctx: &mut Context<Self>) -> Self::Result {
        actix::MessageResult(Observed::default())
    }
}

/// A running API.
pub(super) struct Bench {
    pub(super) sample: Sample,
    pub(super) store: Store,
    pub(super) writer: Writer,
    pub(super) media: MediaFiles,
    pub(super) stage: Addr<Stage>,
    pub(super) address: SocketAddr,
    pub(super) client: Client,
    pub(super) passwords: Passwords,
    server: ServerHandle,
    outbox: actix_web::rt::task::JoinHandle<()>,
    _database: TestDatabase,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Value,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    /// `pointer code` of every fault.
    pub(super) fn faults(&self) -> Vec<String> {
        let faults = self.body["errors"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        faults
            .iter()
            .map(|f| format!("{} {}", text(&f["pointer"]), text(&f["code"])))
            .collect()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }

    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Bench {
    pub(super) async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    pub(super) async fn start_with(settings: Settings) -> Self {
        let database = TestDatabase::sqlite();
        let store = database.store().await.unwrap();
        let sample = Sample::new(store.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::start(store.clone(), WriterSettings::default());
        let stage = Stage::default().start();
        let platform = Platform {
            live_calls: stage.clone().recipient(),
            find_call: stage.clone().recipient(),
            hang_up: stage.clone().recipient(),
            count_calls: stage.clone().recipient(),
            pause_recordings: stage.clone().recipient(),
            start_service: stage.clone().recipient(),
            directory_changed: stage.clone().recipient(),
            wake_scheduler: stage.clone().recipient(),
            observe: stage.clone().recipient(),
            switch_ordered: std::sync::Arc::default(),
        };
        let policy = Policy {
            allowed: vec!["127.0.0.2/32".parse().unwrap()],
            ..Policy::default()
        };
        let http = HttpClient::new(policy).unwrap();
        let (webhooks, delivering) = Webhooks::new(store.clone(), writer.clone(), http.clone());
        actix_web::rt::spawn(delivering);
        // The test's mail server is at an address that the API's own client does not reach.
        let policy = Policy {
            allowed: vec!["127.0.0.1/32".parse().unwrap()],
            ..Policy::default()
        };
        let postbox = Postbox::new(store.clone());
        let mail = HttpClient::new(policy).unwrap();
        let outbox = Outbox::new(&postbox, mail, AccountScope::platform());
        let outbox = actix_web::rt::spawn(outbox.run());
        let parts = Parts {
            settings,
            store: store.clone(),
            writer: writer.clone(),
            platform,
            http,
            webhooks,
            postbox,
            media: MediaFiles::new(folder.path()),
            storage: Storage::default(),
            metrics: crate::telemetry::start_metrics(),
        };
        let api = Api::new(parts).await.unwrap();
        let passwords = api.passwords.clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = serve(api, listener, 1000).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self {
            sample,
            store,
            writer,
            media: MediaFiles::new(folder.path()),
            stage,
            address,
            client: Client::builder().no_proxy().build().unwrap(),
            passwords,
            server: handle,
            outbox,
            _database: database,
            _folder: folder,
        }
    }

    /// Has these calls live.
    pub(super) async fn show(&self, calls: Vec<CallRecord>) {
        self.stage.send(Show(calls)).await.unwrap();
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A user of an account; answers its e-mail address.
    pub(super) async fn user(&self, account: AccountId, role: Role) -> String {
        let id = UserId::from_uuid(Uuid::now_v7());
        let user = NewUser {
            id,
            account,
            email: format!("{}@example.test", id.uuid().simple()),
            name: "Grace".to_owned(),
            role,
            password_hash: passwords::hash(PASSWORD),
            created_at: Utc::now(),
        };
        self.store
            .create_user(&AccountScope::platform(), user)
            .await
            .unwrap()
            .email
    }

    /// Lets it be so that the user chose its password then.
    pub(super) async fn chose_password(&self, user: UserId, then: DateTime<Utc>) {
        let change = UserChange {
            password_hash: Some(passwords::hash(PASSWORD)),
            ..UserChange::default()
        };
        let everywhere = AccountScope::platform();
        let changed = self.store.update_user(&everywhere, user, change, then);
        changed.await.unwrap();
    }

    pub(super) async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let body = json!({"grant_type": "password", "email": email, "password": password});
        self.post("", "/v1/auth/token", &body).await
    }

    /// An access token of a new administrator of the account.
    pub(super) async fn token(&self, account: AccountId) -> String {
        self.token_as(account, Role::Administrator).await
    }

    pub(super) async fn token_as(&self, account: AccountId, role: Role) -> String {
        let email = self.user(account, role).await;
        let answer = self.sign_in(&email, PASSWORD).await.is(200);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    /// A key of the account that permits these.
    pub(super) async fn key(&self, account: AccountId, scopes: Scopes) -> String {
        let secret = tokens::new_api_key();
        let key = ApiKey {
            id: ApiKeyId::from_uuid(Uuid::now_v7()),
            account,
            name: "test".to_owned(),
            hint: "test".to_owned(),
            scopes,
            allowed_sources: Vec::new(),
            created_by: None,
            created_at: Utc::now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            last_used_from: None,
        };
        let hash = tokens::secret_hash(&secret);
        let everywhere = AccountScope::platform();
        self.store
            .create_api_key(&everywhere, key, hash)
            .await
            .unwrap();
        secret
    }

    pub(super) fn request(&self, method: Method, token: &str, path: &str) -> RequestBuilder {
        let request = self.client.request(method, self.url(path));
        if token.is_empty() {
            request
        } else {
            request.bearer_auth(token)
        }
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> Answer {
        read(self.request(Method::GET, token, path)).await
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        read(self.request(Method::POST, token, path).json(body)).await
    }

    pub(super) async fn put(&self, token: &str, path: &str, body: &Value) -> Answer {
        read(self.request(Method::PUT, token, path).json(body)).await
    }

    pub(super) async fn patch(&self, token: &str, path: &str, body: &Value) -> Answer {
        read(self.request(Method::PATCH, token, path).json(body)).await
    }

    pub(super) async fn delete(&self, token: &str, path: &str) -> Answer {
        read(self.request(Method::DELETE, token, path)).await
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.outbox.abort();
        drop(self.server.stop(false));
    }
}

pub(super) async fn read(request: RequestBuilder) -> Answer {
    let response: Response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let bytes = response.bytes().await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer {
        status,
        headers,
        body,
        text,
    }
}
