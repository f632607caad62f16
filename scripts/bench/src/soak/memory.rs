//! What a process holds, and whether it holds more with every request: a straight line through the readings, with the
//! interval that its slope lies in.

use std::fs;

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

/// Below this a slope is no leak that anybody would ever see: a hundred million requests for one gibibyte.
const NOISE_MIB: f64 = 1.0;
/// Of the normal distribution, for 95 of 100.
const Z: f64 = 1.959_964;

#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Answered so far.
    pub requests: usize,
    pub bytes: u64,
}

/// MiB for 100,000 requests, and between what it lies with a confidence of 95 %.
#[derive(Clone, Copy, Debug)]
pub struct Slope {
    pub mib: f64,
    pub low: f64,
    pub high: f64,
}

/// The memory of these processes that is in memory.
pub fn resident(pids: &[u32]) -> Result<u64> {
    let page = sysconf(SysconfVar::PAGE_SIZE)?.context("the kernel does not say how large a page is")?;
    let mut pages = 0;
    for pid in pids {
        let text =
            fs::read_to_string(format!("/proc/{pid}/statm")).with_context(|| format!("process {pid} has ended"))?;
        pages += text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).context("statm has two fields")?;
    }
    Ok(pages * u64::try_from(page)?)
}

/// None through fewer than ten readings, or through readings of one place.
#[expect(clippy::cast_precision_loss, reason = "neither requests nor bytes come near 2^53")]
pub fn slope(samples: &[Sample]) -> Option<Slope> {
    let points: Vec<(f64, f64)> =
        samples.iter().map(|sample| (sample.requests as f64 / 1e5, sample.bytes as f64 / 1_048_576.0)).collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if points.len() < 10 || spread < 1e-9 {
        return None;
    }
    let mib = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let left: f64 = points.iter().map(|point| (point.1 - y - mib * (point.0 - x)).powi(2)).sum();
    let freedom = count - 2.0;
    let reach = student(freedom) * (left / freedom / spread).sqrt();
    Some(Slope { mib, low: mib - reach, high: mib + reach })
}

/// Student's t for 95 of 100: Fisher's expansion, good to a hundredth from eight degrees of freedom on.
fn student(freedom: f64) -> f64 {
    Z + (Z.powi(3) + Z) / (4.0 * freedom) + (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / (96.0 * freedom.powi(2))
}

/// Nothing grows that could be told from nothing, or that would matter.
pub fn is_zero(slope: &Slope) -> bool {
    slope.low <= 0.0 || slope.mib < NOISE_MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred readings over a million requests, of `base` MiB and `per_100k` more for each hundred thousand, with teeth.
    fn readings(base: u64, per_100k: u64) -> Vec<Sample> {
        (1..=100)
            .map(|n| (n, n % 7))
            .map(|(n, tooth)| Sample {
                requests: n * 10_000,
                bytes: (base << 20) + ((per_100k * n as u64) << 20) / 10 + ((tooth as u64) << 19),
            })
            .collect()
    }

    #[test]
    fn a_line_is_found_through_teeth() {
        for (per_100k, zero) in [(0, true), (1, true), (3, false), (20, false)] {
            let slope = slope(&readings(150, per_100k)).expect("a line");
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let expected = per_100k as f64;
            assert!((slope.mib - expected).abs() < 0.2 && slope.low < slope.mib && slope.mib < slope.high, "{slope:?}");
            assert_eq!(is_zero(&Slope { mib: slope.mib - 0.2, ..slope }), zero, "{slope:?}");
        }
    }

    #[test]
    fn what_shrinks_does_not_grow_and_a_handful_says_nothing() {
        let mut back = readings(150, 5);
        back.iter_mut().for_each(|sample| sample.requests = 1_010_000 - sample.requests);
        assert!(is_zero(&slope(&back).expect("a line")));
        assert!(slope(&back[..9]).is_none() && slope(&[Sample { requests: 5, bytes: 1 }; 20]).is_none());
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (freedom, expected) in [(8.0, 2.306), (20.0, 2.086), (98.0, 1.984)] {
            assert!((student(freedom) - expected).abs() < 0.01, "{freedom}: {}", student(freedom));
        }
    }

    #[test]
    fn a_process_holds_what_it_has_touched() {
        let before = resident(&[std::process::id()]).expect("we run");
        let much = vec![1u8; 64 << 20];
        let after = resident(&[std::process::id()]).expect("we run");
        assert!(after > before + (60 << 20), "{before} and then {after}, with {}", much.len());
        assert!(resident(&[u32::MAX]).is_err());
    }
}
