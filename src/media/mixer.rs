//! Conference rooms: every member hears the loudest of the others.

use crate::codec::SharedSound;
use crate::resample::{Converter, Doubler};
use crate::tone::{Generator, Tone};
use crate::{Frame, Narrow, Rate, SILENCE, WIDE_FRAME};
use std::collections::VecDeque;

/// Names a member within its room; the engine chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat(pub u64);

/// Up to here sums are kept as they are; above they are bent so that they never clip: 2.5 dB
/// below full scale.
const KNEE: i32 = 24_576;

/// Talkers that are heard at a time. With as few in the room, all are; of more, only those from
/// whom something comes, the loudest first: the noise of a hundred quiet lines is loud.
pub const MAX_SPEAKERS: usize = 5;

/// Sound below this is line noise: −50 dBm0, as a mean square of 16-bit samples.
pub(crate) const NOISE: f32 = 2606.0;

/// Beats that a speaker stays in the mix after its last sound.
const HANGOVER: u8 = 25;

/// Who is to take a speaker's place must be this much louder, in power: 6 dB.
const LOUDER: f32 = 4.0;

/// How fast the level of a talker follows its sound, up and down, of the distance on each beat.
/// Down, it bridges the pauses between words: half of it is forgotten in 200 ms.
const RISE: f32 = 0.5;
const FALL: f32 = 0.07;

/// Tones that may wait; more are left out (a crowd that comes at once).
const MAX_TONES: usize = 8;

/// A conference room: mix-minus for any number of members.
///
/// At most [`MAX_SPEAKERS`] talkers are mixed, so a beat costs the level of each talker's sound and
/// little more. All who are not among them hear the same, which is
/// [encoded once](SharedSound) for all of them; a speaker hears the others.
///
/// On the beat, the engine calls [`beat`](Self::beat), then [`own`](Self::own) for each member, and
/// where that answers `None`, [`everything`](Self::everything).
#[derive(Debug)]
pub struct Room {
    /// In the order of their coming.
    members: Vec<Member>,
    /// In the order of their beginning to speak; one more while one gives way.
    speakers: Vec<Speaker>,
    /// The loudest of those who found no place among the speakers in this beat.
    challenger: Option<Speaker>,
    sum: [i32; WIDE_FRAME],
    everything: SharedSound,
    tones: VecDeque<Tone>,
    sounding: Option<Generator>,
    doubler: Doubler,
}

#[derive(Debug)]
struct Member {
    seat: Seat,
    talker: bool,
    hangover: u8,
    /// Mean square of what it said of late.
    power: f32,
}

#[derive(Debug)]
struct Speaker {
    seat: Seat,
    power: f32,
    part: Part,
    /// What it adds to the mix of this beat, at the room's rate.
    said: Frame,
    converter: Converter,
}

/// A speaker's part in a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It takes the place of another: faded in.
    Enters,
    Speaks,
    /// Faded out.
    Leaves,
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
            speakers: Vec::with_capacity(MAX_SPEAKERS + 1),
            challenger: None,
            sum: [0; WIDE_FRAME],
            everything: SharedSound::default(),
            tones: VecDeque::with_capacity(MAX_TONES),
            sounding: None,
            doubler: Doubler::default(),
        }
    }

    /// Seats a member; who is seated sits down anew. One that is no talker only listens.
    pub fn join(&mut self, seat: Seat, talker: bool) {
        self.leave(seat);
        self.members.push(Member {
            seat,
            talker,
            hangover: 0,
            power: 0.0,
        });
    }

    /// Takes a member out; what is not seated is left alone.
    pub fn leave(&mut self, seat: Seat) {
        self.members.retain(|member| member.seat != seat);
        self.speakers.retain(|speaker| speaker.seat != seat);
    }

    /// How many are seated.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Who is heard now, in the order of their beginning.
    pub fn speakers(&self) -> impl Iterator<Item = Seat> {
        let speaks = |speaker: &&Speaker| speaker.part != Part::Leaves;
        self.speakers
            .iter()
            .filter(speaks)
            .map(|speaker| speaker.seat)
    }

    /// Plays a tone to everybody, beside what is spoken. Tones follow one another. Endless tones
    /// are left out.
    pub fn announce(&mut self, tone: Tone) {
        if !tone.is_endless() && self.tones.len() < MAX_TONES {
            self.tones.push_back(tone);
        }
    }

    /// Mixes a beat of what the talkers said, at a rate; `None` for one that is silent.
    pub fn beat<'a>(&mut self, rate: Rate, heard: impl Fn(Seat) -> Option<&'a Frame>) {
        self.speakers.retain(|speaker| speaker.part != Part::Leaves);
        for speaker in &mut self.speakers {
            speaker.part = Part::Speaks;
            speaker.said = Frame::silent(rate);
        }
        let crowd = self.members.iter().filter(|member| member.talker).count() > MAX_SPEAKERS;
        let mut members = std::mem::take(&mut self.members);
        for member in members.iter_mut().filter(|member| member.talker) {
            self.listen(member, heard(member.seat), crowd, rate);
        }
        self.members = members;
        self.challenge();
        self.mix(rate);
    }

    /// What a speaker hears in this beat: all but itself. `None`: it hears
    /// [`everything`](Self::everything).
    pub fn own(&self, seat: Seat) -> Option<Frame> {
        let own = self.speakers.iter().find(|speaker| speaker.seat == seat)?;
        let mut frame = own.said;
        for (sample, sum) in frame.samples_mut().iter_mut().zip(&self.sum) {
            *sample = limit(sum - i32::from(*sample));
        }
        Some(frame)
    }

    /// What all others hear in this beat.
    pub fn everything(&mut self) -> &mut SharedSound {
        &mut self.everything
    }

    /// Takes what a talker said.
    fn listen(&mut self, member: &mut Member, heard: Option<&Frame>, crowd: bool, rate: Rate) {
        let power = heard.map_or(0.0, |frame| power(frame.samples()));
        let pace = if power > member.power { RISE } else { FALL };
        member.power += (power - member.power) * pace;
        member.hangover = if power > NOISE || !crowd {
            HANGOVER
        } else {
            member.hangover.saturating_sub(1)
        };
        let at = self
            .speakers
            .iter()
            .position(|speaker| speaker.seat == member.seat);
        if member.hangover == 0 {
            // What it said last was below the noise: nobody hears it go.
            at.map(|at| self.speakers.remove(at));
            return;
        }
        let frame = heard.unwrap_or(&Frame::SILENCE);
        if let Some(speaker) = at.and_then(|at| self.speakers.get_mut(at)) {
            speaker.power = member.power;
            speaker.said = speaker.converter.take(frame, rate);
            return;
        }
        let free = self.speakers.len() < MAX_SPEAKERS;
        let louder = self
            .challenger
            .as_ref()
            .is_none_or(|challenger| member.power > challenger.power);
        if !free && !louder {
            return;
        }
        let mut converter = Converter::default();
        let speaker = Speaker {
            seat: member.seat,
            power: member.power,
            part: if free { Part::Speaks } else { Part::Enters },
            said: converter.take(frame, rate),
            converter,
        };
        if free {
            self.speakers.push(speaker);
        } else {
            self.challenger = Some(speaker);
        }
    }

    /// Lets the loudest of those who wait take the place of the quietest speaker, if it is much
    /// louder; of equally quiet ones the one goes that came last.
    fn challenge(&mut self) {
        let Some(challenger) = self.challenger.take() else {
            return;
        };
        if self.speakers.len() < MAX_SPEAKERS {
            self.speakers.push(challenger);
            return;
        }
        let quietest = self
            .speakers
            .iter_mut()
            .rev()
            .min_by(|a, b| a.power.total_cmp(&b.power));
        if let Some(quietest) = quietest
            && challenger.power > quietest.power * LOUDER
        {
            quietest.part = Part::Leaves;
            self.speakers.push(challenger);
        }
    }

    fn mix(&mut self, rate: Rate) {
        self.sum = [0; WIDE_FRAME];
        for speaker in &mut self.speakers {
            let samples = speaker.said.samples_mut();
            match speaker.part {
                Part::Enters => fade(samples.iter_mut()),
                Part::Speaks => {}
                Part::Leaves => fade(samples.iter_mut().rev()),
            }
            add(&mut self.sum, samples);
        }
        if let Some(tone) = self.tone(rate) {
            add(&mut self.sum, tone.samples());
        }
        let mut frame = Frame::silent(rate);
        for (sample, sum) in frame.samples_mut().iter_mut().zip(&self.sum) {
            *sample = limit(*sum);
        }
        self.everything.set(frame);
    }

    fn tone(&mut self, rate: Rate) -> Option<Frame> {
        if self.sounding.is_none() {
            self.sounding = self.tones.pop_front().map(Generator::new);
        }
        let generator = self.sounding.as_mut()?;
        let mut tone = SILENCE;
        let made = tone.iter_mut().zip(generator).map(|(at, next)| *at = next);
        if made.count() < tone.len() {
            self.sounding = None;
        }
        Some(match rate {
            Rate::Narrow => tone.into(),
            Rate::Wide => self.doubler.take(&tone).into(),
        })
    }
}

/// The mean square of samples, exact to the noise that it is compared with.
pub(crate) fn power(samples: &[i16]) -> f32 {
    // A sixteenth of each square keeps 32 of them within 32 bits, which is done many at a time.
    let squares = |chunk: &[i16]| -> u32 {
        let square = |sample: &i16| (i32::from(*sample) * i32::from(*sample)) as u32 / 16;
        chunk.iter().map(square).sum()
    };
    let sum: u64 = samples
        .chunks(32)
        .map(|chunk| u64::from(squares(chunk)))
        .sum();
    (sum * 16) as f32 / samples.len().max(1) as f32
}

fn add(sum: &mut [i32; WIDE_FRAME], samples: &[i16]) {
    for (sum, &sample) in sum.iter_mut().zip(samples) {
        *sum += i32::from(sample);
    }
}

/// Lets samples grow from nothing to what they are.
fn fade<'a>(samples: impl ExactSizeIterator<Item = &'a mut i16>) {
    let len = samples.len() as i32;
    for (at, sample) in samples.enumerate() {
        *sample = (i32::from(*sample) * at as i32 / len) as i16;
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
    use crate::activity;
    use crate::goertzel::{hears, level};
    use crate::tone::{Oscillator, amplitude};
    use crate::{FRAME, Wide};
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// A room whose members say what is put down for them, each beat anew.
    #[derive(Default)]
    struct Meeting {
        room: Room,
        rate: Rate,
        said: HashMap<Seat, Frame>,
    }

    impl Meeting {
        fn of(talkers: u64) -> Self {
            let mut meeting = Self::default();
            for seat in 0..talkers {
                meeting.room.join(Seat(seat), true);
            }
            meeting
        }

        fn say(&mut self, seat: u64, frame: impl Into<Frame>) {
            self.said.insert(Seat(seat), frame.into());
        }

        fn beat(&mut self) {
            let said = std::mem::take(&mut self.said);
            self.room.beat(self.rate, |seat| said.get(&seat));
        }

        fn heard(&mut self, seat: u64) -> Frame {
            let own = self.room.own(Seat(seat));
            own.unwrap_or_else(|| *self.room.everything().frame())
        }

        fn speakers(&self) -> Vec<u64> {
            self.room.speakers().map(|seat| seat.0).collect()
        }
    }

    fn level_of(level: i16) -> Frame {
        [level; FRAME].into()
    }

    #[test]
    fn everybody_hears_all_but_itself() {
        let mut meeting = Meeting::of(3);
        for (seat, level) in [100, 20, 3].into_iter().enumerate() {
            meeting.say(seat as u64, level_of(level));
        }
        meeting.beat();
        assert_eq!(
            [0, 1, 2].map(|seat| meeting.heard(seat).samples()[80]),
            [23, 103, 120]
        );
    }

    #[test]
    fn who_left_or_only_listens_is_not_heard() {
        let mut meeting = Meeting::of(3);
        meeting.room.join(Seat(1), false);
        meeting.room.leave(Seat(2));
        for (seat, level) in [(0, 100), (1, 20), (2, 3)] {
            meeting.say(seat, level_of(level));
        }
        meeting.beat();
        assert_eq!(meeting.heard(0), Frame::SILENCE);
        assert_eq!(meeting.heard(1), level_of(100));
        meeting.room.join(Seat(1), true);
        meeting.say(1, level_of(20));
        meeting.beat();
        assert_eq!(meeting.heard(0), level_of(20));
        assert_eq!(meeting.room.members(), 2);
    }

    #[test]
    fn a_beat_keeps_nothing_of_the_one_before() {
        let mut meeting = Meeting::of(2);
        meeting.say(0, level_of(50));
        meeting.beat();
        assert_eq!(meeting.heard(1), level_of(50));
        meeting.beat();
        assert_eq!(meeting.heard(1), Frame::SILENCE);
    }

    #[test]
    fn tones_follow_one_another() {
        let mut meeting = Meeting::of(2);
        meeting.room.announce(Tone::Ringing);
        meeting.room.announce(Tone::Joined);
        meeting.room.announce(Tone::Left);
        let mut sound = Vec::new();
        for _ in 0..30 {
            meeting.beat();
            sound.extend(meeting.heard(0).samples());
        }
        assert!(hears(&sound[..900], 660) && hears(&sound[1000..2200], 880));
        assert!(hears(&sound[2240..3200], 880) && hears(&sound[3300..4400], 660));
        assert!(sound[4640..].iter().all(|&sample| sample == 0));
    }

    #[test]
    fn quiet_lines_of_a_crowd_are_left_out() {
        let mut meeting = Meeting::of(50);
        for seat in 0..50 {
            meeting.say(seat, level_of(20));
        }
        meeting.beat();
        assert_eq!(meeting.heard(0), Frame::SILENCE);
        meeting.say(7, level_of(3000));
        meeting.beat();
        assert_eq!(meeting.heard(0), level_of(3000));
        assert_eq!(meeting.heard(7), Frame::SILENCE);
    }

    #[test]
    fn the_noise_that_is_left_out_is_that_of_a_line() {
        for (dbm0, heard) in [(-51.0, false), (-49.0, true)] {
            let mut oscillator = Oscillator::new(1000.0);
            let frame: Narrow =
                std::array::from_fn(|_| (oscillator.next() * amplitude(dbm0)) as i16);
            assert!((activity::level(&frame) - dbm0).abs() < 0.5);
            assert_eq!(power(&frame) > NOISE, heard, "{dbm0} dBm0");
        }
        assert!((power(&[i16::MIN; WIDE_FRAME]) - 1_073_741_824.0).abs() < 1.0);
        assert!(power(&[]) < NOISE);
    }

    #[test]
    fn the_loudest_of_a_crowd_are_heard_and_the_earliest_stay() {
        let mut meeting = Meeting::of(20);
        let all_speak = |meeting: &mut Meeting, loud: &[u64]| {
            for seat in 0..20 {
                let level = if loud.contains(&seat) { 9000 } else { 3000 };
                meeting.say(seat, level_of(level));
            }
            meeting.beat();
        };
        for _ in 0..50 {
            all_speak(&mut meeting, &[]);
        }
        assert_eq!(meeting.speakers(), [0, 1, 2, 3, 4], "all are alike");
        for _ in 0..10 {
            all_speak(&mut meeting, &[9, 17]);
        }
        assert_eq!(
            meeting.speakers(),
            [0, 1, 2, 9, 17],
            "two shout, and the last of those who came before go"
        );
        for _ in 0..200 {
            all_speak(&mut meeting, &[9, 17]);
        }
        assert_eq!(meeting.speakers(), [0, 1, 2, 9, 17]);
    }

    #[test]
    fn a_pause_between_words_keeps_the_place_and_a_long_one_frees_it() {
        let mut meeting = Meeting::of(20);
        for seat in 0..5 {
            meeting.say(seat, level_of(3000));
        }
        meeting.beat();
        for _ in 0..HANGOVER - 1 {
            meeting.beat();
        }
        assert_eq!(meeting.speakers(), [0, 1, 2, 3, 4]);
        meeting.beat();
        assert!(meeting.speakers().is_empty());
        meeting.say(11, level_of(3000));
        meeting.beat();
        assert_eq!(meeting.heard(0), level_of(3000), "from its first beat on");
    }

    #[test]
    fn who_takes_a_place_is_faded_in_and_the_other_out() {
        let mut meeting = Meeting::of(6);
        let mut heard = Vec::new();
        for beat in 0..20 {
            for seat in 1..6 {
                meeting.say(seat, level_of(1000));
            }
            meeting.say(0, level_of(if beat < 10 { 0 } else { 8000 }));
            meeting.beat();
            heard.extend_from_slice(meeting.room.everything().frame().samples());
        }
        assert_eq!((heard[0], heard[19 * FRAME]), (5000, 12_000));
        let step = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max();
        assert!(step <= Some(100), "steps of {step:?}");
    }

    #[test]
    fn a_hundred_that_come_and_go_leave_no_trace_in_what_others_hear() {
        let mut oscillator = Oscillator::new(1000.0);
        let mut meeting = Meeting::of(3);
        let (mut said, mut heard) = (Vec::new(), Vec::new());
        for beat in 0..60 {
            if beat == 20 {
                for seat in 100..200 {
                    meeting.room.join(Seat(seat), true);
                }
            }
            if beat == 40 {
                for seat in 100..200 {
                    meeting.room.leave(Seat(seat));
                }
            }
            let frame: Narrow = std::array::from_fn(|_| (oscillator.next() * 8000.0) as i16);
            said.extend(frame);
            meeting.say(0, frame);
            for seat in 100..200 {
                meeting.say(seat, level_of(9));
            }
            meeting.beat();
            heard.extend_from_slice(meeting.heard(1).samples());
        }
        assert_eq!(heard, said);
    }

    #[test]
    fn a_wideband_room_mixes_both_rates() {
        let mut meeting = Meeting::of(4);
        meeting.rate = Rate::Wide;
        let (mut low, mut high) = (Oscillator::new(1000.0), Oscillator::new(3000.0));
        let (mut wide, mut narrow) = (Vec::new(), Vec::new());
        for _ in 0..25 {
            let frame: Narrow = std::array::from_fn(|_| (low.next() * 8000.0) as i16);
            meeting.say(0, frame);
            // 6 kHz: twice as many samples of half the step.
            let frame: Wide = std::array::from_fn(|_| (high.next() * 8000.0) as i16);
            meeting.say(2, frame);
            meeting.beat();
            wide.extend_from_slice(meeting.heard(3).samples());
            narrow.extend_from_slice(meeting.heard(2).samples());
        }
        assert_eq!(wide.len(), 25 * WIDE_FRAME);
        let last = &wide[20 * WIDE_FRAME..];
        // Goertzel counts in 8 kHz.
        assert!(level(last, 500) > -20.0 && level(last, 3000) > -20.0);
        let last = &narrow[20 * WIDE_FRAME..];
        assert!(level(last, 500) > -20.0 && level(last, 3000) < -50.0);
        meeting.rate = Rate::Narrow;
        meeting.beat();
        assert_eq!(meeting.heard(0).rate(), Rate::Narrow);
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
            levels in proptest::collection::vec(any::<i16>(), 2..=MAX_SPEAKERS),
        ) {
            let mut meeting = Meeting::of(levels.len() as u64);
            for (seat, &level) in levels.iter().enumerate() {
                meeting.say(seat as u64, level_of(level));
            }
            meeting.beat();
            let total: i32 = levels.iter().map(|&level| i32::from(level)).sum();
            for (seat, &level) in levels.iter().enumerate() {
                let heard = meeting.heard(seat as u64).samples()[0];
                prop_assert_eq!(heard, limit(total - i32::from(level)));
            }
        }

        #[test]
        fn any_crowd_has_few_speakers_and_each_hears_the_others(
            beats in proptest::collection::vec(
                proptest::collection::vec((0..30_u64, any::<i16>(), any::<bool>()), 0..30),
                1..30,
            ),
        ) {
            let mut meeting = Meeting::of(10);
            for beat in beats {
                for (seat, level, stays) in beat {
                    if stays {
                        if seat >= 10 {
                            meeting.room.join(Seat(seat), level % 2 == 0);
                        }
                        meeting.say(seat, level_of(level));
                    } else {
                        meeting.room.leave(Seat(seat));
                    }
                }
                meeting.beat();
                let speakers = meeting.speakers();
                prop_assert!(speakers.len() <= MAX_SPEAKERS, "{:?}", speakers);
                for seat in 0..30 {
                    prop_assert_eq!(meeting.heard(seat).samples().len(), FRAME);
                }
            }
        }
    }
}
