//! Too much at once: an isolate that is full says so at once, instead of answering everybody late.

use std::cell::Cell;

/// Requests that one isolate works on at the same time. Each holds a body and an answer, and 128 MB are shared.
const FULL: u32 = 500;

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// A request that is being worked on.
pub struct InFlight(());

/// `None`: full.
pub fn begin() -> Option<InFlight> {
    let inside = INSIDE.get();
    (inside < FULL).then(|| {
        INSIDE.set(inside.saturating_add(1));
        InFlight(())
    })
}

impl Drop for InFlight {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_isolate_takes_nobody_in_until_somebody_leaves() {
        let mut inside: Vec<_> = std::iter::from_fn(begin).take(FULL as usize + 1).collect();
        assert_eq!(inside.len(), FULL as usize);
        assert!(begin().is_none());
        inside.pop();
        assert!(begin().is_some());
    }
}
