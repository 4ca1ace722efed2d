//! The one address that never changes: it forwards to the platform and to the accounts, makes them
//! again when they fail, and knows every live call.

use std::collections::HashMap;

use actix::prelude::*;
use futures_util::future::join_all;
use strowger_domain::cause::Cause;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::{AccountId, CallId};

use super::account::{Account, Nursery};
use super::messages::{
    Changed, CountCalls, Counted, DirectoryChanged, FindCall, HangUp, Later, LiveCalls, NotReady,
    Observe, Observed, PauseRecordings, PrepareScheduled, StartService,
};
use super::platform::{Drain, Finish, Means, Platform, ProvokePanic};
use crate::calls::call::Call;
use crate::calls::messages::{CallGone, CallStarted, GlobalsChanged, Look, Pause, Stop};
use crate::calls::ticket::Channels;
use crate::conferences::messages::{ConferenceFact, ConferenceNews, EnterRoom};
use crate::net::clock;
use crate::net::media_engine::MediaHandle;
use crate::net::sip_endpoint::{self, InboundInvite, SipHandle};
use crate::numbers::messages::StartCall;
use crate::queues::messages::{EnterQueue, QueueFact};
use crate::services::messages::RunInstance;
use crate::supervise::{self, Children, Down, Fate};
use crate::telemetry;

/// The actor.
#[derive(Default)]
pub struct Root {
    platform: Option<Children<(), Platform>>,
    accounts: Option<Children<AccountId, Account>>,
    channels: Channels,
    media: Option<MediaHandle>,
    sip: Option<SipHandle>,
    calls: HashMap<CallId, (AccountId, Addr<Call>)>,
    draining: bool,
    restarts: u64,
    /// Told when the last call is gone.
    empty: Vec<tokio::sync::oneshot::Sender<()>>,
}

/// Begin: the platform is made. Sent once, when everything that it needs is there.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Begin {
    /// What the platform works with.
    pub means: Box<Means>,
    /// What accounts need.
    pub nursery: Nursery,
}

/// Wait until no call lives.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct WaitForCalls(pub tokio::sync::oneshot::Sender<()>);

/// End every call that lives.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct StopCalls(pub Cause);

/// The actor of a call, for tests of supervision.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "Option<Addr<Call>>")]
pub struct AddressOf(pub CallId);

impl Root {
    fn platform(&mut self) -> Option<Addr<Platform>> {
        self.platform
            .as_mut()
            .map(|platform| platform.get_or_start(&()))
    }

    fn forward<M>(&mut self, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        Platform: Handler<M>,
    {
        if let Some(platform) = self.platform() {
            platform.do_send(message);
        }
    }

    fn account(&mut self, id: AccountId) -> Option<Addr<Account>> {
        let accounts = self.accounts.as_mut()?;
        Some(accounts.get_or_start(&id))
    }

    fn look(calls: Vec<Addr<Call>>) -> ResponseFuture<Vec<CallRecord>> {
        Box::pin(async move {
            let looks = calls.iter().map(|call| call.send(Look));
            let mut found: Vec<_> = join_all(looks)
                .await
                .into_iter()
                .filter_map(|look| look.ok().flatten())
                .collect();
            found.sort_by_key(|call| call.started_at);
            found
        })
    }
}

impl Actor for Root {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(10_000);
    }
}

impl Handler<Begin> for Root {
    type Result = ();

    fn handle(&mut self, Begin { means, nursery }: Begin, ctx: &mut Self::Context) {
        self.media = Some(means.tools.media.clone());
        self.sip = Some(means.tools.sip.clone());
        self.channels = means.channels.clone();
        self.accounts = Some(Children::new(
            ctx.address().recipient(),
            move |id, obituary| Account::new(*id, nursery.clone(), obituary).start(),
        ));
        self.platform = Some(Children::new(
            ctx.address().recipient(),
            move |(), obituary| Platform::new((*means).clone(), false, obituary).start(),
        ));
        self.platform();
    }
}

impl Handler<Down<()>> for Root {
    type Result = ();

    fn handle(&mut self, down: Down<()>, _: &mut Self::Context) {
        match self.platform.as_mut().map(|platform| platform.bury(&down)) {
            Some(Fate::Restarted) => {
                self.restarts += 1;
                telemetry::actor_failed("platform");
                if self.draining {
                    self.forward(Drain);
                }
            }
            Some(Fate::TooMany) => {
                tracing::error!("the platform failed too often: the process ends");
                System::current().stop_with_code(70);
            }
            Some(Fate::Gone) | None => {}
        }
    }
}

impl Handler<InboundInvite> for Root {
    type Result = ();

    fn handle(&mut self, message: InboundInvite, _: &mut Self::Context) {
        self.forward(message);
    }
}

impl Handler<Down<AccountId>> for Root {
    type Result = ();

    fn handle(&mut self, down: Down<AccountId>, _: &mut Self::Context) {
        match self.accounts.as_mut().map(|accounts| accounts.bury(&down)) {
            Some(Fate::Restarted) => telemetry::actor_failed("account"),
            // One account must not take the others with it: it is made again when it is needed.
            Some(Fate::TooMany) => {
                telemetry::actor_failed("account");
                tracing::error!(account.id = %down.key, "an account fails again and again");
            }
            Some(Fate::Gone) | None => {}
        }
    }
}

impl Handler<DirectoryChanged> for Root {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: DirectoryChanged, _: &mut Self::Context) -> Self::Result {
        let platform = self.platform();
        if let (Changed::Erased(account), Some(accounts)) = (message.0, &mut self.accounts) {
            accounts.dismiss(&account);
        }
        Box::pin(async move {
            // A platform that is lost meanwhile reads everything when it starts again.
            if let Some(platform) = platform {
                let _ = platform.send(message).await;
            }
        })
    }
}

impl Handler<GlobalsChanged> for Root {
    type Result = ();

    fn handle(&mut self, message: GlobalsChanged, _: &mut Self::Context) {
        self.forward(message);
    }
}

impl Handler<EnterQueue> for Root {
    type Result = ();

    fn handle(&mut self, message: EnterQueue, _: &mut Self::Context) {
        match self.account(message.account) {
            Some(account) => account.do_send(message),
            None => message.reply_to.do_send(QueueFact::Refused),
        }
    }
}

impl Handler<EnterRoom> for Root {
    type Result = ();

    fn handle(&mut self, message: EnterRoom, _: &mut Self::Context) {
        let (leg, news) = (message.member.leg, ConferenceNews::Refused);
        match self.account(message.account) {
            Some(account) => account.do_send(message),
            None => message.reply_to.do_send(ConferenceFact { leg, news }),
        }
    }
}

impl Handler<RunInstance> for Root {
    type Result = ();

    fn handle(&mut self, message: RunInstance, _: &mut Self::Context) {
        if let Some(account) = self.account(message.account()) {
            account.do_send(message);
        }
    }
}

impl Handler<ProvokePanic> for Root {
    type Result = ();

    fn handle(&mut self, provoke: ProvokePanic, _: &mut Self::Context) {
        match &provoke {
            ProvokePanic::Platform => self.forward(supervise::ProvokePanic),
            ProvokePanic::Account(id) | ProvokePanic::Child(id, _) => {
                if let Some(account) = self.account(*id) {
                    account.do_send(provoke);
                }
            }
        }
    }
}

impl Handler<PrepareScheduled> for Root {
    type Result = ResponseFuture<Vec<Result<StartCall, NotReady>>>;

    fn handle(&mut self, message: PrepareScheduled, _: &mut Self::Context) -> Self::Result {
        let platform = self.platform();
        let count = message.calls.len();
        Box::pin(async move {
            if let Some(platform) = platform
                && let Ok(answers) = platform.send(message).await
            {
                return answers;
            }
            let lost = || NotReady {
                cause: Cause::TemporaryFailure,
                why: "the platform was lost".into(),
                later: Some(Later::Some),
            };
            (0..count).map(|_| Err(lost())).collect()
        })
    }
}

impl Handler<StartCall> for Root {
    type Result = ();

    fn handle(&mut self, message: StartCall, _: &mut Self::Context) {
        if let Some(account) = self.account(message.start.path.account()) {
            account.do_send(message);
        }
    }
}

impl Handler<StartService> for Root {
    type Result = ResponseFuture<<StartService as Message>::Result>;

    fn handle(&mut self, message: StartService, _: &mut Self::Context) -> Self::Result {
        use super::messages::StartRefused;
        let platform = self.platform();
        Box::pin(async move {
            match platform {
                Some(platform) => platform
                    .send(message)
                    .await
                    .unwrap_or(Err(StartRefused::NoChannel)),
                None => Err(StartRefused::NoChannel),
            }
        })
    }
}

impl Handler<CallStarted> for Root {
    type Result = ();

    fn handle(&mut self, started: CallStarted, _: &mut Self::Context) {
        self.calls
            .insert(started.call, (started.account, started.address));
    }
}

impl Handler<CallGone> for Root {
    type Result = ();

    fn handle(&mut self, CallGone(call): CallGone, _: &mut Self::Context) {
        self.calls.remove(&call);
        if self.calls.is_empty() {
            for waiting in self.empty.drain(..) {
                // Whoever waited may have given up.
                let _ = waiting.send(());
            }
        }
    }
}

impl Handler<LiveCalls> for Root {
    type Result = ResponseFuture<Vec<CallRecord>>;

    fn handle(&mut self, LiveCalls { account }: LiveCalls, _: &mut Self::Context) -> Self::Result {
        let calls = self.calls.values().filter(|(owner, _)| *owner == account);
        Self::look(calls.map(|(_, address)| address.clone()).collect())
    }
}

impl Handler<CountCalls> for Root {
    type Result = MessageResult<CountCalls>;

    fn handle(&mut self, CountCalls(account): CountCalls, _: &mut Self::Context) -> Self::Result {
        MessageResult(Counted {
            live: self.channels.calls(account),
            new: self.channels.new_calls(account, clock::now().instant),
        })
    }
}

impl Handler<FindCall> for Root {
    type Result = ResponseFuture<Option<Box<CallRecord>>>;

    fn handle(&mut self, find: FindCall, _: &mut Self::Context) -> Self::Result {
        let call = self
            .calls
            .get(&find.call)
            .filter(|(owner, _)| *owner == find.account);
        let looked = Self::look(
            call.map(|(_, address)| address.clone())
                .into_iter()
                .collect(),
        );
        Box::pin(async move { looked.await.pop().map(Box::new) })
    }
}

impl Handler<PauseRecordings> for Root {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, pause: PauseRecordings, _: &mut Self::Context) -> Self::Result {
        let call = self
            .calls
            .get(&pause.call)
            .filter(|(owner, _)| *owner == pause.account)
            .map(|(_, address)| address.clone());
        Box::pin(async move {
            match call {
                Some(call) => call.send(Pause(pause.gap)).await.unwrap_or(false),
                None => false,
            }
        })
    }
}

impl Handler<HangUp> for Root {
    type Result = bool;

    fn handle(&mut self, hang_up: HangUp, _: &mut Self::Context) -> bool {
        let call = self
            .calls
            .get(&hang_up.call)
            .filter(|(owner, _)| *owner == hang_up.account);
        call.inspect(|(_, address)| address.do_send(Stop(hang_up.cause)))
            .is_some()
    }
}

impl Handler<Observe> for Root {
    type Result = ResponseFuture<Observed>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let media = self.media.as_ref();
        let mut observed = Observed {
            draining: self.draining,
            live_calls: self.calls.len() as u64,
            tickets: self.channels.taken() as u64,
            media_ports: media.map_or(0, |media| media.open_ports() as u64),
            restarts: self.restarts,
            ..Observed::default()
        };
        let sip = self.sip.as_ref().map(SipHandle::endpoint);
        Box::pin(async move {
            if let Some(sip) = sip {
                observed.sip = sip.send(sip_endpoint::Observe).await.unwrap_or_default();
            }
            observed
        })
    }
}

impl Handler<Drain> for Root {
    type Result = ();

    fn handle(&mut self, message: Drain, _: &mut Self::Context) {
        self.draining = true;
        self.forward(message);
    }
}

impl Handler<Finish> for Root {
    type Result = ();

    fn handle(&mut self, message: Finish, ctx: &mut Self::Context) {
        self.forward(message);
        ctx.stop();
    }
}

impl Handler<WaitForCalls> for Root {
    type Result = ();

    fn handle(&mut self, WaitForCalls(done): WaitForCalls, _: &mut Self::Context) {
        if self.calls.is_empty() {
            let _ = done.send(());
        } else {
            self.empty.push(done);
        }
    }
}

impl Handler<StopCalls> for Root {
    type Result = ();

    fn handle(&mut self, StopCalls(cause): StopCalls, _: &mut Self::Context) {
        for (_, call) in self.calls.values() {
            call.do_send(Stop(cause));
        }
    }
}

impl Handler<AddressOf> for Root {
    type Result = Option<Addr<Call>>;

    fn handle(&mut self, AddressOf(call): AddressOf, _: &mut Self::Context) -> Self::Result {
        self.calls.get(&call).map(|(_, address)| address.clone())
    }
}
