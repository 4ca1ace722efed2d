//! What happens to scheduled calls: claimed, dialled, ended, taken back, expired. Every change is a
//! compare-and-set on the state that it may come from.

use super::{Column, Entity, Model, ScheduledCall, ScheduledState, row};
use crate::store::scope::{AccountScope, Within};
use crate::store::text::{name, unsigned};
use crate::store::{Store, StoreError, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use std::collections::BTreeMap;
use strowger_domain::cause::Cause;
use strowger_domain::ids::{AccountId, CallId, ScheduledCallId};
use uuid::Uuid;

/// A step of a scheduled call that was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledUpdate {
    /// Which.
    pub id: ScheduledCallId,
    /// How far it is now.
    pub state: ScheduledState,
    /// Its call; `None` stays as it is.
    pub call: Option<CallId>,
    /// Why it ended; `None` stays as it is.
    pub cause: Option<Cause>,
    /// The SIP status that it ended with; `None` stays as it is.
    pub sip_status: Option<u16>,
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

const IN_PROGRESS: [ScheduledState; 3] = [
    ScheduledState::Dialling,
    ScheduledState::Ringing,
    ScheduledState::InProgress,
];

const LIVE: [ScheduledState; 4] = [
    ScheduledState::Queued,
    ScheduledState::Dialling,
    ScheduledState::Ringing,
    ScheduledState::InProgress,
];

/// The states from which a claimed call can come into this one.
fn before(state: ScheduledState) -> &'static [ScheduledState] {
    match state {
        ScheduledState::Queued | ScheduledState::Cancelled | ScheduledState::Expired => &[],
        // A call that is being dialled already may still be given its `call`.
        ScheduledState::Dialling => &[ScheduledState::Dialling],
        ScheduledState::Ringing => &[ScheduledState::Dialling],
        ScheduledState::InProgress => &[ScheduledState::Dialling, ScheduledState::Ringing],
        ScheduledState::Completed | ScheduledState::Failed => &IN_PROGRESS,
    }
}

fn is_one_of(states: &[ScheduledState]) -> Condition {
    Condition::all().add(Column::State.is_in(states.iter().map(name)))
}

/// Applies one step; `false`: it was not in a state from which this one follows.
pub(in crate::store) async fn apply(
    db: &impl ConnectionTrait,
    update: &ScheduledUpdate,
) -> Result<bool, StoreError> {
    let at = utc(update.at);
    let mut query = Entity::update_many()
        .filter(Column::Id.eq(update.id.uuid()))
        .filter(is_one_of(before(update.state)))
        .col_expr(Column::State, Expr::value(name(&update.state)))
        .col_expr(Column::UpdatedAt, Expr::value(at));
    if let Some(call) = update.call {
        query = query.col_expr(Column::CallId, Expr::value(call.uuid()));
    }
    if let Some(cause) = update.cause {
        query = query.col_expr(Column::Cause, Expr::value(name(&cause)));
    }
    if let Some(status) = update.sip_status {
        query = query.col_expr(Column::SipStatus, Expr::value(i32::from(status)));
    }
    if update.state == ScheduledState::InProgress {
        query = query.col_expr(Column::AnsweredAt, Expr::value(at));
    }
    if update.state.is_final() {
        query = query.col_expr(Column::EndedAt, Expr::value(at));
    }
    Ok(query.exec(db).await?.rows_affected == 1)
}

impl Store {
    /// Takes up to `limit` due calls for dialling, the longest due first; they are `dialling` in
    /// the database before this returns. Each is answered to one caller only, whoever else claims
    /// at the same time. Calls of the accounts in `except`, which have reached a limit, wait on, and
    /// so do those that have expired.
    pub async fn claim_due(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
        limit: u64,
        except: &[AccountId],
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let now = utc(now);
        let transaction = self.begin().await?;
        let due =
            Condition::all()
                .add(Column::NotBefore.lte(now))
                .add(
                    Condition::any()
                        .add(Column::ExpiresAt.is_null())
                        .add(Column::ExpiresAt.gt(now)),
                )
                .add_option((!except.is_empty()).then(|| {
                    Column::AccountId.is_not_in(except.iter().map(|account| account.uuid()))
                }));
        let claimed = lock_queued(&transaction, scope, due, limit).await?;
        set_all(&transaction, &claimed, |query| {
            query
                .col_expr(Column::State, Expr::value(name(&ScheduledState::Dialling)))
                .col_expr(Column::ClaimedAt, Expr::value(now))
                .col_expr(Column::UpdatedAt, Expr::value(now))
        })
        .await?;
        transaction.commit().await?;
        let claimed = claimed.into_iter().map(|mut model| {
            model.state = name(&ScheduledState::Dialling);
            model.claimed_at = Some(now);
            model.updated_at = now;
            row(model)
        });
        claimed.collect()
    }

    /// Ends the calls whose time is over, and answers them.
    pub async fn expire_due(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let now = utc(now);
        let transaction = self.begin().await?;
        let over = Condition::all().add(Column::ExpiresAt.lte(now));
        let expired = lock_queued(&transaction, scope, over, MOST_VALUES).await?;
        set_all(&transaction, &expired, |query| {
            query
                .col_expr(Column::State, Expr::value(name(&ScheduledState::Expired)))
                .col_expr(Column::EndedAt, Expr::value(now))
                .col_expr(Column::UpdatedAt, Expr::value(now))
        })
        .await?;
        transaction.commit().await?;
        let expired = expired.into_iter().map(|mut model| {
            model.state = name(&ScheduledState::Expired);
            model.ended_at = Some(now);
            model.updated_at = now;
            row(model)
        });
        expired.collect()
    }

    /// Takes a call back while it waits; [`StoreError::Stale`] when it is past that.
    pub async fn cancel_scheduled_call(
        &self,
        scope: &AccountScope,
        id: ScheduledCallId,
        now: DateTime<Utc>,
    ) -> Result<ScheduledCall, StoreError> {
        let now = utc(now);
        let changed = Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .filter(is_one_of(&[ScheduledState::Queued]))
            .col_expr(Column::State, Expr::value(name(&ScheduledState::Cancelled)))
            .col_expr(Column::EndedAt, Expr::value(now))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .exec(&self.db)
            .await?
            .rows_affected;
        let call = self.scheduled_call(scope, id).await?;
        if changed == 0 {
            return Err(StoreError::Stale);
        }
        Ok(call)
    }

    /// Notes how far a claimed call is. [`StoreError::Stale`] when this state does not follow from
    /// the one that it is in.
    pub async fn update_scheduled_call(
        &self,
        scope: &AccountScope,
        update: &ScheduledUpdate,
    ) -> Result<(), StoreError> {
        self.scheduled_call(scope, update.id).await?;
        if !apply(&self.db, update).await? {
            return Err(StoreError::Stale);
        }
        Ok(())
    }

    /// At start, before the first claim: ends the calls that were in progress when the process
    /// died, with cause 41, and answers them. None of them is dialled again.
    pub async fn close_interrupted(
        &self,
        scope: &AccountScope,
        now: DateTime<Utc>,
    ) -> Result<Vec<ScheduledCall>, StoreError> {
        let now = utc(now);
        let transaction = self.begin().await?;
        let cut = Entity::find()
            .filter(is_one_of(&IN_PROGRESS))
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::NotBefore)
            .order_by_asc(Column::Id)
            .all(&transaction)
            .await?;
        set_all(&transaction, &cut, |query| {
            query
                .col_expr(Column::State, Expr::value(name(&ScheduledState::Failed)))
                .col_expr(Column::Cause, Expr::value(name(&Cause::TemporaryFailure)))
                .col_expr(Column::EndedAt, Expr::value(now))
                .col_expr(Column::UpdatedAt, Expr::value(now))
        })
        .await?;
        transaction.commit().await?;
        let cut = cut.into_iter().map(|mut model| {
            model.state = name(&ScheduledState::Failed);
            model.cause = Some(name(&Cause::TemporaryFailure));
            model.ended_at = Some(now);
            model.updated_at = now;
            row(model)
        });
        cut.collect()
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
                .filter(is_one_of(&[ScheduledState::Queued]))
                .filter(scope.sees(Column::AccountId))
        };
        let may_start = Condition::all().add_option(
            (!except.is_empty())
                .then(|| Column::AccountId.is_not_in(except.iter().map(|account| account.uuid()))),
        );
        let due: Option<DateTime<Utc>> = queued()
            .column(Column::NotBefore)
            .filter(may_start)
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
}

/// Calls that are changed in one transaction; both databases bound the number of parameters.
const MOST_VALUES: u64 = 500;

/// Reads waiting calls and keeps others from taking them. On SQLite the transaction holds the one
/// write lock anyway.
async fn lock_queued(
    transaction: &DatabaseTransaction,
    scope: &AccountScope,
    which: Condition,
    limit: u64,
) -> Result<Vec<Model>, StoreError> {
    let queued = Entity::find()
        .filter(is_one_of(&[ScheduledState::Queued]))
        .filter(scope.sees(Column::AccountId))
        .filter(which)
        .order_by_asc(Column::NotBefore)
        .order_by_asc(Column::Id)
        .limit(Ord::min(limit, MOST_VALUES))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(transaction)
        .await?;
    Ok(queued)
}

async fn set_all(
    transaction: &DatabaseTransaction,
    models: &[Model],
    set: impl Fn(sea_orm::UpdateMany<Entity>) -> sea_orm::UpdateMany<Entity>,
) -> Result<(), StoreError> {
    for some in models.chunks(500) {
        let ids = some.iter().map(|model| model.id);
        set(Entity::update_many().filter(Column::Id.is_in(ids)))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

async fn count(
    db: &impl ConnectionTrait,
    which: Condition,
) -> Result<BTreeMap<AccountId, Counts>, StoreError> {
    let queued = name(&ScheduledState::Queued);
    let rows: Vec<(Uuid, String, i64)> = Entity::find()
        .select_only()
        .column(Column::AccountId)
        .column(Column::State)
        .column_as(Expr::col(Column::Id).count(), "calls")
        .filter(which)
        .filter(is_one_of(&LIVE))
        .group_by(Column::AccountId)
        .group_by(Column::State)
        .into_tuple()
        .all(db)
        .await?;
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
