//! What a leg is asked, and what it tells.

use crate::codec::opus::Wishes;
use crate::codec::{Codec, SharedSound};
use crate::player::Sound;
use crate::rtp::Packet;
use crate::tone::Heard;
use crate::{Direction, Frame};
use std::net::SocketAddr;
use std::time::Duration;

/// What holds for all legs of a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A peer that may send and has not for this long has timed out.
    pub media_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            media_timeout: Duration::from_secs(30),
        }
    }
}

/// What offer and answer agreed for a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where the peer said that it receives RTP; `None` when its SDP named no usable address
    /// (hold by `0.0.0.0`, port 0).
    pub remote: Option<SocketAddr>,
    /// Where it said that it receives RTCP (RFC 3605); `None`: one port above.
    pub remote_rtcp: Option<SocketAddr>,
    /// The codec, both ways.
    pub codec: Codec,
    /// Its payload type, both ways.
    pub payload_type: u8,
    /// RFC 4733 telephone-event; `None`: digits are sent and heard as tone pairs in the sound.
    pub telephone_event: Option<TelephoneEvent>,
    /// The peer takes comfort noise (RFC 3389) in place of silence.
    pub comfort_noise: bool,
    /// What the peer wants of Opus, where that is the codec.
    pub opus: Wishes,
    /// Our direction.
    pub direction: Direction,
}

/// RFC 4733 telephone-event as it was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Its payload type, both ways.
    pub payload_type: u8,
    /// By which clock durations are counted, in hertz.
    pub clock_rate: u32,
}

/// A request to a leg. Each takes effect with the next beat or packet.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Offer and answer are done, for the first time or again. SSRC, sequence and timestamps go on;
    /// a new signalled address opens latching again. After a codec change the engine calls
    /// [`bridge`](super::bridge) again for a bridged leg.
    Connect(Connection),
    /// Play sounds to the peer in place of whatever it heard; a play before gives no `Played`.
    /// While it plays, nothing of a bridge or room reaches this peer.
    Play {
        /// The caller's name for this play, given back in `Played`.
        play: u32,
        /// What is heard, in order.
        sounds: Vec<Sound>,
        /// Start again at the end, for ever; gives no `Played`.
        repeat: bool,
    },
    /// Stop the play. It gives no `Played`.
    StopPlay,
    /// Send telephone keys (`0-9 A-D * #`), after those that still wait. Other characters are left
    /// out. A digit silences what else the peer would hear for its length.
    SendDigits(String),
    /// Listen for tones of networks, fax and answering machines from now on, or no longer. While it
    /// lasts the leg is decoded.
    ListenForTones(bool),
}

/// A fact about a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer pressed a key. Told when it goes down, once for each press.
    Digit(char),
    /// A tone was heard, as [`Command::ListenForTones`] asked.
    Tone(Heard),
    /// A play came to its end.
    Played {
        /// Which.
        play: u32,
    },
    /// The first packet of the peer came, for this connection or after a `MediaTimedOut`.
    MediaStarted {
        /// Its source. Where latching chose another than the signalled address, we send there too.
        from: SocketAddr,
    },
    /// The peer may send, and nothing has come for [`Settings::media_timeout`]. Once, until it
    /// comes again.
    MediaTimedOut,
    /// The peer left by RTCP BYE. Signalling decides what it means.
    PeerLeft,
}

/// How what a leg hears reaches others. The engine owns the topology; the leg only needs to know
/// what to do with its packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// Nobody hears it, unless [`Leg::listen`](super::Leg::listen) asks for its sound.
    #[default]
    Alone,
    /// Bridged to a leg of the same codec: packets are handed over as they come.
    Relayed,
    /// Bridged to a leg of another codec: sound goes over on the beat, telephone-events as they
    /// come.
    Transcoded,
    /// In a conference room: sound goes over on the beat.
    Mixed,
    /// In a conference room, and heard by nobody there.
    Listening,
}

/// What a leg's peer is to hear on a beat, where no play and no key goes before.
#[derive(Debug)]
pub enum Say<'a> {
    /// Sound for this peer alone, at any rate.
    Sound(&'a Frame),
    /// Sound that others hear too.
    Shared(&'a mut SharedSound),
}

/// What is to be done with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// Give it to the bridged leg's [`relay`](super::Leg::relay) and send what comes out, now.
    /// (It is kept for listeners too, where there are any.)
    Relay(Passing<'a>),
    /// It was taken; nothing to do.
    Kept,
    /// It was not taken, and was counted.
    Ignored(Ignored),
}

/// A packet on its way from one bridged leg to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passing<'a> {
    /// The packet as it came.
    pub packet: Packet<'a>,
    /// What it holds.
    pub content: Content,
    /// What its audio is encoded in.
    pub codec: Codec,
}

/// What a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Sound of the agreed codec.
    Sound,
    /// A telephone-event, its duration counted by a clock of this rate.
    TelephoneEvent {
        /// In hertz.
        clock_rate: u32,
    },
    /// Comfort noise (RFC 3389).
    ComfortNoise,
}

/// Why a datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// Nothing is agreed yet, or the peer may not send.
    NotReceiving,
    /// Not an RTP packet.
    Malformed,
    /// A payload type that was not agreed.
    PayloadType,
    /// From another source than the peer.
    Foreign,
}
