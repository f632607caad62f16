//! What the gateway needs: hand a request to another Worker, or to the PostgREST behind `/rest/v1`.

use wasm_bindgen::JsCast;
use web_sys::{Request, Response};
use worker::Env;

use super::config::{self, Config};
use super::{cors, js};
use crate::error::{ApiError, Refusal, UNAVAILABLE};
use crate::http::Lost;

/// What `/rest/v1` carries to the gateway. Profiles stay behind (one schema is exposed), and so does whatever a client
/// could use to speak for somebody else: `sb-*`, `x-forwarded-*`, `x-relay-error`.
const CARRIED: [&str; 9] = [
    "accept",
    "authorization",
    "content-type",
    "range",
    "range-unit",
    "if-none-match",
    "x-client-info",
    "x-request-id",
    "x-retry-count",
];
/// What comes back.
const RETURNED: [&str; 7] = [
    "content-type",
    "content-range",
    "content-location",
    "location",
    "preference-applied",
    "proxy-status",
    "retry-after",
];
const TIMEOUT_MS: u32 = 10_000;

/// A refusal of the gateway itself, in the error contract, with CORS.
pub fn refuse(req: &Request, env: &Env, no: &Refusal) -> Response {
    let config = config::of(env);
    if req.method() == "OPTIONS" {
        return cors::preflight(&config, req, &js::request_id());
    }
    answer(&config, req, &ApiError::from(*no))
}

fn answer(config: &Config, req: &Request, error: &ApiError) -> Response {
    let request_id = js::request_id();
    let problem = error.problem();
    let mut head = cors::head(problem.status, cors::origin(config, req).as_deref(), &request_id);
    if problem.code == UNAVAILABLE.code {
        head.set("x-relay-error", "true");
    }
    js::response(Some(&problem.body(&request_id)), &head)
}

/// Hands the request to the Worker bound as `binding`, unchanged; its response comes back unread. `None`: no such binding.
pub async fn forward(req: &Request, env: &Env, binding: &str) -> Option<Response> {
    let target = js::binding(env, binding)?;
    match js::call(&target, "fetch", req).await {
        Ok(response) => Some(response.unchecked_into()),
        Err(_) => Some(answer(&config::of(env), req, &UNAVAILABLE.into())),
    }
}

/// Where a request is passed on to.
#[derive(Clone, Copy, Debug)]
pub enum Upstream {
    /// PostgREST, with the caller's own token.
    Rest,
}

/// Passes `/rest/v1<rest>` on: the caller's token, the headers of the protocol, and nothing else.
pub async fn pass_on(req: &Request, env: &Env, upstream: Upstream, rest: &str) -> Response {
    let config = config::of(env);
    if req.method() == "OPTIONS" {
        return cors::preflight(&config, req, &js::request_id());
    }
    let Upstream::Rest = upstream;
    let url = format!("{}{rest}", config.postgrest_url);
    let headers = js::headers();
    let sent = req.headers();
    for name in CARRIED {
        if let Some(value) = js::header(&sent, name) {
            drop(headers.set(name, &value));
        }
    }
    if let Some(prefer) = js::header(&sent, "prefer") {
        // A client may not ask for its own transaction to be rolled back, or for another time zone's arithmetic.
        let kept: Vec<&str> =
            prefer.split(',').map(str::trim).filter(|p| !p.starts_with("tx=") && !p.starts_with("timezone=")).collect();
        drop(headers.set("prefer", &kept.join(", ")));
    }
    let method = req.method();
    let body = if matches!(method.as_str(), "GET" | "HEAD") { None } else { req.body().map(Into::into) };
    match js::fetch(&method, &url, &headers, body.as_ref(), TIMEOUT_MS).await {
        Ok(response) => returned(&config, req, &response),
        Err(Lost::TimedOut | Lost::Unreachable | Lost::NotSent) => answer(&config, req, &UNAVAILABLE.into()),
    }
}

fn returned(config: &Config, req: &Request, response: &Response) -> Response {
    let mut head = cors::head(response.status(), cors::origin(config, req).as_deref(), &js::request_id());
    let headers = response.headers();
    for name in RETURNED {
        if let Some(value) = js::header(&headers, name) {
            head.set(name, &value);
        }
    }
    js::stream(response, &head)
}
