//! Recordings of calls: what is known of them. The sound lies in the media store. Rows are written
//! by the [`Writer`](super::Writer).

use super::scope::{AccountScope, Within};
use super::text::{milliseconds, signed, unsigned};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_domain::ids::{AccountId, CallId, RecordingId};
use strowger_entity::audio;
use strowger_entity::recordings::{Column, Entity, Model};
use uuid::Uuid;

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Its name.
    pub id: RecordingId,
    /// Who owns it.
    pub account: AccountId,
    /// The call that it was made of.
    pub call: CallId,
    /// Its file in the media store.
    pub file: String,
    /// 1: mixed or one party. 2: each party on its own.
    pub channels: u8,
    /// How long it plays.
    pub duration: Duration,
    /// How large the file is.
    pub size_bytes: u64,
    /// When it began.
    pub created_at: DateTime<Utc>,
}

fn row(model: Model) -> Recording {
    Recording {
        id: RecordingId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        call: CallId::from_uuid(model.call_id),
        file: model.file,
        channels: unsigned(model.channels),
        duration: Duration::from_millis(unsigned(model.duration_ms)),
        size_bytes: unsigned(model.size_bytes),
        created_at: model.created_at,
    }
}

pub(super) fn model(recording: &Recording) -> Model {
    Model {
        id: recording.id.uuid(),
        account_id: recording.account.uuid(),
        call_id: recording.call.uuid(),
        file: recording.file.clone(),
        channels: i32::from(recording.channels),
        duration_ms: milliseconds(recording.duration),
        size_bytes: signed(recording.size_bytes),
        created_at: utc(recording.created_at),
    }
}

/// The sum of a column. PostgreSQL adds large numbers up to a decimal.
fn bytes(column: impl ColumnTrait) -> Expr {
    Expr::col(column).sum().cast_as("bigint")
}

impl Store {
    /// One recording.
    pub async fn recording(
        &self,
        scope: &AccountScope,
        id: RecordingId,
    ) -> Result<Recording, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .map(row)
            .ok_or(StoreError::NotFound)
    }

    /// Recordings, newest first.
    pub async fn recordings(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<Recording>, StoreError> {
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
                Ok((cursor, row(model)))
            },
        )
        .await
    }

    /// The recordings of one call, oldest first.
    pub async fn recordings_of(
        &self,
        scope: &AccountScope,
        call: CallId,
    ) -> Result<Vec<Recording>, StoreError> {
        let models = Entity::find()
            .filter(Column::CallId.eq(call.uuid()))
            .filter(scope.sees(Column::AccountId))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .all(&self.db)
            .await?;
        Ok(models.into_iter().map(row).collect())
    }

    /// The bytes of recordings and audio files of each account in scope that has any.
    pub async fn stored_bytes(
        &self,
        scope: &AccountScope,
    ) -> Result<BTreeMap<AccountId, u64>, StoreError> {
        let recordings: Vec<(Uuid, i64)> = Entity::find()
            .select_only()
            .column(Column::AccountId)
            .column_as(bytes(Column::SizeBytes), "bytes")
            .filter(scope.sees(Column::AccountId))
            .group_by(Column::AccountId)
            .into_tuple()
            .all(&self.db)
            .await?;
        let audio: Vec<(Uuid, i64)> = audio::Entity::find()
            .select_only()
            .column(audio::Column::AccountId)
            .column_as(bytes(audio::Column::SizeBytes), "bytes")
            .filter(scope.sees(audio::Column::AccountId))
            .group_by(audio::Column::AccountId)
            .into_tuple()
            .all(&self.db)
            .await?;
        let mut stored = BTreeMap::new();
        for (account, bytes) in recordings.into_iter().chain(audio) {
            let of_account: &mut u64 = stored.entry(AccountId::from_uuid(account)).or_default();
            *of_account += unsigned::<u64>(bytes);
        }
        Ok(stored)
    }

    /// Forgets a recording; answers what it was, so that its file can go too.
    pub async fn delete_recording(
        &self,
        scope: &AccountScope,
        id: RecordingId,
    ) -> Result<Recording, StoreError> {
        let model = Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)?;
        model.clone().into_active_model().delete(&self.db).await?;
        Ok(row(model))
    }
}
