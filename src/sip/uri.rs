//! SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966), printed as they came.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv6Addr};

use bytestring::ByteString;
use thiserror::Error;

use crate::text::Span;

/// Why a text is not a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UriError {
    /// There is no `scheme:` before it, or nothing behind.
    #[error("URI has no scheme or nothing after it")]
    Scheme,
    /// A space, control character, quote or angle bracket.
    #[error("URI holds a character that no URI may hold")]
    Character,
    /// A `%` that two hexadecimal digits do not follow.
    #[error("URI holds an unreadable escape")]
    Escape,
    /// The part before `@`, or a telephone number, is empty or not readable.
    #[error("user part of the URI is unreadable")]
    User,
    /// No host, or not one.
    #[error("host of the URI is unreadable")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("port of the URI is unreadable")]
    Port,
}

/// The scheme of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other; nothing behind it is read.
    Other,
}

/// A URI: its text as it came, and where its parts are.
///
/// Nothing is unescaped, lowercased or put in another order, so that what is sent on is what came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    raw: ByteString,
    scheme: Scheme,
    user: Option<Span>,
    password: Option<Span>,
    host: Span,
    port: Option<u16>,
    params: Span,
    headers: Span,
}

impl Uri {
    /// Reads a URI that stands alone, as in a request line or between angle brackets.
    ///
    /// # Errors
    /// The first thing wrong with it. Characters that RFC 3261 wants escaped are let through where
    /// they cannot be mistaken, because telephones send them.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        Self::read(&text.into())
    }

    /// Reads a URI and keeps its text.
    pub(crate) fn read(raw: &ByteString) -> Result<Self, UriError> {
        let text: &str = raw;
        if text
            .bytes()
            .any(|b| b.is_ascii_control() || matches!(b, b' ' | b'"' | b'<' | b'>'))
        {
            return Err(UriError::Character);
        }
        let (name, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !named || rest.is_empty() {
            return Err(UriError::Scheme);
        }
        let at = name.len() + 1;
        let mut uri = Self {
            raw: raw.clone(),
            scheme: Scheme::Other,
            user: None,
            password: None,
            host: Span::default(),
            port: None,
            params: Span::default(),
            headers: Span::default(),
        };
        if name.eq_ignore_ascii_case("sip") {
            uri.scheme = Scheme::Sip;
        } else if name.eq_ignore_ascii_case("sips") {
            uri.scheme = Scheme::Sips;
        } else if name.eq_ignore_ascii_case("tel") {
            uri.scheme = Scheme::Tel;
        }
        match uri.scheme {
            Scheme::Sip | Scheme::Sips => uri.read_sip(rest, at)?,
            Scheme::Tel => uri.read_tel(rest, at)?,
            Scheme::Other => {}
        }
        Ok(uri)
    }

    /// Makes `sip:user@host:port`, the user escaped as RFC 3261 §25.1 wants it.
    ///
    /// # Errors
    /// When `host` is none; an IPv6 address stands in brackets.
    pub fn sip(user: Option<&str>, host: &str, port: Option<u16>) -> Result<Self, UriError> {
        let mut text = String::from("sip:");
        if let Some(user) = user {
            text.push_str(&escape_user(user));
            text.push('@');
        }
        text.push_str(host);
        if let Some(port) = port {
            text.push(':');
            text.push_str(&port.to_string());
        }
        Self::parse(&text)
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user part, raw; the telephone number of a `tel:` URI.
    pub fn user(&self) -> Option<&str> {
        self.user.map(|span| self.text(span))
    }

    /// The user part with its escapes undone.
    ///
    /// Escaped control characters and escapes that are not UTF-8 stay escaped, so that the text
    /// holds no CR, LF or NUL.
    pub fn unescaped_user(&self) -> Option<String> {
        self.user().map(unescape)
    }

    /// The password, raw. RFC 3261 §19.1.1 recommends against it.
    pub fn password(&self) -> Option<&str> {
        self.password.map(|span| self.text(span))
    }

    /// The host as it came, an IPv6 address in its brackets; empty in a `tel:` URI.
    pub fn host(&self) -> &str {
        self.text(self.host)
    }

    /// The host when it is an IP address.
    pub fn host_ip(&self) -> Option<IpAddr> {
        read_ip(self.host())
    }

    /// The port, when there is one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters, raw, as `(name, value)`.
    pub fn params(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        pairs(self.text(self.params), ';')
    }

    /// The value of a parameter, raw; empty when the parameter has none.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// Whether the URI names a loose router: `;lr` (RFC 3261 §19.1.1).
    pub fn is_loose_router(&self) -> bool {
        self.param("lr").is_some()
    }

    /// The headers behind `?`, raw, as `(name, value)`.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        pairs(self.text(self.headers), '&')
    }

    /// Whether there is a `?` part.
    pub fn has_headers(&self) -> bool {
        self.headers != Span::default()
    }

    fn text(&self, span: Span) -> &str {
        span.of_text(&self.raw)
    }

    /// `[user[:password]@]host[:port][;params][?headers]`, starting at byte `at` of the raw text.
    fn read_sip(&mut self, rest: &str, at: usize) -> Result<(), UriError> {
        check_escapes(rest)?;
        // Neither parameters nor headers may hold an unescaped `@`, but a user may hold `;` and
        // `?`: so the first `@` ends the user, whatever stands before it.
        let (target, mut at) = match rest.split_once('@') {
            Some((userinfo, target)) => {
                let user = userinfo.split(':').next().unwrap_or_default();
                if user.is_empty() {
                    return Err(UriError::User);
                }
                self.user = Some(Span::new(at, at + user.len()));
                if user.len() < userinfo.len() {
                    self.password = Some(Span::new(at + user.len() + 1, at + userinfo.len()));
                }
                (target, at + userinfo.len() + 1)
            }
            None => (rest, at),
        };
        let (before, headers) = match target.split_once('?') {
            Some((before, headers)) => (before, Some(headers)),
            None => (target, None),
        };
        let (sent_to, params) = match before.split_once(';') {
            Some((sent_to, params)) => (sent_to, Some(params)),
            None => (before, None),
        };
        let (host, port) = split_host(sent_to).ok_or(UriError::Host)?;
        self.host = Span::new(at, at + host.len());
        self.port = port.map(read_port).transpose()?;
        at += sent_to.len();
        if let Some(params) = params {
            self.params = Span::new(at + 1, at + 1 + params.len());
            at += 1 + params.len();
        }
        if let Some(headers) = headers {
            self.headers = Span::new(at + 1, at + 1 + headers.len());
        }
        Ok(())
    }

    /// `number[;params]`: RFC 3966 §3, and the letters that local numbers may hold.
    fn read_tel(&mut self, rest: &str, at: usize) -> Result<(), UriError> {
        check_escapes(rest)?;
        let (number, params) = match rest.split_once(';') {
            Some((number, params)) => (number, Some(params)),
            None => (rest, None),
        };
        let is_number = number
            .chars()
            .any(|c| c.is_ascii_hexdigit() || "*#".contains(c))
            && number
                .chars()
                .all(|c| c.is_ascii_hexdigit() || "+*#-.()%".contains(c));
        if !is_number {
            return Err(UriError::User);
        }
        self.user = Some(Span::new(at, at + number.len()));
        if let Some(params) = params {
            let start = at + number.len() + 1;
            self.params = Span::new(start, start + params.len());
        }
        Ok(())
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// Splits `host[:port]`; an IPv6 address keeps its brackets. `None`: that is no host.
pub(crate) fn split_host(text: &str) -> Option<(&str, Option<&str>)> {
    let (host, port) = if text.starts_with('[') {
        let end = text.find(']')? + 1;
        let (host, port) = (text.get(..end)?, text.get(end..)?);
        host.strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<Ipv6Addr>()
            .ok()?;
        match port.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if port.is_empty() => (host, None),
            None => return None,
        }
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        // An underscore is in no host name of RFC 3261, and in many host names.
        let is_host = !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        if !is_host {
            return None;
        }
        (host, port)
    };
    Some((host, port))
}

/// A port number: 1 to 65535, in at most five digits.
pub(crate) fn read_port(text: &str) -> Result<u16, UriError> {
    let is_number = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if is_number && port > 0 => Ok(port),
        _ => Err(UriError::Port),
    }
}

/// A host that is an IP address, with or without brackets.
pub(crate) fn read_ip(host: &str) -> Option<IpAddr> {
    match host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
    {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

fn pairs(text: &str, separator: char) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split(separator)
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        })
}

fn check_escapes(text: &str) -> Result<(), UriError> {
    let escaped = |rest: &str| {
        let mut digits = rest.chars().take(2);
        digits.next().is_some_and(|c| c.is_ascii_hexdigit())
            && digits.next().is_some_and(|c| c.is_ascii_hexdigit())
    };
    if memchr::memchr(b'%', text.as_bytes()).is_none() || text.split('%').skip(1).all(escaped) {
        Ok(())
    } else {
        Err(UriError::Escape)
    }
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match after
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            Some(byte) if !byte.is_ascii_control() => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_not_text| text.to_owned())
}

/// Escapes what may not stand in a user part (RFC 3261 §25.1: `unreserved / user-unreserved`).
fn escape_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
