//! Figures of one function in one isolate (N81): answers by code, how long they took, what upstreams cost. Kept as numbers,
//! carried away as the difference since the last time, under the names that Prometheus gets.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget::Spent;
use crate::db::Local;
use crate::http::Lost;

/// Upper bounds of the histogram: a hit of the cache, N01's 200 ms, N03's second, N07's limit.
pub const BUCKETS_MS: [u64; 11] = [5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// Longer than this and somebody should look (N03).
pub const SLOW_MS: u64 = 1_000;

/// Codes are declared, so there are few; were there ever more, memory and label sets stay bounded.
const CODES: usize = 48;

/// One answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noted<'a> {
    pub status: u16,
    /// Of a refusal.
    pub code: Option<&'a str>,
    pub ms: u64,
}

#[derive(Debug, Default)]
pub struct Tally {
    /// Hundreds of the status, the code, how often.
    answers: Vec<(u16, String, u64)>,
    /// How often each bucket was the first that fits, by the order of [`BUCKETS_MS`].
    buckets: [u64; BUCKETS_MS.len()],
    count: u64,
    ms: u64,
    slow: u64,
    database: Sum,
    outside: Sum,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    calls: u64,
    failed: u64,
    ms: u64,
}

impl Sum {
    fn add(&mut self, spent: Spent) {
        self.calls = self.calls.saturating_add(spent.calls.into());
        self.failed = self.failed.saturating_add(spent.failed.into());
        self.ms = self.ms.saturating_add(spent.ms);
    }
}

impl Tally {
    pub fn note(&mut self, noted: Noted<'_>) {
        self.count = self.count.saturating_add(1);
        self.ms = self.ms.saturating_add(noted.ms);
        self.slow = self.slow.saturating_add(u64::from(noted.ms > SLOW_MS));
        if let Some((_, bucket)) = BUCKETS_MS.iter().zip(&mut self.buckets).find(|(bound, _)| noted.ms <= **bound) {
            *bucket = bucket.saturating_add(1);
        }
        self.answered(noted.status / 100, noted.code.unwrap_or("OK"));
    }

    fn answered(&mut self, class: u16, code: &str) {
        let full = self.answers.len() >= CODES;
        if let Some((_, _, count)) = self.answers.iter_mut().find(|(c, name, _)| *c == class && name == code) {
            *count = count.saturating_add(1);
        } else if code != "OTHER" && (full || !is_code(code)) {
            self.answered(class, "OTHER");
        } else {
            self.answers.push((class, code.to_owned(), 1));
        }
    }

    /// What the calls of a request have cost, during it or after it.
    pub fn spend(&mut self, database: Spent, outside: Spent) {
        self.database.add(database);
        self.outside.add(outside);
    }

    /// Answers since the last time.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.count
    }

    /// What the meter adds, `{"counters":{"name{labels}":1}}`; and begins at zero again.
    #[must_use]
    pub fn take(&mut self, function: &str) -> String {
        let Self { answers, buckets, count, ms, slow, database, outside } = std::mem::take(self);
        let mut out = Counters { function, text: String::from("{\"counters\":{") };
        for (class, code, count) in &answers {
            out.add("requests_total", &[("class", &format!("{class}xx")), ("code", code)], *count);
        }
        let of =
            |code| answers.iter().filter(|(_, c, _)| c == code).fold(0, |sum: u64, (_, _, n)| sum.saturating_add(*n));
        out.add("rate_limited_total", &[], of("RATE_LIMITED"));
        out.add("signature_failures_total", &[], of("INVALID_SIGNATURE"));
        out.add("slow_total", &[], slow);
        let mut below = 0_u64;
        for (bound, fits) in BUCKETS_MS.iter().zip(buckets) {
            below = below.saturating_add(fits);
            out.add("request_duration_ms_bucket", &[("le", &bound.to_string())], below);
        }
        out.add("request_duration_ms_bucket", &[("le", "+Inf")], count);
        out.add("request_duration_ms_sum", &[], ms);
        out.add("request_duration_ms_count", &[], count);
        for (upstream, sum) in [("database", database), ("outside", outside)] {
            out.add("upstream_calls_total", &[("upstream", upstream)], sum.calls);
            out.add("upstream_failures_total", &[("upstream", upstream)], sum.failed);
            out.add("upstream_ms_total", &[("upstream", upstream)], sum.ms);
        }
        out.text.push_str("}}");
        out.text
    }
}

/// As codes are written everywhere; also what lower-case protocols say (`invalid_grant`). Nothing that needs quoting.
fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

struct Counters<'a> {
    function: &'a str,
    text: String,
}

impl Counters<'_> {
    /// Writes nothing for zero: what never happened needs no line.
    fn add(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        if value == 0 {
            return;
        }
        let comma = if self.text.ends_with('{') { "" } else { "," };
        // Writing into a String cannot fail. Quotes inside a JSON text are escaped.
        let _ = write!(self.text, r#"{comma}"cauris_{name}{{function=\"{}\""#, self.function);
        for (label, value) in labels {
            let _ = write!(self.text, r#",{label}=\"{value}\""#);
        }
        let _ = write!(self.text, "}}\":{value}");
    }
}

/// How a part that we depend on does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    Ok,
    Down,
    NotConfigured,
}

/// Where a function's public keys of tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthKeys {
    None,
    /// From the settings: nobody has to be asked.
    Inline,
    /// From this address.
    Published(String),
}

/// The port to the platform that an operator's function has beside Postgres and providers.
pub trait Plant {
    /// The meter's totals, `{"counters":{"name{labels}":1}}`; `None` when there is no meter.
    fn totals(&self) -> Option<Local<'_, Result<String, Lost>>>;
    fn limiter(&self) -> Local<'_, Word>;
    fn auth_keys(&self) -> AuthKeys;
    /// Where to ask how the storage does.
    fn storage(&self) -> Option<String>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn taken(tally: &mut Tally) -> Value {
        serde_json::from_str::<Value>(&tally.take("wallet-operations")).expect("JSON")["counters"].clone()
    }

    fn noted(status: u16, code: Option<&str>, ms: u64) -> Noted<'_> {
        Noted { status, code, ms }
    }

    #[test]
    fn n81_answers_are_counted_by_code_and_put_into_the_bucket_that_fits() {
        let mut tally = Tally::default();
        for (status, code, ms) in
            [(200, None, 5), (200, None, 6), (201, None, 10_001), (403, Some("INVALID_SIGNATURE"), 1_000)]
        {
            tally.note(noted(status, code, ms));
        }
        tally.note(noted(429, Some("RATE_LIMITED"), 1_001));
        assert_eq!(tally.pending(), 5);
        let counters = taken(&mut tally);
        let of = |name: &str| counters.get(format!("cauris_{name}")).and_then(Value::as_u64);
        let function = r#"function="wallet-operations""#;
        for (name, expected) in [
            (format!(r#"requests_total{{{function},class="2xx",code="OK"}}"#), Some(3)),
            (format!(r#"requests_total{{{function},class="4xx",code="RATE_LIMITED"}}"#), Some(1)),
            (format!("rate_limited_total{{{function}}}"), Some(1)),
            (format!("signature_failures_total{{{function}}}"), Some(1)),
            (format!("slow_total{{{function}}}"), Some(2)),
            (format!(r#"request_duration_ms_bucket{{{function},le="5"}}"#), Some(1)),
            (format!(r#"request_duration_ms_bucket{{{function},le="10"}}"#), Some(2)),
            (format!(r#"request_duration_ms_bucket{{{function},le="1000"}}"#), Some(3)),
            (format!(r#"request_duration_ms_bucket{{{function},le="10000"}}"#), Some(4)),
            (format!(r#"request_duration_ms_bucket{{{function},le="+Inf"}}"#), Some(5)),
            (format!("request_duration_ms_count{{{function}}}"), Some(5)),
            (format!("request_duration_ms_sum{{{function}}}"), Some(12_013)),
            (format!(r#"upstream_calls_total{{{function},upstream="outside"}}"#), None),
        ] {
            assert_eq!(of(&name), expected, "{name} in {counters}");
        }
        assert_eq!((tally.pending(), taken(&mut tally)), (0, serde_json::json!({})), "taken once");
    }

    #[test]
    fn n81_upstreams_are_counted_with_their_time_and_their_failures() {
        let mut tally = Tally::default();
        tally.spend(Spent { calls: 2, failed: 1, ms: 30 }, Spent { calls: 1, failed: 0, ms: 400 });
        tally.spend(Spent { calls: 1, failed: 0, ms: 5 }, Spent::default());
        let counters = taken(&mut tally);
        for (name, upstream, expected) in [
            ("calls_total", "database", 3),
            ("failures_total", "database", 1),
            ("ms_total", "database", 35),
            ("ms_total", "outside", 400),
        ] {
            let key = format!(r#"cauris_upstream_{name}{{function="wallet-operations",upstream="{upstream}"}}"#);
            assert_eq!(counters[&key], expected, "{key}");
        }
    }

    proptest! {
        /// Whatever is noted: the document stays JSON, label sets stay bounded, and no answer is lost.
        #[test]
        fn n81_label_sets_are_bounded_whatever_codes_come(codes in prop::collection::vec(".{0,80}", 0..200)) {
            let mut tally = Tally::default();
            for code in &codes {
                tally.note(noted(400, Some(code), 1));
            }
            let counters = taken(&mut tally);
            let requests = counters.as_object().expect("an object").iter().filter(|(name, _)| name.starts_with("cauris_requests_total"));
            let counts: Vec<u64> = requests.filter_map(|(_, count)| count.as_u64()).collect();
            prop_assert!(counts.len() <= CODES + 1);
            prop_assert_eq!(counts.iter().sum::<u64>(), codes.len() as u64);
        }
    }
}
