//! Playing lists of sounds.

use crate::tone::Tone;
use std::sync::Arc;
use std::time::Duration;

/// What can be played.
#[derive(Clone, Debug, PartialEq)]
pub enum Sound {
    /// Samples: 8 kHz, mono, 16-bit linear.
    Pcm(Arc<[i16]>),
    /// A tone. An endless one plays until the play is stopped.
    Tone(Tone),
    /// Nothing, for a time.
    Silence(Duration),
    /// Telephone keys, sent as RFC 4733 events where agreed, else as tones.
    Digits(String),
}
