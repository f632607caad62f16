//! What a Supabase project serves for us: sign-in where it has the users, files, and live messages.

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::Env;

use super::relay::{self, Onward};
use super::{Back, climbs};
use crate::edge::{config, cors, js, task};
use crate::error::{Answer, ApiError, BAD_JSON, NOT_FOUND, PAYLOAD_TOO_LARGE, UNAVAILABLE};
use crate::text;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Auth,
    Storage,
    Realtime,
}

/// What the identity service is sent at most; it reads no more itself.
const MAX_AUTH_BODY: u32 = 1024 * 1024;
/// It may send a mail before it answers.
const AUTH_TIMEOUT_MS: u32 = 30_000;

/// Passes `path`, which begins with the service's own name, on to the project. `None`: there is no project.
pub async fn project(req: &Request, env: &Env, service: Service, path: &str) -> Option<Response> {
    let config = config::of(env);
    if config.supabase_url.is_empty() {
        return None;
    }
    let asked = js::asked(req);
    let back = Back::to(&config, &asked);
    // An OPTIONS that no browser sends before another request is a question to the service: what can it do?
    let preflight = || js::header(&req.headers(), "access-control-request-method").is_some();
    if asked.method == "OPTIONS" && (service != Service::Storage || preflight()) {
        return Some(cors::preflight(&config, req, &back.request_id));
    }
    let answer = passed(req, &config.supabase_url, &asked, &back, service, path).await;
    Some(answer.unwrap_or_else(|error| back.refusal(&error)))
}

async fn passed(
    req: &Request,
    base: &str,
    asked: &js::Asked,
    back: &Back,
    service: Service,
    path: &str,
) -> Answer<Response> {
    if climbs(path) {
        return Err(NOT_FOUND.into());
    }
    let names = relay::names(req);
    let socket = service == Service::Realtime && names.split('\0').any(|name| name == "upgrade");
    let kept: Vec<_> = names.split('\0').filter(|name| goes_along(name, socket)).collect();
    let address = asked.address.as_deref().unwrap_or_default();
    let mut ours = vec![("x-request-id", back.request_id.as_str())];
    ours.extend(Some(("x-forwarded-for", address)).filter(|_| !address.is_empty()));
    if service != Service::Auth {
        task::takes_long();
    }
    let onward = Onward {
        url: [base, path].concat(),
        kept: kept.join("\0"),
        ours,
        body: body(req, asked, service).await?,
        timeout_ms: if service == Service::Auth { AUTH_TIMEOUT_MS } else { 0 },
    };
    let response = relay::send(req, &onward).await.ok_or_else(|| ApiError::from(UNAVAILABLE))?;
    let guard = match service {
        Service::Storage => cors::FILES,
        // Published keys say themselves how long they may be kept; a session is kept by nobody.
        Service::Auth if !text::contains(path, "/.well-known/") => cors::PRIVATE,
        Service::Auth | Service::Realtime => cors::GUARD,
    };
    Ok(relay::back(back, &response, None, guard))
}

/// Files are streamed; a sign-in is small, and counted before it is believed to be.
async fn body(req: &Request, asked: &js::Asked, service: Service) -> Answer<JsValue> {
    if matches!(asked.method.as_str(), "GET" | "HEAD") {
        return Ok(JsValue::NULL);
    }
    if service != Service::Auth {
        return Ok(req.body().map_or(JsValue::NULL, Into::into));
    }
    let declared = asked.content_length.as_deref().and_then(|length| length.parse().ok());
    match js::bytes(req, declared, MAX_AUTH_BODY).await {
        Ok(Some(bytes)) if bytes.is_empty() => Ok(JsValue::NULL),
        Ok(Some(bytes)) => Ok(Uint8Array::from(bytes.as_slice()).into()),
        Ok(None) => Err(PAYLOAD_TOO_LARGE.into()),
        Err(_) => Err(BAD_JSON.into()),
    }
}

/// Everything a client sends, but what only a platform may say, what belongs to one connection, and what is meant for us.
fn goes_along(name: &str, socket: bool) -> bool {
    let said_by_platforms = ["sb-", "x-forwarded-", "cf-", "x-internal-"].iter().any(|start| name.starts_with(start));
    let of_the_socket = ["upgrade", "sec-websocket-protocol"].contains(&name);
    let refused = [
        "connection",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "proxy-authorization",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-version",
        "te",
        "trailer",
        "transfer-encoding",
        "true-client-ip",
        "x-client-ip",
        "x-invoked-as",
        "x-real-ip",
        "x-relay-error",
        "x-request-id",
    ];
    if of_the_socket {
        return socket;
    }
    !said_by_platforms && !refused.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c08_nothing_that_only_a_platform_may_say_goes_along() {
        for name in ["sb-api-key", "sb-x", "x-forwarded-for", "x-forwarded-host", "x-relay-error", "cf-connecting-ip"] {
            assert!(!goes_along(name, false), "{name}");
        }
    }

    #[test]
    fn the_words_of_each_service_go_along() {
        for name in ["apikey", "authorization", "x-upsert", "tus-resumable", "upload-offset", "x-supabase-api-version"]
        {
            assert!(goes_along(name, false), "{name}");
        }
        assert!(goes_along("upgrade", true) && !goes_along("upgrade", false));
        assert!(goes_along("sec-websocket-protocol", true) && !goes_along("sec-websocket-key", true));
    }
}
