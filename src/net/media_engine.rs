//! The media thread: sockets and the 20 ms beat around [`strowger_media::session::Leg`].
//!
//! One thread owns all legs, bridges, rooms and taps; actors hold a [`MediaLeg`] each and speak to
//! it by commands. RTP never leaves this thread. A dropped `MediaLeg` closes its leg and returns
//! its ports; a lost engine tells every owner.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use actix::{Message, Recipient};
use mio::{Events, Interest, Poll, Token, Waker};
use rand::SeedableRng;
use rand::rngs::StdRng;
use slab::Slab;
use strowger_media::mixer::{Room, Seat};
use strowger_media::recorder::{Ended, Tap};
use strowger_media::rtp::{MAX_PACKET, Statistics};
use strowger_media::session::{self, Command, Leg, Path, Received};
use strowger_media::tone::Tone;
use strowger_media::{BEAT, Frame, SILENCE, recorder};

use super::recording_writer::{RecordingWriter, Written};
use super::rtp_socket::{PortError, PortPair, Ports};
use crate::telemetry;

/// Names a leg within the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MediaLegId(u64);

/// Names a room within the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoomId(pub u64);

/// A fact about a leg, told to its owner.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct MediaFact {
    /// The leg.
    pub leg: MediaLegId,
    /// What happened.
    pub event: MediaEvent,
}

/// What happened to a leg.
#[derive(Debug)]
pub enum MediaEvent {
    /// As the leg told.
    Leg(session::Event),
    /// A recording that the owner started is complete, or failed.
    Recorded {
        /// The owner's name for it.
        recording: u16,
        /// Its length.
        duration: Duration,
        /// Somebody was heard in it.
        contains_sound: bool,
        /// It ended by itself.
        ended: Option<Ended>,
        /// Why it failed.
        failure: Option<String>,
    },
    /// The engine lost the leg.
    Lost,
}

/// A recording to be made.
#[derive(Debug)]
pub struct Record {
    /// The owner's name for it.
    pub recording: u16,
    /// The second leg, where there is one.
    pub with: Option<MediaLegId>,
    /// How, and until when.
    pub settings: recorder::Settings,
    /// The WAV file.
    pub path: PathBuf,
}

enum ToEngine {
    Open {
        id: MediaLegId,
        pair: PortPair,
        owner: Recipient<MediaFact>,
        counters: Arc<Counters>,
    },
    Leg(MediaLegId, Command),
    Bridge(MediaLegId, MediaLegId),
    Unbridge(MediaLegId),
    Join {
        leg: MediaLegId,
        room: RoomId,
        talker: bool,
    },
    Announce(RoomId, Tone),
    Leave(MediaLegId),
    Record(MediaLegId, Record),
    StopRecording(MediaLegId, u16),
    Close(MediaLegId),
    ProvokePanic,
    Stop,
}

/// Packets of a leg, readable while the engine counts on.
#[derive(Debug, Default)]
pub struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
}

impl Counters {
    fn set(&self, statistics: &Statistics) {
        self.sent.store(statistics.packets_sent, Ordering::Relaxed);
        self.received
            .store(statistics.packets_received, Ordering::Relaxed);
        self.lost.store(statistics.packets_lost, Ordering::Relaxed);
    }

    /// RTP packets sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// RTP packets received.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// RTP packets lost on the way to us.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// How actors reach the engine.
#[derive(Clone, Debug)]
pub struct MediaHandle {
    commands: mpsc::Sender<ToEngine>,
    waker: Arc<Waker>,
    ports: Ports,
    next: Arc<AtomicU64>,
}

/// One leg, held by its owner; dropping it closes the leg.
#[derive(Debug)]
pub struct MediaLeg {
    handle: MediaHandle,
    id: MediaLegId,
    /// Where it receives RTP.
    pub address: SocketAddr,
    /// Its packet counts.
    pub counters: Arc<Counters>,
}

impl MediaHandle {
    /// Starts the engine's threads. They end when the last handle is gone or [`stop`](Self::stop)
    /// is called.
    pub fn start(ports: Ports) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (commands, inbox) = mpsc::channel();
        let writer = RecordingWriter::start()?;
        std::thread::Builder::new()
            .name("media".into())
            .spawn(move || {
                run(poll, &inbox, &writer);
            })?;
        Ok(Self {
            commands,
            waker,
            ports,
            next: Arc::default(),
        })
    }

    /// Opens a leg: its ports are bound here, on the caller's thread.
    pub fn open(&self, owner: Recipient<MediaFact>) -> Result<MediaLeg, PortError> {
        let pair = self.ports.bind()?;
        let address = pair.address;
        let id = MediaLegId(self.next.fetch_add(1, Ordering::Relaxed));
        let counters = Arc::new(Counters::default());
        self.tell(ToEngine::Open {
            id,
            pair,
            owner,
            counters: Arc::clone(&counters),
        });
        Ok(MediaLeg {
            handle: self.clone(),
            id,
            address,
            counters,
        })
    }

    /// A room that nobody is in yet.
    pub fn room(&self) -> RoomId {
        RoomId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Everybody in the room hears a tone.
    pub fn announce(&self, room: RoomId, tone: Tone) {
        self.tell(ToEngine::Announce(room, tone));
    }

    /// How many port pairs are open.
    pub fn open_ports(&self) -> usize {
        self.ports.open_pairs()
    }

    /// Ends the engine.
    pub fn stop(&self) {
        self.tell(ToEngine::Stop);
    }

    /// A panic on the media thread, for tests of supervision.
    pub fn provoke_panic(&self) {
        self.tell(ToEngine::ProvokePanic);
    }

    fn tell(&self, command: ToEngine) {
        if self.commands.send(command).is_ok()
            && let Err(error) = self.waker.wake()
        {
            tracing::warn!(%error, "the media thread could not be woken");
        }
    }
}

impl MediaLeg {
    /// Its name in [`MediaFact`]s.
    pub fn id(&self) -> MediaLegId {
        self.id
    }

    /// Asks something of the leg.
    pub fn command(&self, command: Command) {
        self.handle.tell(ToEngine::Leg(self.id, command));
    }

    /// Lets two legs hear each other.
    pub fn bridge(&self, other: &Self) {
        self.handle.tell(ToEngine::Bridge(self.id, other.id));
    }

    /// Ends its bridge.
    pub fn unbridge(&self) {
        self.handle.tell(ToEngine::Unbridge(self.id));
    }

    /// Enters a room.
    pub fn join(&self, room: RoomId, talker: bool) {
        self.handle.tell(ToEngine::Join {
            leg: self.id,
            room,
            talker,
        });
    }

    /// Leaves its room.
    pub fn leave(&self) {
        self.handle.tell(ToEngine::Leave(self.id));
    }

    /// Starts a recording; its owner is told when it is complete.
    pub fn record(&self, record: Record) {
        self.handle.tell(ToEngine::Record(self.id, record));
    }

    /// Ends a recording.
    pub fn stop_recording(&self, recording: u16) {
        self.handle
            .tell(ToEngine::StopRecording(self.id, recording));
    }
}

impl Drop for MediaLeg {
    fn drop(&mut self) {
        self.handle.tell(ToEngine::Close(self.id));
    }
}

const WAKE: Token = Token(usize::MAX);
/// Datagrams read from one socket before the others and the beat have their turn.
const BURST: usize = 32;
/// A beat that is later than this is given up rather than made up for.
const TOO_LATE: Duration = Duration::from_millis(200);

/// Runs the engine; after a panic its legs are lost, their owners told, and it runs on.
fn run(mut poll: Poll, inbox: &mpsc::Receiver<ToEngine>, writer: &RecordingWriter) {
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

struct Member {
    leg: MediaLegId,
    seat: Seat,
}

struct ActiveTap {
    owner: MediaLegId,
    recording: u16,
    with: Option<MediaLegId>,
    tap: Tap,
    file: Written,
    recipient: Recipient<MediaFact>,
}

impl ActiveTap {
    /// Completes the file; its owner hears of it from the disk thread.
    fn finish(mut self) {
        let (leg, recording) = (self.owner, self.recording);
        let (duration, contains_sound) = (self.tap.duration(), self.tap.contains_sound());
        let (ended, recipient) = (self.tap.ended(), self.recipient);
        self.file.finish(move |failure| {
            recipient.do_send(MediaFact {
                leg,
                event: MediaEvent::Recorded {
                    recording,
                    duration,
                    contains_sound,
                    ended,
                    failure,
                },
            });
        });
    }
}

struct Engine {
    registry: mio::Registry,
    writer: RecordingWriter,
    slots: Slab<Slot>,
    index: HashMap<MediaLegId, usize>,
    rooms: HashMap<RoomId, (Room, Vec<Member>)>,
    taps: Vec<ActiveTap>,
    rng: StdRng,
    buffer: Box<[u8; MAX_PACKET]>,
    out: Box<[u8; MAX_PACKET]>,
}

impl Engine {
    fn new(registry: mio::Registry, writer: RecordingWriter) -> Self {
        Self {
            registry,
            writer,
            slots: Slab::new(),
            index: HashMap::new(),
            rooms: HashMap::new(),
            taps: Vec::new(),
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
            ToEngine::Announce(room, tone) => {
                if let Some((mixer, _)) = self.rooms.get_mut(&room) {
                    mixer.announce(tone, None);
                }
            }
            ToEngine::Leave(id) => self.leave(id),
            ToEngine::Record(id, record) => self.record(id, record),
            ToEngine::StopRecording(id, recording) => {
                self.finish_taps(|tap| tap.owner == id && tap.recording == recording);
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
        let (mixer, members) = self.rooms.entry(room).or_default();
        let seat = mixer.join(talker);
        members.push(Member { leg: id, seat });
        slot.room = Some((room, seat));
        slot.leg.set_path(Path::Mixed);
    }

    fn leave(&mut self, id: MediaLegId) {
        let Some(slot) = self.slot(id) else { return };
        let Some((room, seat)) = slot.room.take() else {
            return;
        };
        slot.leg.set_path(Path::Alone);
        if let Some((mixer, members)) = self.rooms.get_mut(&room) {
            mixer.leave(seat);
            members.retain(|member| member.seat != seat);
            if members.is_empty() {
                self.rooms.remove(&room);
            }
        }
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
        let file = self
            .writer
            .open(record.path, record.settings.layout.channels());
        self.taps.push(ActiveTap {
            owner: id,
            recording: record.recording,
            with: record.with,
            tap: Tap::new(record.settings),
            file,
            recipient,
        });
    }

    fn finish_taps(&mut self, which: impl Fn(&ActiveTap) -> bool) {
        let mut index = 0;
        while let Some(tap) = self.taps.get(index) {
            if !which(tap) {
                index += 1;
                continue;
            }
            let tap = self.taps.swap_remove(index);
            for id in [Some(tap.owner), tap.with].into_iter().flatten() {
                if let Some(slot) = self.slot(id) {
                    slot.taps -= 1;
                    slot.leg.listen(slot.taps > 0);
                }
            }
            tap.finish();
        }
    }

    fn close(&mut self, id: MediaLegId) {
        self.unbridge(id);
        self.leave(id);
        self.finish_taps(|tap| tap.owner == id);
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
        for (mixer, members) in self.rooms.values_mut() {
            mixer.clear();
            for member in members.iter() {
                let slot = self
                    .index
                    .get(&member.leg)
                    .and_then(|key| self.slots.get(*key));
                if let Some(slot) = slot {
                    mixer.add(member.seat, slot.leg.heard());
                }
            }
        }
        self.beat_taps();
        for key in 0..self.slots.capacity() {
            let Some(slot) = self.slots.get(key) else {
                continue;
            };
            let mut frame: Frame = SILENCE;
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
                (Path::Mixed, Some((room, seat))) => match self.rooms.get(&room) {
                    Some((mixer, _)) => {
                        mixer.mix(seat, &mut frame);
                        true
                    }
                    None => false,
                },
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

    fn beat_taps(&mut self) {
        let mut ended = false;
        for tap in &mut self.taps {
            let heard = |id: Option<MediaLegId>| {
                id.and_then(|id| self.index.get(&id))
                    .and_then(|key| self.slots.get(*key))
                    .map_or(SILENCE, |slot| *slot.leg.heard())
            };
            let block = tap.tap.beat(&heard(Some(tap.owner)), &heard(tap.with));
            tap.file.write(block);
            ended |= tap.tap.ended().is_some();
        }
        if ended {
            self.finish_taps(|tap| tap.tap.ended().is_some());
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
