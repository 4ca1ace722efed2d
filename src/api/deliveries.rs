//! The deliveries of a webhook: what was sent, how it went, and once more.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, CallId, DeliveryId, EventId, WebhookId};
use strowger_domain::webhook::LATEST;
use utoipa::{IntoParams, ToSchema};

use super::auth::Tenant;
use super::error::Problem;
use super::input::{Query, segment};
use super::page::Listed;
use super::webhooks::{find, must_be_active};
use super::{Api, now, page};
use crate::store::deliveries::{Attempt, Delivery, DeliveryState};
use crate::store::events::Event;

/// Which deliveries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// Most items of the page (1 to 500; 50 when absent).
    pub limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Waiting, taken or given up; absent: all.
    #[param(inline)]
    pub state: Option<DeliveryState>,
}

/// An event on its way to a webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// Its identifier.
    pub id: DeliveryId,
    /// To where.
    pub webhook: WebhookId,
    /// Which event; `webhook-id` of every attempt.
    pub event: EventId,
    /// The event's type.
    #[serde(rename = "type")]
    #[schema(example = "call.ended")]
    pub kind: String,
    /// The event's account.
    pub account: AccountId,
    /// The event's call.
    pub call: Option<CallId>,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was last to be tried.
    #[serde(with = "strowger_domain::timestamp")]
    pub due_at: DateTime<Utc>,
    /// Until when it is tried.
    #[serde(with = "strowger_domain::timestamp")]
    pub expires_at: DateTime<Utc>,
    /// The last attempt.
    pub last_attempt: Option<Attempt>,
    /// When it was taken from the log of events.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

/// A delivery and what is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryWithPayload)]
pub struct WithPayload {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryView,
    /// The body; null when the event is no longer kept.
    pub payload: Option<Event>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            webhook: delivery.webhook,
            event: delivery.event,
            kind: delivery.kind,
            account: delivery.account,
            call: delivery.call,
            state: delivery.state,
            attempts: delivery.attempts,
            due_at: delivery.due,
            expires_at: delivery.expires_at,
            last_attempt: delivery.last,
            created_at: delivery.created_at,
        }
    }
}

/// Lists the deliveries of a webhook, the latest first. They are kept for 30 days.
#[utoipa::path(get, path = "/v1/accounts/{account}/webhooks/{webhook}/deliveries",
    tag = "webhooks", params(DeliveryQuery),
    responses((status = 200, body = Listed<DeliveryView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<DeliveryQuery>,
) -> Result<HttpResponse, Problem> {
    let paging = page::paging(query.limit, query.cursor.as_deref())?;
    let id = segment(&request, "webhook")?;
    let deliveries = api
        .store
        .deliveries(&tenant.scope, id, query.state, paging)
        .await?;
    Ok(page::answer(&request, deliveries, DeliveryView::from))
}

/// Reads a delivery with what is sent.
#[utoipa::path(get, path = "/v1/accounts/{account}/webhooks/{webhook}/deliveries/{delivery}",
    tag = "webhooks", responses((status = 200, body = WithPayload)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (webhook, id) = (
        segment(&request, "webhook")?,
        segment(&request, "delivery")?,
    );
    let (delivery, payload) = api.store.delivery(&tenant.scope, webhook, id).await?;
    Ok(HttpResponse::Ok().json(WithPayload {
        delivery: delivery.into(),
        payload,
    }))
}

/// Sends an event once more, with the same `webhook-id`.
#[utoipa::path(post, path = "/v1/accounts/{account}/webhooks/{webhook}/deliveries/{delivery}/replay",
    tag = "webhooks", responses((status = 202, body = DeliveryView)))]
pub async fn replay(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let webhook = find(&request, &tenant, &api).await?;
    must_be_active(&webhook)?;
    let (id, now) = (segment(&request, "delivery")?, now());
    let delivery = api
        .store
        .replay_delivery(&tenant.scope, webhook.id, id, (now, now + LATEST))
        .await?;
    api.webhooks.changed(webhook.id);
    Ok(HttpResponse::Accepted().json(DeliveryView::from(delivery)))
}
