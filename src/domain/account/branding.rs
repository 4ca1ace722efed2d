//! How the portal looks for the users of an account, and the host under which it is opened.

use crate::fault::Fault;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the portal looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Branding {
    /// The name that stands where the platform's would.
    #[schema(example = "Example Telecom")]
    pub title: Option<String>,
    /// The colour of buttons, as `#rrggbb`.
    #[schema(example = "#0b6b57")]
    pub accent: Option<String>,
    /// The colour of the bar on top, as `#rrggbb`.
    #[schema(example = "#17201c")]
    pub bar: Option<String>,
    /// The kind of letters.
    pub font: Option<Font>,
}

/// A kind of letters that every browser has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Font {
    /// As the system writes.
    System,
    /// Letters without serifs.
    Sans,
    /// Letters with serifs.
    Serif,
    /// Round letters.
    Rounded,
}

/// The longest title in characters.
const LONGEST_TITLE: usize = 60;
/// The longest host name. RFC 1035 §2.3.4.
const LONGEST_HOST: usize = 253;
/// The longest label of a host name. RFC 1035 §2.3.4.
const LONGEST_LABEL: usize = 63;

impl Branding {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(title) = &self.title {
            let length = title.trim().chars().count();
            if length == 0 || length > LONGEST_TITLE || title.chars().any(char::is_control) {
                let detail = format!("write 1 to {LONGEST_TITLE} characters");
                faults.push(Fault::new("/title", "bad_length", detail));
            }
        }
        for (pointer, colour) in [("/accent", &self.accent), ("/bar", &self.bar)] {
            if colour.as_deref().is_some_and(|colour| !is_colour(colour)) {
                let detail = "write a colour such as #0b6b57";
                faults.push(Fault::new(pointer, "not_colour", detail));
            }
        }
        faults
    }
}

fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#');
    digits.is_some_and(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A host name in small letters, without port; none: it is not one that a portal may have.
///
/// *Source*: RFC 1123 §2.1; a name has at least two labels.
pub fn host_name(text: &str) -> Option<String> {
    let host = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let fits = host.len() <= LONGEST_HOST && host.contains('.') && host.split('.').all(is_label);
    (fits && !is_address).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_titles_are_checked() {
        let good = Branding {
            title: Some("Example Telecom".to_owned()),
            accent: Some("#0b6b57".to_owned()),
            bar: Some("#17201C".to_owned()),
            font: Some(Font::Serif),
        };
        assert_eq!(good.faults(), []);
        let bad = Branding {
            title: Some(" ".to_owned()),
            accent: Some("red".to_owned()),
            bar: Some("#12345;".to_owned()),
            font: None,
        };
        let pointers: Vec<_> = bad.faults().into_iter().map(|f| f.pointer).collect();
        assert_eq!(pointers, ["/title", "/accent", "/bar"]);
    }

    #[test]
    fn a_host_name_is_a_name_and_no_address() {
        assert_eq!(
            host_name(" Portal.Example.COM. ").as_deref(),
            Some("portal.example.com")
        );
        for wrong in [
            "",
            "localhost",
            "192.0.2.1",
            "a..b",
            "-a.b",
            "a_b.c",
            "a.b/c",
            "a.b:80",
        ] {
            assert_eq!(host_name(wrong), None, "{wrong}");
        }
    }
}
