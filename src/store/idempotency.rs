//! Requests that must be done once: an `Idempotency-Key` with its request's hash and its answer.

use super::scope::AccountScope;
use super::{Store, StoreError, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::Value;
use strowger_domain::ids::AccountId;
use strowger_entity::idempotency_keys::{Column, Entity, Model};

/// What is known of a key that comes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// Nothing: it is noted now, do the work and call [`Store::finish_request`].
    New,
    /// The same request is being worked on.
    InProgress,
    /// The same request was answered: this is the answer.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body.
        body: Value,
    },
    /// Another request came with this key.
    Different,
}

impl Store {
    /// Notes a key before its request is carried out, or says what is known of it.
    pub async fn begin_request(
        &self,
        scope: &AccountScope,
        account: AccountId,
        key: &str,
        request_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Known, StoreError> {
        self.path_text(scope, account).await?;
        let model = Model {
            account_id: account.uuid(),
            key: key.to_owned(),
            request_hash: request_hash.to_owned(),
            status: None,
            response: None,
            created_at: utc(now),
        };
        let inserted = Entity::insert(model.into_active_model())
            .on_conflict(
                OnConflict::columns([Column::AccountId, Column::Key])
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(&self.db)
            .await;
        match inserted {
            Ok(1..) => return Ok(Known::New),
            Ok(0) | Err(sea_orm::DbErr::RecordNotInserted) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(known) = Entity::find_by_id((account.uuid(), key.to_owned()))
            .one(&self.db)
            .await?
        else {
            return Ok(Known::InProgress);
        };
        if known.request_hash != request_hash {
            return Ok(Known::Different);
        }
        Ok(match known.status {
            Some(status) => Known::Answered {
                status: super::text::unsigned(status),
                body: known.response.unwrap_or(Value::Null),
            },
            None => Known::InProgress,
        })
    }

    /// Notes the answer of a request.
    pub async fn finish_request(
        &self,
        account: AccountId,
        key: &str,
        status: u16,
        body: Value,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .filter(Column::AccountId.eq(account.uuid()))
            .filter(Column::Key.eq(key))
            .col_expr(Column::Status, Expr::value(i32::from(status)))
            .col_expr(Column::Response, Expr::value(body))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Forgets a key whose request was refused or failed: it may be tried again.
    pub async fn drop_request(&self, account: AccountId, key: &str) -> Result<(), StoreError> {
        Entity::delete_many()
            .filter(Column::AccountId.eq(account.uuid()))
            .filter(Column::Key.eq(key))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Forgets the keys of before this time.
    pub async fn forget_requests(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let gone = Entity::delete_many()
            .filter(Column::CreatedAt.lt(utc(before)))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }
}
