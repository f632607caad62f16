//! What strangers send, looked over once before any type reads it.

use std::collections::BinaryHeap;

use super::reader::{Read, Reader};
use super::wrong::Wrong;

/// Deepest nesting a request may have (contracts/README, section 1).
const MAX_DEPTH: u8 = 32;
/// Names that serde_json uses between its own types. As a stranger's field such a name would make a text be read as one more
/// document, with a depth and with names that nobody has checked.
const RESERVED: &str = "$serde_json::private::";

/// Refuses what is not one JSON value, is deeper than [`MAX_DEPTH`], repeats a key, or uses a [`RESERVED`] one.
pub fn check(text: &str) -> Read<()> {
    let mut reader = Reader::new(text);
    value(&mut reader, MAX_DEPTH)?;
    reader.end()
}

fn value(reader: &mut Reader<'_>, depth: u8) -> Read<()> {
    match reader.peek() {
        b'"' => reader.string().map(drop),
        b'-' | b'0'..=b'9' => reader.number().map(drop),
        b'[' => items(reader, depth.checked_sub(1).ok_or_else(Wrong::json)?),
        b'{' => fields(reader, depth.checked_sub(1).ok_or_else(Wrong::json)?),
        _ => reader.skip(),
    }
}

fn items(reader: &mut Reader<'_>, depth: u8) -> Read<()> {
    reader.take();
    let mut is_first = true;
    while reader.more(b']', is_first)? {
        is_first = false;
        value(reader, depth)?;
    }
    reader.take();
    Ok(())
}

fn fields(reader: &mut Reader<'_>, depth: u8) -> Read<()> {
    reader.take();
    let mut seen = BinaryHeap::new();
    while reader.more(b'}', seen.is_empty())? {
        let name = reader.name()?;
        if name.starts_with(RESERVED) {
            return Err(Wrong::json());
        }
        seen.push(name);
        value(reader, depth)?;
    }
    reader.take();
    // In order, a name that is there twice comes twice in a row.
    while let Some(name) = seen.pop() {
        if seen.peek() == Some(&name) {
            return Err(Wrong::json());
        }
    }
    Ok(())
}
