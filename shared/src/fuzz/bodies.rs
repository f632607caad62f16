//! What a request says: our strict reader takes exactly what JSON is, without depth and without a name said twice, and
//! tells nobody what was wrong in their own words.

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::shape::{Shape, shape};
use crate::error::Problem;
use crate::json;
use crate::money::{Amount, Currency};
use crate::payments::checkout::Purpose;

/// Never repeated in a refusal, wherever it stands in a body's values.
const CONFIDENTIAL: &str = "s3cr3t";
const MAX_DEPTH: usize = 32;

/// One field of each kind that functions ask for.
#[derive(Debug, Deserialize)]
struct Ask {
    amount: Option<Amount>,
    currency: Option<Currency>,
    purpose: Option<Purpose>,
    recipient_id: Option<Uuid>,
    description: Option<String>,
    confirmed: Option<bool>,
    metadata: Option<Map<String, Value>>,
    stops: Option<Vec<Stop>>,
}

#[derive(Debug, Deserialize)]
struct Stop {
    latitude: f64,
    order: u8,
}

/// A body as it came.
pub fn bodies(data: &[u8]) {
    let blank = data.iter().all(u8::is_ascii_whitespace);
    let read = serde_json::from_slice::<Value>(data).ok();
    let good = read.as_ref().is_some_and(|_| fits(data));
    assert_eq!(json::check(data).is_ok(), good, "{:?}", String::from_utf8_lossy(data));
    match json::parse::<Ask>(data) {
        Ok(ask) => {
            assert!(blank || good, "read what is not JSON: {:?}", String::from_utf8_lossy(data));
            says(&ask, &read.unwrap_or_default());
        }
        Err(error) => {
            let no = error.problem();
            assert!(!blank, "an empty body is an empty object");
            let expected = if good { "VALIDATION_ERROR" } else { "BAD_JSON" };
            assert_eq!((no.status, no.code.as_str()), (400, expected), "{:?}", String::from_utf8_lossy(data));
            discreet(&no);
        }
    }
}

fn fits(data: &[u8]) -> bool {
    let Shape { depth, repeats, reserved } = shape(std::str::from_utf8(data).unwrap_or_default());
    depth <= MAX_DEPTH && !repeats && !reserved
}

/// What was read is what was sent, field by field.
fn says(ask: &Ask, sent: &Value) {
    let given = |name: &str| sent.get(name).filter(|value| !value.is_null());
    assert_eq!(ask.amount.map(Amount::get), given("amount").and_then(Value::as_i64));
    assert_eq!(ask.currency.as_ref().map(Currency::as_str), given("currency").and_then(Value::as_str));
    assert_eq!(ask.description.as_deref(), given("description").and_then(Value::as_str));
    assert_eq!(ask.confirmed, given("confirmed").and_then(Value::as_bool));
    assert_eq!(ask.metadata.as_ref(), given("metadata").and_then(Value::as_object));
    assert_eq!(ask.purpose.is_some(), given("purpose").is_some());
    assert_eq!(ask.recipient_id.is_some(), given("recipient_id").is_some());
    let stops = given("stops").and_then(Value::as_array).map(Vec::len);
    assert_eq!(ask.stops.as_ref().map(Vec::len), stops);
    for (stop, sent) in ask.stops.iter().flatten().zip(given("stops").and_then(Value::as_array).into_iter().flatten()) {
        let number = |name: &str, at: usize| sent.get(name).or_else(|| sent.get(at)).cloned().unwrap_or_default();
        assert_eq!(Some(stop.latitude), number("latitude", 0).as_f64());
        assert_eq!(Some(u64::from(stop.order)), number("order", 1).as_u64());
    }
}

/// A refusal is whole, and says nothing that was said to us.
fn discreet(no: &Problem) {
    let body = no.body("00000000-0000-4000-8000-000000000001");
    assert!(serde_json::from_str::<Value>(&body).is_ok_and(|body| body.is_object()), "{body}");
    assert!(!body.contains(CONFIDENTIAL), "{body}");
}
