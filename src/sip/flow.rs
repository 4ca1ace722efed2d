//! Where messages come from and go to.

use std::fmt;
use std::net::SocketAddr;

/// The transport of a flow. Says whether retransmission is ours (UDP) or the transport's (TCP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams: messages may be lost, doubled and reordered.
    Udp,
    /// A connection: what arrives is whole and in order.
    Tcp,
}

impl Transport {
    /// Whether the transport delivers for us (RFC 3261 §17: timers A, E and G stay off, and D, I, J
    /// and K are zero).
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp => true,
        }
    }

    /// The name in a Via header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One path to a peer: a UDP socket and a remote address, or one TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// UDP or TCP.
    pub transport: Transport,
    /// Our socket's address, as the peer reaches it unless [`Config`](crate::endpoint::Config)
    /// names another.
    pub local: SocketAddr,
    /// The peer's address as seen by our socket.
    pub remote: SocketAddr,
}
