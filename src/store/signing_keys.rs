//! The keys that sign access tokens.

use super::{Store, StoreError, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use std::fmt;
use strowger_entity::signing_keys::{Column, Entity, Model};

/// A signing key.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its name in tokens (`kid`).
    pub id: String,
    /// `EdDSA`.
    pub algorithm: String,
    /// The secret key as PKCS #8 PEM.
    pub secret: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it signs no more, but still verifies.
    pub retired_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Keeps a new key.
    pub async fn create_signing_key(&self, key: SigningKey) -> Result<(), StoreError> {
        let model = Model {
            id: key.id,
            algorithm: key.algorithm,
            secret: key.secret,
            created_at: utc(key.created_at),
            retired_at: key.retired_at.map(utc),
        };
        Entity::insert(model.into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Every key, the newest first: the first one that is not retired signs.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        let models = Entity::find()
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .all(&self.db)
            .await?;
        let keys = models.into_iter().map(|model| SigningKey {
            id: model.id,
            algorithm: model.algorithm,
            secret: model.secret,
            created_at: model.created_at,
            retired_at: model.retired_at,
        });
        Ok(keys.collect())
    }

    /// Lets a key sign no more.
    pub async fn retire_signing_key(&self, id: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        Entity::update_many()
            .filter(Column::Id.eq(id))
            .filter(Column::RetiredAt.is_null())
            .col_expr(Column::RetiredAt, Expr::value(utc(now)))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Forgets the keys that were retired before this time.
    pub async fn forget_signing_keys(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        Entity::delete_many()
            .filter(Column::RetiredAt.lt(utc(before)))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}
