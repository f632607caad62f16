//! What tests and developers may order: every call is in `docs/sandbox.md`. Unknown fields are refused, so that a
//! misspelt fault cannot pass for a test that found nothing.

pub mod hooks;
mod lists;
pub mod orders;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::faults::Fault;
use crate::rails;
use crate::state::Sandbox;

/// Why an order was not carried out; `status` is what HTTP answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub status: u16,
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.message, self.status)
    }
}

impl std::error::Error for Problem {}

pub type Outcome = Result<Value, Problem>;

pub fn problem(status: u16, message: impl Into<String>) -> Problem {
    Problem { status, message: message.into() }
}

/// GET takes its filters from the query, everything else from a JSON body; an empty body is `{}`.
pub async fn over_http(
    State(sandbox): State<Arc<Sandbox>>,
    method: Method,
    uri: Uri,
    Query(query): Query<Map<String, Value>>,
    body: Bytes,
) -> Response {
    let body = match body.as_ref() {
        [] => Ok(Value::Object(query)),
        text => serde_json::from_slice(text).map_err(|error| problem(400, error.to_string())),
    };
    let path = uri.path().trim_start_matches("/_control/");
    let outcome = match body {
        Ok(body) => dispatch(&sandbox, method.as_str(), path, body).await,
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(answer) => Json(answer).into_response(),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Json(json!({ "error": problem.message }))).into_response()
        }
    }
}

pub async fn dispatch(sandbox: &Arc<Sandbox>, method: &str, path: &str, body: Value) -> Outcome {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match (method, segments.as_slice()) {
        ("GET", ["settings"]) => answer(&sandbox.books().settings),
        ("PATCH", ["settings"]) => settings(sandbox, body),
        ("POST", ["reset"]) => reset(sandbox),
        ("POST", ["idle"]) => idle(sandbox, body).await,
        ("GET", ["faults"]) => answer(sandbox.books().faults.list()),
        ("POST", ["faults"]) => add_fault(sandbox, body),
        ("DELETE", ["faults"]) => forget(|| sandbox.books().faults.clear()),
        ("DELETE", ["faults", id]) => remove_fault(sandbox, id),
        ("GET", ["payments"]) => lists::payments(sandbox, body),
        ("POST", ["payments"]) => orders::create(sandbox, body).await,
        ("GET", ["payments", id]) => lists::payment(sandbox, id),
        ("POST", ["payments", id, order]) => orders::payment(sandbox, id, order, body).await,
        ("POST", ["refunds", id, order]) => rails::control::refund(sandbox, id, order).await,
        ("DELETE", ["sessions"]) => rails::control::end_sessions(sandbox, None),
        ("DELETE", ["sessions", provider]) => rails::control::end_sessions(sandbox, Some(provider)),
        ("GET", ["payouts"]) => lists::payouts(sandbox, body),
        ("GET", ["payouts", id]) => lists::payout(sandbox, id),
        ("POST", ["payouts", id, order]) => orders::payout(sandbox, id, order, body).await,
        ("GET", ["deliveries"]) => lists::deliveries(sandbox, body),
        ("DELETE", ["deliveries"]) => forget(|| sandbox.books().deliveries.clear()),
        ("GET", ["requests"]) => lists::requests(sandbox, body),
        ("DELETE", ["requests"]) => forget(|| sandbox.books().requests.clear()),
        ("POST", ["webhooks", "deliver"]) => hooks::deliver(sandbox, body).await,
        ("POST", ["webhooks", "release"]) => hooks::release(sandbox, body).await,
        _ => Err(problem(404, format!("no such order: {method} /_control/{path}"))),
    }
}

pub fn read<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body).map_err(|error| problem(422, error.to_string()))
}

fn answer<T: serde::Serialize + ?Sized>(value: &T) -> Outcome {
    serde_json::to_value(value).map_err(|error| problem(500, error.to_string()))
}

fn forget(clear: impl FnOnce()) -> Outcome {
    clear();
    Ok(json!({}))
}

fn settings(sandbox: &Sandbox, body: Value) -> Outcome {
    let Value::Object(changes) = body else { return Err(problem(422, "an object is expected")) };
    let mut books = sandbox.books();
    let mut merged = serde_json::to_value(&books.settings).unwrap_or_default();
    if let Value::Object(merged) = &mut merged {
        merged.extend(changes);
    }
    books.settings = read(merged)?;
    answer(&books.settings)
}

/// As if just started, but with the settings that it has.
fn reset(sandbox: &Sandbox) -> Outcome {
    sandbox.books().reset();
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Idle {
    #[serde(default = "five_seconds")]
    timeout_ms: u64,
}

fn five_seconds() -> u64 {
    5_000
}

async fn idle(sandbox: &Sandbox, body: Value) -> Outcome {
    let ask: Idle = read(body)?;
    Ok(json!({ "idle": sandbox.idle(ask.timeout_ms).await }))
}

fn add_fault(sandbox: &Sandbox, body: Value) -> Outcome {
    let mut fault: Fault = read(body)?;
    if let Some(reason) = fault.problem() {
        return Err(problem(422, reason));
    }
    let mut books = sandbox.books();
    (fault.id, fault.used) = (books.next(), 0);
    books.faults.add(fault.clone());
    answer(&fault)
}

fn remove_fault(sandbox: &Sandbox, id: &str) -> Outcome {
    let removed = id.parse().is_ok_and(|id| sandbox.books().faults.remove(id));
    if removed { Ok(json!({})) } else { Err(problem(404, "no such fault")) }
}
