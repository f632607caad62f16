//! Reading a body: strict where a lenient reader would guess. Depth, duplicate keys and types are refused with a path.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Answer, ApiError, BAD_JSON};

mod de;
mod fields;
mod number;
mod reader;
mod strict;
mod tree;
mod wrong;

pub use fields::{Fields, Odd, is_json, items, string, whole};
use reader::Reader;
pub use tree::{Object, Tree, object, some_object, some_tree, tree};
pub use wrong::Wrong;

/// Reads what another service said: what `serde_json::from_str` reads, and nothing else.
///
/// # Errors
/// For what is no JSON, and for JSON of another shape.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Wrong> {
    let mut reader = Reader::new(text);
    let read = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(read)
}

/// The same from bytes, which have to be UTF-8.
///
/// # Errors
/// As [`read`].
pub fn read_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Wrong> {
    read(std::str::from_utf8(bytes).map_err(|_| Wrong::json())?)
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
    T::deserialize(&mut opened(body)?).map_err(|wrong| invalid(&wrong))
}

/// At the one object that a body is.
fn opened(body: &[u8]) -> Answer<Reader<'_>> {
    let mut reader = Reader::new(checked(if body.trim_ascii().is_empty() { b"{}" } else { body })?);
    // Serde would read a list as a struct, by position.
    if reader.peek() == b'{' { Ok(reader) } else { Err(ApiError::invalid("body", "must be a JSON object")) }
}

fn invalid(wrong: &Wrong) -> ApiError {
    ApiError::invalid(wrong.path().unwrap_or("body"), wrong.text())
}

/// Refuses what is not one JSON value, is nested too deep, repeats a key, or uses one of serde's own.
///
/// # Errors
/// 400 `BAD_JSON`.
pub fn check(body: &[u8]) -> Answer<()> {
    checked(body).map(drop)
}

fn checked(body: &[u8]) -> Answer<&str> {
    let text = std::str::from_utf8(body).ok().filter(|text| strict::check(text).is_ok());
    text.ok_or_else(|| BAD_JSON.into())
}

#[cfg(test)]
mod tests;
