//! What is to be done with a message that can't be read.

use bytes::Bytes;
use thiserror::Error;

use crate::address::AddressError;
use crate::grammar::is_token;
use crate::head::{Head, HeadError};
use crate::uri::UriError;
use crate::via::Via;

/// Why a message can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// Nothing but line ends: a keep-alive (RFC 5626 §3.5.1), or nothing at all.
    #[error("there is no message")]
    Empty,
    /// Lines and limits.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The first line is neither a request's nor a response's.
    #[error("start line is unreadable")]
    StartLine,
    /// A version other than SIP/2.0.
    #[error("SIP version is not 2.0")]
    Version,
    /// The Request-URI, for its own reason.
    #[error("Request-URI is unreadable")]
    RequestUri(#[from] UriError),
    /// A header field that must be there is not, or stands there twice, or can't be read.
    #[error("{field} is missing, doubled or unreadable")]
    Field {
        /// Its long name.
        field: &'static str,
        /// What is wrong, when it is an address.
        #[source]
        address: Option<AddressError>,
    },
    /// The length of the body.
    #[error("body is not as long as Content-Length says")]
    Length,
    /// The body is longer than [`MAX_BODY`](crate::reader::MAX_BODY).
    #[error("body is too long")]
    BodyTooLong,
}

/// A message that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The status to answer with.
    pub status: u16,
    /// What is wrong.
    pub problem: Problem,
    /// What could be read of the request, to answer it with. None when nothing may be answered:
    /// it is a response, an ACK, or there is no Via to answer along.
    pub request: Option<Box<Remains>>,
}

/// What is left of an unreadable request: enough for an answer (RFC 3261 §8.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// The method as it came.
    pub method: String,
    /// The Via values that could be read, the top one first. Never empty.
    pub vias: Vec<Via>,
    /// From as it came.
    pub from: Option<Bytes>,
    /// To as it came.
    pub to: Option<Bytes>,
    /// Call-ID as it came.
    pub call_id: Option<Bytes>,
    /// `CSeq` as it came.
    pub cseq: Option<Bytes>,
}

fn status_of(problem: &Problem) -> u16 {
    match problem {
        Problem::Version => 505,
        // RFC 3261 §21.5.7: 513 is for what is too long to be processed, §21.4.11: 413 for a body.
        Problem::Head(HeadError::TooLong | HeadError::TooManyFields) => 513,
        Problem::BodyTooLong => 413,
        Problem::Empty
        | Problem::Head(HeadError::Endless | HeadError::Field | HeadError::BareCr)
        | Problem::StartLine
        | Problem::RequestUri(_)
        | Problem::Field { .. }
        | Problem::Length => 400,
    }
}

pub(crate) fn refuse(head: &Head, problem: Problem) -> Unreadable {
    let status = status_of(&problem);
    Unreadable {
        status,
        problem,
        request: remains(head).map(Box::new),
    }
}

fn remains(head: &Head) -> Option<Remains> {
    let start = String::from_utf8_lossy(head.start_line.of(&head.bytes));
    let method = start.split(' ').next().unwrap_or_default();
    // A response is never answered, nor is an ACK (RFC 3261 §8.2.1, §17.2.1).
    if !is_token(method) || method == "ACK" {
        return None;
    }
    let vias: Vec<Via> = head
        .values("Via")
        .flat_map(|value| {
            let value = String::from_utf8_lossy(value);
            Via::parse_list(&value).unwrap_or_else(|| Via::salvage(&value).into_iter().collect())
        })
        .collect();
    if vias.is_empty() {
        return None;
    }
    let first = |name| {
        head.values(name)
            .next()
            .map(|value| head.bytes.slice_ref(value))
    };
    Some(Remains {
        method: method.to_owned(),
        vias,
        from: first("From"),
        to: first("To"),
        call_id: first("Call-ID"),
        cseq: first("CSeq"),
    })
}
