//! What is counted and measured on a leg.

use super::e_model::{self, Line};
use super::rtcp::ReportBlock;
use super::{Header, Packet};
use crate::BEAT;
use crate::codec::Codec;
use std::time::{Duration, Instant};

/// The figures of one leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The agreed codec; `None` before offer and answer.
    pub codec: Option<Codec>,
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
    /// How often packets were lost, however many at once.
    pub loss_bursts: u64,
    /// Interarrival jitter (RFC 3550 A.8), on average.
    pub jitter: Duration,
    /// Packets of ours that the peer reported as lost.
    pub packets_lost_by_peer: u64,
    /// Packets of ours that the peer expected by then; 0: it has reported nothing.
    pub packets_expected_by_peer: u64,
    /// The jitter that the peer reported, on average.
    pub jitter_of_peer: Duration,
    /// Round trip time by the last report (RFC 3550 §6.4.1).
    pub round_trip: Option<Duration>,
    /// Packets that came too late to be heard (only counted while the leg is decoded).
    pub packets_late: u64,
    /// Delay of our jitter buffer; `None` while nothing is decoded.
    pub delay: Option<Duration>,
    /// Datagrams of other sources, ignored.
    pub foreign: u64,
    /// Datagrams that were no RTP or of no agreed payload type, ignored.
    pub malformed: u64,
}

/// How one direction of a leg sounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Share of packets that were lost or came too late to be heard, 0 to 1.
    pub loss: f64,
    /// Interarrival jitter (RFC 3550 A.8), on average.
    pub jitter: Duration,
    /// Mean opinion score for conversation by the E-model (ITU-T G.107), 1 to 4.5. Where the round
    /// trip is not known, delay on the way is not counted.
    pub mean_opinion: f64,
}

impl Statistics {
    /// How the peer sounds to us; `None` when nothing came.
    pub fn heard(&self) -> Option<Quality> {
        if self.packets_received == 0 {
            return None;
        }
        let unheard = self.packets_lost + self.packets_late;
        let expected = self.packets_received + self.packets_lost;
        let loss = share(unheard, expected);
        let mean_burst = share(self.packets_lost, self.loss_bursts);
        let burst_ratio = mean_burst * (1.0 - share(self.packets_lost, expected));
        self.quality(loss, burst_ratio, self.jitter, self.delay)
    }

    /// How we sound to the peer, by its reports; `None` when it made none.
    pub fn heard_by_peer(&self) -> Option<Quality> {
        if self.packets_expected_by_peer == 0 {
            return None;
        }
        let loss = share(self.packets_lost_by_peer, self.packets_expected_by_peer);
        self.quality(loss, 1.0, self.jitter_of_peer, None)
    }

    fn quality(
        &self,
        loss: f64,
        burst_ratio: f64,
        jitter: Duration,
        buffer: Option<Duration>,
    ) -> Option<Quality> {
        // A buffer that we can't see waits for a packet and twice the jitter.
        let buffer = buffer.unwrap_or(BEAT + 2 * jitter);
        let line = Line {
            codec: self.codec?,
            loss: loss.min(1.0),
            burst_ratio,
            delay: self.round_trip.unwrap_or_default() / 2 + BEAT + buffer,
        };
        Some(Quality {
            loss: line.loss,
            jitter,
            mean_opinion: e_model::mean_opinion(e_model::rating(&line)),
        })
    }
}

/// A part of a whole; 0 of nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
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
    bursts: u64,
    /// The jitter after each timed packet, summed in ticks, and how many those were.
    jitter_sum: u64,
    timed: u64,
    clock_rate: u32,
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

    /// How many packets are missing just before this one.
    fn gap(&self, sequence: u16) -> u16 {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if (1..MAX_DROPOUT).contains(&ahead) {
            ahead - 1
        } else {
            0
        }
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
    fn measure(&mut self, arrival: u32, timestamp: u32, clock_rate: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            // A jump of more than a second is a new start of the clock, not jitter.
            let difference = (transit.wrapping_sub(last) as i32).unsigned_abs();
            if difference < clock_rate {
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
            bursts: 0,
            jitter_sum: 0,
            timed: 0,
            clock_rate: crate::SAMPLE_RATE,
        }
    }

    /// Another RTP clock from now on.
    pub fn tune(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.clock_rate = clock_rate;
            if let Some(source) = &mut self.source {
                source.transit = None;
                source.jitter = 0;
            }
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
        self.bursts += u64::from(source.gap(header.sequence) > 0);
        if !source.follow(header.sequence) {
            self.lost_before += source.lost();
            source = Source::new(header);
        }
        source.received = source.received.wrapping_add(1);
        if timed {
            let micros = now.saturating_duration_since(self.start).as_micros() as u64;
            let arrival = (micros * u64::from(self.clock_rate) / 1_000_000) as u32;
            source.measure(arrival, header.timestamp, self.clock_rate);
            self.jitter_sum += u64::from(source.jitter >> 4);
            self.timed += 1;
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

    /// How often packets were lost, however many at once.
    pub fn loss_bursts(&self) -> u64 {
        self.bursts
    }

    /// Interarrival jitter, on average.
    pub fn jitter(&self) -> Duration {
        let mean = self.jitter_sum.checked_div(self.timed).unwrap_or(0);
        time_of(mean as u32, self.clock_rate)
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

/// A number of ticks of an RTP clock as time.
pub fn time_of(ticks: u32, clock_rate: u32) -> Duration {
    Duration::from_micros(u64::from(ticks) * 1_000_000 / u64::from(clock_rate))
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
            (8..=10).contains(&jitter.as_millis()),
            "10 ms each time, from 0 on: {jitter:?}"
        );
    }

    fn statistics() -> Statistics {
        Statistics {
            codec: Some(Codec::Pcma),
            packets_received: 900,
            packets_lost: 100,
            loss_bursts: 95,
            ..Statistics::default()
        }
    }

    #[test]
    fn a_tenth_lost_is_told_and_heard() {
        let heard = statistics().heard().expect("packets came");
        assert!((heard.loss - 0.1).abs() < 1e-9);
        assert!((3.2..3.5).contains(&heard.mean_opinion), "{heard:?}");
        let whole = Statistics {
            packets_lost: 0,
            loss_bursts: 0,
            ..statistics()
        };
        let whole = whole.heard().expect("packets came");
        assert!(whole.mean_opinion > 4.3, "{whole:?}");
    }

    #[test]
    fn bursts_jitter_delay_and_what_is_late_make_it_worse() {
        let score = |statistics: Statistics| {
            let heard = statistics.heard().expect("packets came");
            heard.mean_opinion
        };
        let fair = score(statistics());
        let worse = [
            Statistics {
                loss_bursts: 20,
                ..statistics()
            },
            Statistics {
                packets_late: 50,
                ..statistics()
            },
            Statistics {
                jitter: Duration::from_millis(100),
                ..statistics()
            },
            Statistics {
                round_trip: Some(Duration::from_millis(600)),
                ..statistics()
            },
        ];
        for statistics in worse {
            assert!(score(statistics) < fair - 0.05, "{statistics:?}");
        }
    }

    #[test]
    fn nothing_heard_or_reported_has_no_quality() {
        assert_eq!(Statistics::default().heard(), None);
        assert_eq!(statistics().heard_by_peer(), None);
        let reported = Statistics {
            packets_lost_by_peer: 30,
            packets_expected_by_peer: 1000,
            ..statistics()
        };
        let quality = reported.heard_by_peer().expect("the peer reported");
        assert!((quality.loss - 0.03).abs() < 1e-9);
    }

    #[test]
    fn losses_are_counted_as_bursts() {
        let mut reception = Reception::new(Instant::now());
        for sequence in [1, 2, 5, 6, 9, 8, 10, 20] {
            take(&mut reception, 1, sequence, Duration::ZERO);
        }
        assert_eq!((reception.lost(), reception.loss_bursts()), (12, 3));
    }

    #[test]
    fn jitter_is_measured_by_the_clock_of_the_codec() {
        let mut reception = Reception::new(Instant::now());
        reception.tune(48_000);
        for sequence in 0..200_u16 {
            let packet = Packet {
                header: Header {
                    marker: false,
                    payload_type: 111,
                    sequence,
                    timestamp: u32::from(sequence) * 960,
                    ssrc: 1,
                },
                payload: &[0; 40],
            };
            let late = Duration::from_millis(u64::from(sequence % 2) * 10);
            let arrival = reception.start + crate::BEAT * u32::from(sequence) + late;
            reception.take(&packet, true, arrival);
        }
        let jitter = reception.jitter();
        assert!((8..=10).contains(&jitter.as_millis()), "{jitter:?}");
    }
}
