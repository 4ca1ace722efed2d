//! Webhooks: where an account's events are sent. How far each has come in the log stands with it.

use super::events::{LogPosition, end_of_log};
use super::scope::{AccountScope, Within};
use super::text::{document, json, maybe_named, name, unsigned};
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use std::fmt;
use strowger_domain::ids::{AccountId, WebhookId};
use strowger_domain::webhook::DisabledCause;
use strowger_entity::webhooks::{Column, Entity, Model};

const TABLE: &str = "webhooks";

/// Where events are sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its name.
    pub id: WebhookId,
    /// Whose events.
    pub account: AccountId,
    /// The endpoint.
    pub url: String,
    /// Types, or beginnings of types (`call.*`); none: all.
    pub event_types: Vec<String>,
    /// What people call it.
    pub description: String,
    /// Events of the accounts below are sent too.
    pub include_descendants: bool,
    /// Why nothing is sent; `None`: it is active.
    pub disabled: Option<(DisabledCause, DateTime<Utc>)>,
    /// Since when the endpoint has taken nothing, though it was tried.
    pub failing_since: Option<DateTime<Utc>>,
    /// Signs what is sent.
    pub secret: String,
    /// Signs as well, until then.
    pub previous_secret: Option<(String, DateTime<Utc>)>,
    /// How far it has come.
    pub seen: LogPosition,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("account", &self.account)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// The part of the tree whose events are sent.
    pub fn within(&self) -> Within {
        if self.include_descendants {
            Within::Tree(self.account)
        } else {
            Within::Account(self.account)
        }
    }

    /// The secrets that sign at this time, the newest first.
    pub fn secrets(&self, now: DateTime<Utc>) -> impl Iterator<Item = &str> {
        let previous = self
            .previous_secret
            .iter()
            .filter(move |(_, until)| *until > now)
            .map(|(secret, _)| secret.as_str());
        std::iter::once(self.secret.as_str()).chain(previous)
    }
}

/// What shall be changed; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookChange {
    /// The endpoint.
    pub url: Option<String>,
    /// Types, or beginnings of types.
    pub event_types: Option<Vec<String>>,
    /// What people call it.
    pub description: Option<String>,
    /// Whether events of the accounts below are sent too.
    pub include_descendants: Option<bool>,
    /// `Some(None)`: events are sent again; `Some(Some(cause))`: they are not.
    pub disabled: Option<Option<DisabledCause>>,
}

fn row(model: Model) -> Result<Webhook, StoreError> {
    let cause = maybe_named(TABLE, model.disabled_cause.as_deref())?;
    Ok(Webhook {
        id: WebhookId::from_uuid(model.id),
        account: AccountId::from_uuid(model.account_id),
        url: model.url,
        event_types: document(TABLE, model.event_types)?,
        description: model.description,
        include_descendants: model.include_descendants,
        disabled: cause.zip(model.disabled_at),
        failing_since: model.failing_since,
        secret: model.secret,
        previous_secret: model.previous_secret.zip(model.previous_secret_until),
        seen: LogPosition {
            bundle: model.seen_position,
            seen: unsigned(model.seen_place),
        },
        created_at: model.created_at,
    })
}

pub(super) fn place(seen: usize) -> i32 {
    i32::try_from(seen).unwrap_or(i32::MAX)
}

impl Store {
    /// Makes a webhook of an account in scope. It gets what is told from now on: where it is said to
    /// be in the log doesn't count.
    pub async fn create_webhook(
        &self,
        scope: &AccountScope,
        webhook: Webhook,
    ) -> Result<Webhook, StoreError> {
        self.path_text(scope, webhook.account).await?;
        let end = end_of_log(&self.db).await?;
        let model = Model {
            id: webhook.id.uuid(),
            account_id: webhook.account.uuid(),
            url: webhook.url,
            event_types: json(&webhook.event_types),
            description: webhook.description,
            include_descendants: webhook.include_descendants,
            disabled_cause: None,
            disabled_at: None,
            failing_since: None,
            secret: webhook.secret,
            previous_secret: None,
            previous_secret_until: None,
            seen_position: end.bundle,
            seen_place: place(end.seen),
            created_at: utc(webhook.created_at),
            updated_at: utc(webhook.created_at),
        };
        Entity::insert(model.clone().into_active_model())
            .exec_without_returning(&self.db)
            .await?;
        row(model)
    }

    /// One webhook.
    pub async fn webhook(
        &self,
        scope: &AccountScope,
        id: WebhookId,
    ) -> Result<Webhook, StoreError> {
        Entity::find_by_id(id.uuid())
            .filter(scope.sees(Column::AccountId))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)
            .and_then(row)
    }

    /// Webhooks, newest first.
    pub async fn webhooks(
        &self,
        scope: &AccountScope,
        within: Within,
        paging: Paging,
    ) -> Result<Page<Webhook>, StoreError> {
        let within = self.within(scope, within, Column::AccountId).await?;
        let select = Entity::find().filter(within);
        let order = (Column::CreatedAt, Column::Id);
        page::read(&self.db, select, order, paging, |model| {
            let cursor = Cursor {
                at: model.created_at,
                id: model.id,
            };
            Ok((cursor, row(model)?))
        })
        .await
    }

    /// How many webhooks an account has.
    pub async fn count_webhooks(
        &self,
        scope: &AccountScope,
        account: AccountId,
    ) -> Result<u64, StoreError> {
        self.path_text(scope, account).await?;
        Ok(Entity::find()
            .filter(Column::AccountId.eq(account.uuid()))
            .count(&self.db)
            .await?)
    }

    /// All webhooks that get events.
    pub async fn active_webhooks(&self, scope: &AccountScope) -> Result<Vec<Webhook>, StoreError> {
        let models = Entity::find()
            .filter(scope.sees(Column::AccountId))
            .filter(Column::DisabledCause.is_null())
            .order_by_asc(Column::CreatedAt)
            .all(&self.db)
            .await?;
        models.into_iter().map(row).collect()
    }

    /// The disabled webhooks of an account: which of these, or all.
    pub async fn disabled_webhooks(
        &self,
        scope: &AccountScope,
        account: AccountId,
        only: Option<&[WebhookId]>,
    ) -> Result<Vec<WebhookId>, StoreError> {
        self.path_text(scope, account).await?;
        let mut select = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::AccountId.eq(account.uuid()))
            .filter(Column::DisabledCause.is_not_null());
        if let Some(only) = only {
            select = select.filter(Column::Id.is_in(only.iter().map(|id| id.uuid())));
        }
        let ids: Vec<uuid::Uuid> = select.into_tuple().all(&self.db).await?;
        Ok(ids.into_iter().map(WebhookId::from_uuid).collect())
    }

    /// Changes a webhook. One that gets events again begins where it was, unless what it missed is
    /// too late by then.
    pub async fn update_webhook(
        &self,
        scope: &AccountScope,
        id: WebhookId,
        change: WebhookChange,
        now: DateTime<Utc>,
    ) -> Result<Webhook, StoreError> {
        let mut update = Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::UpdatedAt, Expr::value(utc(now)));
        if let Some(url) = change.url {
            update = update.col_expr(Column::Url, Expr::value(url));
        }
        if let Some(types) = change.event_types {
            update = update.col_expr(Column::EventTypes, Expr::value(json(&types)));
        }
        if let Some(description) = change.description {
            update = update.col_expr(Column::Description, Expr::value(description));
        }
        if let Some(include) = change.include_descendants {
            update = update.col_expr(Column::IncludeDescendants, Expr::value(include));
        }
        if let Some(disabled) = change.disabled {
            let at = disabled.map(|_| utc(now));
            update = update
                .col_expr(
                    Column::DisabledCause,
                    Expr::value(disabled.map(|cause| name(&cause))),
                )
                .col_expr(Column::DisabledAt, Expr::value(at))
                .col_expr(
                    Column::FailingSince,
                    Expr::value(Option::<DateTime<Utc>>::None),
                );
        }
        update.exec(&self.db).await?;
        self.webhook(scope, id).await
    }

    /// Gives a webhook a new secret. The one before signs as well until then.
    pub async fn rotate_webhook_secret(
        &self,
        scope: &AccountScope,
        id: WebhookId,
        secret: String,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Webhook, StoreError> {
        Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::PreviousSecret, Expr::col(Column::Secret))
            .col_expr(Column::PreviousSecretUntil, Expr::value(utc(until)))
            .col_expr(Column::Secret, Expr::value(secret))
            .col_expr(Column::UpdatedAt, Expr::value(utc(now)))
            .exec(&self.db)
            .await?;
        self.webhook(scope, id).await
    }

    /// Notes since when an endpoint has taken nothing.
    pub async fn note_webhook_failing(
        &self,
        scope: &AccountScope,
        id: WebhookId,
        since: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .filter(Column::Id.eq(id.uuid()))
            .filter(scope.sees(Column::AccountId))
            .col_expr(Column::FailingSince, Expr::value(since.map(utc)))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Removes a webhook, with its deliveries.
    pub async fn delete_webhook(
        &self,
        scope: &AccountScope,
        id: WebhookId,
    ) -> Result<(), StoreError> {
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
}
