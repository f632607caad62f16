//! CORS on every response, errors included: without it a browser hides the status and the body.

use std::cell::RefCell;

use web_sys::{Request, Response};

use super::config::Config;
use super::js::{self, Base, Head};

/// Two years of HTTPS alone, no guessing of media types, no address of ours in other sites' logs.
macro_rules! transport {
    () => {
        "\0strict-transport-security\0max-age=63072000; includeSubDomains\0x-content-type-options\0nosniff\
         \0referrer-policy\0no-referrer"
    };
}
macro_rules! guard {
    () => {
        concat!(
            transport!(),
            "\0content-security-policy\0default-src 'none'; frame-ancestors 'none'",
            "\0cross-origin-resource-policy\0same-origin"
        )
    };
}

/// What a browser's script may read of our own answers.
const EXPOSED: &str = "x-request-id, retry-after, ratelimit, ratelimit-policy, idempotent-replayed, x-relay-error, \
    sb-error-code, x-sb-edge-region, content-range, server-timing, x-supabase-api-version";
/// And of what we pass on: paging, versions of errors, and how far a resumable upload is.
pub const EXPOSED_BY_UPSTREAMS: &str = "x-request-id, retry-after, ratelimit, ratelimit-policy, x-relay-error, sb-error-code, \
    x-sb-edge-region, x-sb-error-code, server-timing, content-range, content-location, location, preference-applied, \
    proxy-status, x-supabase-api-version, x-total-count, link, etag, tus-resumable, tus-version, tus-extension, \
    tus-max-size, upload-offset, upload-length, upload-expires, upload-metadata";
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
/// Sent when a preflight names none; the list of supabase-js 2.119.
const HEADERS: &str = "authorization, x-client-info, apikey, content-type, x-retry-count, traceparent, tracestate, baggage, idempotency-key";
/// What every JSON answer carries, whoever asks.
const COMMON: &str = concat!("\0content-type\0application/json\0cache-control\0private, no-store", guard!());
/// What every answer carries: an API is no page, is in no frame, and no page of others may embed it unasked.
pub const GUARD: &str = guard!();
/// The same over answers to somebody in particular that bring their own media types.
pub const PRIVATE: &str = concat!("\0cache-control\0private, no-store", guard!());
/// Files are embedded by the frontend's pages, which are of another origin.
pub const FILES: &str = concat!(transport!(), "\0cross-origin-resource-policy\0cross-origin");

thread_local! {
    static BASES: RefCell<Vec<(Option<String>, Base)>> = const { RefCell::new(Vec::new()) };
}

/// The origin to name in the answer: `*` where any may call, the caller's own where it is listed, else none.
pub fn origin(config: &Config, sent: Option<&str>) -> Option<String> {
    match config.allowed_origins.as_slice() {
        [any] if any == "*" => Some("*".to_owned()),
        listed => sent.filter(|origin| listed.iter().any(|one| one == origin)).map(str::to_owned),
    }
}

/// The head of one JSON answer.
pub fn head(status: u16, origin: Option<&str>, request_id: &str) -> Head {
    let mut head = Head::on(status, common(origin));
    head.set("x-request-id", request_id);
    head
}

/// What all answers to one origin have in common. There are as many as origins are allowed, and one for all others.
fn common(origin: Option<&str>) -> Base {
    let known = BASES.with_borrow(|bases| bases.iter().find(|(to, _)| to.as_deref() == origin).map(|(_, base)| *base));
    known.unwrap_or_else(|| {
        let mut joined = COMMON.to_owned();
        allow(&mut joined, origin, EXPOSED);
        let base = Base::of(&joined);
        BASES.with_borrow_mut(|bases| bases.push((origin.map(str::to_owned), base)));
        base
    })
}

/// Grants `origin` to read an answer; joined as [`Head::all`] wants it. Credentials are never granted: there are no cookies.
pub fn allow(joined: &mut String, origin: Option<&str>, exposed: &str) {
    if let Some(origin) = origin {
        joined.extend(["\0access-control-allow-origin\0", origin, "\0access-control-expose-headers\0", exposed]);
    }
    if origin != Some("*") {
        joined.push_str("\0vary\0origin");
    }
}

/// Answers a preflight: never authenticated, whatever headers it asks for are allowed.
#[inline(never)] // See `edge::apart`.
pub fn preflight(config: &Config, req: &Request, request_id: &str) -> Response {
    let mut head = Head::new(204);
    head.all(GUARD);
    let wanted = js::header(&req.headers(), "access-control-request-headers");
    if let Some(origin) = origin(config, js::header(&req.headers(), "origin").as_deref()) {
        head.set("access-control-allow-origin", &origin);
        head.set("access-control-allow-methods", METHODS);
        head.set("access-control-allow-headers", wanted.as_deref().unwrap_or(HEADERS));
        head.set("access-control-max-age", "7200");
    }
    head.set("vary", "origin, access-control-request-headers");
    head.set("x-request-id", request_id);
    js::response(None, &head)
}
