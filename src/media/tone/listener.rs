//! Hears the tones of networks, fax machines and answering machines in a leg's sound.

use crate::{Narrow, SAMPLE_RATE, activity};

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heard {
    /// The called line is busy: equal tones and pauses, slowly.
    Busy,
    /// The network can't connect: equal tones and pauses, fast, or the British rhythm.
    Congestion,
    /// Special information: three rising tones before an announcement.
    SpecialInformation,
    /// A fax machine calls (CNG): 1,100 Hz for half a second, every three and a half.
    FaxCalling,
    /// A fax machine or modem answers (CED, ANS): 2,100 Hz.
    FaxAnswering,
    /// An answering machine starts to record: one steady tone, then silence.
    Beep,
}

impl Heard {
    /// Its name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Congestion => "congestion",
            Self::SpecialInformation => "special_information",
            Self::FaxCalling => "fax_calling",
            Self::FaxAnswering => "fax_answering",
            Self::Beep => "beep",
        }
    }
}

/// Sound below this is a pause, in dBm0: tones come at -10 and lose up to 25 dB.
const PAUSE: f32 = -40.0;

/// The least share of a frame's energy that its one tone has, or its pair.
const PURE: f32 = 0.85;
const PURE_PAIR: f32 = 0.8;

/// Frames of an edge between two sounds at most.
const EDGE: u32 = 4;

/// Frames of speech after which a low tone may be a beep: 1 s.
const SPOKEN: u32 = 50;

/// Frames of one kind that are remembered.
const SPANS: usize = 6;

/// The two tones of busy and reorder in North America.
///
/// *Source*: E.180 Supplement 2, United States.
const AMERICAN: [f32; 2] = [480.0, 620.0];

/// What fills a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Pause,
    /// One frequency, in hertz.
    Tone(f32),
    /// [`AMERICAN`].
    Pair,
    Other,
}

impl Kind {
    /// The same sound going on. Frames that are not full measure low frequencies less well.
    fn continues(self, before: Self) -> bool {
        match (self, before) {
            (Self::Tone(hertz), Self::Tone(last)) => (hertz - last).abs() < 12.0 + 8000.0 / last,
            (one, other) => one == other,
        }
    }

    fn is_about(self, hertz: f32, by: f32) -> bool {
        matches!(self, Self::Tone(heard) if (heard - hertz).abs() <= by)
    }

    /// The frequencies of busy and congestion tones are 400 to 450 Hz, or the American pair.
    ///
    /// *Source*: E.180 §4.4, Supplement 2.
    fn is_progress(self) -> bool {
        self == Self::Pair || self.is_about(430.0, 60.0)
    }
}

/// Frames of one kind, one after the other.
#[derive(Clone, Copy, Debug)]
struct Span {
    kind: Kind,
    /// How many.
    frames: u32,
    /// Of the newest frame, in dBm0.
    level: f32,
    /// Of the quietest and loudest frame, but for the first and the newest.
    quietest: f32,
    loudest: f32,
}

impl Span {
    fn lasts(&self, from: u32, to: u32) -> bool {
        (from..=to).contains(&self.frames)
    }
}

/// Hears tones in the frames of one stream. A beep is told each time, all else once.
///
/// Each frame is a pause, one tone, the American pair, or something else; spans of these are held
/// against the rhythms. A single tone is found by what its samples must obey,
/// `x[n+1] + x[n-1] = 2 cos(ω) x[n]`, solved for ω so that white noise does not bias it: any
/// frequency is measured by three sums.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The newest last.
    spans: [Span; SPANS],
    /// A single frame of something else, which may be an edge or a turn of phase.
    stray: bool,
    /// Frames of anything but tones and pauses: somebody has spoken.
    speech: u32,
    told: [bool; 5],
}

impl Default for Listener {
    fn default() -> Self {
        let none = Span {
            kind: Kind::Pause,
            frames: 0,
            level: 0.0,
            quietest: f32::INFINITY,
            loudest: f32::NEG_INFINITY,
        };
        Self {
            spans: [none; SPANS],
            stray: false,
            speech: 0,
            told: [false; 5],
        }
    }
}

impl Listener {
    /// Takes a frame; answers a tone when it is sure.
    pub fn take(&mut self, frame: &Narrow) -> Option<Heard> {
        let level = activity::level(frame);
        let begins = self.extend(kind_of(frame, level), level);
        let heard = if begins { self.rhythm() } else { self.judge() }?;
        let told = match heard {
            Heard::Beep => return Some(heard),
            Heard::Busy => 0,
            Heard::Congestion => 1,
            Heard::SpecialInformation => 2,
            Heard::FaxCalling => 3,
            Heard::FaxAnswering => 4,
        };
        (!std::mem::replace(&mut self.told[told], true)).then_some(heard)
    }

    /// Notes a frame; answers whether something new begins with it.
    fn extend(&mut self, kind: Kind, level: f32) -> bool {
        let stray = std::mem::take(&mut self.stray);
        let last = &mut self.spans[SPANS - 1];
        if kind.continues(last.kind) {
            // What was between is an edge, or a modem's turn of phase.
            if last.frames > 1 && !stray {
                last.quietest = last.quietest.min(last.level);
                last.loudest = last.loudest.max(last.level);
            }
            if last.frames <= 2 {
                last.kind = kind;
            }
            last.frames += 1 + u32::from(stray);
            last.level = level;
            self.speech += u32::from(kind == Kind::Other);
            return false;
        }
        if kind == Kind::Other && !stray {
            self.stray = true;
            return false;
        }
        self.spans.copy_within(1.., 0);
        self.spans[SPANS - 1] = Span {
            kind,
            frames: 1 + u32::from(stray),
            level,
            quietest: f32::INFINITY,
            loudest: f32::NEG_INFINITY,
        };
        true
    }

    /// What the present span shows, on the frame that makes it sure.
    fn judge(&self) -> Option<Heard> {
        let [.., tone, last] = &self.spans;
        if self.stray {
            return None;
        }
        // V.25 §3: 2,100 Hz ± 15 for at least 2.6 s; half of the shortest is enough to be sure.
        if last.kind.is_about(2100.0, 25.0) {
            return last.lasts(60, 61).then_some(Heard::FaxAnswering);
        }
        // E.180 §7: 950, 1400 and 1800 Hz ± 50, 330 ms ± 70 each, up to 30 ms apart.
        if last.kind.is_about(1800.0, 60.0) {
            let told = last.lasts(10, 11) && self.rises();
            return told.then_some(Heard::SpecialInformation);
        }
        if last.kind != Kind::Pause {
            return None;
        }
        // T.30 §4.3.3.3: 1,100 Hz ± 38 for 0.5 s ± 15 %, then 3 s of silence.
        if tone.kind.is_about(1100.0, 45.0) && tone.lasts(19, 31) {
            return last.lasts(100, 101).then_some(Heard::FaxCalling);
        }
        self.is_beep(tone, last).then_some(Heard::Beep)
    }

    /// What two whole periods of tone and pause are, when a third begins.
    fn rhythm(&self) -> Option<Heard> {
        let [.., on, off, next, next_off, last] = &self.spans;
        if !last.kind.continues(next.kind) {
            return None;
        }
        rhythm(on, off, next, next_off)
    }

    /// The spans before the last one, newest first, without the edges between them.
    fn before_last(&self) -> impl Iterator<Item = &Span> {
        let before = self.spans[..SPANS - 1].iter().rev();
        before.filter(|span| span.frames > EDGE)
    }

    /// Two of the three tones of special information were heard before the present one.
    fn rises(&self) -> bool {
        let mut before = self.before_last();
        let is = |span: Option<&Span>, hertz: f32| {
            span.is_some_and(|span| span.kind.is_about(hertz, 60.0) && span.lasts(10, 24))
        };
        is(before.next(), 1400.0) && is(before.next(), 950.0)
    }

    /// A steady tone has ended, and is not one of another signal.
    fn is_beep(&self, tone: &Span, pause: &Span) -> bool {
        let Kind::Tone(hertz) = tone.kind else {
            return false;
        };
        // Busy tones begin so; but their pauses are shorter, and nobody speaks before.
        let may_be_progress = tone.kind.is_progress();
        let wait = if may_be_progress { 45 } else { 10 };
        let follows_tone = self
            .before_last()
            .nth(1)
            .is_some_and(|span| matches!(span.kind, Kind::Tone(_) | Kind::Pair));
        pause.frames == wait
            && (self.speech >= SPOKEN || !may_be_progress)
            && tone.lasts(5, 100)
            && (350.0..2700.0).contains(&hertz)
            && tone.loudest - tone.quietest <= 3.0
            && !follows_tone
    }
}

/// Which signal two periods of tone and pause are.
fn rhythm(on: &Span, off: &Span, next: &Span, next_off: &Span) -> Option<Heard> {
    let is_rhythm = on.kind.is_progress()
        && next.kind.continues(on.kind)
        && off.kind == Kind::Pause
        && next_off.kind == Kind::Pause;
    if !is_rhythm {
        return None;
    }
    let near = |one: u32, other: u32| one.abs_diff(other) <= 2;
    let period = on.frames + off.frames;
    // E.180 Supplement 2, United Kingdom: 400 on, 350 off, 225 on, 525 off.
    let british = |on: &Span, off: &Span, next: &Span, next_off: &Span| {
        near(on.frames, 20)
            && near(off.frames, 17)
            && near(next.frames, 11)
            && near(next_off.frames, 26)
    };
    if british(on, off, next, next_off) || british(next, next_off, on, off) {
        return Some(Heard::Congestion);
    }
    // E.180 §4.4: periods of 300 to 1,100 ms, tone to pause 0.67 to 1.5.
    let even = near(on.frames, next.frames)
        && near(off.frames, next_off.frames)
        && on.frames * 2 <= off.frames * 3 + 4
        && off.frames * 2 <= on.frames * 3 + 4;
    match period {
        14..28 if even => Some(Heard::Congestion),
        28..=56 if even => Some(Heard::Busy),
        _ => None,
    }
}

fn kind_of(frame: &Narrow, level: f32) -> Kind {
    if level < PAUSE {
        return Kind::Pause;
    }
    if let Some(hertz) = single_tone(frame) {
        return Kind::Tone(hertz);
    }
    let total: f32 = frame.iter().map(|&it| f32::from(it) * f32::from(it)).sum();
    let [low, high] = AMERICAN.map(|hertz| energy(frame, hertz));
    let even = low < 4.0 * high && high < 4.0 * low;
    if even && low + high >= PURE_PAIR * total {
        return Kind::Pair;
    }
    Kind::Other
}

/// The frequency of a frame that is one tone.
///
/// *Source*: V. F. Pisarenko, The Retrieval of Harmonics from a Covariance Function (1973), for one
/// real sine: minimises the noise that explains the samples.
fn single_tone(frame: &Narrow) -> Option<f32> {
    let (mut own, mut cross, mut both) = (0.0_f32, 0.0_f32, 0.0_f32);
    for window in frame.windows(3) {
        let middle = f32::from(window[1]);
        let around = f32::from(window[0]) + f32::from(window[2]);
        own += middle * middle;
        cross += middle * around;
        both += around * around;
    }
    // The root of 2 cross c² + (2 own - both) c - cross = 0 that has the least noise, written so that
    // nothing is lost near 2,000 Hz, where it is 0.
    let difference = both - 2.0 * own;
    let root = (difference * difference + 8.0 * cross * cross).sqrt();
    let cosine = if difference < 0.0 {
        2.0 * cross / (root - difference)
    } else {
        (difference + root) / (4.0 * cross)
    };
    if !cosine.is_finite() || cosine.abs() >= 1.0 {
        return None;
    }
    let hertz = cosine.acos() * SAMPLE_RATE as f32 / std::f32::consts::TAU;
    let total: f32 = frame.iter().map(|&it| f32::from(it) * f32::from(it)).sum();
    (energy(frame, hertz) >= PURE * total).then_some(hertz)
}

/// The energy of one frequency in a frame.
fn energy(frame: &Narrow, hertz: f32) -> f32 {
    let coefficient = 2.0 * (std::f32::consts::TAU * hertz / SAMPLE_RATE as f32).cos();
    let (mut before, mut last) = (0.0_f32, 0.0_f32);
    for &sample in frame {
        let next = f32::from(sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    power * 2.0 / frame.len() as f32
}

#[cfg(test)]
mod tests;
