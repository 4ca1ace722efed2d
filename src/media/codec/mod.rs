//! The codecs that a leg may speak.

pub mod comfort_noise;
pub mod concealment;
pub mod g711;
pub mod g722;
pub mod opus;
mod shared;

pub use shared::SharedSound;

use crate::activity::level;
use crate::resample::Converter;
use crate::{Frame, Rate};
use comfort_noise::ComfortNoise;
use concealment::Concealer;

/// Most octets of one beat in any codec.
pub const MAX_PAYLOAD: usize = 400;

/// An audio codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// G.711 A-law, 64 kbit/s.
    Pcma,
    /// G.711 µ-law, 64 kbit/s.
    Pcmu,
    /// G.722 in its mode 1, 64 kbit/s, wideband.
    G722,
    /// Opus, wideband.
    Opus,
}

impl Codec {
    /// Every codec, in the order of what it costs us: that is the order of preference where none is
    /// set.
    pub const ALL: [Self; 4] = [Self::Pcma, Self::Pcmu, Self::G722, Self::Opus];

    /// The encoding name in SDP.
    ///
    /// *Source*: RFC 3551 Table 4, RFC 7587 §7.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The RTP payload type that we offer: static, for Opus dynamic.
    ///
    /// *Source*: RFC 3551 Table 4.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// The RTP clock rate in hertz.
    ///
    /// *Source*: RFC 3551 Table 4, §4.5.2 (G.722 counts at 8 kHz though it is sampled at 16);
    /// RFC 7587 §4.1.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => 8000,
            Self::Opus => opus::CLOCK_RATE,
        }
    }

    /// The channels in SDP.
    ///
    /// *Source*: RFC 7587 §7: always two for Opus, whatever is sent.
    pub const fn channels(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => 1,
            Self::Opus => 2,
        }
    }

    /// How its sound is sampled here.
    pub const fn rate(self) -> Rate {
        match self {
            Self::Pcma | Self::Pcmu => Rate::Narrow,
            Self::G722 | Self::Opus => Rate::Wide,
        }
    }

    /// The codec of a static payload type.
    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            8 => Some(Self::Pcma),
            0 => Some(Self::Pcmu),
            9 => Some(Self::G722),
            _ => None,
        }
    }

    /// The codec of an encoding name; case does not matter (RFC 4855 §3).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// How long a payload's sound is, in ticks of the RTP clock.
    pub fn ticks(self, payload: &[u8]) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => payload.len() as u32,
            Self::Opus => opus::ticks(payload).unwrap_or(self.clock_rate() / 50),
        }
    }

    /// A payload that only says that its sender is silent now.
    pub fn is_silence(self, payload: &[u8]) -> bool {
        self == Self::Opus && opus::is_silence(payload)
    }
}

/// Makes the payloads of one stream.
#[derive(Debug)]
pub struct Encoder {
    codec: Codec,
    method: Encoding,
    converter: Converter,
}

#[derive(Debug)]
enum Encoding {
    ALaw,
    MuLaw,
    G722(Box<g722::Encoder>),
    Opus(Box<opus::Encoder>),
}

impl Encoder {
    /// An encoder at the start of a stream; `wishes` are those of a peer that hears Opus.
    pub fn new(codec: Codec, wishes: opus::Wishes) -> Self {
        let method = match codec {
            Codec::Pcma => Encoding::ALaw,
            Codec::Pcmu => Encoding::MuLaw,
            Codec::G722 => Encoding::G722(Box::default()),
            Codec::Opus => Encoding::Opus(Box::new(opus::Encoder::new(wishes))),
        };
        Self {
            codec,
            method,
            converter: Converter::default(),
        }
    }

    /// Encodes a beat of any rate; answers the payload's length.
    pub fn encode(&mut self, frame: &Frame, payload: &mut [u8; MAX_PAYLOAD]) -> usize {
        let frame = self.converter.take(frame, self.codec.rate());
        match (&mut self.method, &frame) {
            (Encoding::ALaw, Frame::Narrow(frame)) => {
                for (octet, &sample) in payload.iter_mut().zip(frame) {
                    *octet = g711::a_law(sample);
                }
                frame.len()
            }
            (Encoding::MuLaw, Frame::Narrow(frame)) => {
                for (octet, &sample) in payload.iter_mut().zip(frame) {
                    *octet = g711::mu_law(sample);
                }
                frame.len()
            }
            (Encoding::G722(encoder), Frame::Wide(frame)) => {
                let Some((first, _)) = payload.split_first_chunk_mut() else {
                    return 0;
                };
                encoder.encode(frame, first);
                first.len()
            }
            (Encoding::Opus(encoder), Frame::Wide(frame)) => encoder.encode(frame, payload),
            // The converter gave the codec's own rate.
            (Encoding::ALaw | Encoding::MuLaw, Frame::Wide(_))
            | (Encoding::G722(_) | Encoding::Opus(_), Frame::Narrow(_)) => 0,
        }
    }
}

/// Reads the payloads of one stream, and makes up what is missing.
#[derive(Debug)]
pub struct Decoder {
    codec: Codec,
    method: Decoding,
    /// What was decoded last.
    samples: Vec<i16>,
}

#[derive(Debug)]
enum Decoding {
    /// Codecs that only know sound.
    Plain(Box<Plain>),
    Opus(Box<opus::Decoder>),
}

#[derive(Debug)]
struct Plain {
    g722: Option<g722::Decoder>,
    concealer: Concealer,
    noise: ComfortNoise,
    /// The level of the background, in dBm0: it falls at once and rises slowly.
    background: f32,
    /// The noise is as the sender said, not as the background was.
    said: bool,
}

/// How fast the background rises with each packet, in dB.
const RISE: f32 = 0.2;

/// The loudest background that is made up when nobody said how loud it is, and the most quiet one
/// that is worth it, in dBm0.
const LOUDEST: f32 = -55.0;
const FAINTEST: f32 = -80.0;

impl Plain {
    fn new(codec: Codec) -> Self {
        Self {
            g722: (codec == Codec::G722).then(g722::Decoder::default),
            concealer: Concealer::new(codec.rate()),
            noise: ComfortNoise::default(),
            background: -100.0,
            said: false,
        }
    }

    fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut Vec<i16>) {
        if let Some(g722) = &mut self.g722 {
            g722.decode(payload, |sound| samples.extend_from_slice(sound));
        } else {
            let table = match codec {
                Codec::Pcmu => &g711::MU_LAW,
                Codec::Pcma | Codec::G722 | Codec::Opus => &g711::A_LAW,
            };
            samples.extend(payload.iter().map(|&octet| table[usize::from(octet)]));
        }
        self.background = level(samples).clamp(-100.0, self.background + RISE);
        self.said = false;
        self.concealer.heard(samples);
    }

    fn rest(&mut self, samples: &mut [i16]) {
        if !self.said {
            self.said = true;
            self.noise = ComfortNoise::default();
            if self.background > FAINTEST {
                self.noise.set_level(self.background.min(LOUDEST));
            }
            self.concealer.reset();
        }
        self.noise.fill(samples);
    }
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(codec: Codec) -> Self {
        let method = match codec {
            Codec::Pcma | Codec::Pcmu | Codec::G722 => Decoding::Plain(Box::new(Plain::new(codec))),
            Codec::Opus => Decoding::Opus(Box::default()),
        };
        Self {
            codec,
            method,
            samples: Vec::new(),
        }
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    fn samples_of(&self, ticks: u32) -> usize {
        (u64::from(ticks) * u64::from(self.codec.rate().hertz())
            / u64::from(self.codec.clock_rate())) as usize
    }

    /// The sound of a payload, at the codec's rate.
    pub fn decode(&mut self, payload: &[u8]) -> &[i16] {
        self.samples.clear();
        match &mut self.method {
            Decoding::Plain(plain) => plain.decode(self.codec, payload, &mut self.samples),
            Decoding::Opus(opus) => {
                if opus.decode(payload, &mut self.samples).is_none() {
                    opus.conceal(self.codec.rate().frame(), None, &mut self.samples);
                }
            }
        }
        &self.samples
    }

    /// What is heard in place of a lost packet of this many ticks; `after` is the payload that
    /// follows it, when that has come already.
    pub fn conceal(&mut self, ticks: u32, after: Option<&[u8]>) -> &[i16] {
        let len = self.samples_of(ticks);
        self.samples.clear();
        match &mut self.method {
            Decoding::Plain(plain) => {
                self.samples.resize(len, 0);
                plain.concealer.conceal(&mut self.samples);
            }
            Decoding::Opus(opus) => opus.conceal(len, after, &mut self.samples),
        }
        &self.samples
    }

    /// Takes comfort noise of RFC 3389: [`rest`](Self::rest) sounds like it.
    pub fn take_noise(&mut self, payload: &[u8]) {
        if let Decoding::Plain(plain) = &mut self.method {
            plain.noise.take(payload, plain.g722.is_some());
            plain.said = true;
            plain.concealer.reset();
        }
    }

    /// What is heard while the sender is silent: its comfort noise, or a faint background.
    pub fn rest(&mut self, ticks: u32) -> &[i16] {
        let len = self.samples_of(ticks);
        self.samples.clear();
        match &mut self.method {
            Decoding::Plain(plain) => {
                self.samples.resize(len, 0);
                plain.rest(&mut self.samples);
            }
            Decoding::Opus(opus) => opus.conceal(len, None, &mut self.samples),
        }
        &self.samples
    }
}

#[cfg(test)]
pub(crate) mod tests;
