//! The head of a message: start line and header fields as pieces of its bytes.
//!
//! Both the reader of whole messages and the framer of streams look at heads here, so that they
//! never disagree about where a message ends.

use bytes::Bytes;
use bytestring::ByteString;
use thiserror::Error;

use crate::grammar::is_token_byte;
use crate::text::Span;

/// Longest head that is read, in bytes, the empty line included.
pub const MAX_HEAD: usize = 16 * 1024;
/// Most header fields that are read.
pub const MAX_HEADERS: usize = 128;
/// Longest body that is read, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// Most digits of a Content-Length.
const MAX_LENGTH_DIGITS: usize = 9;

/// Header fields that have a short name: RFC 3261 §7.3.3, RFC 3515, 3841, 3892, 4028, 6665, 8224.
const COMPACT: [(&str, &str); 19] = [
    ("a", "Accept-Contact"),
    ("b", "Referred-By"),
    ("c", "Content-Type"),
    ("d", "Request-Disposition"),
    ("e", "Content-Encoding"),
    ("f", "From"),
    ("i", "Call-ID"),
    ("j", "Reject-Contact"),
    ("k", "Supported"),
    ("l", "Content-Length"),
    ("m", "Contact"),
    ("o", "Event"),
    ("r", "Refer-To"),
    ("s", "Subject"),
    ("t", "To"),
    ("u", "Allow-Events"),
    ("v", "Via"),
    ("x", "Session-Expires"),
    ("y", "Identity"),
];

/// What is wrong with a head as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeadError {
    /// More than [`MAX_HEAD`] bytes.
    #[error("head is too long")]
    TooLong,
    /// More than [`MAX_HEADERS`] fields.
    #[error("too many header fields")]
    TooManyFields,
    /// The empty line that ends it is missing.
    #[error("head does not end")]
    Endless,
    /// A line without a colon, or with something else than a token before it.
    #[error("line is no header field")]
    Field,
    /// A CR that no LF follows.
    #[error("line holds a bare CR")]
    BareCr,
}

/// Content-Length fields that name no length, or more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Content-Length is unreadable or ambiguous")]
pub struct LengthError;

/// A header field: name without the white space behind it, value without that around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: Span,
    pub(crate) value: Span,
    /// What is looked for often is not compared again.
    core: Option<Core>,
}

/// The fields that every message is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Core {
    Via,
    From,
    To,
    CallId,
    CSeq,
    Contact,
    Route,
    RecordRoute,
    MaxForwards,
    ContentLength,
    ContentType,
    Accept,
    Require,
    Date,
}

/// Which of them a field is, whichever name it came by.
fn core_of(name: &[u8]) -> Option<Core> {
    let (long, core) = match (name.len(), name.first()?.to_ascii_lowercase()) {
        (1 | 3, b'v') => ("Via", Core::Via),
        (1 | 4, b'f') => ("From", Core::From),
        (1 | 2, b't') => ("To", Core::To),
        (1, b'i') | (7, b'c') if name.get(1) != Some(&b'o') && name.get(1) != Some(&b'O') => {
            ("Call-ID", Core::CallId)
        }
        (4, b'c') => ("CSeq", Core::CSeq),
        (1, b'm') | (7, b'c') => ("Contact", Core::Contact),
        (5, b'r') => ("Route", Core::Route),
        (12, b'r') => ("Record-Route", Core::RecordRoute),
        (12, b'm') => ("Max-Forwards", Core::MaxForwards),
        (1, b'l') | (14, b'c') => ("Content-Length", Core::ContentLength),
        (1 | 12, b'c') => ("Content-Type", Core::ContentType),
        (6, b'a') => ("Accept", Core::Accept),
        (7, b'r') => ("Require", Core::Require),
        (4, b'd') => ("Date", Core::Date),
        _ => return None,
    };
    is_name(name, long).then_some(core)
}

/// Start line and fields of a head. Folding is undone: where a line went on in the next one, its
/// line end is now spaces, which mean the same (RFC 3261 §7.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) bytes: Bytes,
    /// The same bytes, when they are text.
    text: Option<ByteString>,
    pub(crate) start_line: Span,
    pub(crate) fields: Vec<Field>,
}

impl Head {
    /// Reads a head that ends where `bytes` end, as far as it is readable.
    ///
    /// The error is the first one; what could be read despite it is there to answer with.
    pub(crate) fn scan(bytes: &Bytes) -> (Self, Option<HeadError>) {
        let mut problem = None;
        let bytes = if bytes.len() > MAX_HEAD {
            problem = Some(HeadError::TooLong);
            bytes.slice(..MAX_HEAD)
        } else {
            bytes.clone()
        };
        let bytes = unfold(bytes);
        let mut lines = Lines {
            bytes: &bytes,
            at: 0,
        };
        let start_line = lines.next().unwrap_or_default();
        let mut fields = Vec::with_capacity(20);
        let mut ended = false;
        for line in lines.by_ref() {
            let text = line.of(&bytes);
            if text.is_empty() {
                ended = true;
                break;
            }
            if fields.len() == MAX_HEADERS {
                problem = problem.or(Some(HeadError::TooManyFields));
                break;
            }
            match read_field(text, line.start()) {
                Ok(field) => fields.push(field),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        if start_line.of(&bytes).contains(&b'\r') {
            problem = problem.or(Some(HeadError::BareCr));
        }
        if !ended {
            problem = problem.or(Some(HeadError::Endless));
        }
        (
            Self {
                text: ByteString::try_from(bytes.clone()).ok(),
                bytes,
                start_line,
                fields,
            },
            problem,
        )
    }

    /// The values of a field, by its long name.
    pub(crate) fn values<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.spans(name).map(|span| span.of(&self.bytes))
    }

    /// The same as text; what is not UTF-8 in it is replaced.
    pub(crate) fn texts<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = ByteString> + use<'a, 'n> {
        self.spans(name).map(|span| self.text(span))
    }

    fn spans<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = Span> + use<'a, 'n> {
        let core = core_of(name.as_bytes());
        self.fields
            .iter()
            .filter(move |field| match core {
                Some(_) => field.core == core,
                None => is_name(field.name.of(&self.bytes), name),
            })
            .map(|field| field.value)
    }

    /// A piece of the head as text; what is not UTF-8 in it is replaced.
    pub(crate) fn text(&self, span: Span) -> ByteString {
        match &self.text {
            Some(text) => text.slice_ref(span.of_text(text)),
            None => String::from_utf8_lossy(span.of(&self.bytes))
                .into_owned()
                .into(),
        }
    }

    /// The length that the Content-Length fields agree on; none when there is no such field.
    pub(crate) fn content_length(&self) -> Result<Option<usize>, LengthError> {
        let mut agreed = None;
        for value in self.values("Content-Length") {
            let is_number = (1..=MAX_LENGTH_DIGITS).contains(&value.len())
                && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value)
                .ok()
                .filter(|_| is_number)
                .and_then(|digits| digits.parse().ok())
                .ok_or(LengthError)?;
            if agreed.is_some_and(|other: usize| other != length) {
                return Err(LengthError);
            }
            agreed = Some(length);
        }
        Ok(agreed)
    }
}

/// Whether `name`, as it came, is the field `long`.
pub(crate) fn is_name(name: &[u8], long: &str) -> bool {
    if name.len() == 1 {
        return COMPACT.iter().any(|(short, full)| {
            name.eq_ignore_ascii_case(short.as_bytes()) && full.eq_ignore_ascii_case(long)
        });
    }
    name.eq_ignore_ascii_case(long.as_bytes())
}

/// Where the head ends, behind the empty line; looks from `from` on.
///
/// A line ends by CR LF. LF alone is taken too: some test tools send it, and as nothing that came
/// is sent on, nobody can be made to see another message in it than we do.
pub(crate) fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memchr::memchr(b'\n', bytes.get(at..)?) {
        at = at + found + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// How many bytes of empty lines stand before the start line (RFC 3261 §7.5).
pub(crate) fn leading_line_ends(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count()
}

/// Replaces each line end that white space follows by spaces.
fn unfold(bytes: Bytes) -> Bytes {
    let is_folded = |at: usize| matches!(bytes.get(at + 1), Some(b' ' | b'\t'));
    if !memchr::memchr_iter(b'\n', &bytes).any(is_folded) {
        return bytes;
    }
    let mut unfolded = bytes.to_vec();
    for at in memchr::memchr_iter(b'\n', &bytes) {
        if matches!(bytes.get(at + 1), Some(b' ' | b'\t')) {
            if let Some(end) = unfolded.get_mut(at) {
                *end = b' ';
            }
            if let Some(cr) = at
                .checked_sub(1)
                .and_then(|before| unfolded.get_mut(before))
                && *cr == b'\r'
            {
                *cr = b' ';
            }
        }
    }
    unfolded.into()
}

/// Iterates over lines without their ends; a last line without an end is left out.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let rest = self.bytes.get(self.at..)?;
        let length = memchr::memchr(b'\n', rest)?;
        let line = rest.get(..length)?;
        let start = self.at;
        self.at = start + length + 1;
        Some(Span::new(
            start,
            start + line.strip_suffix(b"\r").unwrap_or(line).len(),
        ))
    }
}

/// `name [white space] : value`
fn read_field(line: &[u8], at: usize) -> Result<Field, HeadError> {
    if memchr::memchr(b'\r', line).is_some() {
        return Err(HeadError::BareCr);
    }
    let colon = memchr::memchr(b':', line).ok_or(HeadError::Field)?;
    let name = line.get(..colon).unwrap_or_default();
    let name_length = name.len() - name.iter().rev().take_while(|b| is_blank(**b)).count();
    let name = name.get(..name_length).unwrap_or_default();
    if name.is_empty() || !name.iter().copied().all(is_token_byte) {
        return Err(HeadError::Field);
    }
    let value = line.get(colon + 1..).unwrap_or_default();
    let before = value.iter().take_while(|b| is_blank(**b)).count();
    let after = value
        .iter()
        .skip(before)
        .rev()
        .take_while(|b| is_blank(**b))
        .count();
    Ok(Field {
        name: Span::new(at, at + name_length),
        value: Span::new(at + colon + 1 + before, at + line.len() - after),
        core: core_of(name),
    })
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_long_name_whichever_name_it_came_by() {
        let known = [
            "Via",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
            "Route",
            "Record-Route",
            "Max-Forwards",
            "Content-Length",
            "Content-Type",
            "Accept",
            "Require",
            "Date",
        ];
        for name in known {
            let core = core_of(name.as_bytes());
            assert!(core.is_some(), "{name}");
            assert_eq!(core_of(name.to_ascii_uppercase().as_bytes()), core);
            assert_eq!(core_of(name.to_ascii_lowercase().as_bytes()), core);
        }
        for (short, long) in COMPACT {
            assert_eq!(
                core_of(short.as_bytes()),
                core_of(long.as_bytes()),
                "{long}"
            );
            let upper = short.to_ascii_uppercase();
            assert_eq!(
                core_of(upper.as_bytes()),
                core_of(long.as_bytes()),
                "{long}"
            );
        }
    }
}
