//! **Play audio**: plays sounds to the caller, one after the other: audio files of the pool, spoken
//! text, pauses.
//!
//! The caller is answered first. With `can_skip` any key ends the playing. A sound that can't be
//! played is passed over. Branch: `continue`; without it the call ends after the last sound.

use super::prompt::{self, PromptSound};
use super::{Branch, Next, NodeType, State};
use crate::call::{Event, LegNumber, PlayNumber};
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::validate::{Checker, Code};
use serde::{Deserialize, Serialize};

/// The properties of Play audio.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlayAudio {
    /// What is played, in order; 1 to 20 sounds.
    pub sounds: Vec<PromptSound>,
    /// Any key ends it.
    pub can_skip: bool,
}

/// The play that is heard.
#[derive(Debug)]
pub(crate) struct Playing(PlayNumber);

impl NodeType for PlayAudio {
    fn branches(&self) -> Vec<Branch> {
        vec![Branch::optional("continue")]
    }

    fn is_telephony(&self) -> bool {
        true
    }

    fn check(&self, checker: &mut Checker<'_>) {
        if self.sounds.is_empty() {
            checker.missing("sounds");
        }
        prompt::check("sounds", &self.sounds, checker);
        if self.sounds.contains(&PromptSound::Music) && !self.can_skip {
            checker.error(
                Code::InvalidProperty,
                "sounds",
                "music has no end; let the caller skip it".to_owned(),
            );
        }
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        let sounds = prompt::sounds(&self.sounds, run);
        if sounds.is_empty() {
            return Next::leave("continue");
        }
        Next::Wait(State::Playing(Playing(run.play(sounds, false))))
    }

    fn on_event(&self, _here: &Node, state: State, event: &Event, run: &mut Run) -> Next {
        let State::Playing(Playing(current)) = &state else {
            return Next::Wait(state);
        };
        match event {
            Event::Played { play, .. } if play == current => Next::leave("continue"),
            Event::Digit {
                leg: LegNumber::A, ..
            } if self.can_skip => {
                run.stop_play();
                Next::leave("continue")
            }
            _ => Next::Wait(state),
        }
    }
}
