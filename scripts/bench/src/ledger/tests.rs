use std::collections::BTreeSet;

use super::*;

#[test]
fn cases_are_called_by_their_pattern_and_their_clients() {
    let names = Case::ALL.map(|case| case.to_string());
    assert_eq!(names, ["spread/1", "spread/8", "spread/64", "hot/1", "hot/8", "hot/64"]);
}

#[test]
fn without_pgbench_its_rows_are_left_out_and_a_merchant_is_always_hot_and_the_floor_never() {
    let (all, ours) = (entrants(true), entrants(false));
    assert_eq!((all.len(), ours.len()), (30, 18));
    assert!(ours.iter().all(|(_, subject)| !matches!(subject, Subject::Pgbench | Subject::Bare)));
    assert!(all.iter().all(|(case, subject)| *subject != Subject::Merchant || case.pattern == Pattern::Hot));
    assert!(all.iter().all(|(case, subject)| *subject != Subject::Rows || case.pattern == Pattern::Spread));
}

#[test]
fn clients_share_no_account_but_the_hot_one() {
    for pattern in [Pattern::Spread, Pattern::Hot] {
        let crowd = Crowd { callers: 21, case: Case::new(pattern, 8) };
        let of = |client| {
            let pairs = (0..9).map(move |turn| crowd.pair(client, turn));
            pairs.flat_map(|(payer, payee)| [payer, payee]).filter(|number| *number != 21).collect::<BTreeSet<usize>>()
        };
        assert_eq!(of(0).intersection(&of(1)).count(), 0, "{pattern:?}");
        assert!((0..9).all(|turn| crowd.pair(7, turn).0 != crowd.pair(7, turn).1), "{pattern:?}");
    }
}

#[test]
fn only_what_was_answered_inside_the_window_counts() {
    let ms = Duration::from_millis;
    let samples: Vec<Sample> = (1..=400).map(|n| Sample { at: ms(n * 10), took: ms(n) }).collect();
    let window = Window { from: ms(1000), to: ms(3000), cpu: ms(100) };
    let turn = turn(&samples, &window).expect("200 of them");
    for (figure, expected) in [turn.tps, turn.pg_cpu_us, turn.p99_ms].into_iter().zip([100.0, 500.0, 298.0]) {
        assert!((figure - expected).abs() < 1e-6, "{turn:?}");
    }
}

#[test]
fn a_window_without_an_answer_is_an_error_and_not_a_zero() {
    let window = Window { from: Duration::ZERO, to: Duration::from_secs(1), cpu: Duration::ZERO };
    assert!(turn(&[], &window).is_err());
}

#[test]
fn a_row_is_the_median_of_its_turns() {
    let turns = [(900.0, 310.04, 9.0), (1000.4, 300.0, 8.126), (1100.0, 290.0, 7.0)];
    let turns = turns.map(|(tps, pg_cpu_us, p99_ms)| Turn { tps, pg_cpu_us, p99_ms });
    let row = row((Case::new(Pattern::Hot, 64), Subject::Merchant), &turns);
    assert_eq!((row.case.as_str(), row.subject.as_str()), ("hot/64", "merchant"));
    assert_eq!([row.tps, row.pg_cpu_us, row.p99_ms], [1000.0, 300.0, 8.13]);
}
