//! The media thread: sockets and the 20 ms beat around [`strowger_media::session::Leg`].
//!
//! One thread owns all legs, bridges, rooms and taps; actors hold a [`MediaLeg`] each and speak to
//! it by commands. RTP never leaves this thread. A dropped `MediaLeg` closes its leg and returns
//! its ports; a lost engine tells every owner.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use actix::{Message, Recipient};
use mio::{Poll, Waker};
use strowger_media::recorder::{self, Ended};
use strowger_media::rtp::Statistics;
use strowger_media::session::{self, Command};
use strowger_media::tone::Tone;

use super::media_thread::{self, WAKE};
use super::recording_writer::RecordingWriter;
use super::rtp_socket::{PortError, PortPair, Ports};

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

/// What the thread is asked.
pub(super) enum ToEngine {
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
    pub(super) fn set(&self, statistics: &Statistics) {
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
                media_thread::run(poll, &inbox, &writer);
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
