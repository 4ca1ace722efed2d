//! E.164 telephone numbers: reading, normalising, and the classes to which they belong.
//!
//! *Source*: ITU-T E.164; Ofcom's National Telephone Numbering Plan for the UK's classes.

mod countries;

pub use countries::Country;

use countries::COUNTRIES;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// The most digits that a number has. ITU-T E.164 §6.2.1.
const MAX_DIGITS: usize = 15;
/// The fewest that we take: a three-digit code and a number of four (Niue, St Helena).
const MIN_DIGITS: usize = 7;

/// A text that is no telephone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum E164Error {
    /// Something else than digits and the usual separators.
    #[error("not a telephone number")]
    NotANumber,
    /// Too few or too many digits.
    #[error("a telephone number has 7 to 15 digits with its country code")]
    Length,
    /// No country has such a code.
    #[error("no country has this calling code")]
    UnknownCountry,
    /// A UK number that the UK's numbering plan cannot have.
    #[error("not a number of the UK's numbering plan")]
    NotInNumberingPlan,
}

/// The class of a service number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NumberClass {
    /// 01 and 02.
    UkGeographic,
    /// 03.
    UkWide,
    /// 080.
    UkFreephone,
    /// 084, 087, and the 05 and 082 ranges that are charged like them.
    UkSpecial,
    /// 07, without 070 and 076; with 07624 (Isle of Man).
    UkMobile,
    /// 070 personal numbers and 076 pagers.
    UkPersonal,
    /// 09.
    UkPremium,
    /// Any number of another country.
    International,
}

impl NumberClass {
    /// The classes of service numbers for which calls may be scheduled, unless configured
    /// otherwise: 01, 02, 03 and 080.
    pub const SCHEDULABLE: [Self; 3] = [Self::UkGeographic, Self::UkWide, Self::UkFreephone];

    /// Whether a number that is not hosted here may be presented with the custom CLI permission:
    /// 01, 02, 03, 080 and mobile; never 070.
    pub fn is_presentable(self) -> bool {
        match self {
            Self::UkGeographic | Self::UkWide | Self::UkFreephone | Self::UkMobile => true,
            Self::UkSpecial | Self::UkPersonal | Self::UkPremium | Self::International => false,
        }
    }
}

/// The class of a destination, by which calling is permitted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DestinationClass {
    /// UK 01 and 02.
    UkGeographic,
    /// UK 03.
    UkWide,
    /// UK 080.
    UkFreephone,
    /// UK 084, 087, 05 and 082.
    UkSpecial,
    /// UK 07 without 070 and 076.
    UkMobile,
    /// UK 070 and 076.
    UkPersonal,
    /// UK 09.
    UkPremium,
    /// Europe without the UK.
    Europe,
    /// The United States, Canada, Greenland.
    NorthAmerica,
    /// The Caribbean islands, those of the North American plan included.
    Caribbean,
    /// Mexico to Chile.
    LatinAmerica,
    /// Africa.
    Africa,
    /// The Arab countries of Asia, Israel, Iran and the Caucasus.
    MiddleEast,
    /// The rest of Asia.
    Asia,
    /// Australia, New Zealand and the Pacific.
    Oceania,
    /// Satellite and other networks of the world.
    Satellite,
    /// Freephone numbers of the world (+800).
    GlobalFreephone,
    /// Shared cost, personal and premium numbers of the world.
    GlobalShared,
}

impl DestinationClass {
    /// Every class.
    pub const ALL: [Self; 18] = [
        Self::UkGeographic,
        Self::UkWide,
        Self::UkFreephone,
        Self::UkSpecial,
        Self::UkMobile,
        Self::UkPersonal,
        Self::UkPremium,
        Self::Europe,
        Self::NorthAmerica,
        Self::Caribbean,
        Self::LatinAmerica,
        Self::Africa,
        Self::MiddleEast,
        Self::Asia,
        Self::Oceania,
        Self::Satellite,
        Self::GlobalFreephone,
        Self::GlobalShared,
    ];

    /// What an account is usually granted: UK numbers at ordinary rates.
    pub const ORDINARY: [Self; 4] = [
        Self::UkGeographic,
        Self::UkWide,
        Self::UkFreephone,
        Self::UkMobile,
    ];

    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::UkGeographic => "uk_geographic",
            Self::UkWide => "uk_wide",
            Self::UkFreephone => "uk_freephone",
            Self::UkSpecial => "uk_special",
            Self::UkMobile => "uk_mobile",
            Self::UkPersonal => "uk_personal",
            Self::UkPremium => "uk_premium",
            Self::Europe => "europe",
            Self::NorthAmerica => "north_america",
            Self::Caribbean => "caribbean",
            Self::LatinAmerica => "latin_america",
            Self::Africa => "africa",
            Self::MiddleEast => "middle_east",
            Self::Asia => "asia",
            Self::Oceania => "oceania",
            Self::Satellite => "satellite",
            Self::GlobalFreephone => "global_freephone",
            Self::GlobalShared => "global_shared",
        }
    }

    /// The class of a service number with this destination class.
    pub fn number_class(self) -> NumberClass {
        match self {
            Self::UkGeographic => NumberClass::UkGeographic,
            Self::UkWide => NumberClass::UkWide,
            Self::UkFreephone => NumberClass::UkFreephone,
            Self::UkSpecial => NumberClass::UkSpecial,
            Self::UkMobile => NumberClass::UkMobile,
            Self::UkPersonal => NumberClass::UkPersonal,
            Self::UkPremium => NumberClass::UkPremium,
            Self::Europe
            | Self::NorthAmerica
            | Self::Caribbean
            | Self::LatinAmerica
            | Self::Africa
            | Self::MiddleEast
            | Self::Asia
            | Self::Oceania
            | Self::Satellite
            | Self::GlobalFreephone
            | Self::GlobalShared => NumberClass::International,
        }
    }
}

impl Country {
    /// The United Kingdom.
    pub const GB: &'static Self = &Self {
        code: "44",
        iso: "GB",
        trunk: "0",
        class: DestinationClass::UkGeographic,
    };

    /// The ISO code of a calling code that belongs to no country.
    pub const WORLD: &'static str = "001";

    /// The country with this ISO 3166 code (`GB`).
    pub fn by_iso(iso: &str) -> Option<&'static Self> {
        COUNTRIES.iter().find(|country| country.iso == iso)
    }

    /// The country of a number's digits: the longest code that fits.
    fn of(digits: &str) -> Option<&'static Self> {
        (1..=4)
            .rev()
            .filter_map(|length| digits.get(..length))
            .find_map(|code| {
                let row = COUNTRIES
                    .binary_search_by(|country| country.code.cmp(code))
                    .ok()?;
                COUNTRIES.get(row)
            })
    }

    /// What is dialled before a number of another country. 011 in the North American plan.
    fn international(&self) -> &'static str {
        if self.code.starts_with('1') {
            "011"
        } else {
            "00"
        }
    }

    /// The code without the area codes of the North American plan and of Kazakhstan.
    fn calling_code(&self) -> &'static str {
        match self.code.as_bytes() {
            [b'1', ..] => "1",
            [b'7', ..] => "7",
            _ => self.code,
        }
    }
}

/// A telephone number in international form: `+` and 7 to 15 digits that begin with an assigned
/// calling code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "+441632960001", pattern = r"^\+[1-9][0-9]{6,14}$")]
pub struct E164(String);

impl E164 {
    /// Reads the international form, and only that: `+441632960001`.
    pub fn parse(text: &str) -> Result<Self, E164Error> {
        let digits = text.strip_prefix('+').ok_or(E164Error::NotANumber)?;
        Self::from_digits(digits)
    }

    /// Reads what people write: `+44 1632 960001`, `00441632960001`, `01632 960 001`,
    /// `(020) 7946-0001`, `+44 (0)20 7946 0001`. National forms are numbers of `country`.
    pub fn read(text: &str, country: &Country) -> Result<Self, E164Error> {
        let text = text.trim();
        let international = text.starts_with('+');
        let text = text.replacen("(0)", "", usize::from(international));
        let mut digits = String::with_capacity(MAX_DIGITS);
        for (place, c) in text.chars().enumerate() {
            match c {
                '0'..='9' if digits.len() < 2 * MAX_DIGITS => digits.push(c),
                '0'..='9' => return Err(E164Error::Length),
                '+' if place == 0 => {}
                ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' => {}
                _ => return Err(E164Error::NotANumber),
            }
        }
        if digits.is_empty() {
            return Err(E164Error::NotANumber);
        }
        if international {
            return Self::from_digits(&digits);
        }
        if let Some(rest) = digits.strip_prefix(country.international()) {
            return Self::from_digits(rest);
        }
        let national = digits
            .strip_prefix(country.trunk)
            .ok_or(E164Error::NotANumber)?;
        Self::from_digits(&format!("{}{national}", country.calling_code()))
    }

    /// Reads the user part of a SIP or tel URI: `+441632960001`, `00441632960001`, `01632960001`,
    /// and `441632960001` as many carriers send it. Parameters after `;` are not part of it.
    pub fn from_user(user: &str, country: &Country) -> Result<Self, E164Error> {
        let user = user.split(';').next().unwrap_or_default();
        let own_code = country.calling_code();
        if !country.trunk.is_empty() && user.starts_with(own_code) && !own_code.starts_with('1') {
            return Self::from_digits(user);
        }
        Self::read(user, country)
    }

    fn from_digits(digits: &str) -> Result<Self, E164Error> {
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(E164Error::NotANumber);
        }
        if !(MIN_DIGITS..=MAX_DIGITS).contains(&digits.len()) {
            return Err(E164Error::Length);
        }
        let country = Country::of(digits).ok_or(E164Error::UnknownCountry)?;
        if country.code == Country::GB.code {
            check_uk(digits.get(2..).unwrap_or_default())?;
        }
        if country.calling_code() == "1" && digits.len() != 11 {
            return Err(E164Error::Length);
        }
        Ok(Self(format!("+{digits}")))
    }

    /// The number with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number without its `+`.
    pub fn digits(&self) -> &str {
        self.0.get(1..).unwrap_or_default()
    }

    /// Whether it begins with this prefix, which is given with its `+` (`+44`).
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.0.starts_with(prefix)
    }

    /// Its country.
    pub fn country(&self) -> Option<&'static Country> {
        Country::of(self.digits())
    }

    /// As it is dialled inside its country (`01632960001`).
    pub fn national(&self) -> String {
        self.country().map_or_else(String::new, |country| {
            let number = self
                .digits()
                .strip_prefix(country.calling_code())
                .unwrap_or_default();
            format!("{}{number}", country.trunk)
        })
    }

    /// Its class as a destination.
    pub fn destination_class(&self) -> DestinationClass {
        let class = self
            .country()
            .map_or(DestinationClass::GlobalShared, |country| country.class);
        match self.digits().strip_prefix(Country::GB.code) {
            Some(national) if class == DestinationClass::UkGeographic => uk_class(national),
            Some(_) | None => class,
        }
    }

    /// Its class as a service number.
    pub fn class(&self) -> NumberClass {
        self.destination_class().number_class()
    }
}

/// The class of a UK number by its digits after 44.
fn uk_class(national: &str) -> DestinationClass {
    match national.as_bytes() {
        [b'3', ..] => DestinationClass::UkWide,
        [b'8', b'0', ..] => DestinationClass::UkFreephone,
        [b'5' | b'8', ..] => DestinationClass::UkSpecial,
        [b'7', b'6', b'2', b'4', ..] => DestinationClass::UkMobile,
        [b'7', b'0' | b'6', ..] => DestinationClass::UkPersonal,
        [b'7', ..] => DestinationClass::UkMobile,
        [b'9', ..] => DestinationClass::UkPremium,
        _ => DestinationClass::UkGeographic,
    }
}

/// Checks the digits after 44: ten, or nine in some old 01 areas and 0800 numbers, or the seven of
/// 0800 1111 and 0845 4647. No number begins with 0, 4 or 6.
fn check_uk(national: &str) -> Result<(), E164Error> {
    let fits = match national.as_bytes() {
        [b'1', ..] => matches!(national.len(), 9 | 10),
        [b'8', b'0', b'0', ..] => matches!(national.len(), 7 | 9 | 10),
        [b'8', b'4', b'5', ..] => matches!(national.len(), 7 | 10),
        [b'2' | b'3' | b'5' | b'7' | b'8' | b'9', ..] => national.len() == 10,
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(E164Error::NotInNumberingPlan)
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for E164 {
    type Err = E164Error;

    fn from_str(text: &str) -> Result<Self, E164Error> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for E164 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
