//! What a node may use while a call is in it: the call's facts, its variables, and the effects.

use super::plan::Plan;
use super::setting::Setting;
use super::variables::Variables;
use crate::account::Permissions;
use crate::call::{
    Dial, Effect, Facts, LegNumber, Now, Origin, Parties, PlayNumber, Recording, RecordingNumber,
    Sound,
};
use crate::cause::Cause;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One run of a plan, as its nodes see it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) variables: Variables,
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) deadline: Option<Instant>,
    time_zone: Tz,
    permissions: Permissions,
    /// Absent until the first event.
    now: Option<Now>,
    answered: bool,
    origin: Origin,
    last_cause: Cause,
    legs: u16,
    plays: u32,
    recordings: u16,
}

impl Run {
    pub(crate) fn new(plan: Arc<Plan>, facts: Facts, random: u32) -> Self {
        let mut variables = Variables::new(plan, &facts.variables);
        let (origin, answered) = match facts.origin {
            Origin::Inbound => ("inbound", false),
            Origin::Scheduled => ("scheduled", true),
            Origin::OutboundService => ("outbound_service", true),
        };
        variables.set_built_in("@calling_number", facts.calling.unwrap_or_default());
        variables.set_built_in("@called_number", facts.called);
        variables.set_built_in("@call_id", facts.call.to_string());
        variables.set_built_in("@origin", origin.to_owned());
        variables.set_built_in("@random", random.to_string());
        variables.set_built_in("@queue_position", "0".to_owned());
        Self {
            variables,
            effects: VecDeque::new(),
            deadline: None,
            time_zone: facts.time_zone,
            permissions: facts.permissions,
            now: None,
            answered,
            origin: facts.origin,
            last_cause: Cause::NormalClearing,
            legs: 0,
            plays: 0,
            recordings: 0,
        }
    }

    /// Notes the time of the event that is handled now.
    pub(crate) fn set_now(&mut self, now: Now) {
        self.now = Some(now);
        let local = now.utc.with_timezone(&self.time_zone);
        let formats = [
            ("@date", "%Y-%m-%d"),
            ("@time", "%H:%M"),
            ("@datetime", "%Y-%m-%dT%H:%M"),
        ];
        for (name, format) in formats {
            self.variables
                .set_built_in(name, local.format(format).to_string());
        }
    }

    /// Whether the account may use nodes of this type.
    pub(crate) fn may_use(&self, kind: &str) -> bool {
        self.permissions.may_use_node(kind)
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// The node's own time zone, or that of the account.
    pub(crate) fn time_zone(&self, own: Option<&Setting<String>>) -> Tz {
        own.and_then(|zone| self.parsed(zone, |name| name.parse().ok()))
            .unwrap_or(self.time_zone)
    }

    /// The time of the event that is handled now.
    pub(crate) fn utc(&self) -> Option<DateTime<Utc>> {
        self.now.map(|now| now.utc)
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Why the last destination did not answer.
    pub(crate) fn last_cause(&self) -> Cause {
        self.last_cause
    }

    pub(crate) fn set_last_cause(&mut self, cause: Cause) {
        self.last_cause = cause;
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }

    /// Answers the A-party, unless it is answered.
    pub(crate) fn answer(&mut self) {
        if !self.answered {
            self.answered = true;
            self.push(Effect::Answer);
        }
    }

    /// Answers the A-party and plays to it.
    pub(crate) fn play(&mut self, sounds: Vec<Sound>, repeat: bool) -> PlayNumber {
        self.answer();
        self.plays = self.plays.wrapping_add(1);
        let play = PlayNumber(self.plays);
        self.push(Effect::Play {
            leg: LegNumber::A,
            play,
            sounds,
            repeat,
        });
        play
    }

    pub(crate) fn stop_play(&mut self) {
        self.push(Effect::StopPlay { leg: LegNumber::A });
    }

    /// Dials a new leg.
    pub(crate) fn dial(
        &mut self,
        destination: String,
        ring: Duration,
        presentation: Option<String>,
        early_media: bool,
    ) -> LegNumber {
        // 65,535 legs are more than a call can dial before its step guard ends it.
        self.legs = self.legs.wrapping_add(1).max(1);
        let leg = LegNumber(self.legs);
        self.push(Effect::Dial(Box::new(Dial {
            leg,
            destination,
            ring,
            presentation,
            early_media,
        })));
        leg
    }

    /// Records the A-party and another one.
    pub(crate) fn record(&mut self, other: LegNumber, parties: Parties) -> RecordingNumber {
        self.recordings = self.recordings.wrapping_add(1);
        let recording = RecordingNumber(self.recordings);
        self.push(Effect::StartRecording(Recording {
            recording,
            a: LegNumber::A,
            b: Some(other),
            parties,
            max_duration: None,
            max_silence: None,
            keep: true,
        }));
        recording
    }

    /// Asks for `Event::TimedOut` after a time; replaces the deadline before.
    pub(crate) fn time_out_after(&mut self, time: Duration) {
        self.deadline = self.instant_after(time);
    }

    /// The moment after a time from now.
    pub(crate) fn instant_after(&self, time: Duration) -> Option<Instant> {
        self.now.and_then(|now| now.instant.checked_add(time))
    }

    /// The moment of the event that is handled now.
    pub(crate) fn now_instant(&self) -> Option<Instant> {
        self.now.map(|now| now.instant)
    }

    /// A number setting within its range: the variable's value, its default, or `otherwise`.
    pub(crate) fn number(
        &self,
        setting: &Setting<u32>,
        range: RangeInclusive<u32>,
        otherwise: u32,
    ) -> u32 {
        match setting {
            Setting::Literal(number) => (*number).clamp(*range.start(), *range.end()),
            Setting::Variable(name) => self
                .variables
                .read(name, |text| {
                    let number = text.trim().parse().ok()?;
                    range.contains(&number).then_some(number)
                })
                .unwrap_or(otherwise),
        }
    }

    /// A number setting as seconds.
    pub(crate) fn seconds(
        &self,
        setting: &Setting<u32>,
        range: RangeInclusive<u32>,
        otherwise: u32,
    ) -> Duration {
        Duration::from_secs(self.number(setting, range, otherwise).into())
    }

    /// A text setting as `read` understands it: the literal, the variable's value, or its default.
    pub(crate) fn parsed<T>(
        &self,
        setting: &Setting<String>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        match setting {
            Setting::Literal(text) => read(text),
            Setting::Variable(name) => self.variables.read(name, read),
        }
    }
}
