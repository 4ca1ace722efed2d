//! The media thread: it owns every leg, bridge, room and tap, and keeps the beat.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use actix::Recipient;
use mio::{Events, Interest, Poll, Token};
use rand::SeedableRng;
use rand::rngs::StdRng;
use slab::Slab;
use strowger_media::mixer::Seat;
use strowger_media::rtp::MAX_PACKET;
use strowger_media::session::{self, Command, Leg, Path, Received};
use strowger_media::{BEAT, Frame};

use super::media_engine::{Counters, MediaEvent, MediaFact, MediaLegId, Record, RoomId, ToEngine};
use super::media_rooms::Rooms;
use super::media_taps::{ActiveTap, Taps};
use super::recording_writer::RecordingWriter;
use super::rtp_socket::PortPair;
use crate::telemetry;

/// The token of the commands' waker.
pub(super) const WAKE: Token = Token(usize::MAX);
/// Datagrams read from one socket before the others and the beat have their turn.
const BURST: usize = 32;
/// A beat that is later than this is given up rather than made up for.
const TOO_LATE: Duration = Duration::from_millis(200);

/// Runs the engine; after a panic its legs are lost, their owners told, and it runs on.
pub(super) fn run(mut poll: Poll, inbox: &mpsc::Receiver<ToEngine>, writer: &RecordingWriter) {
    loop {
        let registry = match poll.registry().try_clone() {
            Ok(registry) => registry,
            Err(error) => {
                tracing::error!(%error, "the media thread can't go on");
                return;
            }
        };
        let mut engine = Engine::new(registry, writer.clone());
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            engine.run(&mut poll, inbox);
        }));
        match outcome {
            Ok(()) => return,
            Err(_) => {
                telemetry::actor_failed("media_engine");
            }
        }
    }
}

struct Slot {
    id: MediaLegId,
    leg: Leg,
    pair: PortPair,
    owner: Recipient<MediaFact>,
    counters: Arc<Counters>,
    peer: Option<MediaLegId>,
    room: Option<(RoomId, Seat)>,
    taps: u16,
    closed: bool,
}

impl Slot {
    fn tell(&self, event: MediaEvent) {
        self.owner.do_send(MediaFact {
            leg: self.id,
            event,
        });
    }

    fn drain(&mut self) {
        while let Some(event) = self.leg.next_event() {
            self.tell(MediaEvent::Leg(event));
        }
    }

    fn send(&self, packet: &[u8]) {
        if let Some(remote) = self.leg.remote() {
            // What can't be sent now is lost, as on the network.
            let _ = self.pair.rtp.send_to(packet, remote);
        }
    }

    fn send_rtcp(&self, packet: &[u8]) {
        if let Some(remote) = self.leg.remote_rtcp() {
            let _ = self.pair.rtcp.send_to(packet, remote);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.counters.set(&self.leg.statistics());
        if !self.closed {
            self.tell(MediaEvent::Lost);
        }
    }
}

struct Engine {
    registry: mio::Registry,
    slots: Slab<Slot>,
    index: HashMap<MediaLegId, usize>,
    rooms: Rooms,
    taps: Taps,
    rng: StdRng,
    buffer: Box<[u8; MAX_PACKET]>,
    out: Box<[u8; MAX_PACKET]>,
}

impl Engine {
    fn new(registry: mio::Registry, writer: RecordingWriter) -> Self {
        Self {
            registry,
            slots: Slab::new(),
            index: HashMap::new(),
            rooms: Rooms::default(),
            taps: Taps::new(writer),
            rng: StdRng::from_rng(&mut rand::rng()),
            buffer: Box::new([0; MAX_PACKET]),
            out: Box::new([0; MAX_PACKET]),
        }
    }

    fn run(&mut self, poll: &mut Poll, inbox: &mpsc::Receiver<ToEngine>) {
        let mut events = Events::with_capacity(1024);
        let mut next_beat = Instant::now() + BEAT;
        let lateness = metrics::histogram!(telemetry::MEDIA_LATENESS);
        loop {
            if let Err(error) = wait(poll, &mut events, next_beat)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the media thread can't wait for packets");
            }
            loop {
                match inbox.try_recv() {
                    Ok(ToEngine::Stop) | Err(mpsc::TryRecvError::Disconnected) => return,
                    Ok(command) => self.command(command),
                    Err(mpsc::TryRecvError::Empty) => break,
                }
            }
            for event in &events {
                if event.token() != WAKE {
                    self.read(event.token());
                }
            }
            let now = Instant::now();
            if now >= next_beat {
                lateness.record((now - next_beat).as_secs_f64());
                self.beat(now);
                next_beat += BEAT;
                if now.saturating_duration_since(next_beat) > TOO_LATE {
                    next_beat = now + BEAT;
                }
            }
        }
    }

    fn slot(&mut self, id: MediaLegId) -> Option<&mut Slot> {
        self.index.get(&id).and_then(|key| self.slots.get_mut(*key))
    }

    fn pair(&mut self, a: MediaLegId, b: MediaLegId) -> Option<(&mut Slot, &mut Slot)> {
        let (a, b) = (*self.index.get(&a)?, *self.index.get(&b)?);
        self.slots.get2_mut(a, b)
    }

    fn command(&mut self, command: ToEngine) {
        match command {
            ToEngine::Open {
                id,
                pair,
                owner,
                counters,
            } => self.open(id, pair, owner, counters),
            ToEngine::Leg(id, command) => self.tell_leg(id, command),
            ToEngine::Bridge(a, b) => self.bridge(a, b),
            ToEngine::Unbridge(id) => self.unbridge(id),
            ToEngine::Join { leg, room, talker } => self.join(leg, room, talker),
            ToEngine::Announce(room, tone) => self.rooms.announce(room, tone),
            ToEngine::Leave(id) => self.leave(id),
            ToEngine::Record(id, record) => self.record(id, record),
            ToEngine::StopRecording(id, recording) => {
                self.finish_taps(|tap| tap.is(id, recording));
            }
            ToEngine::Close(id) => self.close(id),
            ToEngine::ProvokePanic => provoke_panic(),
            ToEngine::Stop => {}
        }
    }

    fn open(
        &mut self,
        id: MediaLegId,
        mut pair: PortPair,
        owner: Recipient<MediaFact>,
        counters: Arc<Counters>,
    ) {
        let entry = self.slots.vacant_entry();
        let key = entry.key();
        let (even, odd) = (Token(key * 2), Token(key * 2 + 1));
        let registered = self
            .registry
            .register(&mut pair.rtp, even, Interest::READABLE)
            .and_then(|()| {
                self.registry
                    .register(&mut pair.rtcp, odd, Interest::READABLE)
            });
        if let Err(error) = registered {
            tracing::error!(%error, "a media leg could not be watched");
            owner.do_send(MediaFact {
                leg: id,
                event: MediaEvent::Lost,
            });
            return;
        }
        let leg = Leg::new(session::Settings::default(), &mut self.rng, Instant::now());
        entry.insert(Slot {
            id,
            leg,
            pair,
            owner,
            counters,
            peer: None,
            room: None,
            taps: 0,
            closed: false,
        });
        self.index.insert(id, key);
    }

    fn tell_leg(&mut self, id: MediaLegId, command: Command) {
        let connects = matches!(command, Command::Connect(_));
        let Some(slot) = self.slot(id) else { return };
        slot.leg.command(command, Instant::now());
        slot.drain();
        if connects && let Some(peer) = slot.peer {
            self.bridge(id, peer);
        }
    }

    fn bridge(&mut self, a: MediaLegId, b: MediaLegId) {
        for (one, other) in [(a, b), (b, a)] {
            if self
                .slot(one)
                .is_some_and(|slot| slot.peer.is_some_and(|peer| peer != other))
            {
                self.unbridge(one);
            }
            self.leave(one);
        }
        if let Some((first, second)) = self.pair(a, b) {
            session::bridge(&mut first.leg, &mut second.leg);
            first.peer = Some(b);
            second.peer = Some(a);
            first.drain();
            second.drain();
        }
    }

    fn unbridge(&mut self, id: MediaLegId) {
        let Some(slot) = self.slot(id) else { return };
        let peer = slot.peer.take();
        slot.leg.set_path(Path::Alone);
        if let Some(slot) = peer.and_then(|peer| self.slot(peer)) {
            slot.peer = None;
            slot.leg.set_path(Path::Alone);
        }
    }

    fn join(&mut self, id: MediaLegId, room: RoomId, talker: bool) {
        self.unbridge(id);
        self.leave(id);
        let Some(key) = self.index.get(&id) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(*key) else {
            return;
        };
        let seat = self.rooms.join(room, id, talker);
        slot.room = Some((room, seat));
        slot.leg.set_path(Path::Mixed);
    }

    fn leave(&mut self, id: MediaLegId) {
        let Some(slot) = self.slot(id) else { return };
        let Some((room, seat)) = slot.room.take() else {
            return;
        };
        slot.leg.set_path(Path::Alone);
        self.rooms.leave(room, seat);
    }

    fn record(&mut self, id: MediaLegId, record: Record) {
        let Some(slot) = self.slot(id) else { return };
        let recipient = slot.owner.clone();
        slot.taps += 1;
        slot.leg.listen(true);
        if let Some(slot) = record.with.and_then(|with| self.slot(with)) {
            slot.taps += 1;
            slot.leg.listen(true);
        }
        self.taps.start(id, record, recipient);
    }

    fn finish_taps(&mut self, which: impl Fn(&ActiveTap) -> bool) {
        while let Some(tap) = self.taps.take(&which) {
            for id in tap.legs() {
                if let Some(slot) = self.slot(id) {
                    slot.taps -= 1;
                    slot.leg.listen(slot.taps > 0);
                }
            }
        }
    }

    fn close(&mut self, id: MediaLegId) {
        self.unbridge(id);
        self.leave(id);
        self.finish_taps(|tap| tap.owner() == id);
        let Some(key) = self.index.remove(&id) else {
            return;
        };
        let mut slot = self.slots.remove(key);
        if let Some(length) = slot.leg.goodbye(Instant::now(), self.out.as_mut_slice()) {
            slot.send_rtcp(self.out.get(..length).unwrap_or_default());
        }
        slot.closed = true;
        for result in [
            self.registry.deregister(&mut slot.pair.rtp),
            self.registry.deregister(&mut slot.pair.rtcp),
        ] {
            if let Err(error) = result {
                tracing::debug!(%error, "a media socket was not watched");
            }
        }
    }

    /// Reads what has come for one socket; relays what belongs to a bridge at once.
    fn read(&mut self, Token(token): Token) {
        let key = token / 2;
        for _ in 0..BURST {
            let Some(slot) = self.slots.get_mut(key) else {
                return;
            };
            let socket = if token % 2 == 0 {
                &slot.pair.rtp
            } else {
                &slot.pair.rtcp
            };
            let (length, from) = match socket.recv_from(self.buffer.as_mut_slice()) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP error of a packet that we sent; the peer may come back.
                Err(_) => continue,
            };
            let bytes = self.buffer.get(..length).unwrap_or_default();
            let now = Instant::now();
            if token % 2 == 1 {
                slot.leg.receive_rtcp(bytes, from, now);
                slot.drain();
                continue;
            }
            let received = slot.leg.receive(bytes, from, now);
            slot.drain();
            let Received::Relay(passing) = received else {
                continue;
            };
            let peer = slot.peer.and_then(|peer| self.index.get(&peer).copied());
            if let Some(peer) = peer.and_then(|peer| self.slots.get_mut(peer))
                && let Some(length) = peer.leg.relay(&passing, now, self.out.as_mut_slice())
            {
                peer.send(self.out.get(..length).unwrap_or_default());
            }
        }
        // There is more than a burst: mio tells an edge once only, so it is asked for again.
        if let Some(slot) = self.slots.get_mut(key) {
            let socket = if token % 2 == 0 {
                &mut slot.pair.rtp
            } else {
                &mut slot.pair.rtcp
            };
            if let Err(error) = self
                .registry
                .reregister(socket, Token(token), Interest::READABLE)
            {
                tracing::debug!(%error, "a media socket is not watched");
            }
        }
    }

    /// One beat, in rounds, so that nobody hears half of an old and half of a new one.
    fn beat(&mut self, now: Instant) {
        for (_, slot) in &mut self.slots {
            slot.leg.hear(now);
        }
        let (slots, index) = (&self.slots, &self.index);
        let heard = |id: MediaLegId| Some(slots.get(*index.get(&id)?)?.leg.heard_narrow());
        self.rooms.hear(heard);
        if self.taps.hear(heard) {
            self.finish_taps(ActiveTap::has_ended);
        }
        for key in 0..self.slots.capacity() {
            let Some(slot) = self.slots.get(key) else {
                continue;
            };
            let mut frame = Frame::SILENCE;
            let say = match (slot.leg.path(), slot.room) {
                (Path::Transcoded, _) => {
                    let peer = slot.peer.and_then(|peer| self.index.get(&peer));
                    match peer.and_then(|key| self.slots.get(*key)) {
                        Some(peer) => {
                            frame = *peer.leg.heard();
                            true
                        }
                        None => false,
                    }
                }
                (Path::Mixed, Some((room, seat))) => self.rooms.mix(room, seat, &mut frame),
                (Path::Alone | Path::Relayed | Path::Mixed, _) => false,
            };
            let Some(slot) = self.slots.get_mut(key) else {
                continue;
            };
            let out = self.out.as_mut_slice();
            if let Some(length) = slot.leg.tick(now, say.then_some(&frame), out) {
                slot.send(out.get(..length).unwrap_or_default());
            }
            if let Some(length) = slot.leg.report(now, out) {
                slot.send_rtcp(out.get(..length).unwrap_or_default());
            }
            slot.counters.set(&slot.leg.statistics());
            slot.drain();
        }
    }
}

/// Waits for packets or commands, at most until the beat. The poll's own timeout counts whole
/// milliseconds and rounds up, which would make every beat late: the rest is slept.
fn wait(poll: &mut Poll, events: &mut Events, until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    let whole = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(0));
    if whole.is_zero() {
        if !left.is_zero() {
            std::thread::sleep(left);
        }
        return poll.poll(events, Some(Duration::ZERO));
    }
    poll.poll(events, Some(whole))
}

#[expect(clippy::panic, reason = "that is what the command asks for")]
fn provoke_panic() {
    panic!("provoked");
}
