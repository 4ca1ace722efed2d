//! What nodes share that connect the caller to somebody: destinations, what is heard meanwhile, and
//! recording.

use super::prompt::{self, PromptSound};
use crate::call::{Effect, LegNumber, Parties, RecordingNumber, Sound, Tone};
use crate::call_plan::interpreter::DefaultEnd;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::Checker;
use crate::cause::{Cause, Outcome};
use crate::destination::Destination;
use crate::e164::{Country, E164};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// How long a destination may ring, in seconds.
pub(crate) const RING_S: RangeInclusive<u32> = 5..=300;

/// What the caller hears until somebody answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Hold {
    /// The ringing tone. A caller who was not answered before stays unanswered.
    #[default]
    Ringing,
    /// Music on hold.
    Music,
    /// Sounds, over and over.
    Sounds {
        /// 1 to 20 of them.
        sounds: Vec<PromptSound>,
    },
}

impl Hold {
    /// Lets the caller hear it; `false` when the network's own ringing tone does.
    pub(crate) fn play(&self, run: &mut Run) -> bool {
        let sounds = match self {
            Self::Ringing => {
                if !run.is_answered() {
                    return false;
                }
                vec![Sound::Tone(Tone::Ringing)]
            }
            Self::Music => vec![Sound::Music],
            Self::Sounds { sounds } => {
                let sounds = prompt::sounds(sounds, run);
                if sounds.is_empty() {
                    vec![Sound::Music]
                } else {
                    sounds
                }
            }
        };
        run.play(sounds, true);
        true
    }

    pub(crate) fn check(&self, property: &str, checker: &mut Checker<'_>) {
        if let Self::Sounds { sounds } = self {
            if sounds.is_empty() {
                checker.missing(property);
            }
            prompt::check(property, sounds, checker);
        }
    }
}

/// Whether a conversation is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingMode {
    /// It is not.
    #[default]
    Off,
    /// Both parties in one channel.
    Mixed,
    /// The caller in the left channel, the other party in the right one.
    Separate,
    /// The caller in one file, the other party in another.
    Files,
}

impl RecordingMode {
    pub(crate) fn check(self, checker: &mut Checker<'_>) {
        let permitted = self == Self::Off || checker.permissions().recording;
        checker.permission(permitted, "recording", "recording");
    }
}

/// Lets the caller and an answered leg hear each other, and begins the recording.
pub(crate) fn connect(
    leg: LegNumber,
    recording: RecordingMode,
    run: &mut Run,
) -> Option<RecordingNumber> {
    run.answer();
    run.push(Effect::Bridge {
        a: LegNumber::A,
        b: leg,
    });
    match recording {
        RecordingMode::Off => None,
        RecordingMode::Mixed => Some(run.record(leg, Parties::Mixed)),
        RecordingMode::Separate => Some(run.record(leg, Parties::Channels)),
        RecordingMode::Files => Some(run.record(leg, Parties::Files)),
    }
}

/// The other party has hung up: ends the recording.
pub(crate) fn disconnect(recording: Option<RecordingNumber>, run: &mut Run) {
    if let Some(recording) = recording {
        run.push(Effect::StopRecording { recording });
    }
}

/// The branch for a destination that did not answer.
pub(crate) fn branch_for(cause: Cause) -> &'static str {
    match cause.outcome(false) {
        Outcome::Engaged => "busy",
        Outcome::Failed if cause != Cause::RecoveryOnTimer => "failed",
        Outcome::Unanswered | Outcome::Failed | Outcome::Answered => "no_reply",
    }
}

/// How a call ends whose destination did not answer.
pub(crate) fn end_for(cause: Cause) -> DefaultEnd {
    let tone = match cause {
        Cause::UnallocatedNumber | Cause::InvalidNumberFormat | Cause::NumberChanged => {
            Tone::NumberUnobtainable
        }
        _ if branch_for(cause) == "failed" => Tone::Congestion,
        _ => Tone::Busy,
    };
    (cause, Some(tone))
}

/// A literal destination: E.164 with `+`, spaces allowed, or a SIP URI.
pub(crate) fn literal_destination(text: &str) -> Option<Destination> {
    let text = text.trim();
    let is_whole = text.starts_with('+') || text.starts_with("sip:");
    is_whole.then(|| destination(text)).flatten()
}

/// A destination out of a variable: also a national number of the United Kingdom, as callers key
/// it.
pub(crate) fn destination(text: &str) -> Option<Destination> {
    Destination::read(text, Country::GB).ok()
}

/// The destination of a setting, as it is dialled.
pub(crate) fn dialled(setting: &Setting<String>, run: &Run) -> Option<String> {
    let destination = match setting {
        Setting::Literal(text) => literal_destination(text),
        Setting::Variable(name) => run.variables.read(name, destination),
    };
    destination.map(|destination| destination.to_string())
}

/// A telephone number: E.164 with `+`, spaces allowed.
pub(crate) fn number(text: &str) -> Option<E164> {
    let text = text.trim();
    text.starts_with('+')
        .then(|| E164::read(text, Country::GB).ok())
        .flatten()
}

/// The name of a room or queue: 1 to 100 characters, none of them a control character.
pub(crate) fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}
