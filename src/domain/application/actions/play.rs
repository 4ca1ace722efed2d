//! `play`: a list of media, in order. A digit may stop the whole list.

use super::{Desk, Outcome, Running};
use crate::application::fields::{Fields, Reader, read_page};
use crate::application::page::Method;
use crate::call::{Event, LegNumber, PlayNumber, Sound};
use serde_json::Value;

/// The most media of one list.
const MAX_MEDIA: usize = 100;
/// The longest text that is spoken at once.
const MAX_TEXT: usize = 10_000;
/// The longest file name.
const MAX_FILE: usize = 255;
/// The most digits that are sent at once.
const MAX_DIGITS: usize = 100;

/// A list of media to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play {
    /// What is heard, in order.
    pub list: Vec<Media>,
    /// Any digit stops the whole list.
    pub barge_in: bool,
}

/// One thing to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// Spoken text.
    Text {
        /// What is said.
        text: String,
        /// The voice; empty: the service's.
        voice: String,
        /// It must not stand in logs.
        private: bool,
    },
    /// A file of the media store.
    File(String),
    /// Audio from a web server, fetched with GET.
    Url(String),
    /// Telephone keys.
    Digits(String),
}

impl Play {
    /// The text as a play that cannot be barged in.
    pub(super) fn sentence(text: &str) -> Self {
        let text = text.to_owned();
        let media = Media::Text {
            text,
            voice: String::new(),
            private: false,
        };
        Self {
            list: vec![media],
            barge_in: false,
        }
    }

    pub(super) fn sounds(&self, voice: &str) -> Vec<Sound> {
        let sound = |media: &Media| match media {
            Media::Text {
                text,
                voice: own,
                private: _,
            } => Sound::Text {
                text: text.clone(),
                voice: if own.is_empty() {
                    voice.to_owned()
                } else {
                    own.clone()
                },
            },
            Media::File(name) => Sound::File(name.clone()),
            Media::Url(url) => Sound::Url(url.clone()),
            Media::Digits(digits) => Sound::Digits(digits.clone()),
        };
        self.list.iter().map(sound).collect()
    }

    pub(in crate::application) fn start(&self, desk: &mut Desk) -> Running {
        let sounds = self.sounds(&desk.voice);
        let play = desk.play(sounds, false);
        Running::Play(Run {
            play,
            barge_in: self.barge_in,
        })
    }
}

/// Reads a play action.
pub(in crate::application) fn read(
    value: &Value,
    pointer: &str,
    reader: &mut Reader,
    barge_in: bool,
) -> Option<Play> {
    let mut fields = Fields::new(value, pointer, reader)?;
    let barge_in = fields.boolean("barge_in_on_digit", barge_in);
    fields.unsupported("barge_in_on_speech_options");
    if fields.boolean("barge_in_on_speech", false) {
        fields.fault(
            "barge_in_on_speech",
            "unsupported",
            "speech cannot barge in",
        );
    }
    let media = fields.required("play_list");
    let at = fields.at("play_list");
    fields.finish();
    let Some(list) = media?.as_array() else {
        reader.fault(&at, "not_an_array", "an array is needed here");
        return None;
    };
    if list.is_empty() || list.len() > MAX_MEDIA {
        reader.fault(
            &at,
            "out_of_range",
            format!("1 to {MAX_MEDIA} elements are allowed"),
        );
        return None;
    }
    let mut media = Vec::new();
    for (index, value) in list.iter().enumerate() {
        media.extend(read_media(value, &format!("{at}/{index}"), reader));
    }
    (media.len() == list.len()).then_some(Play {
        list: media,
        barge_in,
    })
}

/// Reads a property that holds `{"play": {…}}`.
pub(super) fn read_nested(
    value: &Value,
    pointer: &str,
    reader: &mut Reader,
    barge_in: bool,
) -> Option<Play> {
    let mut fields = Fields::new(value, pointer, reader)?;
    let play = fields.required("play");
    let at = fields.at("play");
    fields.finish();
    read(play?, &at, reader, barge_in)
}

/// Reads a list of messages, each `{"play": {…}}`; they cannot be barged in unless they say so.
pub(super) fn read_messages(
    fields: &mut Fields<'_, '_>,
    name: &'static str,
    default: [&str; 2],
) -> Vec<Play> {
    let Some(value) = fields.value(name) else {
        return default.into_iter().map(Play::sentence).collect();
    };
    let pointer = fields.at(name);
    let Some(list) = value.as_array() else {
        fields.fault(name, "not_an_array", "an array is needed here");
        return Vec::new();
    };
    let mut messages = Vec::new();
    for (index, value) in list.iter().enumerate() {
        messages.extend(read_nested(
            value,
            &format!("{pointer}/{index}"),
            fields.reader,
            false,
        ));
    }
    messages
}

fn read_media(value: &Value, pointer: &str, reader: &mut Reader) -> Option<Media> {
    let kinds = ["text_to_say", "file_to_play", "digits"];
    let given = value.as_object().map_or(0, |object| {
        kinds
            .iter()
            .filter(|kind| object.get(**kind).is_some_and(|v| !v.is_null()))
            .count()
    });
    let mut fields = Fields::new(value, pointer, reader)?;
    if given != 1 {
        let detail = "exactly one of `text_to_say`, `file_to_play` and `digits` is needed";
        let pointer = fields.pointer.clone();
        fields.reader.fault(&pointer, "not_media", detail);
        return None;
    }
    let text = fields.string("text_to_say");
    let voice = fields.string("tts_voice").unwrap_or_default();
    let private = fields.boolean("text_is_private", false);
    let digits = fields.string("digits");
    let file = fields.value("file_to_play");
    let at = fields.at("file_to_play");
    fields.unsupported("decryption_cipher");
    if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
        fields.fault(
            "text_to_say",
            "too_long",
            format!("at most {MAX_TEXT} bytes"),
        );
    }
    if digits
        .as_ref()
        .is_some_and(|digits| !are_digits(digits) || digits.len() > MAX_DIGITS)
    {
        let detail = format!("1 to {MAX_DIGITS} of 0-9, A-D, * and # are needed here");
        fields.fault("digits", "not_digits", detail);
    }
    fields.finish();
    match (text, digits, file) {
        (Some(text), _, _) => Some(Media::Text {
            text,
            voice,
            private,
        }),
        (None, Some(digits), _) => Some(Media::Digits(digits)),
        (None, None, Some(Value::String(name))) => {
            if is_file_name(name) {
                return Some(Media::File(name.clone()));
            }
            let detail = "letters, digits and . _ / @ - are allowed, without .. and //";
            reader.fault(&at, "invalid_file_name", detail);
            None
        }
        (None, None, Some(page)) => {
            let page = read_page(page, &at, reader, Method::Get)?;
            if page.method() == Method::Post {
                reader.fault(
                    &format!("{at}/method"),
                    "not_a_method",
                    "media is fetched with GET",
                );
            }
            Some(Media::Url(page.url().to_string()))
        }
        (None, None, None) => None,
    }
}

/// Whether a text is made of telephone keys.
pub(super) fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_digit)
}

pub(super) fn is_digit(c: char) -> bool {
    matches!(c, '0'..='9' | 'A'..='D' | '*' | '#')
}

fn is_file_name(name: &str) -> bool {
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'@' | b'-');
    let broken = name.contains("..") || name.contains("//") || name.contains("/./");
    !name.is_empty()
        && name.len() <= MAX_FILE
        && name.bytes().all(allowed)
        && !broken
        && !name.ends_with('/')
}

/// A play that runs.
#[derive(Clone, Debug)]
pub(in crate::application) struct Run {
    play: PlayNumber,
    barge_in: bool,
}

impl Run {
    pub(super) fn handle(&mut self, event: &Event, desk: &mut Desk) -> Option<Outcome> {
        match event {
            Event::Played {
                leg: LegNumber::A,
                play,
                failure,
            } if *play == self.play => Some(match failure {
                None => Outcome::Next,
                Some(text) => Outcome::Failed(text.clone()),
            }),
            Event::Digit {
                leg: LegNumber::A,
                digit,
            } if self.barge_in => {
                desk.stop_play();
                desk.typed.push(*digit);
                Some(Outcome::Next)
            }
            _ => None,
        }
    }
}
