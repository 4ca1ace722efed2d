//! What a packet costs the media engine: CPU time of its threads, and the delay that it adds.
//!
//! `cargo bench --bench media -- relay 400 [SECONDS]`: 400 bridged calls, PCMA both ways.
//! `cargo bench --bench media -- prompt 400 [SECONDS]`: 400 callers hear a prompt and send sound.
//! `cargo bench --bench media -- room 400 [SECONDS]`: 400 members of one room, all sending.
//! The engine is pinned to core 0, the generator to core 1, where there are two.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a bench tells, and fails loudly"
)]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use strowger::net::media_engine::{MediaFact, MediaHandle, MediaLeg};
use strowger::net::rtp_socket::Ports;
use strowger_domain::ids::AccountId;
use strowger_media::Direction;
use strowger_media::codec::Codec;
use strowger_media::codec::opus::Wishes;
use strowger_media::player::Sound;
use strowger_media::session::{Command, Connection, TelephoneEvent};

/// Who hears what is told about the legs, and forgets it.
struct Sink;

impl Actor for Sink {
    type Context = Context<Self>;
}

impl Handler<MediaFact> for Sink {
    type Result = ();

    fn handle(&mut self, _: MediaFact, _: &mut Self::Context) {}
}

fn peer() -> (std::net::UdpSocket, SocketAddr) {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn connect(leg: &MediaLeg, remote: SocketAddr) {
    leg.command(Command::Connect(Connection {
        remote: Some(remote),
        remote_rtcp: None,
        codec: Codec::Pcma,
        payload_type: 8,
        telephone_event: Some(TelephoneEvent {
            payload_type: 101,
            clock_rate: 8000,
        }),
        comfort_noise: false,
        opus: Wishes::default(),
        direction: Direction::SendReceive,
    }));
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let mode = arguments.first().map_or("relay", String::as_str);
    let calls: usize = arguments.get(1).map_or(200, |n| n.parse().unwrap());
    let seconds: u64 = arguments.get(2).map_or(5, |n| n.parse().unwrap());

    let (started, owner) = mpsc::channel();
    std::thread::spawn(move || {
        actix::System::new().block_on(async {
            started.send(Sink.start().recipient::<MediaFact>()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let owner = owner.recv().unwrap();
    let ports = Ports::new(Ipv4Addr::LOCALHOST.into(), &(10_000..=32_767));
    let media = MediaHandle::start(ports, 1).unwrap();
    let account = AccountId::from_uuid(uuid::Uuid::nil());
    let tone = (0..8000 * 600).map(|at| (at % 20) * 800 - 8000);
    let prompt: Arc<[i16]> = tone.map(|level| i16::try_from(level).unwrap()).collect();
    let room = media.room();
    let mut legs = Vec::new();
    let mut peers = Vec::new();
    for _ in 0..calls {
        let (socket, remote) = peer();
        let a = media.open(account, Some(remote), owner.clone()).unwrap();
        connect(&a, remote);
        peers.push((socket, a.address));
        match mode {
            "relay" => {
                let (socket, remote) = peer();
                let b = media.open(account, None, owner.clone()).unwrap();
                connect(&b, remote);
                a.bridge(&b);
                peers.push((socket, b.address));
                legs.push(b);
            }
            "prompt" => a.command(Command::Play {
                play: 1,
                sounds: vec![Sound::Pcm(Arc::clone(&prompt))],
                repeat: true,
            }),
            "room" => a.join(room, true),
            other => panic!("no such bench: {other}"),
        }
        legs.push(a);
    }
    let threads = media_threads();
    for thread in &threads {
        pin(thread, 0);
    }
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    pin(own.file_name().unwrap().to_str().unwrap(), 1);

    let mut generator = Generator::new(peers);
    generator.run(Duration::from_secs(1));
    let (before, received, sent) = (cpu(&threads), generator.received, generator.sent);
    generator.delays.clear();
    generator.run(Duration::from_secs(seconds));
    let busy = cpu(&threads).saturating_sub(before);
    let packets = generator.received - received;
    let sent = generator.sent - sent;
    generator.delays.sort_unstable();
    let at = |share: f64| {
        let index = (generator.delays.len() as f64 * share) as usize;
        generator
            .delays
            .get(index)
            .map_or(0.0, |nanos| *nanos as f64 / 1e6)
    };
    println!(
        "{mode} {calls}: {:.2} us CPU per packet sent by the engine ({packets}; {sent} came), \
         core {:.0} %, delay ms p50 {:.3} p99 {:.3} max {:.3}",
        busy.as_secs_f64() * 1e6 / packets as f64,
        busy.as_secs_f64() * 100.0 / seconds as f64,
        at(0.5),
        at(0.99),
        at(0.99999),
    );
    for leg in legs {
        drop(leg);
    }
    std::process::exit(0);
}

/// Sends a packet from each peer every 20 ms, evenly spread, and hears what comes back.
struct Generator {
    peers: Vec<(UdpSocket, SocketAddr)>,
    poll: Poll,
    start: Instant,
    sequence: u16,
    next: usize,
    sent: u64,
    received: u64,
    /// Nanoseconds from sending to hearing; relayed packets keep what they carry.
    delays: Vec<u64>,
}

impl Generator {
    fn new(peers: Vec<(std::net::UdpSocket, SocketAddr)>) -> Self {
        let poll = Poll::new().unwrap();
        let peers = peers.into_iter().enumerate().map(|(number, (socket, to))| {
            let mut socket = UdpSocket::from_std(socket);
            poll.registry()
                .register(&mut socket, Token(number), Interest::READABLE)
                .unwrap();
            (socket, to)
        });
        Self {
            peers: peers.collect(),
            poll,
            start: Instant::now(),
            sequence: 0,
            next: 0,
            sent: 0,
            received: 0,
            delays: Vec::new(),
        }
    }

    fn run(&mut self, length: Duration) {
        let mut events = Events::with_capacity(1024);
        let begin = Instant::now();
        let mut due = 0_u128;
        while begin.elapsed() < length {
            let should = begin.elapsed().as_micros() * self.peers.len() as u128 / 20_000;
            while due < should {
                self.send();
                due += 1;
            }
            self.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            for event in &events {
                self.hear(event.token().0);
            }
        }
    }

    fn send(&mut self) {
        let number = u32::try_from(self.next).unwrap();
        let mut packet = [0xD5_u8; 172];
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(self.sequence) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&(number + 1).to_be_bytes());
        for (at, octet) in packet[40..].iter_mut().enumerate() {
            *octet = 0x55 ^ ((at * 37 + self.next) % 60) as u8;
        }
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap();
        packet[12..20].copy_from_slice(&now.to_be_bytes());
        let (socket, to) = &self.peers[self.next];
        match socket.send_to(&packet, *to) {
            Ok(_) => self.sent += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        self.next += 1;
        if self.next == self.peers.len() {
            self.next = 0;
            self.sequence = self.sequence.wrapping_add(1);
        }
    }

    fn hear(&mut self, number: usize) {
        let mut packet = [0; 1500];
        while let Ok((length, _)) = self.peers[number].0.recv_from(&mut packet) {
            if length < 20 {
                continue;
            }
            self.received += 1;
            let stamp = u64::from_be_bytes(packet[12..20].try_into().unwrap());
            let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap();
            self.delays.extend(
                now.checked_sub(stamp)
                    .filter(|delay| *delay < 1_000_000_000),
            );
        }
    }
}

/// The engine's threads, by their ids.
fn media_threads() -> Vec<String> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.map(|thread| thread.unwrap().file_name().into_string().unwrap());
    names
        .filter(|id| {
            let name = std::fs::read_to_string(format!("/proc/self/task/{id}/comm"));
            // Others have the name of the bench, which begins alike.
            name.unwrap().trim() == "media-0"
        })
        .collect()
}

fn pin(thread: &str, core: u8) {
    let outcome = Process::new("taskset")
        .args(["-cp", &core.to_string(), thread])
        .output();
    if !outcome.is_ok_and(|outcome| outcome.status.success()) {
        println!("thread {thread} is not pinned");
    }
}

/// CPU time of threads, by the scheduler's own count.
fn cpu(threads: &[String]) -> Duration {
    let nanos = threads.iter().map(|id| {
        let text = std::fs::read_to_string(format!("/proc/self/task/{id}/schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanos.sum())
}
