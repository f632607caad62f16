//! One request sent on, and its answer brought back: some headers kept, some of ours, the bodies never read here.

use js_sys::Promise;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Request, Response};

use super::Back;
use crate::edge::cors;
use crate::edge::task::settled;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    #[wasm_bindgen(js_name = headerNames)]
    fn header_names(request: &Request) -> String;
    fn relay(request: &Request, url: &str, kept: &str, ours: &str, body: &JsValue, timeout_ms: u32) -> Promise;
    fn readdressed(response: &Response, text: &JsValue, ours: &str) -> Response;
}

/// What goes out, beside the method.
pub struct Onward<'a> {
    pub url: String,
    /// Names of headers that go along as they came, joined by NUL.
    pub kept: String,
    pub ours: Vec<(&'static str, &'a str)>,
    pub body: JsValue,
    /// 0: as long as it takes, as an upload or an open socket does.
    pub timeout_ms: u32,
}

pub fn names(req: &Request) -> String {
    header_names(req)
}

/// Sends it; a redirect comes back as it is. `None`: no answer.
pub async fn send(req: &Request, onward: &Onward<'_>) -> Option<Response> {
    let ours = joined(&onward.ours);
    let promise = relay(req, &onward.url, &onward.kept, &ours, &onward.body, onward.timeout_ms);
    settled(&promise).await.ok().map(JsCast::unchecked_into)
}

fn joined(headers: &[(&'static str, &str)]) -> String {
    headers.iter().fold(String::new(), |text, (name, value)| text + "\0" + name + "\0" + value)
}

/// The upstream's answer under our own headers; `text` replaces its body. An open socket is returned as it is.
pub fn back(back: &Back, response: &Response, text: Option<&str>, guard: &str) -> Response {
    let mut ours = [guard, &back.limits].concat();
    cors::allow(&mut ours, back.origin.as_deref(), cors::EXPOSED_BY_UPSTREAMS);
    ours.extend(["\0x-request-id\0", &back.request_id]);
    readdressed(response, &text.map_or(JsValue::NULL, JsValue::from_str), &ours)
}
