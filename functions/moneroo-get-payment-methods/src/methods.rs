//! Payment methods: the provider's list in our shape, and the copy that an isolate keeps.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use shared::edge::{Answer, ApiError};
use shared::http::Incoming;

/// N50: static data lives an hour; a provider that is down may leave it a day old.
const FRESH_MS: u64 = 3_600_000;
const USABLE_MS: u64 = 24 * FRESH_MS;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Method {
    pub code: String,
    pub name: String,
    pub currency: String,
    pub countries: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
}

#[derive(Clone)]
pub struct Cached {
    pub methods: Vec<Method>,
    pub read_ms: u64,
}

impl Cached {
    pub fn is_fresh(&self, now_ms: u64) -> bool {
        now_ms < self.read_ms + FRESH_MS
    }

    pub fn is_usable(&self, now_ms: u64) -> bool {
        now_ms < self.read_ms + USABLE_MS
    }
}

thread_local! {
    /// Public data, the same for every caller: it needs no user in its key.
    static KEPT: RefCell<Option<Cached>> = const { RefCell::new(None) };
}

pub fn recall() -> Option<Cached> {
    KEPT.with_borrow(Clone::clone)
}

pub fn remember(cached: Cached) {
    KEPT.set(Some(cached));
}

#[derive(Deserialize)]
struct Envelope {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    short_code: String,
    currency: Named,
    #[serde(default)]
    countries: Vec<Named>,
    icon_url: Option<String>,
}

/// Countries and currencies come as codes or as objects with one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Code(String),
    Object { code: String },
}

impl From<Named> for String {
    fn from(named: Named) -> Self {
        match named {
            Named::Code(code) | Named::Object { code } => code,
        }
    }
}

/// `None` for anything that is not the provider's list.
pub fn read(answer: &Incoming) -> Option<Vec<Method>> {
    let Envelope { data } = serde_json::from_str(&answer.body).ok().filter(|_| answer.status == 200)?;
    let method = |listed: Listed| Method {
        code: listed.short_code,
        name: listed.name,
        currency: listed.currency.into(),
        countries: listed.countries.into_iter().map(Into::into).collect(),
        icon_url: listed.icon_url,
    };
    Some(data.into_iter().map(method).collect())
}

#[derive(Deserialize)]
struct Row {
    currency: String,
}

/// Keeps the methods whose currency is switched on.
///
/// # Errors
/// Ours, when the rows are not what the view gives.
pub fn enabled(all: Vec<Method>, rows: &str) -> Answer<Vec<Method>> {
    let rows: Vec<Row> = serde_json::from_str(rows).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(all.into_iter().filter(|method| rows.iter().any(|row| row.currency == method.currency)).collect())
}

impl Method {
    /// By currency; by country too when the caller names one. Guinea is also recognised by its name in the method's.
    pub fn fits(&self, currency: &str, country: &str, country_given: bool) -> bool {
        let here = self.countries.iter().any(|code| code.eq_ignore_ascii_case(country))
            || (country == "GN" && (self.code.ends_with("_gn") || self.name.to_lowercase().contains("guin")));
        self.currency == currency && (!country_given || here)
    }
}
