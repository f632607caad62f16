//! What serde asks about in parts: names, variants, and values that stay as they are written.

use std::borrow::Cow;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::json::reader::{Read, Reader};
use crate::json::wrong::Wrong;

/// How serde_json's `RawValue` asks for itself.
pub const RAW: &str = "$serde_json::private::RawValue";

/// A field's name is a text, whatever type it becomes.
pub struct Name<'a, 'de>(pub &'a Cow<'de, str>);

impl<'de> Deserializer<'de> for Name<'_, 'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.0 {
            Cow::Borrowed(name) => visitor.visit_borrowed_str(name),
            Cow::Owned(name) => visitor.visit_str(name),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Read<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        visitor.visit_enum(StrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// `"variant"`, or `{"variant": what it holds}`.
pub struct Variant<'r, 'de> {
    pub name: Cow<'de, str>,
    /// At what it holds.
    pub reader: Option<&'r mut Reader<'de>>,
}

impl<'r, 'de> Variant<'r, 'de> {
    fn holding<T>(self, wanted: &str, read: impl FnOnce(&'r mut Reader<'de>) -> Read<T>) -> Read<T> {
        let nothing = || Wrong::new(["must be ", wanted].concat());
        self.reader.ok_or_else(nothing).and_then(read).map_err(|wrong| wrong.in_field(&self.name))
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Wrong;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Read<(V::Value, Self)> {
        Ok((seed.deserialize(Name(&self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Wrong;

    fn unit_variant(self) -> Read<()> {
        if self.reader.is_none() { Ok(()) } else { self.holding("", Deserialize::deserialize) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Read<T::Value> {
        self.holding("newtype variant", |reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<V::Value> {
        self.holding("tuple variant", |reader| reader.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Read<V::Value> {
        self.holding("struct variant", |reader| reader.deserialize_struct("", fields, visitor))
    }
}

pub struct Raw<'de>(pub Option<&'de str>);

impl<'de> MapAccess<'de> for Raw<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        self.0.map(|_| seed.deserialize(RAW.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        seed.deserialize(BorrowedStrDeserializer::new(self.0.take().unwrap_or_default()))
    }
}
