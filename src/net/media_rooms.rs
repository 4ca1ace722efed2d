//! The conference rooms of a media thread: who sits where, and what is mixed on the beat.

use std::collections::HashMap;

use strowger_media::mixer::{Room, Seat};
use strowger_media::tone::Tone;
use strowger_media::{Frame, Narrow, SILENCE};

use super::media_engine::{MediaLegId, RoomId};

#[derive(Default)]
struct Seated {
    room: Room,
    members: Vec<(Seat, MediaLegId)>,
}

/// All rooms that somebody is in.
#[derive(Default)]
pub(super) struct Rooms(HashMap<RoomId, Seated>);

impl Rooms {
    /// Seats a leg; the room begins with its first.
    pub(super) fn join(&mut self, room: RoomId, leg: MediaLegId, talker: bool) -> Seat {
        let seated = self.0.entry(room).or_default();
        let seat = seated.room.join(talker);
        seated.members.push((seat, leg));
        seat
    }

    /// Empties a seat; the room ends with its last.
    pub(super) fn leave(&mut self, room: RoomId, seat: Seat) {
        if let Some(seated) = self.0.get_mut(&room) {
            seated.room.leave(seat);
            seated.members.retain(|(taken, _)| *taken != seat);
            if seated.members.is_empty() {
                self.0.remove(&room);
            }
        }
    }

    /// Everybody in the room hears a tone.
    pub(super) fn announce(&mut self, room: RoomId, tone: Tone) {
        if let Some(seated) = self.0.get_mut(&room) {
            seated.room.announce(tone, None);
        }
    }

    /// Takes what all members said in this beat.
    pub(super) fn hear<'a>(&mut self, heard: impl Fn(MediaLegId) -> Option<&'a Narrow>) {
        for seated in self.0.values_mut() {
            seated.room.clear();
            for (seat, leg) in &seated.members {
                if let Some(frame) = heard(*leg) {
                    seated.room.add(*seat, frame);
                }
            }
        }
    }

    /// Writes what a seat hears in this beat; answers whether there is such a room.
    pub(super) fn mix(&self, room: RoomId, seat: Seat, frame: &mut Frame) -> bool {
        let seated = self.0.get(&room);
        if let Some(seated) = seated {
            let mut said = SILENCE;
            seated.room.mix(seat, &mut said);
            *frame = said.into();
        }
        seated.is_some()
    }
}
