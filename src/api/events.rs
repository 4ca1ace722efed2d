//! Events as they happen: server-sent events or WebSocket, on one address.

use std::collections::HashMap;

use actix_web::http::header::{self, ContentEncoding, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, Session};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use strowger_domain::ids::{AccountId, CallId, EventId, LegId};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{PROTOCOL, Tenant, protocols};
use super::error::{Code, Problem};
use super::event_stream::{Piece, Reader, WAITING, Wanted};
use super::input::Query;
use super::page::Listed;
use super::{Api, page};
use crate::events::catalogue::{self, CATALOGUE, EventType};
use crate::events::log::Follower;
use crate::store::events::Event;

/// A WebSocket reader that has said nothing for so many heartbeats, not even pong, is gone.
const SILENT_HEARTBEATS: u32 = 3;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Whether the account's descendants' events are told too.
    pub descendants: Option<bool>,
    /// The events of one call only.
    pub call: Option<CallId>,
    /// The events of calls from, to or by way of this E.164 number, and of the number itself.
    pub number: Option<String>,
    /// These types only, separated by commas; `call.*` stands for all that begin so.
    pub types: Option<String>,
    /// The last event that was seen, as `Last-Event-ID`, which comes first.
    pub after: Option<EventId>,
}

/// A type of event.
#[derive(Serialize, ToSchema)]
#[schema(as = EventType)]
pub struct EventTypeView {
    /// Its name; webhooks and streams can ask for it.
    #[serde(rename = "type")]
    #[schema(example = "call.answered")]
    kind: &'static str,
    /// When it is told.
    description: &'static str,
    /// An event of this type, whose `data` have every field that there can be.
    example: Event,
}

impl From<&EventType> for EventTypeView {
    fn from(kind: &EventType) -> Self {
        let id = Uuid::from_u128(0x0189_0a5d_96a2_74d9_a5b2_c3d4_e5f6_0718);
        let of_call = kind.is_of_call();
        let example = Event {
            id: EventId::from_uuid(id),
            kind: kind.name.to_owned(),
            time: chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default(),
            account: AccountId::from_uuid(id),
            call: of_call.then(|| CallId::from_uuid(id)),
            leg: (kind.subject() == "leg").then(|| LegId::from_uuid(id)),
            sequence: u64::from(of_call),
            data: kind.example(),
        };
        Self {
            kind: kind.name,
            description: kind.text,
            example,
        }
    }
}

/// Lists the types of events, each with an example.
#[utoipa::path(get, path = "/v1/event_types", tag = "events", security(()),
    responses((status = 200, body = Listed<EventTypeView>)))]
pub async fn event_types() -> HttpResponse {
    HttpResponse::Ok().json(Listed {
        items: CATALOGUE.iter().map(EventTypeView::from).collect(),
        next_cursor: None,
    })
}

/// Streams events as they happen, after those that were missed since `Last-Event-ID`.
///
/// With `Upgrade: websocket` they come by WebSocket, a JSON text each, else as server-sent events.
/// The last that a stream tells is `stream.ended` (`StreamNotice`), with its cause (`too_slow`,
/// `unauthorised`, `closing`) and the event from which to go on. By WebSocket there are
/// `stream.opened` and `stream.heartbeat` too; server-sent events have comments in their place.
/// A browser, which cannot set `Authorization` on a WebSocket, offers two subprotocols:
/// `strowger.events.v1` and `bearer.` followed by the access token.
#[utoipa::path(get, path = "/v1/accounts/{account}/events", tag = "events", params(EventQuery,
    ("Last-Event-ID" = Option<EventId>, Header, description = "The last event that was seen")),
    responses((status = 200, content_type = "text/event-stream", body = Event)))]
pub async fn stream_events(
    request: HttpRequest,
    tenant: Tenant,
    api: web::Data<Api>,
    Query(query): Query<EventQuery>,
    payload: web::Payload,
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
    let settings = api.settings.streams;
    let wanted = Wanted {
        call: query.call,
        number: query.number,
        types: types(query.types.as_deref())?,
        calls: HashMap::new(),
    };
    let open = api
        .streams
        .open(tenant.caller.standing.account.id, settings.most)?;
    let within = page::within(query.descendants, tenant.id());
    let (store, scope) = (api.store.clone(), tenant.scope.clone());
    let follower = Follower::start(store.clone(), &api.writer, scope.clone(), within, seen).await?;
    let reader = Reader {
        follower,
        store,
        scope,
        wanted,
        request: request.clone(),
        settings,
        open,
    };
    let (out, pieces) = mpsc::channel(WAITING);
    if is_upgrade(&request) {
        let (mut response, session, messages) = actix_ws::handle(&request, payload)
            .map_err(|error| Problem::from(Code::MalformedBody).detail(error.to_string()))?;
        if protocols(&request).any(|one| one == PROTOCOL) {
            let protocol = HeaderValue::from_static(PROTOCOL);
            response
                .headers_mut()
                .insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        actix_web::rt::spawn(reader.run(out));
        actix_web::rt::spawn(serve_socket(session, messages, pieces));
        return Ok(response);
    }
    actix_web::rt::spawn(reader.run(out));
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // A compressor would hold events back until it has enough of them.
        .insert_header(ContentEncoding::Identity)
        .insert_header(("x-accel-buffering", "no"))
        .content_type("text/event-stream")
        .streaming(stream::unfold(pieces, |mut pieces| async move {
            let piece = pieces.recv().await?;
            Some((Ok::<_, Problem>(server_sent(piece)), pieces))
        })))
}

fn is_upgrade(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// A piece as server-sent events. Only events have an id: a notice is nothing to come back to.
fn server_sent(piece: Piece) -> Bytes {
    let text = match (piece.notice(), piece) {
        (_, Piece::Opened(_)) => "retry: 2000\n: hello\n\n".to_owned(),
        (_, Piece::Heartbeat(_)) => ": beat\n\n".to_owned(),
        (_, Piece::Events(events)) => events.iter().map(written).collect(),
        (notice, Piece::Ended(..)) => {
            let data = serde_json::to_string(&notice).unwrap_or_default();
            format!("event: stream.ended\ndata: {data}\n\n")
        }
    };
    Bytes::from(text)
}

fn written(event: &Event) -> String {
    let data = serde_json::to_string(event).unwrap_or_default();
    format!("id: {}\nevent: {}\ndata: {data}\n\n", event.id, event.kind)
}

/// Sends pieces by WebSocket until either side has had enough.
async fn serve_socket(
    mut session: Session,
    mut messages: MessageStream,
    mut pieces: mpsc::Receiver<Piece>,
) {
    let mut silent = 0;
    loop {
        tokio::select! {
            piece = pieces.recv() => {
                let Some(piece) = piece else { break };
                if matches!(piece, Piece::Heartbeat(_)) {
                    silent += 1;
                    if silent > SILENT_HEARTBEATS || session.ping(b"").await.is_err() {
                        break;
                    }
                }
                let texts = match (piece.notice(), piece) {
                    (Some(notice), _) => vec![serde_json::to_string(&notice)],
                    (None, Piece::Events(events)) => {
                        events.iter().map(serde_json::to_string).collect()
                    }
                    (None, _) => Vec::new(),
                };
                for text in texts {
                    if session.text(text.unwrap_or_default()).await.is_err() {
                        return;
                    }
                }
            }
            message = messages.recv() => {
                silent = 0;
                match message {
                    Some(Ok(Message::Ping(bytes))) => {
                        if session.pong(&bytes).await.is_err() {
                            return;
                        }
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                    // A reader has nothing to say.
                    Some(Ok(_)) => {}
                }
            }
        }
    }
    let reason = CloseReason {
        code: CloseCode::Normal,
        description: None,
    };
    // The reader may be gone.
    let _ = session.close(Some(reason)).await;
}

fn types(text: Option<&str>) -> Result<Vec<String>, Problem> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let wanted: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
    if let Some(unknown) = wanted.iter().find(|one| !catalogue::is_known(one)) {
        let detail = format!("types: `{unknown}` is no type of event");
        return Err(Problem::from(Code::MalformedQuery).detail(detail));
    }
    Ok(wanted)
}
