//! Accounts: the rows of the tree. Each row carries its path, so that "this account and all below
//! it" is one range of an index.

use super::identities::Subject;
use super::scope::{AccountScope, Within, path_range};
use super::text::{document, json, name, named};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use strowger_domain::account::{Account, AccountPath, AccountStatus, Contact, Limits, Permissions};
use strowger_domain::ids::AccountId;
use strowger_entity::accounts::{ActiveModel, Column, Entity, Model};
use uuid::Uuid;

const TABLE: &str = "accounts";

/// What shall be changed; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountChange {
    /// Its name.
    pub name: Option<String>,
    /// The parent's name for it; `Some(None)`: none any more.
    pub reference: Option<Option<String>>,
    /// Whom the users below it ask.
    pub contact: Option<Contact>,
    /// Whether it may be used.
    pub status: Option<AccountStatus>,
    /// The time zone of its calendars.
    pub time_zone: Option<Tz>,
    /// What it is granted.
    pub permissions: Option<Permissions>,
    /// Its own limits.
    pub limits: Option<Limits>,
}

fn row(model: Model) -> Result<Account, StoreError> {
    Ok(Account {
        id: AccountId::from_uuid(model.id),
        parent: model.parent_id.map(AccountId::from_uuid),
        kind: named(TABLE, &model.kind)?,
        name: model.name,
        reference: model.reference,
        contact: model
            .contact
            .map(|contact| document(TABLE, contact))
            .transpose()?
            .unwrap_or_default(),
        status: named(TABLE, &model.status)?,
        time_zone: named(TABLE, &model.time_zone)?,
        // The root may do everything, also what was not there to be granted when it was made.
        permissions: match model.parent_id {
            Some(_) => document(TABLE, model.permissions)?,
            None => Permissions::all(),
        },
        limits: document(TABLE, model.limits)?,
        created_at: model.created_at,
    })
}

fn cursor(model: &Model) -> Cursor {
    Cursor {
        at: model.created_at,
        id: model.id,
    }
}

/// One account's part of a path.
fn step(id: AccountId) -> String {
    format!("{}/", id.uuid().simple())
}

fn path(text: &str) -> Option<AccountPath> {
    let mut ids = text
        .split_terminator('/')
        .filter_map(|id| Uuid::try_parse(id).ok())
        .map(AccountId::from_uuid);
    let root = AccountPath::root(ids.next()?);
    Some(ids.fold(root, |path, id| path.child(id)))
}

impl Store {
    /// Makes an account below its parent, which must be in scope. The root has no parent, and only
    /// the platform makes one.
    pub async fn create_account(
        &self,
        scope: &AccountScope,
        account: Account,
    ) -> Result<Account, StoreError> {
        let transaction = self.begin().await?;
        // Nobody moves the parent meanwhile: a path leads through the accounts above.
        let above = match account.parent {
            Some(parent) => {
                Entity::find_by_id(parent.uuid())
                    .filter(scope.sees_account())
                    .lock(LockType::Share)
                    .one(&transaction)
                    .await?
                    .ok_or(StoreError::NotFound)?
                    .path
            }
            None if scope.account().is_none() => String::new(),
            None => return Err(StoreError::NotFound),
        };
        let id = account.id;
        Entity::insert(ActiveModel {
            id: Set(id.uuid()),
            parent_id: Set(account.parent.map(AccountId::uuid)),
            path: Set(above + &step(id)),
            kind: Set(name(&account.kind)),
            name: Set(account.name),
            reference: Set(account.reference),
            contact: Set(Some(json(&account.contact))),
            status: Set(name(&account.status)),
            time_zone: Set(name(&account.time_zone)),
            permissions: Set(json(&account.permissions)),
            limits: Set(json(&account.limits)),
            created_at: Set(utc(account.created_at)),
            updated_at: Set(utc(account.created_at)),
        })
        .exec_without_returning(&transaction)
        .await?;
        transaction.commit().await?;
        self.account(scope, id).await
    }

    /// One account.
    pub async fn account(
        &self,
        scope: &AccountScope,
        id: AccountId,
    ) -> Result<Account, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(scope.sees_account())
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// The accounts from the root down to this one, which must be in scope. Those above it may lie
    /// outside of it.
    pub async fn account_path(
        &self,
        scope: &AccountScope,
        id: AccountId,
    ) -> Result<AccountPath, StoreError> {
        path(&self.path_text(scope, id).await?).ok_or(StoreError::NotFound)
    }

    /// The direct children of an account, newest first.
    pub async fn children(
        &self,
        scope: &AccountScope,
        parent: AccountId,
        paging: Paging,
    ) -> Result<Page<Account>, StoreError> {
        self.path_text(scope, parent).await?;
        let select = Entity::find().filter(Column::ParentId.eq(parent.uuid()));
        page::read(
            &self.db,
            select,
            (Column::CreatedAt, Column::Id),
            paging,
            |model| Ok((cursor(&model), row(model)?)),
        )
        .await
    }

    /// Accounts, newest first: one, or one and all below it.
    pub async fn accounts(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<Account>, StoreError> {
        let select = match within {
            Within::Account(id) => Entity::find_by_id(id.uuid()).filter(scope.sees_account()),
            Within::Tree(id) => {
                Entity::find().filter(path_range(&self.path_text(scope, id).await?))
            }
        };
        page::read(
            &self.db,
            select,
            (Column::CreatedAt, Column::Id),
            paging,
            |model| Ok((cursor(&model), row(model)?)),
        )
        .await
    }

    /// The account at the top of the scope after all those above it, from the root.
    pub(super) async fn accounts_on_path(
        &self,
        scope: &AccountScope,
    ) -> Result<Vec<Account>, StoreError> {
        let id = scope.account().ok_or(StoreError::NotFound)?;
        let path = self.account_path(scope, id).await?;
        let ids: Vec<Uuid> = path.iter().map(AccountId::uuid).collect();
        let models = Entity::find()
            .filter(Column::Id.is_in(ids))
            .order_by_asc(Column::Path)
            .all(&self.db)
            .await?;
        models.into_iter().map(row).collect()
    }

    /// Every account in scope, each after its parent: for building the tree.
    pub async fn all_accounts(&self, scope: &AccountScope) -> Result<Vec<Account>, StoreError> {
        let models = Entity::find()
            .filter(scope.sees_account())
            .order_by_asc(Column::Path)
            .all(&self.db)
            .await?;
        models.into_iter().map(row).collect()
    }

    /// Changes an account. What a child may not have, the caller has checked.
    pub async fn update_account(
        &self,
        scope: &AccountScope,
        id: AccountId,
        change: AccountChange,
        now: DateTime<Utc>,
    ) -> Result<Account, StoreError> {
        let _changing = self.identities.changing(Subject::Account(id));
        let mut update = Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees_account())
            .col_expr(Column::UpdatedAt, Expr::value(utc(now)));
        if let Some(name) = change.name {
            update = update.col_expr(Column::Name, Expr::value(name));
        }
        if let Some(reference) = change.reference {
            update = update.col_expr(Column::Reference, Expr::value(reference));
        }
        if let Some(contact) = change.contact {
            update = update.col_expr(Column::Contact, Expr::value(json(&contact)));
        }
        if let Some(status) = change.status {
            update = update.col_expr(Column::Status, Expr::value(name(&status)));
        }
        if let Some(zone) = change.time_zone {
            update = update.col_expr(Column::TimeZone, Expr::value(name(&zone)));
        }
        if let Some(permissions) = change.permissions {
            update = update.col_expr(Column::Permissions, Expr::value(json(&permissions)));
        }
        if let Some(limits) = change.limits {
            update = update.col_expr(Column::Limits, Expr::value(json(&limits)));
        }
        update.exec(&self.db).await?;
        self.account(scope, id).await
    }
}
