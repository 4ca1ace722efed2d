//! One media leg: what its peer hears, and what it hears from its peer.
//!
//! # Who owns what
//! The *engine* (a thread of `net/`) owns sockets, the 20 ms beat, and the topology: which legs are
//! bridged, which are in which [`Room`](crate::mixer::Room), which are recorded by which
//! [`Tap`](crate::recorder::Tap). A *leg* owns its RTP state both ways, jitter buffer, player,
//! telephone-event sender and receiver, latching, statistics and RTCP. Legs never know each other.
//!
//! # The engine's part
//! On a datagram of a leg's RTP port:
//! ```text
//! match leg.receive(bytes, from, now) {
//!     Relay(passing) => if let Some(len) = peer.relay(&passing, now, &mut out) { send(peer, &out[..len]) }
//!     Kept | Ignored(_) => {}
//! }
//! while let Some(event) = leg.next_event() { … }
//! ```
//! On a datagram of its RTCP port: `leg.receive_rtcp(bytes, from, now)`, then its events.
//! On the beat, in three rounds so that nobody hears half of an old and half of a new beat:
//! ```text
//! for each leg:   leg.hear(now)                            // takes 20 ms from its jitter buffer
//! for each room:  room.clear(); for its members: room.add(seat, leg.heard())
//! for each tap:   tap.beat(a.heard(), b.heard())           // a block for the disk thread
//! for each leg:   say = peer.heard() (Path::Transcoded) | room.mix(seat) (Path::Mixed) | None
//!                 if let Some(len) = leg.tick(now, say, &mut out) { send(leg.remote(), &out[..len]) }
//!                 if let Some(len) = leg.report(now, &mut out) { send(leg.remote_rtcp(), &out[..len]) }
//!                 while let Some(event) = leg.next_event() { … }
//! ```
//! `out` is one buffer of [`MAX_PACKET`](crate::rtp::MAX_PACKET) octets for the whole thread. At the
//! end of a leg: `leg.goodbye(now, &mut out)` to its RTCP address, then drop it.
//!
//! A leg's only deadline is the next beat, so there is no `deadline()`. Nothing is allocated,
//! locked or logged in `receive`, `relay`, `hear` and `tick`.

mod words;

pub use words::{Command, Connection, Event, Ignored, Passing, Path, Received, Settings};

use crate::codec::Codec;
use crate::rtp::Statistics;
use crate::{Frame, SILENCE};
use rand::Rng;
use std::net::SocketAddr;
use std::time::Instant;

/// One media leg.
#[derive(Debug)]
pub struct Leg {
    settings: Settings,
    connection: Option<Connection>,
    path: Path,
    listened: bool,
    heard: Frame,
}

/// Lets two legs hear each other and answers how: the engine relays packets, or carries sound over
/// on the beat. To be called again when either of them was connected anew. What they were played
/// stops.
pub fn bridge(a: &mut Leg, b: &mut Leg) -> Path {
    let path = if a.codec().is_some() && a.codec() == b.codec() {
        Path::Relayed
    } else {
        Path::Transcoded
    };
    a.set_path(path);
    b.set_path(path);
    path
}

impl Leg {
    /// A leg that is not connected yet. SSRC, first sequence number, first timestamp and RTCP
    /// CNAME are drawn from `rng`.
    pub fn new(settings: Settings, _rng: &mut impl Rng, _now: Instant) -> Self {
        Self {
            settings,
            connection: None,
            path: Path::Alone,
            listened: false,
            heard: SILENCE,
        }
    }

    /// Does what is asked.
    pub fn command(&mut self, command: Command, _now: Instant) {
        if let Command::Connect(connection) = command {
            self.connection = Some(connection);
        }
    }

    /// Tells the leg how its sound travels on ([`bridge`] does it for two legs). Leaving a bridge or
    /// room is `set_path(Path::Alone)`.
    pub fn set_path(&mut self, path: Path) {
        self.path = path;
    }

    /// How its sound travels on.
    pub fn path(&self) -> Path {
        self.path
    }

    /// Whether a recording tap or another listener needs [`heard`](Self::heard) on every beat,
    /// whatever the path: a relayed leg is then decoded too, its packets go on being relayed.
    pub fn listen(&mut self, listened: bool) {
        self.listened = listened;
    }

    /// Takes a datagram of the RTP port.
    pub fn receive<'a>(
        &mut self,
        _bytes: &'a [u8],
        _from: SocketAddr,
        _now: Instant,
    ) -> Received<'a> {
        Received::Ignored(Ignored::NotReceiving)
    }

    /// Makes the bridged leg's packet one of this leg's own stream: SSRC, sequence, timestamp and
    /// payload type are rewritten. Answers the length in `out` to be sent to
    /// [`remote`](Self::remote); `None` when this peer may not hear it now (on hold, a play or digit
    /// goes on).
    pub fn relay(
        &mut self,
        _passing: &Passing<'_>,
        _now: Instant,
        _out: &mut [u8],
    ) -> Option<usize> {
        None
    }

    /// First round of the beat: takes the next 20 ms from the jitter buffer.
    pub fn hear(&mut self, _now: Instant) {}

    /// What the peer said in this beat; silence when nobody listens to this leg.
    pub fn heard(&self) -> &Frame {
        &self.heard
    }

    /// Last round of the beat: writes what the peer hears now and answers its length in `out`, to
    /// be sent to [`remote`](Self::remote). `say` is the sound of the bridged leg or room, where
    /// there is one. `None` when nothing is to be sent: not connected, on hold, or packets are
    /// being relayed.
    pub fn tick(&mut self, _now: Instant, _say: Option<&Frame>, _out: &mut [u8]) -> Option<usize> {
        None
    }

    /// Takes a datagram of the RTCP port.
    pub fn receive_rtcp(&mut self, _bytes: &[u8], _from: SocketAddr, _now: Instant) {}

    /// Writes an RTCP report when one is due, to be sent to [`remote_rtcp`](Self::remote_rtcp).
    pub fn report(&mut self, _now: Instant, _out: &mut [u8]) -> Option<usize> {
        None
    }

    /// Writes the last RTCP report with BYE.
    pub fn goodbye(&mut self, _now: Instant, _out: &mut [u8]) -> Option<usize> {
        None
    }

    /// The next fact, oldest first. To be drained after every call that takes `now`.
    pub fn next_event(&mut self) -> Option<Event> {
        None
    }

    /// Where this leg's RTP is to be sent: the latched source, else the signalled address.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.connection?.remote
    }

    /// Where its RTCP is to be sent: one port above (RFC 3550 §11).
    pub fn remote_rtcp(&self) -> Option<SocketAddr> {
        let mut remote = self.remote()?;
        remote.set_port(remote.port().checked_add(1)?);
        Some(remote)
    }

    /// The agreed codec; `None` before `Connect`.
    pub fn codec(&self) -> Option<Codec> {
        self.connection.map(|connection| connection.codec)
    }

    /// What was counted and measured until now.
    pub fn statistics(&self) -> Statistics {
        Statistics::default()
    }
}
