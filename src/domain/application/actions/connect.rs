//! `connect`: bridges the call to a destination.

use super::play::{self, Play};
use super::{Desk, Outcome, Running};
use crate::application::fields::{Fields, Reader};
use crate::application::page::{Page, seconds};
use crate::call::{self, Event, LegNumber, PlayNumber, Sound, Tone};
use crate::destination::Destination;
use crate::e164::{Country, E164};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The longest ring time, in seconds.
const MAX_SECONDS: i64 = 300;

/// A destination to connect the call to.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect {
    /// Whom to call.
    pub destination: Destination,
    /// The number presented to it; none: the call's own rule.
    pub call_from: Option<String>,
    /// What the caller hears meanwhile, over and over; none: ringing.
    pub hold_media: Option<Play>,
    /// The caller hears what the far network plays before it answers.
    pub pass_early_media: bool,
    /// How long it may ring.
    pub answer_timeout: Duration,
    /// Requested when the connection is over or was not made; none: the next action runs.
    pub next_page: Option<Page>,
}

/// Reads a `connect` action.
pub(in crate::application) fn read(
    value: &Value,
    pointer: &str,
    reader: &mut Reader,
) -> Option<Connect> {
    let mut fields = Fields::new(value, pointer, reader)?;
    let destinations = fields.required("destinations");
    let destination = destinations.and_then(|value| read_destinations(value, &mut fields));
    let call_from = fields.string("call_from").filter(|text| !text.is_empty());
    let call_from = call_from.and_then(|text| match read_address(&text) {
        Ok(address) => Some(address.to_string()),
        Err(detail) => {
            fields.fault("call_from", "invalid_number", detail);
            None
        }
    });
    let hold_media = fields.value("hold_media");
    let hold_at = fields.at("hold_media");
    let hold_media =
        hold_media.and_then(|value| play::read_nested(value, &hold_at, fields.reader, false));
    let pass_early_media = fields.boolean("pass_early_media", false);
    let timeout = fields.integer("seconds_answer_timeout", 30, 1..=MAX_SECONDS);
    let next_page = fields.page("next_page");
    fields.unsupported("classify_callee");
    fields.unsupported("secondary_call");
    fields.unsupported("translator");
    fields.finish();
    Some(Connect {
        destination: destination?,
        call_from,
        hold_media,
        pass_early_media,
        answer_timeout: Duration::from_secs(timeout.unsigned_abs()),
        next_page,
    })
}

fn read_destinations(value: &Value, fields: &mut Fields<'_, '_>) -> Option<Destination> {
    let Some([destination]) = value.as_array().map(Vec::as_slice) else {
        let detail = "an array with one destination is needed here";
        fields.fault("destinations", "not_one_destination", detail);
        return None;
    };
    let pointer = format!("{}/0", fields.at("destinations"));
    let Some(text) = destination.as_str() else {
        fields
            .reader
            .fault(&pointer, "not_a_string", "a string is needed here");
        return None;
    };
    match read_address(text) {
        Ok(destination) => Some(destination),
        Err(detail) => {
            fields.reader.fault(&pointer, "invalid_destination", detail);
            None
        }
    }
}

/// Digits are a number in international form, with or without `+` and `tel:`; all else is a SIP
/// address, with or without `sip:`.
fn read_address(text: &str) -> Result<Destination, String> {
    let number = text.strip_prefix("tel:").unwrap_or(text);
    let digits = number.strip_prefix('+').unwrap_or(number);
    let looks_like_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '-');
    if looks_like_number && !digits.starts_with('0') {
        let number = E164::parse(&format!("+{}", digits.replace('-', "")));
        return number
            .map(Destination::Number)
            .map_err(|error| error.to_string());
    }
    let text = if text.contains('@') && !text.contains(':') {
        format!("sip:{text}")
    } else {
        text.to_owned()
    };
    Destination::read(&text, Country::GB).map_err(|error| error.to_string())
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Dialling { hold: PlayNumber, rings: bool },
    Connected { since: Instant },
}

/// A connection that runs.
#[derive(Clone, Debug)]
pub(in crate::application) struct Run {
    leg: LegNumber,
    next_page: Option<Page>,
    stage: Stage,
}

impl Connect {
    pub(in crate::application) fn start(self, desk: &mut Desk) -> Running {
        let rings = self.hold_media.is_none();
        let sounds = match &self.hold_media {
            Some(play) => play.sounds(&desk.voice),
            None => vec![Sound::Tone(Tone::Ringing)],
        };
        let hold = desk.play(sounds, true);
        let leg = desk.new_leg();
        desk.call(call::Effect::Dial(Box::new(call::Dial {
            leg,
            destination: self.destination.to_string(),
            ring: self.answer_timeout,
            presentation: self.call_from,
            early_media: self.pass_early_media,
        })));
        let stage = Stage::Dialling { hold, rings };
        Running::Connect(Box::new(Run {
            leg,
            next_page: self.next_page,
            stage,
        }))
    }
}

impl Run {
    pub(super) fn handle(&mut self, event: &Event, desk: &mut Desk) -> Option<Outcome> {
        match (event, self.stage) {
            (Event::Answered { leg }, Stage::Dialling { .. }) if *leg == self.leg => {
                desk.call(call::Effect::Bridge {
                    a: LegNumber::A,
                    b: self.leg,
                });
                self.stage = Stage::Connected { since: desk.now };
                None
            }
            (Event::DialFailed { leg, .. } | Event::HungUp { leg, .. }, Stage::Dialling { .. })
                if *leg == self.leg =>
            {
                desk.stop_play();
                Some(self.over(Duration::ZERO))
            }
            (Event::HungUp { leg, .. }, Stage::Connected { since }) if *leg == self.leg => {
                Some(self.over(desk.now.saturating_duration_since(since)))
            }
            // Hold media that cannot be played: ringing is heard instead.
            (
                Event::Played {
                    leg: LegNumber::A,
                    play,
                    failure: Some(_),
                },
                Stage::Dialling { hold, rings: false },
            ) if *play == hold => {
                let hold = desk.play(vec![Sound::Tone(Tone::Ringing)], true);
                self.stage = Stage::Dialling { hold, rings: true };
                None
            }
            (_, _) => None,
        }
    }

    fn over(&self, connected: Duration) -> Outcome {
        match &self.next_page {
            Some(page) => Outcome::Page {
                page: Box::new(page.clone()),
                result: json!({ "seconds_connected_duration": seconds(connected) }),
            },
            None => Outcome::Next,
        }
    }
}
