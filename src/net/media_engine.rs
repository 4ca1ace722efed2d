//! The media threads: sockets and the 20 ms beat around [`strowger_media::session::Leg`].
//!
//! A thread owns the legs, bridges, rooms and taps of its accounts; actors hold a [`MediaLeg`] each
//! and speak to it by commands. RTP never leaves the thread. All legs of an account are on one
//! thread, so that what belongs together never crosses threads, and a tenant loads its own only. A
//! dropped `MediaLeg` closes its leg and returns its ports; a lost thread tells every owner.
//!
//! A leg whose peer is known when it is opened shares a port with others: the packets' source tells
//! whose they are, and many are read and written by one system call. A leg that we offer, and one
//! whose peer may be behind a NAT, has a port pair of its own.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use actix::{Message, Recipient};
use mio::{Poll, Waker};
use strowger_domain::ids::AccountId;
use strowger_media::Narrow;
use strowger_media::codec::Codec;
use strowger_media::recorder::{self, Ended, Gap};
use strowger_media::rtp::Statistics;
use strowger_media::session::{self, Command};
use strowger_media::tone::Tone;
use tokio::sync::mpsc as tokio_mpsc;

use super::media_listeners::{Listener, Source};
use super::media_placement::{Placement, Shareable, SharedPort};
use super::media_sockets::canonical;
use super::media_thread::{self, WAKE};
use super::recording_writer::RecordingWriter;
use super::rtp_socket::{PortError, PortPair, Ports};

/// Names a leg within the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MediaLegId(pub(super) u64);

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
    /// The WAV files: as many as the layout has.
    pub paths: Vec<PathBuf>,
}

/// Who hears a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Nobody: it only listens.
    Nobody,
    /// The leg that it listens to: it whispers.
    Leg,
    /// That leg and the one that it is bridged with.
    Both,
}

/// 20 ms of what is said in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFrame {
    /// Counts from 0, lost ones too.
    pub number: u64,
    /// The sound.
    pub samples: Narrow,
}

/// The audio of a conversation, out and in, for a program; dropping it ends it.
#[derive(Debug)]
pub struct AudioStream {
    /// What the leg says, and the one that it is bridged with: a frame for each beat. Those that
    /// find no place are lost.
    pub heard: tokio_mpsc::Receiver<AudioFrame>,
    /// What is said to them: a frame is taken on each beat.
    pub said: tokio_mpsc::Sender<Narrow>,
    lost: Arc<AtomicU64>,
    _listening: Listening,
}

impl AudioStream {
    /// Frames that were not taken in time.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// A listener of a conversation; dropping it ends it.
#[derive(Debug)]
pub struct Listening {
    handle: MediaHandle,
    thread: usize,
    id: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(thread) = self.handle.threads.get(self.thread) {
            thread.tell(ToEngine::StopListening(self.id));
        }
    }
}

/// What the thread is asked.
pub(super) enum ToEngine {
    /// A port for many legs.
    Share(SharedPort, PortPair),
    /// It is not needed any more.
    Unshare(SharedPort),
    Open {
        id: MediaLegId,
        port: LegPort,
        owner: Recipient<MediaFact>,
        counters: Arc<Counters>,
    },
    /// From now on the leg has a port pair of its own.
    Move(MediaLegId, PortPair),
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
    PauseRecording(MediaLegId, u16, Option<Gap>),
    Listen(Listener),
    StopListening(u64),
    Close(MediaLegId),
    ProvokePanic,
    Stop,
}

impl ToEngine {
    /// Whether it is carried out at once, not with the next packet or beat: its owner waits for the
    /// answer, or for the end.
    fn is_urgent(&self) -> bool {
        matches!(
            self,
            Self::StopRecording(..)
                | Self::Leg(_, Command::StopPlay)
                | Self::ProvokePanic
                | Self::Stop
        )
    }
}

/// The port that a leg begins with.
pub(super) enum LegPort {
    Own(PortPair),
    Shared(SharedPort),
}

/// The figures of a leg, readable while the engine counts on.
#[derive(Debug, Default)]
pub struct Counters([AtomicU64; 11]);

/// Stands for a time that is not known.
const UNKNOWN: u64 = u64::MAX;

impl Counters {
    pub(super) fn set(&self, statistics: &Statistics) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(UNKNOWN);
        let values = [
            statistics.packets_sent,
            statistics.packets_received,
            statistics.packets_lost,
            statistics.packets_late,
            statistics.loss_bursts,
            micros(statistics.jitter),
            statistics.packets_lost_by_peer,
            statistics.packets_expected_by_peer,
            micros(statistics.jitter_of_peer),
            statistics.round_trip.map_or(UNKNOWN, micros),
            statistics.delay.map_or(UNKNOWN, micros),
        ];
        for (counter, value) in self.0.iter().zip(values) {
            counter.store(value, Ordering::Relaxed);
        }
    }

    /// The figures by now of a leg that speaks this codec.
    pub fn statistics(&self, codec: Option<Codec>) -> Statistics {
        let [
            packets_sent,
            packets_received,
            packets_lost,
            packets_late,
            loss_bursts,
            jitter,
            packets_lost_by_peer,
            packets_expected_by_peer,
            jitter_of_peer,
            round_trip,
            delay,
        ] = self
            .0
            .each_ref()
            .map(|counter| counter.load(Ordering::Relaxed));
        let known = |micros: u64| (micros != UNKNOWN).then(|| Duration::from_micros(micros));
        Statistics {
            codec,
            packets_sent,
            packets_received,
            packets_lost,
            packets_late,
            loss_bursts,
            jitter: Duration::from_micros(jitter),
            packets_lost_by_peer,
            packets_expected_by_peer,
            jitter_of_peer: Duration::from_micros(jitter_of_peer),
            round_trip: known(round_trip),
            delay: known(delay),
            ..Statistics::default()
        }
    }
}

/// How actors reach the engine.
#[derive(Clone, Debug)]
pub struct MediaHandle {
    threads: Arc<[Thread]>,
    /// Locked when a leg is opened, moved or closed, and by nothing that handles packets.
    placement: Arc<Mutex<Placement>>,
    ports: Ports,
    next: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Thread {
    commands: mpsc::Sender<ToEngine>,
    waker: Waker,
}

impl Thread {
    /// The thread takes what it is told before each packet and each beat; it is woken only for what
    /// waits for neither.
    fn tell(&self, command: ToEngine) {
        let is_urgent = command.is_urgent();
        if self.commands.send(command).is_ok()
            && is_urgent
            && let Err(error) = self.waker.wake()
        {
            tracing::warn!(%error, "a media thread could not be woken");
        }
    }
}

/// One leg, held by its owner; dropping it closes the leg.
#[derive(Debug)]
pub struct MediaLeg {
    handle: MediaHandle,
    id: MediaLegId,
    account: AccountId,
    thread: usize,
    place: Option<Place>,
    /// Where it receives RTP.
    pub address: SocketAddr,
    /// Its packet counts.
    pub counters: Arc<Counters>,
}

/// A place on a shared port.
#[derive(Clone, Copy, Debug)]
struct Place {
    port: SharedPort,
    peer: SocketAddr,
}

impl MediaHandle {
    /// Starts the engine's threads. They end when the last handle is gone or [`stop`](Self::stop)
    /// is called.
    pub fn start(ports: Ports, threads: usize) -> io::Result<Self> {
        let placement = Arc::new(Mutex::new(Placement::new(threads)));
        let writer = RecordingWriter::start()?;
        let threads = (0..threads.max(1)).map(|number| {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKE)?;
            let (commands, inbox) = mpsc::channel();
            let writer = writer.clone();
            let placement = Arc::clone(&placement);
            std::thread::Builder::new()
                .name(format!("media-{number}"))
                .spawn(move || {
                    media_thread::run(poll, &inbox, &writer, || locked(&placement).lost(number));
                })?;
            Ok(Thread { commands, waker })
        });
        Ok(Self {
            threads: threads.collect::<io::Result<_>>()?,
            placement,
            ports,
            next: Arc::default(),
        })
    }

    /// Opens a leg of the account: its ports are bound here, on the caller's thread, unless it can
    /// share one. `peer` is where the far end's offer says that it receives; `None` when it has not
    /// said so yet.
    pub fn open(
        &self,
        account: AccountId,
        peer: Option<SocketAddr>,
        owner: Recipient<MediaFact>,
    ) -> Result<MediaLeg, PortError> {
        let id = MediaLegId(self.next.fetch_add(1, Ordering::Relaxed));
        let thread = locked(&self.placement).enter(account);
        let mut leg = MediaLeg {
            handle: self.clone(),
            id,
            account,
            thread,
            place: None,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            counters: Arc::default(),
        };
        let port = if let Some(port) = leg.share(peer)? {
            LegPort::Shared(port)
        } else {
            let pair = self.ports.bind()?;
            leg.address = pair.address;
            LegPort::Own(pair)
        };
        leg.tell(ToEngine::Open {
            id,
            port,
            owner,
            counters: Arc::clone(&leg.counters),
        });
        Ok(leg)
    }

    /// A room that nobody is in yet.
    pub fn room(&self) -> RoomId {
        RoomId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Everybody in the room hears a tone.
    pub fn announce(&self, room: RoomId, tone: Tone) {
        for thread in &*self.threads {
            thread.tell(ToEngine::Announce(room, tone));
        }
    }

    /// How many port pairs are open.
    pub fn open_ports(&self) -> usize {
        self.ports.open_pairs()
    }

    /// Ends the engine.
    pub fn stop(&self) {
        for thread in &*self.threads {
            thread.tell(ToEngine::Stop);
        }
    }

    /// A panic on every media thread, for tests of supervision.
    pub fn provoke_panic(&self) {
        for thread in &*self.threads {
            thread.tell(ToEngine::ProvokePanic);
        }
    }
}

impl MediaLeg {
    /// Its name in [`MediaFact`]s.
    pub fn id(&self) -> MediaLegId {
        self.id
    }

    /// Asks something of the leg. Before it is connected to a peer at another address,
    /// [`expect`](Self::expect) that one.
    pub fn command(&self, command: Command) {
        self.tell(ToEngine::Leg(self.id, command));
    }

    /// The far end says that it receives there from now on. Answers whether the leg had to move for
    /// it: then it receives at another [`address`](Self::address), which the far end is to be told.
    ///
    /// # Errors
    /// When it has to move and there is no port: it stays where it is.
    pub fn expect(&mut self, peer: Option<SocketAddr>) -> Result<bool, PortError> {
        let (Some(place), Some(peer)) = (&mut self.place, peer.map(canonical)) else {
            return Ok(false);
        };
        if place.peer == peer {
            return Ok(false);
        }
        let mut placement = locked(&self.handle.placement);
        if is_shareable(peer) && placement.exchange(self.thread, place.port, place.peer, peer) {
            place.peer = peer;
            return Ok(false);
        }
        drop(placement);
        let pair = self.handle.ports.bind()?;
        self.address = pair.address;
        self.tell(ToEngine::Move(self.id, pair));
        self.vacate();
        Ok(true)
    }

    /// Takes a place on a shared port, if this peer can have one.
    fn share(&mut self, peer: Option<SocketAddr>) -> Result<Option<SharedPort>, PortError> {
        let Some(peer) = peer.map(canonical).filter(|peer| is_shareable(*peer)) else {
            return Ok(None);
        };
        let mut placement = locked(&self.handle.placement);
        let (port, address) = match placement.share(self.thread, peer) {
            Shareable::On(port, address) => (port, address),
            Shareable::More => {
                let pair = self.handle.ports.bind_shared()?;
                let address = pair.address;
                let port = placement.opened(self.thread, address, peer);
                self.tell(ToEngine::Share(port, pair));
                (port, address)
            }
            Shareable::Nowhere => return Ok(None),
        };
        drop(placement);
        self.address = address;
        self.place = Some(Place { port, peer });
        Ok(Some(port))
    }

    /// Gives its place on a shared port back, and closes the port after its last leg.
    fn vacate(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        if locked(&self.handle.placement).vacate(self.thread, place.port, place.peer) {
            self.tell(ToEngine::Unshare(place.port));
        }
    }

    fn listen(&self, to: MediaLegId, voice: Voice, source: Source) -> Listening {
        let id = self.handle.next.fetch_add(1, Ordering::Relaxed);
        self.tell(ToEngine::Listen(Listener {
            id,
            to,
            voice,
            source,
            number: 0,
        }));
        Listening {
            handle: self.handle.clone(),
            thread: self.thread,
            id,
        }
    }

    fn tell(&self, command: ToEngine) {
        if let Some(thread) = self.handle.threads.get(self.thread) {
            thread.tell(command);
        }
    }

    /// Lets two legs hear each other.
    pub fn bridge(&self, other: &Self) {
        self.tell(ToEngine::Bridge(self.id, other.id));
    }

    /// Ends its bridge.
    pub fn unbridge(&self) {
        self.tell(ToEngine::Unbridge(self.id));
    }

    /// Enters a room.
    pub fn join(&self, room: RoomId, talker: bool) {
        self.tell(ToEngine::Join {
            leg: self.id,
            room,
            talker,
        });
    }

    /// Leaves its room.
    pub fn leave(&self) {
        self.tell(ToEngine::Leave(self.id));
    }

    /// Lets this leg, that is in no conversation, hear another one of its account, and the one that
    /// that is bridged with, whoever it is at the time.
    pub fn listen_to(&self, other: MediaLegId, voice: Voice) -> Listening {
        self.listen(other, voice, Source::Leg(self.id))
    }

    /// Lets a program hear this leg and the one that it is bridged with, and speak to them. At most
    /// `waiting` frames wait for the program, and as many of its own.
    pub fn stream(&self, voice: Voice, waiting: usize) -> AudioStream {
        let (outward, heard) = tokio_mpsc::channel(waiting);
        let (said, inward) = tokio_mpsc::channel(waiting);
        let lost = Arc::<AtomicU64>::default();
        let source = Source::Stream {
            heard: outward,
            said: inward,
            lost: Arc::clone(&lost),
        };
        AudioStream {
            heard,
            said,
            lost,
            _listening: self.listen(self.id, voice, source),
        }
    }

    /// Starts a recording; its owner is told when it is complete.
    pub fn record(&self, record: Record) {
        self.tell(ToEngine::Record(self.id, record));
    }

    /// Leaves out of a recording what is said from now on, or goes on with it.
    pub fn pause_recording(&self, recording: u16, gap: Option<Gap>) {
        self.tell(ToEngine::PauseRecording(self.id, recording, gap));
    }

    /// Ends a recording.
    pub fn stop_recording(&self, recording: u16) {
        self.tell(ToEngine::StopRecording(self.id, recording));
    }
}

impl Drop for MediaLeg {
    fn drop(&mut self) {
        self.tell(ToEngine::Close(self.id));
        self.vacate();
        locked(&self.handle.placement).leave(self.account);
    }
}

/// Nothing that could panic is done under the lock.
fn locked(placement: &Mutex<Placement>) -> MutexGuard<'_, Placement> {
    placement.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A peer that sends from where it says that it receives.
fn is_shareable(peer: SocketAddr) -> bool {
    let ip = peer.ip();
    peer.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !session::is_hidden(ip)
}

#[cfg(test)]
mod tests;
