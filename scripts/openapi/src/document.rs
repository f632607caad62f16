//! docs/openapi.json: OpenAPI 3.1, the same bytes for the same types.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::{Map, Value, json};
use shared::contract::Auth;

use crate::codes::Refusals;
use crate::describe::{Described, Operation, properties, resolve};
use crate::schemas::HOME;

mod components;

const ABOUT: &str = "The functions of Cauris. From a frontend: `supabase.functions.invoke(NAME, { body })`, or the typed client in \
`clients/ts`. Amounts are integers in the currency's minor unit, times are UTC. A body is a JSON object; fields that a function \
does not know are ignored, and fields may be added to answers. Every refusal has the shape `Refusal`, whatever its status.";

pub fn json(all: &Described) -> Result<String> {
    let mut paths = Map::new();
    for operation in &all.operations {
        paths.insert(format!("/functions/v1/{}", operation.name), path(operation, all));
    }
    let responses = hoist(&mut paths);
    let mut schemas: Map<String, Value> = all.schemas.clone().into_iter().collect();
    schemas.insert("Refusal".into(), components::refusal());
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cauris", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The gateway that serves this page." }],
        "tags": TAGS.map(|(_, name, about)| json!({ "name": name, "description": about })),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "headers": components::headers(),
            "parameters": { "IdempotencyKey": components::idempotency_key() },
            "securitySchemes": components::security_schemes(),
        },
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

const TAGS: [(Auth, &str, &str); 4] = [
    (
        Auth::User,
        "For signed-in people",
        "With the caller's access token: the caller comes from it, never from the body.",
    ),
    (Auth::Public, "For anybody", "No token is needed; some answer more to who has one."),
    (Auth::Webhook, "For payment providers", "The provider's own proof over the raw bytes."),
    (Auth::Cron, "For the clock", "Called by the platform's schedule, or by an operator with the internal key."),
];

fn path(operation: &Operation, all: &Described) -> Value {
    let mut path = Map::new();
    path.insert("post".into(), method(operation, all, ""));
    if operation.spec.put_too {
        path.insert("put".into(), method(operation, all, "Put"));
    }
    if operation.spec.get_too {
        path.insert("get".into(), method(operation, all, "Get"));
    }
    Value::Object(path)
}

fn method(operation: &Operation, all: &Described, suffix: &str) -> Value {
    let tag = TAGS.iter().find(|(auth, _, _)| *auth == operation.spec.auth).map(|(_, name, _)| *name);
    let mut out = json!({
        "operationId": operation.method() + suffix,
        "summary": operation.summary,
        "tags": [tag],
        "security": security(operation),
        "responses": responses(operation),
    });
    out["description"] = match &operation.alias_of {
        Some(function) => format!("A legacy name of `{function}`: the same rules. {}", operation.about),
        None => operation.about.clone(),
    }
    .into();
    if let Some(function) = &operation.alias_of {
        out["summary"] = format!("Legacy name of {function}").into();
        out["deprecated"] = true.into();
    }
    let mut parameters = Vec::new();
    if operation.keyed && suffix != "Get" {
        parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
    parameters.extend(operation.query.iter().flat_map(|query| in_query(query, all)));
    if suffix == "Get" && operation.spec.auth != Auth::Webhook {
        parameters.extend(in_query(&operation.ask, all));
    }
    if !parameters.is_empty() {
        out["parameters"] = parameters.into();
    }
    if suffix != "Get" {
        out["requestBody"] = json!({ "content": { "application/json": { "schema": operation.ask } } });
    }
    out
}

/// Where a response has its schema.
const JSON: &str = "/content/application~1json/schema";

/// Moves the refusals that several operations share out of them: `Refused-401-UNAUTHENTICATED`, or, where the codes are many, the
/// place where they stand first.
fn hoist(paths: &mut Map<String, Value>) -> Map<String, Value> {
    let mut seen = BTreeMap::<String, (String, u32)>::new();
    let each = |paths: &mut Map<String, Value>, visit: &mut dyn FnMut(&str, &str, &mut Value)| {
        for path in paths.values_mut() {
            for method in path.as_object_mut().into_iter().flat_map(|methods| methods.values_mut()) {
                let id = method["operationId"].as_str().unwrap_or_default().to_owned();
                let Some(responses) = method["responses"].as_object_mut() else { continue };
                let refusals =
                    responses.iter_mut().filter(|(_, it)| it.pointer(JSON).is_some_and(|it| it.get("allOf").is_some()));
                refusals.for_each(|(status, it)| visit(&id, status, it));
            }
        }
    };
    each(paths, &mut |id, status, response| {
        let codes: Vec<_> = response["description"]
            .as_str()
            .unwrap_or_default()
            .split(", ")
            .map(|code| code.trim_matches('`'))
            .collect();
        let name = if codes.len() <= 2 { codes.join("-") } else { id.to_owned() };
        seen.entry(response.to_string()).or_insert((format!("Refused-{status}-{name}"), 0)).1 += 1;
    });
    let mut shared = Map::new();
    each(paths, &mut |_, _, response| {
        if let Some((name, _)) = seen.get(&response.to_string()).filter(|(_, times)| *times > 1) {
            let whole = std::mem::replace(response, json!({ "$ref": format!("#/components/responses/{name}") }));
            shared.insert(name.clone(), whole);
        }
    });
    shared
}

/// The fields of an object, each as a field of the query.
fn in_query(ask: &Value, all: &Described) -> Vec<Value> {
    let required = resolve(ask, &all.schemas).get("required").cloned().unwrap_or(json!([]));
    let parameter = |(name, mut schema): (String, Value)| {
        let about = schema.as_object_mut().and_then(|fields| fields.remove("description"));
        let mut out = json!({ "name": name, "in": "query", "schema": schema });
        if let Some(about) = about {
            out["description"] = about;
        }
        if required.as_array().is_some_and(|required| required.contains(&json!(name))) {
            out["required"] = true.into();
        }
        out
    };
    properties(ask, &all.schemas).into_iter().map(parameter).collect()
}

fn security(operation: &Operation) -> Value {
    match operation.spec.auth {
        Auth::User => json!([{ "bearer": [], "apikey": [] }, { "bearer": [] }]),
        Auth::Cron => json!([{ "internalKey": [] }]),
        Auth::Public if operation.spec.knows_staff => json!([{}, { "bearer": [] }, { "internalKey": [] }]),
        Auth::Public | Auth::Webhook => json!([]),
    }
}

fn responses(operation: &Operation) -> Value {
    let mut out = Map::new();
    let mut statuses: Vec<_> = operation.answers.iter().map(|answer| answer.status).collect();
    statuses.dedup();
    for status in statuses {
        let mut schemas: Vec<_> = operation
            .answers
            .iter()
            .filter(|answer| answer.status == status)
            .map(|answer| answer.schema.clone())
            .collect();
        schemas.dedup();
        let schema = if let [only] = schemas.as_slice() { only.clone() } else { json!({ "anyOf": schemas }) };
        out.insert(
            status.to_string(),
            json!({
                "description": said(status),
                "headers": shown(operation, &["x-request-id", "RateLimit-Policy", "RateLimit", "Idempotent-Replayed"]),
                "content": { "application/json": { "schema": schema } },
            }),
        );
    }
    for (status, response) in refusals(operation, &operation.refusals) {
        match out.get_mut(&status) {
            // `health` answers 503 in its own shape, and may be refused with the same status.
            Some(both) => {
                let own = both["content"]["application/json"]["schema"].take();
                let refusal = response["content"]["application/json"]["schema"].clone();
                let codes = response["description"].as_str().unwrap_or_default();
                both["description"] =
                    format!("{} Or refused: {codes}.", both["description"].as_str().unwrap_or_default()).into();
                both["content"]["application/json"]["schema"] = json!({ "anyOf": [own, refusal] });
            }
            None => drop(out.insert(status, response)),
        }
    }
    Value::Object(out)
}

fn refusals(operation: &Operation, refusals: &Refusals) -> Vec<(String, Value)> {
    let response = |(status, codes): (&u16, &BTreeSet<String>)| {
        let listed: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
        let schema = json!({ "allOf": [
            { "$ref": format!("{HOME}Refusal") },
            { "type": "object", "properties": { "code": { "enum": codes } } },
        ] });
        let headers = ["x-request-id", "RateLimit-Policy", "RateLimit", "Retry-After"];
        let response = json!({
            "description": listed.join(", "), "headers": shown(operation, &headers),
            "content": { "application/json": { "schema": schema } },
        });
        (status.to_string(), response)
    };
    refusals.iter().map(response).collect()
}

fn said(status: u16) -> &'static str {
    match status {
        200 => "Done.",
        201 => "Made.",
        202 => "Begun; its end comes later.",
        _ => "Not well.",
    }
}

fn shown(operation: &Operation, names: &[&str]) -> Value {
    let kept = |name: &&&str| match **name {
        "Idempotent-Replayed" => operation.keyed,
        "RateLimit" | "RateLimit-Policy" => operation.spec.limit != shared::contract::Limit::None,
        _ => true,
    };
    let header = |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    Value::Object(names.iter().filter(kept).map(header).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_the_same_whenever_it_is_made() {
        let make = || json(&crate::described().unwrap_or_else(|error| panic!("{error:#}"))).unwrap();
        assert_eq!(make(), make());
    }

    #[test]
    fn whatever_is_referred_to_is_there() {
        let document: Value =
            serde_json::from_str(&json(&crate::described().unwrap_or_else(|error| panic!("{error:#}"))).unwrap())
                .unwrap();
        let mut missing = Vec::new();
        crate::schemas::each(&mut document.clone(), &mut |fields| {
            if let Some(target) = fields.get("$ref").and_then(Value::as_str)
                && document.pointer(target.trim_start_matches('#')).is_none()
            {
                missing.push(target.to_owned());
            }
        });
        assert!(missing.is_empty(), "{missing:?}");
    }
}
