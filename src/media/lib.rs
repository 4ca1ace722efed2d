//! RTP, codecs, sound and SDP without sockets.

#![warn(missing_docs)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "signal processing moves between sample widths all the time"
)]

pub mod activity;
pub mod codec;
mod direction;
pub mod dtmf;
pub mod goertzel;
pub mod mixer;
pub mod music;
pub mod player;
pub mod recorder;
pub mod resample;
pub mod rtp;
pub mod sdp;
pub mod session;
pub mod tone;
pub mod wav;

pub use direction::Direction;

use std::time::Duration;

/// Samples per second of all audio inside this crate.
pub const SAMPLE_RATE: u32 = 8000;

/// Samples of one beat: 20 ms at 8 kHz.
pub const FRAME: usize = 160;

/// The length of one beat.
pub const BEAT: Duration = Duration::from_millis(20);

/// One beat of audio.
///
/// *Shape*: 20 ms at 8 kHz, mono, 16-bit linear, host order.
pub type Frame = [i16; FRAME];

/// A frame without sound.
pub const SILENCE: Frame = [0; FRAME];
