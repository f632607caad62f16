//! What the gateway needs: hand a request to another Worker, to the PostgREST behind `/rest/v1`, or to a Supabase project.

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, Response};
use worker::Env;

use super::config::{self, Config};
use super::task::Wait;
use super::{cors, js};
use crate::error::{ApiError, Refusal, UNAVAILABLE};

mod docs;
mod keys;
mod project;
mod relay;
mod rest;
mod said;

pub use docs::{docs, docs_are_at};
pub use project::{Service, project};
pub use rest::rest;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    fn hop(wait: u32, env: &JsValue, name: &str, request: &Request) -> bool;
}

/// How one request is answered: for whom, and under which id.
struct Back {
    origin: Option<String>,
    request_id: String,
    /// What the limits have to say, as headers already joined.
    limits: String,
}

impl Back {
    fn to(config: &Config, asked: &js::Asked) -> Self {
        let sent = asked.request_id.clone().filter(|id| id.len() == 36 && uuid::Uuid::try_parse(id).is_ok());
        Self {
            origin: cors::origin(config, asked.origin.as_deref()),
            request_id: sent.unwrap_or_else(js::request_id),
            limits: String::new(),
        }
    }

    fn refusal(&self, error: &ApiError) -> Response {
        let problem = error.problem();
        let mut head = cors::head(problem.status, self.origin.as_deref(), &self.request_id);
        head.all(&self.limits);
        if problem.code == UNAVAILABLE.code {
            head.set("x-relay-error", "true");
        }
        if let Some(seconds) = problem.retry_after {
            head.set("retry-after", &seconds.to_string());
        }
        js::response(Some(&problem.body(&self.request_id)), &head)
    }
}

/// A refusal of the gateway itself, in the error contract, with CORS.
pub fn refuse(req: &Request, env: &Env, no: &Refusal) -> Response {
    let config = config::of(env);
    let asked = js::asked(req);
    if asked.method == "OPTIONS" {
        return cors::preflight(&config, req, &js::request_id());
    }
    Back::to(&config, &asked).refusal(&ApiError::from(*no))
}

/// Hands the request to the Worker bound as `binding`, unchanged; its response comes back unread. `None`: no such binding.
pub async fn forward(req: &Request, env: &Env, binding: &str) -> Option<Response> {
    let wait = Wait::begin();
    if !hop(wait.id(), env, binding, req) {
        return None;
    }
    match wait.await {
        (2, response) => Some(response.unchecked_into()),
        _ => Some(refuse(req, env, &UNAVAILABLE)),
    }
}

/// Whether a path holds a segment that means another folder, in any spelling: a prefix that was checked must stay true
/// when the upstream resolves it.
fn climbs(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).any(is_dots)
}

/// One dot or two, however they are written.
fn is_dots(segment: &str) -> bool {
    let mut rest = segment;
    let mut dots = 0_u8;
    while let Some(after) = ["%2e", "%2E", "."].iter().find_map(|dot| rest.strip_prefix(dot)).filter(|_| dots < 3) {
        (rest, dots) = (after, dots + 1);
    }
    rest.is_empty() && matches!(dots, 1 | 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c11_a_path_that_leaves_its_folder_is_told_in_every_spelling() {
        for path in ["/..", "/a/../b", "/.", "/%2e%2E/x", "/.%2e", "/a\\..\\b", "/a/..?x=1"] {
            assert!(climbs(path), "{path}");
        }
        for path in ["/a", "/a..b", "/.hidden", "/...", "/a?x=/../", "/%2f..%2f", "", "/é"] {
            assert!(!climbs(path), "{path}");
        }
    }
}
