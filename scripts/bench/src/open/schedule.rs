//! When requests are meant to be sent: by the clock, whatever becomes of the ones before.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Arrivals of a Poisson process over `span`, as of many callers who do not know of each other. The same seed, the same times.
pub fn arrivals(rate: f64, span: Duration, seed: u64) -> Vec<Duration> {
    let mut random = StdRng::seed_from_u64(seed);
    // One minus it: a logarithm of zero would wait for ever.
    let gaps = std::iter::repeat_with(|| -(1.0 - random.random::<f64>()).ln() / rate);
    let times = gaps.scan(0.0, |at, gap| {
        *at += gap;
        Some(*at)
    });
    times.take_while(|at| *at < span.as_secs_f64()).map(Duration::from_secs_f64).collect()
}

/// The rates that all are asked for: shares of what the slowest can do.
pub fn rates(saturations: &[f64], percents: &[u32]) -> Vec<(u32, f64)> {
    let least = saturations.iter().copied().fold(f64::INFINITY, f64::min);
    let least = if least.is_finite() { least } else { 0.0 };
    percents.iter().map(|percent| (*percent, least * f64::from(*percent) / 100.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_schedule_and_another_seed_another() {
        let span = Duration::from_secs(5);
        assert_eq!(arrivals(100.0, span, 7), arrivals(100.0, span, 7));
        assert_ne!(arrivals(100.0, span, 7), arrivals(100.0, span, 8));
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    fn arrivals_keep_the_rate_and_bunch_as_strangers_do() {
        let (rate, span) = (500.0, Duration::from_secs(40));
        let times = arrivals(rate, span, 42);
        assert!(times.is_sorted() && times.last().is_some_and(|last| *last < span));
        let count = times.len() as f64;
        assert!((count - 20_000.0).abs() < 5.0 * 20_000.0_f64.sqrt(), "{count}");
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "an exponential's deviation is its mean");
    }

    #[test]
    fn nobody_arrives_at_no_rate() {
        assert!(arrivals(0.0, Duration::from_secs(1), 1).is_empty());
    }

    #[test]
    fn both_are_asked_for_a_share_of_what_the_slower_one_can_do() {
        assert_eq!(rates(&[400.0, 520.0], &[25, 50, 75]), [(25, 100.0), (50, 200.0), (75, 300.0)]);
        assert_eq!(rates(&[], &[50]), [(50, 0.0)]);
    }
}
