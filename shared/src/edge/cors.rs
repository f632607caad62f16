//! CORS on every response, errors included: without it a browser hides the status and the body.

use web_sys::{Request, Response};

use super::config::Config;
use super::js::{self, Head};

/// What a browser's script may read.
const EXPOSED: &str = "x-request-id, retry-after, idempotent-replayed, x-relay-error, content-range";
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
/// Sent when a preflight names none; the list of supabase-js 2.119.
const HEADERS: &str = "authorization, x-client-info, apikey, content-type, x-retry-count, traceparent, tracestate, baggage, idempotency-key";
/// What every answer carries, whoever asks.
const COMMON: &str =
    "\0content-type\0application/json\0cache-control\0private, no-store\0x-content-type-options\0nosniff";

/// The origin to name in the answer: `*` where any may call, the caller's own where it is listed, else none.
pub fn origin(config: &Config, req: &Request) -> Option<String> {
    match config.allowed_origins.as_slice() {
        [any] if any == "*" => Some("*".to_owned()),
        listed => js::header(&req.headers(), "origin").filter(|origin| listed.contains(origin)),
    }
}

/// The head of one JSON answer.
pub fn head(status: u16, origin: Option<&str>, request_id: &str) -> Head {
    let mut head = Head::new(status);
    head.all(COMMON);
    if let Some(origin) = origin {
        head.set("access-control-allow-origin", origin);
        head.set("access-control-expose-headers", EXPOSED);
    }
    if origin != Some("*") {
        head.set("vary", "origin");
    }
    head.set("x-request-id", request_id);
    head
}

/// Answers a preflight: never authenticated, whatever headers it asks for are allowed.
pub fn preflight(config: &Config, req: &Request, request_id: &str) -> Response {
    let mut head = Head::new(204);
    let wanted = js::header(&req.headers(), "access-control-request-headers");
    if let Some(origin) = origin(config, req) {
        head.set("access-control-allow-origin", &origin);
        head.set("access-control-allow-methods", METHODS);
        head.set("access-control-allow-headers", wanted.as_deref().unwrap_or(HEADERS));
        head.set("access-control-max-age", "7200");
    }
    head.set("vary", "origin, access-control-request-headers");
    head.set("x-request-id", request_id);
    js::response(None, &head)
}
