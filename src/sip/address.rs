//! What From, To, Contact, Route and Record-Route hold: a display name, a URI, parameters.

use std::fmt;

use bytestring::ByteString;
use thiserror::Error;

use crate::grammar::{breaks_line, is_token, pieces, quote, trim, unquote};
use crate::params::Params;
use crate::uri::{Uri, UriError};

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    /// A quoted string or an angle bracket is not closed, or something stands behind it.
    #[error("quotes or angle brackets are not balanced")]
    Unbalanced,
    /// A display name without quotes that needs them.
    #[error("display name needs quotes")]
    DisplayName,
    /// CR, LF or NUL in what is to be sent.
    #[error("text would break the header line")]
    LineBreak,
    /// The URI, for its own reason.
    #[error("URI is unreadable")]
    Uri(#[from] UriError),
    /// Parameters behind the URI.
    #[error("parameters are unreadable")]
    Params,
    /// No address where there must be one.
    #[error("address is missing")]
    Missing,
}

/// An address (RFC 3261 §20.10, `name-addr` or `addr-spec`), printed as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    raw: ByteString,
    display: Option<ByteString>,
    uri: Uri,
    params: Params,
}

impl NameAddr {
    /// Reads one address.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let whole = ByteString::from(text);
        Self::read(&whole, &whole)
    }

    /// Reads one address, a piece of `whole`.
    pub(crate) fn read(whole: &ByteString, text: &str) -> Result<Self, AddressError> {
        let text = trim(text);
        if text.is_empty() {
            return Err(AddressError::Missing);
        }
        if pieces(text, b',').any(|piece| piece.is_none()) {
            return Err(AddressError::Unbalanced);
        }
        let (display, uri, rest) = if let Some(open) = open_bracket(text) {
            let display = text.get(..open).unwrap_or_default();
            let inner = text.get(open + 1..).unwrap_or_default();
            let (uri, rest) = inner.split_once('>').ok_or(AddressError::Unbalanced)?;
            (read_display(whole, display)?, uri, rest)
        } else {
            // Without brackets all parameters are the header's, and the URI may hold neither
            // comma nor question mark (RFC 3261 §20.10).
            let end = text.find(';').unwrap_or(text.len());
            let uri = trim(text.get(..end).unwrap_or_default());
            if uri.contains([',', '?']) {
                return Err(AddressError::Uri(UriError::Character));
            }
            (None, uri, text.get(end..).unwrap_or_default())
        };
        Ok(Self {
            raw: whole.slice_ref(text),
            display,
            uri: Uri::read(&whole.slice_ref(uri))?,
            params: Params::read(whole, rest).ok_or(AddressError::Params)?,
        })
    }

    /// Reads a comma-separated list of addresses.
    ///
    /// # Errors
    /// The first thing wrong with any of them.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AddressError> {
        Self::read_list(&text.into()).collect()
    }

    /// Reads a comma-separated list of addresses.
    pub(crate) fn read_list(text: &ByteString) -> impl Iterator<Item = Result<Self, AddressError>> {
        pieces(text, b',').map(|piece| Self::read(text, piece.ok_or(AddressError::Unbalanced)?))
    }

    /// Makes an address; the display name is quoted and escaped.
    ///
    /// # Errors
    /// When the display name holds CR, LF or NUL.
    pub fn new(display: Option<&str>, uri: Uri) -> Result<Self, AddressError> {
        let raw = match display {
            Some(name) if breaks_line(name) => return Err(AddressError::LineBreak),
            Some(name) => format!("{} <{uri}>", quote(name)),
            None => format!("<{uri}>"),
        };
        Ok(Self {
            raw: raw.into(),
            display: display.map(Into::into),
            uri,
            params: Params::default(),
        })
    }

    /// The same address with one more header parameter, as for a tag.
    ///
    /// # Errors
    /// When name or value is not a token.
    pub fn with_param(&self, name: &str, value: &str) -> Result<Self, AddressError> {
        if !is_token(name) || !is_token(value) {
            return Err(AddressError::Params);
        }
        Self::parse(&format!(
            "{};{name}={value}",
            self.raw.trim_end_matches([';', ' ', '\t'])
        ))
    }

    /// The same address with this tag.
    ///
    /// # Errors
    /// When it has one already, or `tag` is not a token.
    pub fn with_tag(&self, tag: &str) -> Result<Self, AddressError> {
        if self.params.has("tag") {
            return Err(AddressError::Params);
        }
        self.with_param("tag", tag)
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The display name, without quotes and escapes.
    pub fn display(&self) -> Option<&str> {
        self.display.as_deref()
    }

    /// The URI.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The parameters of the header field; those of the URI are the URI's.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The tag (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// Where the bracket opens that stands in no quoted string.
fn open_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// A display name: nothing, a quoted string, or words.
///
/// RFC 3261 §25.1 lets only tokens stand without quotes. Characters that mean nothing here, such as
/// dots in brackets or letters beyond ASCII, are let through, because telephones send them.
fn read_display(whole: &ByteString, text: &str) -> Result<Option<ByteString>, AddressError> {
    let text = trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with('"') {
        let said = unquote(text).ok_or(AddressError::Unbalanced)?;
        return Ok(Some(said.into()));
    }
    if text
        .chars()
        .any(|c| c.is_ascii_control() || "\",;\\".contains(c))
    {
        return Err(AddressError::DisplayName);
    }
    Ok(Some(whole.slice_ref(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_in_brackets_are_the_uris_and_behind_them_the_headers() {
        let address = NameAddr::parse(r#""A \"B\" C" <sip:a@b;lr?x=y>;tag=7"#).expect("readable");
        assert_eq!(address.display(), Some(r#"A "B" C"#));
        assert_eq!(address.uri().as_str(), "sip:a@b;lr?x=y");
        assert_eq!(address.tag(), Some("7"));
        let bare = NameAddr::parse("sip:a@b;user=phone;tag=8").expect("readable");
        assert_eq!(bare.uri().as_str(), "sip:a@b");
        assert_eq!(bare.params().get("user"), Some("phone"));
    }

    #[test]
    fn lists_split_only_outside_quotes_and_brackets() {
        let list = NameAddr::parse_list(
            r#""Doe, \"J\" <x>" <sip:a,b@c>;+sip.instance="<urn:uuid:1,2>", sip:d@e"#,
        )
        .expect("readable");
        assert_eq!(list.len(), 2);
        assert_eq!(
            list.first().map(|first| first.uri().user()),
            Some(Some("a,b"))
        );
    }

    #[test]
    fn a_name_that_is_sent_cannot_break_out_of_its_quotes() {
        let uri = Uri::parse("sip:a@b").expect("readable");
        let address = NameAddr::new(Some(r#"x" <sip:evil@h>, \"#), uri.clone()).expect("made");
        let read = NameAddr::parse(address.as_str()).expect("readable");
        assert_eq!(read.display(), Some(r#"x" <sip:evil@h>, \"#));
        assert_eq!(read.uri(), &uri);
        assert_eq!(
            NameAddr::new(Some("x\r\nX-Evil: 1"), uri).err(),
            Some(AddressError::LineBreak)
        );
    }

    #[test]
    fn what_is_not_an_address_is_refused_for_its_reason() {
        let cases = [
            ("", AddressError::Missing),
            (r#""open <sip:a@b>"#, AddressError::Unbalanced),
            ("<sip:a@b", AddressError::Unbalanced),
            ("Bell, A <sip:a@b>", AddressError::DisplayName),
            ("< sip:a@b >", AddressError::Uri(UriError::Character)),
            ("sip:a@b?Route=c", AddressError::Uri(UriError::Character)),
            ("<sip:a@b> x", AddressError::Params),
            ("<sip:a@b>;;;", AddressError::Params),
        ];
        for (text, reason) in cases {
            assert_eq!(NameAddr::parse(text).err(), Some(reason), "{text}");
        }
    }

    #[test]
    fn a_tag_is_added_once() {
        let address = NameAddr::parse("<sip:a@b>").expect("readable");
        let tagged = address.with_tag("t1").expect("tagged");
        assert_eq!(tagged.as_str(), "<sip:a@b>;tag=t1");
        assert_eq!(tagged.with_tag("t2").err(), Some(AddressError::Params));
        assert_eq!(address.with_tag("a b").err(), Some(AddressError::Params));
    }
}
