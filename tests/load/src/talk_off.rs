//! Speech that must not be taken for keys or tones: prints what is heard in WAV files by mistake, for
//! each hour, and what it costs for each frame.
//!
//! ```text
//! flite -voice slt -f README.md -o /tmp/slt.wav
//! cargo run --release -p strowger-load --bin talk-off -- /tmp/slt.wav
//! ```

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a program for the hand that prints what it measured"
)]

use std::time::Instant;
use strowger_media::dtmf::Detector;
use strowger_media::tone::Listener;
use strowger_media::{BEAT, FRAME, Narrow};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in std::env::args().skip(1) {
        let sound = strowger_media::wav::read(&std::fs::read(&file)?)?;
        let frames: Vec<&Narrow> = sound
            .chunks_exact(FRAME)
            .filter_map(|frame| frame.try_into().ok())
            .collect();
        let hours = BEAT.as_secs_f64() * frames.len() as f64 / 3600.0;
        let (mut detector, mut listener) = (Detector::default(), Listener::default());
        let began = Instant::now();
        let keys: String = frames
            .iter()
            .filter_map(|frame| detector.take(frame))
            .collect();
        let keys_took = began.elapsed();
        let began = Instant::now();
        let tones: Vec<_> = frames
            .iter()
            .filter_map(|frame| listener.take(frame))
            .collect();
        let tones_took = began.elapsed();
        println!("{file}: {hours:.2} hours");
        for (what, heard, count, took) in [
            ("keys", keys.clone(), keys.len(), keys_took),
            ("tones", format!("{tones:?}"), tones.len(), tones_took),
        ] {
            let each = took.as_secs_f64() * 1e6 / frames.len() as f64;
            let rate = count as f64 / hours;
            println!("  {what}: {heard} = {rate:.1} an hour, {each:.2} µs for each frame");
        }
    }
    Ok(())
}
