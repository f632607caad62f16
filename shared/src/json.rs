//! Reading a body: strict where a lenient reader would guess. Depth, duplicate keys and types are refused with a path.

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::{Answer, ApiError, BAD_JSON};
use crate::text;

mod fields;

pub use fields::{Fields, Odd};

/// Deepest nesting a request may have (contracts/README, section 1).
const MAX_DEPTH: u8 = 32;
/// Names that serde_json uses between its own types. As a stranger's field such a name would make a text be read as one more
/// document, with a depth and with names that nobody has checked.
const RESERVED: &str = "$serde_json::private::";

/// Reads what another service said, as `serde_json::from_str` does. From bytes, as everything here: a second kind of reader
/// would link the whole parser once more into every function.
///
/// # Errors
/// Serde's.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> serde_json::Result<T> {
    serde_json::from_slice(text.as_bytes())
}

/// A tree as text. Its `Display` is a second writer beside the one of `to_string`.
#[must_use]
pub fn text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// One text, in quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Parses a request body. Empty means `{}`.
///
/// # Errors
/// 400 `BAD_JSON` for what is not JSON, is nested too deep or repeats a key; 400 `VALIDATION_ERROR` with the field's path
/// for what is JSON of the wrong shape. The input itself is never echoed.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    let body = if body.iter().all(u8::is_ascii_whitespace) { b"{}" } else { body };
    check(body)?;
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        // Serde would read a list as a struct, by position.
        return Err(ApiError::invalid("body", "must be a JSON object"));
    }
    // One pass that knows where it is, and not a fast one before it: each reader of a type is code of its own.
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(body)).map_err(|error| {
        let path = error.path().to_string();
        ApiError::invalid(if path == "." { "body" } else { &path }, &fault(&error.into_inner()))
    })
}

/// A sentence without serde's position, and without the value that was sent.
fn fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text::rsplit_once(&text, " at line ").map_or(text.as_str(), |(text, _)| text);
    if text.starts_with("invalid type") || text.starts_with("invalid value") || text.starts_with("unknown variant") {
        return match text::rsplit_once(text, "expected ") {
            Some((_, wanted)) => format!("must be {wanted}"),
            None => "has the wrong type".to_owned(),
        };
    }
    text.to_owned()
}

/// Refuses what is not one JSON value, is deeper than [`MAX_DEPTH`], repeats a key, or uses a [`RESERVED`] one.
///
/// # Errors
/// 400 `BAD_JSON`.
pub fn check(body: &[u8]) -> Answer<()> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    Strict { depth: 0 }.deserialize(&mut reader).and_then(|()| reader.end()).map_err(|_| BAD_JSON.into())
}

#[derive(Clone, Copy)]
struct Strict {
    depth: u8,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH { Err(E::custom("too deep")) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = std::collections::BTreeSet::<String>::new();
        while let Some(key) = fields.next_key::<String>()? {
            if key.starts_with(RESERVED) {
                return Err(A::Error::custom("reserved key"));
            }
            if !seen.insert(key) {
                return Err(A::Error::custom("duplicate key"));
            }
            fields.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Amount;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Ask {
        amount: Option<Amount>,
    }

    fn refusal(body: &[u8]) -> crate::error::Problem {
        parse::<Ask>(body).unwrap_err().problem()
    }

    #[test]
    fn an_empty_body_is_an_empty_object_and_unknown_fields_are_ignored() {
        for body in [&b""[..], b" \n", b"{}", br#"{"admin":true}"#] {
            assert_eq!(parse::<Ask>(body), Ok(Ask { amount: None }));
        }
    }

    #[test]
    fn what_is_not_one_json_value_is_bad_json() {
        let deep = [vec![b'['; 33], vec![b']'; 33]].concat();
        for body in [&b"{"[..], b"{} {}", b"{\"a\":1,\"a\":2}", b"\xff", b"{'a':1}", b"NaN", b"{\"a\":1e999}", &deep] {
            assert_eq!(refusal(body).code, "BAD_JSON", "{}", String::from_utf8_lossy(body));
        }
        assert!(check(&[vec![b'['; 32], vec![b']'; 32]].concat()).is_ok());
    }

    #[test]
    fn a_name_of_serdes_own_hides_no_second_document() {
        let hidden = br#"{"metadata":{"$serde_json::private::RawValue":"{\"a\":1,\"a\":2}"}}"#;
        let read = serde_json::from_slice::<serde_json::Value>(hidden).unwrap();
        assert_eq!(read["metadata"]["a"], 2, "serde_json would read it");
        assert_eq!(refusal(hidden).code, "BAD_JSON");
    }

    #[test]
    fn a_body_is_an_object_and_not_a_list_that_would_fit() {
        for body in [&b"[]"[..], b"[5]", b"5", b"null", b"\"text\""] {
            assert_eq!(refusal(body).code, "VALIDATION_ERROR", "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_wrong_field_is_named_and_its_value_is_not_repeated() {
        let no = refusal(br#"{"amount":"secret"}"#);
        assert_eq!((no.code.as_str(), &no.details.read()[0]["field"]), ("VALIDATION_ERROR", &"amount".into()));
        assert!(!no.details.read().to_string().contains("secret"), "{:?}", no.details);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_never_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<Ask>(&body);
        }
    }
}
