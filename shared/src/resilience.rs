//! When an upstream is ill: stop asking it for a while (N60), and how often and how soon a call is made again (N61).
//!
//! A breaker is one isolate's opinion. Correctness never depends on it, so it is not shared: asking somebody else first
//! would cost every call a round trip to save a few.

/// Calls that are let through while an open breaker tries whether the upstream is back.
const TRIALS: u32 = 3;
/// Attempts after the first (N61).
pub const RETRIES: u32 = 3;
/// The first retry waits up to this long, each further one up to twice as long. Milliseconds.
const FIRST_WAIT_MS: f64 = 40.0;

/// After how many failures in a row a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Zero: never.
    pub failures: u32,
    pub open_ms: u64,
}

/// One upstream, as one isolate sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// In a row.
    failures: u32,
    /// Open, or trying, since then.
    opened_ms: Option<u64>,
    trials: u32,
}

impl Breaker {
    /// Whether a call may be made now. While it is open: no; after that, three may try.
    pub fn admits(&mut self, rule: Rule, now_ms: u64) -> bool {
        let Some(opened_ms) = self.opened_ms else { return true };
        if now_ms < opened_ms.saturating_add(rule.open_ms) {
            return false;
        }
        // Trials that never came back must not keep it shut for ever.
        if self.trials >= TRIALS && now_ms < opened_ms.saturating_add(rule.open_ms.saturating_mul(2)) {
            return false;
        }
        if self.trials >= TRIALS {
            (self.opened_ms, self.trials) = (Some(now_ms.saturating_sub(rule.open_ms)), 0);
        }
        self.trials = self.trials.saturating_add(1);
        true
    }

    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub fn failed(&mut self, rule: Rule, now_ms: u64) {
        self.failures = self.failures.saturating_add(1);
        // A trial that fails opens it anew; one that was under way when it opened changes nothing.
        let tried = self.opened_ms.is_some_and(|at| now_ms >= at.saturating_add(rule.open_ms));
        if rule.failures > 0 && (tried || (self.opened_ms.is_none() && self.failures >= rule.failures)) {
            *self = Self { failures: self.failures, opened_ms: Some(now_ms), trials: 0 };
        }
    }

    #[must_use]
    pub fn is_open(&self, rule: Rule, now_ms: u64) -> bool {
        self.opened_ms.is_some_and(|at| now_ms < at.saturating_add(rule.open_ms))
    }
}

/// Milliseconds before attempt `attempt` (1 is the first retry): exponential, with full jitter, so that callers who failed
/// together do not come back together. `random` is in [0, 1).
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 320, never negative")]
pub fn wait_ms(attempt: u32, random: f64) -> u32 {
    let doubled = f64::from(1_u32 << attempt.clamp(1, 4).saturating_sub(1));
    (FIRST_WAIT_MS * doubled * random.clamp(0.0, 1.0)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULE: Rule = Rule { failures: 5, open_ms: 60_000 };

    fn opened(at_ms: u64) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            assert!(breaker.admits(RULE, at_ms));
            breaker.failed(RULE, at_ms);
        }
        breaker
    }

    #[test]
    fn n60_five_failures_in_a_row_open_it_for_a_minute() {
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            for _ in 0..4 {
                breaker.failed(RULE, 0);
            }
            assert!(breaker.admits(RULE, 0), "four are not five");
            breaker.succeeded();
        }
        let mut breaker = opened(1_000);
        assert!(!breaker.admits(RULE, 1_000) && !breaker.admits(RULE, 60_999));
        assert!(breaker.admits(RULE, 61_000));
    }

    #[test]
    fn n60_then_three_may_try_and_one_success_closes_it() {
        let mut breaker = opened(0);
        let admitted = (0..10).filter(|_| breaker.admits(RULE, 60_000)).count();
        assert_eq!(admitted, 3);
        breaker.succeeded();
        assert!((0..10).all(|_| breaker.admits(RULE, 60_001)));
    }

    #[test]
    fn n60_a_trial_that_fails_opens_it_for_another_minute() {
        let mut breaker = opened(0);
        assert!(breaker.admits(RULE, 60_000));
        breaker.failed(RULE, 60_500);
        assert!(!breaker.admits(RULE, 120_000) && breaker.admits(RULE, 120_500));
    }

    #[test]
    fn trials_that_never_come_back_do_not_keep_it_shut() {
        let mut breaker = opened(0);
        assert_eq!((0..4).filter(|_| breaker.admits(RULE, 60_000)).count(), 3);
        assert!(!breaker.admits(RULE, 119_999) && breaker.admits(RULE, 120_000));
    }

    #[test]
    fn a_rule_without_failures_never_opens() {
        let (mut breaker, never) = (Breaker::default(), Rule { failures: 0, ..RULE });
        (0..100).for_each(|_| breaker.failed(never, 0));
        assert!(breaker.admits(never, 0));
    }

    #[test]
    fn n61_waits_double_and_are_spread_over_their_whole_length() {
        assert_eq!([1, 2, 3].map(|attempt| wait_ms(attempt, 0.999_999)), [39, 79, 159]);
        assert_eq!([0, 1, 9].map(|attempt| wait_ms(attempt, 0.0)), [0, 0, 0]);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Wait(u64),
        Call { fails: bool },
    }

    proptest! {
        /// Whatever happens: while it is open nobody calls, and it never stays shut for longer than two periods.
        #[test]
        fn n60_an_open_breaker_lets_nobody_through_and_always_tries_again(
            steps in proptest::collection::vec(
                prop_oneof![(0_u64..90_000).prop_map(Step::Wait), any::<bool>().prop_map(|fails| Step::Call { fails })], 1..200),
        ) {
            let (mut breaker, mut now_ms) = (Breaker::default(), 0);
            for step in steps {
                match step {
                    Step::Wait(ms) => now_ms += ms,
                    Step::Call { fails } => {
                        let open = breaker.is_open(RULE, now_ms);
                        let admitted = breaker.admits(RULE, now_ms);
                        prop_assert!(!(open && admitted));
                        match (admitted, fails) {
                            (true, true) => breaker.failed(RULE, now_ms),
                            (true, false) => breaker.succeeded(),
                            (false, _) => {}
                        }
                    }
                }
            }
            prop_assert!(breaker.admits(RULE, now_ms + 2 * RULE.open_ms));
        }
    }
}
