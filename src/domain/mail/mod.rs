//! Mail: its kinds, what their templates may say, and when a mail is tried again.

mod template;

pub use template::{Rendered, Template, example};

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kinds of mail that are sent.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailKind)]
pub enum Kind {
    /// A voicemail was left.
    Voicemail,
    /// A recording is ready.
    Recording,
    /// A call was missed.
    MissedCall,
    /// A report that is sent at set times.
    ScheduledReport,
    /// Somebody forgot a password.
    Password,
    /// Somebody is invited to become a user.
    Invitation,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Voicemail,
        Self::Recording,
        Self::MissedCall,
        Self::ScheduledReport,
        Self::Password,
        Self::Invitation,
    ];

    /// The variables that a template of this kind may use, each with an example.
    pub const fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Voicemail => &[
                ("account", "Example Ltd"),
                ("caller", "+447700900123"),
                ("number", "+441632960001"),
                ("time", "2026-07-01 09:30"),
                ("duration", "0:42"),
                ("link", "https://portal.example.com/voicemails"),
            ],
            Self::Recording => &[
                ("account", "Example Ltd"),
                ("caller", "+447700900123"),
                ("number", "+441632960001"),
                ("time", "2026-07-01 09:30"),
                ("duration", "12:05"),
                ("link", "https://portal.example.com/recordings"),
            ],
            Self::MissedCall => &[
                ("account", "Example Ltd"),
                ("caller", "+447700900123"),
                ("number", "+441632960001"),
                ("time", "2026-07-01 09:30"),
                ("link", "https://portal.example.com/calls"),
            ],
            Self::ScheduledReport => &[
                ("account", "Example Ltd"),
                ("report", "Calls of last week"),
                ("from", "2026-06-22"),
                ("to", "2026-06-28"),
                ("link", "https://portal.example.com/reports"),
            ],
            Self::Password => &[
                ("account", "Example Ltd"),
                ("name", "Alice Example"),
                ("link", "https://portal.example.com/password?token=example"),
                ("hours", "1"),
            ],
            Self::Invitation => &[
                ("account", "Example Ltd"),
                ("name", "Alice Example"),
                ("inviter", "Bob Example"),
                (
                    "link",
                    "https://portal.example.com/invitation?token=example",
                ),
                ("days", "7"),
            ],
        }
    }

    /// The variable without which a mail of this kind is of no use.
    pub const fn needs(self) -> Option<&'static str> {
        match self {
            Self::Password | Self::Invitation => Some("link"),
            Self::Voicemail | Self::Recording | Self::MissedCall | Self::ScheduledReport => None,
        }
    }
}

/// There is no such kind of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such kind of mail")]
pub struct UnknownKind;

impl std::str::FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        serde_json::from_value(text.into()).map_err(|_error| UnknownKind)
    }
}

/// How long a mail is tried. *Source*: RFC 5321 §4.5.4.1 asks for days; after one, a voicemail or
/// a link is of no use.
pub const GIVE_UP: Duration = Duration::from_hours(24);

/// How long after an attempt the next one is made: first soon, since many servers refuse a stranger
/// once, then less and less often; `None`: no more.
///
/// *Source*: RFC 5321 §4.5.4.1.
pub fn retry(attempts: u32, age: Duration) -> Option<Duration> {
    let wait = match attempts {
        0 | 1 => Duration::from_mins(1),
        2 => Duration::from_mins(5),
        3 => Duration::from_mins(15),
        4 => Duration::from_hours(1),
        _ => Duration::from_hours(3),
    };
    (age + wait <= GIVE_UP).then_some(wait)
}

/// Whether a text is an address that mail could be sent to. Only a mail can tell whether it is one.
pub fn is_address(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"".contains(c);
    text.len() <= 254
        && text.chars().all(plain)
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_tried_less_and_less_often_for_a_day() {
        let (mut attempts, mut age) = (1, Duration::ZERO);
        let mut last = Duration::ZERO;
        while let Some(wait) = retry(attempts, age) {
            assert!(wait >= last);
            (attempts, age, last) = (attempts + 1, age + wait, wait);
        }
        assert!(age <= GIVE_UP && age > GIVE_UP / 2, "{age:?}");
        assert!((10..20).contains(&attempts), "{attempts}");
    }

    #[test]
    fn an_address_has_a_name_and_a_domain() {
        for (text, right) in [
            ("alice@example.com", true),
            ("a@localhost", true),
            ("alice", false),
            ("@example.com", false),
            ("alice@", false),
            ("a@b@c", false),
            ("a b@example.com", false),
            ("a\r\n@example.com", false),
        ] {
            assert_eq!(is_address(text), right, "{text}");
        }
    }

    #[test]
    fn what_a_kind_needs_is_among_its_variables() {
        for kind in Kind::ALL {
            if let Some(needed) = kind.needs() {
                assert!(kind.variables().iter().any(|(name, _)| *name == needed));
            }
        }
    }
}
