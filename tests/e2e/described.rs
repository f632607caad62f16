//! docs/openapi.json is held to the truth: every answer of a function, to any test, is one that the document describes.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use xtask::house;

/// The document, with closed objects: a field that nobody described is a fault here, though clients have to bear it.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let file = house::root().join("docs/openapi.json");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut document: Value = serde_json::from_str(&text).expect("docs/openapi.json is JSON");
    for (name, schema) in document["components"]["schemas"].as_object_mut().expect("schemas") {
        if name != "Refusal" {
            close(schema);
        }
    }
    document
});

/// Compiled once for each operation and status.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".into(), false.into());
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// What is wrong with an answer of ours, if anything. `path` as it was asked.
pub fn fault(method: &str, path: &str, status: u16, body: &Value) -> Option<String> {
    let name = path.strip_prefix("/functions/v1/")?.split('/').next()?;
    // Names that nobody has are the gateway's to refuse.
    let methods = DOCUMENT["paths"].get(format!("/functions/v1/{name}"))?;
    let method = method.to_lowercase();
    if method == "options" || method == "head" {
        return None; // Without a body.
    }
    // A method that is not offered is refused as the others are.
    let operation = methods.get(&method).unwrap_or(&methods["post"]);
    let response = &operation["responses"][status.to_string()];
    let response = match response["$ref"].as_str() {
        Some(target) => DOCUMENT.pointer(target.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => response,
    };
    let schema = &response["content"]["application/json"]["schema"];
    if schema.is_null() {
        return Some(format!("{name} answered {status}, and docs/openapi.json does not say that it can"));
    }
    let validator = validator(&format!("{method} {name} {status}"), schema);
    let faults: Vec<_> =
        validator.iter_errors(body).map(|error| format!("  {}: {error}", error.instance_path())).collect();
    let advice = "its wire.rs, and then `cargo xtask gen`, or the answer is wrong";
    (!faults.is_empty())
        .then(|| format!("{name}: {status} is not as docs/openapi.json says ({advice}):\n{}", faults.join("\n")))
}

fn validator(key: &str, schema: &Value) -> Arc<Validator> {
    let mut all = VALIDATORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let compiled = all.entry(key.to_owned()).or_insert_with(|| {
        let whole = json!({ "components": DOCUMENT["components"], "anyOf": [schema] });
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
        Arc::new(options.build(&whole).unwrap_or_else(|error| panic!("{key}: {error}")))
    });
    Arc::clone(compiled)
}

pub fn tests() -> Vec<Trial> {
    vec![Trial::test("described::an_answer_that_the_document_does_not_know_is_a_fault", || {
        an_answer_that_the_document_does_not_know_is_a_fault();
        Ok(())
    })]
}

fn an_answer_that_the_document_does_not_know_is_a_fault() {
    let good = json!({ "success": true, "driversDeclined": 1 });
    let refusal = |code: &str| {
        json!({ "success": false, "error": "no", "code": code, "message": "no", "details": null, "hint": null,
            "request_id": "00000000-0000-4000-8000-00000000000a" })
    };
    let at = |status, body: Value| fault("POST", "/functions/v1/taxi-refuse-ride", status, &body);
    assert_eq!(at(200, good.clone()), None);
    assert_eq!(at(409, refusal("RIDE_NOT_OPEN")), None);
    for (status, body) in [
        (200, json!({ "success": true })),
        (200, json!({ "success": true, "driversDeclined": "1" })),
        (200, json!({ "success": true, "driversDeclined": 1, "secret": 1 })),
        (201, good),
        (409, refusal("INSUFFICIENT_FUNDS")),
        (403, refusal("RIDE_NOT_OPEN")),
        (409, json!({ "code": "RIDE_NOT_OPEN" })),
    ] {
        assert!(at(status, body.clone()).is_some(), "{status} {body}");
    }
    assert_eq!(fault("POST", "/functions/v1/no-such-function", 200, &Value::Null), None, "not ours to describe");
}
