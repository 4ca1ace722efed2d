//! `get_number`: asks for digits, by count or up to an end digit.

use super::play::{self, Play};
use super::{Desk, Outcome, Running};
use crate::application::fields::{Fields, Reader};
use crate::application::page::Page;
use crate::call::{Event, LegNumber, PlayNumber};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The most digits of one number.
const MAX_DIGITS: i64 = 32;
/// The longest of all timers, in seconds.
const MAX_SECONDS: i64 = 3600;
/// What is said after the first and the second timeout, unless the page says otherwise.
const TIMEOUT_MESSAGES: [&str; 2] = [
    "Sorry, I did not hear that.",
    "Please listen to the instructions and then use your telephone keypad to enter a valid number.",
];
/// What is said after the first and the second invalid digit.
const INVALID_MESSAGES: [&str; 2] = [
    "Sorry, that was not a valid number.",
    "Please listen to the instructions and enter a valid number.",
];

/// A question for digits.
#[derive(Clone, Debug, PartialEq)]
pub struct GetNumber {
    /// Requested with the digits.
    pub next_page: Page,
    /// What is asked.
    pub prompt: Option<Play>,
    /// How many digits; 0: as many as come before the end digit.
    pub digit_count: usize,
    /// Ends the number.
    pub end_digit: Option<char>,
    /// The digits of which a number is made.
    pub valid_digits: String,
    /// Repeats the prompt.
    pub help_digit: Option<char>,
    /// The longest wait after the prompt, for the whole number; zero: what was typed before counts.
    pub timeout: Duration,
    /// The longest wait between two digits.
    pub inter_digit_timeout: Option<Duration>,
    /// The longest wait for the first digit.
    pub initial_timeout: Option<Duration>,
    /// Played one for each timeout; the one after the last ends the action.
    pub timeout_messages: Vec<Play>,
    /// Played one for each invalid digit; the one after the last ends the action.
    pub invalid_messages: Vec<Play>,
}

/// Reads a `get_number` action.
pub(in crate::application) fn read(
    value: &Value,
    pointer: &str,
    reader: &mut Reader,
) -> Option<GetNumber> {
    let mut fields = Fields::new(value, pointer, reader)?;
    fields.required("next_page");
    let next_page = fields.page("next_page");
    let prompt = fields.value("prompt");
    let prompt_at = fields.at("prompt");
    let prompt = prompt.and_then(|value| play::read_nested(value, &prompt_at, fields.reader, true));
    let digit_count = fields.integer("digit_count", 0, 0..=MAX_DIGITS);
    let end_digit = key(&mut fields, "end_digit", Some('#'));
    let help_default = Some('*').filter(|_| end_digit != Some('*'));
    let help_digit = key(&mut fields, "help_digit", help_default);
    let valid_digits = fields
        .string("valid_digits")
        .unwrap_or_else(|| "0123456789".to_owned());
    let seconds = fields.integer("seconds_timeout", 30, 0..=MAX_SECONDS);
    let inter = timer(&mut fields, "milliseconds_inter_digit_timeout", 5000);
    let initial = timer(&mut fields, "milliseconds_initial_timeout", inter);
    let timeout_messages =
        play::read_messages(&mut fields, "on_digit_timeout_messages", TIMEOUT_MESSAGES);
    let invalid_messages =
        play::read_messages(&mut fields, "on_invalid_digit_messages", INVALID_MESSAGES);
    if !play::are_digits(&valid_digits) {
        fields.fault(
            "valid_digits",
            "not_digits",
            "0-9, A-D, * and # are needed here",
        );
    }
    if digit_count == 0 && end_digit.is_none() {
        let detail = "without a digit count an end digit is needed";
        fields.fault("end_digit", "required", detail);
    }
    if help_digit.is_some() && help_digit == end_digit {
        fields.fault(
            "help_digit",
            "same_as_end_digit",
            "it is the end digit already",
        );
    }
    fields.finish();
    Some(GetNumber {
        next_page: next_page?,
        prompt,
        digit_count: usize::try_from(digit_count).unwrap_or(0),
        end_digit,
        valid_digits,
        help_digit,
        timeout: Duration::from_secs(seconds.unsigned_abs()),
        inter_digit_timeout: duration(inter),
        initial_timeout: duration(initial),
        timeout_messages,
        invalid_messages,
    })
}

/// A property that holds one key; empty: none.
fn key(fields: &mut Fields<'_, '_>, name: &'static str, default: Option<char>) -> Option<char> {
    let Some(text) = fields.string(name) else {
        return default;
    };
    let mut keys = text.chars();
    match (keys.next(), keys.next()) {
        (None, _) => None,
        (Some(key), None) if play::is_digit(key) => Some(key),
        (Some(_), _) => {
            fields.fault(
                name,
                "not_digits",
                "one of 0-9, A-D, * and # is needed here, or nothing",
            );
            default
        }
    }
}

fn timer(fields: &mut Fields<'_, '_>, name: &'static str, default: i64) -> i64 {
    fields.integer(name, default, i64::from(i32::MIN)..=MAX_SECONDS * 1000)
}

/// Zero and less switch a timer off.
fn duration(milliseconds: i64) -> Option<Duration> {
    u64::try_from(milliseconds)
        .ok()
        .filter(|ms| *ms > 0)
        .map(Duration::from_millis)
}

#[derive(Clone, Debug)]
enum Stage {
    /// The prompt is heard.
    Prompt { play: PlayNumber, barge_in: bool },
    /// A message is heard; the prompt follows.
    Message { play: PlayNumber, barge_in: bool },
    /// Digits are awaited until then.
    Listening {
        end: Instant,
        digit: Option<Instant>,
    },
}

/// A question that runs.
#[derive(Clone, Debug)]
pub(in crate::application) struct Run {
    question: GetNumber,
    stage: Stage,
    /// Digits that wait until it listens.
    pending: String,
    entered: String,
    timeouts: usize,
    invalids: usize,
}

impl GetNumber {
    /// Starts to ask. Digits that were typed before are looked at first.
    pub(in crate::application) fn start(self, desk: &mut Desk) -> Result<Running, Outcome> {
        let pending = std::mem::take(&mut desk.typed);
        let mut run = Run {
            stage: Stage::Listening {
                end: desk.now,
                digit: None,
            },
            question: self,
            pending,
            entered: String::new(),
            timeouts: 0,
            invalids: 0,
        };
        let skips_prompt = !run.pending.is_empty()
            && run
                .question
                .prompt
                .as_ref()
                .is_none_or(|prompt| prompt.barge_in);
        let outcome = if skips_prompt {
            run.listen(desk)
        } else {
            run.prompt(desk)
        };
        outcome.map_or_else(|| Ok(Running::GetNumber(Box::new(run))), Err)
    }
}

impl Run {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Prompt { .. } | Stage::Message { .. } => None,
            Stage::Listening { end, digit } => Some(digit.map_or(end, |digit| digit.min(end))),
        }
    }

    pub(super) fn handle(&mut self, event: &Event, desk: &mut Desk) -> Option<Outcome> {
        match (event, &self.stage) {
            (
                Event::Played {
                    leg: LegNumber::A,
                    play,
                    failure,
                },
                Stage::Prompt { play: current, .. } | Stage::Message { play: current, .. },
            ) if play == current => match (failure, &self.stage) {
                (Some(text), _) => Some(Outcome::Failed(text.clone())),
                (None, Stage::Message { .. }) => self.prompt(desk),
                (None, Stage::Prompt { .. } | Stage::Listening { .. }) => self.listen(desk),
            },
            (
                Event::Digit {
                    leg: LegNumber::A,
                    digit,
                },
                Stage::Prompt { barge_in, .. } | Stage::Message { barge_in, .. },
            ) => {
                if !barge_in {
                    return None;
                }
                desk.stop_play();
                self.pending.push(*digit);
                self.listen(desk)
            }
            (
                Event::Digit {
                    leg: LegNumber::A,
                    digit,
                },
                Stage::Listening { .. },
            ) => self.digit(*digit, desk),
            (Event::TimedOut, Stage::Listening { .. }) => {
                let over = self.deadline().is_some_and(|deadline| desk.now >= deadline);
                if over { self.timed_out(desk) } else { None }
            }
            (_, _) => None,
        }
    }

    fn prompt(&mut self, desk: &mut Desk) -> Option<Outcome> {
        let Some(prompt) = &self.question.prompt else {
            return self.listen(desk);
        };
        let sounds = prompt.sounds(&desk.voice);
        let play = desk.play(sounds, false);
        self.stage = Stage::Prompt {
            play,
            barge_in: prompt.barge_in,
        };
        None
    }

    /// Begins to wait for digits, with those that are there already.
    fn listen(&mut self, desk: &mut Desk) -> Option<Outcome> {
        let timeout = self.question.timeout;
        let digit = self.question.initial_timeout.map(|wait| desk.now + wait);
        self.stage = Stage::Listening {
            end: desk.now + timeout,
            digit,
        };
        self.entered.clear();
        for digit in std::mem::take(&mut self.pending).chars() {
            if let Some(outcome) = self.digit(digit, desk) {
                return Some(outcome);
            }
            if !matches!(self.stage, Stage::Listening { .. }) {
                return None;
            }
        }
        if !timeout.is_zero() {
            return None;
        }
        if self.entered.is_empty() {
            self.timed_out(desk)
        } else {
            Some(self.complete())
        }
    }

    fn digit(&mut self, digit: char, desk: &mut Desk) -> Option<Outcome> {
        if self.question.end_digit == Some(digit) {
            return if self.entered.is_empty() {
                self.invalid(desk)
            } else {
                Some(self.complete())
            };
        }
        if self.question.help_digit == Some(digit) {
            self.pending.clear();
            return self.prompt(desk);
        }
        let full = i64::try_from(self.entered.len()).unwrap_or(MAX_DIGITS) >= MAX_DIGITS;
        if full || !self.question.valid_digits.contains(digit) {
            return self.invalid(desk);
        }
        self.entered.push(digit);
        if self.entered.len() == self.question.digit_count {
            return Some(self.complete());
        }
        if let Stage::Listening { digit, .. } = &mut self.stage {
            *digit = self
                .question
                .inter_digit_timeout
                .map(|wait| desk.now + wait);
        }
        None
    }

    fn timed_out(&mut self, desk: &mut Desk) -> Option<Outcome> {
        let message = self.question.timeout_messages.get(self.timeouts).cloned();
        self.timeouts += 1;
        self.again(message, desk)
    }

    fn invalid(&mut self, desk: &mut Desk) -> Option<Outcome> {
        let message = self.question.invalid_messages.get(self.invalids).cloned();
        self.invalids += 1;
        self.again(message, desk)
    }

    /// Says the message and asks again; without one the next action runs.
    fn again(&mut self, message: Option<Play>, desk: &mut Desk) -> Option<Outcome> {
        self.entered.clear();
        self.pending.clear();
        let Some(message) = message else {
            return Some(Outcome::Next);
        };
        let sounds = message.sounds(&desk.voice);
        let play = desk.play(sounds, false);
        self.stage = Stage::Message {
            play,
            barge_in: message.barge_in,
        };
        None
    }

    fn complete(&self) -> Outcome {
        let result = json!({ "entered_number": self.entered });
        Outcome::Page {
            page: Box::new(self.question.next_page.clone()),
            result,
        }
    }
}
