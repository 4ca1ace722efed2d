//! **IVR menu**: the caller chooses by pressing one key.
//!
//! The prompt is played; a key ends it at once. Each key `0` to `9`, `*` and `#` has a branch of its
//! name, and those that are connected may be chosen. When no key comes within `timeout_s` after the
//! prompt, or a key that is not connected, the `timeout_prompt` or `invalid_prompt` and then the
//! prompt are played again, until `attempts` are used up. Then the call leaves by `no_input` or
//! `invalid`, as the last attempt went, where that is connected, else by `max_attempts`; without
//! that it ends.

use super::prompt::{self, PromptSound};
use super::{Branch, Next, NodeType, State};
use crate::call::{Event, LegNumber, PlayNumber, Sound};
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::{Checker, Code};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The keys that have a branch.
pub const KEYS: [&str; 12] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"];

const TIMEOUT_S: RangeInclusive<u32> = 1..=60;
const ATTEMPTS: RangeInclusive<u32> = 1..=10;

/// The properties of IVR menu.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IvrMenu {
    /// What is played first, and again for each attempt.
    pub prompt: Vec<PromptSound>,
    /// How long to wait for a key after the prompt, in seconds; 1 to 60.
    pub timeout_s: Setting<u32>,
    /// How often the caller may try; 1 to 10.
    pub attempts: Setting<u32>,
    /// What is played before the next attempt when no key came.
    pub timeout_prompt: Vec<PromptSound>,
    /// What is played before the next attempt when the key was not connected.
    pub invalid_prompt: Vec<PromptSound>,
}

impl Default for IvrMenu {
    fn default() -> Self {
        Self {
            prompt: Vec::new(),
            timeout_s: 5.into(),
            attempts: 3.into(),
            timeout_prompt: Vec::new(),
            invalid_prompt: Vec::new(),
        }
    }
}

/// A caller before the choice.
#[derive(Debug)]
pub(crate) struct Choosing {
    /// Attempts that failed.
    failed: u32,
    /// The prompt that is heard.
    prompt: Option<PlayNumber>,
}

impl NodeType for IvrMenu {
    fn branches(&self) -> Vec<Branch> {
        KEYS.into_iter()
            .chain(["no_input", "invalid", "max_attempts"])
            .map(Branch::optional)
            .collect()
    }

    fn is_telephony(&self) -> bool {
        true
    }

    fn check(&self, checker: &mut Checker<'_>) {
        if self.prompt.is_empty() {
            checker.missing("prompt");
        }
        for (property, prompt) in [
            ("prompt", &self.prompt),
            ("timeout_prompt", &self.timeout_prompt),
            ("invalid_prompt", &self.invalid_prompt),
        ] {
            prompt::check(property, prompt, checker);
            checker.no_music(property, prompt);
        }
        checker.number("timeout_s", &self.timeout_s, TIMEOUT_S);
        checker.number("attempts", &self.attempts, ATTEMPTS);
        if !KEYS.iter().any(|key| checker.is_connected(key)) {
            checker.branch_error(
                Code::MissingBranch,
                None,
                "a menu has at least one key connected".to_owned(),
            );
        }
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        self.ask(0, Vec::new(), run)
    }

    fn on_event(&self, here: &Node, state: State, event: &Event, run: &mut Run) -> Next {
        let State::Choosing(choosing) = state else {
            return Next::Wait(state);
        };
        match event {
            Event::Played { play, .. } if choosing.prompt == Some(*play) => {
                run.time_out_after(run.seconds(&self.timeout_s, TIMEOUT_S, 5));
                Next::Wait(State::Choosing(Choosing {
                    prompt: None,
                    ..choosing
                }))
            }
            Event::Digit {
                leg: LegNumber::A,
                digit,
            } => {
                if choosing.prompt.is_some() {
                    run.stop_play();
                }
                run.deadline = None;
                let key = digit.to_string();
                if KEYS.contains(&key.as_str()) && here.branches.contains_key(&key) {
                    Next::Leave(key)
                } else {
                    self.fail(here, choosing.failed, "invalid", run)
                }
            }
            Event::TimedOut if choosing.prompt.is_none() => {
                self.fail(here, choosing.failed, "no_input", run)
            }
            _ => Next::Wait(State::Choosing(choosing)),
        }
    }
}

impl IvrMenu {
    fn ask(&self, failed: u32, mut sounds: Vec<Sound>, run: &mut Run) -> Next {
        sounds.extend(prompt::sounds(&self.prompt, run));
        let prompt = if sounds.is_empty() {
            run.answer();
            run.time_out_after(run.seconds(&self.timeout_s, TIMEOUT_S, 5));
            None
        } else {
            Some(run.play(sounds, false))
        };
        Next::Wait(State::Choosing(Choosing { failed, prompt }))
    }

    fn fail(&self, here: &Node, failed: u32, how: &str, run: &mut Run) -> Next {
        let failed = failed + 1;
        if failed < run.number(&self.attempts, ATTEMPTS, 3) {
            let apology = if how == "invalid" {
                &self.invalid_prompt
            } else {
                &self.timeout_prompt
            };
            return self.ask(failed, prompt::sounds(apology, run), run);
        }
        if here.branches.contains_key(how) {
            Next::leave(how)
        } else {
            Next::leave("max_attempts")
        }
    }
}
