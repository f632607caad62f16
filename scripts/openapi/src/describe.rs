//! One function as its callers see it: names, request, answers, refusals.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use shared::contract::Spec;
use shared::wire::{Told, Wire};
use xtask::house::{self, Function};

use crate::codes::{self, Refusals, Sql};
use crate::functions;
use crate::schemas::{self, Collector, HOME, Schemas, Way};

/// The functions and every schema that they refer to.
pub struct Described {
    pub operations: Vec<Operation>,
    pub schemas: Schemas,
}

/// A name that can be called.
pub struct Operation {
    pub name: String,
    /// The function behind a legacy name.
    pub alias_of: Option<String>,
    pub spec: &'static Spec,
    /// One sentence.
    pub summary: String,
    pub about: String,
    pub ask: Value,
    /// What is read from the query besides.
    pub query: Option<Value>,
    pub answers: Vec<Answer>,
    pub refusals: Refusals,
    pub keyed: bool,
}

pub struct Answer {
    pub status: u16,
    pub schema: Value,
    /// The actions that are answered so; none: all of them.
    pub to: &'static [&'static str],
}

impl Operation {
    /// `walletOperations`.
    pub fn method(&self) -> String {
        let pascal = pascal(&self.name);
        pascal[..1].to_lowercase() + &pascal[1..]
    }

    pub fn pascal(&self) -> String {
        pascal(&self.name)
    }
}

/// `wallet-operations`, `set_limits`: `WalletOperations`, `SetLimits`.
pub fn pascal(name: &str) -> String {
    name.split(['-', '_']).map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// Every function that can be called, by name.
///
/// # Errors
/// A function that does not describe itself, or that says otherwise than its manifest.
pub fn described() -> Result<Described> {
    let shared = [schemas::shared(Way::In), schemas::shared(Way::Out)];
    let sql = Sql::read()?;
    let mut described = Described { operations: Vec::new(), schemas: Schemas::new() };
    for function in callable()? {
        let wire = wire_of(&function)?;
        let mut describer =
            Describer { function: &function, wire, shared: &shared, sql: &sql, schemas: &mut described.schemas };
        described.operations.extend(describer.operations()?);
    }
    described.operations.sort_by(|a, b| a.name.cmp(&b.name));
    let used = described.operations.iter().flat_map(|operation| {
        operation.answers.iter().map(|answer| &answer.schema).chain(&operation.query).chain([&operation.ask])
    });
    let used = schemas::reachable(used.collect::<Vec<_>>(), &described.schemas);
    described.schemas.retain(|name, _| used.contains(name));
    Ok(described)
}

/// Whatever the gateway has a name for.
fn callable() -> Result<Vec<Function>> {
    let functions = house::functions()?;
    let names: BTreeMap<_, _> = xtask::wrangler::services(&functions)
        .into_iter()
        .map(|(_, function)| (function.name.clone(), function.clone()))
        .collect();
    Ok(names.into_values().collect())
}

fn wire_of(function: &Function) -> Result<&'static Wire> {
    let name = &function.name;
    let wire = functions::WIRES.iter().find(|wire| wire.spec.name == name);
    let wire = wire.with_context(|| {
        format!("functions/{name}/src/wire.rs is missing, or its CONTRACT has another name: it says what {name} reads and answers")
    })?;
    let (said, meant) = (format!("{:?}", wire.spec.auth), format!("{:?}", function.auth));
    ensure!(said == meant, "functions/{name}: the contract says {said}, the manifest {meant}");
    Ok(wire)
}

struct Describer<'a> {
    function: &'a Function,
    wire: &'static Wire,
    shared: &'a [Schemas; 2],
    sql: &'a Sql,
    schemas: &'a mut Schemas,
}

impl Describer<'_> {
    fn operations(&mut self) -> Result<Vec<Operation>> {
        let wire = self.wire;
        let (summary, about) = heads(self.function)?;
        let read = self.schema(Way::In, wire.ask)?;
        let ask = wire.form.map(|form| self.schema(Way::In, form)).transpose()?.unwrap_or_else(|| read.clone());
        let query = wire.query.map(|query| self.schema(Way::In, query)).transpose()?;
        let answers = self.answers(wire.answers)?;
        let keyed = properties(&read, self.schemas).contains_key("idempotency_key");
        let refusals = codes::of(wire, keyed, self.sql)?;
        let own = |name: &str, alias_of: Option<String>, ask: Value, answers: Vec<Answer>| Operation {
            name: name.to_owned(),
            alias_of,
            spec: wire.spec,
            summary: summary.clone(),
            about: about.clone(),
            ask,
            query: query.clone(),
            answers,
            refusals: refusals.clone(),
            keyed,
        };
        let name = wire.known_as.unwrap_or(&self.function.name);
        let mut all = vec![own(name, None, ask, answers)];
        for alias in self.function.aliases.iter().filter(|alias| *alias != name) {
            let legacy = wire.legacy.iter().find(|legacy| legacy.name == alias);
            let ask = legacy.and_then(|legacy| legacy.ask).map(|ask| self.schema(Way::In, ask)).transpose()?;
            let answers = self.answers(legacy.map_or(wire.answers, |legacy| legacy.answers))?;
            all.push(own(alias, Some(name.to_owned()), ask.unwrap_or_else(|| read.clone()), answers));
        }
        let known = |name: &str| self.function.aliases.iter().any(|alias| alias == name);
        let stray = wire.legacy.iter().find(|legacy| !known(legacy.name));
        ensure!(stray.is_none(), "{}: {:?} is no alias of it", self.function.name, stray.map(|legacy| legacy.name));
        Ok(all)
    }

    fn answers(&mut self, told: &'static [Told]) -> Result<Vec<Answer>> {
        let answer = |told: &'static Told| {
            Ok(Answer { status: told.status, schema: self.schema(Way::Out, told.shape)?, to: told.to })
        };
        told.iter().map(answer).collect()
    }

    fn schema(&mut self, way: Way, shape: shared::wire::Shape) -> Result<Value> {
        let shared = &self.shared[usize::from(way == Way::Out)];
        let prefix = pascal(&self.function.name);
        Collector { prefix, way, shared, into: self.schemas }.add(shape)
    }
}

/// The definition that a schema is, or refers to.
pub fn resolve<'a>(schema: &'a Value, schemas: &'a Schemas) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix(HOME));
    target.and_then(|name| schemas.get(name)).map_or(schema, |schema| resolve(schema, schemas))
}

/// The fields of an object's schema.
pub fn properties(schema: &Value, schemas: &Schemas) -> serde_json::Map<String, Value> {
    resolve(schema, schemas).get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The forms that a request may have: the branches of a choice, or the one object.
pub fn branches<'a>(schema: &'a Value, schemas: &'a Schemas) -> Vec<&'a Value> {
    let whole = resolve(schema, schemas);
    let choices = whole.get("oneOf").or_else(|| whole.get("anyOf")).and_then(Value::as_array);
    choices.map_or_else(|| vec![whole], |choices| choices.iter().flat_map(|choice| branches(choice, schemas)).collect())
}

/// The function in one sentence, and what its callers should know besides.
fn heads(function: &Function) -> Result<(String, String)> {
    let read = |file: &str| {
        let text = fs::read_to_string(function.dir.join("src").join(file))?;
        let lines = text.lines().take_while(|line| line.starts_with("//!"));
        anyhow::Ok(lines.map(|line| line.trim_start_matches("//!").trim()).collect::<Vec<_>>().join(" "))
    };
    let head = read("lib.rs")?;
    let (_, sentence) =
        head.split_once(": ").with_context(|| format!("{}: its head is `POST …`: what it does", function.name))?;
    let sentence = sentence.split(". ").next().unwrap_or(sentence).trim_end_matches('.');
    Ok((sentence[..1].to_uppercase() + &sentence[1..], read("wire.rs")?))
}

#[cfg(test)]
mod tests;
