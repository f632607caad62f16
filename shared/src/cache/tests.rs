use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::error::UNAVAILABLE;
use crate::testing::{ALICE, FakeDb, FakeStore, alice, block_on, finish};

fn entry(stored_ms: u64, cost_ms: u64) -> Entry {
    Entry { value: "v".into(), stored_ms, cost_ms }
}

/// Asks for `value`; counts how often it had to be made.
fn ask(
    cx: &Cx<crate::contract::User>,
    store: &Rc<FakeStore>,
    value: Answer<&str>,
    made: &Rc<Cell<u32>>,
) -> Answer<String> {
    let (store, made): (Rc<dyn Store>, _) = (store.clone(), Rc::clone(made));
    let load = move || {
        let value = value.map(str::to_owned);
        async move {
            made.set(made.get() + 1);
            value
        }
    };
    block_on(cx.cached(&store, Key::public("test", 1), REALTIME, load))
}

#[test]
fn n50_to_n53_each_class_has_its_time() {
    let seconds = [STATIC, FREQUENT, COMPUTED, REALTIME].map(|class| class.ttl_ms / 1000);
    assert_eq!(seconds, [3600, 300, 600, 30]);
}

#[test]
fn n55_keys_differ_by_function_version_parameters_and_user() {
    let keys = [
        Key::public("a", 1),
        Key::public("a", 2),
        Key::public("b", 1),
        Key::of_user("a", 1, ALICE),
        Key::public("a", 1).with("x", "1"),
        Key::public("a", 1).with("x", "1").with("y", "2"),
        // A value that tries to be two parameters.
        Key::public("a", 1).with("x", "1/y=1:2"),
    ];
    for (n, key) in keys.iter().enumerate() {
        assert!(keys.iter().skip(n + 1).all(|other| other.text() != key.text()), "{key:?} stands twice");
    }
    assert!(!Key::of_user("a", 1, ALICE).with("x", "1").is_public, "what is a user's own is not shared");
}

#[test]
fn a_fresh_answer_is_given_without_being_made_again() {
    let (cx, store, made) = (alice(&FakeDb::unreachable()), FakeStore::at(0), Rc::new(Cell::new(0)));
    assert_eq!(ask(&cx, &store, Ok("one"), &made), Ok("one".into()));
    store.now_ms.set(29_000);
    assert_eq!(ask(&cx, &store, Ok("two"), &made), Ok("one".into()));
    finish(&cx);
    assert_eq!(made.get(), 1);
}

#[test]
fn a_stale_answer_is_given_at_once_and_made_anew_afterwards_by_one() {
    let (cx, store, made) = (alice(&FakeDb::unreachable()), FakeStore::at(0), Rc::new(Cell::new(0)));
    ask(&cx, &store, Ok("one"), &made).unwrap();
    store.now_ms.set(31_000);
    assert_eq!(ask(&cx, &store, Ok("two"), &made), Ok("one".into()));
    assert_eq!(ask(&cx, &store, Ok("three"), &made), Ok("one".into()), "one refresher at a time");
    finish(&cx);
    assert_eq!((ask(&cx, &store, Ok("four"), &made), made.get()), (Ok("two".into()), 2));
}

#[test]
fn a_source_that_is_down_leaves_the_last_answer_for_as_long_as_its_class_allows() {
    let (cx, store, made) = (alice(&FakeDb::unreachable()), FakeStore::at(0), Rc::new(Cell::new(0)));
    ask(&cx, &store, Ok("one"), &made).unwrap();
    store.now_ms.set(59_999);
    assert_eq!(ask(&cx, &store, Err(UNAVAILABLE.into()), &made), Ok("one".into()));
    finish(&cx);
    store.now_ms.set(60_000);
    assert_eq!(ask(&cx, &store, Err(UNAVAILABLE.into()), &made).unwrap_err().problem().status, 503);
}

#[test]
fn a_write_that_matters_makes_the_answer_forgotten() {
    let (cx, store, made) = (alice(&FakeDb::unreachable()), FakeStore::at(0), Rc::new(Cell::new(0)));
    ask(&cx, &store, Ok("one"), &made).unwrap();
    block_on(store.forget(&Key::public("test", 1)));
    assert_eq!(ask(&cx, &store, Ok("two"), &made), Ok("two".into()));
}

proptest! {
    #[test]
    fn n56_refreshes_come_early_with_the_probability_that_xfetch_gives(
        cost_ms in 1_u64..5_000, left_ms in 1_u64..30_000, random in 0.000_001_f64..1.0,
    ) {
        let now_ms = 30_000 - left_ms;
        let early = entry(0, cost_ms).age(REALTIME, now_ms, random) == Age::Early;
        // P(early) = exp(−left / cost): the dice decide exactly there.
        let bound = (-(left_ms as f64) / cost_ms as f64).exp();
        prop_assert_eq!(early, random <= bound);
    }

    #[test]
    fn an_entry_only_ever_gets_older(cost_ms in 0_u64..5_000, a in 0_u64..100_000, b in 0_u64..100_000, random in 0.000_001_f64..1.0) {
        let rank = |now_ms| match entry(0, cost_ms).age(REALTIME, now_ms, random) {
            Age::Fresh => 0,
            Age::Early => 1,
            Age::Stale => 2,
            Age::Gone => 3,
        };
        prop_assert!(rank(a.min(b)) <= rank(a.max(b)));
    }
}
