//! Reading WAV files of the kinds that telephony meets, and making them playable.

use crate::codec::g711;
use crate::player::Sound;
use crate::resample::resample;
use crate::{Rate, SAMPLE_RATE, recorder};
use std::sync::Arc;
use std::time::Duration;

/// Sample rates that are taken, in hertz: a file does not grow to more than twice its samples.
const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 4000..=384_000;

/// Lengths from here on stand for "until the file ends": programs that write to a pipe do not
/// know the length and put all ones, or a little less than 2 GiB.
const UNKNOWN_LENGTH: u32 = 0x7FFF_0000;

/// `wFormatTag` values.
///
/// *Source*: RFC 2361 Appendix A; `mmreg.h` for the last.
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xFFFE;

/// Why a file cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// Not a RIFF file of type WAVE.
    #[error("this is not a WAV file")]
    NotWav,
    /// The `fmt ` chunk is missing, late or too short.
    #[error("the file does not say what format its samples have")]
    NoFormat,
    /// The `data` chunk is missing.
    #[error("the file has no samples")]
    NoSamples,
    /// An encoding that we do not read.
    #[error(
        "the encoding is not supported (format {tag}, {bits} bits): use linear PCM of 8, 16, 24 or \
         32 bits, 32-bit or 64-bit float, A-law or µ-law"
    )]
    Encoding {
        /// The format tag.
        tag: u16,
        /// Bits for each sample.
        bits: u16,
    },
    /// Neither mono nor stereo.
    #[error("the file has {0} channels: only mono and stereo can be played")]
    Channels(u16),
    /// An unlikely sample rate.
    #[error("a sample rate of {0} Hz cannot be played")]
    SampleRate(u32),
    /// The file ends before its samples do.
    #[error(
        "the file is cut short: {promised} octets of samples are promised, {present} are there"
    )]
    Truncated {
        /// What the header says.
        promised: u32,
        /// What there is.
        present: u32,
    },
}

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Linear, 8 bits, unsigned.
    Pcm8,
    /// Linear, 16 bits.
    Pcm16,
    /// Linear, 24 bits.
    Pcm24,
    /// Linear, 32 bits.
    Pcm32,
    /// IEEE 754, 32 bits.
    Float32,
    /// IEEE 754, 64 bits.
    Float64,
    /// G.711 A-law.
    ALaw,
    /// G.711 µ-law.
    MuLaw,
}

impl Encoding {
    fn new(tag: u16, bits: u16) -> Result<Self, WavError> {
        match (tag, bits) {
            (PCM, 8) => Ok(Self::Pcm8),
            (PCM, 16) => Ok(Self::Pcm16),
            (PCM, 24) => Ok(Self::Pcm24),
            (PCM, 32) => Ok(Self::Pcm32),
            (FLOAT, 32) => Ok(Self::Float32),
            (FLOAT, 64) => Ok(Self::Float64),
            (A_LAW, 8) => Ok(Self::ALaw),
            (MU_LAW, 8) => Ok(Self::MuLaw),
            (tag, bits) => Err(WavError::Encoding { tag, bits }),
        }
    }

    /// Octets of a sample.
    pub const fn octets(self) -> usize {
        match self {
            Self::Pcm8 | Self::ALaw | Self::MuLaw => 1,
            Self::Pcm16 => 2,
            Self::Pcm24 => 3,
            Self::Pcm32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// A sample as a share of full scale; 0 for a float that is no number.
    fn sample(self, bytes: &[u8]) -> f32 {
        let value = match (self, bytes) {
            (Self::Pcm8, &[byte]) => (f32::from(byte) - 128.0) / 128.0,
            (Self::ALaw, &[byte]) => f32::from(g711::A_LAW[usize::from(byte)]) / 32768.0,
            (Self::MuLaw, &[byte]) => f32::from(g711::MU_LAW[usize::from(byte)]) / 32768.0,
            (Self::Pcm16, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32768.0,
            (Self::Pcm24, &[a, b, c]) => i32::from_le_bytes([0, a, b, c]) as f32 / 2_147_483_648.0,
            (Self::Pcm32, &[a, b, c, d]) => {
                i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0
            }
            (Self::Float32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (Self::Float64, bytes) => bytes
                .first_chunk::<8>()
                .map_or(0.0, |bytes| f64::from_le_bytes(*bytes) as f32),
            _ => 0.0,
        };
        if value.is_finite() {
            value.clamp(-1.0, 1.0)
        } else {
            0.0
        }
    }
}

/// A WAV file in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wav<'a> {
    /// How samples are stored.
    pub encoding: Encoding,
    /// 1 or 2.
    pub channels: u16,
    /// In hertz.
    pub sample_rate: u32,
    /// The samples, channels interleaved, without a last incomplete one.
    data: &'a [u8],
}

/// Reads a WAV file to what a leg plays: 8 kHz, mono (both channels of a stereo file together).
///
/// # Errors
/// When it is no WAV file, or one that cannot be played.
pub fn read(bytes: &[u8]) -> Result<Arc<[i16]>, WavError> {
    Ok(Wav::parse(bytes)?.mono())
}

/// Reads a WAV file to a sound: also at 16 kHz where it holds more than the telephone band.
///
/// # Errors
/// As [`read`].
pub fn sound(bytes: &[u8]) -> Result<Sound, WavError> {
    let wav = Wav::parse(bytes)?;
    if wav.sample_rate <= SAMPLE_RATE {
        return Ok(Sound::Pcm(wav.mono()));
    }
    let frames = wav.frames();
    Ok(Sound::Wideband {
        narrow: wav.playable(&frames, Rate::Narrow),
        wide: wav.playable(&frames, Rate::Wide),
    })
}

impl<'a> Wav<'a> {
    /// Reads the header and finds the samples. Nothing is copied.
    ///
    /// # Errors
    /// When it is no WAV file, or one that cannot be played.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WavError> {
        let (riff, mut rest) = bytes.split_first_chunk::<12>().ok_or(WavError::NotWav)?;
        if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
            return Err(WavError::NotWav);
        }
        let mut format = None;
        while let Some((head, body)) = rest.split_first_chunk::<8>() {
            let [i0, i1, i2, i3, l0, l1, l2, l3] = *head;
            let len = u32::from_le_bytes([l0, l1, l2, l3]);
            let kept = body.get(..len as usize);
            match &[i0, i1, i2, i3] {
                b"fmt " => format = Some(Format::read(kept.ok_or(WavError::NoFormat)?)?),
                b"data" => {
                    let format = format.ok_or(WavError::NoFormat)?;
                    let data = match kept {
                        Some(data) => data,
                        None if len >= UNKNOWN_LENGTH => body,
                        None => {
                            let present = u32::try_from(body.len()).unwrap_or(u32::MAX);
                            return Err(WavError::Truncated {
                                promised: len,
                                present,
                            });
                        }
                    };
                    let block = format.encoding.octets() * usize::from(format.channels);
                    return Ok(Self {
                        encoding: format.encoding,
                        channels: format.channels,
                        sample_rate: format.sample_rate,
                        data: &data[..data.len() - data.len() % block],
                    });
                }
                _ => {}
            }
            // Chunks begin at even places.
            let next = len as usize + (len as usize & 1);
            rest = body.get(next..).unwrap_or_default();
        }
        Err(if format.is_some() {
            WavError::NoSamples
        } else {
            WavError::NoFormat
        })
    }

    /// How long it plays.
    pub fn duration(&self) -> Duration {
        let block = self.encoding.octets() * usize::from(self.channels);
        let frames = (self.data.len() / block) as u64;
        Duration::from_nanos(frames.saturating_mul(1_000_000_000) / u64::from(self.sample_rate))
    }

    /// What a leg plays: 8 kHz, both channels together.
    pub fn mono(&self) -> Arc<[i16]> {
        self.playable(&self.frames(), Rate::Narrow)
    }

    /// Both channels together, at the file's rate.
    fn frames(&self) -> Vec<f32> {
        let octets = self.encoding.octets();
        let block = octets * usize::from(self.channels);
        let share = 1.0 / f32::from(self.channels);
        let frames = self.data.chunks_exact(block).map(|frame| {
            let samples = frame.chunks_exact(octets);
            samples
                .map(|sample| self.encoding.sample(sample))
                .sum::<f32>()
                * share
        });
        frames.collect()
    }

    /// One channel at 8 kHz, 0 being the left; `None` when there is no such channel.
    pub fn channel(&self, channel: u16) -> Option<Arc<[i16]>> {
        if channel >= self.channels {
            return None;
        }
        let octets = self.encoding.octets();
        let step = usize::from(self.channels);
        let samples = self
            .data
            .chunks_exact(octets)
            .skip(usize::from(channel))
            .step_by(step);
        let samples: Vec<_> = samples.map(|sample| self.encoding.sample(sample)).collect();
        Some(self.playable(&samples, Rate::Narrow))
    }

    fn playable(&self, samples: &[f32], rate: Rate) -> Arc<[i16]> {
        let resampled = resample(samples, self.sample_rate, rate.hertz());
        // A float beyond the range of 16 bits becomes their nearest value.
        resampled
            .iter()
            .map(|sample| (sample * 32768.0).round() as i16)
            .collect()
    }
}

/// A whole WAV file of samples at 8 kHz, 16 bits, mono: [`read`] the other way.
pub fn write(samples: &[i16]) -> Vec<u8> {
    let len = u32::try_from(samples.len() * 2).ok();
    let mut file = recorder::wav_header(1, len).to_vec();
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

#[derive(Clone, Copy, Debug)]
struct Format {
    encoding: Encoding,
    channels: u16,
    sample_rate: u32,
}

impl Format {
    /// Reads the body of a `fmt ` chunk.
    fn read(body: &[u8]) -> Result<Self, WavError> {
        let &[t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1] =
            body.first_chunk::<16>().ok_or(WavError::NoFormat)?;
        let mut tag = u16::from_le_bytes([t0, t1]);
        if tag == EXTENSIBLE {
            // The first two octets of the sub-format's GUID are the tag.
            let guid = body.get(24..26).ok_or(WavError::NoFormat)?;
            tag = u16::from_le_bytes([guid[0], guid[1]]);
        }
        let channels = u16::from_le_bytes([c0, c1]);
        let sample_rate = u32::from_le_bytes([r0, r1, r2, r3]);
        let encoding = Encoding::new(tag, u16::from_le_bytes([b0, b1]))?;
        if !(1..=2).contains(&channels) {
            return Err(WavError::Channels(channels));
        }
        if !SAMPLE_RATES.contains(&sample_rate) {
            return Err(WavError::SampleRate(sample_rate));
        }
        Ok(Self {
            encoding,
            channels,
            sample_rate,
        })
    }
}

#[cfg(test)]
mod tests;
