//! The conference rooms of a media thread: who sits where, and what is mixed on the beat.

use std::collections::HashMap;

use strowger_media::mixer::{Room, Seat};
use strowger_media::session::Say;
use strowger_media::tone::Tone;
use strowger_media::{Frame, Rate};

use super::media_engine::{MediaLegId, RoomId};

#[derive(Default)]
struct Seated {
    room: Room,
    /// The best that a member's codec can do, of those that have asked in this beat.
    rate: Rate,
}

/// All rooms that somebody is in.
#[derive(Default)]
pub(super) struct Rooms(HashMap<RoomId, Seated>);

impl Rooms {
    /// Seats a leg; the room begins with its first.
    pub(super) fn join(&mut self, room: RoomId, leg: MediaLegId, talker: bool) {
        let seated = self.0.entry(room).or_default();
        seated.room.join(seat(leg), talker);
    }

    /// Takes a leg out; the room ends with its last.
    pub(super) fn leave(&mut self, room: RoomId, leg: MediaLegId) {
        if let Some(seated) = self.0.get_mut(&room) {
            seated.room.leave(seat(leg));
            if seated.room.members() == 0 {
                self.0.remove(&room);
            }
        }
    }

    /// Everybody in the room hears a tone.
    pub(super) fn announce(&mut self, room: RoomId, tone: Tone) {
        if let Some(seated) = self.0.get_mut(&room) {
            seated.room.announce(tone);
        }
    }

    /// Mixes a beat of what all members said.
    pub(super) fn hear<'a>(&mut self, heard: impl Fn(MediaLegId) -> Option<&'a Frame>) {
        for seated in self.0.values_mut() {
            // One wideband member makes a wideband room, from its second beat on.
            let rate = std::mem::take(&mut seated.rate);
            seated.room.beat(rate, |Seat(leg)| heard(MediaLegId(leg)));
        }
    }

    /// What a member hears in this beat; `own` is where that is written for one who speaks.
    pub(super) fn say<'a>(
        &'a mut self,
        room: RoomId,
        leg: MediaLegId,
        rate: Rate,
        own: &'a mut Frame,
    ) -> Option<Say<'a>> {
        let seated = self.0.get_mut(&room)?;
        seated.rate = seated.rate.max(rate);
        if let Some(frame) = seated.room.own(seat(leg)) {
            *own = frame;
            return Some(Say::Sound(own));
        }
        Some(Say::Shared(seated.room.everything()))
    }
}

fn seat(leg: MediaLegId) -> Seat {
    Seat(leg.0)
}
