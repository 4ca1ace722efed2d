//! The root of the account tree: directory, admission, and the way to every account.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use strowger_domain::account::{AccountPath, Permissions};
use strowger_domain::call_plan::Globals;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, InstanceId, NumberId, PlanId};
use strowger_domain::limits::Admission;
use tokio::sync::{oneshot, watch};

use super::account::{Account, Nursery};
use super::messages::{Changed, DirectoryChanged, NotReady, PrepareScheduled};
use super::snapshot::Snapshot;
use crate::calls::messages::GlobalsChanged;
use crate::calls::ticket::{CallTicket, GiveBack};
use crate::calls::tools::{Known, Tools};
use crate::conferences::messages::{ConferenceFact, ConferenceNews, EnterRoom, RoomName};
use crate::events::http_client::HttpClient;
use crate::net::clock;
use crate::net::sip_endpoint::InboundInvite;
use crate::numbers::messages::StartCall;
use crate::queues::messages::{EnterQueue, QueueFact, QueueName};
use crate::services::messages::{Instances, StartRefused, StartService};
use crate::store::Store;
use crate::supervise::{Children, Down, Fate, Obituary};
use crate::telemetry;

/// What the platform works with; the same in each of its lives.
#[derive(Clone)]
pub struct Means {
    /// What calls need.
    pub tools: Tools,
    /// What accounts need.
    pub nursery: Nursery,
    /// Where everything is read from.
    pub store: Store,
    /// Publishes what calls look up.
    pub known: Arc<watch::Sender<Known>>,
    /// Gives tickets back to whichever platform lives.
    pub give_back: Recipient<GiveBack>,
    /// Number classes for which calls may be scheduled.
    pub classes: Arc<std::collections::BTreeSet<strowger_domain::e164::NumberClass>>,
    /// Most simultaneous calls.
    pub capacity: u32,
    /// The client that asks for pages.
    pub http: HttpClient,
    /// The instances of outbound services.
    pub instances: Instances,
}

/// The actor.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else about loading and draining"
)]
pub struct Platform {
    pub(super) means: Means,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) admission: Admission,
    pub(super) accounts: Option<Children<AccountId, Account>>,
    pub(super) globals: HashMap<PlanId, Globals>,
    pub(super) draining: bool,
    pub(super) loading: bool,
    pub(super) changed: bool,
    /// Those who wait until new calls follow their change.
    pub(super) changes: Vec<oneshot::Sender<()>>,
    /// Calls that came while a change was being read that may be about them.
    pub(super) waiting: Vec<InboundInvite>,
    pub(super) prepared: Vec<(
        PrepareScheduled,
        oneshot::Sender<Result<StartCall, NotReady>>,
    )>,
    pub(super) ready: bool,
    /// Which of all platforms' lives this is: tickets of an earlier one are not this one's.
    pub(super) life: u64,
    pub(super) obituary: Obituary<()>,
}

/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_millis(200);
/// A call waits no longer than this for a change to be read.
const PATIENCE: Duration = Duration::from_millis(500);

/// Names the lives of platforms.
static LIVES: AtomicU64 = AtomicU64::new(0);

impl Platform {
    /// A platform that reads the store when it starts.
    pub fn new(means: Means, draining: bool, obituary: Obituary<()>) -> Self {
        Self {
            means,
            snapshot: Arc::default(),
            admission: Admission::default(),
            accounts: None,
            globals: HashMap::new(),
            draining,
            loading: false,
            changed: false,
            changes: Vec::new(),
            waiting: Vec::new(),
            prepared: Vec::new(),
            ready: false,
            life: LIVES.fetch_add(1, Ordering::Relaxed),
            obituary,
        }
    }

    fn reload(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.loading, true) {
            self.changed = true;
            return;
        }
        let changes = std::mem::take(&mut self.changes);
        let store = self.means.store.clone();
        let (country, before) = (self.means.tools.country, Arc::clone(&self.snapshot));
        let loaded = async move { Snapshot::load(&store, country, &before).await };
        ctx.spawn(loaded.into_actor(self).map(|loaded, platform, ctx| {
            platform.loading = false;
            match loaded {
                Ok(snapshot) => {
                    platform.publish(snapshot, ctx);
                    for change in changes {
                        let _ = change.send(());
                    }
                }
                Err(error) => {
                    platform.changes.extend(changes);
                    tracing::error!(%error, "accounts and numbers can't be read");
                    // Who calls meanwhile is served by what is known.
                    if platform.ready {
                        platform.let_in(ctx);
                    }
                    ctx.run_later(PAUSE, Self::reload);
                }
            }
            if std::mem::take(&mut platform.changed) {
                platform.reload(ctx);
            }
        }));
    }

    fn publish(&mut self, snapshot: Snapshot, ctx: &mut Context<Self>) {
        let capacity = self.means.capacity;
        for account in snapshot.tree.iter() {
            let mut limits = account.limits;
            if account.parent.is_none() {
                limits.calls = Some(limits.calls.map_or(capacity, |calls| calls.min(capacity)));
            }
            self.admission.set(account.id, limits);
        }
        self.means.known.send_replace(Known {
            directory: Arc::clone(&snapshot.directory),
            routes: Arc::clone(&snapshot.routes),
        });
        self.snapshot = Arc::new(snapshot);
        self.ready = true;
        // A change that came since the reading began is read next, before the next call.
        if !self.changed {
            self.let_in(ctx);
        }
        for (wanted, answer) in std::mem::take(&mut self.prepared) {
            // An answer that nobody waits for gives its ticket back.
            let _ = answer.send(self.scheduled(&wanted));
        }
    }

    /// Serves the calls that waited for what was being read.
    fn let_in(&mut self, ctx: &mut Context<Self>) {
        for invite in std::mem::take(&mut self.waiting) {
            self.inbound(invite, ctx);
        }
    }

    pub(super) fn ticket(&mut self, path: &AccountPath) -> Result<CallTicket, Cause> {
        let now = clock::now().instant;
        match self.admission.admit(path, now) {
            Ok(ticket) => {
                let give_back = self.means.give_back.clone();
                Ok(CallTicket::new(ticket, self.life, give_back))
            }
            Err(refusal) => {
                tracing::info!(%refusal, "a call was refused");
                Err(refusal.cause())
            }
        }
    }

    pub(super) fn permissions(&self, account: AccountId) -> Permissions {
        self.snapshot.tree.effective(account)
    }

    pub(super) fn globals_of(&self, plan: PlanId) -> Globals {
        self.globals.get(&plan).cloned().unwrap_or_default()
    }

    pub(super) fn account(&mut self, id: AccountId) -> Option<Addr<Account>> {
        self.accounts
            .as_mut()
            .map(|accounts| accounts.get_or_start(&id))
    }
}

impl Actor for Platform {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(10_000);
        let nursery = self.means.nursery.clone();
        self.accounts = Some(Children::new(
            ctx.address().recipient(),
            move |id, obituary| Account::new(*id, nursery.clone(), obituary).start(),
        ));
        self.reload(ctx);
    }
}

impl Handler<InboundInvite> for Platform {
    type Result = ();

    fn handle(&mut self, invite: InboundInvite, ctx: &mut Self::Context) {
        // What was stored a moment ago counts: a number, a plan or a route may be as new as the call.
        if self.ready && !self.loading {
            return self.inbound(invite, ctx);
        }
        self.waiting.push(invite);
        ctx.run_later(PATIENCE, |platform, ctx| {
            // A slow database holds up nobody whom we know how to serve.
            let waiting = std::mem::take(&mut platform.waiting);
            for invite in waiting {
                let known = platform.snapshot.directory.find_user(&invite.request.user);
                if known.is_some_and(|entry| entry.plan.is_some()) {
                    platform.inbound(invite, ctx);
                } else {
                    platform.waiting.push(invite);
                }
            }
        });
    }
}

impl Handler<GiveBack> for Platform {
    type Result = ();

    fn handle(&mut self, GiveBack { ticket, life }: GiveBack, _: &mut Self::Context) {
        if life == self.life {
            self.admission.give_back(ticket);
        }
    }
}

impl Handler<DirectoryChanged> for Platform {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, changed: DirectoryChanged, ctx: &mut Self::Context) -> Self::Result {
        match changed.what {
            Changed::Accounts | Changed::Numbers | Changed::CallPlans | Changed::Routes => {
                let (followed, wait) = oneshot::channel();
                self.changes.push(followed);
                self.reload(ctx);
                Box::pin(async { wait.await.unwrap_or_default() })
            }
            // Services are read when one is started.
            Changed::Services => Box::pin(async {}),
        }
    }
}

impl Handler<PrepareScheduled> for Platform {
    type Result = ResponseFuture<Result<StartCall, NotReady>>;

    fn handle(&mut self, wanted: PrepareScheduled, _: &mut Self::Context) -> Self::Result {
        // What was stored a moment ago counts: its number may be as new as the order.
        if self.ready && !self.loading {
            let ready = self.scheduled(&wanted);
            return Box::pin(async { ready });
        }
        let (answer, wait) = oneshot::channel();
        self.prepared.push((wanted, answer));
        Box::pin(async {
            let why = "the platform was lost".to_owned();
            let lost = NotReady {
                cause: Cause::TemporaryFailure,
                why,
                later: true,
            };
            wait.await.unwrap_or(Err(lost))
        })
    }
}

impl Handler<StartCall> for Platform {
    type Result = ();

    fn handle(&mut self, message: StartCall, _: &mut Self::Context) {
        if let Some(account) = self.account(message.start.path.account()) {
            account.do_send(message);
        }
    }
}

impl Handler<StartService> for Platform {
    type Result = ResponseActFuture<Self, Result<InstanceId, StartRefused>>;

    fn handle(&mut self, wanted: StartService, _: &mut Self::Context) -> Self::Result {
        let account = wanted.account;
        let run = self.service(wanted);
        let store = self.means.store.clone();
        let prepared = async move { run?.prepare(&store).await };
        Box::pin(prepared.into_actor(self).map(move |run, platform, _| {
            let run = run?;
            let id = run.id();
            let account = platform.account(account).ok_or(StartRefused::NoService)?;
            account.do_send(run);
            Ok(id)
        }))
    }
}

impl Handler<EnterQueue> for Platform {
    type Result = ();

    fn handle(&mut self, message: EnterQueue, _: &mut Self::Context) {
        match self.account(message.account) {
            Some(account) => account.do_send(message),
            None => message.reply_to.do_send(QueueFact::Refused),
        }
    }
}

impl Handler<EnterRoom> for Platform {
    type Result = ();

    fn handle(&mut self, message: EnterRoom, _: &mut Self::Context) {
        let (leg, news) = (message.member.leg, ConferenceNews::Refused);
        match self.account(message.account) {
            Some(account) => account.do_send(message),
            None => message.reply_to.do_send(ConferenceFact { leg, news }),
        }
    }
}

impl Handler<GlobalsChanged> for Platform {
    type Result = ();

    fn handle(&mut self, changed: GlobalsChanged, _: &mut Self::Context) {
        let globals = self.globals.entry(changed.plan).or_default();
        globals.0.extend(changed.values);
    }
}

impl Handler<Down<AccountId>> for Platform {
    type Result = ();

    fn handle(&mut self, down: Down<AccountId>, ctx: &mut Self::Context) {
        match self.accounts.as_mut().map(|accounts| accounts.bury(&down)) {
            Some(Fate::Restarted) => telemetry::actor_failed("account"),
            Some(Fate::TooMany) => {
                tracing::error!("too many accounts failed: the platform is made again");
                ctx.stop();
            }
            Some(Fate::Gone) | None => {}
        }
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

/// How many tickets are out?
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "u64")]
pub struct HeldTickets;

impl Handler<HeldTickets> for Platform {
    type Result = u64;

    fn handle(&mut self, _: HeldTickets, _: &mut Self::Context) -> u64 {
        self.admission.held() as u64
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

impl Handler<ProvokePanic> for Platform {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, provoke: ProvokePanic, _: &mut Self::Context) {
        match &provoke {
            ProvokePanic::Platform => panic!("provoked"),
            ProvokePanic::Account(id) | ProvokePanic::Child(id, _) => {
                if let Some(account) = self.account(*id) {
                    account.do_send(provoke);
                }
            }
        }
    }
}
