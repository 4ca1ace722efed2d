//! Changing the sample rate: of whole sounds before they are played, and of live sound between
//! 8 and 16 kHz.

mod live;

pub use live::{Converter, Doubler, Halver};

/// Zero crossings of the filter on each side, at the lower of the two rates.
const CROSSINGS: u32 = 40;

/// Points of the filter table for each sample at the lower rate; between them it is interpolated,
/// with an error below -100 dB.
const POINTS: u32 = 512;

/// Middle of the filter's slope, as a share of the lower rate's Nyquist frequency: at 8 kHz,
/// 3,400 Hz pass and 4,000 Hz are stopped.
const CUTOFF: f64 = 0.92;

/// Kaiser's β for 80 dB in the stop band.
///
/// *Source*: J. F. Kaiser, Nonrecursive digital filter design using the I0-sinh window (1974):
/// 0.1102 (A - 8.7).
const BETA: f64 = 0.1102 * (80.0 - 8.7);

/// The same sound at another sample rate, by a windowed sinc filter against aliases and images.
///
/// *Units*: rates in hertz; neither may be 0.
pub fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to || from == 0 || to == 0 {
        return samples.to_vec();
    }
    let table = filter();
    // How many input samples one sample at the lower rate is long.
    let scale = (f64::from(from) / f64::from(to)).max(1.0);
    let reach = (f64::from(CROSSINGS) * scale).ceil() as u64;
    let len = samples.len() as u64;
    let points = (len * u64::from(to)).div_ceil(u64::from(from));
    let output = (0..points).map(|point| {
        // Whole and fractional input sample, without rounding errors that add up.
        let at = point * u64::from(from);
        let (whole, fraction) = (at / u64::from(to), at % u64::from(to));
        let fraction = fraction as f64 / f64::from(to);
        let first = whole.saturating_sub(reach);
        let last = (whole + reach + 1).min(len);
        let near = samples
            .get(first as usize..last as usize)
            .unwrap_or_default();
        let sum: f64 = (first..)
            .zip(near)
            .map(|(input, &sample)| {
                let distance = (whole as f64 - input as f64 + fraction).abs() / scale;
                f64::from(sample) * weight(&table, distance)
            })
            .sum();
        (sum / scale) as f32
    });
    output.collect()
}

fn weight(table: &[f64], distance: f64) -> f64 {
    let point = distance * f64::from(POINTS);
    match table.get(point as usize..) {
        Some([here, next, ..]) => here + (next - here) * point.fract(),
        _ => 0.0,
    }
}

/// One half of the filter, from its middle outwards.
fn filter() -> Vec<f64> {
    let end = f64::from(CROSSINGS);
    let top = bessel(BETA);
    (0..=CROSSINGS * POINTS)
        .map(|point| {
            let distance = f64::from(point) / f64::from(POINTS);
            let turn = std::f64::consts::PI * CUTOFF * distance;
            let sinc = if point == 0 { 1.0 } else { turn.sin() / turn };
            let edge = (1.0 - (distance / end).powi(2)).max(0.0).sqrt();
            CUTOFF * sinc * bessel(BETA * edge) / top
        })
        .collect()
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for step in 1..40 {
        term *= (x / 2.0 / f64::from(step)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f64, rate: u32, len: usize) -> Vec<f32> {
        let turn = std::f64::consts::TAU * hertz / f64::from(rate);
        (0..len).map(|at| (turn * at as f64).sin() as f32).collect()
    }

    /// Power in dB, without the ends, where the filter looks beyond the sound.
    fn power(samples: &[f32]) -> f64 {
        let middle = &samples[200..samples.len() - 200];
        let sum: f64 = middle.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        10.0 * (sum / middle.len() as f64).log10()
    }

    #[test]
    fn tones_of_the_telephone_band_come_through_clean_from_any_rate() {
        for rate in [
            6000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 7919,
        ] {
            for hertz in [300.0, 1000.0, 2600.0, 3400.0] {
                if hertz > f64::from(rate) * 0.42 {
                    continue;
                }
                let output = resample(&sine(hertz, rate, rate as usize), rate, 8000);
                assert_eq!(output.len(), 8000);
                let ideal = sine(hertz, 8000, 8000);
                let wrong: Vec<_> = output.iter().zip(&ideal).map(|(a, b)| a - b).collect();
                let ratio = power(&ideal) - power(&wrong);
                assert!(
                    ratio > 60.0,
                    "{hertz} Hz from {rate} Hz has a SNR of {ratio:.1} dB"
                );
            }
        }
    }

    #[test]
    fn what_the_telephone_band_cannot_hold_does_not_come_back_as_an_alias() {
        for rate in [11_025, 16_000, 22_050, 44_100, 48_000] {
            for hertz in [4100.0, 5000.0, 7000.0, 10_000.0, 20_000.0] {
                if hertz > f64::from(rate) * 0.49 {
                    continue;
                }
                let output = resample(&sine(hertz, rate, rate as usize), rate, 8000);
                let left = power(&output) + 3.0;
                assert!(
                    left < -60.0,
                    "{hertz} Hz from {rate} Hz leaves {left:.1} dB"
                );
            }
        }
    }

    #[test]
    fn lengths_are_kept_in_time() {
        for (len, from, expected) in [
            (0, 44_100, 0),
            (1, 44_100, 1),
            (441, 44_100, 80),
            (3, 6000, 4),
        ] {
            assert_eq!(resample(&vec![0.5; len], from, 8000).len(), expected);
        }
        assert_eq!(resample(&[0.1, 0.2], 8000, 8000), [0.1, 0.2]);
    }
}
