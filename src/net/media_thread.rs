//! The media thread: it owns every leg, bridge, room and tap, and keeps the beat.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use actix::Recipient;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use rand::SeedableRng;
use rand::rngs::StdRng;
use slab::Slab;
use strowger_media::codec::Codec;
use strowger_media::recorder::Heard;
use strowger_media::session::{self, Command, Leg, Path, Received, Say};
use strowger_media::{BEAT, Frame, SILENCE};

use super::media_engine::{
    Counters, LegPort, MediaEvent, MediaFact, MediaLegId, Record, RoomId, ToEngine,
};
use super::media_listeners::{Listener, Listeners};
use super::media_placement::SharedPort;
use super::media_rooms::Rooms;
use super::media_sockets::{Kind, LegKey, PortKey, Sockets, Sources};
use super::media_taps::{ActiveTap, Taps};
use super::recording_writer::RecordingWriter;
use super::rtp_batch::Inbox;
use super::rtp_socket::PortPair;
use crate::telemetry;

/// The token of the commands' waker.
pub(super) const WAKE: Token = Token(usize::MAX);
/// The token of the beat's timer.
const TIMER: Token = Token(usize::MAX - 1);
/// How long a busy thread rests before it looks for datagrams again, so that more come together and
/// cost one wake-up: no packet is relayed later by more. A thread is busy when a datagram came for
/// each rest that the beat before had room for.
const REST: Duration = Duration::from_micros(500);
/// The same while nothing is relayed: what comes is heard on the beat only.
const LONG_REST: Duration = Duration::from_millis(2);
/// Beats that a leg is left out of, one after the other, while its packets are only passed on.
const RESTS: u32 = 4;
/// Beats that are later than this are given up rather than made up for.
const TOO_LATE: Duration = Duration::from_millis(200);

/// The pause before a thread that could not begin is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs the engine; after a panic its legs are lost, their owners told, and it runs on. `lost` is
/// called then and answers up to which shared port all are forgotten.
pub(super) fn run(
    mut poll: Poll,
    inbox: &mpsc::Receiver<ToEngine>,
    writer: &RecordingWriter,
    lost: impl Fn() -> SharedPort,
) {
    let mut forgotten = SharedPort(0);
    loop {
        let engine = Engine::new(&poll, writer.clone(), forgotten);
        let mut engine = match engine {
            Ok(engine) => engine,
            Err(error) => {
                // Without files for its timer it is tried again: what it is told waits.
                tracing::error!(%error, "a media thread can't go on now");
                std::thread::sleep(PAUSE);
                continue;
            }
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            engine.run(&mut poll, inbox);
        }));
        if outcome.is_ok() {
            return;
        }
        telemetry::actor_failed("media_engine");
        forgotten = lost();
    }
}

struct Slot {
    id: MediaLegId,
    leg: Leg,
    port: PortKey,
    sources: Sources,
    owner: Recipient<MediaFact>,
    counters: Arc<Counters>,
    peer: Option<LegKey>,
    room: Option<RoomId>,
    taps: u16,
    /// Beats that it was left out of.
    rested: u32,
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
    sockets: Sockets,
    /// Tells the beat, because the poll's own timeout counts whole milliseconds.
    timer: TimerFd,
    next_beat: Instant,
    /// This shared port and older ones were forgotten with the engine before.
    forgotten: SharedPort,
    slots: Slab<Slot>,
    index: HashMap<MediaLegId, LegKey>,
    rooms: Rooms,
    taps: Taps,
    listeners: Listeners,
    rng: StdRng,
    inbox: Inbox,
    /// The legs that have a part in the present beat.
    awake: Vec<LegKey>,
}

impl Engine {
    fn new(poll: &Poll, writer: RecordingWriter, forgotten: SharedPort) -> io::Result<Self> {
        let registry = poll.registry().try_clone()?;
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        registry.register(
            &mut SourceFd(&timer.as_fd().as_raw_fd()),
            TIMER,
            Interest::READABLE,
        )?;
        // The timer never comes before the beat that it is for.
        let next_beat = Instant::now() + BEAT;
        timer.set(
            Expiration::Interval(BEAT.into()),
            TimerSetTimeFlags::empty(),
        )?;
        Ok(Self {
            sockets: Sockets::new(registry),
            timer,
            next_beat,
            forgotten,
            slots: Slab::new(),
            index: HashMap::new(),
            rooms: Rooms::default(),
            taps: Taps::new(writer),
            listeners: Listeners::default(),
            rng: StdRng::from_rng(&mut rand::rng()),
            inbox: Inbox::new(),
            awake: Vec::new(),
        })
    }

    fn run(&mut self, poll: &mut Poll, inbox: &mpsc::Receiver<ToEngine>) {
        let mut events = Events::with_capacity(1024);
        let lateness = metrics::histogram!(telemetry::MEDIA_LATENESS);
        let (mut read, mut rest) = (0, None);
        loop {
            let is_late = Instant::now() >= self.next_beat;
            let timeout = is_late.then_some(Duration::ZERO);
            if let Err(error) = poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the media thread can't wait for packets");
            }
            if !self.commands(inbox) {
                return;
            }
            let now = Instant::now();
            for event in &events {
                match event.token() {
                    WAKE => {}
                    // A timer that is not read does not go on.
                    TIMER => drop(self.timer.wait()),
                    token => read += self.read(token, now),
                }
            }
            if now >= self.next_beat {
                lateness.record((now - self.next_beat).as_secs_f64());
                let time = if self.beat(now) { REST } else { LONG_REST };
                rest = (time * std::mem::take(&mut read) >= BEAT).then_some(time);
                // In step with the timer, whatever is given up.
                self.next_beat += BEAT;
                while now.saturating_duration_since(self.next_beat) > TOO_LATE {
                    self.next_beat += BEAT;
                }
            }
            self.sockets.flush();
            if let Some(time) = rest {
                let left = self.next_beat.saturating_duration_since(Instant::now());
                std::thread::sleep(time.min(left));
            }
        }
    }

    /// Carries out what was asked; `false` when the engine is to end.
    fn commands(&mut self, inbox: &mpsc::Receiver<ToEngine>) -> bool {
        loop {
            match inbox.try_recv() {
                Ok(ToEngine::Stop) | Err(mpsc::TryRecvError::Disconnected) => return false,
                Ok(command) => self.command(command),
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    fn slot(&mut self, id: MediaLegId) -> Option<&mut Slot> {
        find(&self.index, &mut self.slots, id).map(|(_, slot)| slot)
    }

    fn key(&self, id: MediaLegId) -> Option<LegKey> {
        self.index.get(&id).copied()
    }

    fn command(&mut self, command: ToEngine) {
        match command {
            ToEngine::Share(name, pair) => self.share(name, pair),
            ToEngine::Unshare(name) => {
                if let Some(port) = self.sockets.find(name) {
                    self.sockets.close(port);
                }
            }
            ToEngine::Open {
                id,
                port,
                owner,
                counters,
            } => self.open(id, port, owner, counters),
            ToEngine::Move(id, pair) => self.move_leg(id, pair),
            ToEngine::Leg(id, command) => self.tell_leg(id, command),
            ToEngine::Bridge(a, b) => {
                if let (Some(a), Some(b)) = (self.key(a), self.key(b)) {
                    self.bridge(a, b);
                }
            }
            ToEngine::Unbridge(id) => {
                if let Some(key) = self.key(id) {
                    self.unbridge(key);
                }
            }
            ToEngine::Join { leg, room, talker } => {
                if let Some(key) = self.key(leg) {
                    self.join(key, room, talker);
                }
            }
            ToEngine::Announce(room, tone) => self.rooms.announce(room, tone),
            ToEngine::Leave(id) => {
                if let Some(key) = self.key(id) {
                    self.leave(key);
                }
            }
            ToEngine::Record(id, record) => self.record(id, record),
            ToEngine::StopRecording(id, recording) => {
                self.finish_taps(|tap| tap.is(id, recording));
            }
            ToEngine::PauseRecording(id, recording, gap) => self.taps.pause(id, recording, gap),
            ToEngine::Listen(listener) => {
                let legs = listener.legs();
                self.listeners.start(listener);
                self.attend_all(legs);
            }
            ToEngine::StopListening(id) => self.dismiss(|listener| listener.id == id),
            ToEngine::Close(id) => self.close(id),
            ToEngine::ProvokePanic => provoke_panic(),
            ToEngine::Stop => {}
        }
    }

    fn share(&mut self, name: SharedPort, pair: PortPair) {
        if name <= self.forgotten {
            return;
        }
        if let Err(error) = self.sockets.share(name, pair) {
            tracing::error!(%error, "a shared media port could not be watched");
        }
    }

    fn open(
        &mut self,
        id: MediaLegId,
        port: LegPort,
        owner: Recipient<MediaFact>,
        counters: Arc<Counters>,
    ) {
        let entry = self.slots.vacant_entry();
        let key = entry.key();
        let port = match port {
            LegPort::Shared(name) => self
                .sockets
                .find(name)
                .ok_or(io::ErrorKind::NotFound.into()),
            LegPort::Own(pair) => self.sockets.open(pair, key),
        };
        let port = match port {
            Ok(port) => port,
            Err(error) => {
                tracing::error!(%error, "a media leg has no port");
                owner.do_send(MediaFact {
                    leg: id,
                    event: MediaEvent::Lost,
                });
                return;
            }
        };
        let leg = Leg::new(session::Settings::default(), &mut self.rng, Instant::now());
        entry.insert(Slot {
            id,
            leg,
            port,
            sources: Sources::default(),
            owner,
            counters,
            peer: None,
            room: None,
            taps: 0,
            rested: 0,
            closed: false,
        });
        self.index.insert(id, key);
    }

    /// The leg leaves its shared port for one of its own.
    fn move_leg(&mut self, id: MediaLegId, pair: PortPair) {
        let Some((key, slot)) = find(&self.index, &mut self.slots, id) else {
            return;
        };
        match self.sockets.open(pair, key) {
            Ok(port) => {
                self.sockets.leave(slot.port, key, slot.sources);
                (slot.port, slot.sources) = (port, Sources::default());
            }
            Err(error) => tracing::error!(%error, "a media leg could not move"),
        }
    }

    fn tell_leg(&mut self, id: MediaLegId, command: Command) {
        let connects = matches!(command, Command::Connect(_));
        let Some((key, slot)) = find(&self.index, &mut self.slots, id) else {
            return;
        };
        slot.leg.command(command, Instant::now());
        slot.drain();
        if !connects {
            return;
        }
        let now = Sources {
            rtp: slot.leg.remote(),
            rtcp: slot.leg.remote_rtcp(),
        };
        self.sockets.route(slot.port, key, &mut slot.sources, now);
        if let Some(peer) = slot.peer {
            self.bridge(key, peer);
        }
    }

    fn bridge(&mut self, a: LegKey, b: LegKey) {
        for (one, other) in [(a, b), (b, a)] {
            let peer = self.slots.get(one).and_then(|slot| slot.peer);
            if peer.is_some_and(|peer| peer != other) {
                self.unbridge(one);
            }
            self.leave(one);
        }
        if let Some((first, second)) = self.slots.get2_mut(a, b) {
            session::bridge(&mut first.leg, &mut second.leg);
            first.peer = Some(b);
            second.peer = Some(a);
            first.drain();
            second.drain();
        }
        self.attend(a);
    }

    fn unbridge(&mut self, key: LegKey) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let peer = slot.peer.take();
        slot.leg.set_path(Path::Alone);
        if let Some(slot) = peer.and_then(|peer| self.slots.get_mut(peer)) {
            slot.peer = None;
            slot.leg.set_path(Path::Alone);
        }
        for key in [Some(key), peer].into_iter().flatten() {
            self.attend(key);
        }
    }

    fn join(&mut self, key: LegKey, room: RoomId, talker: bool) {
        self.unbridge(key);
        self.leave(key);
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        self.rooms.join(room, slot.id, talker);
        slot.room = Some(room);
        slot.leg
            .set_path(if talker { Path::Mixed } else { Path::Listening });
    }

    fn leave(&mut self, key: LegKey) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let Some(room) = slot.room.take() else {
            return;
        };
        slot.leg.set_path(Path::Alone);
        self.rooms.leave(room, slot.id);
    }

    fn record(&mut self, id: MediaLegId, record: Record) {
        let Some(slot) = self.slot(id) else { return };
        let recipient = slot.owner.clone();
        slot.taps += 1;
        if let Some(slot) = record.with.and_then(|with| self.slot(with)) {
            slot.taps += 1;
        }
        self.attend_all([Some(id), record.with]);
        self.taps.start(id, record, recipient);
    }

    fn finish_taps(&mut self, which: impl Fn(&ActiveTap) -> bool) {
        while let Some(tap) = self.taps.take(&which) {
            for id in tap.legs() {
                if let Some(slot) = self.slot(id) {
                    slot.taps -= 1;
                }
                self.attend_all([Some(id), None]);
            }
        }
    }

    /// Takes listeners out.
    fn dismiss(&mut self, which: impl Fn(&Listener) -> bool) {
        while let Some(listener) = self.listeners.take(&which) {
            self.attend_all(listener.legs());
        }
    }

    fn attend_all(&mut self, legs: [Option<MediaLegId>; 2]) {
        for leg in legs.into_iter().flatten() {
            if let Some(key) = self.key(leg) {
                self.attend(key);
            }
        }
    }

    /// Lets a leg and its peer be decoded where somebody needs to hear them, and carried over on the
    /// beat where somebody speaks to them.
    fn attend(&mut self, key: LegKey) {
        let peer = self.slots.get(key).and_then(|slot| slot.peer);
        let both = || [Some(key), peer].into_iter().flatten();
        let ids: Vec<_> = both()
            .filter_map(|key| self.slots.get(key))
            .map(|slot| slot.id)
            .collect();
        let needed = ids.iter().any(|leg| self.listeners.need(*leg));
        let spoken_to = ids.iter().any(|leg| self.listeners.speak_to(*leg));
        for key in both() {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.leg.listen(slot.taps > 0 || needed);
            }
        }
        if let Some((a, b)) = peer.and_then(|peer| self.slots.get2_mut(key, peer)) {
            if spoken_to {
                a.leg.set_path(Path::Transcoded);
                b.leg.set_path(Path::Transcoded);
            } else {
                session::bridge(&mut a.leg, &mut b.leg);
            }
        }
    }

    fn close(&mut self, id: MediaLegId) {
        let Some(key) = self.index.remove(&id) else {
            return;
        };
        self.unbridge(key);
        self.leave(key);
        self.finish_taps(|tap| tap.owner() == id);
        self.dismiss(|listener| listener.concerns(id));
        let mut slot = self.slots.remove(key);
        if let Some(to) = slot.leg.remote_rtcp() {
            let leg = &mut slot.leg;
            self.sockets
                .send_rtcp(slot.port, to, |out| leg.goodbye(Instant::now(), out));
        }
        slot.closed = true;
        self.sockets.leave(slot.port, key, slot.sources);
    }

    /// Reads what has come by one socket; relays what belongs to a bridge at once. Answers how many
    /// datagrams there were.
    fn read(&mut self, token: Token, now: Instant) -> u32 {
        let slots = &mut self.slots;
        let take = |sockets: &mut Sockets, key: LegKey, kind, bytes: &[u8], from| {
            let Some(slot) = slots.get_mut(key) else {
                return;
            };
            if kind == Kind::Rtcp {
                slot.leg.receive_rtcp(bytes, from, now);
                return slot.drain();
            }
            let received = slot.leg.receive(bytes, from, now);
            slot.drain();
            let Received::Relay(passing) = received else {
                return;
            };
            if let Some(peer) = slot.peer.and_then(|peer| slots.get_mut(peer))
                && let Some(to) = peer.leg.remote()
            {
                sockets.send(peer.port, to, |out| peer.leg.relay(&passing, now, out));
            }
        };
        self.sockets.read(token, &mut self.inbox, take)
    }

    /// One beat, in rounds, so that nobody hears half of an old and half of a new one. Answers
    /// whether there is a leg whose packets are relayed.
    fn beat(&mut self, now: Instant) -> bool {
        self.awake.clear();
        let mut relays = false;
        for (key, slot) in &mut self.slots {
            relays |= slot.leg.path() == Path::Relayed;
            if slot.rested < RESTS && slot.leg.pass_beat() {
                slot.rested += 1;
                continue;
            }
            slot.rested = 0;
            slot.leg.hear(now);
            self.awake.push(key);
        }
        let (slots, index) = (&self.slots, &self.index);
        let leg = |id: MediaLegId| Some(&slots.get(*index.get(&id)?)?.leg);
        self.rooms.hear(|id| leg(id).map(Leg::heard));
        if self.taps.hear(|id| leg(id).map(recorded)) {
            self.finish_taps(ActiveTap::has_ended);
        }
        let (slots, index) = (&self.slots, &self.index);
        let slot = |id: MediaLegId| slots.get(*index.get(&id)?);
        self.listeners.hear(
            |id| slot(id).map(|slot| slot.leg.heard_narrow()),
            |id| slots.get(slot(id)?.peer?).map(|peer| peer.id),
        );
        for &key in &self.awake {
            let Some(slot) = self.slots.get(key) else {
                continue;
            };
            let mut frame = Frame::SILENCE;
            let peer = slot.peer.and_then(|peer| self.slots.get(peer));
            let peer_says = peer.map_or(&SILENCE, |peer| peer.leg.heard_narrow());
            let told = self.listeners.add(slot.id, peer_says);
            let say = match (told, slot.leg.path(), slot.room) {
                (Some(told), Path::Alone | Path::Transcoded, _) => {
                    frame = told.into();
                    Some(Say::Sound(&frame))
                }
                (None, Path::Transcoded, _) => peer.map(|peer| {
                    frame = *peer.leg.heard();
                    Say::Sound(&frame)
                }),
                (_, Path::Mixed | Path::Listening, Some(room)) => {
                    let rate = slot.leg.codec().map(Codec::rate).unwrap_or_default();
                    self.rooms.say(room, slot.id, rate, &mut frame)
                }
                (_, Path::Alone | Path::Relayed | Path::Mixed | Path::Listening, _) => None,
            };
            let Some(slot) = self.slots.get_mut(key) else {
                continue;
            };
            let leg = &mut slot.leg;
            // A leg without a peer ticks as well: it notices silence, and what it plays goes on.
            match leg.remote() {
                Some(to) => self
                    .sockets
                    .send(slot.port, to, |out| leg.tick(now, say, out)),
                None => {
                    leg.tick(now, say, &mut []);
                }
            }
            if let Some(to) = leg.remote_rtcp() {
                self.sockets
                    .send_rtcp(slot.port, to, |out| leg.report(now, out));
            }
            slot.counters.set(&slot.leg.statistics());
            slot.drain();
        }
        relays
    }
}

fn recorded(leg: &Leg) -> Heard<'_> {
    Heard {
        frame: leg.heard_narrow(),
        delay: leg.delay(),
    }
}

fn find<'a>(
    index: &HashMap<MediaLegId, LegKey>,
    slots: &'a mut Slab<Slot>,
    id: MediaLegId,
) -> Option<(LegKey, &'a mut Slot)> {
    let key = *index.get(&id)?;
    Some((key, slots.get_mut(key)?))
}

#[expect(clippy::panic, reason = "that is what the command asks for")]
fn provoke_panic() {
    panic!("provoked");
}
