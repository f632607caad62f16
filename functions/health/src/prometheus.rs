//! The text that Prometheus reads (format 0.0.4): every family with its help and its type, then what is known of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Number;

pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub type Samples = BTreeMap<String, Number>;

/// Name, type and meaning. The counters come from the isolates (shared::metrics), the gauges from Postgres (`api.metrics`).
pub const FAMILIES: [(&str, &str, &str); 29] = [
    ("cauris_requests_total", "counter", "Answers by function, hundreds of the status, and code; OK is no refusal."),
    ("cauris_request_duration_ms", "histogram", "Milliseconds from the request's arrival to its answer."),
    ("cauris_upstream_calls_total", "counter", "Calls to the database's gateway, and outside."),
    ("cauris_upstream_failures_total", "counter", "Of these, without an answer or answered with 5xx."),
    ("cauris_upstream_ms_total", "counter", "Milliseconds that they took, all together."),
    ("cauris_rate_limited_total", "counter", "Answers 429."),
    ("cauris_slow_total", "counter", "Answers that took more than a second."),
    ("cauris_signature_failures_total", "counter", "Notifications whose signature was missing or wrong."),
    ("cauris_meter_up", "gauge", "1 when the counters could be read."),
    ("cauris_database_up", "gauge", "1 when the gauges below could be read."),
    ("cauris_database_connections", "gauge", "Connections to the cluster that are open."),
    ("cauris_database_connections_limit", "gauge", "How many there may be."),
    ("cauris_partitions_ahead", "gauge", "Months for which every monthly table is ready."),
    ("cauris_ledger_sum", "gauge", "All lines of a currency, in minor units: 0, or money was made or lost."),
    ("cauris_ledger_summed_age_seconds", "gauge", "How far behind cauris_ledger_sum and cauris_suspense are."),
    ("cauris_suspense", "gauge", "Money that came and is nobody's yet, in minor units."),
    ("cauris_unsealed_days", "gauge", "Finished days of the ledger without a seal."),
    ("cauris_payments_unknown", "gauge", "Payments whose end nobody knows, older than 15 minutes."),
    ("cauris_payouts_unknown", "gauge", "Payouts that may have been sent, or not."),
    ("cauris_payouts_manual", "gauge", "Payouts that wait for a person."),
    ("cauris_reconciliation_differences", "gauge", "What a provider and we say differently, still open."),
    ("cauris_inbox_waiting", "gauge", "Notifications of providers that are not finished."),
    ("cauris_inbox_oldest_seconds", "gauge", "Age of the oldest of them."),
    ("cauris_dead_letters", "gauge", "Given up after the last attempt, by queue."),
    ("cauris_late_events", "gauge", "Waiting alerts of an end after another end."),
    ("cauris_alerts_waiting", "gauge", "Alerts that nobody was told yet, by type."),
    ("cauris_outbox_waiting", "gauge", "Messages that are not sent yet, by channel."),
    ("cauris_outbox_oldest_seconds", "gauge", "Age of the oldest of them, by channel."),
    ("cauris_build_info", "gauge", "1; the version of this service is its label."),
];

pub fn text(samples: &Samples) -> String {
    let mut out = String::with_capacity(16_384);
    for (name, kind, help) in FAMILIES {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        let mut own: Vec<_> = samples.iter().filter(|(sample, _)| family(sample, kind) == Some(name)).collect();
        own.sort_by_key(|(sample, _)| place(sample));
        for (sample, value) in own {
            let _ = writeln!(out, "{sample} {value}");
        }
    }
    out
}

/// The family of a sample's name; nothing for one that would break its line.
fn family<'a>(sample: &'a str, kind: &str) -> Option<&'a str> {
    let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
    if sample.contains('\n') || !labels.ends_with('}') {
        return None;
    }
    let part = |suffix: &&str| name.ends_with(*suffix);
    let suffix = ["_bucket", "_sum", "_count"].into_iter().find(part).filter(|_| kind == "histogram");
    name.strip_suffix(suffix.unwrap_or_default())
}

/// Buckets in the order of their bounds, not of their digits.
fn place(sample: &str) -> (&str, u64) {
    match sample.split_once(",le=\"") {
        Some((front, bound)) => (front, bound.trim_end_matches("\"}").parse().unwrap_or(u64::MAX)),
        None => (sample, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ALERTS: &str = include_str!("../../../docs/alerts.yml");
    const RUNBOOK: &str = include_str!("../../../docs/observability.md");
    const GAUGES: &str = include_str!("../../../migrations/20261121097710_metrics.sql");

    fn samples(given: &[(&str, u64)]) -> Samples {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    /// The metrics that a text names, without the suffixes of a histogram.
    fn named(text: &str) -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let ours = words.filter(|word| word.starts_with("cauris_"));
        let trimmed = |word: &str| {
            let histogram = "cauris_request_duration_ms";
            if word.starts_with(histogram) { histogram.to_owned() } else { word.to_owned() }
        };
        ours.map(trimmed).collect()
    }

    fn families(kind: &str) -> BTreeSet<String> {
        FAMILIES
            .iter()
            .filter(|(_, k, _)| *k == kind || kind.is_empty())
            .map(|(name, _, _)| (*name).to_owned())
            .collect()
    }

    #[test]
    fn n81_each_family_has_its_head_once_and_its_samples_below_it() {
        let text = text(&samples(&[
            (r#"cauris_request_duration_ms_bucket{function="a",le="100"}"#, 2),
            (r#"cauris_request_duration_ms_bucket{function="a",le="+Inf"}"#, 3),
            (r#"cauris_request_duration_ms_bucket{function="a",le="20"}"#, 1),
            (r#"cauris_request_duration_ms_count{function="a"}"#, 3),
            (r#"cauris_request_duration_ms_sum{function="a"}"#, 950),
            ("cauris_payouts_manual", 4),
            ("cauris_payouts", 1),
            ("cauris_payouts_manual{x=\"\"}\ncauris_forged", 1),
            ("cauris_payouts_manual_sum", 1),
        ]));
        let histogram = "# TYPE cauris_request_duration_ms histogram\n\
            cauris_request_duration_ms_bucket{function=\"a\",le=\"20\"} 1\n\
            cauris_request_duration_ms_bucket{function=\"a\",le=\"100\"} 2\n\
            cauris_request_duration_ms_bucket{function=\"a\",le=\"+Inf\"} 3\n\
            cauris_request_duration_ms_count{function=\"a\"} 3\n\
            cauris_request_duration_ms_sum{function=\"a\"} 950\n# HELP ";
        assert!(text.contains(histogram), "{text}");
        assert!(text.contains("# TYPE cauris_payouts_manual gauge\ncauris_payouts_manual 4\n# HELP "), "{text}");
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 6, "{text}");
        for (name, _, _) in FAMILIES {
            assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
        }
    }

    #[test]
    fn n82_every_alert_asks_for_a_metric_that_is_exported_and_every_gauge_has_its_alert() {
        let (asked, exported) = (named(ALERTS), families(""));
        assert!(asked.is_subset(&exported), "docs/alerts.yml asks for {:?}", asked.difference(&exported));
        let mut gauges = families("gauge");
        gauges.remove("cauris_build_info");
        assert!(gauges.is_subset(&asked), "no alert in docs/alerts.yml on {:?}", gauges.difference(&asked));
    }

    #[test]
    fn n82_every_alert_has_a_line_in_the_runbook() {
        let alerts: Vec<_> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
        assert!(alerts.len() > 20, "{alerts:?}");
        for alert in alerts {
            assert!(RUNBOOK.contains(&format!("`{alert}`")), "docs/observability.md says nothing of {alert}");
        }
        for (name, _, _) in FAMILIES {
            assert!(RUNBOOK.contains(name), "docs/observability.md says nothing of {name}");
        }
    }

    #[test]
    fn what_postgres_counts_is_exported() {
        let (counted, exported) = (named(GAUGES), families("gauge"));
        assert!(counted.len() > 15 && counted.is_subset(&exported), "{:?}", counted.difference(&exported));
    }
}
