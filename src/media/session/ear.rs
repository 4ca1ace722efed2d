//! What a leg hears: packets through the jitter buffer, decoded, with what is missing made up.

use crate::codec::Codec;
use crate::rtp::jitter_buffer::{Counts, JitterBuffer, Kind, Taken};
use crate::rtp::{Header, Packet};
use crate::{FRAME, Narrow, SILENCE};
use std::collections::VecDeque;
use std::time::Duration;

/// Samples of concealment until silence: 60 ms, as in G.711 Appendix I.
const CONCEALED: usize = 3 * FRAME;

/// A mean magnitude below this is no speech: about -45 dBm0.
const QUIET: i32 = 80;

/// Decodes one stream.
#[derive(Debug)]
pub(super) struct Ear {
    buffer: JitterBuffer,
    /// Decoded and not heard yet.
    samples: VecDeque<i16>,
    heard: Narrow,
    /// The last frame that came whole, for concealment.
    last: Narrow,
    /// Samples since then.
    missing: usize,
}

impl Ear {
    pub(super) fn new() -> Self {
        Self {
            buffer: JitterBuffer::new(crate::SAMPLE_RATE),
            samples: VecDeque::new(),
            heard: SILENCE,
            last: SILENCE,
            missing: CONCEALED,
        }
    }

    /// Forgets what it heard; what was counted stays.
    pub(super) fn clear(&mut self) {
        self.buffer.reset(crate::SAMPLE_RATE);
        self.samples = VecDeque::new();
        self.heard = SILENCE;
        self.last = SILENCE;
        self.missing = CONCEALED;
    }

    pub(super) fn insert(&mut self, packet: &Packet<'_>, kind: Kind) {
        let ticks = match kind {
            Kind::Sound => packet.payload.len() as u32,
            Kind::ComfortNoise => FRAME as u32,
        };
        self.buffer.insert(packet, ticks, kind);
    }

    pub(super) fn pass(&mut self, header: &Header) {
        self.buffer.pass(header);
    }

    pub(super) fn counts(&self) -> Counts {
        self.buffer.counts()
    }

    pub(super) fn delay(&self) -> Duration {
        self.buffer.delay()
    }

    /// Hears the next 20 ms.
    pub(super) fn beat(&mut self, codec: Codec) -> &Narrow {
        let sum: i32 = self.heard.iter().map(|&it| i32::from(it).abs()).sum();
        self.buffer.beat(sum < QUIET * FRAME as i32);
        while self.samples.len() < FRAME {
            match self.buffer.take() {
                Taken::Sound(payload) => {
                    let decoded = payload.iter().map(|&byte| codec.decode(byte));
                    self.samples.extend(decoded);
                    self.missing = 0;
                }
                Taken::Lost { ticks } | Taken::Stretch { ticks } => self.conceal(ticks as usize),
                Taken::ComfortNoise(_) => self.silence(FRAME),
                Taken::Nothing { ticks } => self.silence(ticks as usize),
            }
        }
        for (sample, next) in self.heard.iter_mut().zip(self.samples.drain(..FRAME)) {
            *sample = next;
        }
        if self.missing == 0 {
            self.last = self.heard;
        }
        &self.heard
    }

    fn silence(&mut self, len: usize) {
        self.samples.extend(std::iter::repeat_n(0, len));
        self.missing = CONCEALED;
    }

    /// What was last heard again, fading away.
    fn conceal(&mut self, len: usize) {
        for _ in 0..len {
            let left = CONCEALED.saturating_sub(self.missing) as i32;
            let heard = i32::from(self.last[self.missing % FRAME]);
            self.samples
                .push_back((heard * left / CONCEALED as i32) as i16);
            self.missing = (self.missing + 1).min(CONCEALED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODEC: Codec = Codec::Pcma;

    fn insert(ear: &mut Ear, number: u16, level: i16) {
        let mut payload = [0; FRAME];
        CODEC.encode(&[level; FRAME], &mut payload);
        let header = Header {
            marker: false,
            payload_type: 8,
            sequence: number,
            timestamp: u32::from(number) * FRAME as u32,
            ssrc: 1,
        };
        let packet = Packet {
            header,
            payload: &payload,
        };
        ear.insert(&packet, Kind::Sound);
    }

    #[test]
    fn a_lost_packet_is_concealed_by_the_one_before_fading_away() {
        let mut ear = Ear::new();
        for number in 0..3 {
            insert(&mut ear, number, 4000);
        }
        let levels: Vec<_> = (0..10).map(|_| ear.beat(CODEC)[FRAME / 2]).collect();
        assert_eq!(levels[..2], [0, 0]);
        assert!(levels[2..5].iter().all(|&level| level > 3800), "{levels:?}");
        assert!(levels[4] > levels[5] && levels[5] > levels[6] && levels[6] > levels[7]);
        assert!(levels[7] > 0 && levels[8..] == [0, 0], "{levels:?}");
    }

    #[test]
    fn packets_of_10_and_30_ms_are_heard_whole() {
        for len in [80, 240] {
            let mut ear = Ear::new();
            let mut heard: Vec<i16> = Vec::new();
            let mut sent = 0;
            for beat in 0..50 {
                while sent * len <= beat * FRAME {
                    let mut payload = [0; FRAME];
                    CODEC.encode(&[4000; FRAME], &mut payload);
                    let payload = payload.repeat(2);
                    let header = Header {
                        marker: false,
                        payload_type: 8,
                        sequence: sent as u16,
                        timestamp: (sent * len) as u32,
                        ssrc: 1,
                    };
                    let packet = Packet {
                        header,
                        payload: &payload[..len],
                    };
                    ear.insert(&packet, Kind::Sound);
                    sent += 1;
                }
                heard.extend(ear.beat(CODEC));
            }
            assert_eq!(heard[..2 * FRAME], [0; 2 * FRAME]);
            assert!(heard[2 * FRAME..].iter().all(|&it| it > 3800), "{len}");
        }
    }
}
