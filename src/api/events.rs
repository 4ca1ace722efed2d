//! The event stream: server-sent events that a reader can leave and take up again.

use std::time::Duration;

use actix_web::http::header::{self, ContentEncoding};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use strowger_domain::ids::{CallId, EventId};
use tokio::time::Instant;
use utoipa::IntoParams;

use super::auth::Tenant;
use super::calls::EventView;
use super::error::{Code, Problem};
use super::input::Query;
use super::{Api, now, page};
use crate::events::log::{CATALOGUE, Follower};
use crate::store::events::Event;

/// A comment line is sent when nothing else was for this long, so that proxies and readers know
/// that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Whether the account's descendants' events are told too.
    pub descendants: Option<bool>,
    /// The events of one call only.
    pub call: Option<CallId>,
    /// These types only, separated by commas; `call.*` stands for all that begin so.
    pub types: Option<String>,
    /// The last event that was seen, as `Last-Event-ID`, which comes first.
    pub after: Option<EventId>,
}

/// Streams events as they happen, after those that were missed since `Last-Event-ID`. The stream
/// ends with the access token; come back with a new one and the last id.
#[utoipa::path(get, path = "/v1/accounts/{account}/events", tag = "events", params(EventQuery,
    ("Last-Event-ID" = Option<EventId>, Header, description = "The last event that was seen")),
    responses((status = 200, content_type = "text/event-stream", body = EventView)))]
pub async fn stream_events(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<EventQuery>,
) -> Result<HttpResponse, Problem> {
    let seen = match request.headers().get("last-event-id") {
        None => query.after,
        Some(value) => {
            let id = value
                .to_str()
                .ok()
                .and_then(|text| text.trim().parse().ok());
            let detail = "Last-Event-ID: write the id of an event";
            Some(id.ok_or_else(|| Problem::from(Code::MalformedQuery).detail(detail))?)
        }
    };
    let wanted = Wanted {
        call: query.call,
        types: types(query.types.as_deref())?,
    };
    let within = page::within(query.descendants, tenant.id());
    let (store, scope) = (api.store.clone(), tenant.scope.clone());
    let follower = Follower::start(store, &api.writer, scope, within, seen).await?;
    let left = (tenant.caller.until - now()).to_std().unwrap_or_default();
    let reader = Reader {
        follower,
        wanted,
        ends: Instant::now() + left,
        begun: false,
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // A compressor would hold events back until it has enough of them.
        .insert_header(ContentEncoding::Identity)
        .insert_header(("x-accel-buffering", "no"))
        .content_type("text/event-stream")
        .streaming(stream::unfold(reader, |mut reader| async move {
            let bytes = reader.next().await?;
            Some((Ok::<_, Problem>(bytes), reader))
        })))
}

struct Wanted {
    call: Option<CallId>,
    types: Vec<String>,
}

impl Wanted {
    fn takes(&self, event: &Event) -> bool {
        let kind = self.types.is_empty()
            || self
                .types
                .iter()
                .any(|wanted| match wanted.strip_suffix('*') {
                    Some(beginning) => event.kind.starts_with(beginning),
                    None => event.kind == *wanted,
                });
        kind && (self.call.is_none() || event.call == self.call)
    }
}

struct Reader {
    follower: Follower,
    wanted: Wanted,
    ends: Instant,
    begun: bool,
}

impl Reader {
    /// The next piece of the stream; `None` ends it.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.begun {
            self.begun = true;
            return Some(Bytes::from_static(b"retry: 2000\n: hello\n\n"));
        }
        let heartbeat = Instant::now() + HEARTBEAT;
        loop {
            if Instant::now() >= self.ends {
                return None;
            }
            let events = match self.follower.read().await {
                Ok(events) => events,
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends: the log cannot be read");
                    return None;
                }
            };
            let text: String = events
                .into_iter()
                .filter(|event| self.wanted.takes(event))
                .map(written)
                .collect();
            if !text.is_empty() {
                return Some(Bytes::from(text));
            }
            tokio::select! {
                more = self.follower.wait() => if !more { return None },
                () = tokio::time::sleep_until(heartbeat.min(self.ends)) => {
                    return Some(Bytes::from_static(b": beat\n\n"));
                }
            }
        }
    }
}

fn written(event: Event) -> String {
    let view = EventView::from(event);
    let data = serde_json::to_string(&view).unwrap_or_default();
    format!("id: {}\nevent: {}\ndata: {data}\n\n", view.id, view.kind)
}

fn types(text: Option<&str>) -> Result<Vec<String>, Problem> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let wanted: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
    for one in &wanted {
        let known = CATALOGUE
            .iter()
            .any(|(kind, _)| match one.strip_suffix('*') {
                Some(beginning) => kind.starts_with(beginning),
                None => kind == one,
            });
        if !known {
            let detail = format!("types: `{one}` is no type of event");
            return Err(Problem::from(Code::MalformedQuery).detail(detail));
        }
    }
    Ok(wanted)
}
