//! The API reference: files that were built beside the gateway, each with its kind and a policy that lets it run only itself.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, Response};
use worker::Env;

use super::Back;
use crate::edge::js::{self, Head};
use crate::edge::{config, cors};
use crate::error::{ApiError, METHOD_NOT_ALLOWED, Refusal, UNAVAILABLE};
use crate::text;

const NO_SUCH_PAGE: Refusal = Refusal::new(404, "NOT_FOUND", "no such page");
/// Its own scripts and styles, its own host to try a call on, and nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Leads a visitor of the bare host to the reference.
pub fn docs_are_at(req: &Request, env: &Env, place: &str) -> Response {
    let config = config::of(env);
    let mut head = Head::new(302);
    head.all(cors::GUARD);
    head.set("location", place);
    head.set("x-request-id", &Back::to(&config, &js::asked(req)).request_id);
    js::response(None, &head)
}

/// The file of this name, out of the folder bound as `ASSETS`.
pub async fn docs(req: &Request, env: &Env, name: &str) -> Response {
    let config = config::of(env);
    let asked = js::asked(req);
    let back = Back::to(&config, &asked);
    if asked.method == "OPTIONS" {
        return cors::preflight(&config, req, &back.request_id);
    }
    if !matches!(asked.method.as_str(), "GET" | "HEAD") {
        return back.refusal(&METHOD_NOT_ALLOWED.into());
    }
    let (Some(kind), Some(folder)) = (kind(name), js::binding(env, "ASSETS")) else {
        return back.refusal(&NO_SUCH_PAGE.into());
    };
    let place = JsValue::from_str(&format!("https://assets.invalid/{name}"));
    let file: Response = match js::call(&folder, "fetch", &place).await {
        Ok(file) => file.unchecked_into(),
        Err(_) => return back.refusal(&ApiError::from(UNAVAILABLE)),
    };
    if file.status() != 200 {
        return back.refusal(&NO_SUCH_PAGE.into());
    }
    let mut head = Head::new(200);
    head.all(cors::GUARD);
    head.set("content-type", kind);
    head.set("content-security-policy", POLICY);
    // Names carry no version: a new deployment is seen within minutes.
    head.set("cache-control", "public, max-age=300");
    if let Some(origin) = &back.origin {
        head.set("access-control-allow-origin", origin);
        head.set("vary", "origin");
    }
    head.set("x-request-id", &back.request_id);
    if asked.method == "HEAD" { js::response(None, &head) } else { js::stream(&file, &head) }
}

/// The media type of a name that may be asked for; a name is one segment of plain letters.
fn kind(name: &str) -> Option<&'static str> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !plain || name.starts_with('.') {
        return None;
    }
    match text::rsplit_once(name, ".")?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "json" => Some("application/json"),
        "png" => Some("image/png"),
        "svg" => Some("image/svg+xml"),
        "ico" => Some("image/x-icon"),
        "map" => Some("application/json"),
        "txt" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_kind_and_a_path_has_none() {
        assert_eq!(kind("index.html"), Some("text/html; charset=utf-8"));
        assert_eq!(kind("openapi.json"), Some("application/json"));
        for odd in ["", "index", "../x.js", "a/b.js", ".env", ".html", "x.exe", "x.js?y", "%2e.js"] {
            assert_eq!(kind(odd), None, "{odd}");
        }
    }
}
