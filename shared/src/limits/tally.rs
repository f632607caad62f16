//! How often one caller has called: a log of the calls that were let in, for windows that slide; a bucket for bursts; leases
//! for what is going on at the same time. Checked and counted in one step, on whatever clock the caller brings.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Left, Rules, Verdict, Window};

/// A lease that nobody gives back ends by itself: no function works longer (N07).
pub const LEASE_MS: u64 = 30_000;
/// What we say to whoever is inside too often: he knows best when one of his calls ends.
const BUSY_S: u32 = 1;

/// What is remembered of one caller in one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// When each counted call came, in milliseconds, oldest first; as many as the largest window asks for.
    calls: VecDeque<u64>,
    /// When the bucket will be full again.
    full_at: u64,
    /// The clock never runs back here: a second that came twice would let in twice as many.
    now: u64,
    /// When nothing of this matters any more.
    until: u64,
    /// An object that forgets these has nobody inside it either.
    #[serde(skip)]
    leases: Leases,
}

/// Who is inside at the moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leases {
    held: Vec<(u32, u64)>,
    last: u32,
}

impl Leases {
    /// A lease, unless `most` are held. Never 0.
    pub fn enter(&mut self, most: u32, now_ms: u64) -> Option<u32> {
        self.held.retain(|(_, until)| *until > now_ms);
        if self.held.len() >= most as usize {
            return None;
        }
        self.last = self.last.wrapping_add(1).max(1);
        self.held.push((self.last, now_ms.saturating_add(LEASE_MS)));
        Some(self.last)
    }

    pub fn leave(&mut self, lease: u32) {
        self.held.retain(|(held, _)| *held != lease);
    }

    #[must_use]
    pub fn is_empty(&self, now_ms: u64) -> bool {
        self.held.iter().all(|(_, until)| *until <= now_ms)
    }
}

impl Tally {
    /// Lets one call in and counts it, or says when to come back.
    pub fn enter(&mut self, rules: &Rules, now_ms: u64) -> Verdict {
        let now = now_ms.max(self.now);
        self.now = now;
        self.forget(rules, now);
        if let Some((free_at, window)) = self.free_at(rules, now) {
            // From the caller's clock on, which may be behind ours.
            let wait_ms = free_at.saturating_sub(now_ms);
            return Verdict::Out { wait_s: seconds(wait_ms), window };
        }
        let lease = match rules.inside.map(|most| self.leases.enter(most, now)) {
            Some(None) => return Verdict::Out { wait_s: BUSY_S, window: 0 },
            Some(lease) => lease,
            None => None,
        };
        self.calls.push_back(now);
        if let Some((_, step_ms)) = rules.bucket() {
            self.full_at = self.full_at.max(now).saturating_add(step_ms);
        }
        self.until = now.saturating_add(rules.longest_ms());
        Verdict::In { lease, left: self.left(rules, now) }
    }

    pub fn leave(&mut self, lease: u32) {
        self.leases.leave(lease);
    }

    /// Milliseconds after which this may be forgotten; 0: now.
    #[must_use]
    pub fn matters_for(&self, now_ms: u64) -> u64 {
        self.until.saturating_sub(now_ms)
    }

    fn forget(&mut self, rules: &Rules, now: u64) {
        let most = rules.windows.iter().map(|window| window.calls).max().unwrap_or_default();
        let longest_ms = rules.longest_ms();
        while self.calls.len() > most as usize
            || self.calls.front().is_some_and(|call| call.saturating_add(longest_ms) <= now)
        {
            self.calls.pop_front();
        }
    }

    /// When the next call is allowed, and by which window, if that is not now.
    fn free_at(&self, rules: &Rules, now: u64) -> Option<(u64, usize)> {
        let windows = rules.windows.iter().enumerate().filter_map(|(at, window)| {
            // Of the calls that fill the window, the oldest leaves it first.
            let oldest = self.calls.len().checked_sub(window.calls as usize)?;
            Some((self.calls.get(oldest)?.saturating_add(window.ms()), at))
        });
        let bucket = rules.bucket().map(|(room_ms, step_ms)| {
            let free_at = self.full_at.saturating_add(step_ms).saturating_sub(room_ms);
            (free_at, 0)
        });
        windows.chain(bucket).filter(|(free_at, _)| *free_at > now).max()
    }

    /// The window that will be full first.
    fn left(&self, rules: &Rules, now: u64) -> Option<Left> {
        let left = rules.windows.iter().enumerate().map(|(at, window)| self.left_in(at, window, now));
        left.min_by_key(|left| left.calls)
    }

    fn left_in(&self, at: usize, window: &Window, now: u64) -> Left {
        let inside = |call: &&u64| call.saturating_add(window.ms()) > now;
        let used = u32::try_from(self.calls.iter().filter(inside).count()).unwrap_or(u32::MAX);
        let oldest = self.calls.iter().find(inside).map_or(now, |call| call.saturating_add(window.ms()));
        Left { window: at, calls: window.calls.saturating_sub(used), reset_s: seconds(oldest.saturating_sub(now)) }
    }
}

/// Whole seconds, never too few: who waits so long comes in.
fn seconds(ms: u64) -> u32 {
    u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests;
