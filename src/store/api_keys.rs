//! API keys: how programs sign in. A key acts for its account; its secret is known to nobody.

use super::identities::{NOTED, Subject};
use super::scope::{AccountScope, Within};
use super::text::{document, json};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::net::IpAddr;
use strowger_domain::account::Scopes;
use strowger_domain::ids::{AccountId, ApiKeyId, UserId};
use strowger_entity::api_keys::{ActiveModel, Column, Entity, Model};

const TABLE: &str = "api_keys";

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name.
    pub id: ApiKeyId,
    /// The account that it acts for.
    pub account: AccountId,
    /// What people call it.
    pub name: String,
    /// The last characters of its secret, by which its owner knows it again.
    pub hint: String,
    /// What it permits.
    pub scopes: Scopes,
    /// Networks (CIDR) from which it may be used; none: from anywhere.
    pub allowed_sources: Vec<String>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is good no more.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is good no more, because somebody said so.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// From where.
    pub last_used_from: Option<String>,
}

fn row(model: Model) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: ApiKeyId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        name: model.name,
        hint: model.hint,
        scopes: document(TABLE, model.scopes)?,
        allowed_sources: document(TABLE, model.allowed_sources)?,
        created_by: model.created_by.map(UserId::from_uuid),
        created_at: model.created_at,
        expires_at: model.expires_at,
        revoked_at: model.revoked_at,
        last_used_at: model.last_used_at,
        last_used_from: model.last_used_from,
    })
}

impl Store {
    /// Keeps a new key of an account in scope, by the hash of its secret.
    pub async fn create_api_key(
        &self,
        scope: &AccountScope,
        key: ApiKey,
        secret_hash: String,
    ) -> Result<ApiKey, StoreError> {
        self.path_text(scope, key.account).await?;
        let id = key.id;
        Entity::insert(ActiveModel {
            id: Set(id.uuid()),
            account_id: Set(key.account.uuid()),
            name: Set(key.name),
            secret_hash: Set(secret_hash),
            hint: Set(key.hint),
            scopes: Set(json(&key.scopes)),
            allowed_sources: Set(json(&key.allowed_sources)),
            created_by: Set(key.created_by.map(UserId::uuid)),
            created_at: Set(utc(key.created_at)),
            expires_at: Set(key.expires_at.map(utc)),
            revoked_at: Set(None),
            last_used_at: Set(None),
            last_used_from: Set(None),
        })
        .exec_without_returning(&self.db)
        .await?;
        self.api_key(scope, id).await
    }

    /// One key, good or not.
    pub async fn api_key(&self, scope: &AccountScope, id: ApiKeyId) -> Result<ApiKey, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// Keys, newest first, also those that are good no more.
    pub async fn api_keys(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<ApiKey>, StoreError> {
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

    /// The key of a secret's hash, good or not.
    pub(super) async fn api_key_by_hash(&self, secret_hash: &str) -> Result<ApiKey, StoreError> {
        Entity::find()
            .filter(Column::SecretHash.eq(secret_hash))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// Notes that a key was used, where that was not noted a moment ago.
    pub async fn note_api_key_use(
        &self,
        key: &ApiKey,
        from: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if key.last_used_at.is_some_and(|last| now - last < NOTED) {
            return Ok(());
        }
        let _changing = self.identities.changing(Subject::Key(key.id));
        Entity::update_many()
            .filter(Column::Id.eq(key.id.uuid()))
            .col_expr(Column::LastUsedAt, Expr::value(utc(now)))
            .col_expr(Column::LastUsedFrom, Expr::value(from.to_string()))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Ends a key. Ending it twice is no fault.
    pub async fn revoke_api_key(
        &self,
        scope: &AccountScope,
        id: ApiKeyId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let _changing = self.identities.changing(Subject::Key(id));
        Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .filter(Column::RevokedAt.is_null())
            .col_expr(Column::RevokedAt, Expr::value(utc(now)))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}
