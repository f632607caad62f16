//! The only code that knows Workers. One pipeline for every function: request id, preflight, method, size, credentials,
//! rate, JSON, handler, answer, one log line. Raw `web_sys` types: each crossing into JavaScript is paid per request.

mod cache;
mod config;
mod cors;
mod crypto;
mod door;
mod few;
mod forward;
mod host;
mod js;
mod limits;
mod log;
mod mask;
mod metrics;
mod overload;
mod postgrest;
mod query;
mod surroundings;
mod tables;
mod task;
mod tokens;

use std::future::Future;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use worker::{Context, Env};

pub use web_sys::{Request, Response};

pub use crate::auth::{Verified, bearer};
pub use crate::contract::{Anyone, Clock, Contract, Limit, Provider, User};
pub use crate::cx::{Cx, Reply, Seen};
pub use crate::error::{Answer, ApiError, Refusal};
pub use cache::cache;
pub use crypto::WebCrypto;
pub use forward::{Service, docs, docs_are_at, forward, project, refuse, rest};
pub use js::now_ms;
pub use metrics::plant;
pub use tables::list;
#[doc(hidden)]
pub use task::run;

use crate::contract::Auth;
use crate::json;
use crate::payments::receive::KEPT_HEADERS;
use crate::payments::{Notice, SIGNATURE_HEADERS};
use door::{Door, Entered};

/// Which callers a handler may be given; sealed by the private argument.
pub trait Caller: Sized {
    /// How tokens are verified, for callers who may have one. The others link none of it.
    #[doc(hidden)]
    const VERIFY: Option<tokens::Verify>;
    #[doc(hidden)]
    fn admitted(entered: &Entered) -> Option<Self>;
}

impl Caller for User {
    const VERIFY: Option<tokens::Verify> = Some(tokens::verify_boxed);

    fn admitted(entered: &Entered) -> Option<Self> {
        entered.user.clone()
    }
}

impl Caller for Anyone {
    const VERIFY: Option<tokens::Verify> = Some(tokens::verify_boxed);

    fn admitted(entered: &Entered) -> Option<Self> {
        Some(Self { internal: entered.internal, user: entered.user.clone() })
    }
}

impl Caller for Clock {
    const VERIFY: Option<tokens::Verify> = None;

    fn admitted(entered: &Entered) -> Option<Self> {
        (entered.spec.auth == Auth::Cron).then_some(Self)
    }
}

/// Serves one request: JSON in, JSON out. Never returns an error to the platform, and never panics.
pub async fn serve<W, A, F>(
    req: Request,
    env: Env,
    ctx: Context,
    contract: &'static Contract<W>,
    handle: impl FnOnce(Cx<W>, A) -> F,
) -> Response
where
    W: Caller,
    A: DeserializeOwned,
    F: Future<Output = Answer<Reply>>,
{
    let entered = match Door::new(req, &env, &contract.spec, W::VERIFY).enter().await {
        Ok(entered) => entered,
        Err(response) => return metrics::flushed(&env, &ctx, &contract.spec, response),
    };
    let answer = match (W::admitted(&entered), json::parse::<A>(&entered.body)) {
        (Some(caller), Ok(ask)) => handle(Cx { caller, world: entered.world.clone() }, ask).await,
        (None, _) => Err(ApiError::internal("the contract and the caller disagree")),
        (_, Err(error)) => Err(error),
    };
    entered.leave(&env, &ctx, answer)
}

/// Serves a provider: the handler gets the notice as it arrived and checks its proof itself, before it reads it.
pub async fn serve_webhook<F>(
    req: Request,
    env: Env,
    ctx: Context,
    contract: &'static Contract<Provider>,
    handle: impl FnOnce(Cx<Provider>, Notice) -> F,
) -> Response
where
    F: Future<Output = Answer<Reply>>,
{
    let sent = req.headers();
    let names = SIGNATURE_HEADERS.iter().chain(&KEPT_HEADERS);
    let headers = names.filter_map(|name| Some((*name, js::header(&sent, name)?))).collect();
    let door = Door::new(req, &env, &contract.spec, None);
    let (get, provider, token) = (door.is_get(), door.query("provider"), door.query("t"));
    let entered = match door.enter().await {
        Ok(entered) => entered,
        Err(response) => return metrics::flushed(&env, &ctx, &contract.spec, response),
    };
    let now_s = i64::try_from(entered.world.now_ms / 1000).unwrap_or(i64::MAX);
    let notice = Notice { get, provider, body: entered.body.clone(), headers, token, now_s };
    let answer = handle(Cx { caller: Provider, world: entered.world.clone() }, notice).await;
    entered.leave(&env, &ctx, answer)
}

/// Serves another protocol than ours ([`Contract::open`]): the handler sees the request as it arrived, and its body.
pub async fn serve_open<F>(
    req: Request,
    env: Env,
    ctx: Context,
    contract: &'static Contract<Anyone>,
    handle: impl FnOnce(Cx<Anyone>, Rc<Seen>, Vec<u8>) -> F,
) -> Response
where
    F: Future<Output = Answer<Reply>>,
{
    let entered = match Door::new(req, &env, &contract.spec, None).enter().await {
        Ok(entered) => entered,
        Err(response) => return metrics::flushed(&env, &ctx, &contract.spec, response),
    };
    let caller = Anyone { internal: entered.internal, user: None };
    let cx = Cx { caller, world: entered.world.clone() };
    let answer = handle(cx, Rc::clone(&entered.seen), entered.body.clone()).await;
    entered.leave(&env, &ctx, answer)
}

/// Runs a cron function for the platform's schedule. Its answer is only logged: nobody is listening.
pub async fn tick<F>(
    env: Env,
    ctx: worker::ScheduleContext,
    contract: &'static Contract<Clock>,
    handle: impl FnOnce(Cx<Clock>) -> F,
) where
    F: Future<Output = Answer<Reply>>,
{
    let Some(world) = surroundings::world_of_schedule(&env, &contract.spec) else { return };
    let cx = Cx { caller: Clock, world };
    let answer = handle(cx.clone()).await;
    surroundings::note_schedule(&cx.world, &contract.spec, &answer);
    for work in std::mem::take(&mut *cx.world.later.borrow_mut()) {
        ctx.wait_until(work);
    }
    if let Some(work) = metrics::due(&env, contract.spec.name) {
        ctx.wait_until(work);
    }
}

/// The caller whom `token` names; `None` when it does not hold. For a function that reads credentials itself.
pub async fn verified(env: &Env, token: &str) -> Option<Verified> {
    tokens::verify(token, &config::of(env), now_ms()).await.ok()
}

/// Work with code of its own. WebAssembly is compiled function by function when each first runs, and what is awaited in place is
/// part of the function that awaits it: so the first caller would wait for ways that he does not go.
pub fn apart<'a, T>(work: impl Future<Output = T> + 'a) -> crate::db::Local<'a, T> {
    Box::pin(work)
}

/// Waits before attempt `attempt` of a call, a little longer each time and never for the same time as others.
fn pause(attempt: u32) -> crate::db::Local<'static, ()> {
    let wait_ms = crate::resilience::wait_ms(attempt, js_sys::Math::random());
    Box::pin(async move { worker::Delay::from(std::time::Duration::from_millis(wait_ms.into())).await })
}

/// Chains the panic hooks: worker's own, which makes the runtime start a clean instance, then the readable message.
pub fn start() {
    let own = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        own(info);
        console_error_panic_hook::hook(info);
    }));
}

/// The way in from the platform, as `#[worker::event(fetch)]` makes it, without a promise where nothing is waited for.
#[macro_export]
macro_rules! fetch {
    (async fn fetch($req:ident: Request, $env:ident: Env, $ctx:ident: Context) -> Response $work:block) => {
        mod _fetch {
            use super::*;
            use ::worker::wasm_bindgen::prelude::wasm_bindgen;

            #[wasm_bindgen(wasm_bindgen = ::worker::wasm_bindgen)]
            pub fn fetch(
                $req: Request,
                $env: Env,
                ctx: ::worker::worker_sys::Context,
            ) -> ::worker::wasm_bindgen::JsValue {
                let $ctx = Context::new(ctx);
                edge::run(::std::boxed::Box::pin(async move {
                    let response: Response = $work;
                    response.into()
                }))
            }
        }
    };
}
