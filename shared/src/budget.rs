//! What one request may spend, and what it has spent: its deadline (N07, N64), and the calls it made (N10, N81).

use std::cell::Cell;

/// Calls to one kind of upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub calls: u32,
    /// No answer, or one that says that the upstream is ill.
    pub failed: u32,
    /// Milliseconds, all calls together.
    pub ms: u64,
}

#[derive(Debug)]
pub struct Budget {
    /// Unix milliseconds.
    deadline_ms: Cell<u64>,
    pub database: Cell<Spent>,
    pub outside: Cell<Spent>,
    /// What was told as news already.
    told: Cell<(Spent, Spent)>,
}

impl Spent {
    fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            failed: self.failed.saturating_sub(before.failed),
            ms: self.ms.saturating_sub(before.ms),
        }
    }
}

impl Budget {
    #[must_use]
    pub fn until(deadline_ms: u64) -> Self {
        Self {
            deadline_ms: Cell::new(deadline_ms),
            database: Cell::default(),
            outside: Cell::default(),
            told: Cell::default(),
        }
    }

    /// Unix milliseconds.
    pub const fn deadline_ms(&self) -> u64 {
        self.deadline_ms.get()
    }

    /// The answer is out: what runs after it has time of its own.
    pub fn extend_until(&self, deadline_ms: u64) {
        self.deadline_ms.set(self.deadline_ms.get().max(deadline_ms));
    }

    /// Less time than there was: for who has to answer soon.
    pub fn shorten_until(&self, deadline_ms: u64) {
        self.deadline_ms.set(self.deadline_ms.get().min(deadline_ms));
    }

    /// What was spent since the last time this was asked: the database, and outside.
    pub fn news(&self) -> (Spent, Spent) {
        let now = (self.database.get(), self.outside.get());
        let before = self.told.replace(now);
        (now.0.since(before.0), now.1.since(before.1))
    }

    /// How long a call may take that wants `wanted_ms`; zero when there is no time left.
    #[must_use]
    pub fn allows(&self, now_ms: u64, wanted_ms: u32) -> u32 {
        let left = self.deadline_ms.get().saturating_sub(now_ms);
        wanted_ms.min(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// Books one call.
    pub fn spend(kind: &Cell<Spent>, ms: u64, failed: bool) {
        let Spent { calls, failed: before, ms: spent } = kind.get();
        kind.set(Spent {
            calls: calls.saturating_add(1),
            failed: before.saturating_add(u32::from(failed)),
            ms: spent.saturating_add(ms),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n07_a_call_never_outlives_the_request_it_belongs_to() {
        let budget = Budget::until(10_000);
        assert_eq!(budget.allows(0, 8_000), 8_000);
        assert_eq!(budget.allows(7_500, 8_000), 2_500);
        assert_eq!(budget.allows(10_001, 8_000), 0);
        budget.extend_until(20_000);
        assert_eq!(budget.allows(10_001, 8_000), 8_000);
    }

    #[test]
    fn n10_calls_are_counted_by_kind() {
        let budget = Budget::until(0);
        Budget::spend(&budget.database, 3, false);
        Budget::spend(&budget.database, 4, true);
        assert_eq!(budget.database.get(), Spent { calls: 2, failed: 1, ms: 7 });
        assert_eq!(budget.outside.get(), Spent::default());
    }

    #[test]
    fn n26_who_has_to_answer_soon_has_less_time_and_never_more() {
        let budget = Budget::until(10_000);
        budget.shorten_until(2_000);
        assert_eq!(budget.allows(500, 8_000), 1_500);
        budget.shorten_until(9_000);
        assert_eq!(budget.allows(500, 8_000), 1_500);
    }

    #[test]
    fn n81_each_call_is_news_once() {
        let budget = Budget::until(0);
        Budget::spend(&budget.database, 3, true);
        assert_eq!(budget.news(), (Spent { calls: 1, failed: 1, ms: 3 }, Spent::default()));
        Budget::spend(&budget.outside, 4, false);
        assert_eq!(budget.news(), (Spent::default(), Spent { calls: 1, failed: 0, ms: 4 }));
        assert_eq!(budget.news(), (Spent::default(), Spent::default()));
    }
}
