//! What surrounds one request: its time, its way to Postgres and to providers, its place in a trace.

use std::rc::Rc;

use worker::Env;

use super::config::{self, Config};
use super::host::Network;
use super::limits::Gate;
use super::postgrest::Gateway;
use super::{js, log, metrics};
use crate::budget::Budget;
use crate::contract::{Auth, Spec};
use crate::cx::{Reply, World};
use crate::error::Answer;
use crate::limits::Limits;
use crate::trace::Trace;

/// A function has 10 s (N07), a provider that calls us gets its answer within 3; the clock waits for its batch.
const TIME_MS: u64 = 10_000;
const WEBHOOK_MS: u64 = 3_000;
const CRON_MS: u64 = 120_000;
/// The part of the URL that chooses: `wallet-transfer/preview`.
#[derive(Default)]
pub struct Address {
    pub invoked_as: String,
    pub suffix: Option<String>,
}

/// What a handler has around it.
pub fn world(
    config: &Rc<Config>,
    spec: &Spec,
    limits: Rc<dyn Limits>,
    request_id: String,
    address: Address,
    key: Option<String>,
    trace: Trace,
) -> Rc<World> {
    let now_ms = js::now_ms();
    let time_ms = match spec.auth {
        Auth::User | Auth::Public => TIME_MS,
        Auth::Webhook => WEBHOOK_MS,
        Auth::Cron => CRON_MS,
    };
    let budget = Rc::new(Budget::until(now_ms.saturating_add(time_ms)));
    // Only who traces is traced: the ordinary call carries no header more.
    let traceparent: Option<Rc<str>> = trace.parent.is_some().then(|| trace.header().into());
    Rc::new(World {
        request_id,
        invoked_as: address.invoked_as,
        suffix: address.suffix,
        key,
        now_ms,
        settings: Rc::clone(&config.settings),
        identity: Rc::clone(&config.identity),
        trace,
        rpc_codes: spec.rpc_codes,
        db: Rc::new(Gateway {
            config: Rc::clone(config),
            budget: Rc::clone(&budget),
            traceparent: traceparent.clone(),
        }),
        http: Rc::new(Network {
            budget: Rc::clone(&budget),
            rule: config.breaker,
            always_asks: spec.auth == Auth::Cron,
            traceparent,
        }),
        budget,
        limits,
        pause: super::pause,
        later: std::cell::RefCell::default(),
    })
}

pub fn world_of_schedule(env: &Env, spec: &'static Spec) -> Option<Rc<World>> {
    let config = config::of(env);
    (!config.postgrest_url.is_empty()).then(|| {
        let (id, address) = (js::request_id(), Address { invoked_as: "schedule".to_owned(), suffix: None });
        let trace = Trace::of(None, &id);
        world(&config, spec, Gate::of(env, spec), id, address, None, trace)
    })
}

pub fn note_schedule(world: &World, spec: &Spec, answer: &Answer<Reply>) {
    let error = answer.as_ref().err();
    let status = error.map_or(200, |error| error.problem().status);
    let ended_ms = js::now_ms();
    metrics::note(world, status, error, ended_ms);
    log::write(&log::Line { world, spec, seen: None, status, error, user: None, ended_ms });
}
