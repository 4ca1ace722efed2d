//! What is asked of a service, and what it takes to run an instance of it.

use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use serde::Deserialize;
use strowger_domain::account::AccountPath;
use strowger_domain::application::{Method, Page, Settings};
use strowger_domain::call::Origin;
use strowger_domain::ids::{AccountId, CallId, InstanceId, ServiceId};
use tokio::sync::watch;

use crate::calls::ticket::CallTicket;
use crate::calls::tools::Tools;
use crate::events::http_client::HttpClient;
use crate::net::clock;
use crate::store::services::{Instance as Row, InstanceState};
use crate::store::{AccountScope, Store};

/// Start an outbound service. The numbers were checked by whoever sends this.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<InstanceId, StartRefused>")]
pub struct StartService {
    /// Whose.
    pub account: AccountId,
    /// Which service.
    pub service: ServiceId,
    /// E.164 with `+`, or a `sip:` URI.
    pub to: String,
    /// The presented number; the instance's `call_from`.
    pub from: Option<String>,
    /// Given back to the application in every request.
    pub token: Option<String>,
    /// Given to the application as `outbound_parameters`.
    pub outbound_parameters: Option<String>,
}

/// Why no instance was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRefused {
    /// The account has as many calls as it may have, or starts them too fast.
    #[error("the account has no free channel")]
    NoChannel,
    /// The platform is going down and takes no new call.
    #[error("the platform takes no new calls")]
    Draining,
    /// The service is gone, or its account may not use it any more.
    #[error("there is no such service")]
    NoService,
}

/// Start this instance.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RunInstance(pub Box<Run>);

/// Counts the instances that run. One does so until its application was asked for its last page.
#[derive(Clone, Debug, Default)]
pub struct Instances(watch::Sender<usize>);

/// One instance that runs, until this is dropped.
#[derive(Debug)]
pub struct Running(watch::Sender<usize>);

impl Instances {
    /// One more.
    pub fn begin(&self) -> Running {
        self.0.send_modify(|count| *count += 1);
        Running(self.0.clone())
    }

    /// Waits until none runs.
    pub async fn none_runs(&self) {
        // The sender is here: there is always an answer.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// Everything that an instance begins with.
pub struct Run {
    /// Its name.
    pub id: InstanceId,
    /// Its call.
    pub call: CallId,
    /// What was asked.
    pub wanted: StartService,
    /// The account and its ancestors.
    pub path: AccountPath,
    /// No call of its account lasts longer.
    pub max_duration: Duration,
    /// Its share of the limits.
    pub ticket: CallTicket,
    /// Its pages and strings; `None` before it is prepared.
    pub settings: Option<Settings>,
    /// What its call needs.
    pub tools: Arc<Tools>,
    /// Who asks for pages.
    pub http: HttpClient,
    /// Where its progress is kept.
    pub store: Store,
    /// Held for as long as it runs.
    pub running: Running,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "as the API names them")]
struct Rest {
    first_page: Address,
    #[serde(default)]
    final_page: Option<Address>,
    #[serde(default)]
    error_page: Option<Address>,
}

#[derive(Deserialize)]
struct Address {
    address: String,
    #[serde(default)]
    method: Method,
}

impl Address {
    fn page(self) -> Result<Page, StartRefused> {
        Page::new(&self.address, self.method).map_err(|error| {
            tracing::warn!(%error, "a stored page can't be used");
            StartRefused::NoService
        })
    }
}

impl RunInstance {
    /// Its name.
    pub fn id(&self) -> InstanceId {
        self.0.id
    }

    /// Whose it is.
    pub fn account(&self) -> AccountId {
        self.0.path.account()
    }

    /// Reads the service and keeps the instance's row, before anything is dialled.
    pub async fn prepare(mut self, store: &Store) -> Result<Self, StartRefused> {
        let run = &mut *self.0;
        let refused = |error: &dyn std::error::Error| {
            tracing::error!(%error, "an outbound service can't be started");
            StartRefused::NoService
        };
        let scope = store
            .scope_of(run.path.account())
            .await
            .map_err(|e| refused(&e))?;
        let service = store
            .outbound_service_by_id(&scope, run.wanted.service)
            .await
            .map_err(|error| refused(&error))?;
        let rest: Rest = serde_json::from_value(service.rest).map_err(|error| refused(&error))?;
        // Whatever is wrong with the service is found before there is a row to be kept true.
        let first_page = rest.first_page.page()?;
        let final_page = rest.final_page.map(Address::page).transpose()?;
        let error_page = rest.error_page.map(Address::page).transpose()?;
        let now = clock::now().utc;
        let from = run.wanted.from.clone().unwrap_or_default();
        let row = Row {
            id: run.id,
            account: run.path.account(),
            service: run.wanted.service,
            called: run.wanted.to.clone(),
            calling: from.clone(),
            token: run.wanted.token.clone().unwrap_or_default(),
            outbound_parameters: run.wanted.outbound_parameters.clone().unwrap_or_default(),
            state: InstanceState::Starting,
            call: Some(run.call),
            cause: None,
            sip_status: None,
            failure: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
        };
        store
            .create_instance(&scope, row)
            .await
            .map_err(|error| refused(&error))?;
        run.settings = Some(Settings {
            instance: run.id,
            call: run.call,
            origin: Origin::OutboundService,
            call_from: from,
            call_to: run.wanted.to.clone(),
            first_page,
            final_page,
            error_page,
            application_parameters: service.application_parameters,
            outbound_parameters: run.wanted.outbound_parameters.clone(),
            token: run.wanted.token.clone(),
            voice: String::new(),
            log_filename: format!("{}.log", run.id),
        });
        Ok(self)
    }
}

/// The scope in which an instance's row is written.
pub(super) async fn scope(store: &Store, path: &AccountPath) -> Option<AccountScope> {
    store.scope_of(path.account()).await.ok()
}
