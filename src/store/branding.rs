//! How the portal looks for the users of an account, and the host under which it is opened.

use super::scope::AccountScope;
use super::text::{document, json};
use super::{Store, StoreError, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use strowger_domain::account::Branding;
use strowger_domain::ids::AccountId;
use strowger_entity::brandings::{Column, Entity, Model};

/// An account's branding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branded {
    /// Whose.
    pub account: AccountId,
    /// The host under which its portal is opened; unique on the platform.
    pub host: Option<String>,
    /// How it looks.
    pub look: Branding,
    /// The logo's file in the media store.
    pub logo: Option<String>,
}

impl Branded {
    /// An account without branding.
    pub fn none(account: AccountId) -> Self {
        Self {
            account,
            host: None,
            look: Branding::default(),
            logo: None,
        }
    }
}

fn row(model: Model) -> Result<Branded, StoreError> {
    Ok(Branded {
        account: AccountId::from_uuid(model.account_id),
        host: model.host,
        look: document("brandings", model.look)?,
        logo: model.logo,
    })
}

impl Store {
    /// The branding of an account in scope.
    pub async fn branding(
        &self,
        scope: &AccountScope,
        account: AccountId,
    ) -> Result<Branded, StoreError> {
        self.path_text(scope, account).await?;
        let model = Entity::find_by_id(account.uuid()).one(&self.db).await?;
        model.map_or_else(|| Ok(Branded::none(account)), row)
    }

    /// The branding of a host: with the platform's scope, since nobody is known yet.
    pub async fn branding_of_host(
        &self,
        scope: &AccountScope,
        host: &str,
    ) -> Result<Option<Branded>, StoreError> {
        let model = Entity::find()
            .filter(Column::Host.eq(host))
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?;
        model.map(row).transpose()
    }

    /// Puts the branding of an account in scope. [`StoreError::Taken`] when another account has the
    /// host.
    pub async fn put_branding(
        &self,
        scope: &AccountScope,
        branded: Branded,
        now: DateTime<Utc>,
    ) -> Result<Branded, StoreError> {
        self.path_text(scope, branded.account).await?;
        let model = Model {
            account_id: branded.account.uuid(),
            host: branded.host.clone(),
            look: json(&branded.look),
            logo: branded.logo.clone(),
            updated_at: utc(now),
        };
        let put = OnConflict::column(Column::AccountId)
            .update_columns([Column::Host, Column::Look, Column::Logo, Column::UpdatedAt])
            .to_owned();
        Entity::insert(model.into_active_model())
            .on_conflict(put)
            .exec_without_returning(&self.db)
            .await?;
        Ok(branded)
    }
}
