//! The jitter buffer: packets in as they come, 20 ms out on every beat.

use super::Packet;
use crate::codec::Codec;
use crate::{FRAME, Narrow, SILENCE};

/// Samples that the buffer can hold: 512 ms. A power of two, so that timestamps wrap with it.
const ROOM: u32 = 4096;

/// Delay with which a stream is begun: two beats, one for the phase between sender and beat and
/// one for jitter.
const FIRST_DELAY: u32 = 2 * FRAME as u32;

/// Beats that one late packet makes the stream wait at most: 240 ms.
const MAX_HOLD: u32 = 12;

/// Packets that come earlier than this before they are needed, all through a [`WINDOW`], make the
/// delay shrink by one beat.
const COMFORTABLE: i32 = 3 * FRAME as i32;

/// Beats over which the shortest time in the buffer is watched: 4 s.
const WINDOW: u32 = 200;

/// The same while the delay is far too long: 0.5 s.
const SHORT_WINDOW: u32 = 25;

/// Beats of concealment until silence: 60 ms, as in G.711 Appendix I.
const CONCEALED: u32 = 3;

/// Beats without a packet after which the next one begins the stream anew: 400 ms.
const STARVED: u32 = 20;

/// A jitter buffer for G.711, whose packets need no order to be decoded: each sample goes to its
/// place by timestamp at once, so reordering and duplicates need no care. A missing place is a loss.
///
/// The delay follows the network: it grows by what late packets were late, and shrinks beat by beat
/// while all packets come too early.
#[derive(Debug)]
pub struct JitterBuffer {
    samples: Box<[Option<i16>]>,
    stream: Option<Stream>,
    /// The last frame that came whole, for concealment.
    last: Narrow,
    /// Packets that came after their time.
    late: u64,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    /// Timestamp of the first sample of the next beat.
    next: u32,
    /// Beats to wait before going on, so that the delay grows.
    hold: u32,
    /// Beats since sound was last there.
    missing: u32,
    /// Beats since a packet came.
    starved: u32,
    /// Shortest time, in samples, between a packet's coming and its beat in this window.
    shortest: i32,
    /// Beats left of the window.
    window: u32,
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl JitterBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self {
            samples: vec![None; ROOM as usize].into_boxed_slice(),
            stream: None,
            last: SILENCE,
            late: 0,
        }
    }

    /// Forgets what is in it; the count of late packets stays.
    pub fn clear(&mut self) {
        self.samples.fill(None);
        self.stream = None;
        self.last = SILENCE;
    }

    /// Packets that came too late to be heard.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Takes a packet of audio.
    pub fn insert(&mut self, packet: &Packet<'_>, codec: Codec) {
        let timestamp = packet.header.timestamp;
        let len = packet.payload.len().min(ROOM as usize / 2) as i32;
        let expected = self.stream.as_ref().is_some_and(|stream| {
            let ahead = timestamp.wrapping_sub(stream.next) as i32;
            stream.ssrc == packet.header.ssrc
                && stream.starved < STARVED
                && ahead >= -(ROOM as i32)
                && ahead <= ROOM as i32 - len
        });
        if !expected {
            self.begin(packet);
        }
        let Some(stream) = self.stream.as_mut() else {
            return;
        };
        stream.starved = 0;
        let ahead = timestamp.wrapping_sub(stream.next) as i32;
        stream.shortest = stream.shortest.min(ahead);
        if ahead < 0 {
            // Wait for as many beats as this one was late, so that the next like it is in time.
            let late = ahead.unsigned_abs().div_ceil(FRAME as u32);
            stream.hold = stream.hold.max(late.min(MAX_HOLD));
        }
        if ahead + len <= 0 {
            self.late += 1;
            return;
        }
        for (offset, &byte) in packet.payload.iter().take(len as usize).enumerate() {
            if ahead + offset as i32 >= 0 {
                let at = timestamp.wrapping_add(offset as u32) % ROOM;
                self.samples[at as usize] = Some(codec.decode(byte));
            }
        }
    }

    /// Begins a stream at a packet.
    fn begin(&mut self, packet: &Packet<'_>) {
        self.samples.fill(None);
        self.stream = Some(Stream {
            ssrc: packet.header.ssrc,
            next: packet.header.timestamp.wrapping_sub(FIRST_DELAY),
            hold: 0,
            missing: CONCEALED,
            starved: 0,
            shortest: i32::MAX,
            window: WINDOW,
        });
    }

    /// Takes out the next 20 ms. What is missing is concealed by what was last heard, fading away;
    /// `false` when there was nothing at all.
    pub fn take(&mut self, frame: &mut Narrow) -> bool {
        let Some(stream) = self.stream.as_mut() else {
            *frame = SILENCE;
            return false;
        };
        stream.starved = stream.starved.saturating_add(1);
        if stream.hold > 0 {
            stream.hold -= 1;
            stream.missing = stream.missing.saturating_add(1);
            conceal(&self.last, stream.missing, frame);
            return false;
        }
        let mut present = 0;
        let mut whole = self.last;
        conceal(&self.last, stream.missing.saturating_add(1), &mut whole);
        for (offset, sample) in whole.iter_mut().enumerate() {
            let at = stream.next.wrapping_add(offset as u32) % ROOM;
            if let Some(heard) = self.samples[at as usize].take() {
                *sample = heard;
                present += 1;
            }
        }
        stream.next = stream.next.wrapping_add(FRAME as u32);
        *frame = whole;
        if present == 0 {
            stream.missing = stream.missing.saturating_add(1);
        } else {
            stream.missing = 0;
            self.last = whole;
        }
        self.shrink();
        present > 0
    }

    /// Leaves a beat out when packets have been too early for a whole window.
    fn shrink(&mut self) {
        let Some(stream) = self.stream.as_mut() else {
            return;
        };
        stream.window -= 1;
        if stream.window > 0 {
            return;
        }
        let skip = stream.shortest != i32::MAX && stream.shortest > COMFORTABLE;
        let far = skip && stream.shortest > 2 * COMFORTABLE;
        stream.window = if far { SHORT_WINDOW } else { WINDOW };
        stream.shortest = i32::MAX;
        if skip {
            for offset in 0..FRAME as u32 {
                self.samples[(stream.next.wrapping_add(offset) % ROOM) as usize] = None;
            }
            stream.next = stream.next.wrapping_add(FRAME as u32);
        }
    }
}

/// The frame to be heard in place of the `missing`th lost one.
fn conceal(last: &Narrow, missing: u32, frame: &mut Narrow) {
    if missing > CONCEALED {
        *frame = SILENCE;
        return;
    }
    let total = (CONCEALED * FRAME as u32) as i32;
    let gone = ((missing.max(1) - 1) * FRAME as u32) as i32;
    for (offset, (sample, &heard)) in (0_i32..).zip(frame.iter_mut().zip(last)) {
        *sample = (i32::from(heard) * (total - gone - offset) / total) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Header;
    use proptest::prelude::*;

    const CODEC: Codec = Codec::Pcma;

    /// A packet whose samples all have a level that tells its number.
    fn insert(buffer: &mut JitterBuffer, ssrc: u32, start: u32, number: u32) {
        let mut payload = [0; FRAME];
        CODEC.encode(&[level(number); FRAME], &mut payload);
        let header = Header {
            marker: false,
            payload_type: 8,
            sequence: number as u16,
            timestamp: start.wrapping_add(number * FRAME as u32),
            ssrc,
        };
        buffer.insert(
            &Packet {
                header,
                payload: &payload,
            },
            CODEC,
        );
    }

    fn level(number: u32) -> i16 {
        let mut payload = [0; FRAME];
        CODEC.encode(&[1000 + (number as i16 % 20) * 500; FRAME], &mut payload);
        CODEC.decode(payload[0])
    }

    fn take(buffer: &mut JitterBuffer) -> Option<i16> {
        let mut frame = SILENCE;
        buffer.take(&mut frame).then_some(frame[0])
    }

    #[test]
    fn packets_are_heard_in_order_after_the_first_delay() {
        let mut buffer = JitterBuffer::new();
        let start = u32::MAX - 500; // wraps on the way
        let mut heard = Vec::new();
        for number in 0..40 {
            insert(&mut buffer, 1, start, number);
            heard.push(take(&mut buffer));
        }
        assert_eq!(heard[..2], [None, None]);
        let expected: Vec<_> = (0..38).map(|number| Some(level(number))).collect();
        assert_eq!(heard[2..], expected);
    }

    #[test]
    fn reordered_and_doubled_packets_are_heard_once_and_in_order() {
        let mut buffer = JitterBuffer::new();
        let mut heard = Vec::new();
        for pair in 0..10 {
            insert(&mut buffer, 1, 0, pair * 2 + 1);
            insert(&mut buffer, 1, 0, pair * 2);
            insert(&mut buffer, 1, 0, pair * 2 + 1);
            heard.extend([take(&mut buffer), take(&mut buffer)]);
        }
        let heard: Vec<_> = heard.into_iter().flatten().collect();
        // The first packet to come was the second: delay is counted from it.
        assert_eq!(heard[..16], (0..16).map(level).collect::<Vec<_>>());
        assert_eq!(buffer.late(), 0);
    }

    #[test]
    fn a_lost_packet_is_concealed_by_the_one_before_fading_away() {
        let mut buffer = JitterBuffer::new();
        let mut frame = SILENCE;
        for number in 0..3 {
            insert(&mut buffer, 1, 0, number);
            buffer.take(&mut frame);
        }
        buffer.take(&mut frame);
        buffer.take(&mut frame);
        assert_eq!(frame, [level(2); FRAME]);
        let mut levels = Vec::new();
        for _ in 0..5 {
            assert!(!buffer.take(&mut frame));
            levels.push(frame[FRAME / 2]);
        }
        assert!(
            levels[0] > levels[1] && levels[1] > levels[2] && levels[2] > 0,
            "{levels:?}"
        );
        assert_eq!(levels[3..], [0, 0]);
    }

    #[test]
    fn a_late_packet_is_dropped_and_makes_the_delay_grow() {
        let mut buffer = JitterBuffer::new();
        for number in 0..10 {
            insert(&mut buffer, 1, 0, number);
            take(&mut buffer);
        }
        // From now on everything comes 60 ms later than before.
        for _ in 0..3 {
            take(&mut buffer);
        }
        let heard: Vec<_> = (10..30)
            .map(|number| {
                insert(&mut buffer, 1, 0, number);
                take(&mut buffer)
            })
            .collect();
        assert!(buffer.late() >= 1);
        let last: Vec<_> = heard[10..].iter().flatten().collect();
        assert_eq!(last.len(), 10, "the later stream is heard whole: {heard:?}");
    }

    #[test]
    fn a_delay_that_is_too_long_shrinks() {
        let mut buffer = JitterBuffer::new();
        // Ten packets in a burst: 200 ms wait in the buffer.
        for number in 0..10 {
            insert(&mut buffer, 1, 0, number);
        }
        let mut waiting = 0;
        for number in 10..2500 {
            insert(&mut buffer, 1, 0, number);
            take(&mut buffer);
            let stream = buffer.stream.as_ref().expect("has begun");
            waiting = (number * FRAME as u32).wrapping_sub(stream.next) as i32;
        }
        assert!(
            (0..=COMFORTABLE).contains(&waiting),
            "{waiting} samples wait"
        );
    }

    #[test]
    fn another_source_or_a_jump_of_the_clock_begins_anew() {
        let mut buffer = JitterBuffer::new();
        for (ssrc, start) in [(1, 0), (2, 7_000_000), (2, 90_000_000), (2, 1_000)] {
            let heard: Vec<_> = (0..10)
                .map(|number| {
                    insert(&mut buffer, ssrc, start, number);
                    take(&mut buffer)
                })
                .collect();
            let expected: Vec<_> = (0..8).map(|number| Some(level(number))).collect();
            assert_eq!(heard[2..], expected, "source {ssrc} from {start}");
        }
    }

    #[test]
    fn a_pause_of_the_sender_does_not_lengthen_the_delay() {
        let mut buffer = JitterBuffer::new();
        for number in 0..10 {
            insert(&mut buffer, 1, 0, number);
            take(&mut buffer);
        }
        for _ in 0..500 {
            take(&mut buffer);
        }
        // Silence suppression: the clock of the sender has gone on.
        insert(&mut buffer, 1, 0, 510);
        assert_eq!((take(&mut buffer), take(&mut buffer)), (None, None));
        assert_eq!(take(&mut buffer), Some(level(510)));
    }

    #[test]
    fn a_timestamp_half_a_turn_away_begins_anew() {
        for away in [i32::MAX, i32::MAX - 10, i32::MIN] {
            let mut buffer = JitterBuffer::new();
            insert(&mut buffer, 1, FIRST_DELAY, 0);
            insert(&mut buffer, 1, away as u32, 0);
            assert_eq!((take(&mut buffer), take(&mut buffer)), (None, None));
            assert_eq!(take(&mut buffer), Some(level(0)));
        }
    }

    proptest! {
        #[test]
        fn any_order_of_any_packets_is_borne(
            packets in proptest::collection::vec((0..3_u32, any::<u32>(), 0..700_usize, 0..4_u8), 0..100),
        ) {
            let mut buffer = JitterBuffer::new();
            let payload = [0xD5; 700];
            for (ssrc, timestamp, len, beats) in packets {
                let header =
                    Header { marker: false, payload_type: 8, sequence: 0, timestamp, ssrc };
                buffer.insert(&Packet { header, payload: &payload[..len] }, CODEC);
                for _ in 0..beats {
                    take(&mut buffer);
                }
            }
        }

        #[test]
        fn sound_is_kept_whole_through_any_jitter_within_the_delay(
            delays in proptest::collection::vec(0..2_usize, 50),
        ) {
            let mut buffer = JitterBuffer::new();
            let mut heard = Vec::new();
            for beat in 0..60 {
                for (number, delay) in delays.iter().enumerate() {
                    if number + delay == beat {
                        insert(&mut buffer, 1, 0, number as u32);
                    }
                }
                heard.extend(take(&mut buffer));
            }
            let expected: Vec<_> = (0..50).map(level).collect();
            prop_assert_eq!(heard, expected);
        }
    }
}
