//! Changes of the account tree as a whole: an account moves with all below it, or is closed.

use super::assignments::{self, Act};
use super::identities::Subject;
use super::scope::{AccountScope, below, path_range};
use super::text::name;
use super::{Store, StoreError, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use strowger_domain::account::{Account, AccountStatus};
use strowger_domain::ids::{AccountId, NumberId};
use strowger_entity::accounts::{Column, Entity};
use strowger_entity::{numbers, sessions, users};
use uuid::Uuid;

impl Store {
    /// An account and all below it, each after its parent.
    pub async fn subtree(
        &self,
        scope: &AccountScope,
        account: AccountId,
    ) -> Result<Vec<AccountId>, StoreError> {
        let path = self.path_text(scope, account).await?;
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(path_range(&path))
            .order_by_asc(Column::Path)
            .into_tuple()
            .all(&self.db)
            .await?;
        Ok(ids.into_iter().map(AccountId::from_uuid).collect())
    }

    /// The number of levels from an account down to the lowest of those below it, itself included.
    pub async fn levels(
        &self,
        scope: &AccountScope,
        account: AccountId,
    ) -> Result<usize, StoreError> {
        let path = self.path_text(scope, account).await?;
        let paths: Vec<String> = Entity::find()
            .select_only()
            .column(Column::Path)
            .filter(path_range(&path))
            .into_tuple()
            .all(&self.db)
            .await?;
        let depth = |path: &String| path.matches('/').count();
        let lowest = paths.iter().map(depth).max().unwrap_or_default();
        Ok(lowest + 1 - depth(&path).min(lowest))
    }

    /// Puts an account, with all below it, below another parent. Both must be in scope, and the parent
    /// not below the account: [`StoreError::Stale`].
    pub async fn move_account(
        &self,
        scope: &AccountScope,
        account: AccountId,
        parent: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Account, StoreError> {
        let _changing = self.identities.changing(Subject::Tree);
        let transaction = self.begin().await?;
        let locked = |id: AccountId| {
            Entity::find_by_id(id.uuid())
                .filter(scope.sees_account())
                .lock(LockType::Update)
        };
        let new = locked(parent).one(&transaction).await?;
        let new = new.ok_or(StoreError::NotFound)?.path;
        let old = locked(account).one(&transaction).await?;
        let old = old.ok_or(StoreError::NotFound)?.path;
        if new.starts_with(&old) {
            return Err(StoreError::Stale);
        }
        let above = old.len() - step_of(&old).len();
        let moved = Entity::find()
            .filter(path_range(&old))
            .lock(LockType::Update)
            .all(&transaction)
            .await?;
        for model in moved {
            let kept = model.path.get(above..).unwrap_or_default();
            let mut update = Entity::update_many()
                .filter(Column::Id.eq(model.id))
                .col_expr(Column::Path, Expr::value(format!("{new}{kept}")))
                .col_expr(Column::UpdatedAt, Expr::value(utc(now)));
            if model.id == account.uuid() {
                update = update.col_expr(Column::ParentId, Expr::value(parent.uuid()));
            }
            update.exec(&transaction).await?;
        }
        transaction.commit().await?;
        self.account(scope, account).await
    }

    /// Closes an account: it is closed, the sign-ins of its users and of those below it are over, and
    /// all their numbers are in the pool of this account, without plans.
    pub async fn close_account(
        &self,
        scope: &AccountScope,
        account: AccountId,
        pool: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Account, StoreError> {
        let path = self.path_text(scope, account).await?;
        let _changing = self.identities.changing(Subject::Tree);
        let transaction = self.begin().await?;
        Entity::update_many()
            .filter(Column::Id.eq(account.uuid()))
            .col_expr(Column::Status, Expr::value(name(&AccountStatus::Closed)))
            .col_expr(Column::UpdatedAt, Expr::value(utc(now)))
            .exec(&transaction)
            .await?;
        let theirs = numbers::Entity::find()
            .select_only()
            .column(numbers::Column::Id)
            .filter(below(numbers::Column::AccountId, &path))
            .into_tuple::<Uuid>()
            .all(&transaction)
            .await?;
        let act = Act { by: None, at: now };
        for number in theirs {
            let number = NumberId::from_uuid(number);
            assignments::allocate(&transaction, scope, number, pool, act).await?;
        }
        let theirs = users::Entity::find()
            .select_only()
            .column(users::Column::Id)
            .filter(below(users::Column::AccountId, &path))
            .into_query();
        sessions::Entity::update_many()
            .filter(Condition::all().add(sessions::Column::UserId.in_subquery(theirs)))
            .filter(sessions::Column::RevokedAt.is_null())
            .col_expr(sessions::Column::RevokedAt, Expr::value(utc(now)))
            .col_expr(
                sessions::Column::RevokedBecause,
                Expr::value("account_closed"),
            )
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        self.account(scope, account).await
    }
}

/// The last account's part of a path.
fn step_of(path: &str) -> &str {
    let whole = path.trim_end_matches('/');
    let begin = whole.rfind('/').map_or(0, |slash| slash + 1);
    path.get(begin..).unwrap_or_default()
}
