//! The actions, one file each: what a page may ask for, and how it is run.

pub(super) mod connect;
pub(super) mod get_number;
pub(super) mod play;
pub(super) mod record;

use super::instance::Effect;
use super::page::Page;
use crate::call::{self, Event, LegNumber, PlayNumber, RecordingNumber, Sound};
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Instant;

/// What a running action works with.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) effects: VecDeque<Effect>,
    /// Digits that came before anybody asked for them: a play that was barged in, or a page that
    /// took its time.
    pub(super) typed: String,
    pub(super) now: Instant,
    /// The default voice of spoken text.
    pub(super) voice: String,
    plays: u32,
    legs: u16,
    recordings: u16,
}

impl Desk {
    pub(super) fn new(voice: String, now: Instant) -> Self {
        Self {
            effects: VecDeque::new(),
            typed: String::new(),
            now,
            voice,
            plays: 0,
            legs: 0,
            recordings: 0,
        }
    }

    pub(super) fn call(&mut self, effect: call::Effect) {
        self.effects.push_back(Effect::Call(effect));
    }

    /// Plays sounds to the A-party.
    pub(super) fn play(&mut self, sounds: Vec<Sound>, repeat: bool) -> PlayNumber {
        self.plays = self.plays.wrapping_add(1);
        let play = PlayNumber(self.plays);
        self.call(call::Effect::Play {
            leg: LegNumber::A,
            play,
            sounds,
            repeat,
        });
        play
    }

    pub(super) fn stop_play(&mut self) {
        self.call(call::Effect::StopPlay { leg: LegNumber::A });
    }

    pub(super) fn new_leg(&mut self) -> LegNumber {
        self.legs = self.legs.saturating_add(1);
        LegNumber(self.legs)
    }

    pub(super) fn new_recording(&mut self) -> RecordingNumber {
        self.recordings = self.recordings.saturating_add(1);
        RecordingNumber(self.recordings)
    }
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// The next action of the list runs.
    Next,
    /// Its next page is requested with this result.
    Page { page: Box<Page>, result: Value },
    /// It could not be done: the application's error.
    Failed(String),
}

/// The action that runs now.
#[derive(Clone, Debug)]
pub(super) enum Running {
    Play(play::Run),
    GetNumber(Box<get_number::Run>),
    Record(record::Run),
    Connect(Box<connect::Run>),
}

impl Running {
    pub(super) fn handle(&mut self, event: &Event, desk: &mut Desk) -> Option<Outcome> {
        match self {
            Self::Play(run) => run.handle(event, desk),
            Self::GetNumber(run) => run.handle(event, desk),
            Self::Record(run) => run.handle(event, desk),
            Self::Connect(run) => run.handle(event, desk),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::GetNumber(run) => run.deadline(),
            Self::Play(_) | Self::Record(_) | Self::Connect(_) => None,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Play(_) => "play",
            Self::GetNumber(_) => "get_number",
            Self::Record(_) => "record",
            Self::Connect(_) => "connect",
        }
    }
}
