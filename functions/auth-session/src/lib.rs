//! The identity service: GoTrue's protocol under `/auth/v1`, as supabase-js speaks it, and `auth-tokens` beside it.
//! Who may come in is decided in Postgres (migrations/20261121097100_identity.sql and after); here passwords are hashed,
//! tokens signed, and answers written as each protocol wants them.

mod admin;
mod admin_keys;
mod area;
mod email;
mod gotrue;
mod jwt;
mod keys;
mod links;
mod password;
mod recovery;
mod redirect;
mod router;
mod said;
mod sign_up;
mod token;
mod user;
mod visit;
mod well_known;
pub mod wire;

use std::rc::Rc;

use shared::edge::{self, Anyone, Contract, Limit, Request, Response, WebCrypto};
use worker::{Context, Env, event};

use visit::Visit;

const CONTRACT: Contract<Anyone> = wire::CONTRACT.open(gotrue::tells).limit(Limit::Auth);

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        let keys = env.clone();
        let believed = move |token: String| -> visit::Believed {
            let env = keys.clone();
            Box::pin(async move { edge::verified(&env, &token).await })
        };
        let answer = edge::serve_open(req, env, ctx, &CONTRACT, |cx, seen, body| {
            router::handle(Visit::new(cx, seen, body, Rc::new(WebCrypto), Rc::new(believed)))
        });
        answer.await
    }
}

#[cfg(test)]
mod tests;
