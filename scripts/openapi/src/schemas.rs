//! JSON schemas of the wire's types. What two functions share keeps its name; what belongs to one is called after it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use shared::money::{Amount, Currency, Units};
use shared::payments::{Customer, checkout, shown};
use shared::rides;
use shared::wire::{Shape, Timestamp};

pub const HOME: &str = "#/components/schemas/";

/// Every schema of the document, by its name in it.
pub type Schemas = BTreeMap<String, Value>;

/// Which way a type crosses the wire: what may be left out differs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

fn generator(way: Way) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let settings = if way == Way::Out { settings.for_serialize() } else { settings };
    settings.into_generator()
}

/// The types of `shared` that cross the wire.
pub fn shared(way: Way) -> Schemas {
    let mut generator = generator(way);
    generator.subschema_for::<Amount>();
    generator.subschema_for::<Currency>();
    generator.subschema_for::<Customer>();
    generator.subschema_for::<Timestamp>();
    generator.subschema_for::<Units>();
    generator.subschema_for::<checkout::Purpose>();
    generator.subschema_for::<rides::Fare>();
    generator.subschema_for::<rides::Place>();
    generator.subschema_for::<rides::Ride>();
    generator.subschema_for::<shown::Received>();
    generator.subschema_for::<shown::Shown>();
    generator.subschema_for::<shown::Tally>();
    taken(&mut generator, way)
}

/// The definitions that a generator has collected, made fit for the document.
fn taken(generator: &mut SchemaGenerator, way: Way) -> Schemas {
    let mut all: Schemas = generator.take_definitions(false).into_iter().collect();
    let untouched = all.clone();
    for schema in all.values_mut() {
        tidy(schema, way, &untouched);
    }
    all
}

/// The types of one function, on their way into the document.
pub struct Collector<'a> {
    pub prefix: String,
    pub way: Way,
    pub shared: &'a Schemas,
    pub into: &'a mut Schemas,
}

impl Collector<'_> {
    /// The schema of a type; everything it refers to is in the document afterwards.
    pub fn add(&mut self, shape: Shape) -> Result<Value> {
        let mut generator = generator(self.way);
        let mut schema = shape(&mut generator).to_value();
        let definitions = taken(&mut generator, self.way);
        tidy(&mut schema, self.way, &definitions);
        let own: BTreeSet<_> = definitions
            .iter()
            .filter(|(name, it)| self.shared.get(*name) != Some(it))
            .map(|(name, _)| name.clone())
            .collect();
        let named = |name: &str| if own.contains(name) { format!("{}{name}", self.prefix) } else { name.to_owned() };
        refer(&mut schema, &named);
        for (name, mut definition) in definitions {
            refer(&mut definition, &named);
            let name = named(&name);
            let known = self.into.get(&name);
            ensure!(
                known.is_none_or(|known| *known == definition),
                "two types are called {name}: rename one with #[schemars(rename = …)]"
            );
            self.into.insert(name, definition);
        }
        Ok(schema)
    }
}

/// Renames what a schema refers to.
fn refer(schema: &mut Value, named: &dyn Fn(&str) -> String) {
    each(schema, &mut |fields| {
        if let Some(Value::String(target)) = fields.get_mut("$ref")
            && let Some(name) = target.strip_prefix(HOME)
        {
            *target = format!("{HOME}{}", named(name));
        }
    });
}

/// Visits every object of a schema, the innermost first.
pub fn each(schema: &mut Value, visit: &mut dyn FnMut(&mut Map<String, Value>)) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(|value| each(value, visit));
            visit(fields);
        }
        Value::Array(items) => items.iter_mut().for_each(|value| each(value, visit)),
        _ => {}
    }
}

fn tidy(schema: &mut Value, way: Way, definitions: &Schemas) {
    each(schema, &mut |fields| {
        if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
            fields.remove("format"); // No registered one; the minimum says it.
        }
        if let Some(constant) = fields.get("const").cloned() {
            fields.remove("$ref");
            fields.remove("enum");
            let kind = if constant.is_boolean() { "boolean" } else { "string" };
            fields.insert("type".into(), kind.into());
        }
        merge(fields, definitions);
        if way == Way::Out && fields.get("properties").is_some() {
            absent_is_never_null(fields);
        }
    });
}

/// `{$ref, properties}`, as an internally tagged variant has it, becomes one object.
fn merge(fields: &mut Map<String, Value>, definitions: &Schemas) {
    if !fields.contains_key("properties") {
        return;
    }
    let Some(target) = fields.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix(HOME)) else {
        return;
    };
    let Some(base) = definitions.get(target).cloned() else { return };
    fields.remove("$ref");
    if let (Some(Value::Object(own)), Some(Value::Object(more))) =
        (fields.get_mut("properties"), base.get("properties"))
    {
        own.extend(more.clone());
    }
    if let (Some(Value::Array(own)), Some(Value::Array(more))) = (fields.get_mut("required"), base.get("required")) {
        own.extend(more.clone());
    }
}

/// A field of an answer that may be absent is not null when it is there, unless it says `x-null`.
fn absent_is_never_null(fields: &mut Map<String, Value>) {
    let required = fields.get("required").cloned().unwrap_or(json!([]));
    let Some(Value::Object(properties)) = fields.get_mut("properties") else { return };
    for (name, property) in properties {
        let Value::Object(property) = property else { continue };
        let may_be_null = property.remove("x-null").is_some();
        if may_be_null || required.as_array().is_some_and(|required| required.iter().any(|one| one == name)) {
            continue;
        }
        if let Some(Value::Array(kinds)) = property.get_mut("type") {
            kinds.retain(|kind| kind != "null");
            if let [kind] = kinds.as_slice() {
                let kind = kind.clone();
                property.insert("type".into(), kind);
            }
        }
        let Some(Value::Array(choices)) = property.get_mut("anyOf") else { continue };
        choices.retain(|choice| *choice != json!({ "type": "null" }));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            property.remove("anyOf");
            property.extend(only);
        }
    }
}

/// What a schema refers to, directly.
pub fn references(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each(&mut schema.clone(), &mut |fields| {
        found.extend(
            fields.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix(HOME)).map(str::to_owned),
        );
    });
    found
}

/// The names that can be reached from `roots`.
pub fn reachable<'a>(roots: impl IntoIterator<Item = &'a Value>, schemas: &Schemas) -> BTreeSet<String> {
    let mut open: Vec<String> = roots.into_iter().flat_map(references).collect();
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if found.insert(name.clone()) {
            open.extend(schemas.get(&name).map(references).unwrap_or_default());
        }
    }
    found
}
