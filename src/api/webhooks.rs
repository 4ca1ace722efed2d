//! Webhooks: where an account's events are sent.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, EventId, WebhookId};
use strowger_domain::webhook::{DisabledCause, LATEST};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Tenant;
use super::error::{Code, Faults, Problem};
use super::input::{Json, OptionalJson, Query, segment};
use super::page::{ListQuery, Listed};
use super::{Api, now, page};
use crate::events::webhooks::{Sender, delivery};
use crate::events::{catalogue, signature};
use crate::store::StoreError;
use crate::store::deliveries::Attempt;
use crate::store::events::{Event, LogPosition};
use crate::store::webhooks::{Webhook, WebhookChange};

/// Webhooks of one account.
const MOST: u64 = 20;
/// The previous secret signs for so long, unless something else is said, in hours.
const OVERLAP_H: u32 = 24;
/// Events that one replay can hold.
const MOST_REPLAYED: usize = 10_000;

/// Whether a webhook gets events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookStatus {
    /// It does.
    Active,
    /// It does not.
    Disabled,
}

/// Where events are sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView {
    /// Its identifier.
    pub id: WebhookId,
    /// Whose events.
    pub account: AccountId,
    /// The endpoint.
    #[schema(example = "https://app.example.com/events")]
    pub url: String,
    /// Types of events, or beginnings of types (`call.*`); empty: all.
    #[schema(example = json!(["call.*", "recording.ready"]))]
    pub event_types: Vec<String>,
    /// What people call it.
    pub description: String,
    /// Events of the accounts below are sent too.
    pub include_descendants: bool,
    /// Whether it gets events.
    pub status: WebhookStatus,
    /// Why it is disabled.
    pub disabled_cause: Option<DisabledCause>,
    /// Since when it is disabled.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when the endpoint has taken nothing, though it was tried.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub failing_since: Option<DateTime<Utc>>,
    /// Until when the secret before the present one signs too.
    #[serde(with = "strowger_domain::timestamp::optional")]
    pub previous_secret_until: Option<DateTime<Utc>>,
    /// When it was created.
    #[serde(with = "strowger_domain::timestamp")]
    pub created_at: DateTime<Utc>,
}

/// A webhook with its new secret.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookWithSecret)]
pub struct WithSecret {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookView,
    /// Signs what is sent (Standard Webhooks); told this once and never again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub secret: String,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        let (disabled_cause, disabled_at) = webhook.disabled.unzip();
        Self {
            id: webhook.id,
            account: webhook.account,
            url: webhook.url,
            event_types: webhook.event_types,
            description: webhook.description,
            include_descendants: webhook.include_descendants,
            status: match disabled_cause {
                None => WebhookStatus::Active,
                Some(_) => WebhookStatus::Disabled,
            },
            disabled_cause,
            disabled_at,
            failing_since: webhook.failing_since,
            previous_secret_until: webhook.previous_secret.map(|(_, until)| until),
            created_at: webhook.created_at,
        }
    }
}

/// A webhook to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookInput {
    /// The endpoint: an absolute `https` or `http` URL.
    pub url: String,
    /// Types of events, or beginnings of types (`call.*`); absent or empty: all.
    #[serde(default)]
    pub event_types: Vec<String>,
    /// What people call it.
    #[serde(default)]
    pub description: String,
    /// Whether events of the accounts below are sent too.
    #[serde(default)]
    pub include_descendants: bool,
}

/// What shall be changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookPatch {
    /// The endpoint.
    pub url: Option<String>,
    /// Types of events, or beginnings of types; empty: all.
    pub event_types: Option<Vec<String>>,
    /// What people call it.
    pub description: Option<String>,
    /// Whether events of the accounts below are sent too.
    pub include_descendants: Option<bool>,
    /// Whether it gets events. One that gets them again begins where it was, with what is not yet a
    /// day old.
    pub status: Option<WebhookStatus>,
}

/// Which webhooks.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnableInput {
    /// These; absent: all of the account that are disabled.
    pub webhooks: Option<Vec<WebhookId>>,
}

/// How the secret is changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotateInput {
    /// How long the secret of now signs as well (0 to 168; 24 when absent), in hours.
    pub overlap_h: Option<u32>,
}

/// A time of which everything is sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayInput {
    /// What happened at this time or later.
    pub from: DateTime<Utc>,
    /// What happened before this time; absent: until now.
    pub to: Option<DateTime<Utc>>,
}

/// How much is sent again.
#[derive(Serialize, ToSchema)]
pub struct Replayed {
    /// Deliveries that wait now.
    pub deliveries: usize,
}

/// Lists the webhooks of an account.
#[utoipa::path(get, path = "/v1/accounts/{account}/webhooks", tag = "webhooks", params(ListQuery),
    responses((status = 200, body = Listed<WebhookView>)))]
pub async fn list(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let within = query.within(tenant.id());
    let webhooks = api
        .store
        .webhooks(&tenant.scope, within, query.paging()?)
        .await?;
    Ok(page::answer(&request, webhooks, WebhookView::from))
}

/// Creates a webhook. It gets what happens from now on. Its secret is told in this answer only.
#[utoipa::path(post, path = "/v1/accounts/{account}/webhooks", tag = "webhooks",
    request_body = WebhookInput, responses((status = 201, body = WithSecret)))]
pub async fn create(
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<WebhookInput>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    check_url(&mut faults, &api, &input.url);
    check_types(&mut faults, &input.event_types);
    faults.text("/description", &input.description, 0, 200);
    faults.finish()?;
    let count = api.store.count_webhooks(&tenant.scope, tenant.id()).await?;
    if count >= MOST {
        let detail = format!("The account has {MOST} webhooks already.");
        return Err(Problem::from(Code::Conflict).detail(detail));
    }
    let secret = signature::new_secret();
    let webhook = Webhook {
        id: WebhookId::from_uuid(Uuid::now_v7()),
        account: tenant.id(),
        url: input.url,
        event_types: input.event_types,
        description: input.description,
        include_descendants: input.include_descendants,
        disabled: None,
        failing_since: None,
        secret: secret.clone(),
        previous_secret: None,
        seen: LogPosition::default(),
        created_at: now(),
    };
    let webhook = api.store.create_webhook(&tenant.scope, webhook).await?;
    api.webhooks.changed(webhook.id);
    Ok(HttpResponse::Created().json(WithSecret {
        webhook: webhook.into(),
        secret,
    }))
}

/// Lets disabled webhooks get events again.
#[utoipa::path(post, path = "/v1/accounts/{account}/webhooks/enable", tag = "webhooks",
    request_body = EnableInput, responses((status = 200, body = Listed<WebhookView>)))]
pub async fn enable(
    tenant: Tenant,
    api: web::Data<Api>,
    OptionalJson(input): OptionalJson<EnableInput>,
) -> Result<HttpResponse, Problem> {
    let disabled = api
        .store
        .disabled_webhooks(&tenant.scope, tenant.id(), input.webhooks.as_deref())
        .await?;
    let mut items = Vec::new();
    for id in disabled {
        let change = WebhookChange {
            disabled: Some(None),
            ..WebhookChange::default()
        };
        items.push(WebhookView::from(changed(&api, &tenant, id, change).await?));
    }
    Ok(HttpResponse::Ok().json(Listed {
        items,
        next_cursor: None,
    }))
}

/// Reads a webhook.
#[utoipa::path(get, path = "/v1/accounts/{account}/webhooks/{webhook}", tag = "webhooks",
    responses((status = 200, body = WebhookView)))]
pub async fn read(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let webhook = find(&request, &tenant, &api).await?;
    Ok(HttpResponse::Ok().json(WebhookView::from(webhook)))
}

/// Changes a webhook.
#[utoipa::path(patch, path = "/v1/accounts/{account}/webhooks/{webhook}", tag = "webhooks",
    request_body = WebhookPatch, responses((status = 200, body = WebhookView)))]
pub async fn change(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(patch): Json<WebhookPatch>,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    if let Some(url) = &patch.url {
        check_url(&mut faults, &api, url);
    }
    check_types(
        &mut faults,
        patch.event_types.as_deref().unwrap_or_default(),
    );
    if let Some(description) = &patch.description {
        faults.text("/description", description, 0, 200);
    }
    faults.finish()?;
    let before = find(&request, &tenant, &api).await?;
    let disabled = match (patch.status, before.disabled) {
        (Some(WebhookStatus::Active), Some(_)) => Some(None),
        (Some(WebhookStatus::Disabled), None) => Some(Some(DisabledCause::ByHand)),
        (Some(_) | None, _) => None,
    };
    let change = WebhookChange {
        url: patch.url,
        event_types: patch.event_types,
        description: patch.description,
        include_descendants: patch.include_descendants,
        disabled,
    };
    let webhook = changed(&api, &tenant, before.id, change).await?;
    Ok(HttpResponse::Ok().json(WebhookView::from(webhook)))
}

/// Removes a webhook with its deliveries.
#[utoipa::path(delete, path = "/v1/accounts/{account}/webhooks/{webhook}", tag = "webhooks",
    responses((status = 204)))]
pub async fn remove(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = segment(&request, "webhook")?;
    match api.store.delete_webhook(&tenant.scope, id).await {
        Ok(()) => api.webhooks.changed(id),
        Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Gives a webhook a new secret, told in this answer only. For a while the one before signs too.
#[utoipa::path(post, path = "/v1/accounts/{account}/webhooks/{webhook}/rotate_secret",
    tag = "webhooks", request_body = RotateInput, responses((status = 200, body = WithSecret)))]
pub async fn rotate_secret(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    OptionalJson(input): OptionalJson<RotateInput>,
) -> Result<HttpResponse, Problem> {
    let overlap = input.overlap_h.unwrap_or(OVERLAP_H);
    let mut faults = Faults::default();
    faults.range("/overlap_h", overlap, (0, 168));
    faults.finish()?;
    let (id, now) = (segment(&request, "webhook")?, now());
    let (secret, until) = (
        signature::new_secret(),
        now + TimeDelta::hours(overlap.into()),
    );
    let webhook = api
        .store
        .rotate_webhook_secret(&tenant.scope, id, secret.clone(), until, now)
        .await?;
    api.webhooks.changed(id);
    Ok(HttpResponse::Ok().json(WithSecret {
        webhook: webhook.into(),
        secret,
    }))
}

/// Sends a `webhook.test` event at once, and answers how that went.
#[utoipa::path(post, path = "/v1/accounts/{account}/webhooks/{webhook}/test", tag = "webhooks",
    responses((status = 200, body = Attempt)))]
pub async fn test(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let webhook = find(&request, &tenant, &api).await?;
    let event = Event {
        id: EventId::from_uuid(Uuid::now_v7()),
        kind: catalogue::WEBHOOK_TEST.to_owned(),
        time: now(),
        account: webhook.account,
        call: None,
        leg: None,
        sequence: 0,
        data: serde_json::json!({ "webhook": webhook.id }),
    };
    let sent = api
        .webhooks
        .sender()
        .send(&webhook, event.id, Sender::body(&event));
    Ok(HttpResponse::Ok().json(sent.await.attempt))
}

/// Sends again what happened in a time, at most 10,000 events.
#[utoipa::path(post, path = "/v1/accounts/{account}/webhooks/{webhook}/replay", tag = "webhooks",
    request_body = ReplayInput, responses((status = 202, body = Replayed)))]
pub async fn replay(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Json(input): Json<ReplayInput>,
) -> Result<HttpResponse, Problem> {
    let now = now();
    let to = input.to.unwrap_or(now);
    let mut faults = Faults::default();
    faults.check(
        input.from < to,
        "/from",
        "out_of_range",
        "choose a time before `to`",
    );
    faults.finish()?;
    let webhook = find(&request, &tenant, &api).await?;
    must_be_active(&webhook)?;
    let until = now + LATEST;
    let makes = |bundle: i64, event: &Event| delivery(&webhook, bundle, event, now, until);
    let most = (now, MOST_REPLAYED);
    let replayed =
        api.store
            .replay_deliveries(&tenant.scope, &webhook, (input.from, to), makes, most);
    let Some(deliveries) = replayed.await? else {
        let detail = format!("more than {MOST_REPLAYED} events: choose a shorter time");
        return Err(Problem::fault("/from", "too_many", detail));
    };
    api.webhooks.changed(webhook.id);
    Ok(HttpResponse::Accepted().json(Replayed { deliveries }))
}

/// What is sent again to a disabled webhook would wait unseen.
pub(super) fn must_be_active(webhook: &Webhook) -> Result<(), Problem> {
    if webhook.disabled.is_some() {
        return Err(
            Problem::from(Code::Conflict).detail("The webhook is disabled: enable it first.")
        );
    }
    Ok(())
}

/// The webhook that the path names.
pub(super) async fn find(
    request: &HttpRequest,
    tenant: &Tenant,
    api: &Api,
) -> Result<Webhook, Problem> {
    let id = segment(request, "webhook")?;
    Ok(api.store.webhook(&tenant.scope, id).await?)
}

async fn changed(
    api: &Api,
    tenant: &Tenant,
    id: WebhookId,
    change: WebhookChange,
) -> Result<Webhook, Problem> {
    let webhook = api
        .store
        .update_webhook(&tenant.scope, id, change, now())
        .await?;
    api.webhooks.changed(id);
    Ok(webhook)
}

fn check_url(faults: &mut Faults, api: &Api, url: &str) {
    faults.text("/url", url, 1, 2000);
    let _url = faults.take("/url", "bad_url", api.http.check(url));
}

fn check_types(faults: &mut Faults, types: &[String]) {
    faults.check(
        types.len() <= 100,
        "/event_types",
        "too_many",
        "name at most 100",
    );
    for (index, kind) in types.iter().enumerate() {
        faults.check(
            catalogue::is_known(kind),
            &format!("/event_types/{index}"),
            "unknown_value",
            "choose a type of GET /v1/event_types, or a beginning such as call.*",
        );
    }
}
