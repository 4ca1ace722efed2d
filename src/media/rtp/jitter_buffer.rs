//! The jitter buffer: packets in as they come, in order and in time on the beat.

use super::{Header, Packet};
use std::collections::VecDeque;
use std::time::Duration;

/// Packets that wait at most: 512 ms of 8 ms each.
const MOST_WAITING: usize = 64;

/// A packet further than this from where playing stands belongs to another clock: 512 ms.
const REACH: Duration = Duration::from_millis(512);

/// The longest delay of the packet that was fastest on its way.
const MAX_DELAY: Duration = Duration::from_millis(300);

/// Delay with which a stream is begun, in beats: one for the phase between sender and beat and one
/// for jitter.
const FIRST_DELAY: i32 = 2;

/// Packets by which the delay is judged: 5 s. All but one of them are to be in time: by the E-model a
/// lost packet in a hundred costs as much as 150 ms of delay.
const WINDOW: usize = 256;

/// While fewer have come, all of them are to be in time.
const YOUNG: usize = 64;

/// Packets after which the wanted delay is looked at again, when none was late.
const REVIEW: u32 = 8;

/// Beats between two that are left out in silence.
const APART: u32 = 5;

/// Beats until one is left out of speech, while the delay is a little or [`MUCH`] too long.
const PATIENCE: u32 = 200;
const IMPATIENCE: u32 = 25;

/// Beats by which a delay is much too long.
const MUCH: i32 = 6;

/// Beats without any packet that are taken for losses; after them the sender is taken for silent.
const LOST_AT_MOST: u32 = 10;

/// Packets by which a straggler may be behind.
const STRAGGLER: u16 = 100;

/// What a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sound of the agreed codec.
    Sound,
    /// Comfort noise (RFC 3389), or a codec's own sign of silence: nothing is expected after it
    /// until sound comes again.
    ComfortNoise,
}

/// What is to be heard next.
///
/// *Units*: ticks of the RTP clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken<'a> {
    /// A packet's sound.
    Sound(&'a [u8]),
    /// A packet's comfort noise.
    ComfortNoise(&'a [u8]),
    /// A packet was expected and is not there: to be concealed.
    Lost {
        /// For how long.
        ticks: u32,
    },
    /// The delay grows: what was heard last is to be drawn out.
    Stretch {
        /// For how long.
        ticks: u32,
    },
    /// Nothing was sent: silence, or the comfort noise of before.
    Nothing {
        /// For how long.
        ticks: u32,
    },
}

/// What was counted since the leg began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that were not there when they were to be heard, late ones included.
    pub lost: u64,
    /// Packets that came too late to be heard, or did not fit.
    pub late: u64,
    /// Packets that came again.
    pub duplicate: u64,
    /// Packets that came after one that was sent later.
    pub reordered: u64,
}

/// Holds the packets of one stream until their time, whatever their codec and length.
///
/// Time is counted in ticks of the stream's clock. A packet's *transit* is the beat on which it can
/// be heard at the earliest less its timestamp, counted from the first packet's; the *delay* is the
/// same for where playing stands. A packet whose transit is not above the delay is in time. The
/// delay follows the transits of the last five seconds: it grows at once, by playing a late packet
/// late where nothing newer was heard yet, else by drawing out a beat; it shrinks where nobody
/// notices, in pauses, losses and silence, and slowly anywhere else.
///
/// An empty buffer takes no memory, and a running one allocates nothing more.
#[derive(Debug)]
pub struct JitterBuffer {
    clock_rate: u32,
    stream: Option<Box<Stream>>,
    /// By timestamp.
    waiting: VecDeque<Slot>,
    /// The payload that was taken last.
    current: Vec<u8>,
    /// Payloads to be used again.
    spare: Vec<Vec<u8>>,
    counts: Counts,
}

#[derive(Debug)]
struct Slot {
    timestamp: u32,
    sequence: u16,
    ticks: u32,
    kind: Kind,
    payload: Vec<u8>,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    /// Ticks of one beat.
    beat: u32,
    /// Time by the beats.
    clock: u32,
    /// Timestamp of what is to be taken next.
    next: u32,
    delay: i32,
    target: i32,
    arrivals: Arrivals,
    numbers: Numbers,
    /// Sequence number of the packet taken last; `None` before the first.
    last: Option<u16>,
    /// The sender said that it is silent.
    silent: bool,
    /// Beats that were not there, one after the other.
    dry: u32,
    /// Beats since the delay was made shorter.
    kept: u32,
    /// The next take draws a beat out.
    stretch: bool,
}

/// The transits of the last packets.
#[derive(Debug)]
struct Arrivals {
    transits: [i32; WINDOW],
    len: usize,
    at: usize,
    shortest: i32,
    since_review: u32,
}

impl Arrivals {
    fn note(&mut self, transit: i32) {
        self.transits[self.at] = transit;
        self.at = (self.at + 1) % WINDOW;
        self.len = (self.len + 1).min(WINDOW);
        self.shortest = self.shortest.min(transit);
        self.since_review += 1;
    }

    /// The longest transit that is to be in time.
    fn longest_wanted(&mut self) -> i32 {
        self.since_review = 0;
        let (mut first, mut second) = (i32::MIN, i32::MIN);
        self.shortest = i32::MAX;
        for &transit in &self.transits[..self.len] {
            self.shortest = self.shortest.min(transit);
            second = second.max(transit.min(first));
            first = first.max(transit);
        }
        if self.len < YOUNG { first } else { second }
    }
}

/// Which of the last 64 sequence numbers have come.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    highest: u16,
    /// Bit n: `highest - n` came.
    seen: u64,
}

impl Numbers {
    fn behind(self, sequence: u16) -> u16 {
        self.highest.wrapping_sub(sequence)
    }

    /// A later number has come.
    fn is_behind(self, sequence: u16) -> bool {
        self.seen > 0 && self.behind(sequence) < 0x8000 && sequence != self.highest
    }

    fn has(self, sequence: u16) -> bool {
        let behind = self.behind(sequence);
        behind < 64 && self.seen >> behind & 1 == 1
    }

    fn note(&mut self, sequence: u16) {
        let ahead = sequence.wrapping_sub(self.highest);
        if (1..0x8000).contains(&ahead) {
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.highest = sequence;
        } else if self.behind(sequence) < 64 {
            self.seen |= 1 << self.behind(sequence);
        }
    }

    /// How many between two numbers have not come.
    fn missing(self, from: u16, to: u16) -> u16 {
        let between = to.wrapping_sub(from).wrapping_sub(1);
        if between >= 64 {
            // A jump, or too long ago to be known.
            return if between < STRAGGLER { between } else { 0 };
        }
        let missing = (1..=between).filter(|&step| !self.has(from.wrapping_add(step)));
        missing.count() as u16
    }
}

impl JitterBuffer {
    /// An empty buffer for streams with this RTP clock.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            stream: None,
            waiting: VecDeque::new(),
            current: Vec::new(),
            spare: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Forgets what is in it, for a stream with this RTP clock; what was counted stays.
    pub fn reset(&mut self, clock_rate: u32) {
        let counts = self.counts;
        *self = Self {
            counts,
            ..Self::new(clock_rate)
        };
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How long the packet that is fastest on its way waits.
    pub fn delay(&self) -> Duration {
        let ticks = self.stream.as_ref().map_or(0, |stream| {
            stream.delay.saturating_sub(stream.arrivals.shortest).max(0)
        });
        let micros = u64::from(ticks.unsigned_abs()) * 1_000_000 / u64::from(self.clock_rate);
        Duration::from_micros(micros)
    }

    fn ticks(&self, time: Duration) -> i32 {
        (time.as_millis() as u32 * (self.clock_rate / 1000)) as i32
    }

    /// Takes a packet whose sound is this many ticks of the RTP clock long.
    pub fn insert(&mut self, packet: &Packet<'_>, ticks: u32, kind: Kind) {
        let header = &packet.header;
        let (reach, most) = (self.ticks(REACH), self.ticks(MAX_DELAY));
        let ticks = ticks.min(reach.unsigned_abs());
        if !self.belongs(header, reach - ticks as i32, most) {
            self.begin(header);
        }
        let Some(stream) = &mut self.stream else {
            return;
        };
        if stream.numbers.has(header.sequence) {
            self.counts.duplicate += 1;
            return;
        }
        stream.learn(stream.transit(header.timestamp), most);
        self.counts.reordered += u64::from(stream.numbers.is_behind(header.sequence));
        stream.numbers.note(header.sequence);
        let ahead = stream.ahead(header.timestamp);
        if ahead < 0 {
            if !stream.is_newer(header.sequence) {
                self.counts.late += 1;
                return;
            }
            // Nothing newer was heard: it is heard late, and so are all that follow it.
            stream.next = header.timestamp;
            stream.delay -= ahead;
        }
        let excess = stream.delay - stream.arrivals.shortest - most;
        if excess > 0 {
            stream.leave_out(excess.unsigned_abs());
        }
        self.keep(packet, ticks, kind);
    }

    /// Whether a packet goes on with the stream. A jump of the clock does not, and neither does a
    /// packet so late that the delay would be too long, or the first after a pause in which the
    /// sender's clock stood still.
    fn belongs(&self, header: &Header, furthest: i32, most: i32) -> bool {
        let Some(stream) = self.stream.as_ref().filter(|it| it.ssrc == header.ssrc) else {
            return false;
        };
        let ahead = stream.ahead(header.timestamp);
        let within_reach = (-self.ticks(REACH)..=furthest).contains(&ahead);
        if ahead >= 0 || !within_reach || !stream.is_newer(header.sequence) {
            return within_reach;
        }
        let resumes =
            header.marker && self.waiting.is_empty() && ahead < -FIRST_DELAY * stream.beat as i32;
        !resumes && stream.delay - ahead - stream.arrivals.shortest <= most
    }

    /// Notes a packet of the stream that is not sound (a telephone-event): its number is not
    /// missing.
    pub fn pass(&mut self, header: &Header) {
        if let Some(stream) = &mut self.stream
            && stream.ssrc == header.ssrc
        {
            stream.numbers.note(header.sequence);
        }
    }

    /// Begins a stream at a packet.
    fn begin(&mut self, first: &Header) {
        let beat = self.clock_rate / 50;
        let delay = FIRST_DELAY * beat as i32;
        self.spare
            .extend(self.waiting.drain(..).map(|slot| slot.payload));
        self.stream = Some(Box::new(Stream {
            ssrc: first.ssrc,
            beat,
            clock: first.timestamp.wrapping_sub(beat),
            next: first.timestamp.wrapping_sub(delay as u32),
            delay,
            target: beat as i32,
            arrivals: Arrivals {
                transits: [0; WINDOW],
                len: 0,
                at: 0,
                shortest: i32::MAX,
                since_review: 0,
            },
            numbers: Numbers {
                highest: first.sequence,
                seen: 0,
            },
            last: None,
            silent: false,
            dry: 0,
            kept: 0,
            stretch: false,
        }));
    }

    /// Puts a packet to its place.
    fn keep(&mut self, packet: &Packet<'_>, ticks: u32, kind: Kind) {
        let header = &packet.header;
        if self.waiting.len() >= MOST_WAITING {
            self.counts.late += 1;
            return;
        }
        let mut payload = self.spare.pop().unwrap_or_default();
        payload.clear();
        payload.extend_from_slice(packet.payload);
        let slot = Slot {
            timestamp: header.timestamp,
            sequence: header.sequence,
            ticks,
            kind,
            payload,
        };
        let is_before = |other: &Slot| other.timestamp.wrapping_sub(header.timestamp) as i32 > 0;
        let after = self
            .waiting
            .iter()
            .rev()
            .take_while(|other| is_before(other));
        let at = self.waiting.len() - after.count();
        self.waiting.insert(at, slot);
    }

    /// 20 ms have passed. `quiet`: what was heard last is no speech, so that a beat may be left out.
    pub fn beat(&mut self, quiet: bool) {
        if let Some(stream) = &mut self.stream {
            stream.beat(quiet);
        }
    }

    /// The sound that follows directly what was taken last, when it has come already: after a loss
    /// it may tell of what was lost.
    pub fn following(&self) -> Option<&[u8]> {
        let stream = self.stream.as_ref()?;
        let front = self.waiting.front()?;
        let follows = front.kind == Kind::Sound && stream.ahead(front.timestamp) == 0;
        follows.then_some(&front.payload)
    }

    /// Takes what is to be heard next; to be called until there is sound for 20 ms.
    pub fn take(&mut self) -> Taken<'_> {
        let Some(stream) = &mut self.stream else {
            let ticks = self.clock_rate / 50;
            return Taken::Nothing { ticks };
        };
        let beat = stream.beat;
        if std::mem::take(&mut stream.stretch) {
            stream.delay += beat as i32;
            return Taken::Stretch { ticks: beat };
        }
        loop {
            let Some(front) = self.waiting.front() else {
                stream.next = stream.next.wrapping_add(beat);
                stream.dry = stream.dry.saturating_add(1);
                let expected = stream.last.is_some() && !stream.silent;
                return if expected && stream.dry <= LOST_AT_MOST {
                    Taken::Lost { ticks: beat }
                } else {
                    Taken::Nothing { ticks: beat }
                };
            };
            let ahead = stream.ahead(front.timestamp);
            if ahead > 0 {
                let ticks = ahead.unsigned_abs().min(beat);
                let missing = stream
                    .last
                    .is_some_and(|last| stream.numbers.missing(last, front.sequence) > 0);
                if stream.delay - stream.target > beat as i32 && stream.last.is_some() {
                    stream.leave_out(ticks);
                    continue;
                }
                stream.next = stream.next.wrapping_add(ticks);
                return if missing {
                    Taken::Lost { ticks }
                } else {
                    Taken::Nothing { ticks }
                };
            }
            let Some(slot) = self.waiting.pop_front() else {
                return Taken::Nothing { ticks: beat };
            };
            let missing = stream
                .last
                .map_or(0, |last| stream.numbers.missing(last, slot.sequence));
            self.counts.lost += u64::from(missing);
            stream.last = Some(slot.sequence);
            let left_out = ahead + (slot.ticks as i32) <= 0 && ahead < 0;
            let old = std::mem::replace(&mut self.current, slot.payload);
            self.spare.push(old);
            if left_out {
                continue;
            }
            stream.next = slot.timestamp.wrapping_add(slot.ticks);
            stream.dry = 0;
            stream.silent = slot.kind == Kind::ComfortNoise;
            return match slot.kind {
                Kind::Sound => Taken::Sound(&self.current),
                Kind::ComfortNoise => Taken::ComfortNoise(&self.current),
            };
        }
    }
}

impl Stream {
    /// How far a timestamp is from what is taken next.
    fn ahead(&self, timestamp: u32) -> i32 {
        timestamp.wrapping_sub(self.next) as i32
    }

    /// Nothing that was sent later was taken.
    fn is_newer(&self, sequence: u16) -> bool {
        self.last
            .is_none_or(|last| last.wrapping_sub(sequence) >= STRAGGLER)
    }

    /// The transit of a packet that comes now: the next beat is the first that it can be heard on.
    fn transit(&self, timestamp: u32) -> i32 {
        self.clock.wrapping_add(self.beat).wrapping_sub(timestamp) as i32
    }

    fn learn(&mut self, transit: i32, most: i32) {
        let fastest = transit < self.arrivals.shortest;
        self.arrivals.note(transit);
        if fastest || transit > self.target || self.arrivals.since_review >= REVIEW {
            let longest = self.arrivals.longest_wanted();
            let shortest = self.arrivals.shortest;
            // Even without jitter, sender and beat may slip past each other.
            let least = shortest.saturating_add(self.beat as i32);
            self.target = longest.clamp(least, shortest.saturating_add(most));
        }
    }

    fn beat(&mut self, quiet: bool) {
        let beat = self.beat as i32;
        self.clock = self.clock.wrapping_add(self.beat);
        self.kept = self.kept.saturating_add(1);
        let excess = self.delay - self.target;
        self.stretch = excess < 0 && self.last.is_some() && self.dry == 0;
        let patience = if quiet {
            APART
        } else if excess > MUCH * beat {
            IMPATIENCE
        } else {
            PATIENCE
        };
        if excess > beat && self.kept >= patience {
            self.leave_out(self.beat);
        }
    }

    /// Goes on further ahead: the delay is so much shorter.
    fn leave_out(&mut self, ticks: u32) {
        self.next = self.next.wrapping_add(ticks);
        self.delay -= ticks as i32;
        self.kept = 0;
    }
}

#[cfg(test)]
mod tests;
