//! The codecs that a leg may speak.

pub mod g711;

use crate::Narrow;

/// An audio codec with a static payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// G.711 A-law, 64 kbit/s.
    Pcma,
    /// G.711 µ-law, 64 kbit/s.
    Pcmu,
}

impl Codec {
    /// Every codec, in our order of preference.
    pub const ALL: [Self; 2] = [Self::Pcma, Self::Pcmu];

    /// The encoding name in SDP.
    ///
    /// *Source*: RFC 3551 Table 4.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// The static RTP payload type.
    ///
    /// *Source*: RFC 3551 Table 4.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
    }

    /// The RTP clock rate in hertz.
    ///
    /// *Source*: RFC 3551 Table 4.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu => 8000,
        }
    }

    /// The codec of a static payload type.
    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            8 => Some(Self::Pcma),
            0 => Some(Self::Pcmu),
            _ => None,
        }
    }

    /// The codec of an encoding name; case does not matter (RFC 4855 §3).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Encodes one frame.
    pub fn encode(self, frame: &Narrow, payload: &mut [u8; crate::FRAME]) {
        let table = match self {
            Self::Pcma => g711::encode_a_law,
            Self::Pcmu => g711::encode_mu_law,
        };
        for (byte, &sample) in payload.iter_mut().zip(frame) {
            *byte = table(sample);
        }
    }

    /// Decodes one byte of payload: G.711 has one sample in each.
    pub const fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Pcma => g711::A_LAW[byte as usize],
            Self::Pcmu => g711::MU_LAW[byte as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_payload_types_lead_back_to_the_codec() {
        for codec in Codec::ALL {
            assert_eq!(Codec::from_name(&codec.name().to_lowercase()), Some(codec));
            assert_eq!(Codec::from_payload_type(codec.payload_type()), Some(codec));
        }
        assert_eq!(Codec::from_name("G729"), None);
        assert_eq!(Codec::from_payload_type(18), None);
    }

    #[test]
    fn silence_stays_silence() {
        for codec in Codec::ALL {
            let mut payload = [0; crate::FRAME];
            codec.encode(&crate::SILENCE, &mut payload);
            assert!(payload.iter().all(|&byte| codec.decode(byte).abs() <= 8));
        }
    }
}
