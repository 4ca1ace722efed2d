//! The ports of a media thread: whose a datagram is, and what is sent by which.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use slab::Slab;
use strowger_media::rtp::MAX_PACKET;

use super::media_placement::SharedPort;
use super::rtp_batch::{BATCH, Inbox, Outbox};
use super::rtp_socket::PortPair;

/// Datagrams read at once from a port of one leg: there is seldom more than one.
const FEW: usize = 4;
/// Batches read from one port before the others and the beat have their turn.
const TURN: usize = 8;

/// Which port of a thread: an index.
pub(super) type PortKey = usize;
/// Which leg of a thread: an index.
pub(super) type LegKey = usize;

/// Where the packets of a leg on a shared port come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    pub(super) rtp: Option<SocketAddr>,
    pub(super) rtcp: Option<SocketAddr>,
}

struct Port {
    pair: PortPair,
    legs: Legs,
}

/// Whose port it is.
enum Legs {
    One(LegKey),
    Many(Box<Many>),
}

struct Many {
    name: SharedPort,
    rtp: HashMap<SocketAddr, LegKey>,
    rtcp: HashMap<SocketAddr, LegKey>,
    outbox: Outbox,
}

/// The kind of a socket of a pair, and its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rtp,
    Rtcp,
}

/// All ports of the thread.
pub(super) struct Sockets {
    registry: Registry,
    ports: Slab<Port>,
    shared: HashMap<SharedPort, PortKey>,
    /// Shared ports with something to send.
    waiting: Vec<PortKey>,
    out: Box<[u8; MAX_PACKET]>,
}

impl Sockets {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            ports: Slab::new(),
            shared: HashMap::new(),
            waiting: Vec::with_capacity(64),
            out: Box::new([0; MAX_PACKET]),
        }
    }

    /// A port of one leg.
    pub(super) fn open(&mut self, pair: PortPair, leg: LegKey) -> io::Result<PortKey> {
        self.watch(pair, Legs::One(leg))
    }

    /// A port of many legs.
    pub(super) fn share(&mut self, name: SharedPort, pair: PortPair) -> io::Result<()> {
        let many = Legs::Many(Box::new(Many {
            name,
            rtp: HashMap::new(),
            rtcp: HashMap::new(),
            outbox: Outbox::new(),
        }));
        let port = self.watch(pair, many)?;
        self.shared.insert(name, port);
        Ok(())
    }

    fn watch(&mut self, mut pair: PortPair, legs: Legs) -> io::Result<PortKey> {
        let entry = self.ports.vacant_entry();
        let port = entry.key();
        for (socket, kind) in [(&mut pair.rtp, Kind::Rtp), (&mut pair.rtcp, Kind::Rtcp)] {
            self.registry
                .register(socket, token(port, kind), Interest::READABLE)?;
        }
        entry.insert(Port { pair, legs });
        Ok(port)
    }

    /// Where a shared port is.
    pub(super) fn find(&self, name: SharedPort) -> Option<PortKey> {
        self.shared.get(&name).copied()
    }

    /// Closes a port: its sockets are closed with it.
    pub(super) fn close(&mut self, port: PortKey) {
        self.flush();
        if let Some(port) = self.ports.try_remove(port)
            && let Legs::Many(many) = port.legs
        {
            self.shared.remove(&many.name);
        }
    }

    /// A leg leaves its port; one of its own is closed.
    pub(super) fn leave(&mut self, port: PortKey, leg: LegKey, mut sources: Sources) {
        match self.ports.get(port).map(|port| &port.legs) {
            Some(Legs::One(owner)) if *owner == leg => self.close(port),
            Some(Legs::Many(_)) => self.route(port, leg, &mut sources, Sources::default()),
            Some(Legs::One(_)) | None => {}
        }
    }

    /// From now on the leg's packets come from elsewhere: `sources` are where they came from, and
    /// become where they come from. Only a shared port needs to know.
    pub(super) fn route(
        &mut self,
        port: PortKey,
        leg: LegKey,
        sources: &mut Sources,
        now: Sources,
    ) {
        let Some(Port {
            legs: Legs::Many(many),
            ..
        }) = self.ports.get_mut(port)
        else {
            return;
        };
        for (legs, before, now) in [
            (&mut many.rtp, sources.rtp, now.rtp),
            (&mut many.rtcp, sources.rtcp, now.rtcp),
        ] {
            if before != now
                && let Some(before) = before
                && legs.get(&before) == Some(&leg)
            {
                legs.remove(&before);
            }
        }
        // Where it was another leg's, that one has another peer by now: the placement gives each
        // peer to one leg only. RTCP comes from wherever an offer says: what is another's stays.
        many.rtp.extend(now.rtp.map(|now| (now, leg)));
        if let Some(now) = now.rtcp {
            many.rtcp.entry(now).or_insert(leg);
        }
        *sources = now;
    }

    /// Reads what has come by one socket and hands each datagram to `take` with its leg. Datagrams
    /// of strangers to a shared port are nobody's. Answers how many there were.
    pub(super) fn read(
        &mut self,
        Token(at): Token,
        inbox: &mut Inbox,
        mut take: impl FnMut(&mut Self, LegKey, Kind, &[u8], SocketAddr),
    ) -> u32 {
        let (at, kind) = (at / 2, if at % 2 == 0 { Kind::Rtp } else { Kind::Rtcp });
        let mut total = 0;
        for _ in 0..TURN {
            let Some(port) = self.ports.get(at) else {
                return total;
            };
            let socket = port.socket(kind);
            let (read, most) = match port.legs {
                Legs::One(_) => (inbox.read::<FEW>(socket), FEW),
                Legs::Many(_) => (inbox.read::<BATCH>(socket), BATCH),
            };
            // An error is an ICMP one of a packet that we sent; the peer may come back.
            let Ok(read) = read else { continue };
            for (bytes, from) in (0..read).filter_map(|number| inbox.get(number)) {
                total += 1;
                let leg = self.ports.get(at).and_then(|port| port.leg(kind, from));
                if let Some(leg) = leg {
                    take(self, leg, kind, bytes, from);
                }
            }
            if read < most {
                return total;
            }
        }
        self.ask_again(at, kind);
        total
    }

    /// There is more than a turn: mio tells an edge once only, so it is asked for again.
    fn ask_again(&mut self, at: PortKey, kind: Kind) {
        let Some(port) = self.ports.get_mut(at) else {
            return;
        };
        let socket = match kind {
            Kind::Rtp => &mut port.pair.rtp,
            Kind::Rtcp => &mut port.pair.rtcp,
        };
        let (token, interest) = (token(at, kind), Interest::READABLE);
        if let Err(error) = self.registry.reregister(socket, token, interest) {
            tracing::debug!(%error, "a media socket is not watched");
        }
    }

    /// Sends what `write` makes, at the latest with the next [`flush`](Self::flush). What can't be
    /// sent is lost, as on the network.
    pub(super) fn send(
        &mut self,
        port: PortKey,
        to: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        let Some(Port { pair, legs }) = self.ports.get_mut(port) else {
            return;
        };
        match legs {
            Legs::One(_) => {
                if let Some(length) = write(self.out.as_mut_slice()) {
                    let packet = self.out.get(..length).unwrap_or_default();
                    let _ = pair.rtp.send_to(packet, to);
                }
            }
            Legs::Many(many) => {
                let first = many.outbox.is_empty();
                if many.outbox.write(to, write) {
                    many.outbox.flush(&pair.rtp);
                } else if first && !many.outbox.is_empty() {
                    self.waiting.push(port);
                }
            }
        }
    }

    /// Sends an RTCP packet at once.
    pub(super) fn send_rtcp(
        &mut self,
        port: PortKey,
        to: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) {
        if let Some(Port { pair, .. }) = self.ports.get(port)
            && let Some(length) = write(self.out.as_mut_slice())
        {
            let _ = pair
                .rtcp
                .send_to(self.out.get(..length).unwrap_or_default(), to);
        }
    }

    /// Sends all that waits.
    pub(super) fn flush(&mut self) {
        for port in self.waiting.drain(..) {
            if let Some(Port {
                pair,
                legs: Legs::Many(many),
            }) = self.ports.get_mut(port)
            {
                many.outbox.flush(&pair.rtp);
            }
        }
    }
}

impl Port {
    fn socket(&self, kind: Kind) -> &UdpSocket {
        match kind {
            Kind::Rtp => &self.pair.rtp,
            Kind::Rtcp => &self.pair.rtcp,
        }
    }

    fn leg(&self, kind: Kind, from: SocketAddr) -> Option<LegKey> {
        match (&self.legs, kind) {
            (Legs::One(leg), _) => Some(*leg),
            (Legs::Many(many), Kind::Rtp) => many.rtp.get(&canonical(from)).copied(),
            (Legs::Many(many), Kind::Rtcp) => many.rtcp.get(&canonical(from)).copied(),
        }
    }
}

/// A socket for both families tells IPv4 sources as mapped addresses.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn token(port: PortKey, kind: Kind) -> Token {
    Token(match kind {
        Kind::Rtp => port * 2,
        Kind::Rtcp => port * 2 + 1,
    })
}
