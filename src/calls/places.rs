//! The call's places in queues and conferences.

use actix::prelude::*;
use chrono::{DateTime, Utc};
use strowger_domain::call::{Event, QueueEntry};
use strowger_domain::cause::Cause;
use strowger_domain::queue::Stage;

use super::call::Call;
use crate::conferences::messages::{ConferenceFact, ConferenceNews};
use crate::net::clock;
use crate::queues::messages::{EnterQueue, Place, QueueFact};

/// A caller joins again after its queue was lost, but not for ever.
const MAX_LOSSES: u8 = 3;

/// A place in a queue.
pub(super) struct Waiting {
    pub(super) since: DateTime<Utc>,
    pub(super) entry: QueueEntry,
    pub(super) place: Option<Place>,
    /// How far it is, to be told to the queue's successor.
    pub(super) stage: Stage,
    /// The successor was told that a destination is being dialled.
    rejoins_offered: bool,
    /// Queues of its that were lost.
    losses: u8,
}

impl Waiting {
    pub(super) fn new(since: DateTime<Utc>, entry: QueueEntry) -> Self {
        Self {
            since,
            entry,
            place: None,
            stage: Stage::Waiting,
            rejoins_offered: false,
            losses: 0,
        }
    }
}

impl Call {
    pub(super) fn queue(&mut self, fact: QueueFact, ctx: &mut Context<Self>) {
        let Some(waiting) = &mut self.queue else {
            return;
        };
        let event = match fact {
            QueueFact::Waiting { place, position } => {
                waiting.place = Some(place);
                let data =
                    serde_json::json!({ "queue": waiting.entry.queue, "position": position });
                self.emit("call.queued", None, &data);
                Event::Queued { position }
            }
            QueueFact::Rejoined { place } => {
                // An offer may have ended while there was no queue to be told.
                match (waiting.rejoins_offered, &waiting.stage) {
                    (true, Stage::Connected) => place.answer_offer(None),
                    (true, Stage::Waiting) => place.answer_offer(Some(Cause::NormalUnspecified)),
                    (true, Stage::Offered { .. }) | (false, _) => {}
                }
                waiting.place = Some(place);
                return;
            }
            QueueFact::Position(position) => Event::QueuePosition { position },
            QueueFact::Refused => {
                self.queue = None;
                Event::QueueRefused
            }
            QueueFact::Offered { destination } => {
                waiting.stage = Stage::Offered {
                    destination: destination.clone(),
                };
                Event::QueueOffered { destination }
            }
            // The queue is made again and gets its order back from its members' `since`.
            QueueFact::Lost if waiting.losses < MAX_LOSSES => {
                waiting.losses += 1;
                waiting.rejoins_offered = matches!(waiting.stage, Stage::Offered { .. });
                waiting.place = None;
                let again = EnterQueue {
                    account: self.path.account(),
                    call: self.id,
                    since: waiting.since,
                    rejoins: Some(waiting.stage.clone()),
                    entry: waiting.entry.clone(),
                    reply_to: ctx.address().recipient(),
                };
                self.tools.queues.do_send(again);
                return;
            }
            QueueFact::Lost => {
                self.leave_queue();
                Event::QueueLost
            }
        };
        self.tell(event, ctx);
    }

    /// A destination that the queue offered was connected, or was not.
    pub(super) fn answer_offer(&mut self, refused: Option<Cause>) {
        let Some(waiting) = &mut self.queue else {
            return;
        };
        let is_connected = refused.is_none();
        waiting.stage = if is_connected {
            Stage::Connected
        } else {
            Stage::Waiting
        };
        if let Some(place) = &waiting.place {
            place.answer_offer(refused);
        }
        if is_connected {
            self.tell_dequeued("connected");
        }
    }

    /// Gives the place back. Who was told that it waits is told that it waits no longer.
    pub(super) fn leave_queue(&mut self) {
        let Some(waiting) = &self.queue else {
            return;
        };
        let has_waited = waiting.place.is_some() || waiting.losses > 0;
        if has_waited && waiting.stage != Stage::Connected {
            self.tell_dequeued("left");
        }
        self.queue = None;
    }

    fn tell_dequeued(&mut self, outcome: &str) {
        let Some(waiting) = &self.queue else {
            return;
        };
        let wait = clock::now().utc - waiting.since;
        let data = serde_json::json!({
            "queue": waiting.entry.queue,
            "wait_ms": wait.num_milliseconds().max(0),
            "outcome": outcome,
        });
        self.emit("call.dequeued", None, &data);
    }

    pub(super) fn conference(&mut self, fact: ConferenceFact, ctx: &mut Context<Self>) {
        let leg = fact.leg;
        if !self.rooms.contains_key(&leg) {
            return;
        }
        let event = match fact.news {
            ConferenceNews::Joined {
                membership,
                room,
                talker,
                members,
            } => {
                self.rooms.insert(leg, Some(membership));
                if let Some(leg) = self.legs.get(&leg) {
                    leg.media.join(room, talker);
                }
                Event::ConferenceJoined { leg, members }
            }
            ConferenceNews::Refused => {
                self.rooms.remove(&leg);
                Event::ConferenceRefused { leg }
            }
            ConferenceNews::Over => {
                self.rooms.remove(&leg);
                if let Some(leg) = self.legs.get(&leg) {
                    leg.media.leave();
                }
                Event::ConferenceLeft { leg }
            }
        };
        self.tell(event, ctx);
    }
}
