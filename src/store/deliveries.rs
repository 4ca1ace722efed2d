//! Events on their way to webhooks, and how each delivery went.
//!
//! A webhook reads the log of events in order. What it is to get becomes a row here, in the
//! transaction that notes how far it has read: nothing is lost or sent twice by a crash, but for what
//! was just being sent.

use super::events::{Event, LogPosition};
use super::scope::AccountScope;
use super::text::{name, named, unsigned};
use super::webhooks::{Webhook, place};
use super::writer::write_deliveries;
use super::{Cursor, Page, Paging, Store, StoreError, page, utc};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, CallId, DeliveryId, EventId, WebhookId};
use strowger_entity::webhook_deliveries::{Column, Entity, Model};
use strowger_entity::webhooks;
use utoipa::ToSchema;

const TABLE: &str = "webhook_deliveries";

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits, for the first time or for another one.
    Pending,
    /// The endpoint has taken it.
    Delivered,
    /// It was given up.
    Failed,
}

/// The last attempt of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attempt {
    /// When it began.
    #[serde(with = "strowger_domain::timestamp")]
    pub at: DateTime<Utc>,
    /// The endpoint's HTTP status; null: it did not answer.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub latency_ms: u32,
    /// What went wrong.
    pub failure: Option<String>,
    /// The first kilobyte of the answer's body.
    pub response: Option<String>,
}

/// An event on its way to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// To where.
    pub webhook: WebhookId,
    /// Which event.
    pub event: EventId,
    /// The event's bundle.
    pub position: i64,
    /// The event's type.
    pub kind: String,
    /// The event's account.
    pub account: AccountId,
    /// The event's call.
    pub call: Option<CallId>,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// Not tried before.
    pub due: DateTime<Utc>,
    /// Not tried from then on.
    pub expires_at: DateTime<Utc>,
    /// The last attempt.
    pub last: Option<Attempt>,
    /// When it was taken from the log.
    pub created_at: DateTime<Utc>,
}

fn row(model: Model) -> Result<Delivery, StoreError> {
    let last = model.attempted_at.map(|at| Attempt {
        at,
        status: model.status.map(unsigned),
        latency_ms: unsigned(model.latency_ms.unwrap_or_default()),
        failure: model.failure,
        response: model.response,
    });
    Ok(Delivery {
        id: DeliveryId::from_uuid(model.id),
        webhook: WebhookId::from_uuid(model.webhook_id),
        event: EventId::from_uuid(model.event_id),
        position: model.position,
        kind: model.event_type,
        account: AccountId::from_uuid(model.account_id),
        call: model.call_id.map(CallId::from_uuid),
        state: named(TABLE, &model.state)?,
        attempts: unsigned(model.attempts),
        due: model.due_at,
        expires_at: model.expires_at,
        last,
        created_at: model.created_at,
    })
}

fn model(delivery: &Delivery) -> Model {
    let last = delivery.last.as_ref();
    Model {
        id: delivery.id.uuid(),
        webhook_id: delivery.webhook.uuid(),
        event_id: delivery.event.uuid(),
        position: delivery.position,
        event_type: delivery.kind.clone(),
        account_id: delivery.account.uuid(),
        call_id: delivery.call.map(CallId::uuid),
        state: name(&delivery.state),
        attempts: i32::try_from(delivery.attempts).unwrap_or(i32::MAX),
        due_at: utc(delivery.due),
        expires_at: utc(delivery.expires_at),
        attempted_at: last.map(|last| utc(last.at)),
        status: last.and_then(|last| last.status).map(i32::from),
        latency_ms: last.map(|last| i32::try_from(last.latency_ms).unwrap_or(i32::MAX)),
        failure: last.and_then(|last| last.failure.clone()),
        response: last.and_then(|last| last.response.clone()),
        created_at: utc(delivery.created_at),
    }
}

impl Store {
    /// Notes what a webhook is to get, and how far it has read. What it has got already is left as it
    /// is.
    pub async fn queue_deliveries(
        &self,
        scope: &AccountScope,
        webhook: WebhookId,
        deliveries: &[Delivery],
        seen: LogPosition,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let noted = webhooks::Entity::update_many()
            .filter(webhooks::Column::Id.eq(webhook.uuid()))
            .filter(scope.sees(webhooks::Column::AccountId))
            .col_expr(webhooks::Column::SeenPosition, Expr::value(seen.bundle))
            .col_expr(webhooks::Column::SeenPlace, Expr::value(place(seen.seen)))
            .exec(&transaction)
            .await?;
        if noted.rows_affected == 0 {
            return Err(StoreError::NotFound);
        }
        let models = deliveries.iter().map(model).collect();
        write_deliveries(&transaction, models, false).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Keeps how deliveries went.
    pub async fn keep_deliveries(&self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let models = deliveries.iter().map(model).collect();
        write_deliveries(&transaction, models, true).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The oldest deliveries of a webhook that wait, in the order of the log, each with its event
    /// unless that is no longer kept.
    pub async fn pending_deliveries(
        &self,
        scope: &AccountScope,
        webhook: WebhookId,
        limit: u64,
    ) -> Result<Vec<(Delivery, Option<Event>)>, StoreError> {
        self.webhook(scope, webhook).await?;
        let models = Entity::find()
            .filter(Column::WebhookId.eq(webhook.uuid()))
            .filter(Column::State.eq(name(&DeliveryState::Pending)))
            .order_by_asc(Column::Position)
            .order_by_asc(Column::EventId)
            .limit(limit)
            .all(&self.db)
            .await?;
        let deliveries = models.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
        let names = deliveries.iter().map(|delivery| delivery.event);
        let mut events = self.events_named(names).await?;
        Ok(deliveries
            .into_iter()
            .map(|delivery| {
                let event = events.remove(&delivery.event);
                (delivery, event)
            })
            .collect())
    }

    /// Deliveries of a webhook, newest first.
    pub async fn deliveries(
        &self,
        scope: &AccountScope,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        paging: Paging,
    ) -> Result<Page<Delivery>, StoreError> {
        self.webhook(scope, webhook).await?;
        let mut select = Entity::find().filter(Column::WebhookId.eq(webhook.uuid()));
        if let Some(state) = state {
            select = select.filter(Column::State.eq(name(&state)));
        }
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

    /// One delivery of a webhook, with its event unless that is no longer kept.
    pub async fn delivery(
        &self,
        scope: &AccountScope,
        webhook: WebhookId,
        id: DeliveryId,
    ) -> Result<(Delivery, Option<Event>), StoreError> {
        self.webhook(scope, webhook).await?;
        let model = Entity::find_by_id(id.uuid())
            .filter(Column::WebhookId.eq(webhook.uuid()))
            .one(&self.db)
            .await?
            .ok_or(StoreError::NotFound)?;
        let delivery = row(model)?;
        let event = self.events_named([delivery.event]).await?;
        Ok((delivery.clone(), event.into_values().next()))
    }

    /// Lets a delivery that is over begin again, until then.
    pub async fn replay_delivery(
        &self,
        scope: &AccountScope,
        webhook: WebhookId,
        id: DeliveryId,
        (now, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Delivery, StoreError> {
        self.delivery(scope, webhook, id).await?;
        let which = Condition::all().add(Column::Id.eq(id.uuid()));
        self.begin_again(which, now, until).await?;
        Ok(self.delivery(scope, webhook, id).await?.0)
    }

    /// Lets a webhook get again what happened in this time, as far as it takes it; answers how much
    /// that is, or none when it is more than `most`.
    pub async fn replay_deliveries(
        &self,
        scope: &AccountScope,
        webhook: &Webhook,
        time: (DateTime<Utc>, DateTime<Utc>),
        makes: impl Fn(i64, &Event) -> Option<Delivery>,
        (now, most): (DateTime<Utc>, usize),
    ) -> Result<Option<usize>, StoreError> {
        use strowger_entity::events;
        let account = events::Column::AccountId;
        let within = self.within(scope, webhook.within(), account).await?;
        let takes = |event: &Event| makes(0, event).is_some();
        let Some(found) = self.events_between(within, time, takes, most).await? else {
            return Ok(None);
        };
        let made: Vec<Delivery> = found
            .iter()
            .filter_map(|(bundle, event)| makes(*bundle, event))
            .collect();
        let Some(until) = made.iter().map(|delivery| delivery.expires_at).max() else {
            return Ok(Some(0));
        };
        let models = made.iter().map(model).collect();
        let transaction = self.begin().await?;
        write_deliveries(&transaction, models, false).await?;
        transaction.commit().await?;
        for some in made.chunks(200) {
            let events = some.iter().map(|delivery| delivery.event.uuid());
            let which = Condition::all()
                .add(Column::WebhookId.eq(webhook.id.uuid()))
                .add(Column::EventId.is_in(events));
            self.begin_again(which, now, until).await?;
        }
        Ok(Some(made.len()))
    }

    /// What is over waits again.
    async fn begin_again(
        &self,
        which: Condition,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .filter(which)
            .filter(Column::State.ne(name(&DeliveryState::Pending)))
            .col_expr(Column::State, Expr::value(name(&DeliveryState::Pending)))
            .col_expr(Column::DueAt, Expr::value(utc(now)))
            .col_expr(Column::ExpiresAt, Expr::value(utc(until)))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Forgets the deliveries that were made before this time and wait no longer.
    pub async fn forget_deliveries(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let gone = Entity::delete_many()
            .filter(Column::CreatedAt.lt(utc(before)))
            .filter(Column::State.ne(name(&DeliveryState::Pending)))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }
}
