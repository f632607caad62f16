//! The objects that count for every function: `Limiter`, one per class and caller, and `Meter`, one for all. They are reached
//! through bindings (`LIMITS`, `METER`); the worker itself has no route and no name at the gateway, and refuses what comes.

mod limiter;
mod meter;

use shared::edge::{self, Request, Response};
use shared::error::NOT_FOUND;
use worker::{Context, Env, event};

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, _ctx: Context) -> Response {
        edge::refuse(&req, &env, &NOT_FOUND)
    }
}
