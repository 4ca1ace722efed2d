//! Port pairs for RTP and RTCP (RFC 3550 §11): bound from a range, counted, returned by dropping.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use mio::net::UdpSocket;
use socket2::SockRef;

use super::files;

/// Why no port pair could be had.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Every pair of the range is taken.
    #[error("all RTP ports from {first} to {last} are in use")]
    Exhausted {
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
    },
    /// The limit of open files is near.
    #[error("no file descriptor is left for an RTP port")]
    Files,
    /// The system refused.
    #[error("could not open an RTP port")]
    Io(#[from] std::io::Error),
}

/// Hands out port pairs. The system's own table tells which are taken, so nothing can leak.
#[derive(Debug, Clone)]
pub struct Ports {
    address: IpAddr,
    first: u16,
    last: u16,
    next: Arc<AtomicU16>,
    open: Arc<AtomicUsize>,
}

/// Octets asked for as receive buffer of a port that many share; the system may give less
/// (`net.core.rmem_max`).
const SHARED_BUFFER: usize = 4 << 20;

/// One pair, open until dropped.
#[derive(Debug)]
pub struct PortPair {
    /// The even port.
    pub rtp: UdpSocket,
    /// The odd one after it.
    pub rtcp: UdpSocket,
    /// Where RTP is received.
    pub address: SocketAddr,
    open: Arc<AtomicUsize>,
}

impl Drop for PortPair {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ports {
    /// Pairs of `address` within `range`.
    pub fn new(address: IpAddr, range: &RangeInclusive<u16>) -> Self {
        let first = range.start().next_multiple_of(2);
        Self {
            address,
            first,
            last: *range.end(),
            next: Arc::new(AtomicU16::new(first)),
            open: Arc::default(),
        }
    }

    /// The next free pair, for many legs: it can take in what comes for them while the thread is
    /// busy.
    pub fn bind_shared(&self) -> Result<PortPair, PortError> {
        let pair = self.bind()?;
        SockRef::from(&pair.rtp).set_recv_buffer_size(SHARED_BUFFER)?;
        Ok(pair)
    }

    /// How many pairs are open.
    pub fn open_pairs(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// The next free pair.
    pub fn bind(&self) -> Result<PortPair, PortError> {
        if self.open_pairs() >= files::port_pairs() {
            return Err(PortError::Files);
        }
        let pairs = usize::from((self.last.saturating_sub(self.first)).div_ceil(2)).max(1);
        for _ in 0..pairs {
            let port = self.step();
            let even = match UdpSocket::bind(SocketAddr::new(self.address, port)) {
                Ok(socket) => socket,
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => continue,
                Err(error) => return Err(error.into()),
            };
            let odd = match UdpSocket::bind(SocketAddr::new(self.address, port + 1)) {
                Ok(socket) => socket,
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => continue,
                Err(error) => return Err(error.into()),
            };
            let address = even.local_addr()?;
            self.open.fetch_add(1, Ordering::Relaxed);
            return Ok(PortPair {
                rtp: even,
                rtcp: odd,
                address,
                open: Arc::clone(&self.open),
            });
        }
        Err(PortError::Exhausted {
            first: self.first,
            last: self.last,
        })
    }

    /// Ports are taken in turn, so that a late packet of an ended call meets a closed port.
    fn step(&self) -> u16 {
        let (first, last) = (self.first, self.last);
        let advance = |port: u16| {
            let next = port.saturating_add(2);
            if next >= last { first } else { next }
        };
        self.next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |port| {
                Some(advance(port))
            })
            .unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn pairs_are_even_counted_and_returned() {
        let ports = Ports::new(Ipv4Addr::LOCALHOST.into(), &(29_001..=29_007));
        let pairs: Vec<_> = (0..3).map(|_| ports.bind().expect("free")).collect();
        assert!(pairs.iter().all(|pair| pair.address.port() % 2 == 0));
        assert!(matches!(ports.bind(), Err(PortError::Exhausted { .. })));
        assert_eq!(ports.open_pairs(), 3);
        drop(pairs);
        assert_eq!(ports.open_pairs(), 0);
        ports.bind().expect("free again");
    }
}
