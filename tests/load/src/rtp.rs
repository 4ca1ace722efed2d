//! Many RTP endpoints in one thread. Each has an address of its own in 127.1.0.0/16, and all of
//! them share two sockets, so that what the driver costs leaves room for what is measured.

use std::collections::HashMap;
use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::libc::{in_addr, in_pktinfo};
use nix::sys::socket::sockopt::{RcvBuf, SndBuf};
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmsg, setsockopt,
};

/// What every packet is: 20 ms of PCMA behind an RTP header (RFC 3550 §5.1).
pub(crate) const PACKET: usize = 12 + 160;
/// Between two packets of a stream.
pub(crate) const BEAT: Duration = Duration::from_millis(20);
/// Datagrams read or sent in one system call.
pub(crate) const BATCH: usize = 64;
/// Bytes that wait in a socket at most: the system's own limit on a common machine.
const BUFFER: usize = 4 << 20;
/// A driver that sends later than this is not left alone by the machine.
const BEHIND_MS: f64 = 5.0;
/// Marks a payload that tells who sent it and when.
const MAGIC: [u8; 4] = *b"beat";

/// An RTP address of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) at: SocketAddrV4,
    /// Which of the sockets serves it.
    pub(crate) socket: usize,
}

/// The address of a leg: callers are even, the called are odd.
pub(crate) fn address(leg: u32, ports: &[u16]) -> Address {
    let [_, _, high, low] = leg.to_be_bytes();
    let socket = leg as usize % ports.len();
    Address {
        at: SocketAddrV4::new(Ipv4Addr::new(127, 1, high, low), ports[socket]),
        socket,
    }
}

/// A UDP socket for all addresses of this machine that never blocks and holds much.
pub(crate) fn socket(port: u16) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    socket.set_nonblocking(true)?;
    // The system gives what it permits.
    let _ = setsockopt(&socket, RcvBuf, &BUFFER);
    let _ = setsockopt(&socket, SndBuf, &BUFFER);
    Ok(socket)
}

/// A stream that we send.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) leg: u32,
    pub(crate) to: SocketAddrV4,
    /// Sends late and loses packets, as a bad network would.
    pub(crate) is_poor: bool,
    sent: u32,
}

impl Stream {
    pub(crate) fn new(leg: u32, to: SocketAddrV4) -> Self {
        Self {
            leg,
            to,
            is_poor: false,
            sent: 0,
        }
    }
}

/// What is in the packets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// Who sent it and when: for whoever relays it untouched.
    Stamp,
    /// Speech, in A-law; each stream begins elsewhere in it.
    Sound(&'a [u8]),
}

/// How often each duration was seen: in steps of 10 µs up to a second.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    steps: Vec<u32>,
    count: u64,
}

impl Histogram {
    const STEP_US: u128 = 10;
    const STEPS: usize = 100_000;

    pub(crate) fn new() -> Self {
        Self {
            steps: vec![0; Self::STEPS],
            count: 0,
        }
    }

    pub(crate) fn add(&mut self, duration: Duration) {
        let step = duration.as_micros() / Self::STEP_US;
        let step = usize::try_from(step)
            .unwrap_or(usize::MAX)
            .min(Self::STEPS - 1);
        self.steps[step] += 1;
        self.count += 1;
    }

    /// The duration, in ms, that this share was below.
    pub(crate) fn ms(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (step, count) in self.steps.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return (step as f64 + 0.5) / 100.0;
            }
        }
        0.0
    }

    /// Which share was longer.
    pub(crate) fn share_above(&self, limit: Duration) -> f64 {
        let from = usize::try_from(limit.as_micros() / Self::STEP_US).unwrap_or(Self::STEPS);
        let above: u64 = self
            .steps
            .iter()
            .skip(from)
            .map(|count| u64::from(*count))
            .sum();
        above as f64 / self.count.max(1) as f64
    }
}

/// What was seen of the packets.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) sent: u64,
    /// Those that a poor network withheld.
    pub(crate) withheld: u64,
    pub(crate) received: u64,
    /// Stamped packets that came after a later one of their stream.
    pub(crate) disordered: u64,
    /// From our sending to our receiving, of stamped packets.
    pub(crate) delay: Histogram,
    /// From one packet to the next of a stream, beyond 20 ms.
    pub(crate) late: Histogram,
    /// Streams that were heard, by SSRC or sender.
    pub(crate) streams: usize,
    /// Our own sending after its time.
    pub(crate) behind: Histogram,
}

impl Heard {
    fn new() -> Self {
        Self {
            sent: 0,
            withheld: 0,
            received: 0,
            disordered: 0,
            delay: Histogram::new(),
            late: Histogram::new(),
            streams: 0,
            behind: Histogram::new(),
        }
    }

    /// Whether the driver kept its own time: if not, delays and losses may be its own.
    pub(crate) fn is_valid(&self) -> bool {
        self.behind.ms(0.99) < BEHIND_MS
    }

    /// Which share of what was sent never came.
    pub(crate) fn loss(&self) -> f64 {
        let lost = self.sent.saturating_sub(self.received);
        lost as f64 / self.sent.max(1) as f64
    }
}

/// Sends and receives the streams of all legs.
pub(crate) struct Generator {
    sockets: Vec<UdpSocket>,
    /// Where RTCP comes; nobody reads it.
    _rtcp: Vec<UdpSocket>,
    pub(crate) ports: Vec<u16>,
    epoch: Instant,
    random: u64,
    headers: MultiHeaders<SockaddrIn>,
}

struct Reception {
    last: Option<Instant>,
    counter: u32,
}

impl Generator {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut pairs = Vec::new();
        // Above the server's range; RTP even, RTCP odd.
        for port in (33_000..60_000).step_by(2) {
            if let (Ok(rtp), Ok(rtcp)) = (socket(port), socket(port + 1)) {
                pairs.push((rtp, rtcp, port));
                if pairs.len() == 2 {
                    break;
                }
            }
        }
        if pairs.len() < 2 {
            bail!("no port is free");
        }
        let ports = pairs.iter().map(|(_, _, port)| *port).collect();
        let (sockets, rtcp) = pairs.into_iter().map(|(rtp, rtcp, _)| (rtp, rtcp)).unzip();
        Ok(Self {
            sockets,
            _rtcp: rtcp,
            ports,
            epoch: Instant::now(),
            random: 0x9e37_79b9_7f4a_7c15,
            headers: MultiHeaders::preallocate(BATCH, None),
        })
    }

    /// Forgets what still waits in the sockets.
    pub(crate) fn drain(&mut self) {
        let mut buffer = [0; 2048];
        for socket in &self.sockets {
            while socket.recv_from(&mut buffer).is_ok() {}
        }
    }

    /// Speaks on every stream for a while, evenly spread over each beat, and listens. `each_beat` is
    /// asked once in 20 ms for what else there is to do. What is under way at the end is waited for.
    pub(crate) fn run(
        &mut self,
        streams: &mut [Stream],
        content: Content<'_>,
        time: Duration,
        mut each_beat: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Heard> {
        let mut heard = Heard::new();
        let mut receptions: HashMap<u32, Reception> = HashMap::new();
        let mut packet = [0; PACKET];
        let mut waiting: Vec<(Instant, usize, u32)> = Vec::new();
        let start = Instant::now();
        let beats = u32::try_from(time.as_millis() / BEAT.as_millis())?;
        for beat in 0..beats {
            each_beat()?;
            let begin = start + BEAT * beat;
            for at in 0..streams.len() {
                let due = begin + BEAT.mul_f64(at as f64 / streams.len() as f64);
                loop {
                    let now = Instant::now();
                    if now >= due {
                        heard.behind.add(now - due);
                        break;
                    }
                    self.listen(&mut receptions, &mut heard)?;
                }
                // Also when there is no time to wait: what comes must not be lost here.
                if at % BATCH == 0 {
                    self.listen(&mut receptions, &mut heard)?;
                }
                let counter = streams[at].sent;
                streams[at].sent += 1;
                if streams[at].is_poor {
                    if self.chance(10) == 0 {
                        heard.withheld += 1;
                    } else {
                        let delay = Duration::from_millis(self.chance(31));
                        waiting.push((Instant::now() + delay, at, counter));
                    }
                } else {
                    self.send(&streams[at], counter, content, &mut packet, &mut heard)?;
                }
            }
            let now = Instant::now();
            let mut index = 0;
            while let Some((due, at, counter)) = waiting.get(index).copied() {
                if due <= now {
                    waiting.swap_remove(index);
                    self.send(&streams[at], counter, content, &mut packet, &mut heard)?;
                } else {
                    index += 1;
                }
            }
        }
        let end = Instant::now() + BEAT * 5;
        while Instant::now() < end {
            self.listen(&mut receptions, &mut heard)?;
        }
        heard.streams = receptions.len();
        Ok(heard)
    }

    /// A number below `below`, by xorshift.
    fn chance(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn send(
        &mut self,
        stream: &Stream,
        counter: u32,
        content: Content<'_>,
        packet: &mut [u8; PACKET],
        heard: &mut Heard,
    ) -> anyhow::Result<()> {
        let Stream { leg, to, .. } = stream;
        packet[0] = 0x80;
        packet[1] = 8;
        packet[2..4].copy_from_slice(&(counter as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&counter.wrapping_mul(160).to_be_bytes());
        packet[8..12].copy_from_slice(&(leg + 1).to_be_bytes());
        match content {
            Content::Stamp => {
                packet[12..16].copy_from_slice(&MAGIC);
                packet[16..20].copy_from_slice(&leg.to_be_bytes());
                packet[20..24].copy_from_slice(&counter.to_be_bytes());
                let now = u64::try_from(self.epoch.elapsed().as_nanos())?;
                packet[24..32].copy_from_slice(&now.to_be_bytes());
            }
            Content::Sound(sound) => {
                let frames = sound.len() / 160;
                let frame = (counter as usize + *leg as usize * 37) % frames;
                packet[12..].copy_from_slice(&sound[frame * 160..][..160]);
            }
        }
        let from = address(*leg, &self.ports);
        let source = in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: in_addr {
                s_addr: u32::from(*from.at.ip()).to_be(),
            },
            ipi_addr: in_addr { s_addr: 0 },
        };
        let sent = sendmsg(
            self.sockets[from.socket].as_raw_fd(),
            &[IoSlice::new(packet)],
            &[ControlMessage::Ipv4PacketInfo(&source)],
            MsgFlags::empty(),
            Some(&SockaddrIn::from(*to)),
        );
        // What the system has no room for is lost, as on the network; it counts as sent.
        if let Err(error) = sent
            && ![
                nix::Error::EAGAIN,
                nix::Error::ENOBUFS,
                nix::Error::ECONNREFUSED,
            ]
            .contains(&error)
        {
            return Err(error).context("RTP can't be sent");
        }
        heard.sent += 1;
        Ok(())
    }

    fn listen(
        &mut self,
        receptions: &mut HashMap<u32, Reception>,
        heard: &mut Heard,
    ) -> anyhow::Result<()> {
        for socket in &self.sockets {
            let mut buffers = [[0_u8; 256]; BATCH];
            let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers
                .iter_mut()
                .map(|buffer| [IoSliceMut::new(buffer)])
                .collect();
            let descriptor = socket.as_raw_fd();
            let flags = MsgFlags::MSG_DONTWAIT;
            let came = match recvmmsg(
                descriptor,
                &mut self.headers,
                slices.iter_mut(),
                flags,
                None,
            ) {
                Ok(came) => came,
                Err(nix::Error::EAGAIN | nix::Error::EINTR | nix::Error::ECONNREFUSED) => continue,
                Err(error) => return Err(error).context("RTP can't be received"),
            };
            let now = Instant::now();
            let lengths: Vec<usize> = came.map(|message| message.bytes).collect();
            for (buffer, length) in buffers.iter().zip(lengths) {
                note(&buffer[..length], now, self.epoch, receptions, heard);
            }
        }
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn note(
    packet: &[u8],
    now: Instant,
    epoch: Instant,
    receptions: &mut HashMap<u32, Reception>,
    heard: &mut Heard,
) {
    if packet.len() != PACKET {
        return;
    }
    heard.received += 1;
    let is_stamped = packet[12..16] == MAGIC;
    let key = number(if is_stamped {
        &packet[16..20]
    } else {
        &packet[8..12]
    });
    let reception = receptions.entry(key).or_insert(Reception {
        last: None,
        counter: 0,
    });
    if is_stamped {
        let counter = number(&packet[20..24]);
        if counter < reception.counter {
            heard.disordered += 1;
        }
        reception.counter = counter;
        let sent = u64::from(number(&packet[24..28])) << 32 | u64::from(number(&packet[28..32]));
        let sent = epoch + Duration::from_nanos(sent);
        heard.delay.add(now.saturating_duration_since(sent));
    }
    if let Some(last) = reception.last {
        heard.late.add((now - last).saturating_sub(BEAT));
    }
    reception.last = Some(now);
}
