//! The audio files of an account's pool: what is known of them. The sound lies in the media store.

use super::scope::{AccountScope, Within};
use super::text::unsigned;
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QueryFilter};
use std::time::Duration;
use strowger_domain::ids::{AccountId, AudioId};
use strowger_entity::audio::{Column, Entity, Model};

/// An audio file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// Its name.
    pub id: AudioId,
    /// Whose pool it is in.
    pub account: AccountId,
    /// What people call it.
    pub name: String,
    /// Its file in the media store.
    pub file: String,
    /// How long it plays.
    pub duration: Duration,
    /// How large the file is.
    pub size_bytes: u64,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

fn row(model: Model) -> Audio {
    Audio {
        id: AudioId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        name: model.name,
        file: model.file,
        duration: Duration::from_millis(unsigned(model.duration_ms)),
        size_bytes: unsigned(model.size_bytes),
        created_at: model.created_at,
    }
}

impl Store {
    /// Puts an audio file into the pool of an account in scope.
    pub async fn create_audio(
        &self,
        scope: &AccountScope,
        audio: Audio,
    ) -> Result<Audio, StoreError> {
        self.path_text(scope, audio.account).await?;
        let model = Model {
            id: audio.id.uuid(),
            account_id: audio.account.uuid(),
            name: audio.name,
            file: audio.file,
            duration_ms: super::text::milliseconds(audio.duration),
            size_bytes: super::text::signed(audio.size_bytes),
            created_at: utc(audio.created_at),
        };
        Entity::insert(model.clone().into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        Ok(row(model))
    }

    /// One audio file.
    pub async fn audio(&self, scope: &AccountScope, id: AudioId) -> Result<Audio, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .map(row)
            .ok_or(StoreError::NotFound)
    }

    /// Audio files, newest first.
    pub async fn audio_files(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<Audio>, StoreError> {
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

    /// Takes an audio file out of the pool; answers what it was, so that its file can go too.
    pub async fn delete_audio(
        &self,
        scope: &AccountScope,
        id: AudioId,
    ) -> Result<Audio, StoreError> {
        let model = Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)?;
        model.clone().into_active_model().delete(&self.db).await?;
        Ok(row(model))
    }
}
