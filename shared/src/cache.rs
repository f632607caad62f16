//! Answers that may be given again: the four classes of contracts/non-functional.md, section 4, and when one is refreshed.
//!
//! Never cached (N57): balances, decisions about payments and access, tokens.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::cx::Cx;
use crate::db::Local;
use crate::error::Answer;

/// How long an answer is good, and how long it is still given while a new one is made. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    pub ttl_ms: u64,
    pub stale_ms: u64,
}

/// N50: service catalogue, plans, payment methods. Given for a day while their source is down.
pub const STATIC: Class = Class { ttl_ms: 3_600_000, stale_ms: 86_400_000 };
/// N51: public events, routes.
pub const FREQUENT: Class = Class { ttl_ms: 300_000, stale_ms: 300_000 };
/// N52: statistics, reports.
pub const COMPUTED: Class = Class { ttl_ms: 600_000, stale_ms: 600_000 };
/// N53: leaderboards.
pub const REALTIME: Class = Class { ttl_ms: 30_000, stale_ms: 30_000 };

/// Larger than one, refreshes come earlier (N56).
const BETA: f64 = 1.0;

/// An answer that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: String,
    /// Unix milliseconds.
    pub stored_ms: u64,
    /// Milliseconds that making it took.
    pub cost_ms: u64,
}

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    Fresh,
    /// Still good; somebody should make the next one, so that nobody has to wait for it.
    Early,
    /// No longer good, but better than waiting: given while the next one is made.
    Stale,
    Gone,
}

impl Entry {
    /// N56, after Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (XFetch):
    /// refresh when `now − cost·beta·ln(random) ≥ expiry`. `random` is in (0, 1].
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a float's 53 bits")]
    pub fn age(&self, class: Class, now_ms: u64, random: f64) -> Age {
        let expiry_ms = self.stored_ms.saturating_add(class.ttl_ms);
        if now_ms >= expiry_ms.saturating_add(class.stale_ms) {
            return Age::Gone;
        }
        if now_ms >= expiry_ms {
            return Age::Stale;
        }
        let ahead_ms = self.cost_ms as f64 * BETA * -random.clamp(f64::MIN_POSITIVE, 1.0).ln();
        if now_ms as f64 + ahead_ms >= expiry_ms as f64 { Age::Early } else { Age::Fresh }
    }
}

/// Names an answer (N55): function, version of its shape, parameters in a fixed order, and the user unless it is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    text: String,
    pub is_public: bool,
}

impl Key {
    #[must_use]
    pub fn public(function: &str, version: u32) -> Self {
        Self { text: format!("{function}/{version}"), is_public: true }
    }

    #[must_use]
    pub fn of_user(function: &str, version: u32, user: Uuid) -> Self {
        Self { text: format!("{function}/{version}/{user}"), is_public: false }
    }

    /// A parameter. Its length is part of the key, so that no value can look like two.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.text, "/{name}={}:{value}", value.len());
        self
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The platform's side: where entries are kept, its clock and its dice.
pub trait Store {
    fn get<'a>(&'a self, key: &'a Key) -> Local<'a, Option<Entry>>;
    fn put<'a>(&'a self, key: &'a Key, entry: Entry, class: Class) -> Local<'a, ()>;
    /// A write made the answer wrong.
    fn forget<'a>(&'a self, key: &'a Key) -> Local<'a, ()>;
    /// True for one caller at a time: he makes the next answer.
    fn claims(&self, key: &Key) -> bool;
    fn now_ms(&self) -> u64;
    fn random(&self) -> f64;
}

impl<W> Cx<W> {
    /// The kept answer, or a new one by `load`. One that is due is given all the same, and made anew after the response.
    ///
    /// # Errors
    /// Those of `load`, when nothing is kept.
    pub async fn cached<F>(
        &self,
        store: &std::rc::Rc<dyn Store>,
        key: Key,
        class: Class,
        load: impl FnOnce() -> F,
    ) -> Answer<String>
    where
        F: Future<Output = Answer<String>> + 'static,
    {
        let kept = store.get(&key).await;
        let age = kept.as_ref().map_or(Age::Gone, |entry| entry.age(class, store.now_ms(), store.random()));
        match kept {
            Some(entry) if age == Age::Fresh => Ok(entry.value),
            Some(entry) if age != Age::Gone => {
                if store.claims(&key) {
                    let (store, next) = (std::rc::Rc::clone(store), load());
                    self.after_response(async move {
                        let _ = made(&*store, &key, class, next).await;
                    });
                }
                Ok(entry.value)
            }
            _ => made(&**store, &key, class, load()).await,
        }
    }
}

async fn made(
    store: &dyn Store,
    key: &Key,
    class: Class,
    load: impl Future<Output = Answer<String>>,
) -> Answer<String> {
    let began_ms = store.now_ms();
    let value = load.await?;
    let stored_ms = store.now_ms();
    let entry = Entry { value: value.clone(), stored_ms, cost_ms: stored_ms.saturating_sub(began_ms) };
    store.put(key, entry, class).await;
    Ok(value)
}

#[cfg(test)]
mod tests;
