//! A second reader of JSON's shape: how deep, and whether an object says a name twice. It walks the text itself, so it shares
//! no visitor with [`crate::json`]; the text must be JSON already.

use std::collections::BTreeSet;

#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    pub depth: usize,
    pub repeats: bool,
    /// A name that serde keeps for itself: it would read the value as another document.
    pub reserved: bool,
}

/// The names of an object so far; `None` for a list.
type Names = Option<BTreeSet<String>>;

pub fn shape(json: &str) -> Shape {
    let mut shape = Shape { depth: 0, repeats: false, reserved: false };
    let mut open: Vec<Names> = Vec::new();
    // The last byte that was neither blank nor part of a text: a text behind `{` or `,` of an object is a name.
    let mut last = b' ';
    let mut rest = json.char_indices();
    while let Some((at, character)) = rest.next() {
        match character {
            '{' => open.push(Some(BTreeSet::new())),
            '[' => open.push(None),
            '}' | ']' => drop(open.pop()),
            '"' => {
                let end = end_of_text(&mut rest).unwrap_or(json.len());
                if let (b'{' | b',', Some(Some(names))) = (last, open.last_mut()) {
                    let name: String = json.get(at..end).and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
                    shape.reserved |= name.starts_with("$serde_json::private::");
                    shape.repeats |= !names.insert(name);
                }
            }
            _ => {}
        }
        shape.depth = shape.depth.max(open.len());
        if !character.is_ascii_whitespace() {
            last = u8::try_from(character).unwrap_or(b' ');
        }
    }
    shape
}

/// Behind the quote that closes a text.
fn end_of_text(rest: &mut std::str::CharIndices<'_>) -> Option<usize> {
    loop {
        match rest.next()? {
            (at, '"') => return Some(at + 1),
            (_, '\\') => drop(rest.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_its_depth_and_its_repeated_names() {
        for (json, depth, repeats) in [
            ("1", 0, false),
            (r#"{"a":[{"a":1}]}"#, 3, false),
            (r#"{"a":1,"b":{"a":2},"\u0061":3}"#, 2, true),
            (r#"{"a":"a","b":["a","a"],"c":"\",\"a\":"}"#, 2, false),
            (r#"["a","a"]"#, 1, false),
            (r#"{"[":"]","{":"}"}"#, 1, false),
        ] {
            assert_eq!(shape(json), Shape { depth, repeats, reserved: false }, "{json}");
        }
        assert!(shape(r#"[{"$serde_json::private::RawValue":"1"}]"#).reserved);
    }
}
