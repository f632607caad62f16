//! An object as its names, and the texts behind them: for what is read here and there, a fraction of what a tree or a type of
//! its own links.

use std::borrow::Cow;

use super::reader::{Read, Reader};

/// What is not what it should be: no object, another kind of value, or one name twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odd;

/// The fields of one object, in its order.
#[derive(Debug)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Fields<'a> {
    /// # Errors
    /// For what is no JSON object.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Odd> {
        let text = std::str::from_utf8(bytes).map_err(|_| Odd)?;
        all(&mut Reader::new(text)).map(Self).map_err(|_| Odd)
    }

    /// The JSON behind a name.
    ///
    /// # Errors
    /// For a name that is there twice: who reads the first, and who reads the last, would read two different objects.
    pub fn get(&self, name: &str) -> Result<Option<&'a str>, Odd> {
        let mut found = self.0.iter().filter(|(own, _)| own == name);
        let first = found.next().map(|(_, value)| *value);
        if found.next().is_some() { Err(Odd) } else { Ok(first) }
    }

    /// The text behind a name; `null` is none.
    ///
    /// # Errors
    /// For another kind of value, and as [`Self::get`].
    pub fn text(&self, name: &str) -> Result<Option<String>, Odd> {
        let Some(value) = self.get(name)?.filter(|value| *value != "null") else { return Ok(None) };
        let mut reader = Reader::new(value);
        if reader.peek() != b'"' {
            return Err(Odd);
        }
        reader.string().map(|text| Some(text.into_owned())).map_err(|_| Odd)
    }

    /// Names and values as they stand there.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }
}

fn all<'a>(reader: &mut Reader<'a>) -> Read<Vec<(Cow<'a, str>, &'a str)>> {
    let mut all = Vec::new();
    reader.expect(b'{')?;
    while reader.more(b'}', all.is_empty())? {
        all.push((reader.name()?, reader.raw()?));
    }
    reader.take();
    reader.end()?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name_and_a_text_is_unescaped() {
        let fields = Fields::read(br#" {"a": "b\"c", "n": 1.50, "deep": {"a": [1, 2]}, "none": null} "#).unwrap();
        assert_eq!(fields.text("a"), Ok(Some("b\"c".to_owned())));
        assert_eq!(fields.get("n"), Ok(Some("1.50")));
        assert_eq!(fields.get("deep"), Ok(Some(r#"{"a": [1, 2]}"#)));
        assert_eq!((fields.text("none"), fields.text("absent")), (Ok(None), Ok(None)));
        assert_eq!(fields.text("n"), Err(Odd), "a number is no text");
        assert_eq!(fields.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "n", "deep", "none"]);
    }

    #[test]
    fn a_name_that_is_there_twice_is_not_chosen_from() {
        let fields = Fields::read(br#"{"sub":"alice","sub":"bob","role":"x"}"#).unwrap();
        assert_eq!((fields.get("sub"), fields.text("role")), (Err(Odd), Ok(Some("x".to_owned()))));
    }

    #[test]
    fn only_an_object_has_fields() {
        for text in ["", "[]", "[1]", "\"a\"", "null", "1", "{", "{\"a\"}", "{}x", "{\"a\":1,}", "{\"a\":\"\u{1}\"}"] {
            assert!(Fields::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Fields::read(b"{\"a\":\"\xff\"}").is_err(), "no UTF-8");
    }
}
