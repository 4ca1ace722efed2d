//! The directory and admission: who is called, and whether there is room for the call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use strowger_domain::account::{AccountPath, Permissions};
use strowger_domain::call_plan::Globals;
use strowger_domain::ids::{AccountId, InstanceId, NumberId, PlanId};
use strowger_domain::limits::Refusal;
use tokio::sync::{oneshot, watch};

use super::messages::{Changed, DirectoryChanged, NotReady, PrepareScheduled};
use super::news;
use super::snapshot::Snapshot;
use crate::calls::messages::GlobalsChanged;
use crate::calls::ticket::{CallTicket, Channels};
use crate::calls::tools::{Known, Tools};
use crate::conferences::messages::RoomName;
use crate::events::http_client::HttpClient;
use crate::net::clock;
use crate::net::sip_endpoint::InboundInvite;
use crate::numbers::messages::StartCall;
use crate::queues::messages::QueueName;
use crate::services::messages::{Instances, RunInstance, StartRefused, StartService};
use crate::store::{Store, StoreError};
use crate::supervise::Obituary;

/// What the platform works with; the same in each of its lives.
#[derive(Clone)]
pub struct Means {
    /// What calls need.
    pub tools: Arc<Tools>,
    /// Where everything is read from.
    pub store: Store,
    /// The channels of all accounts.
    pub channels: Channels,
    /// Publishes what calls look up.
    pub known: Arc<watch::Sender<Known>>,
    /// What was read last; `None` before the first time. A new life begins with it.
    pub read: Arc<watch::Sender<Option<Arc<Snapshot>>>>,
    /// Starts calls, by way of their accounts.
    pub start: Recipient<StartCall>,
    /// Runs instances, by way of their accounts.
    pub run: Recipient<RunInstance>,
    /// Number classes for which calls may be scheduled.
    pub classes: Arc<std::collections::BTreeSet<strowger_domain::e164::NumberClass>>,
    /// Most simultaneous calls.
    pub capacity: u32,
    /// The longest call.
    pub max_call: Duration,
    /// The client that asks for pages.
    pub http: HttpClient,
    /// The instances of outbound services.
    pub instances: Instances,
}

/// The actor.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else about reading and draining"
)]
pub struct Platform {
    pub(super) means: Means,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) globals: HashMap<PlanId, Globals>,
    pub(super) draining: bool,
    /// Something was read already.
    pub(super) ready: bool,
    reading: bool,
    /// The next reading is of everything, as the first one of this life.
    must_load: bool,
    /// What has changed, and who waits until new calls follow that.
    changes: Vec<(Changed, oneshot::Sender<()>)>,
    /// Calls that came before anything was read.
    early: Vec<InboundInvite>,
    obituary: Obituary<()>,
}

/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_millis(200);
/// Calls that may wait until the directory is read for the first time; more are refused.
const MOST_EARLY: usize = 1_000;

/// What a reading of the store brought: the new snapshot, and whose limits may have changed (`None`:
/// everybody's).
type Reading = Result<(Snapshot, Option<Vec<AccountId>>), StoreError>;

impl Platform {
    /// A platform that knows what the last one knew, and reads everything when it starts.
    pub fn new(means: Means, draining: bool, obituary: Obituary<()>) -> Self {
        let known = means.read.borrow().clone();
        Self {
            ready: known.is_some(),
            snapshot: known.unwrap_or_default(),
            means,
            globals: HashMap::new(),
            draining,
            reading: false,
            must_load: true,
            changes: Vec::new(),
            early: Vec::new(),
            obituary,
        }
    }

    /// Reads what is to be read, unless that is being done. Calls go on by what is known.
    fn read(&mut self, ctx: &mut Context<Self>) {
        if self.reading || !self.must_load && self.changes.is_empty() {
            return;
        }
        self.reading = true;
        let whole = std::mem::take(&mut self.must_load);
        // A change that comes from now on is read next.
        let changes = std::mem::take(&mut self.changes);
        let what: Vec<_> = changes.iter().map(|(change, _)| *change).collect();
        let (store, writer) = (self.means.store.clone(), self.means.tools.writer.clone());
        let (country, mut snapshot) = (self.means.tools.country, (*self.snapshot).clone());
        let read = async move {
            if whole {
                // It takes a while, and this thread has calls to see to.
                let runtime = tokio::runtime::Handle::current();
                let all = store.clone();
                let load = move || runtime.block_on(Snapshot::load(&all, country));
                let loaded = tokio::task::spawn_blocking(load).await;
                // One that panicked is tried again.
                let panicked = |_| StoreError::Stale;
                let loaded = loaded.map_err(panicked)??;
                news::tell(&store, &writer, &what).await;
                return Ok((loaded, None));
            }
            let accounts = snapshot.refresh(&store, &what).await?;
            news::tell(&store, &writer, &what).await;
            Ok((snapshot, Some(accounts)))
        };
        ctx.spawn(
            read.into_actor(self)
                .map(move |read: Reading, platform, ctx| {
                    platform.reading = false;
                    match read {
                        Ok((snapshot, accounts)) => {
                            platform.publish(snapshot, accounts, ctx);
                            for (_, followed) in changes {
                                let _ = followed.send(());
                            }
                            platform.read(ctx);
                        }
                        Err(error) => {
                            tracing::error!(%error, "accounts and numbers can't be read");
                            platform.must_load |= whole;
                            platform.changes.extend(changes);
                            ctx.run_later(PAUSE, Self::read);
                        }
                    }
                }),
        );
    }

    fn publish(
        &mut self,
        snapshot: Snapshot,
        accounts: Option<Vec<AccountId>>,
        ctx: &mut Context<Self>,
    ) {
        let tree = &snapshot.tree;
        let changed = match accounts {
            None => {
                self.means.channels.forget_all_but(tree);
                tree.iter().collect::<Vec<_>>()
            }
            Some(accounts) => accounts.iter().filter_map(|id| tree.get(*id)).collect(),
        };
        let capacity = self.means.capacity;
        for account in changed {
            let mut limits = account.limits;
            if account.parent.is_none() {
                limits.calls = Some(limits.calls.map_or(capacity, |calls| calls.min(capacity)));
            }
            self.means.channels.set(account.id, limits);
        }
        self.means.known.send_replace(Known {
            tree: Arc::clone(&snapshot.tree),
            directory: Arc::clone(&snapshot.directory),
            routes: Arc::clone(&snapshot.routes),
        });
        self.snapshot = Arc::new(snapshot);
        self.means
            .read
            .send_replace(Some(Arc::clone(&self.snapshot)));
        self.ready = true;
        for invite in std::mem::take(&mut self.early) {
            self.inbound(invite, ctx);
        }
    }

    pub(super) fn ticket(&self, path: &AccountPath) -> Result<CallTicket, Refusal> {
        let taken = self.means.channels.take(path, clock::now().instant);
        taken.inspect_err(|refusal| tracing::debug!(%refusal, "a call has no channel"))
    }

    pub(super) fn permissions(&self, account: AccountId) -> Permissions {
        self.snapshot.tree.effective(account)
    }

    /// The longest that a call of this account may last.
    pub(super) fn max_duration(&self, account: AccountId) -> Duration {
        let own = self.snapshot.tree.call_duration(account);
        own.map_or(self.means.max_call, |own| own.min(self.means.max_call))
    }

    pub(super) fn globals_of(&self, plan: PlanId) -> Globals {
        self.globals.get(&plan).cloned().unwrap_or_default()
    }
}

impl Actor for Platform {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(10_000);
        self.read(ctx);
    }
}

impl Handler<InboundInvite> for Platform {
    type Result = ();

    fn handle(&mut self, invite: InboundInvite, ctx: &mut Self::Context) {
        if self.ready {
            self.inbound(invite, ctx);
        } else if self.early.len() < MOST_EARLY {
            self.early.push(invite);
        }
    }
}

impl Handler<DirectoryChanged> for Platform {
    type Result = ResponseFuture<()>;

    fn handle(
        &mut self,
        DirectoryChanged(what): DirectoryChanged,
        ctx: &mut Self::Context,
    ) -> Self::Result {
        let (followed, wait) = oneshot::channel();
        self.must_load |= what == Changed::Tree;
        self.changes.push((what, followed));
        self.read(ctx);
        Box::pin(async { wait.await.unwrap_or_default() })
    }
}

impl Handler<PrepareScheduled> for Platform {
    type Result = MessageResult<PrepareScheduled>;

    fn handle(&mut self, wanted: PrepareScheduled, _: &mut Self::Context) -> Self::Result {
        let PrepareScheduled { calls, freed } = wanted;
        let prepare = |call| self.scheduled(call, &freed);
        MessageResult(
            calls
                .into_iter()
                .map(prepare)
                .collect::<Vec<Result<_, NotReady>>>(),
        )
    }
}

impl Handler<StartService> for Platform {
    type Result = ResponseActFuture<Self, Result<InstanceId, StartRefused>>;

    fn handle(&mut self, wanted: StartService, _: &mut Self::Context) -> Self::Result {
        let run = self.service(wanted);
        let store = self.means.store.clone();
        let prepared = async move { run?.prepare(&store).await };
        Box::pin(prepared.into_actor(self).map(move |run, platform, _| {
            let run = run?;
            let id = run.id();
            platform.means.run.do_send(run);
            Ok(id)
        }))
    }
}

impl Handler<GlobalsChanged> for Platform {
    type Result = ();

    fn handle(&mut self, changed: GlobalsChanged, _: &mut Self::Context) {
        let globals = self.globals.entry(changed.plan).or_default();
        globals.0.extend(changed.values);
    }
}

/// No new calls from now on.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct Drain;

impl Handler<Drain> for Platform {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.draining = true;
    }
}

/// The end of this life, by the application's own wish.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct Finish;

impl Handler<Finish> for Platform {
    type Result = ();

    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        self.obituary.finish();
        ctx.stop();
    }
}

/// What a panic is provoked in, for tests of supervision.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub enum ProvokePanic {
    /// The platform.
    Platform,
    /// An account.
    Account(AccountId),
    /// A child of an account.
    Child(AccountId, Child),
}

/// A child of an account, for [`ProvokePanic`].
#[derive(Debug, Clone)]
pub enum Child {
    /// A service number.
    Number(NumberId),
    /// A queue.
    Queue(QueueName),
    /// A conference.
    Conference(RoomName),
    /// A run of an application.
    Instance(InstanceId),
}

impl Handler<crate::supervise::ProvokePanic> for Platform {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: crate::supervise::ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}
