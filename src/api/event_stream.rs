//! What a reader of events gets: read from the log, filtered, with a heartbeat; and why it ends.
//!
//! A reader that takes nothing for a while is told so and let go: it knows from where to go on. Who
//! it is, is asked again with every heartbeat.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use serde::Serialize;
use serde_json::Value;
use strowger_domain::account::Scope;
use strowger_domain::ids::{AccountId, CallId, EventId};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use utoipa::ToSchema;

use super::auth;
use super::error::{Code, Problem};
use crate::events::catalogue::{self, CALL_STARTED};
use crate::events::log::Follower;
use crate::store::events::Event;
use crate::store::{AccountScope, Store, StoreError};

/// How streams are kept.
#[derive(Clone, Copy, Debug)]
pub struct StreamSettings {
    /// How often a reader hears that the stream lives, and is asked who it is.
    pub heartbeat: Duration,
    /// A reader that takes nothing for so long is too slow.
    pub patience: Duration,
    /// Streams of one account at a time.
    pub most: u32,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            patience: Duration::from_secs(20),
            most: 100,
        }
    }
}

/// Batches of events that wait for a reader, and the notice that it is too slow.
pub const WAITING: usize = 3;

/// The streams that are open, by the account of their readers.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<AccountId, u32>>>);

/// An open stream; its drop closes it.
#[derive(Debug)]
pub struct Open {
    streams: Streams,
    account: AccountId,
}

impl Streams {
    /// Opens a stream, unless the account has as many as it may have.
    pub fn open(&self, account: AccountId, most: u32) -> Result<Open, Problem> {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = streams.entry(account).or_default();
        if *count >= most {
            let detail = format!("The account has {most} streams of events already.");
            return Err(Problem::from(Code::TooManyRequests).detail(detail));
        }
        *count += 1;
        Ok(Open {
            streams: self.clone(),
            account,
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut streams = self
            .streams
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = streams.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.account);
            }
        }
    }
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// The reader takes less than there is.
    TooSlow,
    /// The reader's token, key, user or account is no longer good.
    Unauthorised,
    /// The platform ends, or its log cannot be read.
    Closing,
}

/// What a reader gets.
#[derive(Debug)]
pub enum Piece {
    /// The stream begins behind this event.
    Opened(Option<EventId>),
    /// Events, in the order of the log.
    Events(Vec<Event>),
    /// There is nothing to be told, or it is not wanted; this far the reader has come.
    Heartbeat(Option<EventId>),
    /// The last piece. Come back with this event.
    Ended(EndCause, Option<EventId>),
}

/// A notice of a stream: what it tells that is no event.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamNotice)]
pub struct Notice {
    /// `stream.opened`, `stream.heartbeat` or `stream.ended`.
    #[serde(rename = "type")]
    #[schema(example = "stream.ended")]
    pub kind: &'static str,
    /// The last event that was told: go on behind it.
    pub after: Option<EventId>,
    /// Why the stream ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<EndCause>,
}

impl Piece {
    /// What is told beside events.
    pub fn notice(&self) -> Option<Notice> {
        let (kind, after, cause) = match self {
            Self::Events(_) => return None,
            Self::Opened(after) => ("stream.opened", *after, None),
            Self::Heartbeat(after) => ("stream.heartbeat", *after, None),
            Self::Ended(cause, after) => ("stream.ended", *after, Some(*cause)),
        };
        Some(Notice { kind, after, cause })
    }
}

/// Which events a reader wants.
pub struct Wanted {
    /// Of this call only.
    pub call: Option<CallId>,
    /// Of calls from, to or by way of this number, and of the number itself.
    pub number: Option<String>,
    /// Types, or beginnings of types; none: all.
    pub types: Vec<String>,
    /// Calls of which is known whether they have to do with the number.
    pub calls: HashMap<CallId, bool>,
}

impl Wanted {
    async fn takes(
        &mut self,
        event: &Event,
        store: &Store,
        scope: &AccountScope,
    ) -> Result<bool, StoreError> {
        if self.call.is_some() && event.call != self.call {
            return Ok(false);
        }
        let Some(number) = &self.number else {
            return Ok(catalogue::is_named(&self.types, &event.kind));
        };
        let Some(call) = event.call else {
            let of_number = mentions(&event.data, number);
            return Ok(of_number && catalogue::is_named(&self.types, &event.kind));
        };
        let of_number = match self.calls.get(&call) {
            Some(known) => *known,
            None if event.kind == CALL_STARTED => mentions(&event.data, number),
            None => match store.call(scope, call).await {
                Ok(record) => {
                    let number = Some(number.as_str());
                    [record.service_number.as_deref(), record.calling.as_deref()].contains(&number)
                        || Some(record.called.as_str()) == number
                }
                Err(StoreError::NotFound) => false,
                Err(error) => return Err(error),
            },
        };
        if event.kind == "call.ended" {
            self.calls.remove(&call);
        } else {
            self.calls.insert(call, of_number);
        }
        Ok(of_number && catalogue::is_named(&self.types, &event.kind))
    }
}

/// Whether an event's data name a number.
fn mentions(data: &Value, number: &str) -> bool {
    let fields = ["service_number", "calling", "called", "number"];
    fields.iter().any(|field| data[*field] == number)
}

/// Reads for one reader.
pub struct Reader {
    /// The log.
    pub follower: Follower,
    /// Where calls are looked up.
    pub store: Store,
    /// What the reader may see.
    pub scope: AccountScope,
    /// What it wants.
    pub wanted: Wanted,
    /// With what it came: who it is, is asked again.
    pub request: HttpRequest,
    /// How it is kept.
    pub settings: StreamSettings,
    /// Counts it.
    pub open: Open,
}

impl Reader {
    /// Hands over what there is until the reader is gone, too slow, or no longer let in.
    pub async fn run(mut self, out: mpsc::Sender<Piece>) {
        let mut after = self.follower.last();
        // The notice of the end has a place of its own, as there may be no other.
        let Ok(end) = out.clone().reserve_owned().await else {
            return;
        };
        // There is room.
        let _ = out.send(Piece::Opened(after)).await;
        let cause = self.read(&out, &mut after).await;
        if let Some(cause) = cause {
            end.send(Piece::Ended(cause, after));
        }
    }

    /// Why the stream ends; `None`: the reader is gone.
    async fn read(
        &mut self,
        out: &mpsc::Sender<Piece>,
        after: &mut Option<EventId>,
    ) -> Option<EndCause> {
        let mut heartbeat = Instant::now() + self.settings.heartbeat;
        loop {
            let piece = if Instant::now() >= heartbeat {
                if !self.is_let_in().await {
                    return Some(EndCause::Unauthorised);
                }
                heartbeat = Instant::now() + self.settings.heartbeat;
                Piece::Heartbeat(*after)
            } else {
                match self.next_events().await {
                    Err(error) => {
                        tracing::warn!(%error, "an event stream ends: the log cannot be read");
                        return Some(EndCause::Closing);
                    }
                    Ok(Some(events)) if events.is_empty() => {
                        *after = self.follower.last();
                        continue;
                    }
                    Ok(Some(events)) => Piece::Events(events),
                    Ok(None) => {
                        tokio::select! {
                            more = self.follower.wait() => if !more {
                                return Some(EndCause::Closing);
                            },
                            () = sleep_until(heartbeat) => {}
                            () = out.closed() => return None,
                        }
                        continue;
                    }
                }
            };
            match timeout(self.settings.patience, out.send(piece)).await {
                Ok(Ok(())) => *after = self.follower.last(),
                Ok(Err(_gone)) => return None,
                Err(_elapsed) => return Some(EndCause::TooSlow),
            }
        }
    }

    /// The next events that are wanted; `None`: there are no more for now.
    async fn next_events(&mut self) -> Result<Option<Vec<Event>>, StoreError> {
        let events = self.follower.read().await?;
        if events.is_empty() {
            return Ok(None);
        }
        let mut taken = Vec::new();
        for event in events {
            let taken_one = self.wanted.takes(&event, &self.store, &self.scope);
            if taken_one.await? {
                taken.push(event);
            }
        }
        Ok(Some(taken))
    }

    /// Whether the reader would still be let in with what it came with.
    async fn is_let_in(&self) -> bool {
        let asked = async {
            let caller = auth::caller(&self.request).await?;
            caller.needs(Scope::EventsRead)?;
            auth::tenant(&self.request, caller).await
        };
        match asked.await {
            Ok(_) => true,
            Err(problem) => !matches!(problem.code.status(), 401 | 403 | 404),
        }
    }
}
