//! A session description as far as a telephone call needs it, read by `sdp-types`.
//!
//! The parser is only shown the lines that matter here, so that odd values in others, which phones
//! do send, refuse no call: version numbers beyond 64 bits, time zones, Latin-1 in names.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use thiserror::Error;

use crate::Direction;
use crate::codec::opus::{self, Wishes};
use crate::codec::{Codec, comfort_noise};
use crate::session::TelephoneEvent;

/// Longest session description that is read, in bytes: the longest body that SIP takes.
pub const MAX_BYTES: usize = 64 * 1024;
/// Most lines that are read; a browser sends some 200.
pub const MAX_LINES: usize = 1000;
/// Most media lines that are read.
pub const MAX_MEDIA: usize = 16;
/// The longest name of a kind of media or of a transport, in bytes: an answer repeats them.
pub const MAX_WORD: usize = 64;

/// Why a text is no session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionError {
    /// More than [`MAX_BYTES`], [`MAX_LINES`], [`MAX_MEDIA`] or [`MAX_WORD`].
    #[error("session description is too large")]
    TooLarge,
    /// The parser refused it.
    #[error("session description is malformed")]
    Malformed,
}

/// A session description: its media lines in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The version of the `o=` line, when it is a number of 64 bits.
    pub version: Option<u64>,
    /// The media lines, refused ones too.
    pub media: Vec<Media>,
}

/// Where media shall be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// There.
    Address(IpAddr),
    /// Nowhere for now: `0.0.0.0`, how RFC 2543 §B.5 put calls on hold, or `::`.
    Nowhere,
    /// A host name, a multicast group, or another kind of network.
    Unusable,
    /// The `c=` line is missing.
    Missing,
}

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A codec of ours.
    Audio(Codec),
    /// Telephone keys (RFC 4733), counted by a clock of this rate in hertz.
    TelephoneEvent(u32),
    /// Comfort noise (RFC 3389) at 8 kHz.
    ComfortNoise,
}

/// One media line with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image` …, as it came.
    pub kind: String,
    /// The RTP port; 0: refused or switched off.
    pub port: u16,
    /// The transport as it came, for instance `RTP/AVP`.
    pub transport: String,
    /// The formats as they came.
    pub formats: String,
    /// Where to send.
    pub target: Target,
    /// The direction as its sender sees it; `sendrecv` when nothing is said.
    pub direction: Direction,
    /// The packet time that its sender wants to receive, in milliseconds.
    pub ptime_ms: Option<u32>,
    /// Where RTCP shall be sent, when not to the port above that of RTP (RFC 3605).
    pub rtcp: Option<(Option<IpAddr>, u16)>,
    /// What the payload types stand for that we know, in the order of preference of the sender.
    pub encodings: Vec<(u8, Encoding)>,
    /// What its sender wants of Opus.
    pub opus: Wishes,
}

impl Session {
    /// Reads a session description.
    ///
    /// # Errors
    /// When it is too large, or its media lines can't be made out.
    pub fn parse(bytes: &[u8]) -> Result<Self, SessionError> {
        if bytes.len() > MAX_BYTES {
            return Err(SessionError::TooLarge);
        }
        let text = String::from_utf8_lossy(bytes);
        if text.lines().take(MAX_LINES + 1).count() > MAX_LINES {
            return Err(SessionError::TooLarge);
        }
        let relevant: String = text
            .lines()
            .map(|line| line.trim_end_matches(['\r', ' ']))
            .filter(|line| matches!(line.as_bytes(), [b'v' | b'c' | b'm' | b'a', b'=', ..]))
            .flat_map(|line| [line, "\r\n"])
            .collect();
        let parsed = sdp_types::Session::parse(relevant.as_bytes())
            .map_err(|_detail| SessionError::Malformed)?;
        let too_long =
            |media: &sdp_types::Media| media.media.len() > MAX_WORD || media.proto.len() > MAX_WORD;
        if parsed.medias.len() > MAX_MEDIA || parsed.medias.iter().any(too_long) {
            return Err(SessionError::TooLarge);
        }
        let media = parsed
            .medias
            .iter()
            .map(|media| Media::read(&parsed, media))
            .collect();
        Ok(Self {
            version: read_version(&text),
            media,
        })
    }
}

impl Media {
    fn read(session: &sdp_types::Session, media: &sdp_types::Media) -> Self {
        let attributes = || media.attributes.iter().chain(&session.attributes);
        let direction = attributes().find_map(|attribute| read_direction(&attribute.attribute));
        let connection = media.connections.first().or(session.connection.as_ref());
        let value = |name: &str| {
            media
                .attributes
                .iter()
                .find(|attribute| attribute.attribute.eq_ignore_ascii_case(name))
                .and_then(|attribute| attribute.value.as_deref())
        };
        let encodings = read_encodings(media);
        Self {
            kind: media.media.clone(),
            port: media.port,
            transport: media.proto.clone(),
            formats: media.fmt.clone(),
            target: connection.map_or(Target::Missing, read_target),
            direction: direction.unwrap_or_default(),
            ptime_ms: value("ptime").and_then(|ptime| ptime.trim().parse().ok()),
            rtcp: value("rtcp").and_then(read_rtcp),
            opus: read_wishes(media, &encodings),
            encodings,
        }
    }

    /// Whether it is sound over plain RTP, and not switched off.
    pub fn is_plain_audio(&self) -> bool {
        self.is_audio() && self.port != 0 && self.is_plain_rtp()
    }

    /// Whether it is sound.
    pub fn is_audio(&self) -> bool {
        self.kind.eq_ignore_ascii_case("audio")
    }

    /// Whether it is RTP without encryption. RTP/AVPF (RFC 4585) only adds feedback that nobody
    /// has to send.
    pub fn is_plain_rtp(&self) -> bool {
        ["RTP/AVP", "RTP/AVPF"]
            .iter()
            .any(|known| self.transport.eq_ignore_ascii_case(known))
    }

    /// The payload type that stands for `codec`, the sender's most preferred one first.
    pub fn payload_type_of(&self, codec: Codec) -> Option<u8> {
        self.encodings
            .iter()
            .find(|(_, encoding)| *encoding == Encoding::Audio(codec))
            .map(|(payload_type, _)| *payload_type)
    }

    /// Telephone keys beside a codec: by the same clock (RFC 4733 §2.1), or else by that of 8 kHz,
    /// which is all that some phones offer beside Opus.
    pub fn telephone_event(&self, codec: Codec) -> Option<TelephoneEvent> {
        let events = || {
            let known = self.encodings.iter();
            known.filter_map(|(payload_type, encoding)| match encoding {
                Encoding::TelephoneEvent(clock_rate) => Some(TelephoneEvent {
                    payload_type: *payload_type,
                    clock_rate: *clock_rate,
                }),
                Encoding::Audio(_) | Encoding::ComfortNoise => None,
            })
        };
        events()
            .find(|event| event.clock_rate == codec.clock_rate())
            .or_else(|| events().find(|event| event.clock_rate == crate::SAMPLE_RATE))
    }

    /// Whether comfort noise may be sent beside a codec: theirs is the same clock.
    pub fn takes_comfort_noise(&self, codec: Codec) -> bool {
        codec.clock_rate() == crate::SAMPLE_RATE
            && self
                .encodings
                .contains(&(comfort_noise::PAYLOAD_TYPE, Encoding::ComfortNoise))
    }

    /// Where RTP is to be sent.
    pub fn rtp_address(&self) -> Option<SocketAddr> {
        match self.target {
            Target::Address(ip) if self.port != 0 => Some(SocketAddr::new(ip, self.port)),
            Target::Address(_) | Target::Nowhere | Target::Unusable | Target::Missing => None,
        }
    }

    /// Where RTCP is to be sent: what RFC 3605 names, or the port above that of RTP.
    pub fn rtcp_address(&self) -> Option<SocketAddr> {
        let rtp = self.rtp_address()?;
        match self.rtcp {
            Some((ip, port)) => Some(SocketAddr::new(ip.unwrap_or(rtp.ip()), port)),
            None => Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)),
        }
    }
}

fn read_version(text: &str) -> Option<u64> {
    let origin = text.lines().find_map(|line| line.strip_prefix("o="))?;
    origin.split_ascii_whitespace().nth(2)?.parse().ok()
}

fn read_direction(attribute: &str) -> Option<Direction> {
    [
        Direction::SendReceive,
        Direction::SendOnly,
        Direction::ReceiveOnly,
        Direction::Inactive,
    ]
    .into_iter()
    .find(|direction| attribute.eq_ignore_ascii_case(direction.name()))
}

fn read_target(connection: &sdp_types::Connection) -> Target {
    let address = connection
        .connection_address
        .split('/')
        .next()
        .unwrap_or_default();
    match address.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => Target::Nowhere,
        Ok(ip) if ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) => Target::Unusable,
        Ok(ip) => Target::Address(ip.to_canonical()),
        Err(_) => Target::Unusable,
    }
}

/// `port [nettype addrtype address]`
fn read_rtcp(value: &str) -> Option<(Option<IpAddr>, u16)> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
    let ip = match words.nth(2) {
        Some(address) => Some(address.parse().ok()?),
        None => None,
    };
    Some((ip, port))
}

fn read_encodings(media: &sdp_types::Media) -> Vec<(u8, Encoding)> {
    let mut mapped: BTreeMap<u8, &str> = BTreeMap::new();
    for attribute in &media.attributes {
        if attribute.attribute.eq_ignore_ascii_case("rtpmap")
            && let Some((payload_type, encoding)) = attribute
                .value
                .as_deref()
                .and_then(|value| value.trim().split_once([' ', '\t']))
            && let Ok(payload_type) = payload_type.parse()
        {
            mapped.entry(payload_type).or_insert(encoding.trim());
        }
    }
    let mut encodings: Vec<(u8, Encoding)> = Vec::new();
    for format in media.fmt.split_ascii_whitespace() {
        // RFC 3550 §5.1: a payload type has seven bits.
        let Some(payload_type) = format.parse::<u8>().ok().filter(|number| *number < 128) else {
            continue;
        };
        let encoding = match mapped.get(&payload_type) {
            Some(encoding) => read_encoding(encoding),
            // RFC 3551 §6: the static ones need no rtpmap.
            None if payload_type == comfort_noise::PAYLOAD_TYPE => Some(Encoding::ComfortNoise),
            None => Codec::from_payload_type(payload_type).map(Encoding::Audio),
        };
        if let Some(encoding) = encoding
            && !encodings.iter().any(|(known, _)| *known == payload_type)
        {
            encodings.push((payload_type, encoding));
        }
    }
    encodings
}

/// What an `a=fmtp` line says of the first payload type that stands for Opus.
fn read_wishes(media: &sdp_types::Media, encodings: &[(u8, Encoding)]) -> Wishes {
    let opus = encodings
        .iter()
        .find(|(_, encoding)| *encoding == Encoding::Audio(Codec::Opus));
    let parameters = opus.and_then(|(opus, _)| {
        media
            .attributes
            .iter()
            .filter(|attribute| attribute.attribute.eq_ignore_ascii_case("fmtp"))
            .filter_map(|attribute| attribute.value.as_deref()?.trim().split_once([' ', '\t']))
            .find(|(payload_type, _)| payload_type.parse() == Ok(*opus))
    });
    parameters.map_or_else(Wishes::default, |(_, text)| Wishes::read(text))
}

/// Clocks of telephone-events that we know.
const EVENT_CLOCKS: [u32; 2] = [crate::SAMPLE_RATE, opus::CLOCK_RATE];

/// `name/clock[/channels]`: only the codec's own clock rate and channels are what we know.
fn read_encoding(text: &str) -> Option<Encoding> {
    let mut parts = text.split('/').map(str::trim);
    let (name, clock) = (parts.next()?, parts.next()?.parse::<u32>().ok()?);
    let channels = match parts.next() {
        Some(channels) => channels.parse::<u32>().ok()?,
        None => 1,
    };
    if let Some(codec) = Codec::from_name(name) {
        let fits = (clock, channels) == (codec.clock_rate(), codec.channels());
        return fits.then_some(Encoding::Audio(codec));
    }
    if channels != 1 {
        return None;
    }
    if name.eq_ignore_ascii_case("telephone-event") {
        let known = EVENT_CLOCKS.contains(&clock);
        return known.then_some(Encoding::TelephoneEvent(clock));
    }
    let noise = name.eq_ignore_ascii_case("CN") && clock == crate::SAMPLE_RATE;
    noise.then_some(Encoding::ComfortNoise)
}
