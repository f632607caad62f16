//! What crosses the wire, told by the types themselves: `functions/<name>/src/wire.rs` says which, and `cargo xtask gen` makes
//! docs/openapi.json and clients/ts of it. Nothing here runs at the edge.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::contract::Spec;

/// The schema of one type; what it refers to is kept by the generator.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// An answer that is no refusal.
#[derive(Clone, Copy)]
pub struct Told {
    pub status: u16,
    pub shape: Shape,
    /// The actions that are answered so; none named: all of them.
    pub to: &'static [&'static str],
}

/// An answer with this status.
#[must_use]
pub const fn told<T: JsonSchema>(status: u16) -> Told {
    Told { status, shape: shape::<T>, to: &[] }
}

impl Told {
    #[must_use]
    pub const fn to(mut self, actions: &'static [&'static str]) -> Self {
        self.to = actions;
        self
    }
}

/// A legacy name that is answered in a shape of its own.
#[derive(Clone, Copy)]
pub struct Legacy {
    pub name: &'static str,
    pub ask: Option<Shape>,
    pub answers: &'static [Told],
}

impl Legacy {
    #[must_use]
    pub const fn answers(name: &'static str, answers: &'static [Told]) -> Self {
        Self { name, ask: None, answers }
    }

    #[must_use]
    pub const fn asks<T: JsonSchema>(mut self) -> Self {
        self.ask = Some(shape::<T>);
        self
    }
}

/// Everything about one function that a client has to know.
#[derive(Clone, Copy)]
pub struct Wire {
    pub spec: &'static Spec,
    /// What the function reads.
    pub ask: Shape,
    /// How clients are told to ask, where that says more than what is read: what each action needs. A test keeps it within `ask`.
    pub form: Option<Shape>,
    /// What is read from the query, whatever the method.
    pub query: Option<Shape>,
    pub answers: &'static [Told],
    pub legacy: &'static [Legacy],
    /// The one name that this describes, for a function that speaks another protocol under its own. What its SQL refuses reaches
    /// the client in the words of its refusals.
    pub known_as: Option<&'static str>,
}

impl Wire {
    #[must_use]
    pub const fn of<T: JsonSchema>(spec: &'static Spec, answers: &'static [Told]) -> Self {
        Self { spec, ask: shape::<T>, form: None, query: None, answers, legacy: &[], known_as: None }
    }

    #[must_use]
    pub const fn form<T: JsonSchema>(mut self) -> Self {
        self.form = Some(shape::<T>);
        self
    }

    #[must_use]
    pub const fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(shape::<T>);
        self
    }

    #[must_use]
    pub const fn known_as(mut self, name: &'static str) -> Self {
        self.known_as = Some(name);
        self
    }

    #[must_use]
    pub const fn legacy(mut self, legacy: &'static [Legacy]) -> Self {
        self.legacy = legacy;
        self
    }
}

/// `true`, and never anything else: the `success` of every answer that is no refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Yes;

impl Serialize for Yes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(true)
    }
}

impl JsonSchema for Yes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Yes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean", "const": true })
    }
}

/// A moment in UTC, RFC 3339 with `Z`: `2027-01-15T08:00:00.000Z`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("format" = "date-time"))]
pub struct Timestamp(pub String);

/// The body of a function that reads none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
pub struct Nothing {}
