//! `;name=value` parameters of header fields and URIs.

use crate::grammar::{is_token, split, trim, unquote};

/// Parameters in the order in which they came, values as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads `;name=value;name…`: empty, or starting with a semicolon.
    ///
    /// White space around `;` and `=` is allowed (RFC 3261 §7.3.1), and so is one semicolon too
    /// many at the very end, which some phones send. `None`: not readable.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = trim(text);
        if text.is_empty() {
            return Some(Self::default());
        }
        let mut parts = split(text.strip_prefix(';')?, ';')?;
        if parts.len() > 1 && parts.last().is_some_and(|last| trim(last).is_empty()) {
            parts.pop();
        }
        parts
            .into_iter()
            .map(read_one)
            .collect::<Option<_>>()
            .map(Self)
    }

    /// What is readable of `text`; parameters that are not are left out.
    pub(crate) fn read_readable(text: &str) -> Self {
        Self(text.split(';').filter_map(read_one).collect())
    }

    /// The value of the first parameter of that name, as it came (a quoted string in its quotes).
    /// Empty when the parameter has no value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_deref().unwrap_or_default())
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
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

impl std::fmt::Display for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in &self.0 {
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
fn read_one(text: &str) -> Option<(String, Option<String>)> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (trim(name), Some(trim(value))),
        None => (trim(text), None),
    };
    if !is_token(name) {
        return None;
    }
    if let Some(value) = value {
        let plain = !value.is_empty()
            && !value
                .chars()
                .any(|c| c.is_ascii_whitespace() || matches!(c, '"' | ',' | '\0'));
        if !plain && unquote(value).is_none() {
            return None;
        }
    }
    Some((name.to_owned(), value.map(ToOwned::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_order_case_and_quotes() {
        let params = Params::read(r#" ; Tag = a-1 ;lr; x = "a;b\"c" "#).expect("readable");
        assert_eq!(params.get("tag"), Some("a-1"));
        assert_eq!(params.get("LR"), Some(""));
        assert_eq!(params.unquoted("x").as_deref(), Some("a;b\"c"));
        assert_eq!(params.to_string(), r#";Tag=a-1;lr;x="a;b\"c""#);
    }

    #[test]
    fn empty_parameters_are_refused_but_for_one_at_the_end() {
        assert!(Params::read(";a;").is_some());
        for text in [
            ";;", ";;a", ";a;;", "a", ";=b", ";a=", ";a b", ";a=b c", r#";a="b"#,
        ] {
            assert_eq!(Params::read(text), None, "{text}");
        }
    }
}
