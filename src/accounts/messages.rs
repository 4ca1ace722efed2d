//! What the API and the scheduler may ask of the living platform, in plain types.
//!
//! Whoever asks has checked already that the asker may see the account: the store's scope does.

use std::sync::Arc;

use actix::{Message, Recipient};
use chrono::{DateTime, Utc};
use strowger_domain::call::Gap;
use strowger_domain::cause::Cause;
use strowger_domain::cdr::CallRecord;
use strowger_domain::ids::{AccountId, CallId, InstanceId, NumberId, PlanId, ScheduledCallId};
use strowger_domain::schedule::Booking;
use tokio::sync::Notify;

use crate::calls::messages::ProgressRecipient;
use crate::calls::ticket::ChannelsFreed;
use crate::net::sip_endpoint::Living;
use crate::numbers::messages::StartCall;
pub use crate::services::messages::{StartRefused, StartService};

/// The living platform as its askers see it: where each question goes.
#[derive(Clone)]
pub struct Platform {
    /// Answers [`LiveCalls`].
    pub live_calls: Recipient<LiveCalls>,
    /// Answers [`FindCall`].
    pub find_call: Recipient<FindCall>,
    /// Answers [`HangUp`].
    pub hang_up: Recipient<HangUp>,
    /// Answers [`CountCalls`].
    pub count_calls: Recipient<CountCalls>,
    /// Answers [`PauseRecordings`].
    pub pause_recordings: Recipient<PauseRecordings>,
    /// Answers [`StartService`].
    pub start_service: Recipient<StartService>,
    /// Answers [`DirectoryChanged`].
    pub directory_changed: Recipient<DirectoryChanged>,
    /// Is told [`WakeScheduler`].
    pub wake_scheduler: Recipient<WakeScheduler>,
    /// Answers [`Observe`].
    pub observe: Recipient<Observe>,
    /// Told when a number is to be switched to another plan.
    pub switch_ordered: Arc<Notify>,
}

/// Nobody answered: the actor is gone, is being restored, or has too much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the platform does not answer now")]
pub struct Unavailable;

impl Platform {
    /// The live calls of an account, the oldest first.
    pub async fn live_calls(&self, account: AccountId) -> Result<Vec<CallRecord>, Unavailable> {
        ask(&self.live_calls, LiveCalls { account }).await
    }

    /// One live call of an account; `None`: it is not live (any more), or not this account's.
    pub async fn call(
        &self,
        account: AccountId,
        call: CallId,
    ) -> Result<Option<Box<CallRecord>>, Unavailable> {
        ask(&self.find_call, FindCall { account, call }).await
    }

    /// The calls of an account and those below it, as they count for its limits.
    pub async fn count_calls(&self, account: AccountId) -> Result<Counted, Unavailable> {
        ask(&self.count_calls, CountCalls(account)).await
    }

    /// Pauses what is being recorded of a live call, or goes on with it; `false`: there is nothing
    /// recorded, or no such live call of this account.
    pub async fn pause_recordings(
        &self,
        account: AccountId,
        call: CallId,
        gap: Option<Gap>,
    ) -> Result<bool, Unavailable> {
        let question = PauseRecordings { account, call, gap };
        ask(&self.pause_recordings, question).await
    }

    /// Ends a live call; `false`: there is no such live call of this account.
    pub async fn hang_up(
        &self,
        account: AccountId,
        call: CallId,
        cause: Cause,
    ) -> Result<bool, Unavailable> {
        ask(
            &self.hang_up,
            HangUp {
                account,
                call,
                cause,
            },
        )
        .await
    }

    /// Starts an outbound service: the instance exists and its call is being dialled.
    pub async fn start_service(
        &self,
        start: StartService,
    ) -> Result<Result<InstanceId, StartRefused>, Unavailable> {
        ask(&self.start_service, start).await
    }

    /// Tells that what is stored has changed, and waits until new calls follow the change. It is
    /// stored already: a platform that does not answer now reads it when it is back.
    pub async fn directory_changed(&self, what: Changed) {
        let told = ask(&self.directory_changed, DirectoryChanged(what)).await;
        if let Err(error) = told {
            tracing::warn!(%error, "calls may not follow the last change yet");
        }
    }

    /// Tells the scheduler that a scheduled call was added or cancelled. Never waits.
    pub fn wake_scheduler(&self, wake: WakeScheduler) {
        self.wake_scheduler.do_send(wake);
    }

    /// How the platform does, for readiness and metrics.
    pub async fn observe(&self) -> Result<Observed, Unavailable> {
        ask(&self.observe, Observe).await
    }
}

/// A question that is not answered within this time gets [`Unavailable`].
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

async fn ask<M>(whom: &Recipient<M>, question: M) -> Result<M::Result, Unavailable>
where
    M: Message + Send,
    M::Result: Send,
{
    match tokio::time::timeout(PATIENCE, whom.send(question)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_closed)) => Err(Unavailable),
        Err(_elapsed) => Err(Unavailable),
    }
}

/// Which calls of this account (not of its descendants) are live?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<CallRecord>")]
pub struct LiveCalls {
    /// Whose.
    pub account: AccountId,
}

/// How does this call stand?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<Box<CallRecord>>")]
pub struct FindCall {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub call: CallId,
}

/// How many calls count for the limits of this account?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Counted")]
pub struct CountCalls(pub AccountId);

/// The calls that count for the limits of an account: its own and those of its descendants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Those that live.
    pub live: u32,
    /// Those that began within the last second, where that is limited.
    pub new: u32,
}

/// Pause what is being recorded of this call, or go on with it. Answers whether there is something.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "bool")]
pub struct PauseRecordings {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub call: CallId,
    /// What becomes of the time until it goes on; `None`: it goes on.
    pub gap: Option<Gap>,
}

/// End this call. Answers whether there was one.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "bool")]
pub struct HangUp {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub call: CallId,
    /// The cause that goes on record.
    pub cause: Cause,
}

/// What is stored was changed: read it again. Answered when new calls follow the change.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct DirectoryChanged(pub Changed);

/// The kinds of stored things that actors keep a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// An account: status, permissions, limits; or a new one.
    Account(AccountId),
    /// Accounts moved or were closed: everything is read again.
    Tree,
    /// An account is gone with all that it held; [`Changed::Tree`] follows.
    Erased(AccountId),
    /// A number: owner, status, plan; a new one, or one that is gone.
    Number(NumberId),
    /// A call plan was published.
    CallPlan(PlanId),
    /// A trunk or a route.
    Routes,
}

/// What happened to a scheduled call that the scheduler must know at once.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub enum WakeScheduler {
    /// It was added.
    Queued {
        /// Which.
        id: ScheduledCallId,
        /// Who ordered it.
        account: AccountId,
        /// Not dialled before.
        not_before: DateTime<Utc>,
        /// Not dialled from then on.
        expires_at: Option<DateTime<Utc>>,
    },
    /// It was cancelled.
    Cancelled(ScheduledCallId),
}

/// Check the rules of these calls again, take a channel for each, and make everything ready to dial
/// their first parties. Nothing is dialled yet: each answer is to be sent as a message when its call
/// is claimed. Dropping it gives the channel back.
#[derive(Message, Debug)]
#[rtype(result = "Vec<Result<StartCall, NotReady>>")]
pub struct PrepareScheduled {
    /// Which, each answered in its place.
    pub calls: Vec<ScheduledStart>,
    /// Who is told when an account that had no channel has some.
    pub freed: Recipient<ChannelsFreed>,
}

/// A scheduled call that is to be started.
#[derive(Debug)]
pub struct ScheduledStart {
    /// Which.
    pub scheduled_call: ScheduledCallId,
    /// Who ordered it.
    pub account: AccountId,
    /// What was ordered.
    pub booking: Booking,
    /// The call's name.
    pub call: CallId,
    /// Who is told how it goes.
    pub progress: ProgressRecipient,
}

/// Why it can't be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// On record.
    pub cause: Cause,
    /// In words.
    pub why: String,
    /// There may be room later; otherwise it is refused for good.
    pub later: Option<Later>,
}

/// When it may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// The platform takes no calls now.
    Some,
    /// This account has no free channel; whoever asked is told when it has.
    Freed(AccountId),
    /// This account has had its new calls of this second.
    Soon(AccountId),
}

/// How does the platform do?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Observed")]
pub struct Observe;

/// The platform's state in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// It takes no new calls.
    pub draining: bool,
    /// Calls that live now.
    pub live_calls: u64,
    /// Calls that count for the limits of accounts.
    pub tickets: u64,
    /// RTP ports in use.
    pub media_ports: u64,
    /// What lives in signalling.
    pub sip: Living,
    /// Actors that were restored since the start.
    pub restarts: u64,
}
