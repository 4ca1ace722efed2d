//! What we build and send. The only file that names `rsip`: its methods, statuses and header fields
//! are the vocabulary; printing is ours, because rsip's corrupts binary bodies and lets line breaks
//! through.

use bytes::{BufMut, Bytes, BytesMut};
use rsip::headers::{
    CSeq, CallId, Contact, ContentType, From, MaxForwards, Route, To, UntypedHeader, Via as RsipVia,
};
pub use rsip::{Header, Headers, Method, StatusCode};
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

/// Builds a request.
#[derive(Debug, Clone)]
#[must_use]
pub struct RequestBuilder {
    method: Method,
    uri: Uri,
    headers: Headers,
    body: Bytes,
}

impl RequestBuilder {
    /// A request with nothing but its first line.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            headers: Headers::default(),
            body: Bytes::new(),
        }
    }

    /// Adds a Via below those that are there.
    pub fn via(self, via: &Via) -> Self {
        self.typed(Header::Via(RsipVia::new(via.as_str())))
    }

    /// Adds From.
    pub fn from(self, from: &NameAddr) -> Self {
        self.typed(Header::From(From::new(from.as_str())))
    }

    /// Adds To.
    pub fn to(self, to: &NameAddr) -> Self {
        self.typed(Header::To(To::new(to.as_str())))
    }

    /// Adds Call-ID.
    pub fn call_id(self, call_id: &str) -> Self {
        self.typed(Header::CallId(CallId::new(call_id)))
    }

    /// Adds `CSeq` with the method of the request.
    pub fn cseq(self, number: u32) -> Self {
        let value = format!("{number} {}", self.method);
        self.typed(Header::CSeq(CSeq::new(value)))
    }

    /// Adds Max-Forwards.
    pub fn max_forwards(self, hops: u8) -> Self {
        self.typed(Header::MaxForwards(MaxForwards::new(hops.to_string())))
    }

    /// Adds Contact.
    pub fn contact(self, contact: &NameAddr) -> Self {
        self.typed(Header::Contact(Contact::new(contact.as_str())))
    }

    /// Adds a Route below those that are there.
    pub fn route(self, route: &NameAddr) -> Self {
        self.typed(Header::Route(Route::new(route.as_str())))
    }

    /// Adds a header field of rsip's vocabulary.
    pub fn typed(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }

    /// Adds any header field.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.typed(Header::Other(name.to_owned(), value.to_owned()))
    }

    /// Sets the body and adds its Content-Type.
    pub fn body(mut self, content_type: &str, body: Bytes) -> Self {
        self.body = body;
        self.typed(Header::ContentType(ContentType::new(content_type)))
    }

    /// Prints the request; Content-Length is added.
    ///
    /// # Errors
    /// When something in it would break its line, or a header field that RFC 3261 §8.1.1 demands
    /// is missing.
    pub fn build(self) -> Result<Bytes, BuildError> {
        for name in ["Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards"] {
            let is_there = self.headers.iter().any(|header| {
                header
                    .to_string()
                    .split(':')
                    .next()
                    .is_some_and(|n| n.eq_ignore_ascii_case(name))
            });
            if !is_there {
                return Err(BuildError::Missing(name));
            }
        }
        let mut out = BytesMut::with_capacity(1024 + self.body.len());
        out.put_slice(format!("{} {} SIP/2.0\r\n", self.method, self.uri).as_bytes());
        print_headers(&mut out, &self.headers)?;
        print_body(out, &self.body)
    }
}

/// Builds a response to a request (RFC 3261 §8.2.6).
#[derive(Debug, Clone)]
#[must_use]
pub struct ResponseBuilder {
    status: StatusCode,
    reason: Option<String>,
    /// What is repeated from the request byte for byte.
    repeated: Vec<(&'static str, Bytes)>,
    /// Whether To came without a tag.
    wants_tag: bool,
    headers: Headers,
    body: Bytes,
}

impl ResponseBuilder {
    /// Repeats Via, From, To, Call-ID and `CSeq` of the request, and Timestamp in a 100.
    pub fn new(request: &Message, status: impl Into<StatusCode>) -> Self {
        let status = status.into();
        let mut repeated: Vec<(&'static str, Bytes)> = request
            .vias()
            .map(|via| ("Via", Bytes::copy_from_slice(via.as_str().as_bytes())))
            .collect();
        let mut fields = vec!["From", "To", "Call-ID", "CSeq"];
        if status == StatusCode::Trying {
            fields.push("Timestamp");
        }
        for name in fields {
            repeated.extend(request.raw_header(name).map(|value| (name, value)));
        }
        Self {
            status,
            reason: None,
            repeated,
            wants_tag: request.to().tag().is_none(),
            headers: Headers::default(),
            body: Bytes::new(),
        }
    }

    /// The refusal of a request that could not be read. None when it may not be answered.
    pub fn to_unreadable(refused: &Unreadable) -> Option<Self> {
        let request = refused.request.as_deref()?;
        let mut repeated: Vec<(&'static str, Bytes)> = request
            .vias
            .iter()
            .map(|via| ("Via", Bytes::copy_from_slice(via.as_str().as_bytes())))
            .collect();
        let fields = [
            ("From", &request.from),
            ("To", &request.to),
            ("Call-ID", &request.call_id),
            ("CSeq", &request.cseq),
        ];
        for (name, value) in fields {
            // A line break can't be in a value; a bare CR can, where lines are what is unreadable.
            let value = value.as_ref().filter(|value| !value.contains(&b'\r'));
            repeated.extend(value.map(|value| (name, value.clone())));
        }
        let wants_tag = request.to.as_deref().is_some_and(|to| {
            !String::from_utf8_lossy(to)
                .to_ascii_lowercase()
                .contains("tag")
        });
        Some(Self {
            status: refused.status.into(),
            reason: None,
            repeated,
            wants_tag,
            headers: Headers::default(),
            body: Bytes::new(),
        })
    }

    /// Says another reason phrase than the status' own.
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    /// Adds our tag to To, unless the request had one there.
    pub fn to_tag(mut self, tag: &str) -> Self {
        if self.wants_tag
            && let Some((_, to)) = self.repeated.iter_mut().find(|(name, _)| *name == "To")
        {
            *to = [to.as_ref(), b";tag=", tag.as_bytes()].concat().into();
            self.wants_tag = false;
        }
        self
    }

    /// Repeats Record-Route, as a response that makes a dialog must (RFC 3261 §12.1.1).
    pub fn record_routes_of(mut self, request: &Message) -> Self {
        for route in request.record_routes() {
            self.repeated.push((
                "Record-Route",
                Bytes::copy_from_slice(route.as_str().as_bytes()),
            ));
        }
        self
    }

    /// Adds Contact.
    pub fn contact(self, contact: &NameAddr) -> Self {
        self.typed(Header::Contact(Contact::new(contact.as_str())))
    }

    /// Adds a header field of rsip's vocabulary.
    pub fn typed(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }

    /// Adds any header field.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.typed(Header::Other(name.to_owned(), value.to_owned()))
    }

    /// Sets the body and adds its Content-Type.
    pub fn body(mut self, content_type: &str, body: Bytes) -> Self {
        self.body = body;
        self.typed(Header::ContentType(ContentType::new(content_type)))
    }

    /// Prints the response; Content-Length is added.
    ///
    /// # Errors
    /// When something in it would break its line, or the status is none.
    pub fn build(self) -> Result<Bytes, BuildError> {
        let status = self.status.code();
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
        let mut out = BytesMut::with_capacity(1024 + self.body.len());
        out.put_slice(format!("SIP/2.0 {status} {reason}\r\n").as_bytes());
        for (name, value) in &self.repeated {
            // NUL is let through here: it came in a quoted string, and goes back as it came.
            if value.contains(&b'\r') || value.contains(&b'\n') {
                return Err(BuildError::LineBreak((*name).to_owned()));
            }
            out.put_slice(name.as_bytes());
            out.put_slice(b": ");
            out.put_slice(value);
            out.put_slice(b"\r\n");
        }
        print_headers(&mut out, &self.headers)?;
        print_body(out, &self.body)
    }
}

fn print_headers(out: &mut BytesMut, headers: &Headers) -> Result<(), BuildError> {
    for header in headers.iter() {
        let line = header.to_string();
        let name = match header {
            Header::Other(name, _) => name.as_str(),
            _ => line.split(':').next().unwrap_or_default(),
        };
        if !is_token(name) {
            return Err(BuildError::HeaderName(name.to_owned()));
        }
        if breaks_line(&line) {
            return Err(BuildError::LineBreak(name.to_owned()));
        }
        out.put_slice(line.as_bytes());
        out.put_slice(b"\r\n");
    }
    Ok(())
}

fn print_body(mut out: BytesMut, body: &Bytes) -> Result<Bytes, BuildError> {
    if body.len() > MAX_BODY {
        return Err(BuildError::BodyTooLong);
    }
    out.put_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    out.put_slice(body);
    Ok(out.freeze())
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
