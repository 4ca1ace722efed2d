//! What is counted and measured on a leg.

use std::time::Duration;

/// The figures of one leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Octets of payload sent.
    pub octets_sent: u64,
    /// RTP packets received from the peer, duplicates and late ones included.
    pub packets_received: u64,
    /// Octets of payload received.
    pub octets_received: u64,
    /// Packets of the peer that never came (RFC 3550 A.3); duplicates do not make up for others.
    pub packets_lost: u64,
    /// Interarrival jitter (RFC 3550 A.8).
    pub jitter: Duration,
    /// Packets of ours that the peer reported as lost.
    pub packets_lost_by_peer: u64,
    /// The jitter that the peer reported.
    pub jitter_of_peer: Duration,
    /// Round trip time by the last report (RFC 3550 §6.4.1).
    pub round_trip: Option<Duration>,
    /// Packets that came too late to be heard (only counted while the leg is decoded).
    pub packets_late: u64,
    /// Datagrams of other sources, ignored.
    pub foreign: u64,
    /// Datagrams that were no RTP or of no agreed payload type, ignored.
    pub malformed: u64,
}
