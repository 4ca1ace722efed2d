//! What a node plays: sounds in a row.

use crate::call::Sound;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::{Checker, Code};
use crate::ids::AudioId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One sound of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum PromptSound {
    /// An audio file of the account's pool.
    Audio {
        /// Its id, or a variable that holds it.
        audio: Setting<String>,
    },
    /// Speech. Variables in the text are replaced by their values.
    Text {
        /// What is said; up to 2,000 characters.
        text: String,
        /// Voice selector; empty: the default voice.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        voice: String,
    },
    /// A pause.
    Silence {
        /// 1 to 60,000.
        duration_ms: u32,
    },
    /// The beep that comes before a recording.
    Beep,
    /// Music on hold; it has no end of its own.
    Music,
}

/// The most sounds in a prompt.
const MOST_SOUNDS: usize = 20;

/// The sounds of a prompt for this call. An audio file whose id can't be read and a text that is
/// empty are left out.
pub(crate) fn sounds(prompt: &[PromptSound], run: &Run) -> Vec<Sound> {
    prompt
        .iter()
        .filter_map(|sound| match sound {
            PromptSound::Audio { audio } => run
                .parsed(audio, |text| text.trim().parse::<AudioId>().ok())
                .map(Sound::Audio),
            PromptSound::Text { text, voice } => {
                let text = run.variables.substitute(text);
                (!text.trim().is_empty()).then(|| Sound::Text {
                    text,
                    voice: voice.clone(),
                })
            }
            PromptSound::Silence { duration_ms } => Some(Sound::Silence(Duration::from_millis(
                (*duration_ms).clamp(1, 60_000).into(),
            ))),
            PromptSound::Beep => Some(Sound::Tone(crate::call::Tone::Beep)),
            PromptSound::Music => Some(Sound::Music),
        })
        .collect()
}

/// Names what is wrong with a prompt.
pub(crate) fn check(property: &str, prompt: &[PromptSound], checker: &mut Checker<'_>) {
    if prompt.len() > MOST_SOUNDS {
        checker.error(
            Code::OutOfRange,
            property,
            format!("a prompt has at most {MOST_SOUNDS} sounds"),
        );
    }
    checker.each(prompt, |checker, sound| match sound {
        PromptSound::Audio { audio } => checker.audio(property, audio),
        PromptSound::Text { text, .. } => {
            checker.needed(property, text);
            checker.text(property, text);
        }
        PromptSound::Silence { duration_ms } => {
            if !(1..=60_000).contains(duration_ms) {
                checker.error(
                    Code::OutOfRange,
                    property,
                    "a pause has 1 to 60,000 ms".to_owned(),
                );
            }
        }
        PromptSound::Beep | PromptSound::Music => {}
    });
}
