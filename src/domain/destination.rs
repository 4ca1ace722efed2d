//! Whom the platform may be asked to call: a telephone number or a SIP URI.

use crate::account::Permissions;
use crate::e164::{Country, E164, E164Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The longest SIP URI that is taken.
const MAX_URI: usize = 255;

/// A text that is no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Neither a number nor a SIP URI.
    #[error(transparent)]
    Number(#[from] E164Error),
    /// Begins as a SIP URI but is none that can be dialled.
    #[error("not a SIP URI of the form sip:user@host")]
    Uri,
}

/// A telephone number or a SIP URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// A telephone number.
    Number(E164),
    /// A `sip:` URI as it was given.
    Sip(String),
}

/// Why an account may not call a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// The class of the number is not among its destination classes.
    #[error("the account may not call numbers of this class")]
    Class,
    /// Its country is not among the account's countries.
    #[error("the account may not call this country")]
    Country,
    /// It may not call SIP URIs.
    #[error("the account may not call SIP URIs")]
    Sip,
}

impl Destination {
    /// Reads a number in any form that people of `country` write, with or without `tel:`, or a SIP
    /// URI.
    pub fn read(text: &str, country: &Country) -> Result<Self, DestinationError> {
        let text = text.trim();
        let scheme = text
            .split_once(':')
            .map(|(scheme, rest)| (scheme.to_lowercase(), rest));
        match scheme {
            Some((scheme, rest)) if scheme == "sip" => {
                if is_dialable(rest) {
                    Ok(Self::Sip(format!("sip:{rest}")))
                } else {
                    Err(DestinationError::Uri)
                }
            }
            Some((scheme, rest)) if scheme == "tel" => Ok(Self::Number(E164::read(rest, country)?)),
            Some(_) | None => Ok(Self::Number(E164::read(text, country)?)),
        }
    }

    /// Whether an account with these effective permissions may call it.
    pub fn check(&self, permissions: &Permissions) -> Result<(), NotPermitted> {
        match self {
            Self::Number(number) => {
                let class = number.destination_class();
                if !permissions.destination_classes.contains(&class) {
                    return Err(NotPermitted::Class);
                }
                let may_call = |country| permissions.may_call_country(country);
                if number.country().is_none_or(may_call) {
                    Ok(())
                } else {
                    Err(NotPermitted::Country)
                }
            }
            Self::Sip(_) if permissions.sip_destinations => Ok(()),
            Self::Sip(_) => Err(NotPermitted::Sip),
        }
    }
}

/// Whether the part after `sip:` has a user and a host and nothing that could leave the URI when it
/// is written into a request. RFC 3261 §19.1.1.
fn is_dialable(rest: &str) -> bool {
    let plain = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b',' | b'?'))
    };
    let Some((user, host)) = rest.split_once('@') else {
        return false;
    };
    let host_name = host.split([';', ':']).next().unwrap_or_default();
    let bracketed = host.starts_with('[') && host.contains(']');
    let named = !host_name.is_empty()
        && host_name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    rest.len() <= MAX_URI
        && !user.is_empty()
        && plain(user)
        && plain(host)
        && !host.contains('@')
        && (bracketed || named)
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Sip(uri) => f.write_str(uri),
        }
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    /// Reads the form in which it is kept: `+…` or `sip:…`.
    fn from_str(text: &str) -> Result<Self, DestinationError> {
        if text.starts_with("sip:") {
            return Self::read(text, Country::GB);
        }
        Ok(Self::Number(E164::parse(text)?))
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for Destination {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.examples(["+447700900123", "sip:alice@example.com"])
            .into()
    }
}

impl ToSchema for Destination {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e164::DestinationClass;

    fn read(text: &str) -> Result<String, DestinationError> {
        Destination::read(text, Country::GB).map(|destination| destination.to_string())
    }

    #[test]
    fn numbers_and_sip_uris_are_destinations() {
        assert_eq!(read("07700 900123").unwrap(), "+447700900123");
        assert_eq!(read("tel:+447700900123").unwrap(), "+447700900123");
        assert_eq!(
            read("sip:alice@example.com").unwrap(),
            "sip:alice@example.com"
        );
        let uri = "sip:+4470@[2001:db8::1]:5060;transport=tcp";
        assert_eq!(read(uri).unwrap(), uri);
    }

    #[test]
    fn a_uri_that_could_break_a_request_is_refused() {
        let wrong = [
            "sip:",
            "sip:example.com",
            "sip:@example.com",
            "sip:alice@",
            "sip:al ice@example.com",
            "sip:alice@example.com\r\nVia: x",
            "sip:alice@example.com>;tag=1",
            "sip:alice@example.com?Route=x",
            "sip:alice@-evil_host",
        ];
        for text in wrong {
            assert_eq!(read(text), Err(DestinationError::Uri), "{text}");
        }
        assert!(read("http://example.com").is_err());
    }

    #[test]
    fn classes_and_sip_uris_need_their_permission() {
        let number = Destination::read("+447700900123", Country::GB).unwrap();
        let uri = Destination::read("sip:a@example.com", Country::GB).unwrap();
        let nothing = Permissions::default();
        assert_eq!(number.check(&nothing), Err(NotPermitted::Class));
        assert_eq!(uri.check(&nothing), Err(NotPermitted::Sip));
        let granted = Permissions {
            sip_destinations: true,
            destination_classes: [DestinationClass::UkMobile].into(),
            ..Permissions::default()
        };
        assert_eq!(
            (number.check(&granted), uri.check(&granted)),
            (Ok(()), Ok(()))
        );
    }

    #[test]
    fn a_country_that_is_not_listed_is_not_called() {
        let granted = Permissions {
            countries: Some(["FR".to_owned()].into()),
            ..Permissions::all()
        };
        let check = |text| {
            Destination::read(text, Country::GB)
                .unwrap()
                .check(&granted)
        };
        assert_eq!(check("+33142685300"), Ok(()));
        assert_eq!(check("+447700900123"), Err(NotPermitted::Country));
        // Freephone numbers of the world have no country.
        assert_eq!(check("+80012345678"), Ok(()));
    }

    #[test]
    fn a_destination_is_read_back_as_it_is_kept() {
        for text in ["+447700900123", "sip:alice@example.com"] {
            let destination: Destination = text.parse().unwrap();
            let json = serde_json::to_string(&destination).unwrap();
            assert_eq!(
                serde_json::from_str::<Destination>(&json).unwrap(),
                destination
            );
        }
        assert!("07700900123".parse::<Destination>().is_err());
    }
}
