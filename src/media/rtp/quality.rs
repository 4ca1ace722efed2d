//! What is counted and measured on a leg.

use super::rtcp::ReportBlock;
use super::{Header, Packet};
use std::time::{Duration, Instant};

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
    /// Packets of the peer that were expected and did not come (RFC 3550 A.3).
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

/// RFC 3550 A.1: a larger step ahead is a new start of the sequence.
const MAX_DROPOUT: u16 = 3000;

/// RFC 3550 A.1: a larger step back is a new start of the sequence.
const MAX_MISORDER: u16 = 100;

/// What came from the peer: sequence numbers and arrival times.
#[derive(Clone, Copy, Debug)]
pub struct Reception {
    start: Instant,
    source: Option<Source>,
    packets: u64,
    octets: u64,
    /// Lost packets of sources that were replaced.
    lost_before: u64,
}

/// The peer's present synchronisation source.
///
/// *Source*: RFC 3550 A.1 `struct source`.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    /// First sequence number.
    base: u32,
    /// Highest, extended by the number of wraps.
    highest: u32,
    received: u32,
    expected_prior: u32,
    received_prior: u32,
    /// The number that would confirm a new start.
    suspect: Option<u16>,
    transit: Option<u32>,
    /// In ticks, four bits of fraction.
    jitter: u32,
}

impl Source {
    fn new(header: &Header) -> Self {
        Self {
            ssrc: header.ssrc,
            base: u32::from(header.sequence),
            highest: u32::from(header.sequence),
            received: 0,
            expected_prior: 0,
            received_prior: 0,
            suspect: None,
            transit: None,
            jitter: 0,
        }
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    fn lost(&self) -> u64 {
        u64::from(self.expected()).saturating_sub(u64::from(self.received))
    }

    /// Takes the sequence number; `false` when the sequence has started anew.
    fn follow(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
        } else if ahead <= u16::MAX - MAX_MISORDER {
            if self.suspect == Some(sequence) {
                return false;
            }
            self.suspect = Some(sequence.wrapping_add(1));
            return true;
        }
        self.suspect = None;
        true
    }

    /// RFC 3550 A.8.
    fn measure(&mut self, arrival: u32, timestamp: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            // A jump of more than a second is a new start of the clock, not jitter.
            let difference = (transit.wrapping_sub(last) as i32).unsigned_abs();
            if difference < crate::SAMPLE_RATE {
                self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
            }
        }
    }
}

impl Reception {
    /// Nothing has come yet.
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            source: None,
            packets: 0,
            octets: 0,
            lost_before: 0,
        }
    }

    /// Takes a packet of the peer. Packets of one telephone-event share a timestamp and say nothing
    /// about jitter: those are not `timed`.
    pub fn take(&mut self, packet: &Packet<'_>, timed: bool, now: Instant) {
        self.packets += 1;
        self.octets += packet.payload.len() as u64;
        let header = &packet.header;
        let mut source = match self.source {
            Some(source) if source.ssrc == header.ssrc => source,
            replaced => {
                self.lost_before += replaced.map_or(0, |source| source.lost());
                Source::new(header)
            }
        };
        if !source.follow(header.sequence) {
            self.lost_before += source.lost();
            source = Source::new(header);
        }
        source.received = source.received.wrapping_add(1);
        if timed {
            let micros = now.saturating_duration_since(self.start).as_micros() as u64;
            let arrival = (micros * u64::from(crate::SAMPLE_RATE) / 1_000_000) as u32;
            source.measure(arrival, header.timestamp);
        }
        self.source = Some(source);
    }

    /// The peer's present SSRC.
    pub fn ssrc(&self) -> Option<u32> {
        self.source.map(|source| source.ssrc)
    }

    /// Packets taken.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Octets of payload taken.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Packets lost.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.source.map_or(0, |source| source.lost())
    }

    /// Interarrival jitter.
    pub fn jitter(&self) -> Duration {
        ticks(self.source.map_or(0, |source| source.jitter >> 4))
    }

    /// The report block about the peer's stream since the last one; `None` when nothing has come.
    /// The echo of its last sender report is the caller's to fill in.
    ///
    /// *Source*: RFC 3550 A.3.
    pub fn report(&mut self) -> Option<ReportBlock> {
        let source = self.source.as_mut()?;
        let expected = source.expected();
        let expected_now = expected.wrapping_sub(source.expected_prior);
        let received_now = source.received.wrapping_sub(source.received_prior);
        source.expected_prior = expected;
        source.received_prior = source.received;
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction_lost = (u64::from(lost_now) << 8)
            .checked_div(u64::from(expected_now))
            .map_or(0, |fraction| fraction.min(255) as u8);
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost,
            lost: (i64::from(expected) - i64::from(source.received)).clamp(-0x80_0000, 0x7F_FFFF)
                as i32,
            highest: source.highest,
            jitter: source.jitter >> 4,
            last_report: 0,
            delay: 0,
        })
    }
}

/// A number of ticks of the 8 kHz clock as time.
pub fn ticks(ticks: u32) -> Duration {
    Duration::from_micros(u64::from(ticks) * 1_000_000 / u64::from(crate::SAMPLE_RATE))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests need some first instant")]
mod tests {
    use super::*;

    fn take(reception: &mut Reception, ssrc: u32, sequence: u16, late: Duration) {
        let packet = Packet {
            header: Header {
                marker: false,
                payload_type: 8,
                sequence,
                timestamp: u32::from(sequence) * 160,
                ssrc,
            },
            payload: &[0; 160],
        };
        let arrival = reception.start + crate::BEAT * u32::from(sequence) + late;
        reception.take(&packet, true, arrival);
    }

    #[test]
    fn losses_are_counted_over_the_wrap_of_the_sequence() {
        let mut reception = Reception::new(Instant::now());
        for sequence in [65_533, 65_534, 1, 2, 3] {
            take(&mut reception, 1, sequence, Duration::ZERO);
        }
        assert_eq!(reception.lost(), 2, "65,535 and 0 are missing");
        let block = reception.report().expect("packets came");
        assert_eq!(block.highest, 0x1_0003);
        assert_eq!(block.lost, 2);
        assert_eq!(block.fraction_lost, (2 * 256 / 7) as u8);
    }

    #[test]
    fn reordered_packets_are_not_lost() {
        let mut reception = Reception::new(Instant::now());
        for sequence in [10, 12, 11, 13, 15, 14] {
            take(&mut reception, 1, sequence, Duration::ZERO);
        }
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn fraction_is_of_the_time_since_the_last_report() {
        let mut reception = Reception::new(Instant::now());
        for sequence in [0, 1, 4, 5] {
            take(&mut reception, 1, sequence, Duration::ZERO);
        }
        assert_eq!(
            reception.report().map(|block| block.fraction_lost),
            Some(85)
        );
        for sequence in 6..10 {
            take(&mut reception, 1, sequence, Duration::ZERO);
        }
        assert_eq!(reception.report().map(|block| block.fraction_lost), Some(0));
        assert_eq!(reception.lost(), 2);
    }

    #[test]
    fn a_new_source_keeps_what_the_old_one_lost() {
        let mut reception = Reception::new(Instant::now());
        for (ssrc, sequence) in [(1, 10), (1, 13), (2, 40_000), (2, 40_001)] {
            take(&mut reception, ssrc, sequence, Duration::ZERO);
        }
        assert_eq!(reception.lost(), 2);
        assert_eq!(reception.ssrc(), Some(2));
    }

    #[test]
    fn a_sequence_that_starts_anew_is_believed_at_its_second_packet() {
        let mut reception = Reception::new(Instant::now());
        for sequence in [10, 11, 30_000, 30_001, 30_002] {
            take(&mut reception, 1, sequence, Duration::ZERO);
        }
        assert_eq!(reception.report().map(|block| block.highest), Some(30_002));
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn steady_arrival_has_no_jitter_and_wavering_has() {
        let mut steady = Reception::new(Instant::now());
        let mut wavering = steady;
        for sequence in 0..200 {
            take(&mut steady, 1, sequence, Duration::from_millis(7));
            let late = Duration::from_millis(u64::from(sequence % 2) * 10);
            take(&mut wavering, 1, sequence, late);
        }
        assert_eq!(steady.jitter(), Duration::ZERO);
        let jitter = wavering.jitter();
        assert!(
            (9..=10).contains(&jitter.as_millis()),
            "10 ms each time: {jitter:?}"
        );
    }
}
