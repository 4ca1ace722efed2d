//! Bytes to messages: limits first, then everything that a SIP element needs is read once and typed.
//!
//! What can't be read is [`Unreadable`]: it has the status that the RFC wants, and what is left of
//! the request to answer it with.

use std::borrow::Cow;
use std::net::SocketAddr;

use bytes::Bytes;
use bytestring::ByteString;

use crate::address::{AddressError, NameAddr};
pub use crate::framer::{Frame, Framer};
use crate::grammar::{is_token, split, trim};
use crate::head::{self, Head};
pub use crate::head::{HeadError, LengthError, MAX_BODY, MAX_HEAD, MAX_HEADERS};
use crate::unreadable::refuse;
pub use crate::unreadable::{Problem, Remains, Unreadable};
use crate::uri::{Uri, UriError};
use crate::via::{CSeq, Via};

/// The first line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StartLine {
    Request { method: ByteString, uri: Uri },
    Response { status: u16, reason: ByteString },
}

/// A whole, readable message.
///
/// The core header fields are typed once, when the message is read. All others are there as they
/// came; nothing of a message changes but what [`Message::received_from`] notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    head: Head,
    core: Core,
}

/// What every message has, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Core {
    start: StartLine,
    via: Via,
    lower_vias: Vec<Via>,
    from: NameAddr,
    to: NameAddr,
    call_id: ByteString,
    cseq: CSeq,
    contacts: Vec<NameAddr>,
    routes: Vec<NameAddr>,
    record_routes: Vec<NameAddr>,
    max_forwards: Option<u8>,
    body: Bytes,
}

/// Reads one datagram, or one message that the [`Framer`] cut from a stream.
///
/// Surplus behind the body is ignored (RFC 3261 §18.3).
///
/// # Errors
/// The first thing wrong with it; limits come first.
pub fn read(bytes: &[u8]) -> Result<Message, Unreadable> {
    let bytes = bytes
        .get(head::leading_line_ends(bytes)..)
        .unwrap_or_default();
    if bytes.is_empty() {
        return Err(Unreadable {
            status: 400,
            problem: Problem::Empty,
            request: None,
        });
    }
    // The only copy of what came: everything that is read from it shares these bytes.
    let longest = bytes.len().min(MAX_HEAD + MAX_BODY + 1);
    let bytes = Bytes::copy_from_slice(bytes.get(..longest).unwrap_or_default());
    let end = head::end_of_head(&bytes, 0).unwrap_or(bytes.len());
    let (head, problem) = Head::scan(&bytes.slice(..end));
    let rest = bytes.slice(end..);
    let problem = match problem {
        Some(problem) => Problem::from(problem),
        None => match read_core(&head, &rest) {
            Ok(core) => return Ok(Message { head, core }),
            Err(problem) => problem,
        },
    };
    Err(refuse(&head, problem))
}

impl Message {
    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.core.start, StartLine::Request { .. })
    }

    /// The method of a request; of a response, the method of the request that it answers.
    pub fn method(&self) -> &str {
        match &self.core.start {
            StartLine::Request { method, .. } => method,
            StartLine::Response { .. } => &self.core.cseq.method,
        }
    }

    /// The Request-URI; none in a response.
    pub fn request_uri(&self) -> Option<&Uri> {
        match &self.core.start {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Response { .. } => None,
        }
    }

    /// The status of a response, 100 to 699; none in a request.
    pub fn status(&self) -> Option<u16> {
        match &self.core.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => Some(*status),
        }
    }

    /// The reason phrase of a response; empty in a request.
    pub fn reason(&self) -> &str {
        match &self.core.start {
            StartLine::Request { .. } => "",
            StartLine::Response { reason, .. } => reason,
        }
    }

    /// The top Via.
    pub fn via(&self) -> &Via {
        &self.core.via
    }

    /// All Via values, the top one first.
    pub fn vias(&self) -> impl Iterator<Item = &Via> {
        std::iter::once(&self.core.via).chain(&self.core.lower_vias)
    }

    /// Notes in the top Via where the request came from (RFC 3261 §18.2.1, RFC 3581 §4). Answers
    /// built from this message carry the note.
    pub fn received_from(&mut self, source: SocketAddr) {
        self.core.via = self.core.via.stamped(source);
    }

    /// From.
    pub fn from(&self) -> &NameAddr {
        &self.core.from
    }

    /// To.
    pub fn to(&self) -> &NameAddr {
        &self.core.to
    }

    /// Call-ID.
    pub fn call_id(&self) -> &str {
        &self.core.call_id
    }

    /// `CSeq`.
    pub fn cseq(&self) -> &CSeq {
        &self.core.cseq
    }

    /// The Contact addresses in their order; empty for `Contact: *`.
    ///
    /// In a response an unreadable Contact counts as none: what it answers was ours, and a caller
    /// that needs the contact finds it missing.
    pub fn contacts(&self) -> &[NameAddr] {
        &self.core.contacts
    }

    /// Whether Contact is `*`: a REGISTER that removes all bindings (RFC 3261 §10.2.2).
    pub fn has_wildcard_contact(&self) -> bool {
        self.head.values("Contact").any(|value| value == b"*")
    }

    /// The Route addresses in their order.
    pub fn routes(&self) -> &[NameAddr] {
        &self.core.routes
    }

    /// The Record-Route addresses in their order.
    pub fn record_routes(&self) -> &[NameAddr] {
        &self.core.record_routes
    }

    /// Max-Forwards, when it is there.
    pub fn max_forwards(&self) -> Option<u8> {
        self.core.max_forwards
    }

    /// The media type of the body without its parameters, in lower case: `application/sdp`.
    pub fn content_type(&self) -> Option<String> {
        let value = self.header("Content-Type")?;
        let media_type = value.split(';').next().unwrap_or_default();
        Some(
            media_type
                .split('/')
                .map(trim)
                .collect::<Vec<_>>()
                .join("/")
                .to_ascii_lowercase(),
        )
    }

    /// Whether the body is of this media type, given in lower case.
    pub(crate) fn is_of_type(&self, media_type: &str) -> bool {
        let Some(value) = self.head.values("Content-Type").next() else {
            return false;
        };
        // What has neither parameters nor white space is compared as it came.
        value.eq_ignore_ascii_case(media_type.as_bytes())
            || self.content_type().is_some_and(|known| known == media_type)
    }

    /// The body, as long as Content-Length says.
    pub fn body(&self) -> &Bytes {
        &self.core.body
    }

    /// All header fields in their order, as name and value; folding is undone, nothing else.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, &[u8])> {
        self.head.fields.iter().map(|field| {
            let name = String::from_utf8_lossy(field.name.of(&self.head.bytes));
            (name, field.value.of(&self.head.bytes))
        })
    }

    /// The values of a header field by its long name, whichever name it came by; bytes that are
    /// not UTF-8 are replaced.
    pub fn header_values<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = Cow<'a, str>> + use<'a, 'n> {
        self.head.values(name).map(String::from_utf8_lossy)
    }

    /// The first value of a header field by its long name.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.head.values(name).next().map(String::from_utf8_lossy)
    }

    /// The first value of a header field by its long name, byte for byte.
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        self.head.values(name).next()
    }

    /// The members of a comma-separated header field over all its lines, such as Require.
    pub fn header_list(&self, name: &str) -> Vec<String> {
        let mut members = Vec::new();
        for value in self.header_values(name) {
            let parts = split(&value, b',').unwrap_or_else(|| vec![&value]);
            members.extend(
                parts
                    .into_iter()
                    .map(trim)
                    .filter(|part| !part.is_empty())
                    .map(ToOwned::to_owned),
            );
        }
        members
    }
}

fn read_core(head: &Head, rest: &Bytes) -> Result<Core, Problem> {
    let start = read_start_line(&head.text(head.start_line))?;
    let is_request = matches!(start, StartLine::Request { .. });
    let (mut via, mut lower_vias) = (None, Vec::new());
    for value in head.texts("Via") {
        for read in Via::read_list(&value) {
            let read = read.ok_or(field("Via"))?;
            if via.is_none() {
                via = Some(read);
            } else {
                lower_vias.push(read);
            }
        }
    }
    let via = via.ok_or(field("Via"))?;
    let from = read_address(head, "From")?;
    let to = read_address(head, "To")?;
    let call_id = single(head, "Call-ID")?;
    if call_id.is_empty() || call_id.contains([' ', '\t']) {
        return Err(field("Call-ID"));
    }
    let cseq = CSeq::read(&single(head, "CSeq")?).ok_or(field("CSeq"))?;
    if let StartLine::Request { method, .. } = &start
        && *method != cseq.method
    {
        return Err(field("CSeq"));
    }
    let body = read_body(head, rest)?;
    let contacts = match read_addresses(head, "Contact") {
        Err(_) if !is_request => Vec::new(),
        read => read?,
    };
    let max_forwards = match read_max_forwards(head) {
        Err(_) if !is_request => None,
        read => read?,
    };
    if is_request && !head.values("Date").all(is_date) {
        return Err(field("Date"));
    }
    Ok(Core {
        start,
        via,
        lower_vias,
        from,
        to,
        call_id,
        cseq,
        contacts,
        routes: read_addresses(head, "Route")?,
        record_routes: read_addresses(head, "Record-Route")?,
        max_forwards,
        body,
    })
}

fn field(field: &'static str) -> Problem {
    Problem::Field {
        field,
        address: None,
    }
}

/// `METHOD SP URI SP SIP/2.0`, or `SIP/2.0 SP status [SP reason]`, to the letter: RFC 3261 §7.1
/// allows no other white space.
fn read_start_line(line: &ByteString) -> Result<StartLine, Problem> {
    if let Some(rest) = strip_version_prefix(line) {
        let (version, rest) = rest.split_once(' ').ok_or(Problem::StartLine)?;
        if version != "2.0" {
            return Err(Problem::Version);
        }
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_status = status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit());
        let status = status
            .parse()
            .ok()
            .filter(|status| (100..700).contains(status));
        return match status {
            Some(status) if is_status => Ok(StartLine::Response {
                status,
                reason: line.slice_ref(reason),
            }),
            _ => Err(Problem::StartLine),
        };
    }
    let (method, rest) = line.split_once(' ').ok_or(Problem::StartLine)?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(Problem::StartLine)?;
    if !is_token(method) {
        return Err(Problem::StartLine);
    }
    match strip_version_prefix(version) {
        Some("2.0") => {}
        Some(other) if is_version(other) => return Err(Problem::Version),
        _ => return Err(Problem::StartLine),
    }
    let uri = Uri::read(&line.slice_ref(uri))?;
    // RFC 3261 §19.1.1, table 1: headers are not allowed in a Request-URI.
    if uri.has_headers() {
        return Err(Problem::RequestUri(UriError::Character));
    }
    Ok(StartLine::Request {
        method: line.slice_ref(method),
        uri,
    })
}

fn strip_version_prefix(text: &str) -> Option<&str> {
    let (prefix, rest) = text.split_at_checked(4)?;
    prefix.eq_ignore_ascii_case("SIP/").then_some(rest)
}

fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

/// The value of a field that must be there once.
fn single(head: &Head, name: &'static str) -> Result<ByteString, Problem> {
    let mut values = head.texts(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(field(name)),
    }
}

fn read_address(head: &Head, name: &'static str) -> Result<NameAddr, Problem> {
    let value = single(head, name)?;
    NameAddr::read(&value, &value).map_err(|error| of_address(name, error))
}

fn read_addresses(head: &Head, name: &'static str) -> Result<Vec<NameAddr>, Problem> {
    let mut addresses = Vec::new();
    for value in head.texts(name).filter(|value| *value != "*") {
        for read in NameAddr::read_list(&value) {
            addresses.push(read.map_err(|error| of_address(name, error))?);
        }
    }
    Ok(addresses)
}

fn of_address(name: &'static str, error: AddressError) -> Problem {
    Problem::Field {
        field: name,
        address: Some(error),
    }
}

/// RFC 3261 §20.22: 0 to 255.
fn read_max_forwards(head: &Head) -> Result<Option<u8>, Problem> {
    if head.values("Max-Forwards").next().is_none() {
        return Ok(None);
    }
    let value = single(head, "Max-Forwards")?;
    let is_number = value.bytes().all(|b| b.is_ascii_digit());
    value
        .parse()
        .ok()
        .filter(|_| is_number)
        .map(Some)
        .ok_or(field("Max-Forwards"))
}

/// RFC 3261 §20.17: the time zone of a SIP date is GMT and no other.
fn is_date(value: &[u8]) -> bool {
    value.ends_with(b" GMT")
}

fn read_body(head: &Head, rest: &Bytes) -> Result<Bytes, Problem> {
    let length = match head.content_length() {
        Ok(Some(length)) => length,
        Ok(None) => rest.len(),
        Err(LengthError) => return Err(field("Content-Length")),
    };
    if length > MAX_BODY {
        return Err(Problem::BodyTooLong);
    }
    if length > rest.len() {
        return Err(Problem::Length);
    }
    Ok(rest.slice(..length))
}

#[cfg(test)]
mod tests;
