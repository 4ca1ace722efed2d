//! How our own session descriptions are written.

use std::fmt::Write as _;

use bytes::Bytes;

use super::negotiate::{Local, TELEPHONE_EVENT, WIDE_TELEPHONE_EVENT};
use super::session::{Encoding, Media};
use crate::codec::{Codec, comfort_noise, opus};
use crate::{Direction, SAMPLE_RATE};

/// Telephone keys that we take: 0-9, *, #, A-D (RFC 4733 §3.2).
const EVENTS: &str = "0-15";

/// All that we offer: our codecs, and telephone keys by each of their clocks (RFC 4733 §2.1), by the
/// payload types that `known` has for them.
pub(super) fn encodings(local: &Local, known: &[(u8, Encoding)]) -> Vec<(u8, Encoding)> {
    let codecs = || local.codecs.iter();
    let clocks = [SAMPLE_RATE, opus::CLOCK_RATE];
    let events = clocks
        .into_iter()
        .filter(|clock| codecs().any(|codec| codec.clock_rate() == *clock))
        .map(Encoding::TelephoneEvent);
    let all = codecs().map(|codec| Encoding::Audio(*codec)).chain(events);
    let mut offered: Vec<(u8, Encoding)> = Vec::new();
    for encoding in all {
        let before = known.iter().find(|(_, known)| *known == encoding);
        let number = before.map_or_else(
            || {
                let is_free = |number: &u8| {
                    let mut taken = known.iter().chain(&offered);
                    !taken.any(|(known, _)| known == number)
                };
                let wanted = payload_type(encoding);
                let mut free = std::iter::once(wanted).chain(DYNAMIC).filter(is_free);
                free.next().unwrap_or(wanted)
            },
            |(number, _)| *number,
        );
        offered.push((number, encoding));
    }
    offered
}

/// RFC 3551 §6: payload types for anything.
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

fn payload_type(encoding: Encoding) -> u8 {
    match encoding {
        Encoding::Audio(codec) => codec.payload_type(),
        Encoding::TelephoneEvent(SAMPLE_RATE) => TELEPHONE_EVENT,
        Encoding::TelephoneEvent(_) => WIDE_TELEPHONE_EVENT,
        Encoding::ComfortNoise => comfort_noise::PAYLOAD_TYPE,
    }
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
            Encoding::Audio(Codec::Opus) => write!(
                text,
                "a=rtpmap:{number} opus/48000/2\r\na=fmtp:{number} {}\r\n",
                opus::OURS
            ),
            Encoding::Audio(codec) => {
                write!(
                    text,
                    "a=rtpmap:{number} {}/{}\r\n",
                    codec.name(),
                    codec.clock_rate()
                )
            }
            Encoding::TelephoneEvent(clock_rate) => write!(
                text,
                "a=rtpmap:{number} telephone-event/{clock_rate}\r\n\
                 a=fmtp:{number} {EVENTS}\r\n"
            ),
            Encoding::ComfortNoise => write!(text, "a=rtpmap:{number} CN/{SAMPLE_RATE}\r\n"),
        };
    }
    let _ = write!(
        text,
        "a=ptime:{}\r\na={}\r\n",
        local.ptime_ms,
        direction.name()
    );
}

/// Longest list of formats that a refused media line repeats, in bytes.
const REPEATED: usize = 255;

/// RFC 3264 §6: a refused media line has port 0, and its formats only because one must be there.
pub(super) fn describe_refused(text: &mut String, media: &Media) {
    let formats = Some(&*media.formats).filter(|formats| formats.len() <= REPEATED);
    let (kind, transport, formats) = (&media.kind, &media.transport, formats.unwrap_or("0"));
    let _ = write!(text, "m={kind} 0 {transport} {formats}\r\n");
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
