//! The few JavaScript calls that need more than one line; those of the hot path are in `glue.js`.

use std::cell::RefCell;

use js_sys::{Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortSignal, Headers, Request, RequestInit, Response, WorkerGlobalScope};

use super::task::{Wait, settled};
use crate::http::Lost;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    /// A text of the environment; empty when it is not set.
    #[wasm_bindgen(js_name = setting)]
    pub fn text(env: &JsValue, name: &str) -> String;
    fn whole(request: &Request) -> String;
    fn head(request: &Request, room: &mut [u8]) -> u32;
    fn post(wait: u32, parts: &str, timeout_ms: u32);
    #[wasm_bindgen(js_name = text)]
    fn text_of(wait: u32, response: &Response, timeout_ms: u32);
    fn body(wait: u32, request: &Request);
    fn fill(bytes: &mut [u8], buffer: &JsValue);
    fn base(joined: &str) -> u32;
    fn answer(body: &JsValue, status: u16, base: u32, own: &str) -> Response;
}

/// What a request says of itself, read in one crossing.
pub struct Asked {
    pub method: String,
    pub url: String,
    pub authorization: Option<String>,
    pub request_id: Option<String>,
    pub idempotency_key: Option<String>,
    pub content_type: Option<String>,
    pub content_length: Option<String>,
    pub origin: Option<String>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub traceparent: Option<String>,
}

/// Nearly every request says less of itself.
const ROOM: usize = 8 * 1024;

thread_local! {
    /// Written to by JavaScript, and read at once: a text of its own would be counted out, moved and freed for each request.
    static SAID: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
}

pub fn asked(request: &Request) -> Asked {
    SAID.with_borrow_mut(|room| {
        let length = head(request, room) as usize;
        let said = room.get(..length).filter(|said| !said.is_empty());
        said.and_then(|said| std::str::from_utf8(said).ok()).map_or_else(|| parts(&whole(request)), parts)
    })
}

fn parts(said: &str) -> Asked {
    let mut parts = said.split('\0');
    let method = parts.next().unwrap_or_default().to_owned();
    let url = parts.next().unwrap_or_default().to_owned();
    let mut header = || parts.next()?.strip_prefix('=').map(str::to_owned);
    Asked {
        method,
        url,
        authorization: header(),
        request_id: header(),
        idempotency_key: header(),
        content_type: header(),
        content_length: header(),
        origin: header(),
        address: header(),
        user_agent: header(),
        traceparent: header(),
    }
}

/// Headers that many answers share, joined as [`Head::all`] takes them; kept for good, so there may only be few.
#[derive(Clone, Copy, Default)]
pub struct Base(u32);

impl Base {
    pub fn of(joined: &str) -> Self {
        Self(base(joined))
    }
}

/// A status and headers on their way out.
pub struct Head {
    status: u16,
    base: Base,
    own: String,
}

impl Head {
    pub fn new(status: u16) -> Self {
        Self::on(status, Base::default())
    }

    pub fn on(status: u16, base: Base) -> Self {
        Self { status, base, own: String::new() }
    }

    /// Names and values, already joined: `\0name\0value\0name\0value`.
    pub fn all(&mut self, joined: &str) {
        self.own.push_str(joined);
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.own.extend(["\0", name, "\0", value]);
    }

    /// Its own headers, joined as [`Self::all`] takes them.
    pub fn joined(&self) -> &str {
        &self.own
    }
}

/// An answer of an upstream's, its body not yet read.
pub struct Told {
    pub status: u16,
    /// It is the stored answer of an earlier request.
    pub replayed: bool,
    pub response: Response,
}

/// One RPC: a POST of JSON to the database's gateway. Its head comes within `timeout_ms`, or it is lost.
pub async fn ask(
    url: &str,
    token: &str,
    request_id: &str,
    traceparent: Option<&str>,
    body: &str,
    timeout_ms: u32,
) -> Result<Told, Lost> {
    let trace = traceparent.unwrap_or_default();
    let parts = [url, "\0Bearer ", token, "\0", request_id, "\0", body, "\0", trace].concat();
    let wait = Wait::begin();
    post(wait.id(), &parts, timeout_ms);
    match wait.await {
        (0, _) => Err(Lost::Unreachable),
        (1, _) => Err(Lost::TimedOut),
        (outcome, response) => Ok(Told {
            status: u16::try_from(outcome / 2).unwrap_or(502),
            replayed: outcome % 2 == 1,
            response: response.unchecked_into(),
        }),
    }
}

/// The text of such an answer, which may take as long.
pub async fn told_text(response: &Response, timeout_ms: u32) -> Result<String, Lost> {
    let wait = Wait::begin();
    text_of(wait.id(), response, timeout_ms);
    match wait.await {
        (1, _) => Err(Lost::TimedOut),
        (_, text) => text.as_string().ok_or(Lost::Unreachable),
    }
}

/// A binding of the environment.
pub fn binding(env: &JsValue, name: &str) -> Option<Object> {
    Reflect::get(env, &JsValue::from_str(name)).ok().filter(JsValue::is_object).map(JsCast::unchecked_into)
}

pub fn header(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).ok().flatten()
}

/// Calls a method of a binding that answers with a promise.
pub async fn call(target: &Object, method: &str, argument: &JsValue) -> Result<JsValue, JsValue> {
    let method: Function = Reflect::get(target, &JsValue::from_str(method))?.dyn_into()?;
    let promise: Promise = method.call1(target, argument)?.dyn_into()?;
    settled(&promise).await
}

/// One request of ours: never follows a redirect, ends after `timeout_ms`.
pub async fn fetch(
    method: &str,
    url: &str,
    headers: &Headers,
    body: Option<&JsValue>,
    timeout_ms: u32,
) -> Result<Response, Lost> {
    let init = RequestInit::new();
    init.set_method(method);
    init.set_headers(headers);
    init.set_redirect(web_sys::RequestRedirect::Manual);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(timeout_ms)));
    if let Some(body) = body {
        init.set_body(body);
    }
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    match settled(&global.fetch_with_str_and_init(url, &init)).await {
        Ok(response) => Ok(response.unchecked_into()),
        Err(error) => Err(lost(&error)),
    }
}

fn lost(error: &JsValue) -> Lost {
    let name = Reflect::get(error, &JsValue::from_str("name")).ok().and_then(|name| name.as_string());
    if name.as_deref() == Some("TimeoutError") { Lost::TimedOut } else { Lost::Unreachable }
}

/// The text of a response; what breaks off on the way is lost.
pub async fn read(response: &Response) -> Result<String, Lost> {
    let promise = response.text().map_err(|error| lost(&error))?;
    settled(&promise).await.map_err(|error| lost(&error))?.as_string().ok_or(Lost::Unreachable)
}

pub fn response(body: Option<&str>, head: &Head) -> Response {
    answer(&body.map_or(JsValue::NULL, JsValue::from_str), head.status, head.base.0, &head.own)
}

/// Hands an upstream body through without reading it.
pub fn stream(upstream: &Response, head: &Head) -> Response {
    answer(upstream, head.status, head.base.0, &head.own)
}

pub fn headers() -> Headers {
    // A `Headers` without arguments cannot throw.
    Headers::new().unwrap_or_else(|never| never.unchecked_into())
}

/// The body's bytes, or `None` as soon as it is longer than `max`; a chunked body is not read to its end first.
pub async fn bytes(req: &Request, declared: Option<u32>, max: u32) -> Result<Option<Vec<u8>>, Lost> {
    if declared.is_some_and(|length| length > max) {
        return Ok(None);
    }
    if declared.is_some() {
        let wait = Wait::begin();
        body(wait.id(), req);
        let (outcome, buffer) = wait.await;
        let length = outcome.checked_sub(2).ok_or(Lost::Unreachable)?;
        if length > max {
            return Ok(None);
        }
        let mut bytes = vec![0; length as usize];
        fill(&mut bytes, &buffer);
        return Ok(Some(bytes));
    }
    let Some(stream) = req.body() else { return Ok(Some(Vec::new())) };
    let reader: Object = stream.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let chunk = call(&reader, "read", &JsValue::UNDEFINED).await.map_err(|_| Lost::Unreachable)?;
        let value = Reflect::get(&chunk, &JsValue::from_str("value")).map_err(|_| Lost::Unreachable)?;
        if value.is_undefined() {
            return Ok(Some(bytes));
        }
        let chunk: Uint8Array = value.unchecked_into();
        if bytes.len().saturating_add(chunk.length() as usize) > max as usize {
            let _ = call(&reader, "cancel", &JsValue::UNDEFINED).await;
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk.to_vec());
    }
}

/// Unix milliseconds. One crossing; `worker::Date` would make a JavaScript object for it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds since 1970 fit for 285,000 years"
)]
pub fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

thread_local! {
    /// Random once per isolate; ids count up from it, so that they cost no crossing.
    static IDS: std::cell::Cell<Option<(u64, u64)>> = const { std::cell::Cell::new(None) };
}

/// A version 4 shaped id for tracing; unique, not secret.
pub fn request_id() -> String {
    let (seed, count) =
        IDS.get().unwrap_or_else(|| (js_sys::Math::random().to_bits() ^ now_ms(), js_sys::Math::random().to_bits()));
    IDS.set(Some((seed, count.wrapping_add(1))));
    // SplitMix64: spreads a counter over all bits.
    let mut mixed = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) ^ seed;
    uuid::Builder::from_random_bytes(((u128::from(seed) << 64) | u128::from(mixed)).to_be_bytes())
        .into_uuid()
        .to_string()
}
