//! Suite `edge`: everyone does the same work on the same stack, in turns.
//!
//! Turns, because a machine's mood changes over minutes: a neighbour, a clock rate, a growing table. Round by round
//! every subject has its turn, every second round backwards, and the median over the rounds is the figure. Two subjects are
//! compared round by round, so that what a round was like for both is in no ratio.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xtask::stack::Pids;

use crate::case::{Case, Door, Name, Room};
use crate::cpu;
use crate::load::{Feed, Lanes, Round};
use crate::machine::Machine;
use crate::rows::Edge;
use crate::stage::Stage;
use crate::stats::{about_median, hundredths, median, percentile, spread, tenths, thousandths};
use crate::subject::Subject;
use crate::traffic::{Hello, Transfers};
use crate::world::{Caller, World};
use crate::{Settings, Suite, contract};

/// What the last turn left to do, such as flushing, is over before the next one is measured.
const PAUSE: Duration = Duration::from_millis(200);

/// One subject's turn.
struct Turn {
    edge: f64,
    gateway: f64,
    postgres: f64,
    rps: f64,
    p50: f64,
    p95: f64,
    p99: f64,
}

/// In the order of the rounds.
type Turns = BTreeMap<(Case, Name), Vec<Turn>>;

pub async fn run(settings: &Settings, machine: &mut Machine) -> Result<Vec<Edge>> {
    ensure!(cfg!(target_os = "linux"), "suite edge reads CPU time from /proc, which only Linux has");
    let mut stage = Stage::set(&settings.subjects, settings.plan(Suite::Edge).callers, machine).await?;
    let ours = settings.subjects.contains(&Name::Cauris);
    if ours && settings.cases.iter().any(|case| case.alg().is_some()) {
        let limited = stage.bench().start_limited().await?;
        let checked = contract::is_limited(&limited.doors[&Room::Transfer], &mut stage.world).await;
        limited.end().await;
        checked.context("cauris asks no rate limiter")?;
    }
    let rows = measure(settings, &stage.subjects, &stage.pids, &mut stage.world).await?;
    ensure!(!ours || stage.is_metered().await, "cauris counts nothing: no meter was written to");
    stage.clear().await?;
    Ok(rows)
}

/// Cases of one room share their rounds, so that what differs between them is not the hour.
async fn measure(settings: &Settings, subjects: &[Subject], pids: &Pids, world: &mut World) -> Result<Vec<Edge>> {
    let callers: Arc<[Caller]> = world.callers.clone().into();
    let mut rows = Vec::new();
    for room in Room::ALL {
        let mut entrants = Vec::new();
        for case in settings.cases.iter().filter(|case| case.room() == room) {
            for subject in subjects {
                let Some(door) = subject.doors.get(&room) else { continue };
                contract::check(*case, door, world).await.with_context(|| format!("{} fails {case}", subject.name))?;
                let feed = feed(*case, door, &callers, settings);
                entrants.push(Entrant { case: *case, settings, subject, door, feed, pids });
            }
            eprintln!("{case}: the contract is held by all");
        }
        rows.extend(rounds(settings, &entrants, world).await?);
    }
    Ok(rows)
}

fn feed(case: Case, door: &Door, callers: &Arc<[Caller]>, settings: &Settings) -> Arc<dyn Feed> {
    match case.alg() {
        Some(alg) => Arc::new(Transfers::new(door.clone(), alg, Arc::clone(callers), settings.connections)),
        None => Arc::new(Hello { door: door.clone() }),
    }
}

async fn rounds(settings: &Settings, entrants: &[Entrant<'_>], world: &mut World) -> Result<Vec<Edge>> {
    let mut turns = Turns::new();
    for entrant in entrants {
        eprintln!("{}: warming up {}", entrant.case, entrant.subject.name);
        entrant.fire(settings.plan(Suite::Edge).warm_up, world).await?;
    }
    world.tidy().await?;
    for round in 0..settings.plan(Suite::Edge).rounds {
        let mut order: Vec<&Entrant> = entrants.iter().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for entrant in order {
            let turn = entrant.fire(settings.plan(Suite::Edge).span, world).await?;
            let (case, name) = entrant.key();
            eprintln!(
                "round {} of {}: {case} {name} {:.0} µs",
                round + 1,
                settings.plan(Suite::Edge).rounds,
                turn.edge
            );
            turns.entry((case, name)).or_default().push(turn);
        }
    }
    Ok(entrants.iter().filter_map(|entrant| row(entrant, &turns)).collect())
}

/// A subject at the door of one case.
struct Entrant<'a> {
    case: Case,
    settings: &'a Settings,
    subject: &'a Subject,
    door: &'a Door,
    feed: Arc<dyn Feed>,
    pids: &'a Pids,
}

impl Entrant<'_> {
    fn key(&self) -> (Case, Name) {
        (self.case, self.subject.name)
    }

    /// Runs one turn; connections are opened before the clocks are read.
    async fn fire(&self, span: Duration, world: &mut World) -> Result<Turn> {
        let lanes = Lanes::open(self.door.addr, self.settings.connections).await?;
        let before = self.cpu()?;
        let round =
            lanes.fire(&self.feed, span).await.with_context(|| format!("{} in {}", self.subject.name, self.case))?;
        let after = self.cpu()?;
        if self.case.alg().is_some() {
            world.answered(round.done())?;
        }
        tokio::time::sleep(PAUSE).await;
        Ok(turn(&round, before, after))
    }

    /// Of the subject, the gateway and Postgres; no edge uses nothing.
    fn cpu(&self) -> Result<[Duration; 3]> {
        let edge = self.subject.pid().map_or(Ok(Duration::ZERO), cpu::used)?;
        Ok([edge, cpu::used(self.pids.rest)?, cpu::used(self.pids.postgres)?])
    }
}

#[expect(clippy::cast_precision_loss, reason = "a turn has thousands of requests, not 2^53")]
fn turn(round: &Round, before: [Duration; 3], after: [Duration; 3]) -> Turn {
    let done = round.done() as f64;
    let per_request = |part: usize| after[part].saturating_sub(before[part]).as_secs_f64() * 1e6 / done;
    let milliseconds = |percent| percentile(&round.latencies, percent).as_secs_f64() * 1e3;
    Turn {
        edge: per_request(0),
        gateway: per_request(1),
        postgres: per_request(2),
        rps: done / round.elapsed.as_secs_f64(),
        p50: milliseconds(50),
        p95: milliseconds(95),
        p99: milliseconds(99),
    }
}

/// A subject's rounds beside those of everybody who does the same.
fn beside(case: Case, own: &[Turn], turns: &Turns) -> BTreeMap<String, f64> {
    let mut beside = BTreeMap::new();
    for ((_, name), others) in turns.iter().filter(|((of, _), _)| *of == case) {
        let mut compare = |key: String, figure: fn(&Turn) -> f64| {
            let ratios = own.iter().zip(others).map(|(own, other)| figure(own) / figure(other));
            let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite() && *ratio > 0.0).collect();
            if !ratios.is_empty() {
                let (low, high) = about_median(ratios.iter().copied());
                beside.insert(format!("{key}_low"), hundredths(low));
                beside.insert(format!("{key}_high"), hundredths(high));
                beside.insert(key, thousandths(median(ratios)));
            }
        };
        match name {
            Name::Direct => compare("rps_over_direct".to_owned(), |turn| turn.rps),
            name => compare(format!("over_{name}"), |turn| turn.edge),
        }
    }
    beside
}

fn row(entrant: &Entrant, all: &Turns) -> Option<Edge> {
    let turns = all.get(&entrant.key())?;
    let middle = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
    Some(Edge {
        suite: "edge",
        case: entrant.case.to_string(),
        subject: entrant.subject.name.to_string(),
        cpu_us: tenths(middle(|turn| turn.edge)),
        gateway_cpu_us: tenths(middle(|turn| turn.gateway)),
        pg_cpu_us: tenths(middle(|turn| turn.postgres)),
        rps: middle(|turn| turn.rps).round(),
        p50_ms: hundredths(middle(|turn| turn.p50)),
        p95_ms: hundredths(middle(|turn| turn.p95)),
        p99_ms: hundredths(middle(|turn| turn.p99)),
        runs: turns.len(),
        spread: hundredths(spread(turns.iter().map(|turn| turn.edge))),
        beside: beside(entrant.case, turns, all),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_divides_what_each_process_used_by_what_was_answered() {
        let latencies = (1..=1000).map(|n| Duration::from_micros(n * 10)).collect();
        let round = Round { elapsed: Duration::from_secs(2), latencies };
        let millis = |values: [u64; 3]| values.map(Duration::from_millis);
        let turn = turn(&round, millis([10, 20, 30]), millis([160, 220, 330]));
        let figures = [turn.edge, turn.gateway, turn.postgres, turn.rps, turn.p50, turn.p95, turn.p99];
        for (figure, expected) in figures.into_iter().zip([150.0, 200.0, 300.0, 500.0, 5.0, 9.5, 9.9]) {
            assert!((figure - expected).abs() < 1e-6, "{figures:?}");
        }
    }

    #[test]
    fn two_subjects_are_compared_in_each_round_and_not_over_the_hour() {
        let turn = |edge, rps| Turn { edge, gateway: 0.0, postgres: 0.0, rps, p50: 0.0, p95: 0.0, p99: 0.0 };
        // The machine halves its pace for a round: the medians, 200 and 100, would say 2.
        let turns = Turns::from([
            ((Case::Hop, Name::Cauris), vec![turn(120.0, 80.0), turn(240.0, 40.0), turn(200.0, 90.0)]),
            ((Case::Hop, Name::Js), vec![turn(100.0, 100.0), turn(200.0, 50.0), turn(100.0, 100.0)]),
            ((Case::Hop, Name::Direct), vec![turn(0.0, 100.0), turn(0.0, 50.0), turn(0.0, 180.0)]),
            ((Case::Hello, Name::Hono), vec![turn(1.0, 1.0)]),
        ]);
        let beside = beside(Case::Hop, &turns[&(Case::Hop, Name::Cauris)], &turns);
        let expected = [
            ("over_cauris", 1.0),
            ("over_cauris_high", 1.0),
            ("over_cauris_low", 1.0),
            ("over_js", 1.2),
            ("over_js_high", 2.0),
            ("over_js_low", 1.2),
            ("rps_over_direct", 0.8),
            ("rps_over_direct_high", 0.8),
            ("rps_over_direct_low", 0.5),
        ];
        assert_eq!(beside, expected.map(|(key, ratio)| (key.to_owned(), ratio)).into());
    }
}
