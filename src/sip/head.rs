//! The head of a message: start line and header fields as pieces of its bytes.
//!
//! Both the reader of whole messages and the framer of streams look at heads here, so that they
//! never disagree about where a message ends.

use bytes::Bytes;
use thiserror::Error;

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

/// A piece of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: usize,
    end: usize,
}

impl Span {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// A header field: name without the white space behind it, value without that around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// Start line and fields of a head. Folding is undone: where a line went on in the next one, its
/// line end is now spaces, which mean the same (RFC 3261 §7.3.1).
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) bytes: Bytes,
    pub(crate) start_line: Span,
    pub(crate) fields: Vec<Field>,
}

impl Head {
    /// Reads a head that ends where `bytes` end, as far as it is readable.
    ///
    /// The error is the first one; what could be read despite it is there to answer with.
    pub(crate) fn scan(bytes: &[u8]) -> (Self, Option<HeadError>) {
        let mut problem = None;
        let (bytes, cut) = match bytes.get(..MAX_HEAD) {
            Some(cut) if bytes.len() > MAX_HEAD => (cut, true),
            _ => (bytes, false),
        };
        if cut {
            problem = Some(HeadError::TooLong);
        }
        let bytes = unfold(bytes);
        let mut lines = Lines {
            bytes: &bytes,
            at: 0,
        };
        let start_line = lines.next().unwrap_or_default();
        let mut fields = Vec::new();
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
            match read_field(text, line.start) {
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
                bytes: Bytes::from(bytes),
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
        self.fields
            .iter()
            .filter(move |field| is_name(field.name.of(&self.bytes), name))
            .map(|field| field.value.of(&self.bytes))
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

/// Replaces each line end that white space follows by spaces, in place.
fn unfold(bytes: &[u8]) -> Vec<u8> {
    let mut unfolded = bytes.to_vec();
    for at in memchr::memchr_iter(b'\n', bytes) {
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
    unfolded
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
        Some(Span {
            start,
            end: start + line.strip_suffix(b"\r").unwrap_or(line).len(),
        })
    }
}

/// `name [white space] : value`
fn read_field(line: &[u8], at: usize) -> Result<Field, HeadError> {
    if line.contains(&b'\r') {
        return Err(HeadError::BareCr);
    }
    let colon = memchr::memchr(b':', line).ok_or(HeadError::Field)?;
    let name = line.get(..colon).unwrap_or_default();
    let name_length = name.len() - name.iter().rev().take_while(|b| is_blank(**b)).count();
    let name = name.get(..name_length).unwrap_or_default();
    let is_token = std::str::from_utf8(name).is_ok_and(crate::grammar::is_token);
    if !is_token {
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
        name: Span {
            start: at,
            end: at + name_length,
        },
        value: Span {
            start: at + colon + 1 + before,
            end: at + line.len() - after,
        },
    })
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
