//! One question to each part that we depend on, all at once, each with two seconds (N26).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use serde::Deserialize;
use serde_json::Value;
use shared::db::Local;
use shared::edge::{Anyone, Cx};
use shared::http::Outgoing;
use shared::metrics::{AuthKeys, Plant, Word};
use shared::payments::moneroo::Moneroo;

use crate::wire::{Dependencies, State};

const CHECK_MS: u32 = 2_000;

#[derive(Deserialize)]
struct Queue {
    mail: Word,
}

/// Whether the database answers anybody at all; no caller's token, or a stale one would speak for everybody.
pub async fn database(cx: &Cx<Anyone>) -> Word {
    cx.world.budget.shorten_until(cx.world.now_ms.saturating_add(CHECK_MS.into()));
    let nobody = Cx { caller: Anyone::default(), world: cx.world.clone() };
    if nobody.rpc_read::<Value>("health", &()).await.is_ok() { Word::Ok } else { Word::Down }
}

pub async fn all(cx: &Cx<Anyone>, plant: &dyn Plant, now_ms: fn() -> u64) -> Dependencies {
    let mut mail = Word::Down;
    let queue = async {
        match cx.service::<Queue>("queue_state", &()).await {
            Ok(queue) => {
                mail = queue.mail;
                Word::Ok
            }
            Err(_) => Word::Down,
        }
    };
    let states = together(vec![
        timed(Box::pin(database(cx)), now_ms),
        timed(Box::pin(auth_keys(cx, plant)), now_ms),
        timed(plant.limiter(), now_ms),
        timed(Box::pin(storage(cx, plant)), now_ms),
        timed(Box::pin(queue), now_ms),
        timed(Box::pin(payment_provider(cx)), now_ms),
    ])
    .await;
    let [database, auth_keys, limiter, storage, queue, payment_provider] = states;
    let mail = State { status: mail, latency_ms: queue.latency_ms };
    Dependencies { database, auth_keys, limiter, storage, queue, payment_provider, mail }
}

fn timed<'a>(check: Local<'a, Word>, now_ms: fn() -> u64) -> Local<'a, State> {
    let began_ms = now_ms();
    Box::pin(async move { State { status: check.await, latency_ms: now_ms().saturating_sub(began_ms) } })
}

/// Something is down that wallets and rides can do without.
pub fn degraded(found: &Dependencies) -> bool {
    let rest = [found.auth_keys, found.limiter, found.storage, found.queue, found.payment_provider, found.mail];
    rest.iter().any(|state| state.status == Word::Down)
}

/// Waits for all of them at once.
async fn together<const N: usize>(mut checks: Vec<Local<'_, State>>) -> [State; N] {
    let mut states = [None; N];
    poll_fn(|context| {
        for (check, state) in checks.iter_mut().zip(&mut states) {
            if state.is_none()
                && let Poll::Ready(ready) = Pin::new(check).poll(context)
            {
                *state = Some(ready);
            }
        }
        if states.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    states.map(|state| state.unwrap_or(State { status: Word::Down, latency_ms: 0 }))
}

async fn auth_keys(cx: &Cx<Anyone>, plant: &dyn Plant) -> Word {
    match plant.auth_keys() {
        AuthKeys::None => Word::NotConfigured,
        AuthKeys::Inline => Word::Ok,
        AuthKeys::Published(url) => reachable(cx, get(url)).await,
    }
}

async fn storage(cx: &Cx<Anyone>, plant: &dyn Plant) -> Word {
    match plant.storage() {
        None => Word::NotConfigured,
        Some(url) => reachable(cx, get(url)).await,
    }
}

async fn payment_provider(cx: &Cx<Anyone>) -> Word {
    let Some(moneroo) = Moneroo::configured(&cx.world.settings) else { return Word::NotConfigured };
    reachable(cx, moneroo.methods()).await
}

fn get(url: String) -> Outgoing {
    Outgoing { method: "GET", url, headers: Vec::new(), body: None, timeout_ms: CHECK_MS }
}

async fn reachable(cx: &Cx<Anyone>, mut question: Outgoing) -> Word {
    question.timeout_ms = CHECK_MS;
    match cx.world.http.send(question).await {
        Ok(answer) if answer.status == 200 => Word::Ok,
        _ => Word::Down,
    }
}
