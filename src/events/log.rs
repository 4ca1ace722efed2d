//! The event log: those who tell, and readers that follow it.
//!
//! Whoever has a fact to tell hands it to the store's [`Writer`]. A call numbers its own events
//! without gaps. A reader waits for the writer and reads on from the last event that it has seen,
//! so that a slow or returning reader misses nothing, and what it is told is already kept.

use chrono::{DateTime, Utc};
use serde::Serialize;
use strowger_domain::ids::{AccountId, EventId};
use strowger_domain::schedule::ScheduledCall;
use tokio::sync::watch;

use super::catalogue::SCHEDULED_CALL_UPDATED;
use crate::store::events::{self, Event, NewEvent};
use crate::store::{AccountScope, Store, StoreError, Within, Writer};

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

    /// The last event that was seen, or that was there at the start.
    pub fn last(&self) -> Option<EventId> {
        self.last
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
