//! An object as its names, and the texts behind them: for what is read here and there, a fraction of what a tree or a type of
//! its own links.

use std::borrow::Cow;

use super::number::Number;
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
        alone(std::str::from_utf8(bytes).map_err(|_| Odd)?, all).map(Self)
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
        self.get(name)?.filter(|value| *value != "null").map(string).transpose()
    }

    /// Names and values as they stand there.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }
}

fn all<'a>(reader: &mut Reader<'a>) -> Read<Vec<(Cow<'a, str>, &'a str)>> {
    let mut all = Vec::new();
    reader.past(b'{')?;
    while reader.more(b'}', all.is_empty())? {
        all.push((reader.name()?, reader.raw()?));
    }
    reader.take();
    Ok(all)
}

/// What `read` makes of a text that is one value and nothing else.
fn alone<'a, T>(text: &'a str, read: impl FnOnce(&mut Reader<'a>) -> Read<T>) -> Result<T, Odd> {
    let mut reader = Reader::new(text);
    reader.peek();
    read(&mut reader).and_then(|value| reader.end().map(|()| value)).map_err(|_| Odd)
}

/// Whether a text is one value, of any kind.
#[must_use]
pub fn is_json(text: &str) -> bool {
    alone(text, Reader::skip).is_ok()
}

/// A text.
///
/// # Errors
/// For another kind of value.
pub fn string(text: &str) -> Result<String, Odd> {
    alone(text, |reader| reader.string().map(Cow::into_owned))
}

/// The values of a list, as they stand there.
///
/// # Errors
/// For another kind of value.
pub fn items(text: &str) -> Result<Vec<&str>, Odd> {
    alone(text, |reader| {
        let mut all = Vec::new();
        reader.past(b'[')?;
        while reader.more(b']', all.is_empty())? {
            all.push(reader.raw()?);
        }
        reader.take();
        Ok(all)
    })
}

/// A number without what it has behind its point; those that are further out than integers go become the last of them.
///
/// # Errors
/// For another kind of value, and for what no float can hold.
pub fn whole(text: &str) -> Result<i64, Odd> {
    let number = alone(text, Reader::number)?;
    Ok(match number {
        Number::Natural(number) => i64::try_from(number).unwrap_or(i64::MAX),
        Number::Negative(number) => number,
        #[expect(clippy::cast_possible_truncation, reason = "stops at the ends")]
        Number::Float(number) => number as i64,
    })
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
    fn a_value_alone_is_read_by_its_kind() {
        assert_eq!((string(r#" "\u0061" "#), string("1"), string("\"a\" 1")), (Ok("a".to_owned()), Err(Odd), Err(Odd)));
        assert_eq!((items(" [1, [2,3] , {}] "), items("[]")), (Ok(vec!["1", "[2,3]", "{}"]), Ok(vec![])));
        assert_eq!((items("[1,]"), items("{}"), items("[1]]")), (Err(Odd), Err(Odd), Err(Odd)));
        assert!(is_json("{\"a\":[null]} ") && !is_json("{} {}") && !is_json(""));
    }

    #[test]
    fn a_number_is_read_whole_and_stops_where_integers_end() {
        for (text, number) in [
            ("5", Ok(5)),
            ("-5.9", Ok(-5)),
            ("1.7e9", Ok(1_700_000_000)),
            ("9223372036854775808", Ok(i64::MAX)),
            ("-1e30", Ok(i64::MIN)),
            ("1e400", Err(Odd)),
            ("\"5\"", Err(Odd)),
            ("null", Err(Odd)),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
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
