use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};

use super::*;

#[test]
fn the_places_are_still_in_the_sources() {
    for place in Place::ALL {
        let source = std::fs::read_to_string(house::root().join(place.file())).expect("a source");
        let edits = [1, 2].map(|number| place.edited(&source, number).expect("a place"));
        assert!(edits[0] != source && edits[0] != edits[1], "{place:?}");
    }
}

#[test]
fn a_source_that_says_it_twice_or_no_more_is_named() {
    let error = Place::Function.edited("fn main() {}", 1).expect_err("nothing to edit").to_string();
    assert!(error.contains("functions/wallet-operations/src/lib.rs"), "{error}");
    let twice = Place::Shared.texts(1).0.repeat(2);
    assert!(Place::Shared.edited(&twice, 1).is_err());
}

#[test]
fn an_edit_is_seen_by_its_own_sign_alone() {
    let reply = |age: &str, body: &str| {
        let headers = HeaderMap::from_iter([("access-control-max-age".parse().unwrap(), age.parse().unwrap())]);
        Reply { status: StatusCode::OK, headers, body: Bytes::from(body.to_owned()) }
    };
    let seen = reply("7202", "operation must be known (edit 2)");
    for place in Place::ALL {
        assert_eq!([1, 2].map(|number| place.is_seen(&seen, number)), [false, true], "{place:?}");
    }
    let before = reply("7200", "operation must be preview, deposit, withdraw or transfer");
    assert!(!Place::ALL.iter().any(|place| place.is_seen(&before, 1)));
}

#[test]
fn an_edit_of_shared_is_served_once_everybody_serves_it() {
    assert_eq!(Place::Function.served_by().expect("names"), [FUNCTION]);
    let all = Place::Shared.served_by().expect("names");
    assert!(all.contains(&"gateway".to_owned()) && !all.contains(&"counters".to_owned()), "{all:?}");
}

#[test]
fn turns_are_told_by_their_median_and_their_longest() {
    let turns = [4, 9, 5].map(|s| Turn { took: Duration::from_secs(s), cpu: Duration::from_millis(s * 300) });
    let row = row(Place::Shared, &turns);
    assert_eq!((row.case, row.subject, row.runs), ("shared", "cauris", 3));
    for (figure, expected) in [(row.p50_s, 5.0), (row.max_s, 9.0), (row.cpu_s, 1.5)] {
        assert!((figure - expected).abs() < 1e-9, "{row:?}");
    }
}
