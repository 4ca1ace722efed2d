//! Offer and answer (RFC 3264) as pure functions.
//!
//! One stream of sound is negotiated. All other media lines of an offer are refused in their place
//! by port 0, so that the answer has as many lines as the offer, in the same order.
//!
//! The owner of a call keeps the description that it sent last: the functions ending in `_again`
//! build on it, so that media lines stay in their places and the version counts changes
//! (RFC 3264 §8).

use std::net::SocketAddr;

use bytes::Bytes;
use thiserror::Error;

use super::describe::{
    describe_audio, describe_refused, describe_session, encodings, numbered_after,
};
use super::session::{Encoding, Media, Session, SessionError, Target};
use crate::Direction;
use crate::codec::opus::Wishes;
use crate::codec::{Codec, comfort_noise};
use crate::session::{Connection, TelephoneEvent};

/// The payload type that we offer for telephone keys; dynamic (RFC 3551 §3), and what most
/// telephones use.
pub const TELEPHONE_EVENT: u8 = 101;

/// The same by the clock of Opus; what browsers use.
pub const WIDE_TELEPHONE_EVENT: u8 = 110;

/// RFC 3551 §4.5: the packet time of audio when nothing is said.
const PTIME_MS: u32 = 20;

/// Packet times that are believed, in milliseconds.
const PTIMES_MS: std::ops::RangeInclusive<u32> = 10..=200;

/// What we bring to a negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Where we receive RTP.
    pub address: SocketAddr,
    /// The session of the `o=` line; the same for the whole call.
    pub session_id: u64,
    /// The version of the first description that is sent.
    pub version: u64,
    /// The codecs that may be used, the preferred one first. Not empty.
    pub codecs: Vec<Codec>,
    /// What we want to do; the far end may want less.
    pub direction: Direction,
    /// The packet time that we want to receive, in milliseconds.
    pub ptime_ms: u32,
}

/// What was agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Where to send RTP. None: nowhere for now (hold by `0.0.0.0`).
    pub remote: Option<SocketAddr>,
    /// Where to send RTCP.
    pub remote_rtcp: Option<SocketAddr>,
    /// The codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// Telephone keys, when both sides know them.
    pub telephone_event: Option<TelephoneEvent>,
    /// Comfort noise was agreed.
    pub comfort_noise: bool,
    /// What the far end wants of Opus.
    pub opus: Wishes,
    /// Our direction.
    pub direction: Direction,
    /// The packet time that the far end wants to receive, in milliseconds; ours when it says none.
    pub ptime_ms: u32,
    /// The answer, when we answered; what was offered, when we offered.
    pub sdp: Bytes,
}

impl Agreed {
    /// The same in the words of a leg.
    pub fn connection(&self) -> Connection {
        Connection {
            remote: self.remote,
            remote_rtcp: self.remote_rtcp,
            codec: self.codec,
            payload_type: self.payload_type,
            telephone_event: self.telephone_event,
            comfort_noise: self.comfort_noise,
            opus: self.opus,
            direction: self.direction,
        }
    }
}

/// Why nothing was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SdpError {
    /// It can't be read.
    #[error(transparent)]
    Unreadable(#[from] SessionError),
    /// There is no media line for sound, or it is refused or switched off.
    #[error("there is no sound in it")]
    NoAudio,
    /// Sound is only there over a transport that we do not speak, such as SRTP.
    #[error("sound is only there over another transport than RTP/AVP")]
    NoPlainRtp,
    /// No codec that both sides know.
    #[error("no codec in common")]
    NoCommonCodec,
    /// The address is a name, a group, missing, or of another IP version than ours.
    #[error("address can't be reached")]
    Address,
    /// The answer does not fit what was offered: other media lines (RFC 3264 §6).
    #[error("answer does not fit the offer")]
    Misfit,
}

impl SdpError {
    /// The status to refuse an offer with.
    pub fn sip_status(self) -> u16 {
        match self {
            Self::Unreadable(_) => 400,
            Self::NoAudio
            | Self::NoPlainRtp
            | Self::NoCommonCodec
            | Self::Address
            | Self::Misfit => 488,
        }
    }

    /// The code for a Warning header beside the 488 (RFC 3261 §20.43).
    pub fn warning(self) -> Option<u16> {
        match self {
            Self::Address => Some(301),
            Self::NoPlainRtp => Some(302),
            Self::NoAudio => Some(304),
            Self::NoCommonCodec => Some(305),
            Self::Unreadable(_) | Self::Misfit => None,
        }
    }
}

/// Makes the first offer of a call, or the one that a 2xx carries when the INVITE had none.
pub fn offer(local: &Local) -> Bytes {
    let mut text = describe_session(local);
    let offered: Vec<(u8, Encoding)> = encodings(local, &[]);
    describe_audio(&mut text, local, "RTP/AVP", &offered, local.direction);
    text.into()
}

/// Makes a further offer of a call, for instance hold or resume.
///
/// `sent` is the description that we sent last, as offer or as answer. Its media lines keep their
/// places, and its payload types go on; the version goes up by one, unless
/// nothing changed.
///
/// # Errors
/// When `sent` is not one of ours.
pub fn offer_again(sent: &[u8], local: &Local) -> Result<Bytes, SdpError> {
    let before = Session::parse(sent)?;
    let ours = before
        .media
        .iter()
        .position(Media::is_plain_audio)
        .ok_or(SdpError::NoAudio)?;
    let mut text = describe_session(local);
    for (place, media) in before.media.iter().enumerate() {
        if place == ours {
            let offered = encodings(local, &media.encodings);
            describe_audio(
                &mut text,
                local,
                &media.transport,
                &offered,
                local.direction,
            );
        } else {
            describe_refused(&mut text, media);
        }
    }
    Ok(numbered_after(sent, text.into()))
}

/// An offer of the far end, read.
#[derive(Debug)]
pub struct Offer(Session);

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// When it can't be read: it has to be refused with 400.
    pub fn read(offer: &[u8]) -> Result<Self, SdpError> {
        Ok(Self(Session::parse(offer)?))
    }

    /// Where it wants RTP to be sent, as far as that can be told before it is answered; `None`:
    /// nowhere for now.
    pub fn peer(&self) -> Option<SocketAddr> {
        let sound = self.0.media.iter().find(|media| media.is_plain_audio());
        sound?.rtp_address()
    }

    /// Answers the first offer of a call.
    ///
    /// The codec is the first of `local.codecs` that was offered; it is the only one in the answer,
    /// so that the far end can't change it on the way. Payload types are those of the offer.
    ///
    /// # Errors
    /// Why the offer has to be refused; [`SdpError::sip_status`] says by what.
    pub fn answer(&self, local: &Local) -> Result<Agreed, SdpError> {
        let Self(offer) = self;
        let ours = choose_audio(offer, local)?;
        let mut text = describe_session(local);
        let mut agreed = None;
        for (place, media) in offer.media.iter().enumerate() {
            if place == ours.place {
                let direction = ours.direction(local.direction);
                let keys = media.telephone_event(ours.codec).map(|keys| {
                    let encoding = Encoding::TelephoneEvent(keys.clock_rate);
                    (keys.payload_type, encoding)
                });
                let noise = media
                    .takes_comfort_noise(ours.codec)
                    .then_some((comfort_noise::PAYLOAD_TYPE, Encoding::ComfortNoise));
                let answered = std::iter::once((ours.payload_type, Encoding::Audio(ours.codec)))
                    .chain(noise)
                    .chain(keys)
                    .collect::<Vec<_>>();
                describe_audio(&mut text, local, &media.transport, &answered, direction);
                agreed = Some(ours.agreed(media, direction, local.ptime_ms));
            } else {
                describe_refused(&mut text, media);
            }
        }
        let agreed = agreed.ok_or(SdpError::NoAudio)?;
        Ok(Agreed {
            sdp: text.into(),
            ..agreed
        })
    }

    /// Answers a further offer of a call; `sent` is the description that we sent last.
    ///
    /// # Errors
    /// As [`Offer::answer`].
    pub fn answer_again(&self, sent: &[u8], local: &Local) -> Result<Agreed, SdpError> {
        let agreed = self.answer(local)?;
        Ok(Agreed {
            sdp: numbered_after(sent, agreed.sdp.clone()),
            ..agreed
        })
    }
}

/// Reads and answers the first offer of a call.
///
/// # Errors
/// As [`Offer::answer`].
pub fn answer(offer: &[u8], local: &Local) -> Result<Agreed, SdpError> {
    Offer::read(offer)?.answer(local)
}

/// Reads and answers a further offer of a call; `sent` is the description that we sent last.
///
/// # Errors
/// As [`Offer::answer`].
pub fn answer_again(sent: &[u8], offer: &[u8], local: &Local) -> Result<Agreed, SdpError> {
    Offer::read(offer)?.answer_again(sent, local)
}

/// Takes the answer to our offer; `offer` is the description that we sent.
///
/// # Errors
/// When the answer refuses the sound, can't be read or does not fit: the call can't go on with it.
pub fn accept(offer: &Bytes, answer: &[u8]) -> Result<Agreed, SdpError> {
    let offered = Session::parse(offer)?;
    let answer = Session::parse(answer)?;
    if answer.media.len() != offered.media.len() {
        return Err(SdpError::Misfit);
    }
    let same_kinds = offered
        .media
        .iter()
        .zip(&answer.media)
        .all(|(ours, theirs)| ours.kind.eq_ignore_ascii_case(&theirs.kind));
    if !same_kinds {
        return Err(SdpError::Misfit);
    }
    let (ours, theirs) = offered
        .media
        .iter()
        .zip(&answer.media)
        .find(|(ours, _)| ours.is_plain_audio())
        .ok_or(SdpError::NoAudio)?;
    if theirs.port == 0 {
        return Err(SdpError::NoAudio);
    }
    if !theirs.is_plain_rtp() {
        return Err(SdpError::NoPlainRtp);
    }
    let ours_ip = match ours.target {
        Target::Address(ip) => Some(ip),
        Target::Nowhere | Target::Unusable | Target::Missing => None,
    };
    check_target(theirs, ours_ip.map(|ip| SocketAddr::new(ip, ours.port)))?;
    // RFC 3264 §6.1: the first format of the answer that we offered is what both will send.
    let (payload_type, codec) = theirs
        .encodings
        .iter()
        .find_map(|(payload_type, encoding)| match encoding {
            Encoding::Audio(codec) => ours
                .payload_type_of(*codec)
                .is_some()
                .then_some((*payload_type, *codec)),
            Encoding::TelephoneEvent(_) | Encoding::ComfortNoise => None,
        })
        .ok_or(SdpError::NoCommonCodec)?;
    let choice = Choice {
        place: 0,
        codec,
        payload_type,
        remote: remote_direction(theirs),
    };
    let direction = choice.direction(ours.direction);
    let ptime_ms = ours.ptime_ms.unwrap_or(PTIME_MS);
    let mut agreed = choice.agreed(theirs, direction, ptime_ms);
    // An answer may not add what was not offered.
    agreed.telephone_event = agreed
        .telephone_event
        .filter(|_| ours.telephone_event(codec).is_some());
    agreed.comfort_noise &= ours.takes_comfort_noise(codec);
    Ok(Agreed {
        sdp: offer.clone(),
        ..agreed
    })
}

/// The sound in an offer that we take.
#[derive(Debug, Clone, Copy)]
struct Choice {
    place: usize,
    codec: Codec,
    payload_type: u8,
    /// What the far end does.
    remote: Direction,
}

impl Choice {
    /// Our direction: what we want, as far as the far end goes along (RFC 3264 §6.1).
    fn direction(&self, wanted: Direction) -> Direction {
        Direction::new(
            wanted.sends() && self.remote.receives(),
            wanted.receives() && self.remote.sends(),
        )
    }

    fn agreed(&self, media: &Media, direction: Direction, ptime_ms: u32) -> Agreed {
        Agreed {
            remote: media.rtp_address(),
            remote_rtcp: media.rtcp_address(),
            codec: self.codec,
            payload_type: self.payload_type,
            telephone_event: media.telephone_event(self.codec),
            comfort_noise: media.takes_comfort_noise(self.codec),
            opus: media.opus,
            direction,
            ptime_ms: media
                .ptime_ms
                .filter(|ptime| PTIMES_MS.contains(ptime))
                .unwrap_or(ptime_ms),
            sdp: Bytes::new(),
        }
    }
}

/// What the far end does. It can't receive at `0.0.0.0`, whatever else it says (RFC 3264 §8.4).
fn remote_direction(media: &Media) -> Direction {
    match media.target {
        Target::Nowhere => Direction::new(media.direction.sends(), false),
        Target::Address(_) | Target::Unusable | Target::Missing => media.direction,
    }
}

/// The first media line that can be taken; else why the last one that is sound can't.
fn choose_audio(offer: &Session, local: &Local) -> Result<Choice, SdpError> {
    let mut refusal = SdpError::NoAudio;
    for (place, media) in offer.media.iter().enumerate() {
        if !media.is_audio() || media.port == 0 {
            continue;
        }
        if !media.is_plain_rtp() {
            refusal = SdpError::NoPlainRtp;
            continue;
        }
        if let Err(error) = check_target(media, Some(local.address)) {
            refusal = error;
            continue;
        }
        let chosen = local
            .codecs
            .iter()
            .find_map(|codec| media.payload_type_of(*codec).map(|number| (*codec, number)));
        let Some((codec, payload_type)) = chosen else {
            refusal = SdpError::NoCommonCodec;
            continue;
        };
        return Ok(Choice {
            place,
            codec,
            payload_type,
            remote: remote_direction(media),
        });
    }
    Err(refusal)
}

/// Whether we can send to where the media line says; of the IP version of `from`, if it is known.
fn check_target(media: &Media, from: Option<SocketAddr>) -> Result<(), SdpError> {
    match media.target {
        Target::Nowhere => Ok(()),
        Target::Address(ip) if from.is_none_or(|from| from.is_ipv4() == ip.is_ipv4()) => Ok(()),
        Target::Address(_) | Target::Unusable | Target::Missing => Err(SdpError::Address),
    }
}

#[cfg(test)]
mod tests;
