//! How a stream sounds to its listener, on the scale of the E-model.

use crate::codec::Codec;
use std::time::Duration;

/// What is left of the basic signal-to-noise ratio after the simultaneous impairments, with the
/// default values of all parameters.
///
/// *Source*: ITU-T G.107 §7.2, §7.3, Table 2: Ro 94.77, Is 1.41.
const BASIC: f64 = 93.36;

/// Ro and Roe with the default values.
///
/// *Source*: G.107 §7.2, equation 7-22.
const RO: f64 = 94.77;

/// Talker echo loudness rating and weighted echo path loss, in dB.
///
/// *Source*: G.107 Table 2.
const TELR: f64 = 65.0;
const WEPL: f64 = 110.0;

/// What one listener is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Its codec.
    pub codec: Codec,
    /// Share of packets that are not heard, 0 to 1.
    pub loss: f64,
    /// Mean number of packets lost together over what it would be if losses were independent; 1 for
    /// independent ones, never less.
    pub burst_ratio: f64,
    /// From mouth to ear.
    pub delay: Duration,
}

/// The equipment impairment factor of a codec and its robustness to packet loss, Ie and Bpl.
///
/// *Source*: ITU-T G.113 Table I.1 and I.4: G.711 with concealment after its Appendix I. On this scale
/// of the telephone band there are no values of wideband codecs, which are no worse than G.711 where
/// nothing is lost; their robustness is an estimate: G.722's predictor is upset by a loss, Opus tells
/// of it again in the packet that follows.
const fn impairment(codec: Codec) -> (f64, f64) {
    match codec {
        Codec::Pcma | Codec::Pcmu => (0.0, 25.1),
        Codec::G722 => (0.0, 13.0),
        Codec::Opus => (0.0, 30.0),
    }
}

/// The transmission rating R, 0 to 93.2.
///
/// *Source*: ITU-T G.107 §7.
pub fn rating(line: &Line) -> f64 {
    let (ie, bpl) = impairment(line.codec);
    let loss = line.loss.clamp(0.0, 1.0) * 100.0;
    // Equation 7-29.
    let loss_impairment = (95.0 - ie) * loss / (loss / line.burst_ratio.max(1.0) + bpl);
    (BASIC - delay_impairment(line.delay) - ie - loss_impairment).clamp(0.0, 100.0)
}

/// Id: talker echo, listener echo, and delay itself.
///
/// *Source*: G.107 §7.4.
fn delay_impairment(delay: Duration) -> f64 {
    let t = delay.as_secs_f64() * 1000.0;
    let terv =
        TELR - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10() + 6.0 * (-0.3 * t * t).exp();
    let talker = (RO - (80.0 + 2.5 * (terv - 14.0))) / 2.0;
    let talker = (talker + talker.hypot(10.0) - 1.0) * (1.0 - (-t).exp());
    let listener = (RO - 10.5 * (WEPL + 7.0) * (2.0 * t + 1.0).powf(-0.25)) / 2.0;
    let listener = listener + listener.hypot(13.0);
    if t <= 100.0 {
        return talker + listener;
    }
    let x = (t / 100.0).log2();
    let absolute =
        (1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0;
    talker + listener + 25.0 * absolute
}

/// The mean opinion score of a rating, 1 to 4.5: for conversation, estimated (MOS-CQE).
///
/// *Source*: G.107 Annex B.
pub fn mean_opinion(rating: f64) -> f64 {
    if rating <= 6.5 {
        return 1.0;
    }
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7.0e-6;
    score.clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(loss: f64, burst_ratio: f64, millis: u64) -> Line {
        Line {
            codec: Codec::Pcma,
            loss,
            burst_ratio,
            delay: Duration::from_millis(millis),
        }
    }

    #[track_caller]
    fn near(value: f64, expected: f64, by: f64) {
        assert!((value - expected).abs() <= by, "{value}, not {expected}");
    }

    #[test]
    fn a_perfect_line_has_the_rating_of_the_defaults() {
        // G.107 §7: R = 93.2 with all parameters at their default values.
        near(rating(&line(0.0, 1.0, 0)), 93.2, 0.05);
        near(mean_opinion(93.2), 4.41, 0.005);
    }

    #[test]
    fn scores_are_those_of_the_table() {
        // G.107 Table B.1.
        for (rating, score) in [
            (90.0, 4.34),
            (80.0, 4.03),
            (70.0, 3.60),
            (60.0, 3.10),
            (50.0, 2.58),
        ] {
            near(mean_opinion(rating), score, 0.01);
        }
        near(mean_opinion(0.0), 1.0, 0.0);
        near(mean_opinion(100.0), 4.5, 0.0);
    }

    #[test]
    fn delay_and_loss_cost_what_the_standard_says() {
        // G.107's echo-free line: about 0.024 for each ms, and 0.11 more above 177 ms.
        near(rating(&line(0.0, 1.0, 100)), 90.8, 0.5);
        near(rating(&line(0.0, 1.0, 300)), 73.0, 2.5);
        // Equation 7-29 by hand: 95 × 10 / (10 + 25.1) = 27.1.
        near(rating(&line(0.1, 1.0, 0)), 93.2 - 27.1, 0.1);
        // In bursts of twice the length: 95 × 10 / (5 + 25.1) = 31.6.
        near(rating(&line(0.1, 2.0, 0)), 93.2 - 31.6, 0.1);
    }

    proptest! {
        #[test]
        fn more_of_anything_bad_never_sounds_better(
            loss in 0.0..1.0_f64, more in 0.0..0.5_f64, burst in 0.0..8.0_f64, ms in 0..3000_u64, longer in 0..500_u64,
        ) {
            let before = rating(&line(loss, burst, ms));
            prop_assert!((0.0..=93.4).contains(&before));
            prop_assert!(rating(&line(loss + more, burst, ms)) <= before + 1e-9);
            prop_assert!(rating(&line(loss, burst + more, ms)) <= before + 1e-9);
            prop_assert!(rating(&line(loss, burst, ms + longer)) <= before + 0.2);
            prop_assert!((1.0..=4.5).contains(&mean_opinion(before)));
        }
    }
}
