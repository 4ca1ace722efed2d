//! The sound of a test's phone: a leg of our media crate on a socket of its own, driven by the
//! test's own thread. What it hears can be looked at while it is heard.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use strowger_media::session::{Command, Connection, Event, Leg, Settings};
use strowger_media::tone::Tone;
use strowger_media::{BEAT, FRAME, goertzel, player};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::facts::eventually;
use super::seed::TONES;

/// What is looked at when a tone is waited for: 300 ms.
const WINDOW: usize = 2400;

/// A phone's microphone and ear piece.
pub(crate) struct Sound {
    pub(crate) address: SocketAddr,
    commands: mpsc::UnboundedSender<Command>,
    heard: Arc<Mutex<Vec<i16>>>,
    /// Up to where announcements were looked for.
    looked: Mutex<usize>,
    socket: Arc<UdpSocket>,
    remote: Arc<Mutex<Option<SocketAddr>>>,
    /// One packet in so many is lost on its way to the far end; 0: none.
    loses: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Sound {
    /// Opens it. Keys that the far end presses go to `keys`.
    pub(crate) async fn open(keys: mpsc::UnboundedSender<char>) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (commands, inbox) = mpsc::unbounded_channel();
        let address = socket.local_addr().unwrap();
        let socket = Arc::new(socket);
        let (heard, remote) = (Arc::default(), Arc::default());
        let loses = Arc::<AtomicU32>::default();
        let run = run(
            Arc::clone(&socket),
            inbox,
            keys,
            Arc::clone(&heard),
            Arc::clone(&remote),
            Arc::clone(&loses),
        );
        let task = tokio::spawn(run);
        Self {
            address,
            commands,
            heard,
            looked: Mutex::default(),
            socket,
            remote,
            loses,
            task,
        }
    }

    pub(crate) fn connect(&self, connection: Connection) {
        self.command(Command::Connect(connection));
    }

    /// Says a tone from now on; 0: nothing.
    pub(crate) fn say(&self, hertz: u16) {
        if hertz == 0 {
            return self.command(Command::StopPlay);
        }
        let sounds = vec![player::Sound::Tone(Tone::Steady { hertz })];
        self.command(Command::Play {
            play: 1,
            sounds,
            repeat: false,
        });
    }

    /// Loses one packet in so many on its way to the far end from now on.
    pub(crate) fn loses_one_in(&self, packets: u32) {
        self.loses.store(packets, Ordering::Relaxed);
    }

    /// Sends and hears nothing from now on.
    pub(crate) fn unplug(&self) {
        self.task.abort();
    }

    pub(crate) fn press(&self, keys: &str) {
        self.command(Command::SendDigits(keys.to_owned()));
    }

    /// Forgets what was heard so far.
    pub(crate) fn forget(&self) {
        self.heard.lock().unwrap().clear();
        *self.looked.lock().unwrap() = 0;
    }

    /// All that was heard.
    pub(crate) fn heard(&self) -> Vec<i16> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until it hears a tone: one of the pool's, which passes, since the last one that was
    /// waited for; any other one from now on.
    pub(crate) async fn hears(&self, hertz: u16) {
        if !TONES.contains(&hertz) {
            return self.hears_all(&[hertz]).await;
        }
        let what = format!("the phone hears the {hertz} Hz of the pool");
        let looked = &self.looked;
        eventually(&what, || async move {
            let heard = self.heard.lock().unwrap();
            let mut looked = looked.lock().unwrap();
            while let Some(window) = heard.get(*looked..*looked + WINDOW) {
                *looked += FRAME;
                if goertzel::hears(window, hertz) {
                    return Some(());
                }
            }
            None
        })
        .await;
    }

    /// Waits until it hears all of these tones at the same time, from now on.
    pub(crate) async fn hears_all(&self, tones: &[u16]) {
        let from = self.heard.lock().unwrap().len();
        let what = format!("the phone hears {tones:?} Hz");
        eventually(&what, || async move {
            let heard = self.heard.lock().unwrap();
            let fresh = heard.get(from..).unwrap_or_default();
            let last = fresh
                .len()
                .checked_sub(WINDOW)
                .map(|start| &fresh[start..])?;
            let has = |hertz: &u16| match tones.len() {
                1 => goertzel::hears(last, *hertz),
                _ => goertzel::level(last, *hertz) > -35.0,
            };
            tones.iter().all(has).then_some(())
        })
        .await;
    }

    /// Waits until nothing but silence is heard, from now on.
    pub(crate) async fn hears_silence(&self) {
        let from = self.heard.lock().unwrap().len();
        eventually("the phone hears silence", || async move {
            let heard = self.heard.lock().unwrap();
            let fresh = heard.get(from..).unwrap_or_default();
            let last = fresh
                .len()
                .checked_sub(WINDOW)
                .map(|start| &fresh[start..])?;
            last.iter()
                .all(|sample| sample.unsigned_abs() < 100)
                .then_some(())
        })
        .await;
    }

    /// Lets so much sound pass.
    pub(crate) async fn goes_on(&self, length: Duration) {
        let samples = usize::try_from(length.as_millis()).unwrap() * 8;
        let until = self.heard.lock().unwrap().len() + samples;
        eventually("sound passes", || async move {
            (self.heard.lock().unwrap().len() >= until).then_some(())
        })
        .await;
    }

    /// Whether something else than silence was heard.
    pub(crate) fn heard_something(&self) -> bool {
        self.heard
            .lock()
            .unwrap()
            .iter()
            .any(|sample| sample.unsigned_abs() > 500)
    }

    /// Sends a datagram as it is to where this phone's sound goes.
    pub(crate) fn send_raw(&self, bytes: &[u8]) {
        let remote = self.remote.lock().unwrap().expect("is connected");
        self.socket.try_send_to(bytes, remote).expect("can be sent");
    }

    /// Where its sound goes.
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        *self.remote.lock().unwrap()
    }

    fn command(&self, command: Command) {
        self.commands.send(command).expect("the phone's sound runs");
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    socket: Arc<UdpSocket>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    keys: mpsc::UnboundedSender<char>,
    heard: Arc<Mutex<Vec<i16>>>,
    remote: Arc<Mutex<Option<SocketAddr>>>,
    loses: Arc<AtomicU32>,
) {
    let mut leg = Leg::new(
        Settings::default(),
        &mut StdRng::seed_from_u64(7),
        Instant::now(),
    );
    leg.listen(true);
    let (mut packet, mut out) = ([0; 2048], [0; 2048]);
    let mut beat = tokio::time::interval(BEAT);
    let mut connected = false;
    let mut sent = 0_u32;
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                None => return,
                Some(command) => {
                    connected |= matches!(command, Command::Connect(_));
                    leg.command(command, Instant::now());
                }
            },
            received = socket.recv_from(&mut packet) => {
                if let Ok((length, from)) = received {
                    leg.receive(&packet[..length], from, Instant::now());
                }
            }
            _ = beat.tick() => {
                let now = Instant::now();
                leg.hear(now);
                if connected {
                    heard.lock().unwrap().extend_from_slice(leg.heard_narrow());
                }
                let length = leg.tick(now, None, &mut out);
                *remote.lock().unwrap() = leg.remote();
                sent += 1;
                let lost = sent.checked_rem(loses.load(Ordering::Relaxed)) == Some(0);
                if let (Some(length), Some(remote), false) = (length, leg.remote(), lost) {
                    // What can't be sent is lost, as on a network.
                    let _ = socket.try_send_to(&out[..length], remote);
                }
            }
        }
        while let Some(event) = leg.next_event() {
            if let Event::Digit(key) = event {
                let _ = keys.send(key);
            }
        }
    }
}
