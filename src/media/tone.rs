//! Call-progress tones.

/// A tone.
///
/// *Source*: ITU-T E.180 Supplement 2, United Kingdom; the others are our own signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// 400 + 450 Hz, 0.4 s on, 0.2 off, 0.4 on, 2.0 off; endless.
    Ringing,
    /// 400 Hz, 0.375 s on, 0.375 off; endless.
    Busy,
    /// 400 Hz, 0.4 s on, 0.35 off, 0.225 on, 0.525 off; endless.
    Congestion,
    /// 400 Hz without a break; endless.
    NumberUnobtainable,
    /// 1,400 Hz for 0.5 s: a recording starts.
    Beep,
    /// Two rising notes: somebody joined a conference.
    Joined,
    /// Two falling notes: somebody left it.
    Left,
    /// A sine without a break; endless. For trying lines.
    Steady {
        /// Its frequency.
        hertz: u16,
    },
}
