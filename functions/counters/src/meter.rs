//! What all isolates have counted, added up: POST adds `{"counters": {"name{labels}": number}}`, GET tells the totals.

use std::cell::RefCell;
use std::collections::BTreeMap;

use js_sys::{Array, Object, Reflect};
use serde::{Deserialize, Serialize};
use worker::{DurableObject, Env, Method, Request, Response, Result, State, durable_object};

/// A label that takes any value would fill the object; what comes after these is counted as dropped.
const SERIES: usize = 5_000;
const NAME: usize = 300;
/// What one write to storage may hold.
const BATCH: usize = 128;
/// No series is called so: names have no space.
const DROPPED: &str = " dropped";

#[durable_object(fetch)]
pub struct Meter {
    state: State,
    totals: RefCell<Option<Totals>>,
}

#[derive(Deserialize)]
struct Flush {
    counters: BTreeMap<String, f64>,
}

#[derive(Debug, Default, Serialize)]
struct Totals {
    counters: BTreeMap<String, f64>,
    /// Additions that found no place.
    dropped: f64,
}

impl DurableObject for Meter {
    fn new(state: State, _env: Env) -> Self {
        Self { state, totals: RefCell::new(None) }
    }

    async fn fetch(&self, mut req: Request) -> Result<Response> {
        let flush = match req.method() {
            Method::Get => None,
            Method::Post => match shared::json::read::<Flush>(&req.text().await?) {
                Ok(flush) => Some(flush),
                Err(_) => return Response::error("", 400),
            },
            _ => return Response::error("", 405),
        };
        self.recall().await?;
        let Some(flush) = flush else { return Response::from_json(&*self.totals.borrow()) };
        let changed = self.totals.borrow_mut().get_or_insert_default().add(flush.counters);
        for batch in changed.chunks(BATCH) {
            let row = Object::new();
            // As it is now: another flush may have come while the batch before was written.
            let total = |name| self.totals.borrow().as_ref().map_or(0.0, |totals| totals.of(name));
            for name in batch {
                Reflect::set(&row, &name.as_str().into(), &total(name).into())?;
            }
            self.state.storage().put_multiple_raw(row).await?;
        }
        Response::ok("")
    }
}

impl Meter {
    /// The totals as they were written before this object was dropped from memory.
    async fn recall(&self) -> Result<()> {
        if self.totals.borrow().is_some() {
            return Ok(());
        }
        let mut totals = Totals::default();
        for entry in self.state.storage().list().await?.entries() {
            let pair = Array::from(&entry?);
            if let (Some(name), Some(total)) = (pair.get(0).as_string(), pair.get(1).as_f64()) {
                totals.restore(name, total);
            }
        }
        self.totals.replace(Some(totals));
        Ok(())
    }
}

impl Totals {
    /// Adds, and names what is different now.
    fn add(&mut self, counters: BTreeMap<String, f64>) -> Vec<String> {
        let mut changed = Vec::new();
        let dropped = self.dropped;
        for (name, more) in counters {
            // Counters only grow; anything else would be a lie for ever.
            if !more.is_finite() || more < 0.0 || !self.has_place(&name) {
                self.dropped += 1.0;
                continue;
            }
            *self.counters.entry(name.clone()).or_default() += more;
            changed.push(name);
        }
        if self.dropped > dropped {
            changed.push(DROPPED.to_owned());
        }
        changed
    }

    fn has_place(&self, name: &str) -> bool {
        let fit = !name.is_empty() && name.len() <= NAME && !name.starts_with(' ');
        fit && (self.counters.len() < SERIES || self.counters.contains_key(name))
    }

    fn of(&self, name: &str) -> f64 {
        if name == DROPPED { self.dropped } else { self.counters.get(name).copied().unwrap_or_default() }
    }

    fn restore(&mut self, name: String, total: f64) {
        if name == DROPPED {
            self.dropped = total;
        } else {
            self.counters.insert(name, total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flush(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
        pairs.iter().map(|(name, more)| ((*name).to_owned(), *more)).collect()
    }

    #[test]
    fn flushes_add_up_and_only_what_changed_is_written() {
        let mut totals = Totals::default();
        totals.add(flush(&[("a{x=\"1\"}", 2.0), ("b", 1.5)]));
        assert_eq!(totals.add(flush(&[("b", 0.5)])), ["b"]);
        assert_eq!(serde_json::to_string(&totals).unwrap(), r#"{"counters":{"a{x=\"1\"}":2.0,"b":2.0},"dropped":0.0}"#);
    }

    #[test]
    fn what_was_written_is_what_is_restored() {
        let (mut before, mut after) = (Totals::default(), Totals::default());
        let written = before.add(flush(&[("a", 1.0), ("b", 2.0), ("bad", -1.0)]));
        written.into_iter().for_each(|name| after.restore(name.clone(), before.of(&name)));
        assert_eq!((after.counters, after.dropped), (before.counters, 1.0));
    }

    #[test]
    fn a_label_without_end_fills_no_memory_and_stops_no_old_series() {
        let mut totals = Totals::default();
        for n in 0..SERIES + 7 {
            totals.add(flush(&[(&format!("n{n}"), 1.0)]));
        }
        assert_eq!((totals.counters.len(), totals.dropped), (SERIES, 7.0));
        totals.add(flush(&[("n0", 1.0)]));
        assert_eq!((totals.counters["n0"], totals.dropped), (2.0, 7.0));
    }

    #[test]
    fn what_is_no_counter_is_dropped() {
        let mut totals = Totals::default();
        totals.add(flush(&[("", 1.0), (&"n".repeat(NAME + 1), 1.0), ("a", f64::NAN), (" dropped", 1.0)]));
        assert!(totals.counters.is_empty() && totals.dropped == 4.0, "{totals:?}");
    }
}
