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
mod frame;
pub mod goertzel;
pub mod mixer;
pub mod music;
pub mod player;
pub mod recorder;
pub mod resample;
pub mod rtp;
pub mod sdp;
pub mod session;
#[cfg(test)]
mod test_speech;
pub mod tone;
pub mod wav;

pub use direction::Direction;
pub use frame::{BEAT, FRAME, Frame, Narrow, Rate, SAMPLE_RATE, SILENCE, WIDE_FRAME, Wide};
