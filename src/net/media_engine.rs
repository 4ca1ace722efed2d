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
use strowger_media::codec::Codec;
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
