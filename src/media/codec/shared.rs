//! One beat of sound for many.

use super::opus::Wishes;
use super::{Codec, Encoder, MAX_PAYLOAD};
use crate::Frame;

/// A beat of sound that many legs say, encoded once for each of their codecs, on the first demand.
/// A codec that nobody asks for through a beat begins anew.
#[derive(Debug, Default)]
pub struct SharedSound {
    frame: Frame,
    encoded: Vec<Encoded>,
}

#[derive(Debug)]
struct Encoded {
    codec: Codec,
    wishes: Wishes,
    encoder: Encoder,
    /// Octets of this beat's payload; `None` before it is asked for.
    len: Option<usize>,
    payload: Box<[u8; MAX_PAYLOAD]>,
}

impl SharedSound {
    /// Takes the next beat.
    pub fn set(&mut self, frame: Frame) {
        self.frame = frame;
        self.encoded
            .retain_mut(|encoded| encoded.len.take().is_some());
    }

    /// The beat.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The beat in a codec; `wishes` are those of a peer that hears Opus.
    pub fn payload(&mut self, codec: Codec, wishes: Wishes) -> &[u8] {
        let alike = |encoded: &Encoded| {
            encoded.codec == codec && (codec != Codec::Opus || encoded.wishes == wishes)
        };
        let at = self.encoded.iter().position(alike).unwrap_or_else(|| {
            self.encoded.push(Encoded {
                codec,
                wishes,
                encoder: Encoder::new(codec, wishes),
                len: None,
                payload: Box::new([0; MAX_PAYLOAD]),
            });
            self.encoded.len() - 1
        });
        let frame = &self.frame;
        let Encoded {
            encoder,
            len,
            payload,
            ..
        } = &mut self.encoded[at];
        let len = *len.get_or_insert_with(|| encoder.encode(frame, payload));
        &payload[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FRAME;

    #[test]
    fn each_codec_is_encoded_once_a_beat() {
        let mut sound = SharedSound::default();
        let mut encoders = Codec::ALL.map(|codec| Encoder::new(codec, Wishes::default()));
        for level in [1000, -3000, 500] {
            let frame = [level; FRAME].into();
            sound.set(frame);
            for (codec, encoder) in Codec::ALL.into_iter().zip(&mut encoders) {
                let mut expected = [0; MAX_PAYLOAD];
                let len = encoder.encode(&frame, &mut expected);
                for _ in 0..3 {
                    let payload = sound.payload(codec, Wishes::default());
                    assert_eq!(payload, &expected[..len], "{codec:?}");
                }
            }
        }
        assert_eq!(sound.encoded.len(), Codec::ALL.len());
    }

    #[test]
    fn a_codec_that_nobody_asks_for_is_forgotten() {
        let mut sound = SharedSound::default();
        sound.payload(Codec::Opus, Wishes::default());
        sound.set(Frame::SILENCE);
        sound.set(Frame::SILENCE);
        assert!(sound.encoded.is_empty());
    }
}
