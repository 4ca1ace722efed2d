//! The stream that a leg sends: one SSRC, one sequence, one clock, whatever its packets are made of.

use crate::SAMPLE_RATE;
use crate::rtp::{Header, Packet};
use rand::Rng;

/// A larger step of the relayed sequence is a new start.
const MAX_STEP: i16 = 100;

/// A larger step of the relayed clock is a new start: 2 s, in beats.
const MAX_JUMP: u32 = 100;

/// The state of the sent stream.
///
/// Its clock goes on with the beat, whether something is sent or not. A relayed stream keeps its
/// own steps of sequence and clock, so that the receiver sees the loss and jitter of the first hop
/// as they were; where it begins, or begins anew, it is joined to what was sent before.
#[derive(Debug)]
pub(super) struct Outgoing {
    ssrc: u32,
    /// Of the first packet.
    first: u16,
    /// Ticks of one beat.
    beat: u32,
    /// Of the next packet.
    sequence: u16,
    /// Timestamp of the present beat.
    clock: u32,
    /// Where the sound of what was sent ends.
    until: u32,
    /// The packet before was sound: the next one needs no marker.
    talking: bool,
    relayed: Option<Relayed>,
    /// Timestamp of the present event of ours.
    event: u32,
    /// The present event of the bridged leg: its timestamp and sequence there, its timestamp here.
    foreign_event: Option<(u32, u16, u32)>,
    packets: u64,
    octets: u64,
}

/// How the relayed stream is joined to ours.
#[derive(Clone, Copy, Debug)]
struct Relayed {
    ssrc: u32,
    /// How many numbers lie between the first packet and the highest, at most [`MAX_STEP`].
    span: i16,
    /// Header of the packet with the highest sequence.
    highest: Header,
    sequence_offset: u16,
    timestamp_offset: u32,
}

impl Outgoing {
    pub(super) fn new(rng: &mut impl Rng) -> Self {
        let clock = rng.next_u32();
        let ssrc = rng.next_u32();
        let first = rng.next_u32() as u16;
        Self {
            ssrc,
            beat: SAMPLE_RATE / 50,
            first,
            sequence: first,
            clock,
            until: clock,
            talking: false,
            relayed: None,
            event: clock,
            foreign_event: None,
            packets: 0,
            octets: 0,
        }
    }

    /// Counts by a clock of this rate from now on, in hertz.
    pub(super) fn set_clock_rate(&mut self, clock_rate: u32) {
        self.beat = clock_rate / 50;
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) fn first_sequence(&self) -> u16 {
        self.first
    }

    pub(super) fn clock(&self) -> u32 {
        self.clock
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// A beat begins.
    pub(super) fn beat(&mut self) {
        self.clock = later(self.clock.wrapping_add(self.beat), self.until);
    }

    /// Nothing was sent in this beat: the next sound begins a talkspurt.
    pub(super) fn pause(&mut self) {
        self.talking = false;
    }

    /// Sends the sound of this beat.
    pub(super) fn sound(
        &mut self,
        payload_type: u8,
        payload: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let header = self.header(!self.talking, payload_type, self.clock);
        self.talking = true;
        self.until = self.clock.wrapping_add(self.beat);
        self.own(header, payload, out)
    }

    /// Sends a packet of a telephone-event of ours.
    pub(super) fn event(
        &mut self,
        payload_type: u8,
        first: bool,
        payload: [u8; 4],
        out: &mut [u8],
    ) -> Option<usize> {
        if first {
            self.event = self.clock;
        }
        self.talking = false;
        let header = self.header(first, payload_type, self.event);
        self.own(header, &payload, out)
    }

    /// Sends a packet of the bridged leg's stream as one of ours; its sound is this many ticks long.
    pub(super) fn relay(
        &mut self,
        packet: &Packet<'_>,
        payload_type: u8,
        ticks: u32,
        out: &mut [u8],
    ) -> Option<usize> {
        let header = packet.header;
        let most = MAX_JUMP * self.beat;
        let continued = self
            .relayed
            .filter(|relayed| relayed.continues(&header, most));
        let joined = continued.is_none();
        let mut relayed = continued.unwrap_or_else(|| self.join(header));
        let ahead = header.sequence.wrapping_sub(relayed.highest.sequence) as i16;
        if ahead < -relayed.span {
            // From before the stream was joined: its number here is taken.
            return None;
        }
        if ahead > 0 {
            relayed.span = (relayed.span + ahead).min(MAX_STEP);
            relayed.highest = header;
        }
        self.relayed = Some(relayed);
        let sequence = header.sequence.wrapping_add(relayed.sequence_offset);
        let timestamp = header.timestamp.wrapping_add(relayed.timestamp_offset);
        if ahead >= 0 {
            self.sequence = sequence.wrapping_add(1);
        }
        self.until = later(self.until, timestamp.wrapping_add(ticks));
        self.talking = true;
        let header = Header {
            marker: header.marker || joined,
            payload_type,
            sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        self.count(packet.payload.len());
        Packet {
            header,
            payload: packet.payload,
        }
        .write(out)
    }

    /// Sends a packet of a telephone-event of the bridged leg between sounds of our own.
    pub(super) fn relay_event(
        &mut self,
        packet: &Packet<'_>,
        payload_type: u8,
        out: &mut [u8],
    ) -> Option<usize> {
        let Header {
            timestamp,
            sequence,
            ..
        } = packet.header;
        let first = !self.is_known_event(timestamp);
        let at = match self.foreign_event {
            Some((known, last, at)) if known == timestamp => {
                if sequence.wrapping_sub(last) as i16 <= 0 {
                    return None;
                }
                at
            }
            _ => later(self.clock, self.until),
        };
        self.foreign_event = Some((timestamp, sequence, at));
        self.talking = false;
        let header = self.header(first, payload_type, at);
        self.own(header, packet.payload, out)
    }

    /// The event of the bridged leg with this timestamp was seen before.
    pub(super) fn is_known_event(&self, timestamp: u32) -> bool {
        self.foreign_event
            .is_some_and(|(known, ..)| known == timestamp)
    }

    /// Remembers an event of the bridged leg that is not passed on as packets.
    pub(super) fn know_event(&mut self, header: &Header) {
        self.foreign_event = Some((header.timestamp, header.sequence, self.clock));
    }

    fn join(&self, first: Header) -> Relayed {
        Relayed {
            ssrc: first.ssrc,
            span: 0,
            highest: first,
            sequence_offset: self.sequence.wrapping_sub(first.sequence),
            timestamp_offset: later(self.clock, self.until).wrapping_sub(first.timestamp),
        }
    }

    fn header(&self, marker: bool, payload_type: u8, timestamp: u32) -> Header {
        Header {
            marker,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        }
    }

    fn own(&mut self, header: Header, payload: &[u8], out: &mut [u8]) -> Option<usize> {
        self.relayed = None;
        self.sequence = self.sequence.wrapping_add(1);
        self.count(payload.len());
        Packet { header, payload }.write(out)
    }

    fn count(&mut self, octets: usize) {
        self.packets += 1;
        self.octets += octets as u64;
    }
}

impl Relayed {
    fn continues(&self, header: &Header, most: u32) -> bool {
        let step = header.sequence.wrapping_sub(self.highest.sequence) as i16;
        let jump = header.timestamp.wrapping_sub(self.highest.timestamp) as i32;
        header.ssrc == self.ssrc
            && (-MAX_STEP..=MAX_STEP).contains(&step)
            && jump.unsigned_abs() <= most
    }
}

/// The later of two timestamps that are less than half a turn apart.
fn later(a: u32, b: u32) -> u32 {
    if (b.wrapping_sub(a) as i32) > 0 { b } else { a }
}
