//! **DTMF capture**: the caller keys digits, which go into a variable.
//!
//! The prompt is played; with `can_skip` the first key ends it, without it keys are not heard until
//! it is over. The entry ends with the `continue_key`, with `max_length` digits, or when no further
//! key comes within `inter_key_timeout_s`. The `cancel_key` begins the entry again. An attempt fails
//! when no key comes within `initial_timeout_s`, when the entry is shorter than `min_length`, or
//! with a key that is not in `valid_keys`; then the `invalid_prompt` and the prompt are played
//! again, until `attempts` are used up. With `persist` the digits are kept in the call's record
//! under the variable's name, or the node's id when there is no variable. Branches: `continue` and
//! `max_attempts`, both mandatory.

use super::prompt::{self, PromptSound};
use super::{Branch, Next, NodeType, State};
use crate::call::{Effect, Event, LegNumber, PlayNumber, Sound};
use crate::call_plan::plan::Node;
use crate::call_plan::run::Run;
use crate::call_plan::setting::Setting;
use crate::call_plan::validate::{Checker, Code};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

const LENGTH: RangeInclusive<u32> = 0..=50;
const TIMEOUT_S: RangeInclusive<u32> = 1..=60;
const ATTEMPTS: RangeInclusive<u32> = 1..=10;

/// The properties of DTMF capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DtmfCapture {
    /// What is played first, and again for each attempt.
    pub prompt: Vec<PromptSound>,
    /// The first key ends the prompt.
    pub can_skip: bool,
    /// The fewest digits; 0 to 50.
    pub min_length: Setting<u32>,
    /// The most digits; 1 to 50.
    pub max_length: Setting<u32>,
    /// How long to wait for the first key after the prompt, in seconds; 1 to 60.
    pub initial_timeout_s: Setting<u32>,
    /// How long to wait for each further key, in seconds; 1 to 60.
    pub inter_key_timeout_s: Setting<u32>,
    /// Ends the entry; `null`: no key does.
    pub continue_key: Option<char>,
    /// Begins the entry again; `null`: no key does.
    pub cancel_key: Option<char>,
    /// How often the caller may try; 1 to 10.
    pub attempts: Setting<u32>,
    /// The keys that may be entered, each once, of `0` to `9`.
    pub valid_keys: String,
    /// What is played before the next attempt.
    pub invalid_prompt: Vec<PromptSound>,
    /// The variable that takes the digits.
    pub variable: Option<String>,
    /// Keep the digits in the call's record.
    pub persist: bool,
}

impl Default for DtmfCapture {
    fn default() -> Self {
        Self {
            prompt: Vec::new(),
            can_skip: true,
            min_length: 1.into(),
            max_length: 20.into(),
            initial_timeout_s: 10.into(),
            inter_key_timeout_s: 5.into(),
            continue_key: Some('#'),
            cancel_key: Some('*'),
            attempts: 3.into(),
            valid_keys: "0123456789".to_owned(),
            invalid_prompt: Vec::new(),
            variable: None,
            persist: false,
        }
    }
}

/// A caller who is keying.
#[derive(Debug)]
pub(crate) struct Capturing {
    /// Attempts that failed.
    failed: u32,
    /// The prompt that is heard.
    prompt: Option<PlayNumber>,
    digits: String,
}

impl NodeType for DtmfCapture {
    fn branches(&self) -> Vec<Branch> {
        vec![
            Branch::mandatory("continue"),
            Branch::mandatory("max_attempts"),
        ]
    }

    fn is_telephony(&self) -> bool {
        true
    }

    fn check(&self, checker: &mut Checker<'_>) {
        for (property, prompt) in [
            ("prompt", &self.prompt),
            ("invalid_prompt", &self.invalid_prompt),
        ] {
            prompt::check(property, prompt, checker);
            checker.no_music(property, prompt);
        }
        checker.number("min_length", &self.min_length, LENGTH);
        checker.number("max_length", &self.max_length, 1..=*LENGTH.end());
        if let (Some(min), Some(max)) = (self.min_length.literal(), self.max_length.literal())
            && min > max
        {
            checker.error(
                Code::OutOfRange,
                "min_length",
                "min_length is greater than max_length".to_owned(),
            );
        }
        checker.number("initial_timeout_s", &self.initial_timeout_s, TIMEOUT_S);
        checker.number("inter_key_timeout_s", &self.inter_key_timeout_s, TIMEOUT_S);
        checker.number("attempts", &self.attempts, ATTEMPTS);
        checker.key("continue_key", self.continue_key);
        checker.key("cancel_key", self.cancel_key);
        if self.continue_key.is_some() && self.continue_key == self.cancel_key {
            checker.error(
                Code::InvalidProperty,
                "cancel_key",
                "one key can't both end and cancel the entry".to_owned(),
            );
        }
        self.check_valid_keys(checker);
        match &self.variable {
            Some(name) => checker.assigned("variable", name),
            None if self.persist => {}
            None => checker.missing("variable"),
        }
    }

    fn enter(&self, _here: &Node, run: &mut Run) -> Next {
        self.ask(0, Vec::new(), run)
    }

    fn on_event(&self, here: &Node, state: State, event: &Event, run: &mut Run) -> Next {
        let State::Capturing(mut capturing) = state else {
            return Next::Wait(state);
        };
        match event {
            Event::Played { play, .. } if capturing.prompt == Some(*play) => {
                capturing.prompt = None;
                run.time_out_after(run.seconds(&self.initial_timeout_s, TIMEOUT_S, 10));
                Next::Wait(State::Capturing(capturing))
            }
            Event::Digit {
                leg: LegNumber::A,
                digit,
            } => {
                if capturing.prompt.is_some() {
                    if !self.can_skip {
                        return Next::Wait(State::Capturing(capturing));
                    }
                    run.stop_play();
                    capturing.prompt = None;
                }
                self.on_digit(here, capturing, *digit, run)
            }
            Event::TimedOut if capturing.prompt.is_none() => {
                if capturing.digits.is_empty() || !self.is_long_enough(&capturing.digits, run) {
                    self.fail(capturing.failed, run)
                } else {
                    self.complete(here, &capturing.digits, run)
                }
            }
            _ => Next::Wait(State::Capturing(capturing)),
        }
    }
}

impl DtmfCapture {
    fn check_valid_keys(&self, checker: &mut Checker<'_>) {
        let keys: Vec<char> = self.valid_keys.chars().collect();
        let mut once = keys.clone();
        once.sort_unstable();
        once.dedup();
        if keys.is_empty() || once.len() < keys.len() || !keys.iter().all(char::is_ascii_digit) {
            checker.error(
                Code::InvalidProperty,
                "valid_keys",
                "valid keys are some of 0 to 9, each once".to_owned(),
            );
        }
        for (property, key) in [
            ("continue_key", self.continue_key),
            ("cancel_key", self.cancel_key),
        ] {
            if key.is_some_and(|key| keys.contains(&key)) {
                checker.error(
                    Code::InvalidProperty,
                    property,
                    "the key is also one of the valid keys".to_owned(),
                );
            }
        }
    }

    fn ask(&self, failed: u32, mut sounds: Vec<Sound>, run: &mut Run) -> Next {
        sounds.extend(prompt::sounds(&self.prompt, run));
        run.deadline = None;
        let prompt = if sounds.is_empty() {
            run.answer();
            run.time_out_after(run.seconds(&self.initial_timeout_s, TIMEOUT_S, 10));
            None
        } else {
            Some(run.play(sounds, false))
        };
        Next::Wait(State::Capturing(Capturing {
            failed,
            prompt,
            digits: String::new(),
        }))
    }

    fn on_digit(&self, here: &Node, mut capturing: Capturing, digit: char, run: &mut Run) -> Next {
        if Some(digit) == self.cancel_key {
            return self.ask(capturing.failed, Vec::new(), run);
        }
        if Some(digit) == self.continue_key {
            if self.is_long_enough(&capturing.digits, run) {
                return self.complete(here, &capturing.digits, run);
            }
            return self.fail(capturing.failed, run);
        }
        if !self.valid_keys.contains(digit) {
            return self.fail(capturing.failed, run);
        }
        capturing.digits.push(digit);
        if capturing.digits.len() >= self.most_digits(run) {
            return self.complete(here, &capturing.digits, run);
        }
        run.time_out_after(run.seconds(&self.inter_key_timeout_s, TIMEOUT_S, 5));
        Next::Wait(State::Capturing(capturing))
    }

    fn most_digits(&self, run: &Run) -> usize {
        let most = run.number(&self.max_length, 1..=*LENGTH.end(), 20);
        usize::try_from(most).unwrap_or(usize::MAX)
    }

    /// A `min_length` that is greater than `max_length` by its variables is met by `max_length`.
    fn is_long_enough(&self, digits: &str, run: &Run) -> bool {
        let least = run.number(&self.min_length, LENGTH, 1);
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        digits.len() >= least.min(self.most_digits(run))
    }

    fn complete(&self, here: &Node, digits: &str, run: &mut Run) -> Next {
        if let Some(name) = &self.variable {
            run.variables.set(name, digits);
        }
        if self.persist {
            run.push(Effect::Annotate {
                name: self.variable.clone().unwrap_or_else(|| here.id.clone()),
                value: digits.to_owned(),
            });
        }
        Next::leave("continue")
    }

    fn fail(&self, failed: u32, run: &mut Run) -> Next {
        let failed = failed + 1;
        if failed < run.number(&self.attempts, ATTEMPTS, 3) {
            self.ask(failed, prompt::sounds(&self.invalid_prompt, run), run)
        } else {
            Next::leave("max_attempts")
        }
    }
}
