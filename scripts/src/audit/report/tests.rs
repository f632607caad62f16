use serde_json::{Value, json};

use super::{Report, grouped, signed};

const T1: &str = "00000000-0000-4000-9000-000000000001";
const T2: &str = "00000000-0000-4000-9000-000000000002";

/// An audit that adds up, with these members in place of its own.
fn report(other: Value) -> Report {
    let mut figures = json!({
        "ok": true, "at": "2026-11-21T10:00:00.000000Z",
        "books": { "ok": true, "wallets": 1200, "broken_balances": 0,
            "currencies": [{ "currency": "GNF", "sum": 0, "entries": 34567 }] },
        "broken": { "transactions": [], "wallets": [] },
        "accounts": [{ "currency": "GNF", "kind": "provider_clearing", "total": -1000500, "lines": 7 }],
        "clearing": [{ "account": "payout_clearing", "currency": "GNF", "total": 500, "open": 500, "count": 2 }],
        "chain": { "ok": true, "days": 3, "transactions": 4321, "from": "2026-11-18", "to": "2026-11-20", "head": "ab",
            "broken": null },
        "waiting": { "unsealed_transactions": 12, "blocked_wallets": 1, "alerts": 0, "reconciliation_differences": null,
            "dead_letters": 2 },
        "noted": null,
    });
    for (name, value) in other.as_object().unwrap() {
        figures[name] = value.clone();
    }
    serde_json::from_value(figures).unwrap()
}

fn broken(other: Value) -> Report {
    let mut day =
        json!({ "day": "2026-11-19", "seal": "holds", "count": 1, "changed": [], "missing": [], "added": [] });
    for (name, value) in other.as_object().unwrap() {
        day[name] = value.clone();
    }
    let chain = json!({ "ok": false, "days": 1, "transactions": 9, "from": "2026-11-18", "to": "2026-11-18", "head": "cd",
        "broken": day });
    report(json!({ "ok": false, "chain": chain }))
}

#[test]
fn what_adds_up_is_printed_with_its_figures_and_no_verdict() {
    let report = report(json!({ "noted": { "head": "ab", "day": "2026-11-20" } }));
    assert_eq!(report.verdict(), None);
    let text = report.text();
    for line in [
        "  GNF  34,567 lines, sum 0",
        "  1,200 wallets, 0 of them wrong",
        "  GNF  provider_clearing               -1,000,500  7 lines",
        "  GNF  payout_clearing                        500  500 in 2 open",
        "  3 days hold, 2026-11-18 to 2026-11-20, 4,321 transactions",
        "  head ab",
        "  the noted head is that of 2026-11-20",
        "  12 transactions of days not sealed yet",
        "  2 events put aside",
        "all of it adds up",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line:?} in:\n{text}");
    }
    assert!(!text.contains("differences"), "what this database cannot count is not called 0:\n{text}");
}

#[test]
fn a_broken_day_is_one_sentence_that_names_the_day_and_the_transaction() {
    let altered = "its seal holds, so the books were altered";
    for (day, expected) in [
        (json!({ "changed": [T1] }), format!("transaction {T1} was changed after the seal; {altered}")),
        (json!({ "missing": [T1] }), format!("transaction {T1} was removed after the seal; {altered}")),
        (
            json!({ "changed": [T1], "added": [T1, T2], "count": 3, "seal": "altered" }),
            format!(
                "transaction {T1} was changed after the seal; transactions {T1}, {T2} were added after the seal; \
                 its leaves or its seal were altered"
            ),
        ),
        (
            json!({ "missing": [T1], "count": 1500 }),
            format!("transaction {T1} was removed after the seal; 1,500 in all; {altered}"),
        ),
        (json!({ "count": 0, "seal": "missing" }), "it has no seal".to_owned()),
        (json!({ "count": 0, "seal": "does not follow" }), "its seal does not follow from the day before".to_owned()),
    ] {
        let verdict = broken(day).verdict();
        assert_eq!(verdict, Some(format!("the chain breaks on 2026-11-19: {expected}")));
    }
}

#[test]
fn whatever_does_not_add_up_is_a_finding_of_its_own() {
    let wallet = json!({ "id": "w", "currency": "GNF", "balance": 1001, "lines": -1000 });
    let transaction = json!({ "id": T1, "day": "2026-11-19T01:00:00.000000Z", "currency": "GNF", "off": -5 });
    let off = json!({ "wallets": 1, "currencies": [{ "currency": "XOF", "sum": 5, "entries": 1 }] });
    let clearing = json!([{ "account": "ride_clearing", "currency": "GNF", "total": 20, "open": 0, "count": 0 }]);
    for (other, expected) in [
        (
            json!({ "noted": { "head": "ff", "day": null } }),
            "the noted head ff is of no day: days were sealed anew, or removed, since it was noted",
        ),
        (
            json!({ "broken": { "transactions": [transaction], "wallets": [] } }),
            "transaction 00000000-0000-4000-9000-000000000001 of 2026-11-19T01:00:00.000000Z does not balance in GNF: off by -5",
        ),
        (json!({ "books": off }), "all lines in XOF together are 5, not 0"),
        (
            json!({ "broken": { "transactions": [], "wallets": [wallet] } }),
            "wallet w says 1,001 GNF, its lines say -1,000",
        ),
        (json!({ "clearing": clearing }), "ride_clearing holds 20 GNF, and 0 is open"),
    ] {
        let mut other = other;
        other["ok"] = json!(false);
        let report = report(other);
        assert_eq!(report.verdict().as_deref(), Some(expected));
        assert!(report.text().contains(&format!("\nwrong\n  {expected}\n")), "{}", report.text());
    }
}

#[test]
fn of_several_findings_the_first_is_said_and_the_others_are_counted() {
    let clearing = |kind| json!({ "account": kind, "currency": "GNF", "total": 1, "open": 0, "count": 0 });
    let both = [clearing("payout_clearing"), clearing("ride_clearing")];
    let verdict = report(json!({ "ok": false, "clearing": both })).verdict();
    assert_eq!(verdict.as_deref(), Some("payout_clearing holds 1 GNF, and 0 is open (1 more above)"));
    let silent = report(json!({ "ok": false })).verdict();
    assert_eq!(silent.as_deref(), Some("the audit failed without saying why: look at --json"));
}

#[test]
fn a_ledger_in_which_nothing_was_sealed_has_no_head() {
    let chain =
        json!({ "ok": true, "days": 0, "transactions": 0, "from": null, "to": null, "head": null, "broken": null });
    let report = report(json!({ "chain": chain }));
    assert_eq!(report.verdict(), None);
    assert!(report.text().contains("\nchain\n  no day holds yet\n"));
}

#[test]
fn digits_are_grouped_by_three() {
    for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (u64::MAX, "18,446,744,073,709,551,615")] {
        assert_eq!(grouped(number), expected);
    }
    assert_eq!((signed(-1000).as_str(), signed(i64::MIN).as_str()), ("-1,000", "-9,223,372,036,854,775,808"));
}
