//! What an endpoint is told at its birth.

use crate::flow::{Flow, Transport};
use crate::overload::Patience;
use std::net::SocketAddr;
use std::time::Duration;

/// The base values of all transaction timers.
///
/// Source: RFC 3261 Table 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Estimated round trip.
    pub t1: Duration,
    /// Longest interval between retransmissions of non-INVITE requests and INVITE responses.
    pub t2: Duration,
    /// Longest time that a message stays in the network.
    pub t4: Duration,
}

impl Timers {
    /// The timers for another round trip, with the proportions of the RFC.
    pub fn of_round_trip(t1: Duration) -> Self {
        Self {
            t1,
            t2: t1 * 8,
            t4: t1 * 10,
        }
    }

    /// 64*T1: timers B, F, H, J, L and M, and the wait for an ACK (RFC 3261 §13.3.1.4).
    pub fn sixty_four_t1(&self) -> Duration {
        self.t1 * 64
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::of_round_trip(Duration::from_millis(500))
    }
}

/// Settings of an [`Endpoint`](crate::endpoint::Endpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The address that our Via and Contact name over UDP. `None`: the flow's local address.
    pub udp_address: Option<SocketAddr>,
    /// The address that our Via and Contact name over TCP. `None`: the flow's local address.
    pub tcp_address: Option<SocketAddr>,
    /// The text of our User-Agent and Server headers. Empty: none is sent.
    pub user_agent: String,
    /// T1, T2 and T4.
    pub timers: Timers,
    /// INVITE usages that may live at once; a new incoming INVITE above it gets 503.
    pub capacity: usize,
    /// The Retry-After of our own 503.
    pub retry_after: Duration,
    /// Transactions kept at once. Above it those that were answered are forgotten, the oldest
    /// first; where there are none, a new request gets a stateless 503.
    pub max_transactions: usize,
    /// When new calls are shed because what waits is too old.
    pub patience: Patience,
    /// How long a caller's INVITE may ring after its last provisional response before it is
    /// cancelled (as timer C of RFC 3261 §16.6; longer than three minutes).
    pub ring_limit: Duration,
    /// How often an answerer repeats its provisional response (RFC 3261 §13.3.1.1: each minute).
    pub provisional_interval: Duration,
    /// How long a nonce of a challenge of ours may be used.
    pub nonce_lifetime: Duration,
    /// Nonces kept at once; the oldest goes first.
    pub max_nonces: usize,
}

impl Config {
    /// The address that our Via and Contact name on this flow.
    pub fn advertised(&self, flow: &Flow) -> SocketAddr {
        match flow.transport {
            Transport::Udp => self.udp_address,
            Transport::Tcp => self.tcp_address,
        }
        .unwrap_or(flow.local)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            udp_address: None,
            tcp_address: None,
            user_agent: "Strowger".into(),
            timers: Timers::default(),
            capacity: 4_000,
            retry_after: Duration::from_secs(5),
            max_transactions: 250_000,
            patience: Patience::default(),
            ring_limit: Duration::from_secs(200),
            provisional_interval: Duration::from_mins(1),
            nonce_lifetime: Duration::from_mins(5),
            max_nonces: 10_000,
        }
    }
}
