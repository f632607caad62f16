//! CORS on every response, errors included: without it a browser hides the status and the body.

use web_sys::{Headers, Response};

use super::config::Config;
use super::js;

/// What a browser's script may read.
const EXPOSED: &str = "x-request-id, retry-after, idempotent-replayed, x-relay-error, content-range";
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
/// Sent when a preflight names none; the list of supabase-js 2.119.
const HEADERS: &str = "authorization, x-client-info, apikey, content-type, x-retry-count, traceparent, tracestate, baggage, idempotency-key";

thread_local! {
    /// The headers that every JSON answer to any origin shares; copied, so that a request sets one header instead of six.
    static TEMPLATE: std::cell::RefCell<Option<Headers>> = const { std::cell::RefCell::new(None) };
}

/// The origin to name in the answer: `*` where any may call, the caller's own where it is listed, else none.
pub fn origin(config: &Config, asked: &Headers) -> Option<String> {
    match config.allowed_origins.as_slice() {
        [any] if any == "*" => Some("*".to_owned()),
        listed => js::header(asked, "origin").filter(|origin| listed.contains(origin)),
    }
}

fn base(origin: Option<&str>) -> Headers {
    let headers = js::headers();
    let set = |name, value| drop(headers.set(name, value));
    set("content-type", "application/json");
    set("cache-control", "private, no-store");
    set("x-content-type-options", "nosniff");
    if let Some(origin) = origin {
        set("access-control-allow-origin", origin);
        set("access-control-expose-headers", EXPOSED);
    }
    if origin != Some("*") {
        set("vary", "origin");
    }
    headers
}

/// Fresh headers for one JSON answer.
pub fn headers(origin: Option<&str>, request_id: &str) -> Headers {
    let headers = if origin == Some("*") {
        let template = TEMPLATE.with_borrow_mut(|kept| kept.get_or_insert_with(|| base(origin)).clone());
        Headers::new_with_headers(&template).unwrap_or(template)
    } else {
        base(origin)
    };
    drop(headers.set("x-request-id", request_id));
    headers
}

/// Answers a preflight: never authenticated, whatever headers it asks for are allowed.
pub fn preflight(config: &Config, request: &Headers, request_id: &str) -> Response {
    let headers = js::headers();
    let set = |name, value: &str| drop(headers.set(name, value));
    let asked = js::header(request, "access-control-request-headers");
    if let Some(origin) = origin(config, request) {
        set("access-control-allow-origin", &origin);
        set("access-control-allow-methods", METHODS);
        set("access-control-allow-headers", asked.as_deref().unwrap_or(HEADERS));
        set("access-control-max-age", "7200");
    }
    set("vary", "origin, access-control-request-headers");
    set("x-request-id", request_id);
    js::response(None, 204, &headers)
}
