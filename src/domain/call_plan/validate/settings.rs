//! What is wrong with properties that have a form of their own: numbers, destinations, keys, …

use super::{Checker, Code};
use crate::call_plan::nodes::delivery;
use crate::call_plan::nodes::ivr_menu::KEYS;
use crate::call_plan::nodes::prompt::PromptSound;
use crate::call_plan::setting::Setting;
use crate::call_plan::variables::{LONGEST_VALUE, is_built_in};
use crate::ids::AudioId;
use chrono_tz::Tz;
use std::ops::RangeInclusive;

/// The longest name of a branch that a plan makes.
const LONGEST_BRANCH: usize = 40;

impl Checker<'_> {
    /// A text setting that has to have a form; for a variable, its default has to.
    pub(crate) fn parsed<T>(
        &mut self,
        property: &str,
        setting: &Setting<String>,
        form: &str,
        read: impl Fn(&str) -> Option<T>,
    ) {
        self.form(property, setting, form, Code::InvalidProperty, read);
    }

    fn form<T>(
        &mut self,
        property: &str,
        setting: &Setting<String>,
        form: &str,
        code: Code,
        read: impl Fn(&str) -> Option<T>,
    ) {
        match setting {
            Setting::Literal(text) if text.trim().is_empty() => self.missing(property),
            Setting::Literal(text) => {
                if text.chars().count() > LONGEST_VALUE || read(text).is_none() {
                    self.error(code, property, format!("'{text}' is not {form}"));
                }
            }
            Setting::Variable(name) => self.default_form(property, name, form, read),
        }
    }

    fn default_form<T>(
        &mut self,
        property: &str,
        name: &str,
        form: &str,
        read: impl Fn(&str) -> Option<T>,
    ) {
        if !self.used(property, name) || is_built_in(name) {
            return;
        }
        let default = self.index.variable(name).map(|variable| &variable.default);
        if let Some(default) = default
            && read(default).is_none()
        {
            self.error(
                Code::InvalidDefault,
                property,
                format!("the default '{default}' of {name} is not {form}"),
            );
        }
    }

    /// A number within a range.
    pub(crate) fn number(
        &mut self,
        property: &str,
        setting: &Setting<u32>,
        range: RangeInclusive<u32>,
    ) {
        let form = format!("a number from {} to {}", range.start(), range.end());
        match setting {
            Setting::Literal(number) => {
                if !range.contains(number) {
                    self.error(
                        Code::OutOfRange,
                        property,
                        format!("{number} is not {form}"),
                    );
                }
            }
            Setting::Variable(name) => self.default_form(property, name, &form, |text| {
                let number = text.trim().parse::<u32>().ok()?;
                range.contains(&number).then_some(number)
            }),
        }
    }

    /// A mandatory list.
    pub(crate) fn list_length(&mut self, property: &str, length: usize, most: usize) {
        if length == 0 {
            self.missing(property);
        }
        if length > most {
            self.error(
                Code::OutOfRange,
                property,
                format!("{length} entries; there may be {most}"),
            );
        }
    }

    pub(crate) fn audio(&mut self, property: &str, audio: &Setting<String>) {
        let read = |text: &str| text.trim().parse::<AudioId>().ok();
        self.parsed(property, audio, "the id of an audio file", read);
        let id = match audio {
            Setting::Literal(text) => read(text),
            Setting::Variable(name) => self
                .index
                .variable(name)
                .and_then(|variable| read(&variable.default)),
        };
        if let (Some(id), Some(pool)) = (id, &self.context.audio)
            && !pool.contains(&id)
        {
            self.error(
                Code::UnknownAudio,
                property,
                format!("the audio file {id} is not in the pool"),
            );
        }
    }

    /// Somebody to dial.
    pub(crate) fn destination(&mut self, property: &str, setting: &Setting<String>) {
        let form = "a number of the form +441632960001 or a SIP URI";
        let destination = match setting {
            Setting::Literal(text) => {
                let read = delivery::literal_destination;
                self.form(property, setting, form, Code::InvalidDestination, read);
                read(text)
            }
            Setting::Variable(name) => {
                self.default_form(property, name, form, delivery::destination);
                self.index
                    .variable(name)
                    .and_then(|variable| delivery::destination(&variable.default))
            }
        };
        if let Some(Err(refusal)) =
            destination.map(|destination| destination.check(self.permissions()))
        {
            self.error(Code::NotPermitted, property, refusal.to_string());
        }
    }

    /// A number that is shown to a destination.
    pub(crate) fn presentation(&mut self, property: &str, setting: Option<&Setting<String>>) {
        let Some(setting) = setting else {
            return;
        };
        self.parsed(
            property,
            setting,
            "a number of the form +441632960001",
            delivery::number,
        );
        let number = match setting {
            Setting::Literal(text) => delivery::number(text),
            Setting::Variable(name) => self
                .index
                .variable(name)
                .and_then(|variable| delivery::number(&variable.default)),
        };
        let (Some(number), Some(hosted)) = (number, &self.context.numbers) else {
            return;
        };
        let is_free = self.permissions().custom_cli && number.class().is_presentable();
        if !hosted.contains(&number) && !is_free {
            self.error(
                Code::UnknownNumber,
                property,
                format!("{number} is not hosted for this account and may not be shown"),
            );
        }
    }

    /// The name of a room or queue.
    pub(crate) fn name(&mut self, property: &str, setting: &Setting<String>) {
        self.parsed(
            property,
            setting,
            "a name of 1 to 100 characters",
            delivery::name,
        );
    }

    pub(crate) fn time_zone(&mut self, property: &str, setting: Option<&Setting<String>>) {
        if let Some(setting) = setting {
            self.parsed(
                property,
                setting,
                "a time zone of the form Europe/London",
                |name| name.parse::<Tz>().ok(),
            );
        }
    }

    /// A telephone key, when there is one.
    pub(crate) fn key(&mut self, property: &str, key: Option<char>) {
        if let Some(key) = key
            && !KEYS.contains(&key.to_string().as_str())
        {
            self.error(
                Code::InvalidProperty,
                property,
                format!("'{key}' is not one of the keys 0 to 9, * and #"),
            );
        }
    }

    /// The name of a branch that an entry of a list makes.
    pub(crate) fn branch_name(&mut self, property: &str, name: &str, taken: &str) {
        let length = name.chars().count();
        if !(1..=LONGEST_BRANCH).contains(&length) || name.chars().any(char::is_control) {
            self.error(
                Code::InvalidProperty,
                property,
                format!("a branch's name has 1 to {LONGEST_BRANCH} characters"),
            );
        }
        if name == taken {
            self.error(
                Code::InvalidProperty,
                property,
                format!("'{taken}' is the branch of what matches nothing"),
            );
        }
    }

    /// Music in a prompt would never end.
    pub(crate) fn no_music(&mut self, property: &str, prompt: &[PromptSound]) {
        if prompt.contains(&PromptSound::Music) {
            self.error(
                Code::InvalidProperty,
                property,
                "music has no end, and a prompt needs one".to_owned(),
            );
        }
    }
}
