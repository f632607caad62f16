//! Trees of any shape. Serde_json's own reader of a tree takes one name to mean that the text behind it is one more document, and
//! links its second reader for that.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Any value. For a field of type [`Value`]: `#[serde(deserialize_with = "json::tree")]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree(pub Value);

/// An object of any fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(pub Map<String, Value>);

/// # Errors
/// The reader's.
pub fn tree<'de, D: Deserializer<'de>>(reader: D) -> Result<Value, D::Error> {
    Tree::deserialize(reader).map(|tree| tree.0)
}

/// With `default`, for a field that may be missing.
///
/// # Errors
/// The reader's.
pub fn some_tree<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Value>, D::Error> {
    Tree::deserialize(reader).map(|tree| Some(tree.0).filter(|tree| !tree.is_null()))
}

/// # Errors
/// The reader's; for what is no object.
pub fn object<'de, D: Deserializer<'de>>(reader: D) -> Result<Map<String, Value>, D::Error> {
    Object::deserialize(reader).map(|object| object.0)
}

/// With `default`, for a field that may be missing.
///
/// # Errors
/// The reader's; for what is neither an object nor `null`.
pub fn some_object<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Map<String, Value>>, D::Error> {
    Option::<Object>::deserialize(reader).map(|object| object.map(|object| object.0))
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(Fields)
    }
}

impl Deref for Object {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Object {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl JsonSchema for Object {
    fn inline_schema() -> bool {
        Map::<String, Value>::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Map::<String, Value>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Map::<String, Value>::json_schema(generator)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree(Value::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree(Value::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree(Value::String(value)))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree(Value::Null))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Tree, D::Error> {
        Tree::deserialize(reader)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(Tree(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Tree(Value::Array(all)))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Tree, A::Error> {
        Fields.visit_map(fields).map(|object| Tree(Value::Object(object.0)))
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_unit<E>(self) -> Result<Object, E> {
        Ok(Object::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Object, A::Error> {
        let mut all = Map::new();
        while let Some(name) = fields.next_key()? {
            let Tree(value) = fields.next_value()?;
            all.insert(name, value);
        }
        Ok(Object(all))
    }
}
