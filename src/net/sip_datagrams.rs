//! SIP over UDP in batches: many datagrams with one system call each way, and how long the oldest
//! waited in the socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg,
};
use nix::sys::time::TimeSpec;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::clock;

/// The largest datagram.
const DATAGRAM: usize = 65_535;
/// Datagrams taken or sent in one go, before others on the thread have their turn.
const BATCH: usize = 32;
/// An age above this is a step of the clock: what waits for so long was thrown away before.
const OLDEST: Duration = Duration::from_secs(30);

/// What was taken from the socket last. Its room is used again and again.
pub(super) struct Incoming {
    headers: MultiHeaders<SockaddrStorage>,
    /// Room for [`BATCH`] datagrams. The system gives memory to what was ever written to.
    room: Vec<u8>,
    taken: Vec<(SocketAddr, usize)>,
    age: Duration,
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec))),
            room: vec![0; BATCH * DATAGRAM],
            taken: Vec::with_capacity(BATCH),
            age: Duration::ZERO,
        }
    }

    /// Takes what has arrived, at most [`BATCH`] datagrams; says whether there may be more.
    pub(super) fn receive(&mut self, udp: &UdpSocket) -> io::Result<bool> {
        self.taken.clear();
        self.age = Duration::ZERO;
        let received = udp.try_io(Interest::READABLE, || {
            self.take(udp)?;
            // Fewer than asked for: the socket is empty, so the next datagram wakes us.
            if self.taken.len() < BATCH {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        });
        match received {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, udp: &UdpSocket) -> io::Result<()> {
        let Self {
            headers,
            room,
            taken,
            age,
        } = self;
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = room
            .chunks_mut(DATAGRAM)
            .map(|chunk| [IoSliceMut::new(chunk)])
            .collect();
        let results = recvmmsg(
            udp.as_raw_fd(),
            headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        for (at, result) in results.enumerate() {
            if at == 0 {
                let noted = result.cmsgs().ok().and_then(|mut all| all.next());
                *age = age_of(noted.as_ref());
            }
            let remote = result.address.as_ref().and_then(address_of);
            // What nobody sent is not read, but keeps its place in the room.
            let (remote, length) = remote.map_or((NOBODY, 0), |remote| (remote, result.bytes));
            taken.push((remote, length));
        }
        Ok(())
    }

    /// How long the oldest of them had waited in the socket.
    pub(super) fn age(&self) -> Duration {
        self.age
    }

    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    /// The datagrams, and where they came from.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let rooms = self.room.chunks(DATAGRAM);
        self.taken
            .iter()
            .zip(rooms)
            .filter(|((_, length), _)| *length > 0)
            .map(|((remote, length), room)| (*remote, room.get(..*length).unwrap_or_default()))
    }
}

/// Stands for the sender of a datagram without one.
const NOBODY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 0));

/// What is to be sent in one go.
#[derive(Default)]
pub(super) struct Outgoing {
    datagrams: Vec<(SocketAddr, Bytes)>,
    headers: Option<MultiHeaders<SockaddrStorage>>,
}

impl Outgoing {
    pub(super) fn push(&mut self, remote: SocketAddr, bytes: Bytes) {
        self.datagrams.push((remote, bytes));
    }

    /// Sends what waits. A full buffer loses datagrams as the network would: they are sent again.
    pub(super) fn flush(&mut self, udp: &UdpSocket) {
        if let [(remote, bytes)] = self.datagrams.as_slice() {
            if let Err(error) = udp.try_send_to(bytes, *remote) {
                tracing::debug!(%remote, %error, "a datagram was not sent");
            }
            self.datagrams.clear();
            return;
        }
        let mut sent = 0;
        while let Some(rest) = self.datagrams.get(sent..).filter(|rest| !rest.is_empty()) {
            let headers = self
                .headers
                .get_or_insert_with(|| MultiHeaders::preallocate(BATCH, None));
            match udp.try_io(Interest::WRITABLE, || send(udp, headers, rest)) {
                Ok(count) => sent += count.max(1),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tracing::debug!(lost = rest.len(), "datagrams were not sent");
                    break;
                }
                // It is the first one's fault: the others are tried without it.
                Err(error) => {
                    let remote = rest.first().map(|(remote, _)| *remote);
                    tracing::debug!(?remote, %error, "a datagram was not sent");
                    sent += 1;
                }
            }
        }
        self.datagrams.clear();
    }
}

/// Sends at most [`BATCH`] datagrams; gives how many.
fn send(
    udp: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrStorage>,
    datagrams: &[(SocketAddr, Bytes)],
) -> io::Result<usize> {
    let batch = datagrams.iter().take(BATCH);
    let (remotes, slices): (Vec<_>, Vec<_>) = batch
        .map(|(remote, bytes)| (Some(SockaddrStorage::from(*remote)), [IoSlice::new(bytes)]))
        .unzip();
    let sent = sendmmsg(
        udp.as_raw_fd(),
        headers,
        slices.iter(),
        &remotes,
        [],
        MsgFlags::MSG_DONTWAIT,
    )?;
    Ok(sent.count())
}

/// How long ago the kernel noted a datagram's arrival, which it does by the wall clock.
fn age_of(noted: Option<&ControlMessageOwned>) -> Duration {
    let Some(ControlMessageOwned::ScmTimestampns(arrived)) = noted else {
        return Duration::ZERO;
    };
    let now = clock::now().utc - DateTime::UNIX_EPOCH;
    let now = now.to_std().unwrap_or_default();
    let age = now.saturating_sub((*arrived).into());
    if age > OLDEST { Duration::ZERO } else { age }
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4));
    let v6 = || storage.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6));
    v4.map(Into::into).or_else(|| v6().map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::super::sip_socket::SipSockets;
    use super::*;

    /// Datagrams go out and come in by batches, each to and from its own, and their age is known.
    async fn pass(address: &str, count: usize) {
        let address: SocketAddr = address.parse().expect("an address");
        let ours = SipSockets::bind(address).await.expect("bound");
        ours.udp.writable().await.expect("writable");
        let theirs = [address, address].map(std::net::UdpSocket::bind);
        let theirs = theirs.map(|socket| socket.expect("bound"));
        let mut outgoing = Outgoing::default();
        for number in 0..count {
            let peer = theirs[number % 2].local_addr().expect("bound");
            outgoing.push(peer, Bytes::from(number.to_string()));
        }
        outgoing.flush(&ours.udp);
        for number in 0..count {
            let mut heard = [0; 16];
            let socket = &theirs[number % 2];
            let (length, from) = socket.recv_from(&mut heard).expect("heard");
            assert_eq!(
                (&heard[..length], from),
                (number.to_string().as_bytes(), ours.local)
            );
            socket.send_to(&heard[..length], ours.local).expect("sent");
        }
        let mut incoming = Incoming::new();
        let mut came = Vec::new();
        while came.len() < count {
            ours.udp.readable().await.expect("readable");
            incoming.receive(&ours.udp).expect("received");
            assert!(incoming.age() < OLDEST);
            assert!(incoming.len() == 0 || incoming.age() > Duration::ZERO);
            for (remote, bytes) in incoming.datagrams() {
                let number = came.len();
                assert_eq!(bytes, number.to_string().as_bytes());
                assert_eq!(remote, theirs[number % 2].local_addr().expect("bound"));
                came.push(number);
            }
        }
    }

    #[tokio::test]
    async fn datagrams_pass_both_ways_in_batches_of_any_size() {
        for count in [1, 2, BATCH, 3 * BATCH + 1] {
            pass("127.0.0.1:0", count).await;
        }
        pass("[::1]:0", BATCH + 1).await;
    }

    #[tokio::test]
    async fn a_datagram_that_cannot_be_sent_does_not_keep_the_others_back() {
        let address: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let ours = SipSockets::bind(address).await.expect("bound");
        ours.udp.writable().await.expect("writable");
        let theirs = std::net::UdpSocket::bind(address).expect("bound");
        let peer = theirs.local_addr().expect("bound");
        let nowhere: SocketAddr = "[::1]:5060".parse().expect("an address");
        let mut outgoing = Outgoing::default();
        for remote in [nowhere, peer, nowhere, peer] {
            outgoing.push(remote, Bytes::from_static(b"hello"));
        }
        outgoing.flush(&ours.udp);
        for _ in 0..2 {
            let mut heard = [0; 16];
            let (length, _) = theirs.recv_from(&mut heard).expect("heard");
            assert_eq!(&heard[..length], b"hello");
        }
    }
}
