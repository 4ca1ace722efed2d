//! The event log: the catalogue of what is told, and readers that follow it.
//!
//! Whoever has a fact to tell hands it to the store's [`Writer`]. A call numbers its own events
//! without gaps. A reader waits for the writer and reads on from the last event that it has seen,
//! so that a slow or returning reader misses nothing, and what it is told is already kept.

use chrono::{DateTime, Utc};
use serde::Serialize;
use strowger_domain::ids::{AccountId, EventId};
use strowger_domain::schedule::ScheduledCall;
use tokio::sync::watch;

use crate::store::events::{self, Event, NewEvent};
use crate::store::{AccountScope, Store, StoreError, Within, Writer};

/// Every type of event, and when it is told.
pub const CATALOGUE: &[(&str, &str)] = &[
    (
        CALL_STARTED,
        "A call came, or the platform began to dial one.",
    ),
    ("call.ringing", "The first party of a call rings."),
    ("call.answered", "The first party of a call is connected."),
    (
        "call.step",
        "A call reached a node of its plan, or an action of its application.",
    ),
    (
        "call.dialling",
        "The first party of a call is being dialled.",
    ),
    (
        "leg.media_lost",
        "Nothing has been heard from a party of a call for half a minute.",
    ),
    (
        "leg.tone",
        "A tone was heard from the first party of a call that the platform dialled: busy, congestion, special_information, fax_calling, fax_answering or beep.",
    ),
    (
        "call.annotated",
        "A plan or an application put a value on record.",
    ),
    ("call.queued", "A call waits in a queue."),
    (
        "call.ended",
        "A call is over: exactly one for each call, and its last.",
    ),
    ("leg.dialling", "A party of a call is being dialled."),
    ("leg.ringing", "A party of a call rings."),
    ("leg.answered", "A party of a call answered."),
    (
        "leg.ended",
        "A party of a call has gone; with how it sounded both ways (loss, jitter, round trip, MOS).",
    ),
    (
        "recording.ready",
        "A recording is complete and can be read.",
    ),
    ("recording.failed", "A recording could not be made."),
    (
        "recording.paused",
        "What is said is left out of a recording from now on.",
    ),
    ("recording.resumed", "A recording that was paused goes on."),
    (
        SCHEDULED_CALL_UPDATED,
        "The state of a scheduled call changed.",
    ),
    (
        "instance.updated",
        "The state of an application instance changed.",
    ),
    ("instance.page", "A page of an application was asked for."),
];

/// A call came, or the platform began to dial one.
pub const CALL_STARTED: &str = "call.started";

/// The state of a scheduled call changed; [`tell_scheduled`] says what it holds.
pub const SCHEDULED_CALL_UPDATED: &str = "scheduled_call.updated";

/// Tells a fact that belongs to no call.
pub fn tell(
    writer: &Writer,
    kind: &'static str,
    account: AccountId,
    data: &impl Serialize,
    now: DateTime<Utc>,
) {
    let event = NewEvent {
        kind,
        time: now,
        account,
        call: None,
        leg: None,
        sequence: 0,
        data: events::data(data),
    };
    // A writer that takes no more has said so in the log.
    let _refused = writer.event(event);
}

/// Tells how far a scheduled call is now.
pub fn tell_scheduled(writer: &Writer, call: &ScheduledCall) {
    let data = serde_json::json!({
        "scheduled_call": call.id,
        "state": call.state,
        "call": call.call,
        "cause": call.cause,
        "failure": call.failure,
        "sip_status": call.sip_status,
        "reference": call.booking.reference,
    });
    tell(
        writer,
        SCHEDULED_CALL_UPDATED,
        call.account,
        &data,
        call.updated_at,
    );
}

/// Reads a part of the log and goes on as it grows.
pub struct Follower {
    store: Store,
    scope: AccountScope,
    within: Within,
    last: Option<EventId>,
    written: watch::Receiver<u64>,
}

/// Most events that a follower takes at a time.
const AT_A_TIME: u64 = 200;

impl Follower {
    /// Begins after an event that was seen, or with what comes from now on.
    pub async fn start(
        store: Store,
        writer: &Writer,
        scope: AccountScope,
        within: Within,
        seen: Option<EventId>,
    ) -> Result<Self, StoreError> {
        let written = writer.written();
        let last = match seen {
            Some(seen) => Some(seen),
            None => store.last_event(&scope, within).await?,
        };
        Ok(Self {
            store,
            scope,
            within,
            last,
            written,
        })
    }

    /// The next events, in the order of the log. Empty: there is none yet.
    pub async fn read(&mut self) -> Result<Vec<Event>, StoreError> {
        // Marked as seen before the reading: what is written meanwhile wakes the next wait.
        self.written.mark_unchanged();
        let events = self
            .store
            .events_after(&self.scope, self.within, self.last, AT_A_TIME)
            .await?;
        if let Some(event) = events.last() {
            self.last = Some(event.id);
        }
        Ok(events)
    }

    /// Waits until more was written; `false`: nothing will be written any more.
    pub async fn wait(&mut self) -> bool {
        self.written.changed().await.is_ok()
    }
}
