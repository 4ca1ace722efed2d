//! How our own session descriptions are written.

use std::fmt::Write as _;

use bytes::Bytes;

use super::negotiate::Local;
use super::session::{Encoding, Media};
use crate::Direction;

/// Telephone keys that we take: 0-9, *, #, A-D (RFC 4733 §3.2).
const EVENTS: &str = "0-15";

pub(super) fn encodings(local: &Local, telephone_event: u8) -> Vec<(u8, Encoding)> {
    local
        .codecs
        .iter()
        .map(|codec| (codec.payload_type(), Encoding::Audio(*codec)))
        .chain(std::iter::once((telephone_event, Encoding::TelephoneEvent)))
        .collect()
}

pub(super) fn describe_session(local: &Local) -> String {
    let version = if local.address.is_ipv4() {
        "IP4"
    } else {
        "IP6"
    };
    format!(
        "v=0\r\no=- {id} {number} IN {version} {ip}\r\ns=-\r\nc=IN {version} {ip}\r\nt=0 0\r\n",
        id = local.session_id,
        number = local.version,
        ip = local.address.ip(),
    )
}

pub(super) fn describe_audio(
    text: &mut String,
    local: &Local,
    transport: &str,
    encodings: &[(u8, Encoding)],
    direction: Direction,
) {
    // Writing to a String can't fail.
    let _ = write!(text, "m=audio {} {transport}", local.address.port());
    for (payload_type, _) in encodings {
        let _ = write!(text, " {payload_type}");
    }
    text.push_str("\r\n");
    for (number, encoding) in encodings {
        let _ = match encoding {
            Encoding::Audio(codec) => {
                write!(
                    text,
                    "a=rtpmap:{number} {}/{}\r\n",
                    codec.name(),
                    codec.clock_rate()
                )
            }
            Encoding::TelephoneEvent => write!(
                text,
                "a=rtpmap:{number} telephone-event/{}\r\na=fmtp:{number} {EVENTS}\r\n",
                crate::SAMPLE_RATE
            ),
        };
    }
    let _ = write!(
        text,
        "a=ptime:{}\r\na={}\r\n",
        local.ptime_ms,
        direction.name()
    );
}

/// RFC 3264 §6: a refused media line has port 0, and its formats only because one must be there.
pub(super) fn describe_refused(text: &mut String, media: &Media) {
    let _ = write!(
        text,
        "m={} 0 {} {}\r\n",
        media.kind, media.transport, media.formats
    );
}

/// The description `fresh`, numbered as the one that follows `sent` (RFC 3264 §8): the same version
/// when they say the same, else the next.
pub(super) fn numbered_after(sent: &[u8], fresh: Bytes) -> Bytes {
    let Some((before, version, after)) = split_version(&fresh) else {
        return fresh;
    };
    let sent = String::from_utf8_lossy(sent).into_owned();
    let Some((sent_before, sent_version, sent_after)) = split_version(sent.as_bytes()) else {
        return fresh;
    };
    let next = if (before, after) == (sent_before, sent_after) {
        sent_version
    } else {
        sent_version.wrapping_add(1)
    };
    if next == version {
        return fresh;
    }
    format!("{before}{next}{after}").into()
}

/// Splits a description of ours around the version in its `o=` line.
fn split_version(text: &[u8]) -> Option<(&str, u64, &str)> {
    let text = std::str::from_utf8(text).ok()?;
    let origin = text.find("\no=")? + 1;
    let (spaces, line) = (2, text.get(origin..)?.lines().next()?);
    let start = origin + line.match_indices(' ').nth(spaces - 1)?.0 + 1;
    let end = origin + line.match_indices(' ').nth(spaces)?.0;
    Some((
        text.get(..start)?,
        text.get(start..end)?.parse().ok()?,
        text.get(end..)?,
    ))
}
