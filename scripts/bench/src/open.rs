//! Suite `open`: what a caller waits for at a rate that does not depend on how fast he is answered.
//!
//! Ours, a worker that only passes on, and no edge at all, PostgREST with the caller's own token, at the same rates, in turns: what
//! lies between the first and the last is what the edge adds, between the last two what any edge on this runtime would.

pub mod fire;
mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use xtask::keys::Alg;

use crate::case::{Case, Name, Room};
use crate::load::{Feed, Lanes};
use crate::machine::Machine;
use crate::rows::Open;
use crate::stage::Stage;
use crate::stats::{hundredths, median, percentile};
use crate::subject::Subject;
use crate::traffic::Transfers;
use crate::world::{Caller, World};
use crate::{Plan, Settings, Suite, contract};
use fire::{LANES, Shots, fire};
use schedule::{arrivals, rates};

const CASE: Case = Case::TransferHs256;
const NAMES: [Name; 3] = [Name::Cauris, Name::Proxy, Name::Direct];
/// Shares of the saturation.
const PERCENTS: [u32; 3] = [25, 50, 75];
const PAUSE: Duration = Duration::from_millis(200);

/// A subject at one rate, in one round.
struct Turn {
    p50: f64,
    p95: f64,
    p99: f64,
}

struct Entrant<'a> {
    subject: &'a Subject,
    feed: Arc<dyn Feed>,
}

pub async fn run(settings: &Settings, machine: &mut Machine) -> Result<Vec<Open>> {
    let plan = settings.plan(Suite::Open);
    let mut stage = Stage::set(&NAMES, plan.callers, machine).await?;
    let callers: Arc<[Caller]> = stage.world.callers.clone().into();
    let mut entrants = Vec::new();
    for subject in &stage.subjects {
        let door = &subject.doors[&Room::Transfer];
        contract::check(CASE, door, &mut stage.world)
            .await
            .with_context(|| format!("{} fails {CASE}", subject.name))?;
        let feed = Transfers::new(door.clone(), Alg::Hs256, Arc::clone(&callers), LANES.max(settings.connections));
        entrants.push(Entrant { subject, feed: Arc::new(feed) });
    }
    let mut saturations = Vec::new();
    for entrant in &entrants {
        entrant.saturate(settings.connections, plan.warm_up, &mut stage.world).await?;
        let most = entrant.saturate(settings.connections, plan.span, &mut stage.world).await?;
        eprintln!("open: {} answers {most:.0} a second in a closed loop", entrant.subject.name);
        saturations.push(most);
    }
    stage.world.tidy().await?;
    let rows = rounds(&plan, settings.seed, &rates(&saturations, &PERCENTS), &entrants, &mut stage.world).await?;
    stage.clear().await?;
    Ok(rows)
}

/// All have the same arrivals in a round, one after the other; who begins changes.
async fn rounds(
    plan: &Plan,
    seed: u64,
    rates: &[(u32, f64)],
    entrants: &[Entrant<'_>],
    world: &mut World,
) -> Result<Vec<Open>> {
    eprintln!("open: Poisson arrivals from --seed {seed}");
    let mut turns: BTreeMap<(u32, Name), Vec<Turn>> = BTreeMap::new();
    for (number, seed) in (seed..).take(plan.rounds).enumerate() {
        for (percent, rate) in rates {
            let mut order: Vec<&Entrant> = entrants.iter().collect();
            if number % 2 == 1 {
                order.reverse();
            }
            for entrant in order {
                let name = entrant.subject.name;
                let door = &entrant.subject.doors[&Room::Transfer];
                let shots = fire(door.addr, &entrant.feed, arrivals(*rate, plan.span, seed)).await;
                let shots = shots.with_context(|| format!("{name} at {percent} %"))?;
                world.answered(shots.latencies.len())?;
                let turn = turn(&shots);
                eprintln!(
                    "round {} of {}: {percent} % {name} p99 {:.1} ms over {} connections, sent {:.2} ms late",
                    number + 1,
                    plan.rounds,
                    turn.p99,
                    shots.lanes,
                    shots.late.as_secs_f64() * 1e3,
                );
                turns.entry((*percent, name)).or_default().push(turn);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    let rate_of = |percent: u32| rates.iter().find(|(other, _)| *other == percent).map_or(0.0, |(_, rate)| *rate);
    Ok(turns.iter().map(|((percent, name), turns)| row(*name, *percent, rate_of(*percent), turns)).collect())
}

impl Entrant<'_> {
    /// How many a second are answered when everybody sends again at once.
    async fn saturate(&self, connections: usize, span: Duration, world: &mut World) -> Result<f64> {
        let lanes = Lanes::open(self.subject.doors[&Room::Transfer].addr, connections).await?;
        let round =
            lanes.fire(&self.feed, span).await.with_context(|| format!("{} in a closed loop", self.subject.name))?;
        world.answered(round.done())?;
        tokio::time::sleep(PAUSE).await;
        #[expect(clippy::cast_precision_loss, reason = "a turn has thousands of requests, not 2^53")]
        Ok(round.done() as f64 / round.elapsed.as_secs_f64())
    }
}

fn turn(shots: &Shots) -> Turn {
    let milliseconds = |percent| percentile(&shots.latencies, percent).as_secs_f64() * 1e3;
    Turn { p50: milliseconds(50), p95: milliseconds(95), p99: milliseconds(99) }
}

fn row(name: Name, load_percent: u32, rps: f64, turns: &[Turn]) -> Open {
    let middle = |figure: fn(&Turn) -> f64| hundredths(median(turns.iter().map(figure)));
    Open {
        suite: "open",
        case: CASE.to_string(),
        subject: name.to_string(),
        load_percent,
        rps: rps.round(),
        p50_ms: middle(|turn| turn.p50),
        p95_ms: middle(|turn| turn.p95),
        p99_ms: middle(|turn| turn.p99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_median_of_each_percentile_over_the_rounds() {
        let of = |slow: u64| {
            let latencies = (1..=100).map(|n| Duration::from_millis(n + slow)).collect();
            turn(&Shots { latencies, late: Duration::ZERO, lanes: 16 })
        };
        let row = row(Name::Direct, 50, 212.4, &[of(0), of(900), of(10)]);
        assert_eq!(
            (row.case.as_str(), row.subject.as_str(), row.load_percent),
            ("wallet-transfer/hs256", "direct", 50)
        );
        for (figure, expected) in
            [row.rps, row.p50_ms, row.p95_ms, row.p99_ms].into_iter().zip([212.0, 60.0, 105.0, 109.0])
        {
            assert!((figure - expected).abs() < 1e-9, "{row:?}");
        }
    }
}
