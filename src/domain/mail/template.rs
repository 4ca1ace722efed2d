//! Templates of mail: text with `{{variable}}` in it, and nothing else that would be carried out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kind;
use crate::fault::Fault;

/// Most characters of a subject.
const MAX_SUBJECT: usize = 200;

/// Most bytes of a text or an HTML document.
const MAX_BODY: usize = 64 * 1024;

/// Most characters of what stands for a variable.
const MAX_VALUE: usize = 2000;

/// What a mail says. `{{name}}` stands for a variable of its kind; it is escaped in HTML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MailTemplate)]
pub struct Template {
    /// The subject, one line.
    #[schema(example = "You are invited to {{account}}")]
    pub subject: String,
    /// The plain text.
    #[schema(example = "Hello {{name}}, open {{link}} to choose a password.")]
    pub text: String,
    /// The HTML document; absent: the mail is plain text only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// A mail as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RenderedMail)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: Option<String>,
}

/// A piece of a template.
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// Why a template can't be read.
struct Unclosed;

/// The pieces of a template. Braces alone mean nothing.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Unclosed> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or(Unclosed)?;
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Variable(name.trim()));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

impl Template {
    /// What is said when an account has no template of its own.
    pub fn default_of(kind: Kind) -> Self {
        let (subject, text) = match kind {
            Kind::Voicemail => (
                "Voicemail from {{caller}}",
                "{{caller}} left a voicemail of {{duration}} for {{number}} at {{time}}.\n\n\
                 Listen to it: {{link}}\n\n{{account}}\n",
            ),
            Kind::Recording => (
                "Recording of a call with {{caller}}",
                "The call of {{caller}} to {{number}} at {{time}} was recorded ({{duration}}).\n\n\
                 Listen to it: {{link}}\n\n{{account}}\n",
            ),
            Kind::MissedCall => (
                "Missed call from {{caller}}",
                "{{caller}} called {{number}} at {{time}} and reached nobody.\n\n\
                 See the call: {{link}}\n\n{{account}}\n",
            ),
            Kind::ScheduledReport => (
                "{{report}}",
                "{{report}} from {{from}} to {{to}}:\n\n{{link}}\n\n{{account}}\n",
            ),
            Kind::Password => (
                "Choose a new password",
                "Hello {{name}},\n\nsomebody asked for a new password for you at {{account}}. \
                 If it was you, open this within {{hours}} h:\n\n{{link}}\n\n\
                 If it was not you, there is nothing to do.\n",
            ),
            Kind::Invitation => (
                "You are invited to {{account}}",
                "Hello {{name}},\n\n{{inviter}} invites you to {{account}}. \
                 Choose a password within {{days}} days:\n\n{{link}}\n",
            ),
        };
        Self {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: None,
        }
    }

    /// Everything that is wrong with it for a kind of mail.
    pub fn faults(&self, kind: Kind) -> Vec<Fault> {
        let mut faults = Vec::new();
        let parts = [
            ("/subject", Some(&self.subject)),
            ("/text", Some(&self.text)),
            ("/html", self.html.as_ref()),
        ];
        for (pointer, text) in parts {
            let Some(text) = text else { continue };
            faults.extend(faults_of(pointer, text, kind));
        }
        if self.subject.trim().is_empty() || self.subject.chars().count() > MAX_SUBJECT {
            let detail = format!("write 1 to {MAX_SUBJECT} characters");
            faults.push(Fault::new("/subject", "bad_length", detail));
        }
        if self.subject.contains(char::is_control) {
            let detail = "leave out control characters";
            faults.push(Fault::new("/subject", "control_character", detail));
        }
        if self.text.trim().is_empty() {
            faults.push(Fault::new("/text", "bad_length", "write a text"));
        }
        for (pointer, length) in [
            ("/text", self.text.len()),
            ("/html", self.html.as_deref().map_or(0, str::len)),
        ] {
            if length > MAX_BODY {
                let detail = format!("write at most {MAX_BODY} bytes");
                faults.push(Fault::new(pointer, "bad_length", detail));
            }
        }
        faults
    }

    /// The mail with these values; what is not given stays empty.
    pub fn render(&self, values: &BTreeMap<String, String>) -> Rendered {
        let line = |text: &str| text.chars().filter(|c| !c.is_control()).collect();
        Rendered {
            subject: line(&filled(&self.subject, values, |value| line(value))),
            text: filled(&self.text, values, ToOwned::to_owned),
            html: self
                .html
                .as_deref()
                .map(|html| filled(html, values, escaped)),
        }
    }
}

fn faults_of(pointer: &str, text: &str, kind: Kind) -> Vec<Fault> {
    let Ok(pieces) = pieces(text) else {
        let detail = "a variable that begins with {{ must end with }}";
        return vec![Fault::new(pointer, "unclosed_variable", detail)];
    };
    let names: Vec<&str> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Variable(name) => Some(*name),
            Piece::Text(_) => None,
        })
        .collect();
    let known = kind.variables();
    let mut faults = Vec::new();
    for name in &names {
        if !known.iter().any(|(variable, _)| variable == name) {
            let choices: Vec<&str> = known.iter().map(|(variable, _)| *variable).collect();
            let detail = format!("there is no `{name}`; choose {}", choices.join(", "));
            faults.push(Fault::new(pointer, "unknown_variable", detail));
        }
    }
    if let Some(needed) = kind.needs()
        && pointer == "/subject"
        && names.contains(&needed)
    {
        let detail = format!("leave out {{{{{needed}}}}}: subjects are shown to many");
        faults.push(Fault::new(pointer, "not_here", detail));
    }
    if let Some(needed) = kind.needs()
        && pointer != "/subject"
        && !names.contains(&needed)
    {
        let detail = format!("say {{{{{needed}}}}}: without it the mail is of no use");
        faults.push(Fault::new(pointer, "missing_variable", detail));
    }
    faults
}

fn filled(text: &str, values: &BTreeMap<String, String>, write: impl Fn(&str) -> String) -> String {
    let Ok(pieces) = pieces(text) else {
        return text.to_owned();
    };
    let mut filled = String::with_capacity(text.len());
    for piece in pieces {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Variable(name) => {
                let value = values.get(name).map_or("", String::as_str);
                let value: String = value.chars().take(MAX_VALUE).collect();
                filled.push_str(&write(&value));
            }
        }
    }
    filled
}

/// A text that means itself in HTML, also within an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Values to try a template with.
pub fn example(kind: Kind) -> BTreeMap<String, String> {
    let pairs = kind.variables().iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(subject: &str, text: &str, html: Option<&str>) -> Template {
        Template {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: html.map(ToOwned::to_owned),
        }
    }

    fn codes(template: &Template, kind: Kind) -> Vec<String> {
        let faults = template.faults(kind);
        faults
            .iter()
            .map(|fault| format!("{} {}", fault.pointer, fault.code))
            .collect()
    }

    #[test]
    fn a_value_is_only_itself_wherever_it_stands() {
        let template = template(
            "From {{ caller }}",
            "{{caller}} {x} }}",
            Some("<a title=\"{{caller}}\">{{caller}}</a>"),
        );
        let nasty = "\"><script>x</script>\r\nBcc: a@b.c {{number}}";
        let values = BTreeMap::from([("caller".to_owned(), nasty.to_owned())]);
        let mail = template.render(&values);
        assert_eq!(
            mail.subject,
            "From \"><script>x</script>Bcc: a@b.c {{number}}"
        );
        assert_eq!(mail.text, format!("{nasty} {{x}} }}}}"));
        let html = mail.html.unwrap();
        assert!(
            !html.contains("<script>") && !html.contains("\"\""),
            "{html}"
        );
        assert!(
            html.starts_with("<a title=\"&quot;&gt;&lt;script&gt;"),
            "{html}"
        );
    }

    #[test]
    fn every_fault_of_a_template_is_told() {
        for kind in Kind::ALL {
            assert_eq!(codes(&Template::default_of(kind), kind), [""; 0]);
        }
        let wrong = template("{{calller}}\n", " ", Some("{{link"));
        assert_eq!(
            codes(&wrong, Kind::Voicemail),
            [
                "/subject unknown_variable",
                "/html unclosed_variable",
                "/subject control_character",
                "/text bad_length"
            ]
        );
        let useless = template("New password", "Nothing to open", None);
        assert_eq!(codes(&useless, Kind::Password), ["/text missing_variable"]);
    }

    proptest! {
        #[test]
        fn no_value_brings_markup_or_a_line_break_into_subject_or_html(value in any::<String>()) {
            let template = template("{{caller}}", "{{caller}}", Some("{{caller}}"));
            let mail = template.render(&BTreeMap::from([("caller".to_owned(), value)]));
            prop_assert!(!mail.subject.contains(char::is_control));
            prop_assert!(!mail.html.unwrap().contains(['<', '>', '"', '\'']));
        }
    }
}
