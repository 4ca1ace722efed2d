//! `;name=value` parameters of header fields and URIs.

use bytestring::ByteString;

use crate::grammar::{is_token, pieces, trim, unquote};

/// Parameters in the order in which they came, values as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(ByteString);

impl Params {
    /// Reads `;name=value;name…`: empty, or starting with a semicolon; a piece of `whole`.
    ///
    /// White space around `;` and `=` is allowed (RFC 3261 §7.3.1), and so is one semicolon too
    /// many at the very end, which some phones send. `None`: not readable.
    pub(crate) fn read(whole: &ByteString, text: &str) -> Option<Self> {
        let text = trim(text);
        if text.is_empty() {
            return Some(Self::default());
        }
        let text = text.strip_prefix(';')?;
        let text = match text.strip_suffix(';') {
            // A semicolon within quotes is not the last one: then the quotes are not closed.
            Some(rest) if !trim(rest).is_empty() => rest,
            _ => text,
        };
        for part in pieces(text, b';') {
            read_one(part?)?;
        }
        Some(Self(whole.slice_ref(text)))
    }

    /// What is readable of `text`; parameters that are not are left out.
    pub(crate) fn read_readable(text: &str) -> Self {
        let readable = text.split(';').filter(|part| read_one(part).is_some());
        Self(readable.collect::<Vec<_>>().join(";").into())
    }

    /// The value of the first parameter of that name, as it came (a quoted string in its quotes).
    /// Empty when the parameter has no value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// Whether there is a parameter of that name, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value of the first parameter of that name, without quotes.
    pub fn unquoted(&self, name: &str) -> Option<String> {
        self.get(name)
            .map(|value| unquote(value).unwrap_or_else(|| value.to_owned()))
    }

    /// All parameters as `(name, value)` in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        pieces(&self.0, b';').filter_map(|part| read_one(part?))
    }
}

impl std::fmt::Display for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in self.iter() {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

/// One parameter: a token; a token, `=` and a value; the value is a quoted string or has no white
/// space (it may be more than a token: hosts and IPv6 addresses are values too).
fn read_one(text: &str) -> Option<(&str, Option<&str>)> {
    let (name, value) = match memchr::memchr(b'=', text.as_bytes()) {
        Some(at) => (trim(text.get(..at)?), Some(trim(text.get(at + 1..)?))),
        None => (trim(text), None),
    };
    if !is_token(name) {
        return None;
    }
    if let Some(value) = value {
        let plain = !value.is_empty()
            && !value
                .bytes()
                .any(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b',' | 0));
        if !plain && !is_quoted(value) {
            return None;
        }
    }
    Some((name, value))
}

fn is_quoted(text: &str) -> bool {
    text.starts_with('"') && unquote(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Params> {
        let whole = ByteString::from(text);
        Params::read(&whole, &whole)
    }

    #[test]
    fn parameters_keep_order_case_and_quotes() {
        let params = read(r#" ; Tag = a-1 ;lr; x = "a;b\"c" "#).expect("readable");
        assert_eq!(params.get("tag"), Some("a-1"));
        assert_eq!(params.get("LR"), Some(""));
        assert_eq!(params.unquoted("x").as_deref(), Some("a;b\"c"));
        assert_eq!(params.to_string(), r#";Tag=a-1;lr;x="a;b\"c""#);
    }

    #[test]
    fn empty_parameters_are_refused_but_for_one_at_the_end() {
        assert!(read(";a;").is_some());
        for text in [
            ";;", ";;a", ";a;;", "a", ";=b", ";a=", ";a b", ";a=b c", r#";a="b"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
