//! Datagrams in batches: many read or written by one system call, in buffers that are made once.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use mio::net::UdpSocket;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use strowger_media::rtp::MAX_PACKET;

/// Datagrams of one system call.
pub(super) const BATCH: usize = 64;

type Packet = [u8; MAX_PACKET];

/// What came: read in batches of up to [`BATCH`].
pub(super) struct Inbox {
    headers: MultiHeaders<SockaddrStorage>,
    packets: Box<[Packet]>,
    received: Vec<(usize, SocketAddr)>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, None),
            packets: vec![[0; MAX_PACKET]; BATCH].into_boxed_slice(),
            received: Vec::with_capacity(BATCH),
        }
    }

    /// Reads at most `N` datagrams and answers how many there were; with fewer than `N` the socket
    /// is empty.
    pub(super) fn read<const N: usize>(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.received.clear();
        let Some(packets) = self.packets.first_chunk_mut::<N>() else {
            return Ok(0);
        };
        let mut slices = packets.each_mut().map(|packet| [IoSliceMut::new(packet)]);
        let read = recvmmsg(
            socket.as_raw_fd(),
            &mut self.headers,
            &mut slices,
            MsgFlags::MSG_DONTWAIT,
            None,
        );
        let received = match read {
            Ok(received) => received,
            Err(Errno::EAGAIN) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        for message in received {
            // A datagram without a source can't be anybody's.
            let from = message.address.as_ref().and_then(address);
            let from = from.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
            self.received.push((message.bytes, from));
        }
        Ok(self.received.len())
    }

    /// A datagram that was read, and where it came from.
    pub(super) fn get(&self, at: usize) -> Option<(&[u8], SocketAddr)> {
        let (length, from) = *self.received.get(at)?;
        Some((self.packets.get(at)?.get(..length)?, from))
    }
}

/// What goes out by one socket: kept until it is flushed, which it is when it is full.
pub(super) struct Outbox {
    headers: MultiHeaders<SockaddrStorage>,
    packets: Box<[Packet]>,
    lengths: Vec<usize>,
    to: Vec<Option<SockaddrStorage>>,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, None),
            packets: vec![[0; MAX_PACKET]; BATCH].into_boxed_slice(),
            lengths: Vec::with_capacity(BATCH),
            to: Vec::with_capacity(BATCH),
        }
    }

    /// Lets `write` fill the next datagram and keeps it when that answers its length. Answers
    /// whether the outbox is full now.
    pub(super) fn write(
        &mut self,
        to: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        if let Some(packet) = self.packets.get_mut(self.lengths.len())
            && let Some(length) = write(packet)
        {
            self.lengths.push(length);
            self.to.push(Some(to.into()));
        }
        self.lengths.len() == BATCH
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Sends all that waits. What can't be sent now is lost, as on the network.
    pub(super) fn flush(&mut self, socket: &UdpSocket) {
        let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|at| {
            let length = self.lengths.get(at).copied().unwrap_or(0);
            let packet = self.packets.get(at).and_then(|packet| packet.get(..length));
            [IoSlice::new(packet.unwrap_or_default())]
        });
        let mut sent = 0;
        while let (Some(slices @ [_, ..]), Some(to)) =
            (slices.get(sent..self.lengths.len()), self.to.get(sent..))
        {
            let flags = MsgFlags::MSG_DONTWAIT;
            let outcome = sendmmsg(socket.as_raw_fd(), &mut self.headers, slices, to, [], flags);
            match outcome {
                Ok(results) => sent += results.count().max(1),
                Err(Errno::EINTR) => {}
                // The socket's buffer is full.
                Err(Errno::EAGAIN | Errno::ENOBUFS) => break,
                // The first of them can't be sent: it is left out.
                Err(_) => sent += 1,
            }
        }
        self.lengths.clear();
        self.to.clear();
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some((*v4).into());
    }
    storage.as_sockaddr_in6().map(|v6| (*v6).into())
}
