//! Payment methods: the provider's list in our shape.

use serde::Deserialize;
use shared::edge::{Answer, ApiError};
use shared::http::Incoming;

use crate::wire::Method;

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
    let Envelope { data } = shared::json::read(&answer.body).ok().filter(|_| answer.status == 200)?;
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
    let rows: Vec<Row> = shared::json::read(rows).map_err(|error| ApiError::internal(error.to_string()))?;
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
