//! A call as a rail sees it, and its answer.

use std::borrow::Cow;
use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// A query for those who read it by names.
pub type Pairs = HashMap<String, String>;

pub struct Ask<'a> {
    pub method: &'a Method,
    /// The parts of the path behind the rail's prefix.
    pub segments: Vec<&'a str>,
    /// The query, in the order sent.
    pub pairs: Vec<(String, String)>,
    pub headers: &'a HeaderMap,
    pub raw: &'a [u8],
    /// The body: JSON as it is, a form as an object of strings (`metadata[a]` is a key), null when it is neither.
    pub body: Value,
}

impl<'a> Ask<'a> {
    pub fn read(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap, raw: &'a [u8]) -> Self {
        let segments = uri.path().split('/').filter(|part| !part.is_empty()).skip(1).collect();
        let query = pairs(uri.query().unwrap_or_default()).collect();
        let form = header_of(headers, "content-type").is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
        let body = if form {
            let fields = pairs(std::str::from_utf8(raw).unwrap_or_default());
            Value::Object(fields.map(|(name, value)| (name, Value::String(value))).collect())
        } else {
            serde_json::from_slice(raw).unwrap_or(Value::Null)
        };
        Self { method, segments, pairs: query, headers, raw, body }
    }

    pub fn gets(&self) -> bool {
        self.method == Method::GET
    }

    pub fn posts(&self) -> bool {
        self.method == Method::POST
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header_of(self.headers, name)
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub fn bearer(&self) -> Option<&str> {
        let (scheme, key) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    }

    /// `customer.email`; of a form, the key as it is. Null counts as absent.
    pub fn value(&self, path: &str) -> Option<&Value> {
        let direct = self.body.get(path);
        let found = direct.or_else(|| path.split('.').try_fold(&self.body, |value, part| value.get(part)));
        found.filter(|value| !value.is_null())
    }

    /// A text that is not empty; a number is taken as its digits.
    pub fn text(&self, path: &str) -> Option<Cow<'_, str>> {
        match self.value(path)? {
            Value::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    pub fn owned(&self, path: &str) -> String {
        self.text(path).map(Cow::into_owned).unwrap_or_default()
    }

    /// The members of an object, and those of a form's `name[key]`.
    pub fn object(&self, name: &str) -> Map<String, Value> {
        if let Some(Value::Object(fields)) = self.body.get(name) {
            return fields.clone();
        }
        let Some(fields) = self.body.as_object() else { return Map::new() };
        let inner = |key: &str| key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']').map(str::to_owned);
        fields.iter().filter_map(|(key, value)| Some((inner(key)?, value.clone()))).collect()
    }

    /// Whom it concerns, so that a fault can be aimed at an `initialize`, which has no id yet.
    pub fn email(&self) -> Option<String> {
        ["email", "customer.email", "customer_email", "receipt_email"]
            .into_iter()
            .find_map(|path| self.text(path).map(Cow::into_owned))
    }

    pub fn phone(&self) -> Option<String> {
        [
            "payment_method.mobile_money.phone_number",
            "payer.partyId",
            "subscriber.msisdn",
            "customer_phone_number",
            "customer.phone",
            "phone",
        ]
        .into_iter()
        .find_map(|path| self.text(path).map(Cow::into_owned))
    }
}

fn header_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The pairs of a query or of a form.
pub fn pairs(text: &str) -> impl Iterator<Item = (String, String)> + use<> {
    let url = reqwest::Url::parse(&format!("http://form/?{text}")).ok();
    let pairs: Vec<_> = url.iter().flat_map(reqwest::Url::query_pairs).map(|(a, b)| (a.into(), b.into())).collect();
    pairs.into_iter()
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub kind: &'static str,
    pub headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, body: body.to_string().into_bytes(), kind: "application/json", headers: Vec::new() }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, body: Vec::new(), kind: "application/json", headers: Vec::new() }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(header::CONTENT_TYPE, self.kind)], self.body).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
