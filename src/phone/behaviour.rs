//! What a test phone does in a call, as plain data.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use strowger_media::dtmf;

/// What the phone does in one call. The default answers at once, is silent, and hangs up never.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// What becomes of a call that comes in.
    pub answer: Answer,
    /// Keys that it presses, in this order.
    pub press: Vec<Press>,
    /// What it says from the answer on.
    pub say: Say,
    /// When it puts the far end on hold.
    pub hold: Option<Hold>,
    /// When it hangs up, counted from the answer; absent: the far end has to.
    pub hang_up_after: Option<Duration>,
    /// What becomes of that which it hears.
    pub record: Record,
}

/// What becomes of a call that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Rings, then answers.
    After(Duration),
    /// Is refused with this SIP status.
    Refuse(u16),
    /// Rings for ever.
    Never,
}

impl Default for Answer {
    fn default() -> Self {
        Self::After(Duration::ZERO)
    }
}

/// Keys, and when they are pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub keys: String,
    /// When.
    pub when: When,
}

/// When keys are pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the answer.
    After(Duration),
    /// When the far end has said something and then paused.
    Pause,
}

/// What the phone says.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Say {
    /// Silence.
    #[default]
    Nothing,
    /// A sine of so many hertz, without end.
    Tone(u16),
    /// A sound, once. *Shape*: 8 kHz, mono.
    Sound(Arc<[i16]>),
}

/// The far end is put on hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// So long after the answer.
    pub from: Duration,
    /// And back, so long after the answer.
    pub until: Duration,
}

/// What becomes of that which the phone hears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Record {
    /// It is forgotten.
    #[default]
    Nothing,
    /// Only its tones are told.
    Tones,
    /// It is written to this WAV file, and its tones are told.
    File(PathBuf),
}

/// An argument that can't be read; the text says what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadArgument {
    /// Not a number of seconds.
    #[error("`{0}` is not a number of seconds from 0 to 86400, such as 2.5")]
    Seconds(String),
    /// Not keys and a time.
    #[error(
        "`{0}` is not KEYS@SECONDS or KEYS@pause, with keys of 0-9 * # A-D, such as 1@3 or 42#@pause"
    )]
    Press(String),
    /// Not a span of time.
    #[error("`{0}` is not FROM-UNTIL in seconds after the answer, such as 2-5")]
    Hold(String),
    /// Not a status that refuses.
    #[error("`{0}` is not a SIP status that refuses a call: 300 to 699, such as 486")]
    Status(String),
    /// Not a frequency that a telephone carries.
    #[error("`{0}` is not a frequency of 300 to 3400 hertz")]
    Hertz(String),
}

/// Reads seconds, also parts of one.
pub(super) fn seconds(text: &str) -> Result<Duration, BadArgument> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| (0.0..=86_400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| BadArgument::Seconds(text.to_owned()))
}

/// Reads a status that refuses a call.
pub(super) fn refusal(text: &str) -> Result<u16, BadArgument> {
    text.parse()
        .ok()
        .filter(|status| (300..700).contains(status))
        .ok_or_else(|| BadArgument::Status(text.to_owned()))
}

/// Reads a frequency.
pub(super) fn hertz(text: &str) -> Result<u16, BadArgument> {
    text.parse()
        .ok()
        .filter(|hertz| (300..=3400).contains(hertz))
        .ok_or_else(|| BadArgument::Hertz(text.to_owned()))
}

impl FromStr for Press {
    type Err = BadArgument;

    fn from_str(text: &str) -> Result<Self, BadArgument> {
        let bad = || BadArgument::Press(text.to_owned());
        let (keys, when) = text.split_once('@').ok_or_else(bad)?;
        let keys = keys.to_ascii_uppercase();
        if keys.is_empty() || !keys.chars().all(|key| dtmf::code_of(key).is_some()) {
            return Err(bad());
        }
        let when = match when {
            "pause" => When::Pause,
            when => seconds(when).map(When::After).map_err(|_seconds| bad())?,
        };
        Ok(Self { keys, when })
    }
}

impl FromStr for Hold {
    type Err = BadArgument;

    fn from_str(text: &str) -> Result<Self, BadArgument> {
        let bad = || BadArgument::Hold(text.to_owned());
        let (from, until) = text.split_once('-').ok_or_else(bad)?;
        let read = |text: &str| seconds(text).map_err(|_seconds| bad());
        let (from, until) = (read(from)?, read(until)?);
        if until <= from {
            return Err(bad());
        }
        Ok(Self { from, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_pressed_after_seconds_or_at_a_pause() {
        let press = |text: &str| text.parse::<Press>();
        let after = When::After(Duration::from_millis(3500));
        assert_eq!(
            press("1@3.5"),
            Ok(Press {
                keys: "1".into(),
                when: after
            })
        );
        assert_eq!(
            press("4a#@pause"),
            Ok(Press {
                keys: "4A#".into(),
                when: When::Pause
            })
        );
        for bad in [
            "", "1", "@3", "1@", "1@soon", "x@3", "1@-1", "1@1e9", "1@NaN",
        ] {
            assert_eq!(press(bad), Err(BadArgument::Press(bad.into())));
        }
    }

    #[test]
    fn a_hold_ends_after_it_began() {
        let hold = |text: &str| text.parse::<Hold>();
        let expected = Hold {
            from: Duration::from_secs(2),
            until: Duration::from_secs(5),
        };
        assert_eq!(hold("2-5"), Ok(expected));
        for bad in ["", "2", "5-2", "2-2", "a-b"] {
            assert_eq!(hold(bad), Err(BadArgument::Hold(bad.into())));
        }
    }

    #[test]
    fn a_call_is_refused_by_a_final_status_only() {
        assert_eq!(refusal("486"), Ok(486));
        for bad in ["200", "183", "700", "busy", "-1"] {
            assert_eq!(refusal(bad), Err(BadArgument::Status(bad.into())));
        }
        assert_eq!(hertz("600"), Ok(600));
        for bad in ["0", "200", "8000", "a"] {
            assert_eq!(hertz(bad), Err(BadArgument::Hertz(bad.into())));
        }
    }
}
