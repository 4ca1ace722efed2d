//! Telephone keys: RFC 4733 telephone-events received and sent, and the tone pairs of Q.23 for
//! peers that know none.

mod detector;

pub use detector::Detector;

use crate::rtp::Packet;
use crate::tone::{Oscillator, amplitude};
use crate::{FRAME, Narrow, SILENCE};
use std::collections::VecDeque;

/// The keys by their event codes.
///
/// *Source*: RFC 4733 §3.2 Table 3.
const KEYS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];

/// The two frequencies of each key, in hertz, by event code.
///
/// *Source*: ITU-T Q.23 Table 1.
const FREQUENCIES: [(u16, u16); 16] = [
    (941, 1336),
    (697, 1209),
    (697, 1336),
    (697, 1477),
    (770, 1209),
    (770, 1336),
    (770, 1477),
    (852, 1209),
    (852, 1336),
    (852, 1477),
    (941, 1209),
    (941, 1477),
    (697, 1633),
    (770, 1633),
    (852, 1633),
    (941, 1633),
];

/// The code of a key; small letters count as capital ones.
pub fn code_of(key: char) -> Option<u8> {
    let key = key.to_ascii_uppercase();
    (0..)
        .zip(KEYS)
        .find(|&(_, known)| known == key)
        .map(|(code, _)| code)
}

/// The key of an event code; `None` for events that are no keys (flash, modem tones).
pub fn key_of(code: u8) -> Option<char> {
    KEYS.get(usize::from(code)).copied()
}

/// The payload of a telephone-event packet.
///
/// *Source*: RFC 4733 §2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPayload {
    /// The event code.
    pub event: u8,
    /// The event has ended.
    pub end: bool,
    /// Level in dBm0 without its sign, 0 to 63.
    pub volume: u8,
    /// How long it has lasted, in ticks.
    pub duration: u16,
}

impl EventPayload {
    /// The same counted by a clock of another rate.
    #[must_use]
    pub fn at_clock(self, from: u32, to: u32) -> Self {
        let duration = u64::from(self.duration) * u64::from(to) / u64::from(from.max(1));
        Self {
            duration: u16::try_from(duration).unwrap_or(u16::MAX),
            ..self
        }
    }

    /// Reads a payload; `None` when it is too short. More than one event in a packet is not
    /// used for keys (RFC 4733 §2.5.1.5): what follows the first is passed over.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low] = payload.first_chunk::<4>()?;
        Some(Self {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3F,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// Its octets.
    pub const fn bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        let end = if self.end { 0x80 } else { 0 };
        [self.event, end | self.volume & 0x3F, high, low]
    }
}

/// Hears each key once, however many packets tell of it.
///
/// An event is named by its timestamp: all its packets, its end and the repetitions of its end
/// share it (RFC 4733 §2.5.1.2). It is told when its first packet comes, so losing the others does
/// not matter. An event too long for the duration field goes on in a further segment, whose
/// timestamp is where the full one ended (§2.5.1.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Receiver {
    last: Option<Heard>,
}

/// Milliseconds by which a segment may seem shorter than it was.
const SLACK_MS: u32 = 200;

#[derive(Clone, Copy, Debug)]
struct Heard {
    ssrc: u32,
    timestamp: u32,
    payload: EventPayload,
}

impl Receiver {
    /// Takes a telephone-event packet of an RTP clock with this rate; answers a key that was not told
    /// before.
    pub fn take(&mut self, packet: &Packet<'_>, clock_rate: u32) -> Option<char> {
        let slack = clock_rate / 1000 * SLACK_MS;
        let payload = EventPayload::read(packet.payload)?;
        let header = &packet.header;
        let heard = Heard {
            ssrc: header.ssrc,
            timestamp: header.timestamp,
            payload,
        };
        if let Some(last) = self.last.filter(|last| last.ssrc == header.ssrc) {
            let since = header.timestamp.wrapping_sub(last.timestamp);
            if since == 0 {
                let grown = payload.duration.max(last.payload.duration);
                let end = payload.end || last.payload.end;
                self.last = Some(Heard {
                    payload: EventPayload {
                        duration: grown,
                        end,
                        ..last.payload
                    },
                    ..last
                });
                return None;
            }
            // A straggler of an event before: not more than a minute old.
            if since > u32::MAX - 60 * clock_rate {
                return None;
            }
            // Up to 200 ms of updates before the segment's end may have been lost.
            let full = u32::from(u16::MAX);
            let continues = !last.payload.end
                && last.payload.event == payload.event
                && !header.marker
                && (full.saturating_sub(slack)..=full).contains(&since)
                && u32::from(last.payload.duration) + slack >= since;
            if continues {
                self.last = Some(heard);
                return None;
            }
        }
        self.last = Some(heard);
        key_of(payload.event)
    }
}

/// Beats that a key sounds: 100 ms (Q.24 asks for at least 40).
const SOUNDING: u16 = 5;

/// RFC 4733 §2.5.1.4: the end is sent three times in all.
const ENDS: u16 = 3;

/// Beats from the start of a key to the next: 100 ms of pause (Q.24 asks for at least 40).
const PERIOD: u16 = 10;

/// Level of each key in dBm0 without its sign.
const VOLUME: u8 = 10;

/// Sends keys one after the other, one step on each beat.
#[derive(Debug, Default)]
pub struct Sender {
    waiting: VecDeque<u8>,
    current: Option<Step>,
}

/// One beat of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    event: u8,
    beat: u16,
}

impl Sender {
    /// Appends keys; what is no key is left out.
    pub fn push(&mut self, keys: &str) {
        self.waiting.extend(keys.chars().filter_map(code_of));
    }

    /// All keys and the pauses after them are over.
    pub fn is_idle(&self) -> bool {
        self.current.is_none() && self.waiting.is_empty()
    }

    /// Forgets all keys.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The step of this beat; `None` when there is nothing to send.
    pub fn beat(&mut self) -> Option<Step> {
        let step = match self.current {
            Some(Step { event, beat }) if beat + 1 < PERIOD => Step {
                event,
                beat: beat + 1,
            },
            _ => Step {
                event: self.waiting.pop_front()?,
                beat: 0,
            },
        };
        self.current = (step.beat + 1 < PERIOD || !self.waiting.is_empty()).then_some(step);
        Some(step)
    }
}

impl Step {
    /// The key begins: its packets get the timestamp of this beat, this one has the marker.
    pub fn is_first(self) -> bool {
        self.beat == 0
    }

    /// The packet of this beat for an RTP clock with this rate; `None` in the pause after the key.
    pub fn payload(self, clock_rate: u32) -> Option<EventPayload> {
        if self.beat >= SOUNDING + ENDS - 1 {
            return None;
        }
        Some(EventPayload {
            event: self.event,
            end: self.beat + 1 >= SOUNDING,
            volume: VOLUME,
            duration: (self.beat + 1).min(SOUNDING) * (clock_rate / 50) as u16,
        })
    }

    /// The sound of this beat, for peers that take no telephone-events.
    pub fn sound(self, frame: &mut Narrow) {
        *frame = SILENCE;
        if self.beat >= SOUNDING {
            return;
        }
        let (low, high) = FREQUENCIES[usize::from(self.event)];
        let level = amplitude(-f32::from(VOLUME) - 3.0);
        for hertz in [low, high] {
            let mut oscillator = Oscillator::new(f32::from(hertz));
            oscillator.skip(u32::from(self.beat) * FRAME as u32);
            for sample in frame.iter_mut() {
                *sample += (oscillator.next() * level) as i16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Header;
    use proptest::prelude::*;

    fn packet(
        receiver: &mut Receiver,
        marker: bool,
        timestamp: u32,
        payload: EventPayload,
    ) -> Option<char> {
        let header = Header {
            marker,
            payload_type: 101,
            sequence: 0,
            timestamp,
            ssrc: 1,
        };
        receiver.take(
            &Packet {
                header,
                payload: &payload.bytes(),
            },
            8000,
        )
    }

    fn payload(key: char, duration: u16, end: bool) -> EventPayload {
        EventPayload {
            event: code_of(key).expect("is a key"),
            end,
            volume: 10,
            duration,
        }
    }

    /// All packets of the keys with their timestamps, as a leg sends them.
    fn packets(keys: &str) -> Vec<(bool, u32, EventPayload)> {
        let mut sender = Sender::default();
        sender.push(keys);
        let mut packets = Vec::new();
        let mut start = 0;
        let mut clock = 1000;
        while let Some(step) = sender.beat() {
            if step.is_first() {
                start = clock;
            }
            if let Some(payload) = step.payload(8000) {
                packets.push((step.is_first(), start, payload));
            }
            clock += FRAME as u32;
        }
        packets
    }

    #[test]
    fn a_key_is_sent_with_marker_growing_duration_and_three_ends() {
        let expected: Vec<_> = [(160, false), (320, false), (480, false), (640, false)]
            .into_iter()
            .chain([(800, true); 3])
            .enumerate()
            .map(|(at, (duration, end))| (at == 0, 1000, payload('5', duration, end)))
            .collect();
        assert_eq!(packets("5"), expected);
    }

    #[test]
    fn keys_follow_one_another_with_a_pause() {
        let starts: Vec<_> = packets("1#d")
            .into_iter()
            .filter(|(marker, ..)| *marker)
            .map(|(_, timestamp, payload)| (timestamp, key_of(payload.event)))
            .collect();
        assert_eq!(
            starts,
            [(1000, Some('1')), (2600, Some('#')), (4200, Some('D'))]
        );
    }

    #[test]
    fn what_is_no_key_is_not_sent() {
        assert!(packets("x ,é").is_empty());
        let mut sender = Sender::default();
        sender.push("xyz");
        assert!(sender.is_idle());
    }

    #[test]
    fn a_sender_is_idle_after_the_pause_of_its_last_key() {
        let mut sender = Sender::default();
        sender.push("12");
        for _ in 0..2 * PERIOD {
            assert!(!sender.is_idle());
            assert!(sender.beat().is_some());
        }
        assert!(sender.is_idle());
        assert_eq!(sender.beat(), None);
    }

    #[test]
    fn a_long_key_over_several_segments_is_one_key() {
        let mut receiver = Receiver::default();
        let mut told = Vec::new();
        told.extend(packet(&mut receiver, true, 0, payload('7', 160, false)));
        for duration in (320..=65_440).step_by(160) {
            told.extend(packet(
                &mut receiver,
                false,
                0,
                payload('7', duration, false),
            ));
        }
        told.extend(packet(
            &mut receiver,
            false,
            0,
            payload('7', u16::MAX, false),
        ));
        told.extend(packet(
            &mut receiver,
            false,
            65_535,
            payload('7', 105, false),
        ));
        told.extend(packet(
            &mut receiver,
            false,
            65_535,
            payload('7', 265, true),
        ));
        assert_eq!(told, ['7']);
    }

    #[test]
    fn the_same_key_again_is_told_again_without_the_ends_before() {
        let mut receiver = Receiver::default();
        assert_eq!(
            packet(&mut receiver, true, 0, payload('1', 160, false)),
            Some('1')
        );
        assert_eq!(
            packet(&mut receiver, true, 3200, payload('1', 160, false)),
            Some('1')
        );
        // Its marker was lost too.
        assert_eq!(
            packet(&mut receiver, false, 6400, payload('1', 320, false)),
            Some('1')
        );
        assert_eq!(
            packet(&mut receiver, false, 3200, payload('1', 800, true)),
            None
        );
    }

    #[test]
    fn events_that_are_no_keys_and_short_payloads_are_passed_over() {
        let mut receiver = Receiver::default();
        let flash = EventPayload {
            event: 16,
            end: false,
            volume: 0,
            duration: 160,
        };
        assert_eq!(packet(&mut receiver, true, 0, flash), None);
        let header = Header {
            marker: true,
            payload_type: 101,
            sequence: 0,
            timestamp: 9,
            ssrc: 1,
        };
        assert_eq!(
            receiver.take(
                &Packet {
                    header,
                    payload: &[1, 2, 3]
                },
                8000
            ),
            None
        );
    }

    #[test]
    fn tone_pairs_have_their_frequencies_and_end_after_100_ms() {
        let mut sender = Sender::default();
        sender.push("6");
        let mut sound = Vec::new();
        while let Some(step) = sender.beat() {
            let mut frame = SILENCE;
            step.sound(&mut frame);
            sound.extend(frame);
        }
        let (on, off) = sound.split_at(800);
        assert!(crate::goertzel::hears(on, 770) && crate::goertzel::hears(on, 1477));
        assert!(!crate::goertzel::hears(on, 697) && !crate::goertzel::hears(on, 1209));
        assert!(off.iter().all(|&sample| sample == 0));
    }

    proptest! {
        #[test]
        fn every_key_is_heard_once_while_one_of_its_packets_comes(
            keys in "[0-9A-D*#]{1,12}", lost in proptest::collection::vec(any::<bool>(), 84),
        ) {
            let mut receiver = Receiver::default();
            let mut told = String::new();
            let mut expected = String::new();
            for (key, sent) in keys.chars().zip(packets(&keys).chunks(7)) {
                let mut some = false;
                for (&(marker, timestamp, payload), &lost) in sent.iter().zip(&lost[told.len()..]) {
                    if !lost {
                        some = true;
                        told.extend(packet(&mut receiver, marker, timestamp, payload));
                    }
                }
                if some {
                    expected.push(key);
                }
            }
            prop_assert_eq!(told, expected);
        }
    }
}
