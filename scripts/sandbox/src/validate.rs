//! What the provider accepts, field by field: every complaint is collected, and all of them are sent in one 422.

use serde_json::{Map, Value, json};

use crate::api::Reply;
use crate::money;
use crate::records::Customer;

/// JavaScript's safe integers; beyond that a caller's own JSON would already be wrong.
const AMOUNT_MAX: i64 = 9_007_199_254_740_991;

pub struct Form {
    fields: Map<String, Value>,
    errors: Map<String, Value>,
}

impl Form {
    /// A body that is no JSON object is 400, before any field is looked at.
    pub fn read(body: &[u8]) -> Result<Self, Reply> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self { fields, errors: Map::new() }),
            _ => Err(Reply::refused(400, "The request body is not a JSON object.")),
        }
    }

    pub fn complain(&mut self, field: &str, sentence: String) {
        if let Value::Array(list) = self.errors.entry(field).or_insert_with(|| json!([])) {
            list.push(Value::String(sentence));
        }
    }

    pub fn value(&self, field: &str) -> Option<&Value> {
        let mut parts = field.split('.');
        let first = self.fields.get(parts.next()?);
        parts.try_fold(first?, |value, part| value.get(part)).filter(|value| !value.is_null())
    }

    /// A required, non-empty string.
    pub fn text(&mut self, field: &str) -> String {
        match self.value(field) {
            Some(Value::String(text)) if !text.trim().is_empty() => return text.clone(),
            None | Some(Value::String(_)) => self.complain(field, format!("The {field} field is required.")),
            Some(_) => self.complain(field, format!("The {field} field must be a string.")),
        }
        String::new()
    }

    pub fn optional_text(&mut self, field: &str) -> Option<String> {
        match self.value(field)?.clone() {
            Value::String(text) => return Some(text),
            // The documentation types a payout's phone and msisdn as integers, and shows strings.
            Value::Number(number) if number.is_u64() => return Some(number.to_string()),
            _ => self.complain(field, format!("The {field} field must be a string.")),
        }
        None
    }

    /// A positive JSON integer in whole units: `100.0`, `"100"` and `1e2` are refused.
    pub fn amount(&mut self) -> i64 {
        match self.value("amount") {
            None => self.complain("amount", "The amount field is required.".into()),
            Some(value) => match value.as_i64() {
                Some(amount @ 1..=AMOUNT_MAX) => return amount,
                Some(_) => self.complain("amount", "The amount field must be at least 1.".into()),
                None => self.complain("amount", "The amount field must be an integer.".into()),
            },
        }
        0
    }

    pub fn currency(&mut self) -> String {
        let currency = self.text("currency");
        if !currency.is_empty() && !money::is_known(&currency) {
            self.complain("currency", "The selected currency is invalid.".into());
        }
        currency
    }

    pub fn url(&mut self, field: &str) -> String {
        let url = self.text(field);
        let parsed = reqwest::Url::parse(&url).ok();
        if !url.is_empty() && !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            self.complain(field, format!("The {field} field must be a valid URL."));
        }
        url
    }

    pub fn customer(&mut self) -> Customer {
        let mut optional = |field: &str| self.optional_text(&format!("customer.{field}"));
        let (phone, address, city) = (optional("phone"), optional("address"), optional("city"));
        let (state, country, zip) = (optional("state"), optional("country"), optional("zip"));
        let email = self.text("customer.email");
        let is_address = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !email.is_empty() && !is_address {
            self.complain("customer.email", "The customer.email field must be a valid email address.".into());
        }
        let (first_name, last_name) = (self.text("customer.first_name"), self.text("customer.last_name"));
        let id = crate::state::fresh_id();
        Customer { id, email, first_name, last_name, phone, address, city, state, country, zip }
    }

    /// Key-value pairs; only strings are allowed as values. PHP callers send an empty one as `[]`.
    pub fn metadata(&mut self) -> Map<String, Value> {
        match self.value("metadata").cloned() {
            None => {}
            Some(Value::Array(list)) if list.is_empty() => {}
            Some(Value::Object(pairs)) => {
                for key in pairs.iter().filter(|(_, value)| !value.is_string()).map(|(key, _)| key) {
                    self.complain(&format!("metadata.{key}"), format!("The metadata.{key} field must be a string."));
                }
                return pairs;
            }
            Some(_) => self.complain("metadata", "The metadata field must be an array.".into()),
        }
        Map::new()
    }

    pub fn finish(self) -> Result<(), Reply> {
        let count = self.errors.values().filter_map(Value::as_array).map(Vec::len).sum::<usize>();
        let first = self.errors.values().find_map(|list| list[0].as_str()).map(str::to_owned);
        let Some(first) = first else { return Ok(()) };
        let message = match count {
            1 => first,
            2 => format!("{first} (and 1 more error)"),
            _ => format!("{first} (and {} more errors)", count - 1),
        };
        Err(Reply { status: 422, body: json!({ "message": message, "data": {}, "errors": self.errors }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(body: &str, read: impl FnOnce(&mut Form)) -> Value {
        let mut form = Form::read(body.as_bytes()).expect("the body is an object");
        read(&mut form);
        form.finish().err().map_or(Value::Null, |reply| reply.body["errors"].clone())
    }

    #[test]
    fn an_amount_is_a_positive_json_integer() {
        for (body, accepted) in [
            (r#"{"amount":1}"#, true),
            (r#"{"amount":9007199254740991}"#, true),
            (r#"{"amount":9007199254740992}"#, false),
            (r#"{"amount":0}"#, false),
            (r#"{"amount":-1}"#, false),
            (r#"{"amount":100.0}"#, false),
            (r#"{"amount":1e2}"#, false),
            (r#"{"amount":"100"}"#, false),
            (r#"{"amount":null}"#, false),
            (r"{}", false),
        ] {
            let errors = complaints(body, |form| _ = form.amount());
            assert_eq!(errors.is_null(), accepted, "{body}: {errors}");
        }
    }

    #[test]
    fn metadata_values_are_strings() {
        assert!(complaints(r#"{"metadata":{"a":"1"}}"#, |form| _ = form.metadata()).is_null());
        assert!(complaints(r#"{"metadata":[]}"#, |form| _ = form.metadata()).is_null());
        let errors = complaints(r#"{"metadata":{"a":1,"b":"x"}}"#, |form| _ = form.metadata());
        assert_eq!(errors, json!({ "metadata.a": ["The metadata.a field must be a string."] }));
    }

    #[test]
    fn every_missing_part_of_a_customer_is_named_at_once() {
        let errors = complaints(r#"{"customer":{"email":"nobody"}}"#, |form| _ = form.customer());
        let fields: Vec<_> = errors.as_object().expect("errors per field").keys().cloned().collect();
        assert_eq!(fields, ["customer.email", "customer.first_name", "customer.last_name"]);
    }

    #[test]
    fn a_return_address_is_a_web_address() {
        for (url, accepted) in [
            ("https://app.cauris.test/return", true),
            ("http://127.0.0.1:3000/r?a=1", true),
            ("javascript:alert(1)", false),
            ("/return", false),
            ("", false),
        ] {
            let body = json!({ "return_url": url }).to_string();
            assert_eq!(complaints(&body, |form| _ = form.url("return_url")).is_null(), accepted, "{url}");
        }
    }
}
