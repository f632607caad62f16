//! Medians and percentiles, of exact samples: nothing is bucketed.

use std::time::Duration;

/// The middle value; of an even number, the mean of the two in the middle. Zero when there is none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Between which two samples the median of all that could be lies, with a confidence of about 95 %: the ranks that half the
/// samples leave room for (the binomial's interval, by its normal approximation). Of few samples, all of them.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a run has some tens of rounds"
)]
pub fn about_median(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let left_out = ((count - 1.96 * count.sqrt()) / 2.0).max(0.0) as usize;
    let (low, high) = (values.get(left_out), values.get(values.len().saturating_sub(1 + left_out)));
    (low.copied().unwrap_or_default(), high.copied().unwrap_or_default())
}

/// How far the rounds of one figure lie apart, as a share of their median.
pub fn spread(values: impl IntoIterator<Item = f64> + Clone) -> f64 {
    let middle = median(values.clone());
    let (least, most) =
        values.into_iter().fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
    if middle > 0.0 { (most - least) / middle } else { 0.0 }
}

/// The nearest rank: the smallest sample that `percent` of all samples do not exceed. `sorted` must be.
pub fn percentile(sorted: &[Duration], percent: u32) -> Duration {
    let rank = (sorted.len() * percent as usize).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).or(sorted.last()).copied().unwrap_or_default()
}

/// To one decimal: more would claim a precision that a shared machine does not have.
pub fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

pub fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

pub fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_the_mean_of_the_two_middles() {
        for (values, expected) in
            [(vec![], 0.0), (vec![7.0], 7.0), (vec![9.0, 1.0, 5.0], 5.0), (vec![4.0, 1.0, 2.0, 100.0], 3.0)]
        {
            assert!((median(values.clone()) - expected).abs() < f64::EPSILON, "{values:?}");
        }
    }

    #[test]
    fn a_percentile_is_a_sample_that_was_seen() {
        let hundred: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        let three: Vec<Duration> = [1, 2, 9].map(Duration::from_millis).to_vec();
        for (samples, percent, expected) in [
            (&hundred[..], 50, 50),
            (&hundred[..], 95, 95),
            (&hundred[..], 99, 99),
            (&hundred[..], 100, 100),
            (&three[..], 50, 2),
            (&three[..], 99, 9),
            (&three[..], 0, 1),
            (&[][..], 99, 0),
        ] {
            assert_eq!(
                percentile(samples, percent),
                Duration::from_millis(expected),
                "p{percent} of {}",
                samples.len()
            );
        }
    }

    #[test]
    fn a_spread_is_the_range_over_the_median() {
        assert!((spread([90.0, 100.0, 110.0]) - 0.2).abs() < 1e-9);
        assert!(spread([]).abs() < f64::EPSILON);
    }

    #[test]
    fn a_median_lies_between_the_ranks_of_the_binomial_and_among_few_anywhere() {
        let numbers = |most: u32| (1..=most).rev().map(f64::from);
        for (most, expected) in [(1, (1.0, 1.0)), (5, (1.0, 5.0)), (15, (4.0, 12.0)), (30, (10.0, 21.0))] {
            assert_eq!(about_median(numbers(most)), expected, "{most}");
        }
        assert_eq!(about_median([]), (0.0, 0.0));
    }

    #[test]
    fn figures_are_rounded_half_up() {
        assert!((tenths(12.25) - 12.3).abs() < 1e-9);
        assert!((hundredths(0.125) - 0.13).abs() < 1e-9);
    }
}
