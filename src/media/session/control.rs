//! RTCP of one leg: when to report, what the peer's reports say.

use crate::rtp::quality::{Reception, time_of};
use crate::rtp::rtcp::{self, Outgoing as Compound, Report, ReportBlock, SenderInfo};
use rand::Rng;
use std::fmt::Write;
use std::time::{Duration, Instant};

use super::outgoing::Outgoing;

/// RFC 3550 §6.2: least time between reports. With two members and 64 kbit/s the bandwidth rule
/// never asks for more.
const INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Control {
    /// NTP timestamps count from a second before here: RFC 3550 §6.4.1 lets a sender without
    /// wall-clock time use the time since it joined.
    start: Instant,
    cname: String,
    /// Splitmix64 state for the spread of intervals.
    dice: u64,
    due: Instant,
    /// Packets that had been sent at the last report.
    reported: u64,
    /// Middle of the NTP timestamp of the peer's last sender report, and when it came.
    last_report: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    /// What the peer reported of our stream last.
    reported_by_peer: Option<ReportBlock>,
    /// Ticks of jitter that it reported, summed, and how often it did.
    jitter_of_peer: (u64, u64),
}

impl Control {
    pub(super) fn new(rng: &mut impl Rng, now: Instant) -> Self {
        // RFC 7022 §4.2: a short-term name of 96 random bits.
        let mut cname = String::with_capacity(24);
        for _ in 0..3 {
            let _ = write!(cname, "{:08x}", rng.next_u32());
        }
        let mut control = Self {
            start: now,
            cname,
            dice: rng.next_u64(),
            due: now,
            reported: 0,
            last_report: None,
            round_trip: None,
            reported_by_peer: None,
            jitter_of_peer: (0, 0),
        };
        // RFC 3550 §6.2: half the interval before the first report.
        control.due = now + control.spread(INTERVAL / 2);
        control
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Packets of ours that the peer lost.
    pub(super) fn lost_by_peer(&self) -> u64 {
        self.reported_by_peer
            .map_or(0, |block| block.lost.max(0) as u64)
    }

    /// Packets of ours that the peer expected, of a stream that began with this sequence number; 0
    /// when it reported nothing.
    pub(super) fn expected_by_peer(&self, first: u16) -> u64 {
        self.reported_by_peer.map_or(0, |block| {
            let expected = block.highest.wrapping_sub(u32::from(first)).wrapping_add(1);
            // Who lost our first packets may have begun to count after a wrap.
            let behind = expected > u32::MAX / 2;
            u64::from(if behind { expected & 0xFFFF } else { expected })
        })
    }

    /// The jitter that it reported, on average.
    pub(super) fn jitter_of_peer(&self, clock_rate: u32) -> Duration {
        let (sum, reports) = self.jitter_of_peer;
        time_of(sum.checked_div(reports).unwrap_or(0) as u32, clock_rate)
    }

    /// Takes a datagram; answers whether the peer said BYE.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        ssrc: u32,
        peer: Option<u32>,
        now: Instant,
    ) -> bool {
        let mut left = false;
        for report in rtcp::read(bytes).map_while(Result::ok) {
            match report {
                Report::Report { sender, blocks, .. } => {
                    if let Some(sender) = sender {
                        self.last_report = Some(((sender.ntp >> 16) as u32, now));
                    }
                    for block in blocks.filter(|block| block.ssrc == ssrc) {
                        self.learn(&block, now);
                    }
                }
                Report::Goodbye { ssrc } => left |= Some(ssrc) == peer,
                Report::Description { .. } | Report::Other { .. } => {}
            }
        }
        left
    }

    /// What the peer reports about our stream.
    ///
    /// *Source*: RFC 3550 §6.4.1, round-trip propagation delay.
    fn learn(&mut self, block: &ReportBlock, now: Instant) {
        self.reported_by_peer = Some(*block);
        self.jitter_of_peer.0 += u64::from(block.jitter);
        self.jitter_of_peer.1 += 1;
        if block.last_report == 0 {
            return;
        }
        let arrival = (self.ntp(now) >> 16) as u32;
        let trip = arrival
            .wrapping_sub(block.last_report)
            .wrapping_sub(block.delay) as i32;
        // Clocks of 1/65,536 s may make a short trip seem negative.
        if trip >= -1 {
            let micros = (u64::from(trip.max(0) as u32) * 1_000_000) >> 16;
            self.round_trip = Some(Duration::from_micros(micros));
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// Writes a report.
    pub(super) fn write(
        &mut self,
        outgoing: &Outgoing,
        reception: &mut Reception,
        goodbye: bool,
        now: Instant,
        out: &mut [u8],
    ) -> Option<usize> {
        self.due = now + self.spread(INTERVAL);
        let sent = outgoing.packets();
        let sender = (sent > self.reported).then(|| SenderInfo {
            ntp: self.ntp(now),
            timestamp: outgoing.clock(),
            packets: sent as u32,
            octets: outgoing.octets() as u32,
        });
        self.reported = sent;
        let mut block = reception.report();
        if let (Some(block), Some((report, came))) = (block.as_mut(), self.last_report) {
            block.last_report = report;
            let since = now.saturating_duration_since(came).as_micros();
            block.delay = u32::try_from((since << 16) / 1_000_000).unwrap_or(u32::MAX);
        }
        let compound = Compound {
            ssrc: outgoing.ssrc(),
            sender,
            block,
            cname: self.cname.as_bytes(),
            goodbye,
        };
        compound.write(out)
    }

    fn ntp(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start) + Duration::from_secs(1);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        elapsed.as_secs() << 32 | fraction
    }

    /// RFC 3550 §6.3.1: between half and one and a half of the interval.
    fn spread(&mut self, interval: Duration) -> Duration {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.dice;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        let share = ((mixed ^ mixed >> 31) >> 40) as f32 / (1_u32 << 24) as f32;
        interval.mul_f32(0.5 + share)
    }
}
