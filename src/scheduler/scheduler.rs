//! The actor of the scheduler.
//!
//! Which call is due, and whether its accounts have room for it, is `domain::schedule`'s agenda to
//! say. What it starts is first claimed in the store: `dialling` in the database before anything is
//! dialled, so that no crash dials a call twice. Calls that are due together are read, made ready and
//! claimed together.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use actix::prelude::*;
use strowger_domain::account::AccountTree;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, CallId, ScheduledCallId};
use strowger_domain::schedule::{Agenda, Effect, Fact, Input, Job, ScheduledCall, State};

use crate::accounts::messages::{
    FindCall, Later, NotReady, PrepareScheduled, ScheduledStart, WakeScheduler,
};
use crate::accounts::platform::Drain;
use crate::calls::messages::{Progress, Stage};
use crate::calls::ticket::ChannelsFreed;
use crate::events::{catalogue, log};
use crate::net::clock;
use crate::numbers::messages::StartCall;
use crate::store::scheduled_calls::ScheduledUpdate;
use crate::store::{AccountScope, Store, StoreError, Writer};
use crate::supervise::{Obituary, ProvokePanic};

/// Accounts and their limits are read again this often.
const REFRESH: Duration = Duration::from_secs(10);
/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);
/// A call that the platform can't take now is tried again after this time, as long as it is valid;
/// so are those of an account without a free channel, if no channel is heard of before.
const NO_ROOM: chrono::TimeDelta = chrono::TimeDelta::seconds(2);
/// The same for those of an account that has had its new calls of a second.
const TOO_FAST: chrono::TimeDelta = chrono::TimeDelta::milliseconds(50);

/// The platform, as the scheduler asks it.
#[derive(Clone)]
pub struct Asked {
    /// Makes calls ready.
    pub prepare: Recipient<PrepareScheduled>,
    /// Starts calls that are ready and claimed.
    pub start: Recipient<StartCall>,
    /// Knows which calls live.
    pub find: Recipient<FindCall>,
    /// Told how calls go on; outlives the scheduler, so that they tell its successor.
    pub progress: Recipient<Progress>,
    /// Told when an account that had no channel has some; as above.
    pub freed: Recipient<ChannelsFreed>,
}

/// What became of a call that was to be started.
enum Tried {
    /// It is claimed, and may be sent.
    Claimed(AccountId, CallId, StartCall),
    /// It can't be dialled.
    NotReady(AccountId, NotReady),
    /// It was claimed before, and the database's answer was lost: it was never dialled, and fails.
    Lost(AccountId),
    /// It was cancelled a moment ago.
    Gone,
}

struct InProgress {
    scheduled_call: ScheduledCallId,
    account: AccountId,
    state: State,
}

/// The actor.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else about claiming, reading and draining"
)]
pub struct Scheduler {
    store: Store,
    writer: Writer,
    asked: Asked,
    agenda: Agenda,
    in_progress: HashMap<CallId, InProgress>,
    tree: AccountTree,
    timer: Option<SpawnHandle>,
    /// Calls to start with the next batch.
    due: Vec<ScheduledCallId>,
    /// A batch is being claimed.
    claiming: bool,
    /// The accounts are being read.
    reading: bool,
    /// What waits for the next reading of the accounts.
    waiting: Vec<WakeScheduler>,
    /// How calls went on while it was being restored.
    missed: Vec<Progress>,
    ready: bool,
    draining: bool,
    _obituary: Obituary<()>,
}

impl Scheduler {
    /// A scheduler that reads the store when it starts.
    pub fn new(store: Store, writer: Writer, asked: Asked, obituary: Obituary<()>) -> Self {
        Self {
            store,
            writer,
            asked,
            agenda: Agenda::default(),
            in_progress: HashMap::new(),
            tree: AccountTree::default(),
            timer: None,
            due: Vec::new(),
            claiming: false,
            reading: false,
            waiting: Vec::new(),
            missed: Vec::new(),
            ready: false,
            draining: false,
            _obituary: obituary,
        }
    }

    /// Makes the agenda from what is stored. A call that was claimed and does not live ended while
    /// this actor's predecessor failed, or was cut between its claim and its first INVITE.
    fn restore(&mut self, ctx: &mut Context<Self>) {
        let (store, find) = (self.store.clone(), self.asked.find.clone());
        let writer = self.writer.clone();
        let read = async move {
            // What the predecessor handed over counts. A database that is away fails below.
            let _ = tokio::time::timeout(PAUSE, writer.flush()).await;
            let scope = AccountScope::platform();
            let (tree, _) = AccountTree::build(store.all_accounts(&scope).await?);
            let open = store.open_scheduled_calls(&scope).await?;
            let mut live = Vec::new();
            let mut lost = Vec::new();
            for call in open.iter().filter(|call| call.state.is_in_progress()) {
                match lives(call, &tree, &find).await {
                    Some(name) => live.push((name, call.id, call.account, call.state)),
                    None => lost.push(call.id),
                }
            }
            if !lost.is_empty() {
                // It may have ended since the last flush.
                let _ = tokio::time::timeout(PAUSE, writer.flush()).await;
            }
            for id in lost {
                match store.close_lost(&scope, id, clock::now().utc).await {
                    Ok(call) => log::tell_scheduled(&writer, &call),
                    Err(StoreError::Stale | StoreError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok::<_, StoreError>((tree, open, live))
        };
        ctx.spawn(
            read.into_actor(self)
                .map(|read, scheduler, ctx| match read {
                    Err(error) => {
                        tracing::error!(%error, "scheduled calls can't be read");
                        ctx.run_later(PAUSE, Self::restore);
                    }
                    Ok((tree, open, live)) => {
                        scheduler.tree = tree;
                        let now = clock::now().utc;
                        let jobs: Vec<_> = open
                            .iter()
                            .filter_map(|call| Some((scheduler.job(call)?, call.state)))
                            .collect();
                        let caps = scheduler.tree.iter().filter_map(|account| {
                            Some((account.id, account.limits.scheduled_in_progress?))
                        });
                        // Those in progress live, or were closed above.
                        let (agenda, _) = Agenda::restore(jobs, caps, now);
                        scheduler.agenda = agenda;
                        for (call, scheduled_call, account, state) in live {
                            let going = InProgress {
                                scheduled_call,
                                account,
                                state,
                            };
                            scheduler.in_progress.insert(call, going);
                            let job = open
                                .iter()
                                .find(|call| call.id == scheduled_call)
                                .and_then(|call| scheduler.job(call));
                            if let Some(job) = job {
                                scheduler.agenda.handle(Input::GoesOn(job), now);
                            }
                        }
                        scheduler.ready = true;
                        for progress in std::mem::take(&mut scheduler.missed) {
                            scheduler.progressed(&progress, ctx);
                        }
                        for wake in std::mem::take(&mut scheduler.waiting) {
                            scheduler.woken(wake, ctx);
                        }
                        scheduler.advance(Input::Tick, ctx);
                        ctx.run_interval(REFRESH, Self::refresh);
                    }
                }),
        );
    }

    /// Reads the accounts again, for their limits, and for what waits for an account that was not
    /// known. What comes while they are being read waits for the next reading.
    fn refresh(&mut self, ctx: &mut Context<Self>) {
        if self.reading {
            return;
        }
        self.reading = true;
        let waited = std::mem::take(&mut self.waiting);
        let store = self.store.clone();
        let read = async move { store.all_accounts(&AccountScope::platform()).await };
        ctx.spawn(read.into_actor(self).map(|read, scheduler, ctx| {
            scheduler.reading = false;
            match read {
                Ok(accounts) => {
                    scheduler.tree = AccountTree::build(accounts).0;
                    scheduler.caps();
                    for wake in waited {
                        scheduler.add_waiting(&wake, ctx);
                    }
                    scheduler.advance(Input::Tick, ctx);
                    if !scheduler.waiting.is_empty() {
                        scheduler.refresh(ctx);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "accounts can't be read");
                    scheduler.waiting.extend(waited);
                    if !scheduler.waiting.is_empty() {
                        ctx.run_later(PAUSE, Self::refresh);
                    }
                }
            }
        }));
    }

    fn caps(&mut self) {
        let now = clock::now().utc;
        let caps: Vec<_> = self
            .tree
            .iter()
            .map(|account| (account.id, account.limits.scheduled_in_progress))
            .collect();
        for (account, most) in caps {
            self.agenda.handle(Input::Cap { account, most }, now);
        }
    }

    fn job(&self, call: &ScheduledCall) -> Option<Job> {
        Some(Job {
            id: call.id,
            path: self.tree.path(call.account)?.clone(),
            not_before: call.booking.not_before,
            expires_at: call.booking.expires_at,
        })
    }

    fn woken(&mut self, wake: WakeScheduler, ctx: &mut Context<Self>) {
        if !self.ready {
            self.waiting.push(wake);
            return;
        }
        match wake {
            WakeScheduler::Cancelled(id) => self.advance(Input::Remove(id), ctx),
            // An account that was made since the last look.
            WakeScheduler::Queued { account, .. } if self.tree.get(account).is_none() => {
                self.waiting.push(wake);
                self.refresh(ctx);
            }
            WakeScheduler::Queued { .. } => self.add_waiting(&wake, ctx),
        }
    }

    /// Adds a call whose account must be known by now. One whose account is not in the tree at all
    /// stays queued in the store.
    fn add_waiting(&mut self, wake: &WakeScheduler, ctx: &mut Context<Self>) {
        let WakeScheduler::Queued {
            id,
            account,
            not_before,
            expires_at,
        } = *wake
        else {
            return;
        };
        let Some(path) = self.tree.path(account).cloned() else {
            tracing::error!(scheduled_call = %id, account.id = %account, "its account is unknown");
            return;
        };
        let job = Job {
            id,
            path,
            not_before,
            expires_at,
        };
        self.advance(Input::Add(job), ctx);
    }

    fn advance(&mut self, input: Input, ctx: &mut Context<Self>) {
        self.agenda.handle(input, clock::now().utc);
        while let Some(effect) = self.agenda.next_effect() {
            match effect {
                Effect::Start(id) if self.draining => {
                    // It stays queued in the store, for the next process.
                    tracing::debug!(scheduled_call = %id, "draining: not dialled");
                }
                Effect::Start(id) => self.due.push(id),
                Effect::Expire(id) => self.expire(id, ctx),
            }
        }
        self.start(ctx);
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if let Some(at) = self.agenda.deadline() {
            let wait = (at - clock::now().utc).to_std().unwrap_or_default();
            self.timer = Some(ctx.run_later(wait, |scheduler, ctx| {
                scheduler.timer = None;
                scheduler.advance(Input::Tick, ctx);
            }));
        }
    }

    /// Makes the due calls ready, claims them, starts them; in that order, so that a call for which
    /// there is no room stays queued, and none is dialled that is not claimed.
    fn start(&mut self, ctx: &mut Context<Self>) {
        if self.claiming || self.due.is_empty() {
            return;
        }
        self.claiming = true;
        let due = std::mem::take(&mut self.due);
        let tried = claim(self.store.clone(), self.asked.clone(), due.clone());
        ctx.spawn(
            tried
                .into_actor(self)
                .map(move |tried, scheduler, ctx| match tried {
                    Ok(tried) => {
                        scheduler.claiming = false;
                        scheduler.tried(tried, ctx);
                        scheduler.start(ctx);
                    }
                    Err(error) => {
                        tracing::error!(%error, calls = due.len(), "due calls can't be claimed");
                        scheduler.due.splice(0..0, due);
                        ctx.run_later(PAUSE, |scheduler, ctx| {
                            scheduler.claiming = false;
                            scheduler.start(ctx);
                        });
                    }
                }),
        );
    }

    fn tried(&mut self, tried: Vec<(ScheduledCallId, Tried)>, ctx: &mut Context<Self>) {
        let now = clock::now().utc;
        for (id, tried) in tried {
            match tried {
                Tried::Claimed(account, call, ready) => {
                    let state = State::Dialling;
                    let going = InProgress {
                        scheduled_call: id,
                        account,
                        state,
                    };
                    self.in_progress.insert(call, going);
                    self.tell(id, account, state, Some(call), None);
                    self.asked.start.do_send(ready.unless_lost());
                    self.agenda.handle(Input::Claimed(id), now);
                }
                Tried::NotReady(account, NotReady { cause, why, later }) => match later {
                    None => {
                        tracing::info!(scheduled_call = %id, why, "a scheduled call was refused");
                        self.tell_failed(id, account, cause, &why);
                        self.keep(id, Fact::Refused { cause, why });
                        self.agenda.handle(Input::Dropped(id), now);
                    }
                    Some(Later::Some) => self.defer(id, ctx),
                    Some(Later::Freed(account)) => {
                        let until = now + NO_ROOM;
                        self.agenda
                            .handle(Input::NoChannel { id, account, until }, now);
                    }
                    Some(Later::Soon(account)) => {
                        let until = now + TOO_FAST;
                        self.agenda
                            .handle(Input::NoChannel { id, account, until }, now);
                    }
                },
                Tried::Lost(account) => {
                    self.tell(
                        id,
                        account,
                        State::Failed,
                        None,
                        Some(Cause::TemporaryFailure),
                    );
                    self.agenda.handle(Input::Dropped(id), now);
                }
                Tried::Gone => self.agenda.handle(Input::Dropped(id), now),
            }
        }
        self.advance(Input::Tick, ctx);
    }

    fn defer(&mut self, id: ScheduledCallId, ctx: &mut Context<Self>) {
        let until = clock::now().utc + NO_ROOM;
        self.advance(Input::Deferred { id, until }, ctx);
    }

    fn expire(&mut self, id: ScheduledCallId, ctx: &mut Context<Self>) {
        let store = self.store.clone();
        let write = async move {
            let update = ScheduledUpdate {
                id,
                fact: Fact::Expired,
                at: clock::now().utc,
            };
            store
                .note_scheduled_call(&AccountScope::platform(), update)
                .await
        };
        ctx.spawn(
            write
                .into_actor(self)
                .map(move |written, scheduler, ctx| match written {
                    Ok(call) => scheduler.tell(id, call.account, State::Expired, None, None),
                    // It was cancelled a moment ago.
                    Err(StoreError::Stale | StoreError::NotFound) => {}
                    Err(error) => {
                        tracing::error!(%error, scheduled_call = %id, "a call can't expire now");
                        ctx.run_later(PAUSE, move |scheduler, ctx| scheduler.expire(id, ctx));
                    }
                }),
        );
    }

    fn progressed(&mut self, progress: &Progress, ctx: &mut Context<Self>) {
        let fact = match progress.stage {
            Stage::Ringing => Fact::Rang,
            Stage::Answered => Fact::Answered,
            Stage::Cut => Fact::Cut,
            Stage::Ended {
                cause, sip_status, ..
            } => Fact::Ended { cause, sip_status },
        };
        self.step(progress.call, fact, ctx);
    }

    /// A fact of a call that was started: kept, and told.
    fn step(&mut self, call: CallId, fact: Fact, ctx: &mut Context<Self>) {
        let Some(going) = self.in_progress.get_mut(&call) else {
            return;
        };
        let Some(state) = going.state.after(&fact) else {
            return;
        };
        going.state = state;
        let (id, account) = (going.scheduled_call, going.account);
        let cause = match fact {
            Fact::Ended { cause, .. } => Some(cause),
            Fact::Cut => Some(Cause::TemporaryFailure),
            _ => None,
        };
        self.keep(id, fact);
        self.tell(id, account, state, Some(call), cause);
        if state.is_final() {
            self.in_progress.remove(&call);
            self.advance(Input::Over(id), ctx);
        }
    }

    fn keep(&self, id: ScheduledCallId, fact: Fact) {
        // A writer that takes no more has said so in the log.
        let _ = self.writer.scheduled(ScheduledUpdate {
            id,
            fact,
            at: clock::now().utc,
        });
    }

    fn tell(
        &self,
        id: ScheduledCallId,
        account: AccountId,
        state: State,
        call: Option<CallId>,
        cause: Option<Cause>,
    ) {
        let data = serde_json::json!({
            "scheduled_call": id,
            "state": state,
            "call": call,
            "cause": cause,
        });
        self.tell_data(account, &data);
    }

    /// Tells that it was refused when it was due, with the reason in words.
    fn tell_failed(&self, id: ScheduledCallId, account: AccountId, cause: Cause, why: &str) {
        let data = serde_json::json!({
            "scheduled_call": id,
            "state": State::Failed,
            "call": null,
            "cause": cause,
            "failure": why,
        });
        self.tell_data(account, &data);
    }

    fn tell_data(&self, account: AccountId, data: &serde_json::Value) {
        let now = clock::now().utc;
        log::tell(
            &self.writer,
            catalogue::SCHEDULED_CALL_UPDATED,
            account,
            data,
            now,
        );
    }
}

/// The call that carries out a scheduled call, if it lives. It belongs to the number's account,
/// which may be below the one that ordered it.
async fn lives(
    scheduled: &ScheduledCall,
    tree: &AccountTree,
    find: &Recipient<FindCall>,
) -> Option<CallId> {
    let call = scheduled.call?;
    for account in tree.within(scheduled.account) {
        if let Ok(Some(_)) = find.send(FindCall { account, call }).await {
            return Some(call);
        }
    }
    None
}

/// Reads due calls, asks the platform to make them ready, and claims those that are, all in one
/// transaction.
async fn claim(
    store: Store,
    asked: Asked,
    due: Vec<ScheduledCallId>,
) -> Result<Vec<(ScheduledCallId, Tried)>, StoreError> {
    let scope = AccountScope::platform();
    let queued = store.scheduled_calls_of(&scope, &due).await?;
    let mut tried: BTreeMap<_, _> = due.iter().map(|id| (*id, Tried::Gone)).collect();
    let (claimed, queued): (Vec<_>, Vec<_>) = queued
        .into_iter()
        .partition(|call| call.state.is_in_progress());
    for call in claimed {
        match store.close_lost(&scope, call.id, clock::now().utc).await {
            Ok(_) => tried.insert(call.id, Tried::Lost(call.account)),
            Err(StoreError::Stale | StoreError::NotFound) => None,
            Err(error) => return Err(error),
        };
    }
    let names: Vec<_> = queued
        .iter()
        .map(|queued| {
            let call = CallId::from_uuid(uuid::Uuid::now_v7());
            (queued.id, queued.account, call)
        })
        .collect();
    let calls = queued.into_iter().zip(&names);
    let calls = calls.map(|(queued, (id, account, call))| ScheduledStart {
        scheduled_call: *id,
        account: *account,
        booking: queued.booking,
        call: *call,
        progress: asked.progress.clone(),
    });
    let wanted = PrepareScheduled {
        calls: calls.collect(),
        freed: asked.freed.clone(),
    };
    let answers = asked.prepare.send(wanted).await.unwrap_or_default();
    let mut ready = BTreeMap::new();
    let mut answers = answers.into_iter();
    for (id, account, call) in &names {
        match answers.next().unwrap_or_else(|| Err(lost())) {
            Ok(start) => {
                ready.insert(*id, (*account, *call, start));
            }
            Err(refused) => {
                tried.insert(*id, Tried::NotReady(*account, refused));
            }
        }
    }
    let claims: Vec<_> = ready
        .iter()
        .map(|(id, (_, call, _))| (*id, *call))
        .collect();
    let now = clock::now().utc;
    for claimed in store.claim_scheduled_calls(&scope, &claims, now).await? {
        if let Some((account, call, start)) = ready.remove(&claimed.id) {
            tried.insert(claimed.id, Tried::Claimed(account, call, start));
        }
    }
    // In the order in which they were due.
    let tried = due.iter().filter_map(|id| tried.remove_entry(id));
    Ok(tried.collect())
}

fn lost() -> NotReady {
    NotReady {
        cause: Cause::TemporaryFailure,
        why: "the platform was lost".into(),
        later: Some(Later::Some),
    }
}

impl Actor for Scheduler {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(10_000);
        self.restore(ctx);
    }
}

impl Handler<WakeScheduler> for Scheduler {
    type Result = ();

    fn handle(&mut self, wake: WakeScheduler, ctx: &mut Self::Context) {
        self.woken(wake, ctx);
    }
}

impl Handler<ChannelsFreed> for Scheduler {
    type Result = ();

    fn handle(&mut self, freed: ChannelsFreed, ctx: &mut Self::Context) {
        let ChannelsFreed { account, channels } = freed;
        self.advance(Input::Freed { account, channels }, ctx);
    }
}

impl Handler<Progress> for Scheduler {
    type Result = ();

    fn handle(&mut self, progress: Progress, ctx: &mut Self::Context) {
        if self.ready {
            self.progressed(&progress, ctx);
        } else {
            self.missed.push(progress);
        }
    }
}

impl Handler<Drain> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.draining = true;
    }
}

impl Handler<ProvokePanic> for Scheduler {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}
