//! Users: who signs in. An e-mail address names one user on the whole platform, in any case.

use super::identities::Subject;
use super::scope::{AccountScope, Within};
use super::text::{name, named};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use strowger_domain::account::Role;
use strowger_domain::ids::{AccountId, UserId};
use strowger_entity::users::{ActiveModel, Column, Entity, Model};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub id: UserId,
    /// The account that it belongs to and acts for.
    pub account: AccountId,
    /// The address as it was given.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The password's hash in PHC form; never leaves the platform.
    pub password_hash: String,
    /// May not sign in.
    pub disabled: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last signed in.
    pub signed_in_at: Option<DateTime<Utc>>,
    /// When the password was chosen.
    pub password_changed_at: DateTime<Utc>,
}

/// A user to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Its name.
    pub id: UserId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Where it can be reached; unique on the platform, in any case.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The password's hash in PHC form.
    pub password_hash: String,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// What shall be changed; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The person's name.
    pub name: Option<String>,
    /// What it may do.
    pub role: Option<Role>,
    /// A new password's hash.
    pub password_hash: Option<String>,
    /// Whether it may sign in.
    pub disabled: Option<bool>,
}

const ACTIVE: &str = "active";
const DISABLED: &str = "disabled";

fn status(disabled: bool) -> &'static str {
    if disabled { DISABLED } else { ACTIVE }
}

fn row(model: Model) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        email: model.email,
        name: model.name,
        role: named("users", &model.role)?,
        password_hash: model.password_hash,
        disabled: model.status != ACTIVE,
        created_at: model.created_at,
        signed_in_at: model.signed_in_at,
        password_changed_at: model.password_changed_at.unwrap_or(model.created_at),
    })
}

impl Store {
    /// Makes a user of an account in scope. [`StoreError::Taken`] when the address is in use.
    pub async fn create_user(
        &self,
        scope: &AccountScope,
        user: NewUser,
    ) -> Result<User, StoreError> {
        self.path_text(scope, user.account).await?;
        let id = user.id;
        insert(&self.db, user).await?;
        self.user(scope, id).await
    }

    /// One user.
    pub async fn user(&self, scope: &AccountScope, id: UserId) -> Result<User, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// The user of an address in any case, for signing in: with the platform's scope, since nobody
    /// is known yet.
    pub async fn user_by_email(
        &self,
        scope: &AccountScope,
        email: &str,
    ) -> Result<User, StoreError> {
        Entity::find()
            .filter(Column::EmailKey.eq(key(email)))
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// Whether there is any user in scope.
    pub async fn has_users(&self, scope: &AccountScope) -> Result<bool, StoreError> {
        let any = Entity::find().filter(scope.sees(Column::AccountId));
        Ok(any.one(&self.db).await?.is_some())
    }

    /// Users, newest first.
    pub async fn users(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<User>, StoreError> {
        let select = Entity::find().filter(self.within(scope, within, Column::AccountId).await?);
        page::read(
            &self.db,
            select,
            (Column::CreatedAt, Column::Id),
            paging,
            |model| {
                let cursor = Cursor {
                    at: model.created_at,
                    id: model.id,
                };
                Ok((cursor, row(model)?))
            },
        )
        .await
    }

    /// Changes a user.
    pub async fn update_user(
        &self,
        scope: &AccountScope,
        id: UserId,
        change: UserChange,
        now: DateTime<Utc>,
    ) -> Result<User, StoreError> {
        let _changing = self.identities.changing(Subject::User(id));
        let mut update = Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::UpdatedAt, Expr::value(utc(now)));
        if let Some(name) = change.name {
            update = update.col_expr(Column::Name, Expr::value(name));
        }
        if let Some(role) = change.role {
            update = update.col_expr(Column::Role, Expr::value(name(&role)));
        }
        if let Some(hash) = change.password_hash {
            update = update
                .col_expr(Column::PasswordHash, Expr::value(hash))
                .col_expr(Column::PasswordChangedAt, Expr::value(utc(now)));
        }
        if let Some(disabled) = change.disabled {
            update = update.col_expr(Column::Status, Expr::value(status(disabled)));
        }
        update.exec(&self.db).await?;
        self.user(scope, id).await
    }

    /// Forgets a user with all of its sign-ins.
    pub async fn delete_user(&self, scope: &AccountScope, id: UserId) -> Result<(), StoreError> {
        let _changing = self.identities.changing(Subject::User(id));
        let gone = Entity::delete_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .exec(&self.db)
            .await?;
        if gone.rows_affected == 0 {
            return Err(StoreError::NotFound);
        }
        Ok(())
    }

    /// Notes that a user signed in.
    pub async fn note_sign_in(&self, id: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
        Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .col_expr(Column::SignedInAt, Expr::value(utc(now)))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

/// Writes a user's row.
pub(super) async fn insert(db: &impl ConnectionTrait, user: NewUser) -> Result<(), StoreError> {
    Entity::insert(ActiveModel {
        id: Set(user.id.uuid()),
        account_id: Set(user.account.uuid()),
        email_key: Set(key(&user.email)),
        email: Set(user.email),
        name: Set(user.name),
        role: Set(name(&user.role)),
        password_hash: Set(user.password_hash),
        status: Set(ACTIVE.to_owned()),
        created_at: Set(utc(user.created_at)),
        updated_at: Set(utc(user.created_at)),
        signed_in_at: Set(None),
        password_changed_at: Set(None),
    })
    .exec_without_returning(db)
    .await?;
    Ok(())
}

fn key(email: &str) -> String {
    email.trim().to_lowercase()
}
