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
//! for each leg:   leg.pass_beat() || leg.hear(now)   // takes 20 ms from its jitter buffer; who passes is left out
//! for each room:  room.beat(rate, |seat| leg.heard())
//! for each tap:   tap.beat(a.heard_narrow(), b.heard_narrow(), with their delays)
//!                 while let Some(block) = tap.next_block() { … }     // for the disk thread
//! for each leg:   say = peer.heard() (Path::Transcoded) | None
//!                     | room.own(seat) or else room.everything() (Path::Mixed, Path::Listening)
//!                 if let Some(len) = leg.tick(now, say, &mut out) { send(leg.remote(), &out[..len]) }
//!                 if let Some(len) = leg.report(now, &mut out) { send(leg.remote_rtcp(), &out[..len]) }
//!                 while let Some(event) = leg.next_event() { … }
//! ```
//! `out` is one buffer of [`MAX_PACKET`](crate::rtp::MAX_PACKET) octets for the whole thread. At the
//! end of a leg: `leg.goodbye(now, &mut out)` to its RTCP address, then drop it.
//!
//! Call [`bridge`] again whenever one of two bridged legs was connected anew, and set the path of
//! both back to `Path::Alone` at the end of the bridge.
//!
//! A leg's only deadline is the next beat, so there is no `deadline()`. Nothing is allocated,
//! locked or logged in `receive`, `relay`, `hear` and `tick`.

mod control;
mod ear;
mod latch;
mod outgoing;
mod speaking;
#[cfg(test)]
mod tests;
mod words;

pub use latch::is_hidden;
pub use words::{
    Command, Connection, Content, Event, Ignored, Passing, Path, Received, Say, Settings,
    TelephoneEvent,
};

use crate::codec::comfort_noise::{self, ComfortNoise};
use crate::codec::{Codec, Encoder};
use crate::dtmf;
use crate::player::Player;
use crate::resample::Halver;
use crate::rtp::jitter_buffer::Kind;
use crate::rtp::quality::Reception;
use crate::rtp::{Packet, Statistics};
use crate::tone;
use crate::{Frame, Narrow, SILENCE};
use control::Control;
use ear::Ear;
use latch::Latch;
use outgoing::Outgoing;
use rand::Rng;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One media leg.
#[derive(Debug)]
pub struct Leg {
    settings: Settings,
    connection: Option<Connection>,
    path: Path,
    listened: bool,
    latch: Latch,
    flow: Flow,
    /// When the peer was last heard, or began to be expected.
    since: Instant,
    reception: Reception,
    ear: Ear,
    heard: Frame,
    /// The same at 8 kHz, where `heard` is wideband.
    narrow: Narrow,
    halver: Halver,
    keys_heard: dtmf::Receiver,
    key_tones: dtmf::Detector,
    /// Where somebody asked for tones.
    tones: Option<Box<tone::Listener>>,
    outgoing: Outgoing,
    keys: dtmf::Sender,
    player: Option<(u32, Player)>,
    /// Made when there is something to encode.
    encoder: Option<Encoder>,
    /// The bridged leg said that it is silent, and how that sounds.
    rest: Option<ComfortNoise>,
    /// Beats since a packet of the bridged leg was passed on.
    relay_idle: u32,
    /// Beats since a telephone-event of the bridged leg was passed on.
    event_idle: u32,
    control: Control,
    foreign: u64,
    malformed: u64,
    events: VecDeque<Event>,
}

/// Whether the peer's media comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Awaited,
    Coming,
    TimedOut,
}

/// Lets two legs hear each other and answers how: the engine relays packets, or carries sound over
/// on the beat. To be called again when either of them was connected anew. What they were played
/// stops when they were not bridged before.
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
    pub fn new(settings: Settings, rng: &mut impl Rng, now: Instant) -> Self {
        Self {
            settings,
            connection: None,
            path: Path::Alone,
            listened: false,
            latch: Latch::default(),
            flow: Flow::Awaited,
            since: now,
            reception: Reception::new(now),
            ear: Ear::new(),
            heard: Frame::SILENCE,
            narrow: SILENCE,
            halver: Halver::default(),
            keys_heard: dtmf::Receiver::default(),
            key_tones: dtmf::Detector::default(),
            tones: None,
            outgoing: Outgoing::new(rng),
            keys: dtmf::Sender::default(),
            player: None,
            encoder: None,
            rest: None,
            relay_idle: u32::MAX,
            event_idle: u32::MAX,
            control: Control::new(rng, now),
            foreign: 0,
            malformed: 0,
            events: VecDeque::with_capacity(8),
        }
    }

    /// Does what is asked.
    pub fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Connect(connection) => self.connect(connection, now),
            Command::Play {
                play,
                sounds,
                repeat,
            } => {
                self.player = Some((play, Player::new(sounds, repeat)));
            }
            Command::StopPlay => self.player = None,
            Command::SendDigits(digits) => self.keys.push(&digits),
            Command::ListenForTones(listens) => {
                self.tones = listens.then(Box::default);
                self.forget_unheard();
            }
        }
    }

    fn connect(&mut self, connection: Connection, now: Instant) {
        let before = self.connection.replace(connection);
        let moved = self.latch.signal(connection.remote);
        let received = before.is_some_and(|before| before.direction.receives());
        if moved || !received {
            self.since = now;
            self.flow = Flow::Awaited;
        }
        if before.is_none_or(|before| before.codec != connection.codec) {
            let clock_rate = connection.codec.clock_rate();
            self.ear.clear();
            self.outgoing.set_clock_rate(clock_rate);
        }
        if before.is_none_or(|it| (it.codec, it.opus) != (connection.codec, connection.opus)) {
            self.encoder = None;
        }
        self.reception.tune(connection.codec.clock_rate());
        self.forget_unheard();
    }

    /// Tells the leg how its sound travels on ([`bridge`] does it for two legs). Entering a bridge or
    /// room ends what the leg was played; leaving one is `set_path(Path::Alone)`.
    pub fn set_path(&mut self, path: Path) {
        if path == self.path {
            return;
        }
        let bridged = |path| matches!(path, Path::Relayed | Path::Transcoded);
        if path != Path::Alone && !(bridged(path) && bridged(self.path)) {
            self.player = None;
        }
        self.path = path;
        self.rest = None;
        self.relay_idle = u32::MAX;
        self.event_idle = u32::MAX;
        self.forget_unheard();
    }

    /// How its sound travels on.
    pub fn path(&self) -> Path {
        self.path
    }

    /// Whether a recording tap or another listener needs [`heard`](Self::heard) on every beat,
    /// whatever the path: a relayed leg is then decoded too, its packets go on being relayed.
    pub fn listen(&mut self, listened: bool) {
        self.listened = listened;
        self.forget_unheard();
    }

    fn is_decoded(&self) -> bool {
        self.listened
            || matches!(self.path, Path::Transcoded | Path::Mixed)
            || self.keys_are_tones()
            || self.tones.is_some()
    }

    /// The peer has no telephone-event: its keys are in its sound.
    fn keys_are_tones(&self) -> bool {
        self.connection
            .is_some_and(|agreed| agreed.telephone_event.is_none())
    }

    fn forget_unheard(&mut self) {
        if !self.is_decoded() {
            self.ear.clear();
            self.be_silent();
        }
    }

    /// Takes a datagram of the RTP port.
    pub fn receive<'a>(&mut self, bytes: &'a [u8], from: SocketAddr, now: Instant) -> Received<'a> {
        let Some(connection) = self.connection.filter(|agreed| agreed.direction.receives()) else {
            return Received::Ignored(Ignored::NotReceiving);
        };
        if !self.latch.accepts(from) {
            self.foreign += 1;
            return Received::Ignored(Ignored::Foreign);
        }
        let Ok(packet) = Packet::read(bytes) else {
            self.malformed += 1;
            return Received::Ignored(Ignored::Malformed);
        };
        let payload_type = packet.header.payload_type;
        let audio = payload_type == connection.payload_type;
        let events = connection.telephone_event;
        let content = if audio {
            Content::Sound
        } else if let Some(agreed) = events.filter(|it| it.payload_type == payload_type) {
            let clock_rate = agreed.clock_rate;
            Content::TelephoneEvent { clock_rate }
        } else if payload_type == comfort_noise::PAYLOAD_TYPE {
            Content::ComfortNoise
        } else {
            self.malformed += 1;
            return Received::Ignored(Ignored::PayloadType);
        };
        self.latch.lock(from);
        self.reception.take(&packet, audio, now);
        self.since = now;
        if self.flow != Flow::Coming {
            self.flow = Flow::Coming;
            self.events.push_back(Event::MediaStarted { from });
        }
        let passing = Passing {
            packet,
            content,
            codec: connection.codec,
        };
        if let Content::TelephoneEvent { .. } = content {
            self.ear.pass(&packet.header);
            let clock_rate = connection.codec.clock_rate();
            let key = self.keys_heard.take(&packet, clock_rate);
            self.events.extend(key.map(Event::Digit));
            return match self.path {
                Path::Relayed | Path::Transcoded => Received::Relay(passing),
                Path::Alone | Path::Mixed | Path::Listening => Received::Kept,
            };
        }
        if self.is_decoded() {
            let kind = if audio {
                Kind::Sound
            } else {
                Kind::ComfortNoise
            };
            self.ear.insert(&packet, connection.codec, kind);
        }
        if self.path == Path::Relayed {
            Received::Relay(passing)
        } else {
            Received::Kept
        }
    }

    /// First round of the beat: takes the next 20 ms from the jitter buffer.
    pub fn hear(&mut self, _now: Instant) {
        let Some(codec) = self.codec().filter(|_| self.is_decoded()) else {
            return;
        };
        self.heard = *self.ear.beat(codec);
        self.narrow = match &self.heard {
            Frame::Narrow(frame) => *frame,
            Frame::Wide(frame) => self.halver.take(frame),
        };
        if self.keys_are_tones() {
            let key = self.key_tones.take(&self.narrow);
            self.events.extend(key.map(Event::Digit));
        }
        if let Some(tones) = &mut self.tones {
            self.events
                .extend(tones.take(&self.narrow).map(Event::Tone));
        }
    }

    /// What the peer said in this beat, at the rate of its codec; silence when nothing needs to
    /// hear this leg.
    pub fn heard(&self) -> &Frame {
        &self.heard
    }

    /// The same in the telephone band, whatever the codec.
    pub fn heard_narrow(&self) -> &Narrow {
        &self.narrow
    }

    /// How long its jitter buffer kept what it [`heard`](Self::heard), beyond the time of the packet
    /// that was fastest on its way.
    pub fn delay(&self) -> Duration {
        self.ear.delay()
    }

    fn be_silent(&mut self) {
        self.heard = Frame::SILENCE;
        self.narrow = SILENCE;
    }

    /// Notices that the peer has fallen silent.
    pub(super) fn watch(&mut self, agreed: Connection, now: Instant) {
        let silent = now.saturating_duration_since(self.since);
        if agreed.direction.receives()
            && self.flow != Flow::TimedOut
            && silent >= self.settings.media_timeout
        {
            self.flow = Flow::TimedOut;
            self.events.push_back(Event::MediaTimedOut);
        }
    }

    /// Takes a datagram of the RTCP port.
    pub fn receive_rtcp(&mut self, bytes: &[u8], from: SocketAddr, now: Instant) {
        // Behind a NAT the port of RTCP has nothing to do with that of RTP.
        let known = [self.latch.remote(), self.remote_rtcp()];
        let is_peer = |remote: SocketAddr| remote.ip() == from.ip().to_canonical();
        if !known.into_iter().flatten().any(is_peer) {
            self.foreign += 1;
            return;
        }
        let peer = self.reception.ssrc();
        if self.control.take(bytes, self.outgoing.ssrc(), peer, now) {
            self.events.push_back(Event::PeerLeft);
        }
    }

    /// Writes an RTCP report when one is due, to be sent to [`remote_rtcp`](Self::remote_rtcp).
    pub fn report(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        if self.connection.is_none() || !self.control.is_due(now) {
            return None;
        }
        self.control
            .write(&self.outgoing, &mut self.reception, false, now, out)
    }

    /// Writes the last RTCP report with BYE; `None` when the leg was never connected.
    pub fn goodbye(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        self.connection?;
        self.control
            .write(&self.outgoing, &mut self.reception, true, now, out)
    }

    /// The next fact, oldest first. To be drained after every call that takes `now`.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Where this leg's RTP is to be sent: the latched source, else the signalled address.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.latch.remote()
    }

    /// Where its RTCP is to be sent: the signalled address, else one port above that of RTP
    /// (RFC 3550 §11). Behind a NAT only the latter has any chance.
    pub fn remote_rtcp(&self) -> Option<SocketAddr> {
        let mut remote = self.latch.remote()?;
        let signalled = self.connection.and_then(|agreed| agreed.remote_rtcp);
        if signalled.is_some() && !self.latch.is_elsewhere() {
            return signalled;
        }
        remote.set_port(remote.port().checked_add(1)?);
        Some(remote)
    }

    /// The agreed codec; `None` before `Connect`.
    pub fn codec(&self) -> Option<Codec> {
        self.connection.map(|connection| connection.codec)
    }

    /// What was counted and measured until now.
    pub fn statistics(&self) -> Statistics {
        let clock_rate = self.codec().map_or(crate::SAMPLE_RATE, Codec::clock_rate);
        let first = self.outgoing.first_sequence();
        Statistics {
            codec: self.codec(),
            packets_sent: self.outgoing.packets(),
            octets_sent: self.outgoing.octets(),
            packets_received: self.reception.packets(),
            octets_received: self.reception.octets(),
            packets_lost: self.reception.lost(),
            loss_bursts: self.reception.loss_bursts(),
            jitter: self.reception.jitter(),
            packets_lost_by_peer: self.control.lost_by_peer(),
            packets_expected_by_peer: self.control.expected_by_peer(first),
            jitter_of_peer: self.control.jitter_of_peer(clock_rate),
            round_trip: self.control.round_trip(),
            packets_late: self.ear.counts().late,
            delay: self.is_decoded().then(|| self.ear.delay()),
            foreign: self.foreign,
            malformed: self.malformed,
        }
    }
}
