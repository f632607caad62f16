use proptest::prelude::*;

use super::*;
use crate::limits::{CLASSES, Limit, rules};

const T0: u64 = 1_800_000_000_000;

/// When calls at these times (milliseconds after the start) were let in.
fn let_in(rules: &Rules, times: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut tally = Tally::default();
    times.into_iter().filter(|at| tally.enter(rules, T0 + at).is_in()).collect()
}

fn every(ms: u64, calls: u64) -> impl Iterator<Item = u64> + Clone {
    (0..calls).map(move |n| n * ms)
}

/// Calls, whatever is said to them.
fn come(tally: &mut Tally, rules: &Rules, times: impl IntoIterator<Item = u64>) {
    for at in times {
        tally.enter(rules, T0 + at);
    }
}

fn wait_s(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Out { wait_s, .. } => wait_s,
        Verdict::In { .. } => panic!("let in"),
    }
}

#[test]
fn n34_n35_n37_n39_n41_n42_the_last_good_call_of_a_minute_and_the_first_bad_one() {
    let minutes = CLASSES.into_iter().filter(|class| rules(*class).windows.len() == 1 && rules(*class).burst.is_none());
    for class in minutes {
        let (rules, calls) = (rules(class), u64::from(rules(class).windows[0].calls));
        let rules = &Rules { inside: None, ..copy(rules) };
        assert_eq!(let_in(rules, every(1, calls + 5)).len() as u64, calls, "{}", rules.name);
        // The oldest has left its window: one more, and no more than one.
        let times = every(1, calls).chain([59_999, 60_000, 60_000]);
        assert_eq!(let_in(rules, times).len() as u64, calls + 1, "{}", rules.name);
    }
}

#[test]
fn n30_a_stranger_has_two_windows_at_once() {
    let rules = &Rules { inside: None, ..copy(rules(Limit::Anonymous)) };
    // A minute's worth, and again after a minute: the quarter of an hour is full before the second minute is.
    let second = every(100, 60).map(|at| at + 61_000);
    let passed = let_in(rules, every(100, 60).chain(second.clone()));
    assert_eq!(passed.len(), 100);
    let mut tally = Tally::default();
    come(&mut tally, rules, every(100, 60).chain(second));
    let no = tally.enter(rules, T0 + 70_000);
    assert_eq!(no, Verdict::Out { wait_s: 830, window: 1 }, "until the first call is a quarter of an hour old");
}

#[test]
fn n33_a_login_has_a_burst_a_minute_and_a_quarter_of_an_hour() {
    let rules = rules(Limit::Auth);
    assert_eq!(let_in(rules, [0, 0, 0, 0]).len(), 3, "three at once");
    assert_eq!(let_in(rules, every(1_000, 60)).len(), 5, "five in a minute, however they are spread");
    assert_eq!(let_in(rules, every(1_000, 900)).len(), 10, "ten in a quarter of an hour");
    let mut tally = Tally::default();
    come(&mut tally, rules, every(0, 3));
    assert_eq!(wait_s(tally.enter(rules, T0)), 12, "the bucket gives one back every twelve seconds");
}

#[test]
fn n36_uploads_have_a_minute_and_an_hour() {
    let rules = rules(Limit::Upload);
    assert_eq!(let_in(rules, every(1_000, 60)).len(), 10);
    assert_eq!(let_in(rules, every(1_000, 3_600)).len(), 20);
    assert_eq!(let_in(rules, every(1_000, 3_601)).len(), 21);
}

#[test]
fn n38_n40_a_burst_refills_at_the_pace_of_its_minute() {
    for (class, burst, step_ms) in
        [(Limit::Events, 20, 600), (Limit::Leaderboard, 10, 2_000), (Limit::Play, 2, 12_000), (Limit::Auth, 3, 12_000)]
    {
        let rules = rules(class);
        assert_eq!(let_in(rules, (0..50).map(|_| 0)).len(), burst, "{}: at once", rules.name);
        let later = (0..50).map(|_| 0).chain([step_ms - 1, step_ms, step_ms]);
        assert_eq!(let_in(rules, later).len(), burst + 1, "{}: one more after {step_ms} ms", rules.name);
    }
}

#[test]
fn n30_n32_only_so_many_are_inside_at_the_same_time() {
    for (class, most) in [(Limit::Anonymous, 5), (Limit::Default, 10), (Limit::Server, 50)] {
        let mut tally = Tally::default();
        let mut leases = Vec::new();
        for _ in 0..most {
            match tally.enter(rules(class), T0) {
                Verdict::In { lease: Some(lease), .. } => leases.push(lease),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(tally.enter(rules(class), T0), Verdict::Out { wait_s: 1, window: 0 });
        tally.leave(leases[0]);
        tally.leave(leases[0]);
        assert!(tally.enter(rules(class), T0).is_in(), "who leaves makes room");
        assert!(!tally.enter(rules(class), T0).is_in(), "once");
        assert!(!tally.enter(rules(class), T0 + LEASE_MS - 1).is_in());
        assert!(tally.enter(rules(class), T0 + LEASE_MS).is_in(), "who never leaves is gone after half a minute");
    }
}

#[test]
fn whoever_is_refused_for_being_inside_too_often_has_spent_nothing() {
    let rules = rules(Limit::Anonymous);
    let mut tally = Tally::default();
    come(&mut tally, rules, every(0, 5));
    let before = tally.calls.clone();
    assert!(!tally.enter(rules, T0).is_in());
    assert_eq!(tally.calls, before);
}

#[test]
fn what_is_left_is_said_of_the_fullest_window() {
    let mut tally = Tally::default();
    let rules = &Rules { inside: None, ..copy(rules(Limit::Anonymous)) };
    let left = |verdict| match verdict {
        Verdict::In { left: Some(Left { window, calls, reset_s }), .. } => (window, calls, reset_s),
        other => panic!("{other:?}"),
    };
    assert_eq!(left(tally.enter(rules, T0)), (0, 59, 60));
    assert_eq!(left(tally.enter(rules, T0 + 20_000)), (0, 58, 40));
    for n in 0..50 {
        tally.enter(rules, T0 + 20_000 + n);
    }
    assert_eq!(left(tally.enter(rules, T0 + 90_000)), (1, 47, 810), "the minute is free again, the long one is not");
}

#[test]
fn a_clock_that_runs_back_lets_nobody_in_twice() {
    let rules = rules(Limit::Payment);
    let mut tally = Tally::default();
    assert_eq!((0..30).filter(|n| tally.enter(rules, T0 + n).is_in()).count(), 20);
    let verdict = tally.enter(rules, T0 - 3_600_000);
    assert_eq!(wait_s(verdict), 3_660, "an hour of the clock, and the minute");
    assert!(tally.enter(rules, T0 - 3_600_000 + 3_660_000).is_in());
}

#[test]
fn a_tally_that_was_written_down_goes_on_where_it_was() {
    let rules = rules(Limit::Auth);
    let mut tally = Tally::default();
    come(&mut tally, rules, every(0, 2));
    let written = serde_json::to_string(&tally).unwrap();
    let mut tally: Tally = serde_json::from_str(&written).unwrap();
    assert!(tally.enter(rules, T0).is_in() && !tally.enter(rules, T0).is_in());
    assert_eq!((tally.matters_for(T0), tally.matters_for(T0 + 900_000)), (900_000, 0));
}

fn copy(rules: &Rules) -> Rules {
    let Rules { name, windows, burst, inside, counts, vital, policy } = *rules;
    Rules { name, windows, burst, inside, counts, vital, policy }
}

/// Any class, without the limit on who is inside: nobody leaves in these tests.
fn any_class() -> impl Strategy<Value = Rules> {
    (0..CLASSES.len()).prop_map(|at| Rules { inside: None, ..copy(rules(CLASSES[at])) })
}

/// Steps of a clock, in milliseconds: mostly small, some long, some back.
fn steps() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![6 => 0..200_i64, 3 => 0..15_000_i64, 1 => 0..1_000_000_i64, 1 => -100_000..0_i64];
    proptest::collection::vec(step, 1..600)
}

proptest! {
    #[test]
    fn no_window_ever_holds_more_than_its_limit(rules in any_class(), steps in steps()) {
        let (mut tally, mut now, mut furthest, mut passed) = (Tally::default(), T0, 0, Vec::new());
        for step in steps {
            now = now.saturating_add_signed(step);
            // The clock that counts never runs back.
            furthest = furthest.max(now);
            if tally.enter(&rules, now).is_in() {
                passed.push(furthest);
            }
        }
        for (at, began) in passed.iter().enumerate() {
            for window in rules.windows {
                let inside = passed[at..].iter().filter(|call| **call < began + window.ms()).count();
                prop_assert!(inside <= window.calls as usize, "{} in {:?} of {}", inside, window, rules.name);
            }
            if let Some((room_ms, step_ms)) = rules.bucket() {
                for (more, call) in passed[at..].iter().enumerate() {
                    let room = (room_ms + (call - began)) / step_ms;
                    prop_assert!((more as u64) < room, "{} at once in {}", more + 1, rules.name);
                }
            }
        }
    }

    #[test]
    fn whoever_comes_back_when_he_was_told_is_let_in(rules in any_class(), steps in steps()) {
        let (mut tally, mut now) = (Tally::default(), T0);
        for step in steps {
            now = now.saturating_add_signed(step);
            if let Verdict::Out { wait_s, .. } = tally.enter(&rules, now) {
                prop_assert!(wait_s >= 1);
                let later = now + u64::from(wait_s) * 1000;
                prop_assert!(tally.clone().enter(&rules, later).is_in(), "{}: {wait_s} s", rules.name);
            }
        }
    }

    #[test]
    fn nobody_waits_who_has_room(rules in any_class(), pause_s in 0..4_000_u64) {
        // After the longest window, whatever happened before it is forgiven.
        let mut tally = Tally::default();
        come(&mut tally, &rules, every(1, 2_000));
        prop_assert!(tally.enter(&rules, T0 + 2_000 + rules.longest_ms() + pause_s * 1000).is_in());
    }
}
