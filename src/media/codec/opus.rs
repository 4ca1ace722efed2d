//! Opus for speech: wideband, mono, 20 ms when sending, anything when receiving.
//!
//! Encoder and decoder work at 16 kHz by themselves, so nothing is resampled on the way.
//!
//! *Source*: RFC 6716, RFC 7587.

use ropus::{Application, Bandwidth, Bitrate, Channels, DecodeMode, InbandFec};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{WIDE_FRAME, Wide};

/// The RTP clock, whatever the sound is sampled at.
///
/// *Source*: RFC 7587 §4.1.
pub const CLOCK_RATE: u32 = 48_000;

/// Most samples of a packet: 120 ms at 16 kHz (RFC 6716 §2.1.4).
pub const MOST_SAMPLES: usize = 6 * WIDE_FRAME;

/// Bits per second that are spent on wideband speech.
///
/// *Source*: RFC 6716 §2.1.1: the sweet spot is 16 to 20 kbit/s; in-band FEC takes its part.
const BITRATE: u32 = 24_000;

/// The least that may be asked for (RFC 7587 §6.1), and the most that speech gains by.
const BITRATES: std::ops::RangeInclusive<u32> = 6_000..=48_000;

/// Computing for quality, from 0 to 10: from here on it doubles for little that is heard.
const COMPLEXITY: u8 = 5;

/// The loss that in-band FEC is made for, in per cent.
const EXPECTED_LOSS: u8 = 5;

/// What a peer wants to receive: the parameters of its `a=fmtp` line that concern us.
///
/// *Source*: RFC 7587 §6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// Highest sample rate that it can play, in hertz.
    pub max_playback_rate: u32,
    /// Highest bit rate, in bits per second.
    pub max_average_bitrate: Option<u32>,
    /// Lost packets shall be told again, roughly, in the packets after them.
    pub in_band_fec: bool,
    /// Packets shall all have the same length.
    pub constant_bitrate: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            max_playback_rate: 48_000,
            max_average_bitrate: None,
            in_band_fec: false,
            constant_bitrate: false,
        }
    }
}

impl Wishes {
    /// Reads the parameters of an `a=fmtp` line: `name=value;…`. What can't be read is left out.
    pub fn read(parameters: &str) -> Self {
        let mut wishes = Self::default();
        for parameter in parameters.split(';') {
            let Some((name, value)) = parameter.split_once('=') else {
                continue;
            };
            let Ok(value) = value.trim().parse::<u32>() else {
                continue;
            };
            match name.trim().to_ascii_lowercase().as_str() {
                "maxplaybackrate" => wishes.max_playback_rate = value,
                "maxaveragebitrate" => wishes.max_average_bitrate = Some(value),
                "useinbandfec" => wishes.in_band_fec = value == 1,
                "cbr" => wishes.constant_bitrate = value == 1,
                _ => {}
            }
        }
        wishes
    }

    fn bandwidth(self) -> Bandwidth {
        match self.max_playback_rate {
            ..12_000 => Bandwidth::Narrowband,
            12_000..16_000 => Bandwidth::Mediumband,
            16_000.. => Bandwidth::Wideband,
        }
    }

    fn bitrate(self) -> u32 {
        let most = self.max_average_bitrate.unwrap_or(BITRATE);
        BITRATE.min(most.clamp(*BITRATES.start(), *BITRATES.end()))
    }
}

/// What we want to receive, as parameters of an `a=fmtp` line.
pub const OURS: &str =
    "maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;sprop-stereo=0;useinbandfec=1";

/// How long a packet's sound is; `None` when it is no Opus packet.
///
/// *Units*: ticks of the 48 kHz clock.
/// *Source*: RFC 6716 §3.1 and §3.2.
pub fn ticks(packet: &[u8]) -> Option<u32> {
    let (toc, rest) = packet.split_first()?;
    let frame = match toc >> 3 {
        configuration @ 0..12 => [480, 960, 1920, 2880][usize::from(configuration & 3)],
        configuration @ 12..16 => [480, 960][usize::from(configuration & 1)],
        configuration => 120 << (configuration & 3),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first()? & 0x3F),
    };
    // R5: at most 120 ms.
    Some(frame * frames).filter(|ticks| (1..=5760).contains(ticks))
}

/// A packet that says no more than that its sender is silent (RFC 6716 §2.1.9).
pub fn is_silence(packet: &[u8]) -> bool {
    packet.len() <= 2
}

/// Makes a stream.
pub struct Encoder(Option<ropus::Encoder>);

impl std::fmt::Debug for Encoder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder for a peer.
    pub fn new(wishes: Wishes) -> Self {
        let fec = if wishes.in_band_fec {
            InbandFec::Enabled
        } else {
            InbandFec::Disabled
        };
        let encoder = ropus::Encoder::builder(16_000, Channels::Mono, Application::Voip)
            .bitrate(Bitrate::Bits(wishes.bitrate()))
            .complexity(COMPLEXITY)
            .max_bandwidth(wishes.bandwidth())
            .vbr(!wishes.constant_bitrate)
            .inband_fec(fec)
            .packet_loss_perc(EXPECTED_LOSS)
            .build();
        debug_assert!(encoder.is_ok(), "its settings are within their ranges");
        Self(encoder.ok())
    }

    /// Encodes a beat; answers its length.
    pub fn encode(&mut self, frame: &Wide, payload: &mut [u8]) -> usize {
        let Some(encoder) = &mut self.0 else {
            return 0;
        };
        encoder.encode(frame, payload).unwrap_or(0)
    }
}

/// Reads a stream.
pub struct Decoder(Option<ropus::Decoder>);

impl std::fmt::Debug for Decoder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Default for Decoder {
    fn default() -> Self {
        let decoder = ropus::Decoder::new(16_000, Channels::Mono);
        debug_assert!(decoder.is_ok(), "mono at 16 kHz is possible");
        Self(decoder.ok())
    }
}

impl Decoder {
    /// Decodes a packet into `samples`; `None` when it is no Opus.
    pub fn decode(&mut self, packet: &[u8], samples: &mut Vec<i16>) -> Option<()> {
        ticks(packet)?;
        self.run(packet, MOST_SAMPLES, DecodeMode::Normal, samples)
    }

    /// Makes up `len` lost samples: from what the packet after them tells of them, where there is
    /// one, else by going on.
    pub fn conceal(&mut self, len: usize, after: Option<&[u8]>, samples: &mut Vec<i16>) {
        // In steps of 2.5 ms, at most 120 ms: that is what there are packets of.
        let whole = len.clamp(40, MOST_SAMPLES) / 40 * 40;
        let told = after.filter(|packet| ticks(packet).is_some());
        if told.is_none_or(|packet| self.run(packet, whole, DecodeMode::Fec, samples).is_none()) {
            self.run(&[], whole, DecodeMode::Normal, samples);
        }
        samples.resize(len, 0);
    }

    /// The codec has been shown millions of broken packets; should one make it panic all the same,
    /// it is the stream that begins anew, not the media thread.
    fn run(
        &mut self,
        packet: &[u8],
        len: usize,
        mode: DecodeMode,
        samples: &mut Vec<i16>,
    ) -> Option<()> {
        let decoder = self.0.as_mut()?;
        samples.clear();
        samples.resize(len, 0);
        let caught = catch_unwind(AssertUnwindSafe(|| decoder.decode(packet, samples, mode)));
        let Ok(length) = caught else {
            *self = Self::default();
            return None;
        };
        samples.truncate(length.ok()?);
        Some(())
    }
}
