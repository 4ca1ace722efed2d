//! What happens to scheduled calls: claimed, dialled, ended, taken back, expired. What may follow
//! what is the domain's business; every change here is a compare-and-set on the state it came from.

use super::{Column, Entity, Model, ScheduledCall, ScheduledState, model, row};
use crate::store::scope::{AccountScope, Within};
use crate::store::text::{maybe_named, name, unsigned};
use crate::store::{Store, StoreError, utc, writer};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::{BTreeMap, BTreeSet};
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, CallId, ScheduledCallId};
use strowger_domain::schedule::Fact;
use strowger_entity::calls;
use uuid::Uuid;

/// One thing that happened to a scheduled call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledUpdate {
    /// Which.
    pub id: ScheduledCallId,
    /// What.
    pub fact: Fact,
    /// When.
    pub at: DateTime<Utc>,
}

/// How many scheduled calls an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They wait for their time.
    pub queued: u64,
    /// They are being dialled, ring or talk.
    pub in_progress: u64,
}

/// Calls that are changed in one transaction.
const MOST_CHANGED: u64 = 500;
/// Identifiers of one query.
const MOST_VALUES: usize = 500;

fn is_one_of(states: impl Fn(ScheduledState) -> bool) -> Condition {
    let states = ScheduledState::ALL
        .into_iter()
        .filter(|state| states(*state));
    Condition::all().add(Column::State.is_in(states.map(|state| name(&state))))
}

fn is_queued() -> Condition {
    is_one_of(|state| state == ScheduledState::Queued)
}

fn none_of(accounts: &[AccountId]) -> Condition {
    let condition = (!accounts.is_empty())
        .then(|| Column::AccountId.is_not_in(accounts.iter().map(|account| account.uuid())));
    Condition::all().add_option(condition)
}

/// Notes what happened to calls, in this order. What cannot follow upon a call's state is left out.
pub(in crate::store) async fn apply_all(
    db: &impl ConnectionTrait,
    scope: &AccountScope,
    updates: &[&ScheduledUpdate],
) -> Result<(), StoreError> {
    let ids = updates.iter().map(|update| update.id);
    let mut calls = read_for_update(db, scope, ids).await?;
    let mut changed = BTreeSet::new();
    for update in updates {
        let applied = calls
            .get_mut(&update.id)
            .is_some_and(|call| call.apply(update.fact.clone(), utc(update.at)).is_ok());
        if applied {
            changed.insert(update.id);
        } else {
            tracing::debug!(
                scheduled_call.id = %update.id,
                fact = ?update.fact,
                "a fact of a scheduled call came too late"
            );
        }
    }
    let changed = changed.iter().filter_map(|id| calls.get(id));
    writer::write_scheduled(db, changed.map(model).collect()).await
}

/// These calls, those of them that are there, and nobody else changes them until the end of the
/// transaction. On SQLite that holds the one write lock anyway.
async fn read_for_update(
    db: &impl ConnectionTrait,
    scope: &AccountScope,
    ids: impl Iterator<Item = ScheduledCallId>,
) -> Result<BTreeMap<ScheduledCallId, ScheduledCall>, StoreError> {
    let ids: Vec<Uuid> = ids.map(ScheduledCallId::uuid).collect();
    let mut calls = BTreeMap::new();
    for some in ids.chunks(MOST_VALUES) {
        let models = Entity::find()
            .filter(Column::Id.is_in(some.iter().copied()))
            .filter(scope.sees(Column::AccountId))
            .lock(LockType::Update)
            .all(db)
            .await?;
        for model in models {
            let call = row(model)?;
            calls.insert(call.id, call);
        }
    }
    Ok(calls)
}

/// Notes what happened to a call; answers it as it is now. [`StoreError::Stale`] when it was in a
/// state in which this cannot happen.
async fn apply(
    db: &impl ConnectionTrait,
    scope: &AccountScope,
    update: ScheduledUpdate,
) -> Result<ScheduledCall, StoreError> {
    let kept = Entity::find_by_id(update.id.uuid())
        .filter(scope.sees(Column::AccountId))
        .one(db)
        .await?
        .ok_or(StoreError::NotFound)?;
    change(db, kept, update.fact, update.at).await
}

async fn change(
    db: &impl ConnectionTrait,
    kept: Model,
    fact: Fact,
    at: DateTime<Utc>,
) -> Result<ScheduledCall, StoreError> {
    let before = kept.state.clone();
    let mut call = row(kept)?;
    call.apply(fact, utc(at))
        .map_err(|_illegal| StoreError::Stale)?;
    let model = model(&call);
    let changed = Entity::update_many()
        .filter(Column::Id.eq(model.id))
        .filter(Column::State.eq(before))
        .set(model.into_active_model().reset_all())
        .exec(db)
        .await?;
    if changed.rows_affected == 0 {
        return Err(StoreError::Stale);
    }
    Ok(call)
}

/// Ends a call that is in progress as its call's record says; as cut, where that has no end or was
/// cut itself.
async fn close(
    db: &impl ConnectionTrait,
    kept: Model,
    now: DateTime<Utc>,
) -> Result<ScheduledCall, StoreError> {
    let record = match kept.call_id {
        Some(call) => calls::Entity::find_by_id(call).one(db).await?,
        None => None,
    };
    let ended = record.and_then(|record| Some((record.ended_at?, record)));
    let Some((ended_at, record)) = ended else {
        return change(db, kept, Fact::Cut, now).await;
    };
    let cause = maybe_named("calls", record.cause.as_deref())?.unwrap_or(Cause::TemporaryFailure);
    if cause == Cause::TemporaryFailure {
        return change(db, kept, Fact::Cut, ended_at).await;
    }
    let mut kept = kept;
    if let Some(answered_at) = record.answered_at
        && kept.answered_at.is_none()
    {
        kept = model(&change(db, kept, Fact::Answered, answered_at).await?);
    }
    let sip_status = record.sip_status.map(unsigned);
    change(db, kept, Fact::Ended { cause, sip_status }, ended_at).await
}

impl Store {
    /// Takes one waiting call for dialling: in the database it is `dialling`, and has its call's
    /// identifier, before this returns. Of all who claim it, one gets it; the others get
    /// [`StoreError::Stale`].
    pub async fn claim_scheduled_call(
        &self,
        scope: &AccountScope,
        id: ScheduledCallId,
        call: CallId,
        now: DateTime<Utc>,
    ) -> Result<ScheduledCall, StoreError> {
        let fact = Fact::Claimed { call };
        self.note_scheduled_call(scope, ScheduledUpdate { id, fact, at: now })
            .await
    }

    /// Takes these waiting calls for dialling, each as with [`Store::claim_scheduled_call`] and all
    /// or none; answers those that it got. The others were not waiting any more.
    pub async fn claim_scheduled_calls(
        &self,
        scope: &AccountScope,
        claims: &[(ScheduledCallId, CallId)],
        now: DateTime<Utc>,
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let transaction = self.begin().await?;
        let mut waiting =
            read_for_update(&transaction, scope, claims.iter().map(|(id, _)| *id)).await?;
        let mut claimed = Vec::with_capacity(claims.len());
        for (id, call) in claims {
            let Some(mut taken) = waiting.remove(id) else {
                continue;
            };
            if taken.apply(Fact::Claimed { call: *call }, utc(now)).is_ok() {
                claimed.push(taken);
            }
        }
        writer::write_scheduled(&transaction, claimed.iter().map(model).collect()).await?;
        transaction.commit().await?;
        Ok(claimed)
    }

    /// These calls, those of them that are in scope, in no order.
    pub async fn scheduled_calls_of(
        &self,
        scope: &AccountScope,
        ids: &[ScheduledCallId],
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let mut calls = Vec::with_capacity(ids.len());
        for some in ids.chunks(MOST_VALUES) {
            let models = Entity::find()
                .filter(Column::Id.is_in(some.iter().map(|id| id.uuid())))
                .filter(scope.sees(Column::AccountId))
                .all(&self.db)
                .await?;
            for model in models {
                calls.push(row(model)?);
            }
        }
        Ok(calls)
    }

    /// Takes up to `limit` due calls for dialling, the longest due first, each as with
    /// [`Store::claim_scheduled_call`]. Calls of the accounts in `except`, which have reached a
    /// limit, wait on; those whose time is over are left for [`Store::expire_due`].
    pub async fn claim_due(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
        limit: u64,
        except: &[AccountId],
        mut call: impl FnMut() -> CallId,
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let time = utc(now);
        let due = none_of(except).add(Column::NotBefore.lte(time)).add(
            Condition::any()
                .add(Column::ExpiresAt.is_null())
                .add(Column::ExpiresAt.gt(time)),
        );
        self.change_queued(scope, due, limit, now, || Fact::Claimed { call: call() })
            .await
    }

    /// Ends the calls whose time is over, and answers them.
    pub async fn expire_due(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let over = Condition::all().add(Column::ExpiresAt.lte(utc(now)));
        self.change_queued(scope, over, MOST_CHANGED, now, || Fact::Expired)
            .await
    }

    /// Takes back calls that wait, and answers them: at most 500 at a time.
    pub async fn cancel_queued(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let any = Condition::all();
        self.change_queued(scope, any, MOST_CHANGED, now, || Fact::Cancelled)
            .await
    }

    /// Takes a call back while it waits; [`StoreError::Stale`] when it is past that.
    pub async fn cancel_scheduled_call(
        &self,
        scope: &AccountScope,
        id: ScheduledCallId,
        now: DateTime<Utc>,
    ) -> Result<ScheduledCall, StoreError> {
        let fact = Fact::Cancelled;
        self.note_scheduled_call(scope, ScheduledUpdate { id, fact, at: now })
            .await
    }

    /// Notes what happened to a call; answers it as it is now. [`StoreError::Stale`] when it was in
    /// a state in which this cannot happen.
    pub async fn note_scheduled_call(
        &self,
        scope: &AccountScope,
        update: ScheduledUpdate,
    ) -> Result<ScheduledCall, StoreError> {
        let transaction = self.begin().await?;
        let call = apply(&transaction, scope, update).await?;
        transaction.commit().await?;
        Ok(call)
    }

    /// At start, before the first claim: ends the calls that were in progress when the process
    /// died, and answers them: as their calls' records say, where those are kept, else with cause
    /// 41. None of them is dialled again.
    pub async fn close_interrupted(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let transaction = self.begin().await?;
        let cut = Entity::find()
            .filter(is_one_of(ScheduledState::is_in_progress))
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::NotBefore)
            .order_by_asc(Column::Id)
            .all(&transaction)
            .await?;
        let mut closed = Vec::with_capacity(cut.len());
        for kept in cut {
            closed.push(close(&transaction, kept, now).await?);
        }
        transaction.commit().await?;
        Ok(closed)
    }

    /// Ends one call that was claimed and is followed by nobody any more, as
    /// [`Store::close_interrupted`] does. [`StoreError::Stale`] when it is not in progress.
    pub async fn close_lost(
        &self,
        scope: &AccountScope,
        id: ScheduledCallId,
        now: DateTime<Utc>,
    ) -> Result<ScheduledCall, StoreError> {
        let transaction = self.begin().await?;
        let kept = Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&transaction)
            .await?
            .ok_or(StoreError::NotFound)?;
        let call = close(&transaction, kept, now).await?;
        transaction.commit().await?;
        Ok(call)
    }

    /// The calls that wait or are in progress, the first due first: what an agenda is made of.
    pub async fn open_scheduled_calls(
        &self,
        scope: &AccountScope,
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let models = Entity::find()
            .filter(is_one_of(|state| !state.is_final()))
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::NotBefore)
            .order_by_asc(Column::Id)
            .all(&self.db)
            .await?;
        models.into_iter().map(row).collect()
    }

    /// How many scheduled calls wait and are in progress.
    pub async fn count_scheduled_calls(
        &self,
        scope: &AccountScope,
        within: Within,
    ) -> Result<Counts, StoreError> {
        let within = self.within(scope, within, Column::AccountId).await?;
        let counts = count(&self.db, within).await?;
        Ok(counts
            .into_values()
            .fold(Counts::default(), |sum, one| Counts {
                queued: sum.queued + one.queued,
                in_progress: sum.in_progress + one.in_progress,
            }))
    }

    /// The same for each account in scope that has any, its descendants not included.
    pub async fn scheduled_counts(
        &self,
        scope: &AccountScope,
    ) -> Result<BTreeMap<AccountId, Counts>, StoreError> {
        count(&self.db, scope.sees(Column::AccountId)).await
    }

    /// When the next waiting call is due, or expires. `except` as with [`Store::claim_due`].
    pub async fn next_due(
        &self,
        scope: &AccountScope,
        except: &[AccountId],
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let queued = || {
            Entity::find()
                .select_only()
                .filter(is_queued())
                .filter(scope.sees(Column::AccountId))
        };
        let due: Option<DateTime<Utc>> = queued()
            .column(Column::NotBefore)
            .filter(none_of(except))
            .order_by_asc(Column::NotBefore)
            .into_tuple()
            .one(&self.db)
            .await?;
        let over: Option<Option<DateTime<Utc>>> = queued()
            .column(Column::ExpiresAt)
            .filter(Column::ExpiresAt.is_not_null())
            .order_by_asc(Column::ExpiresAt)
            .into_tuple()
            .one(&self.db)
            .await?;
        Ok(due.into_iter().chain(over.flatten()).min())
    }

    /// Applies a fact to waiting calls, the first due first. Others who do the same at this time
    /// get other calls: the rows are locked, and those that others lock are passed over. On SQLite
    /// the transaction holds the one write lock anyway.
    async fn change_queued(
        &self,
        scope: &AccountScope,
        which: Condition,
        limit: u64,
        now: DateTime<Utc>,
        mut fact: impl FnMut() -> Fact,
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let transaction = self.begin().await?;
        let queued = Entity::find()
            .filter(is_queued())
            .filter(scope.sees(Column::AccountId))
            .filter(which)
            .order_by_asc(Column::NotBefore)
            .order_by_asc(Column::Id)
            .limit(Ord::min(limit, MOST_CHANGED))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&transaction)
            .await?;
        let mut changed = Vec::with_capacity(queued.len());
        for kept in queued {
            changed.push(change(&transaction, kept, fact(), now).await?);
        }
        transaction.commit().await?;
        Ok(changed)
    }
}

async fn count(
    db: &impl ConnectionTrait,
    which: Condition,
) -> Result<BTreeMap<AccountId, Counts>, StoreError> {
    let rows: Vec<(Uuid, String, i64)> = Entity::find()
        .select_only()
        .column(Column::AccountId)
        .column(Column::State)
        .column_as(Expr::col(Column::Id).count(), "calls")
        .filter(which)
        .filter(is_one_of(|state| !state.is_final()))
        .group_by(Column::AccountId)
        .group_by(Column::State)
        .into_tuple()
        .all(db)
        .await?;
    let queued = name(&ScheduledState::Queued);
    let mut counts: BTreeMap<AccountId, Counts> = BTreeMap::new();
    for (account, state, calls) in rows {
        let count = counts.entry(AccountId::from_uuid(account)).or_default();
        let calls: u64 = unsigned(calls);
        if state == queued {
            count.queued += calls;
        } else {
            count.in_progress += calls;
        }
    }
    Ok(counts)
}
