//! The way in for API calls: which one it is, whose key, how many this minute, and the faults around it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::faults::{Fault, Kind, Moment, On, When};
use crate::state::Sandbox;
use crate::tamper::Tamper;
use crate::{methods, payments, payouts};

/// The provider's envelope, `{"message","data","errors"}`, with its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Reply {
    pub fn refused(status: u16, message: &str) -> Self {
        Self { status, body: json!({ "message": message, "data": {}, "errors": null }) }
    }
}

pub fn ok(status: u16, message: &str, data: Value) -> Reply {
    Reply { status, body: json!({ "message": message, "data": data, "errors": null }) }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(self.body))
            .into_response()
    }
}

struct Route<'a> {
    on: On,
    id: Option<&'a str>,
}

impl<'a> Route<'a> {
    /// The lists of methods need no key and are documented without `/v1`; with it they answer as well.
    fn find(method: &Method, path: &'a str) -> Result<Self, Reply> {
        let segments: Vec<&str> =
            path.strip_prefix("/v1").unwrap_or(path).split('/').filter(|part| !part.is_empty()).collect();
        let (verb, on, id) = match segments.as_slice() {
            ["payments", "initialize"] => (Method::POST, On::Initialize, None),
            ["payments", id] => (Method::GET, On::Retrieve, Some(*id)),
            ["payments", id, "verify"] => (Method::GET, On::Verify, Some(*id)),
            ["payouts", "initialize"] => (Method::POST, On::Payout, None),
            ["payouts", id] => (Method::GET, On::PayoutRetrieve, Some(*id)),
            ["payouts", id, "verify"] => (Method::GET, On::PayoutVerify, Some(*id)),
            ["utils", rail @ ("payment" | "payout"), "methods"] => (Method::GET, On::Methods, Some(*rail)),
            _ => return Err(Reply::refused(404, &format!("The route {} could not be found.", &path[1..]))),
        };
        if *method == verb {
            return Ok(Self { on, id });
        }
        Err(Reply::refused(405, &format!("The {method} method is not supported for route {}.", &path[1..])))
    }

    /// Whose call this is, so that a fault can be aimed at one customer.
    fn email(&self, sandbox: &Sandbox, body: &[u8]) -> Option<String> {
        let mut books = sandbox.books();
        match (self.on, self.id) {
            (On::Initialize | On::Payout, _) => {
                let body: Value = serde_json::from_slice(body).ok()?;
                body["customer"]["email"].as_str().map(str::to_owned)
            }
            (On::Verify | On::Retrieve, Some(id)) => books.payment(id).map(|payment| payment.customer.email.clone()),
            (On::PayoutVerify | On::PayoutRetrieve, Some(id)) => {
                books.payout(id).map(|payout| payout.customer.email.clone())
            }
            _ => None,
        }
    }
}

pub async fn call(
    State(sandbox): State<Arc<Sandbox>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let route = match Route::find(&method, uri.path()) {
        Ok(route) => route,
        Err(reply) => return reply.into_response(),
    };
    let email = route.email(&sandbox, &body);
    // Logged before anything else: the caller may hang up while we wait, and was here all the same.
    let seq = sandbox.books().log_request("moneroo", route.on.name(), route.id.map(str::to_owned), email.clone());
    if let Err(reply) = admit(&sandbox, &route, &headers) {
        sandbox.books().log_answer(seq, reply.status);
        return reply.into_response();
    }
    let (reference, phone, event) = (None, None, None);
    let (provider, email) = ("moneroo", email.as_deref());
    let moment = Moment { provider, on: route.on, id: route.id, reference, email, phone, event };
    let faults = sandbox.books().faults.take(&moment);
    if let Some((status, message)) = before(&sandbox, &faults).await {
        sandbox.books().log_answer(seq, status);
        return Reply::refused(status, message).into_response();
    }
    let truth = perform(&sandbox, &route, &body, &Tamper::by(&faults));
    let reply = late_error(&faults).map_or(truth, |status| Reply::refused(status, "Server Error"));
    sandbox.books().log_answer(seq, reply.status);
    let garbage = stall(&sandbox, &faults).await;
    garbage.unwrap_or_else(|| reply.into_response())
}

fn admit(sandbox: &Sandbox, route: &Route<'_>, headers: &HeaderMap) -> Result<(), Reply> {
    let key = bearer(headers);
    if route.on != On::Methods && key != Some(sandbox.secret_key.as_str()) {
        return Err(Reply::refused(401, "Unauthenticated."));
    }
    let mut books = sandbox.books();
    let per_minute = books.settings.requests_per_minute;
    if books.limits.admit(key.unwrap_or_default(), per_minute, Instant::now()) {
        return Ok(());
    }
    Err(Reply::refused(429, "Too Many Attempts."))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// The faults that strike while nothing has happened yet.
pub async fn before(sandbox: &Arc<Sandbox>, faults: &[Fault]) -> Option<(u16, &'static str)> {
    for fault in faults.iter().filter(|fault| fault.strikes(When::Before)) {
        match fault.fault {
            Kind::Delay => sandbox.pause(fault.ms).await,
            Kind::Hang => {
                sandbox.pause(fault.ms).await;
                return Some((504, "Gateway Timeout"));
            }
            Kind::Error => return Some((fault.status, "Server Error")),
            Kind::RateLimited => return Some((429, "Too Many Attempts.")),
            _ => {}
        }
    }
    None
}

fn perform(sandbox: &Arc<Sandbox>, route: &Route<'_>, body: &[u8], tamper: &Tamper) -> Reply {
    let id = route.id.unwrap_or_default();
    let answered = match route.on {
        On::Initialize => payments::initialize(sandbox, body, tamper),
        On::Verify => payments::verify(sandbox, id, tamper),
        On::Retrieve => payments::retrieve(sandbox, id, tamper),
        On::Payout => payouts::initialize(sandbox, body, tamper),
        On::PayoutVerify | On::PayoutRetrieve => payouts::verify(sandbox, id, tamper),
        On::Methods if id == "payment" => Ok(methods::list(methods::for_payments())),
        // The others are no calls of this provider: `Route::find` does not find them.
        _ => Ok(methods::list(methods::for_payouts())),
    };
    answered.unwrap_or_else(|refusal| refusal)
}

/// The faults that strike when everything has happened, and only the answer can still go wrong.
fn late(faults: &[Fault]) -> impl Iterator<Item = &Fault> {
    faults.iter().filter(|fault| fault.strikes(When::After))
}

pub fn late_error(faults: &[Fault]) -> Option<u16> {
    late(faults).find(|fault| fault.fault == Kind::Error).map(|fault| fault.status)
}

/// Keeps the caller waiting, and answers nonsense where that was ordered.
pub async fn stall(sandbox: &Arc<Sandbox>, faults: &[Fault]) -> Option<Response> {
    for fault in late(faults).filter(|fault| matches!(fault.fault, Kind::Hang | Kind::Delay)) {
        sandbox.pause(fault.ms).await;
    }
    let garbage = faults.iter().any(|fault| fault.fault == Kind::Garbage);
    garbage.then(|| Html("<html><body>Maintenance</body></html>").into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_routes_are_found_and_others_are_not() {
        for (method, path, expected) in [
            (Method::POST, "/v1/payments/initialize", Ok((On::Initialize, None))),
            (Method::GET, "/v1/payments/abc/verify", Ok((On::Verify, Some("abc")))),
            (Method::GET, "/v1/payments/abc", Ok((On::Retrieve, Some("abc")))),
            (Method::POST, "/v1/payouts/initialize", Ok((On::Payout, None))),
            (Method::GET, "/v1/payouts/abc", Ok((On::PayoutRetrieve, Some("abc")))),
            (Method::GET, "/utils/payment/methods", Ok((On::Methods, Some("payment")))),
            (Method::GET, "/v1/utils/payout/methods", Ok((On::Methods, Some("payout")))),
            (Method::POST, "/v1/payments/abc/verify", Err(405)),
            (Method::GET, "/v1/charges", Err(404)),
            (Method::POST, "/v1/payments/abc/process", Err(404)),
        ] {
            let found = Route::find(&method, path);
            assert_eq!(found.map(|route| (route.on, route.id)).map_err(|reply| reply.status), expected, "{path}");
        }
    }
}
