//! Too much at once: an isolate that is full says so at once, instead of answering everybody late.

use std::cell::RefCell;

/// Requests that one isolate works on at the same time. Each holds a body and an answer, and 128 MB are shared.
const FULL: usize = 500;
/// After its time a request has long been answered, or there is nobody left to answer.
const GRACE_MS: u64 = 1_000;

thread_local! {
    static INSIDE: RefCell<Inside> = RefCell::default();
}

#[derive(Default)]
struct Inside {
    last: u32,
    /// Numbers, and until when they count, in Unix milliseconds.
    held: Vec<(u32, u64)>,
}

/// A request that is being worked on.
pub struct InFlight(u32);

/// `None`: full. A request whose client hangs up is cancelled by the platform and never comes to its end here, so each counts no
/// longer than the time that it has, up to `deadline_ms`.
pub fn begin(now_ms: u64, deadline_ms: u64) -> Option<InFlight> {
    INSIDE.with_borrow_mut(|inside| {
        if inside.held.len() >= FULL {
            inside.held.retain(|(_, until)| *until > now_ms);
        }
        (inside.held.len() < FULL).then(|| {
            inside.last = inside.last.wrapping_add(1);
            inside.held.push((inside.last, deadline_ms.saturating_add(GRACE_MS)));
            InFlight(inside.last)
        })
    })
}

impl Drop for InFlight {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(|inside| {
            if let Some(at) = inside.held.iter().position(|(number, _)| *number == self.0) {
                inside.held.swap_remove(at);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_isolate_takes_nobody_in_until_somebody_leaves() {
        let mut inside: Vec<_> = std::iter::from_fn(|| begin(0, 10_000)).take(FULL + 1).collect();
        assert_eq!(inside.len(), FULL);
        assert!(begin(10_000, 20_000).is_none());
        inside.pop();
        assert!(begin(10_000, 20_000).is_some());
    }

    #[test]
    fn whoever_hung_up_counts_only_as_long_as_he_would_have_had() {
        let _gone: Vec<_> = std::iter::from_fn(|| begin(0, 10_000)).take(FULL).collect();
        assert!(begin(11_000 - 1, 20_000).is_none());
        let next = begin(11_000, 21_000);
        assert!(next.is_some());
        drop(next);
        assert_eq!(INSIDE.with_borrow(|inside| inside.held.len()), 0);
    }
}
