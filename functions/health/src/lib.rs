//! `GET or POST /functions/v1/health`: whether the service can do its work. With `?detailed=1` (or `health/detailed`) and the
//! internal key, or an admin's token: each dependency with its latency. `health/metrics`, with the internal key: the figures
//! that Prometheus collects. Never a version of a dependency, a host or a cause: the log has those.

mod checks;
mod prometheus;
pub mod wire;

use std::cell::RefCell;
use std::rc::Rc;

use prometheus::Samples;
use serde::Deserialize;
use serde_json::json;
use shared::edge::{self, Answer, Anyone, Cx, Reply, Request, Response};
use shared::error::BAD_KEY;
use shared::metrics::{Plant, Word};
use shared::wire::Timestamp;
use wire::{Ask, CONTRACT, Report};
use worker::{Context, Env, event};

/// What was found out holds so long (N26): whoever asks often asks us, and not everything behind us.
const KEPT_MS: u64 = 5_000;
/// While somebody looks again, the others are told what he knew.
const LOOKING_MS: u64 = 2_500;

#[derive(Deserialize)]
struct Known {
    staff: bool,
}

/// What the meter tells.
#[derive(Deserialize)]
struct Totals {
    counters: Samples,
}

/// What anybody, and what operators were told last, and until when that holds. One isolate's own.
#[derive(Default)]
struct Kept {
    public: Option<(u64, Report)>,
    detailed: Option<(u64, Report)>,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        let plant = edge::plant(&env);
        edge::serve(req, env, ctx, &CONTRACT, |cx, ask| handle(cx, ask, edge::now_ms, plant)).await
    }
}

async fn handle(cx: Cx<Anyone>, ask: Ask, now_ms: fn() -> u64, plant: Rc<dyn Plant>) -> Answer<Reply> {
    if cx.world.suffix.as_deref() == Some("metrics") {
        return metrics(&cx, &*plant).await;
    }
    let detailed = wants_details(&cx, &ask) && may_see(&cx).await;
    let report = match kept(detailed, cx.world.now_ms) {
        Some(report) => report,
        None => found_out(&cx, detailed, now_ms, &*plant).await,
    };
    Reply::json(if report.success { 200 } else { 503 }, &report)
}

fn wants_details(cx: &Cx<Anyone>, ask: &Ask) -> bool {
    let asked = ask.detailed.as_ref().is_some_and(|v| [json!("1"), json!("true"), json!(1), json!(true)].contains(v));
    asked || cx.world.suffix.as_deref() == Some("detailed")
}

/// Asked for each caller anew: what is kept is what he may see, never that he may.
async fn may_see(cx: &Cx<Anyone>) -> bool {
    let staff = async || cx.rpc_read::<Known>("health", &()).await.is_ok_and(|known| known.staff);
    cx.caller.internal || (cx.caller.user.is_some() && staff().await)
}

fn kept(detailed: bool, now_ms: u64) -> Option<Report> {
    KEPT.with_borrow_mut(|kept| {
        let (until_ms, report) = if detailed { &mut kept.detailed } else { &mut kept.public }.as_mut()?;
        if now_ms < *until_ms {
            return Some(report.clone());
        }
        *until_ms = now_ms.saturating_add(LOOKING_MS);
        None
    })
}

async fn found_out(cx: &Cx<Anyone>, detailed: bool, now_ms: fn() -> u64, plant: &dyn Plant) -> Report {
    let dependencies = if detailed { Some(checks::all(cx, plant, now_ms).await) } else { None };
    let status = match &dependencies {
        Some(found) => found.database.status,
        None => checks::database(cx).await,
    };
    let report = Report {
        success: status == Word::Ok,
        status,
        timestamp: Timestamp(shared::time::rfc3339(cx.world.now_ms)),
        version: env!("CARGO_PKG_VERSION"),
        degraded: dependencies.as_ref().map(checks::degraded),
        dependencies,
    };
    let entry = Some((now_ms().saturating_add(KEPT_MS), report.clone()));
    KEPT.with_borrow_mut(|kept| if detailed { kept.detailed = entry } else { kept.public = entry });
    report
}

async fn metrics(cx: &Cx<Anyone>, plant: &dyn Plant) -> Answer<Reply> {
    if !cx.caller.internal {
        return Err(BAD_KEY.into());
    }
    let totals = match plant.totals() {
        Some(totals) => totals.await.ok().and_then(|text| shared::json::read::<Totals>(&text).ok()),
        None => None,
    };
    let gauges = cx.service::<Samples>("metrics", &()).await.ok();
    let up = |found: bool| u8::from(found).into();
    let mut samples = Samples::from([
        ("cauris_meter_up".to_owned(), up(totals.is_some())),
        ("cauris_database_up".to_owned(), up(gauges.is_some())),
        (concat!("cauris_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}").to_owned(), 1_u8.into()),
    ]);
    samples.extend(totals.map(|totals| totals.counters).into_iter().chain(gauges).flatten());
    let mut reply = Reply::json(200, &())?;
    reply.headers.push(("content-type", prometheus::MEDIA_TYPE.to_owned()));
    reply.body = shared::db::Body::Text(prometheus::text(&samples));
    Ok(reply)
}

#[cfg(test)]
mod tests;
