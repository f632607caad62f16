//! `application/x-www-form-urlencoded`, as CinetPay and `PayDunya` send it.

use serde_json::Value;

/// The pairs in the order given.
pub fn form(pairs: &[(&str, String)]) -> Vec<u8> {
    let mut url = reqwest::Url::parse("http://form/").expect("a constant address");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().as_bytes().to_vec()
}

/// A value as a form carries it.
pub fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
