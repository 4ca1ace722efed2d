//! Which accounts a caller may see: the tenant check, in one place.
//!
//! The token extractor of `api/` makes a scope with [`Store::scope_of`] from the account that its
//! token names; the actors on their own account path use [`AccountScope::platform`]. Nobody else
//! makes one (`tests/tidy.rs` checks it). An account and its descendants are one range of paths, so
//! the check is one range of an index.

use super::{Store, StoreError};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use strowger_domain::ids::AccountId;
use strowger_entity::accounts;

/// The part of the account tree that a caller may see: an account and all its descendants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountScope {
    root: Option<(AccountId, String)>,
}

/// Which part of a scope a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// One account.
    Account(AccountId),
    /// One account and all its descendants.
    Tree(AccountId),
}

impl AccountScope {
    /// Everything: for the platform's own actors, which act along the path of an account that they
    /// already know.
    pub fn platform() -> Self {
        Self { root: None }
    }

    /// The account at the top of the scope; `None`: the whole platform.
    pub fn account(&self) -> Option<AccountId> {
        self.root.as_ref().map(|(account, _)| *account)
    }

    /// The condition that a column naming an account must meet.
    pub(super) fn sees(&self, account: impl ColumnTrait) -> Condition {
        match &self.root {
            None => Condition::all(),
            Some((_, path)) => Condition::all().add(below(account, path)),
        }
    }

    /// The condition on the accounts themselves.
    pub(super) fn sees_account(&self) -> Condition {
        match &self.root {
            None => Condition::all(),
            Some((_, path)) => path_range(path),
        }
    }
}

impl Store {
    /// The scope of an account: it and its descendants.
    pub async fn scope_of(&self, account: AccountId) -> Result<AccountScope, StoreError> {
        let path = self.path_text(&AccountScope::platform(), account).await?;
        Ok(AccountScope {
            root: Some((account, path)),
        })
    }

    /// The condition of a list: within what was asked for, which must lie within the scope.
    pub(super) async fn within(
        &self,
        scope: &AccountScope,
        within: Within,
        account: impl ColumnTrait,
    ) -> Result<Condition, StoreError> {
        Ok(match within {
            Within::Account(id) => {
                self.path_text(scope, id).await?;
                Condition::all().add(account.eq(id.uuid()))
            }
            Within::Tree(id) => {
                let path = self.path_text(scope, id).await?;
                Condition::all().add(below(account, &path))
            }
        })
    }

    /// Not found unless the scope holds the account.
    pub(super) async fn path_text(
        &self,
        scope: &AccountScope,
        account: AccountId,
    ) -> Result<String, StoreError> {
        accounts::Entity::find_by_id(account.uuid())
            .select_only()
            .column(accounts::Column::Path)
            .filter(scope.sees_account())
            .into_tuple()
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
    }
}

pub(super) fn below(account: impl ColumnTrait, path: &str) -> Expr {
    account.in_subquery(
        accounts::Entity::find()
            .select_only()
            .column(accounts::Column::Id)
            .filter(path_range(path))
            .into_query(),
    )
}

/// A path ends in `/`, so its descendants' paths lie before the same text ended by the next
/// character, `0`.
pub(super) fn path_range(path: &str) -> Condition {
    let end = format!("{}0", path.trim_end_matches('/'));
    Condition::all()
        .add(Expr::col(accounts::Column::Path).gte(path))
        .add(Expr::col(accounts::Column::Path).lt(end))
}
