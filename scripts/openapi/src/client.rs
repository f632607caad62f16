//! clients/ts: a method for every function that a frontend may call, with the types of its request, answers and refusals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::Value;
use shared::contract::Auth;

use crate::describe::{Described, Operation, branches, properties};
use crate::schemas::reachable;
use crate::typescript::{declaration, doc, kind, union};

const HEAD: &str =
    "// Written by `cargo xtask gen` from the Rust types of the wire (functions/*/src/wire.rs): change those.\n\n";

/// What only a provider or the clock may call is not here; neither are legacy names.
fn callable(all: &Described) -> impl Iterator<Item = &Operation> {
    let ours =
        |operation: &&Operation| matches!(operation.spec.auth, Auth::User | Auth::Public) && is_current(operation);
    all.operations.iter().filter(ours)
}

fn is_current(operation: &Operation) -> bool {
    operation.alias_of.is_none()
}

pub fn runtime(all: &Described) -> String {
    let mut table = String::new();
    for operation in callable(all) {
        let _ = writeln!(table, "  {}: '{}',", operation.method(), operation.name);
    }
    format!("{HEAD}{}", include_str!("client/index.js").replace("  // FUNCTIONS\n", &table))
}

pub fn declarations(all: &Described) -> Result<String> {
    let mut methods = String::new();
    let mut types = String::new();
    let mut roots = Vec::new();
    for operation in callable(all) {
        roots.extend(operation.answers.iter().map(|answer| answer.schema.clone()).chain([operation.ask.clone()]));
        methods.push_str(&method(operation, all, &mut types)?);
        writeln!(types, "export type {}Refusal =\n{};\n", operation.pascal(), refusals(operation))?;
    }
    for name in reachable(&roots, &all.schemas) {
        writeln!(types, "{}", declaration(&name, &all.schemas[&name])?)?;
    }
    let runtime = include_str!("client/index.d.ts").replace("  // METHODS\n", &methods);
    Ok(format!("{HEAD}{runtime}\n{}\n", types.trim_end()))
}

/// One method; the types that only it has are written to `types`.
fn method(operation: &Operation, all: &Described, types: &mut String) -> Result<String> {
    let (method, name) = (operation.method(), operation.pascal());
    let mut out = doc(&format!("`{}`: {}", operation.name, operation.about), "  ");
    if let Some((field, actions)) = actions(operation, all)? {
        write!(types, "export interface {name}Asks {{\n{}}}\n\n", lines(&actions.asks))?;
        write!(types, "export interface {name}Answers {{\n{}}}\n\n", lines(&actions.answers))?;
        writeln!(
            out,
            "  {method}<A extends keyof {name}Asks>(ask: {{ {field}: A }} & {name}Asks[A], options?: Options): Reply<{name}Answers[A], {name}Refusal>;"
        )?;
        return Ok(out);
    }
    let (ask, answer) = (kind(&operation.ask, "")?, union(answers(operation, None)?));
    let forms = branches(&operation.ask, &all.schemas);
    let optional = forms.iter().any(|form| form.get("required").and_then(Value::as_array).is_none_or(Vec::is_empty));
    let optional = if optional { "?" } else { "" };
    writeln!(out, "  {method}(ask{optional}: {ask}, options?: Options): Reply<{answer}, {name}Refusal>;")?;
    Ok(out)
}

struct Actions {
    asks: BTreeMap<String, String>,
    answers: BTreeMap<String, String>,
}

/// The field that chooses, and what each of its values asks and is answered; for a function whose answers depend on it.
fn actions(operation: &Operation, all: &Described) -> Result<Option<(String, Actions)>> {
    if operation.answers.iter().all(|answer| answer.to.is_empty()) {
        return Ok(None);
    }
    let mut field = String::new();
    let mut asks = BTreeMap::<String, Vec<String>>::new();
    for branch in branches(&operation.ask, &all.schemas) {
        let mut branch = branch.clone();
        let chooser = properties(&branch, &all.schemas)
            .into_iter()
            .find_map(|(name, property)| Some((name, property.get("const")?.as_str()?.to_owned())));
        let Some((name, action)) = chooser else { continue };
        branch["properties"].as_object_mut().expect("an object").remove(&name);
        asks.entry(action).or_default().push(kind(&branch, "  ")?);
        field = name;
    }
    let mut answered = BTreeMap::new();
    for action in asks.keys() {
        answered.insert(action.clone(), union(answers(operation, Some(action))?));
    }
    let asks = asks.into_iter().map(|(action, forms)| (action, union(forms))).collect();
    Ok(Some((field, Actions { asks, answers: answered })))
}

fn answers(operation: &Operation, action: Option<&str>) -> Result<Vec<String>> {
    let meant = |to: &[&str]| action.is_none_or(|action| to.is_empty() || to.contains(&action));
    let good = operation.answers.iter().filter(|answer| answer.status < 300 && meant(answer.to));
    good.map(|answer| kind(&answer.schema, "")).collect()
}

fn lines(types: &BTreeMap<String, String>) -> String {
    types.iter().fold(String::new(), |text, (name, kind)| text + &format!("  {name}: {kind};\n"))
}

/// Every code with the statuses that it may have.
fn refusals(operation: &Operation) -> String {
    let mut statuses = BTreeMap::<&str, BTreeSet<u16>>::new();
    for (status, codes) in &operation.refusals {
        for code in codes {
            statuses.entry(code).or_default().insert(*status);
        }
    }
    let one = |(code, statuses): (&str, BTreeSet<u16>)| {
        format!("  | CaurisError<'{code}', {}>", union(statuses.iter().map(u16::to_string)))
    };
    let mut all: Vec<_> = statuses.into_iter().map(one).collect();
    all.push("  | NoAnswer".into());
    all.join("\n")
}
