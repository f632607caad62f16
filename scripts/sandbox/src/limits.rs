//! 120 requests in any 60 seconds, counted per key, as the provider says; a refused request does not count.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Limits {
    seen: HashMap<String, VecDeque<Instant>>,
}

impl Limits {
    /// Whether one more request of this key fits; 0 means no limit.
    pub fn admit(&mut self, key: &str, per_minute: u32, now: Instant) -> bool {
        if per_minute == 0 {
            return true;
        }
        let seen = self.seen.entry(key.to_owned()).or_default();
        while seen.front().is_some_and(|first| now.saturating_duration_since(*first) >= WINDOW) {
            seen.pop_front();
        }
        let fits = seen.len() < per_minute as usize;
        if fits {
            seen.push_back(now);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_over_the_limit_waits_until_the_first_is_a_minute_old() {
        let (mut limits, start) = (Limits::default(), Instant::now());
        for request in 0..120 {
            assert!(limits.admit("a", 120, start + Duration::from_millis(request)), "{request}");
        }
        assert!(!limits.admit("a", 120, start + Duration::from_millis(59_999)));
        assert!(limits.admit("a", 120, start + Duration::from_millis(60_000)));
        assert!(!limits.admit("a", 120, start + Duration::from_millis(60_000)));
    }

    #[test]
    fn each_key_has_its_own_limit_and_zero_is_none() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        assert!(limits.admit("a", 1, now) && !limits.admit("a", 1, now));
        assert!(limits.admit("b", 1, now));
        assert!((0..500).all(|_| limits.admit("a", 0, now)));
    }
}
