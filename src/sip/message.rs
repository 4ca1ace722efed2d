//! What we build and send. The only file that names `rsip`: its methods and statuses are the
//! vocabulary; printing is ours, because rsip's corrupts binary bodies and lets line breaks through.

use bytes::Bytes;
pub use rsip::{Method, StatusCode};
use thiserror::Error;

use crate::address::NameAddr;
use crate::grammar::{breaks_line, is_token};
use crate::reader::{MAX_BODY, Message, Unreadable};
use crate::uri::Uri;
use crate::via::Via;

/// Why a message can't be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError {
    /// CR, LF or NUL in a header field or in the reason phrase.
    #[error("{0} would break its line")]
    LineBreak(String),
    /// A header field whose name is not a token.
    #[error("{0:?} is no header name")]
    HeaderName(String),
    /// A status below 100 or above 699.
    #[error("{0} is no status")]
    Status(u16),
    /// A header field without which nobody would take the request.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The body is longer than anybody takes.
    #[error("body is too long")]
    BodyTooLong,
}

/// The method of that name; none when it is not one that we send.
pub fn known_method(name: &str) -> Option<Method> {
    Some(match name {
        "ACK" => Method::Ack,
        "BYE" => Method::Bye,
        "CANCEL" => Method::Cancel,
        "INFO" => Method::Info,
        "INVITE" => Method::Invite,
        "MESSAGE" => Method::Message,
        "NOTIFY" => Method::Notify,
        "OPTIONS" => Method::Options,
        "PRACK" => Method::PRack,
        "PUBLISH" => Method::Publish,
        "REFER" => Method::Refer,
        "REGISTER" => Method::Register,
        "SUBSCRIBE" => Method::Subscribe,
        "UPDATE" => Method::Update,
        _ => return None,
    })
}

/// Room for the header lines of most messages.
const LINES: usize = 768;
/// RFC 3261 §8.1.1: without these nobody takes a request.
const MUST: [&str; 6] = ["Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards"];

/// Header lines as they will be sent, and the first thing in them that can't be.
#[derive(Debug, Clone)]
struct Lines {
    text: Vec<u8>,
    problem: Option<BuildError>,
}

impl Lines {
    fn new() -> Self {
        Self {
            text: Vec::with_capacity(LINES),
            problem: None,
        }
    }

    fn refuse(&mut self, problem: BuildError) {
        self.problem.get_or_insert(problem);
    }

    /// Writes a line of ours.
    fn add(&mut self, name: &str, value: &str) {
        if !is_token(name) {
            self.refuse(BuildError::HeaderName(name.to_owned()));
        } else if breaks_line(value) {
            self.refuse(BuildError::LineBreak(name.to_owned()));
        } else {
            self.write(name, value.as_bytes());
        }
    }

    /// Writes a value as it came. NUL is let through: it came in a quoted string, and goes back.
    fn repeat(&mut self, name: &str, value: &[u8]) {
        if memchr::memchr2(b'\r', b'\n', value).is_some() {
            self.refuse(BuildError::LineBreak(name.to_owned()));
        } else {
            self.write(name, value);
        }
    }

    fn write(&mut self, name: &str, value: &[u8]) {
        for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
            self.text.extend_from_slice(piece);
        }
    }

    /// The whole message, in as many bytes as it needs.
    fn message(self, start: &[&[u8]], body: &Bytes) -> Result<Bytes, BuildError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        if body.len() > MAX_BODY {
            return Err(BuildError::BodyTooLong);
        }
        let length = body.len().to_string();
        let end: [&[u8]; 4] = [b"Content-Length: ", length.as_bytes(), b"\r\n\r\n", body];
        let lines = [self.text.as_slice()];
        let pieces = || start.iter().chain(&lines).chain(&end);
        let mut out = Vec::with_capacity(pieces().map(|piece| piece.len()).sum());
        for piece in pieces() {
            out.extend_from_slice(piece);
        }
        Ok(out.into())
    }
}

/// Builds a request.
#[derive(Debug, Clone)]
#[must_use]
pub struct RequestBuilder {
    method: Method,
    uri: Uri,
    lines: Lines,
    /// Which of [`MUST`] are there.
    there: [bool; MUST.len()],
    body: Bytes,
}

impl RequestBuilder {
    /// A request with nothing but its first line.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            lines: Lines::new(),
            there: [false; MUST.len()],
            body: Bytes::new(),
        }
    }

    /// Adds a Via below those that are there.
    pub fn via(self, via: &Via) -> Self {
        self.header("Via", via.as_str())
    }

    /// Adds From.
    pub fn from(self, from: &NameAddr) -> Self {
        self.header("From", from.as_str())
    }

    /// Adds To.
    pub fn to(self, to: &NameAddr) -> Self {
        self.header("To", to.as_str())
    }

    /// Adds Call-ID.
    pub fn call_id(self, call_id: &str) -> Self {
        self.header("Call-ID", call_id)
    }

    /// Adds `CSeq` with the method of the request.
    pub fn cseq(self, number: u32) -> Self {
        let value = format!("{number} {}", self.method);
        self.header("CSeq", &value)
    }

    /// Adds Max-Forwards.
    pub fn max_forwards(self, hops: u8) -> Self {
        self.header("Max-Forwards", &hops.to_string())
    }

    /// Adds Contact.
    pub fn contact(self, contact: &NameAddr) -> Self {
        self.header("Contact", contact.as_str())
    }

    /// Adds a Route below those that are there.
    pub fn route(self, route: &NameAddr) -> Self {
        self.header("Route", route.as_str())
    }

    /// Adds any header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        for (must, there) in MUST.iter().zip(&mut self.there) {
            *there |= must.eq_ignore_ascii_case(name);
        }
        self.lines.add(name, value);
        self
    }

    /// Sets the body and adds its Content-Type.
    pub fn body(self, content_type: &str, body: Bytes) -> Self {
        let with_type = self.header("Content-Type", content_type);
        Self { body, ..with_type }
    }

    /// Prints the request; Content-Length is added.
    ///
    /// # Errors
    /// When something in it would break its line, or a header field that RFC 3261 §8.1.1 demands
    /// is missing.
    pub fn build(self) -> Result<Bytes, BuildError> {
        for (must, there) in MUST.iter().zip(self.there) {
            if !there {
                return Err(BuildError::Missing(must));
            }
        }
        let method = self.method.to_string();
        let uri = self.uri.as_str();
        let start: [&[u8]; 4] = [method.as_bytes(), b" ", uri.as_bytes(), b" SIP/2.0\r\n"];
        self.lines.message(&start, &self.body)
    }
}

/// Builds a response to a request (RFC 3261 §8.2.6).
#[derive(Debug, Clone)]
#[must_use]
pub struct ResponseBuilder {
    status: u16,
    reason: Option<String>,
    lines: Lines,
    /// Where the value of a To ends that came without a tag.
    untagged: Option<usize>,
    body: Bytes,
}

impl ResponseBuilder {
    /// Repeats Via, From, To, Call-ID and `CSeq` of the request, and Timestamp in a 100.
    pub fn new(request: &Message, status: impl Into<StatusCode>) -> Self {
        let status = status.into().code();
        let mut builder = Self::bare(status);
        for via in request.vias() {
            builder.lines.repeat("Via", via.as_str().as_bytes());
        }
        builder.repeat_raw("From", request.raw_header("From"));
        builder.repeat_to(request.raw_header("To"), request.to().tag().is_none());
        builder.repeat_raw("Call-ID", request.raw_header("Call-ID"));
        builder.repeat_raw("CSeq", request.raw_header("CSeq"));
        if status == 100 {
            builder.repeat_raw("Timestamp", request.raw_header("Timestamp"));
        }
        builder
    }

    /// The refusal of a request that could not be read. None when it may not be answered.
    pub fn to_unreadable(refused: &Unreadable) -> Option<Self> {
        let request = refused.request.as_deref()?;
        let mut builder = Self::bare(refused.status);
        for via in &request.vias {
            builder.lines.repeat("Via", via.as_str().as_bytes());
        }
        // A line break can't be in a value; a bare CR can, where lines are what is unreadable.
        let readable = |value: &'_ Option<Bytes>| {
            let value = value.clone();
            value.filter(|value| !value.contains(&b'\r'))
        };
        let is_untagged = request.to.as_deref().is_some_and(|to| {
            !String::from_utf8_lossy(to)
                .to_ascii_lowercase()
                .contains("tag")
        });
        builder.repeat_raw("From", readable(&request.from).as_deref());
        builder.repeat_to(readable(&request.to).as_deref(), is_untagged);
        builder.repeat_raw("Call-ID", readable(&request.call_id).as_deref());
        builder.repeat_raw("CSeq", readable(&request.cseq).as_deref());
        Some(builder)
    }

    fn bare(status: u16) -> Self {
        Self {
            status,
            reason: None,
            lines: Lines::new(),
            untagged: None,
            body: Bytes::new(),
        }
    }

    fn repeat_raw(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.lines.repeat(name, value);
        }
    }

    fn repeat_to(&mut self, value: Option<&[u8]>, is_untagged: bool) {
        self.repeat_raw("To", value);
        let end = self.lines.text.len().checked_sub(b"\r\n".len());
        self.untagged = end.filter(|_| is_untagged && value.is_some());
    }

    /// Says another reason phrase than the status' own.
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    /// Adds our tag to To, unless the request had one there.
    pub fn to_tag(mut self, tag: &str) -> Self {
        if let Some(end) = self.untagged.take() {
            if breaks_line(tag) {
                self.lines.refuse(BuildError::LineBreak("To".to_owned()));
            } else {
                let tag = [";tag=", tag].concat();
                self.lines.text.splice(end..end, tag.into_bytes());
            }
        }
        self
    }

    /// Repeats Record-Route, as a response that makes a dialog must (RFC 3261 §12.1.1).
    pub fn record_routes_of(mut self, request: &Message) -> Self {
        for route in request.record_routes() {
            self.lines.repeat("Record-Route", route.as_str().as_bytes());
        }
        self
    }

    /// Adds Contact.
    pub fn contact(self, contact: &NameAddr) -> Self {
        self.header("Contact", contact.as_str())
    }

    /// Adds any header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.lines.add(name, value);
        self
    }

    /// Sets the body and adds its Content-Type.
    pub fn body(self, content_type: &str, body: Bytes) -> Self {
        let with_type = self.header("Content-Type", content_type);
        Self { body, ..with_type }
    }

    /// Prints the response; Content-Length is added.
    ///
    /// # Errors
    /// When something in it would break its line, or the status is none.
    pub fn build(self) -> Result<Bytes, BuildError> {
        let status = self.status;
        if !(100..700).contains(&status) {
            return Err(BuildError::Status(status));
        }
        let reason = self
            .reason
            .as_deref()
            .unwrap_or_else(|| reason_phrase(status));
        if breaks_line(reason) {
            return Err(BuildError::LineBreak("reason phrase".to_owned()));
        }
        let status = status.to_string();
        let start: [&[u8]; 5] = [
            b"SIP/2.0 ",
            status.as_bytes(),
            b" ",
            reason.as_bytes(),
            b"\r\n",
        ];
        self.lines.message(&start, &self.body)
    }
}

/// The reason phrase of a status: RFC 3261 §21 and the RFCs that added to it.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 | 606 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        433 => "Anonymity Disallowed",
        436 => "Bad Identity Info",
        437 => "Unsupported Credential",
        438 => "Invalid Identity Header",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        607 => "Unwanted",
        608 => "Rejected",
        _ => match status / 100 {
            1 => "Progress",
            2 => "Success",
            3 => "Redirection",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}

#[cfg(test)]
mod tests;
