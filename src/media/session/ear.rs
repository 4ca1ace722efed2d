//! What a leg hears: packets through the jitter buffer, decoded, with what is missing made up.

use crate::Frame;
use crate::codec::{Codec, Decoder};
use crate::rtp::jitter_buffer::{Counts, JitterBuffer, Kind, Taken};
use crate::rtp::{Header, Packet};
use std::collections::VecDeque;
use std::time::Duration;

/// A mean magnitude below this is no speech: about -45 dBm0.
const QUIET: i32 = 80;

/// Decodes one stream.
#[derive(Debug)]
pub(super) struct Ear {
    buffer: JitterBuffer,
    /// Made when there is something to decode.
    decoder: Option<Decoder>,
    /// Decoded and not heard yet.
    samples: VecDeque<i16>,
    heard: Frame,
}

impl Ear {
    pub(super) fn new() -> Self {
        Self {
            buffer: JitterBuffer::new(crate::SAMPLE_RATE),
            decoder: None,
            samples: VecDeque::new(),
            heard: Frame::SILENCE,
        }
    }

    /// Forgets what it heard; what was counted stays.
    pub(super) fn clear(&mut self) {
        self.decoder = None;
        self.samples = VecDeque::new();
        self.heard = Frame::SILENCE;
        self.buffer.reset(crate::SAMPLE_RATE);
    }

    /// The decoder for a codec; with another one everything begins anew.
    fn tune(&mut self, codec: Codec) {
        if self.decoder.as_ref().map(Decoder::codec) != Some(codec) {
            self.samples.clear();
            self.heard = Frame::silent(codec.rate());
            self.buffer.reset(codec.clock_rate());
            self.decoder = Some(Decoder::new(codec));
        }
    }

    pub(super) fn insert(&mut self, packet: &Packet<'_>, codec: Codec, kind: Kind) {
        self.tune(codec);
        let (ticks, kind) = match kind {
            Kind::Sound if codec.is_silence(packet.payload) => {
                (codec.ticks(packet.payload), Kind::ComfortNoise)
            }
            Kind::Sound => (codec.ticks(packet.payload), Kind::Sound),
            Kind::ComfortNoise => (codec.clock_rate() / 50, Kind::ComfortNoise),
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

    /// Hears the next 20 ms, at the rate of the codec.
    pub(super) fn beat(&mut self, codec: Codec) -> &Frame {
        self.tune(codec);
        let heard = self.heard.samples();
        let sum: i32 = heard.iter().map(|&it| i32::from(it).abs()).sum();
        self.buffer.beat(sum < QUIET * heard.len() as i32);
        let len = heard.len();
        while self.samples.len() < len {
            let Some(decoder) = &mut self.decoder else {
                break;
            };
            let sound = match self.buffer.take() {
                Taken::Sound(payload) => decoder.decode(payload),
                Taken::Lost { ticks } => decoder.conceal(ticks, self.buffer.following()),
                Taken::Stretch { ticks } => decoder.conceal(ticks, None),
                Taken::ComfortNoise(payload) => {
                    decoder.take_noise(payload);
                    decoder.rest(codec.clock_rate() / 50)
                }
                Taken::Nothing { ticks } => decoder.rest(ticks),
            };
            self.samples.extend(sound);
        }
        let next = self.samples.drain(..len.min(self.samples.len()));
        for (sample, next) in self.heard.samples_mut().iter_mut().zip(next) {
            *sample = next;
        }
        &self.heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FRAME;

    const CODEC: Codec = Codec::Pcma;

    fn insert(ear: &mut Ear, number: u16, level: i16) {
        let payload = [crate::codec::g711::encode_a_law(level); FRAME];
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
        ear.insert(&packet, CODEC, Kind::Sound);
    }

    #[test]
    fn a_lost_packet_is_concealed_by_what_was_heard_before_fading_away() {
        let mut ear = Ear::new();
        for number in 0..3 {
            insert(&mut ear, number, 4000);
        }
        let levels: Vec<_> = (0..10)
            .map(|_| ear.beat(CODEC).samples()[FRAME / 2])
            .collect();
        assert_eq!(levels[..2], [0, 0]);
        assert!(levels[2..5].iter().all(|&level| level > 3800), "{levels:?}");
        assert!(levels[4] >= levels[5] && levels[5] > levels[6] && levels[6] > levels[7]);
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
                    let payload = [crate::codec::g711::encode_a_law(4000); 2 * FRAME];
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
                    ear.insert(&packet, CODEC, Kind::Sound);
                    sent += 1;
                }
                heard.extend(ear.beat(CODEC).samples());
            }
            assert_eq!(heard[..2 * FRAME], [0; 2 * FRAME]);
            assert!(heard[2 * FRAME..].iter().all(|&it| it > 3800), "{len}");
        }
    }
}
