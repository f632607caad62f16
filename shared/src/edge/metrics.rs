//! Counters on their way from this isolate to the meter, a Durable Object that adds them up for all isolates. No client waits
//! for it; where no meter is bound, or it fails, the figures are lost and nothing else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::Response;
use worker::{Context, Env};

use super::config::{self, Config};
use super::js;
use super::task::{after, settled};
use crate::contract::Spec;
use crate::cx::World;
use crate::db::Local;
use crate::error::ApiError;
use crate::http::Lost;
use crate::metrics::{AuthKeys, Noted, Plant, Tally, Word};

/// Brought away this long after the first answer that is counted, or as soon as there are so many. Each time costs the meter
/// milliseconds, so a busy isolate goes by the clock.
const EVERY_MS: u64 = 5_000;
const MANY: u64 = 10_000;

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    fn object(namespace: &JsValue, name: &str, body: &JsValue) -> Promise;
}

thread_local! {
    static TALLY: RefCell<Tally> = RefCell::default();
    /// Until then somebody has promised to bring them away. One that was cut off is forgotten after that.
    static PROMISED_MS: Cell<u64> = const { Cell::new(0) };
    static UNBOUND: Cell<bool> = const { Cell::new(false) };
}

/// Counts one answer, and what it has cost so far.
pub fn note(world: &World, status: u16, error: Option<&ApiError>, ended_ms: u64) {
    let code = match error {
        Some(ApiError::Refused(no)) => Some(no.code.as_str()),
        Some(ApiError::Internal(_)) => Some("INTERNAL"),
        None => None,
    };
    let ms = ended_ms.saturating_sub(world.now_ms);
    TALLY.with_borrow_mut(|tally| tally.note(Noted { status, code, ms }));
    spend(world);
}

/// Counts what was spent since the last time; after an answer, too.
pub fn spend(world: &World) {
    let (database, outside) = world.budget.news();
    TALLY.with_borrow_mut(|tally| tally.spend(database, outside));
}

/// Brings the counters away when it is time to.
pub fn flush(env: &Env, ctx: &Context, spec: &Spec) {
    if let Some(work) = due(env, spec.name) {
        after(ctx, work);
    }
}

/// The same for a response that is ready.
pub fn flushed(env: &Env, ctx: &Context, spec: &Spec, response: Response) -> Response {
    flush(env, ctx, spec);
    response
}

/// The work of bringing them away; nothing when somebody else will.
pub fn due(env: &JsValue, function: &'static str) -> Option<Local<'static, ()>> {
    let (now_ms, pending) = (js::now_ms(), TALLY.with_borrow(Tally::pending));
    let wait_ms = if pending >= MANY { 0 } else { EVERY_MS };
    if UNBOUND.get() || pending == 0 || (wait_ms > 0 && now_ms < PROMISED_MS.get()) {
        return None;
    }
    let Some(meter) = js::binding(env, "METER") else {
        UNBOUND.set(true);
        return None;
    };
    PROMISED_MS.set(now_ms.saturating_add(EVERY_MS.saturating_mul(2)));
    Some(Box::pin(async move {
        if wait_ms > 0 {
            worker::Delay::from(Duration::from_millis(wait_ms)).await;
        }
        PROMISED_MS.set(0);
        let counters = TALLY.with_borrow_mut(|tally| (tally.pending() > 0).then(|| tally.take(function)));
        if let Some(counters) = counters {
            let _ = settled(&object(&meter, "all", &JsValue::from_str(&counters))).await;
        }
    }))
}

struct Bound {
    env: Env,
    config: Rc<Config>,
}

/// What an operator's function sees of the platform.
#[must_use]
pub fn plant(env: &Env) -> Rc<dyn Plant> {
    Rc::new(Bound { env: env.clone(), config: config::of(env) })
}

impl Plant for Bound {
    fn totals(&self) -> Option<Local<'_, Result<String, Lost>>> {
        let meter = js::binding(&self.env, "METER")?;
        Some(Box::pin(async move {
            let answer = settled(&object(&meter, "all", &JsValue::UNDEFINED)).await;
            answer.ok().and_then(|text| text.as_string()).ok_or(Lost::Unreachable)
        }))
    }

    fn limiter(&self) -> Local<'_, Word> {
        Box::pin(async move {
            let answered = if let Some(limiter) = js::binding(&self.env, "RATE_LIMIT") {
                let argument = Object::new();
                let _ = Reflect::set(&argument, &"key".into(), &"health".into());
                js::call(&limiter, "limit", &argument).await.is_ok()
            } else if let Some(limits) = js::binding(&self.env, "LIMITS") {
                // Whatever it says: it is there.
                settled(&object(&limits, "health", &JsValue::NULL)).await.is_ok()
            } else {
                return Word::NotConfigured;
            };
            if answered { Word::Ok } else { Word::Down }
        })
    }

    fn auth_keys(&self) -> AuthKeys {
        if !self.config.jwks_url.is_empty() {
            return AuthKeys::Published(self.config.jwks_url.clone());
        }
        let issuer = &self.config.issuer;
        if !issuer.hs256.is_empty() || !issuer.public.is_empty() { AuthKeys::Inline } else { AuthKeys::None }
    }

    fn storage(&self) -> Option<String> {
        let project = self.config.supabase_url.as_str();
        (!project.is_empty()).then(|| [project, "/storage/v1/status"].concat())
    }
}
