//! Serde's side of the reader: each of its types asks for what it wants, and gets what `serde_json` would give it.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, Expected, MapAccess, SeqAccess, Visitor};

use super::number::Number;
use super::reader::{Read, Reader};
use super::wrong::Wrong;

mod parts;

use parts::{Name, RAW, Raw, Variant};

impl<'de> Reader<'de> {
    /// Something else than was asked for.
    #[cold]
    fn other(&mut self, wanted: &dyn Expected) -> Wrong {
        match self.peek() {
            b'"' | b'[' | b'{' | b'n' | b't' | b'f' | b'-' | b'0'..=b'9' => {
                serde::de::Error::invalid_type(serde::de::Unexpected::Unit, wanted)
            }
            _ => Wrong::json(),
        }
    }

    fn enter(&mut self) -> Read<()> {
        self.take();
        self.depth = self.depth.checked_sub(1).ok_or_else(|| Wrong::new("recursion limit exceeded".to_owned()))?;
        Ok(())
    }

    fn leave(&mut self, close: u8) -> Read<()> {
        self.depth += 1;
        if self.peek() != close {
            return Err(Wrong::new("trailing characters".to_owned()));
        }
        self.take();
        Ok(())
    }

    fn items<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        self.enter()?;
        let value = visitor.visit_seq(Items { reader: self, index: 0 })?;
        self.leave(b']')?;
        Ok(value)
    }

    fn fields<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        self.enter()?;
        let value = visitor.visit_map(Entries { reader: self, name: None })?;
        self.leave(b'}')?;
        Ok(value)
    }

    fn text<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        match self.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn digits_for<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        match self.number()? {
            Number::Natural(number) => visitor.visit_u64(number),
            Number::Negative(number) => visitor.visit_i64(number),
            Number::Float(number) => visitor.visit_f64(number),
        }
    }
}

macro_rules! as_one {
    ($first:pat, $read:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            match self.peek() {
                $first => self.$read(visitor),
                _ => Err(self.other(&visitor)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.peek() {
            b'n' => self.deserialize_unit(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'"' => self.text(visitor),
            b'[' => self.items(visitor),
            b'{' => self.fields(visitor),
            b'-' | b'0'..=b'9' => self.digits_for(visitor),
            _ => Err(Wrong::json()),
        }
    }

    as_one! { b'-' | b'0'..=b'9', digits_for:
    deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 }
    as_one! { b'"', text:
    deserialize_char deserialize_str deserialize_string deserialize_identifier
    deserialize_bytes deserialize_byte_buf }
    as_one! { b'[', items: deserialize_seq }
    as_one! { b'{', fields: deserialize_map }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.peek() {
            b't' => self.word("true")?,
            b'f' => {
                self.word("false")?;
                return visitor.visit_bool(false);
            }
            _ => return Err(self.other(&visitor)),
        }
        visitor.visit_bool(true)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.peek() != b'n' {
            return visitor.visit_some(self);
        }
        self.word("null")?;
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.peek() != b'n' {
            return Err(self.other(&visitor));
        }
        self.word("null")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Read<V::Value> {
        if name == RAW {
            return visitor.visit_map(Raw(Some(self.raw()?)));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Read<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        match self.peek() {
            b'[' => self.items(visitor),
            b'{' => self.fields(visitor),
            _ => Err(self.other(&visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        match self.peek() {
            b'"' => visitor.visit_enum(Variant { name: self.string()?, reader: None }),
            b'{' => {
                self.enter()?;
                let value = visitor.visit_enum(Variant { name: self.name()?, reader: Some(self) })?;
                self.depth += 1;
                self.past(b'}')?;
                Ok(value)
            }
            _ => Err(Wrong::json()),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }
}

struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        if !self.reader.more(b']', self.index == 0)? {
            return Ok(None);
        }
        let item = seed.deserialize(&mut *self.reader).map_err(|wrong| wrong.in_item(self.index))?;
        self.index += 1;
        Ok(Some(item))
    }
}

struct Entries<'r, 'de> {
    reader: &'r mut Reader<'de>,
    /// Of the field that is read; none before the first.
    name: Option<Cow<'de, str>>,
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if !self.reader.more(b'}', self.name.is_none())? {
            return Ok(None);
        }
        let name = self.name.insert(self.reader.name()?);
        seed.deserialize(Name(name)).map(Some).map_err(|wrong| wrong.in_field(name))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        let name = self.name.as_deref().unwrap_or_default();
        seed.deserialize(&mut *self.reader).map_err(|wrong| wrong.in_field(name))
    }
}
