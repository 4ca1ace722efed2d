//! Conference rooms: every member hears the sum of all others.

use crate::tone::{Generator, Tone};
use crate::{FRAME, Narrow, SILENCE, activity};
use std::collections::VecDeque;

/// Names a member within its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat(pub u32);

/// Up to here sums are kept as they are; above they are bent so that they never clip: 2.5 dB
/// below full scale.
const KNEE: i32 = 24_576;

/// In a room with more talkers than this, only those are mixed from whom something comes: the
/// noise of a hundred quiet lines is loud.
const ALL_MIXED: usize = 4;

/// Sound below this is line noise, in dBm0.
const NOISE: f32 = -50.0;

/// Beats that a talker stays in the mix after its last sound.
const HANGOVER: u8 = 25;

/// Tones that may wait; more are left out (a crowd that comes at once).
const MAX_TONES: usize = 8;

/// A conference room: mix-minus for any number of members.
///
/// The engine owns the room and knows which leg sits where. On the beat it calls
/// [`clear`](Self::clear), [`add`](Self::add) for each member with what its leg heard, then
/// [`mix`](Self::mix) for each member and gives the result to its leg's `tick`.
#[derive(Debug)]
pub struct Room {
    /// In the order of their seats, which only grow.
    members: Vec<Member>,
    next: u32,
    sum: [i32; FRAME],
    tones: VecDeque<(Tone, Option<Seat>)>,
    sounding: Option<(Generator, Option<Seat>)>,
    tone: Narrow,
    /// Who does not hear the tone of this beat.
    spared: Option<Seat>,
}

#[derive(Debug)]
struct Member {
    seat: Seat,
    talker: bool,
    hangover: u8,
    /// What it added to the sum in this beat.
    said: Narrow,
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

impl Room {
    /// An empty room.
    pub fn new() -> Self {
        Self {
            members: Vec::new(),
            next: 0,
            sum: [0; FRAME],
            tones: VecDeque::with_capacity(MAX_TONES),
            sounding: None,
            tone: SILENCE,
            spared: None,
        }
    }

    /// Seats a member. One that is no talker only listens.
    pub fn join(&mut self, talker: bool) -> Seat {
        let seat = Seat(self.next);
        self.next += 1;
        self.members.push(Member {
            seat,
            talker,
            hangover: 0,
            said: SILENCE,
        });
        seat
    }

    /// Takes a member out; what is not seated is left alone.
    pub fn leave(&mut self, seat: Seat) {
        self.members.retain(|member| member.seat != seat);
    }

    /// Lets a member speak, or mutes it.
    pub fn set_talker(&mut self, seat: Seat, talker: bool) {
        if let Some(at) = self.position(seat) {
            self.members[at].talker = talker;
        }
    }

    /// How many are seated.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Plays a tone to everybody but `except` (who joined or left), beside what is spoken. Tones
    /// follow one another. Endless tones are left out.
    pub fn announce(&mut self, tone: Tone, except: Option<Seat>) {
        if !tone.is_endless() && self.tones.len() < MAX_TONES {
            self.tones.push_back((tone, except));
        }
    }

    /// Begins a beat.
    pub fn clear(&mut self) {
        self.sum = [0; FRAME];
        for member in &mut self.members {
            member.said = SILENCE;
        }
        self.tone = SILENCE;
        if self.sounding.is_none() {
            let next = self.tones.pop_front();
            self.sounding = next.map(|(tone, except)| (Generator::new(tone), except));
        }
        self.spared = None;
        if let Some((generator, except)) = &mut self.sounding {
            self.spared = *except;
            let made = self
                .tone
                .iter_mut()
                .zip(generator)
                .map(|(at, next)| *at = next);
            if made.count() < FRAME {
                self.sounding = None;
            }
        }
    }

    /// Adds what a member said in this beat.
    pub fn add(&mut self, seat: Seat, frame: &Narrow) {
        let crowd = self.members.len() > ALL_MIXED;
        let Some(at) = self.position(seat) else {
            return;
        };
        let member = &mut self.members[at];
        if !member.talker {
            return;
        }
        if crowd {
            if activity::level(frame) > NOISE {
                member.hangover = HANGOVER;
            }
            if member.hangover == 0 {
                return;
            }
            member.hangover -= 1;
        }
        // Once a beat: what it said before in this beat is taken back.
        for ((sum, said), &sample) in self.sum.iter_mut().zip(&mut member.said).zip(frame) {
            *sum += i32::from(sample) - i32::from(*said);
            *said = sample;
        }
    }

    /// Writes what a member hears in this beat: all but itself.
    pub fn mix(&self, seat: Seat, frame: &mut Narrow) {
        let Some(at) = self.position(seat) else {
            *frame = SILENCE;
            return;
        };
        let tone = if self.spared == Some(seat) {
            &SILENCE
        } else {
            &self.tone
        };
        let own = &self.members[at].said;
        for (((out, &sum), &own), &tone) in frame.iter_mut().zip(&self.sum).zip(own).zip(tone) {
            *out = limit(sum - i32::from(own) + i32::from(tone));
        }
    }

    fn position(&self, seat: Seat) -> Option<usize> {
        self.members
            .binary_search_by_key(&seat, |member| member.seat)
            .ok()
    }
}

/// Adds two frames without clipping.
pub fn sum(a: &Narrow, b: &Narrow) -> Narrow {
    std::array::from_fn(|at| limit(i32::from(a[at]) + i32::from(b[at])))
}

/// Brings a sum into range: as it is up to the knee, then ever flatter towards full scale.
pub fn limit(sum: i32) -> i16 {
    let magnitude = sum.abs();
    if magnitude <= KNEE {
        return sum as i16;
    }
    let room = i64::from(i32::from(i16::MAX) - KNEE);
    let over = i64::from(magnitude - KNEE);
    let bent = KNEE + (room * over / (over + room)) as i32;
    (bent * sum.signum()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goertzel::hears;
    use proptest::prelude::*;

    fn heard(room: &Room, seat: Seat) -> Narrow {
        let mut frame = [99; FRAME];
        room.mix(seat, &mut frame);
        frame
    }

    #[test]
    fn everybody_hears_all_but_itself() {
        let mut room = Room::new();
        let seats = [room.join(true), room.join(true), room.join(true)];
        room.clear();
        for (seat, level) in seats.into_iter().zip([100, 20, 3]) {
            room.add(seat, &[level; FRAME]);
        }
        assert_eq!(seats.map(|seat| heard(&room, seat)[80]), [23, 103, 120]);
    }

    #[test]
    fn who_left_or_only_listens_is_not_heard() {
        let mut room = Room::new();
        let (a, b, c) = (room.join(true), room.join(false), room.join(true));
        room.leave(c);
        room.clear();
        for (seat, level) in [(a, 100), (b, 20), (c, 3)] {
            room.add(seat, &[level; FRAME]);
        }
        assert_eq!(heard(&room, a), SILENCE);
        assert_eq!(heard(&room, b), [100; FRAME]);
        assert_eq!(heard(&room, c), SILENCE);
        room.set_talker(b, true);
        room.clear();
        room.add(b, &[20; FRAME]);
        assert_eq!(heard(&room, a), [20; FRAME]);
        assert_eq!(room.members(), 2);
    }

    #[test]
    fn a_beat_keeps_nothing_of_the_one_before() {
        let mut room = Room::new();
        let (a, b) = (room.join(true), room.join(true));
        room.clear();
        room.add(a, &[100; FRAME]);
        room.add(a, &[50; FRAME]);
        assert_eq!(heard(&room, b), [50; FRAME]);
        room.clear();
        assert_eq!(heard(&room, b), SILENCE);
    }

    #[test]
    fn tones_follow_one_another_and_spare_who_joined() {
        let mut room = Room::new();
        let (a, b) = (room.join(true), room.join(true));
        room.announce(Tone::Ringing, None);
        room.announce(Tone::Joined, Some(b));
        room.announce(Tone::Left, Some(b));
        let mut sound = Vec::new();
        for _ in 0..30 {
            room.clear();
            sound.extend(heard(&room, a));
            assert_eq!(heard(&room, b), SILENCE);
        }
        assert!(hears(&sound[..900], 660) && hears(&sound[1000..2200], 880));
        assert!(hears(&sound[2240..3200], 880) && hears(&sound[3300..4400], 660));
        assert!(sound[4640..].iter().all(|&sample| sample == 0));
    }

    #[test]
    fn quiet_lines_of_a_crowd_are_left_out() {
        let mut room = Room::new();
        let seats: Vec<_> = (0..50).map(|_| room.join(true)).collect();
        let noise = [20; FRAME];
        room.clear();
        for &seat in &seats {
            room.add(seat, &noise);
        }
        assert_eq!(heard(&room, seats[0]), SILENCE);
        room.clear();
        room.add(seats[7], &[3000; FRAME]);
        assert_eq!(heard(&room, seats[0]), [3000; FRAME]);
    }

    #[test]
    fn loud_sums_are_bent_and_never_wrap() {
        assert_eq!(limit(KNEE), KNEE as i16);
        let loud: Vec<_> = (0..100).map(|step| limit(step * 10_000)).collect();
        assert!(loud.is_sorted(), "{loud:?}");
        assert_eq!(limit(-1_000_000), -limit(1_000_000));
    }

    proptest! {
        #[test]
        fn the_mix_of_any_sounds_is_the_limited_sum_of_the_others(
            levels in proptest::collection::vec(any::<i16>(), 2..5),
        ) {
            let mut room = Room::new();
            let seats: Vec<_> = levels.iter().map(|_| room.join(true)).collect();
            room.clear();
            for (&seat, &level) in seats.iter().zip(&levels) {
                room.add(seat, &[level; FRAME]);
            }
            let total: i32 = levels.iter().map(|&level| i32::from(level)).sum();
            for (&seat, &level) in seats.iter().zip(&levels) {
                prop_assert_eq!(heard(&room, seat)[0], limit(total - i32::from(level)));
            }
        }
    }
}
