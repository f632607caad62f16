//! JSON schemas as TypeScript types. In Rust, and not by a tool from npm, so that `cargo xtask gen` needs nothing but cargo; what
//! it does not know is an error, and never `any`.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use crate::schemas::HOME;

/// `export interface NAME { … }`, or `export type NAME = …`.
pub fn declaration(name: &str, schema: &Value) -> Result<String> {
    let mut out = comment(schema, "");
    if is_interface(schema) {
        writeln!(out, "export interface {name} {}", object(schema, "")?)?;
    } else {
        writeln!(out, "export type {name} = {};", kind(schema, "")?)?;
    }
    Ok(out)
}

fn is_interface(schema: &Value) -> bool {
    schema.get("properties").is_some_and(Value::is_object)
        && schema.get("anyOf").is_none()
        && schema.get("oneOf").is_none()
}

/// A type, in place.
pub fn kind(schema: &Value, indent: &str) -> Result<String> {
    let Value::Object(fields) = schema else { return Ok("unknown".into()) };
    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
        return Ok(target.trim_start_matches(HOME).to_owned());
    }
    if let Some(constant) = fields.get("const") {
        return Ok(constant.to_string());
    }
    if let Some(Value::Array(values)) = fields.get("enum") {
        return Ok(union(values.iter().map(Value::to_string)));
    }
    if let Some(Value::Array(choices)) = fields.get("oneOf").or_else(|| fields.get("anyOf")) {
        return Ok(union(choices.iter().map(|choice| kind(choice, indent)).collect::<Result<Vec<_>>>()?));
    }
    match fields.get("type") {
        None if fields.keys().all(|key| key == "description") => Ok("unknown".into()),
        Some(Value::String(one)) => single(one, schema, fields, indent),
        Some(Value::Array(several)) => {
            let each = several.iter().filter_map(Value::as_str).map(|one| single(one, schema, fields, indent));
            Ok(union(each.collect::<Result<Vec<_>>>()?))
        }
        _ => bail!("no TypeScript for {schema}"),
    }
}

fn single(kind_name: &str, schema: &Value, fields: &Map<String, Value>, indent: &str) -> Result<String> {
    Ok(match kind_name {
        "string" => "string".into(),
        "integer" | "number" => "number".into(),
        "boolean" => "boolean".into(),
        "null" => "null".into(),
        "array" => format!("Array<{}>", kind(fields.get("items").unwrap_or(&Value::Bool(true)), indent)?),
        "object" if fields.contains_key("properties") => object(schema, indent)?,
        "object" => match fields.get("additionalProperties") {
            Some(values) => format!("Record<string, {}>", kind(values, indent)?),
            None => "Record<string, never>".into(),
        },
        other => bail!("no TypeScript for the type {other}"),
    })
}

/// The members, each once, in their order.
pub fn union(members: impl IntoIterator<Item = String>) -> String {
    let mut kept: Vec<String> = Vec::new();
    for member in members {
        if !kept.contains(&member) {
            kept.push(member);
        }
    }
    kept.join(" | ")
}

fn object(schema: &Value, indent: &str) -> Result<String> {
    let deeper = format!("{indent}  ");
    let mut out = String::from("{\n");
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        out.push_str(&comment(field, &deeper));
        let optional = if required.iter().any(|one| one == name) { "" } else { "?" };
        writeln!(out, "{deeper}{}{optional}: {};", key(name), kind(field, &deeper)?)?;
    }
    write!(out, "{indent}}}")?;
    Ok(out)
}

fn key(name: &str) -> String {
    let plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !name.as_bytes()[0].is_ascii_digit();
    if plain { name.to_owned() } else { format!("{name:?}") }
}

fn comment(schema: &Value, indent: &str) -> String {
    match schema.get("description").and_then(Value::as_str) {
        Some(about) => doc(about, indent),
        None => String::new(),
    }
}

/// A comment that editors show.
pub fn doc(about: &str, indent: &str) -> String {
    format!("{indent}/** {} */\n", about.split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "* /"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_schema_is_a_type() {
        for (schema, expected) in [
            (json!({ "$ref": "#/components/schemas/Amount" }), "Amount"),
            (json!({ "type": "string", "const": "deposit" }), "\"deposit\""),
            (json!({ "type": "string", "enum": ["a", "b"] }), "\"a\" | \"b\""),
            (json!({ "type": ["string", "null"] }), "string | null"),
            (json!({ "type": "array", "items": { "type": ["integer", "null"] } }), "Array<number | null>"),
            (json!({ "type": "object", "additionalProperties": true }), "Record<string, unknown>"),
            (json!({ "anyOf": [{ "$ref": "#/components/schemas/A" }, { "type": "null" }] }), "A | null"),
            (json!(true), "unknown"),
        ] {
            assert_eq!(kind(&schema, "").unwrap(), expected, "{schema}");
        }
        let object = json!({ "type": "object", "properties": { "a": { "type": "string", "description": "Why." }, "b-c": { "type": "number" } }, "required": ["a"] });
        assert_eq!(kind(&object, "").unwrap(), "{\n  /** Why. */\n  a: string;\n  \"b-c\"?: number;\n}");
    }

    #[test]
    fn what_is_not_known_is_an_error_and_never_any() {
        for schema in [json!({ "allOf": [] }), json!({ "type": "date" }), json!({ "not": {} })] {
            assert!(kind(&schema, "").is_err(), "{schema}");
        }
    }
}
