//! Suite `soak`: very many ordinary calls through the gateway on a bare workerd. None may end in a 5xx, and memory may not
//! grow with them. Takes half an hour, so it runs only when it is named.

pub mod memory;
mod mix;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use xtask::build::{self, Profile};
use xtask::house;
use xtask::stack::{Options, Runtime, Stack};

use crate::cpu;
use crate::load::Lane;
use crate::machine::Machine;
use crate::rows::Soak;
use crate::stats::{hundredths, tenths};
use crate::world::World;
use crate::{Settings, Suite};
use memory::{Sample, Slope, slope};
use mix::{Call, Mix, ROUND, WARM_UP};

/// With fewer, heaps are still settling: the slope is reported, and fails nobody.
const ENOUGH: usize = 500_000;
/// Readings of memory in a run.
const SAMPLES: usize = 100;
/// A lane that is refused so often has nobody to talk to.
const MOST_BROKEN: usize = 100;

pub async fn run(settings: &Settings, machine: &mut Machine) -> Result<Soak> {
    ensure!(cfg!(target_os = "linux"), "suite soak reads memory from /proc, which only Linux has");
    build_ours().await?;
    // Open to all, because Postgres refuses to be root and has to reach it.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let dir = tempfile::Builder::new().prefix("cauris-soak-").permissions(open).tempdir()?;
    let stack = Stack::start(options(dir.path())).await?;
    let mut world = World::set_up(&stack.db_url, settings.plan(Suite::Soak).callers).await?;
    machine.postgres = Some(world.version().await?);
    let addr: SocketAddr = stack.api_url.trim_start_matches("http://").parse().context("the gateway has an address")?;
    let mix = Arc::new(Mix::new(addr, world.callers.clone().into(), settings.connections));
    let pids = stack.pids().functions;
    let warm_up = (settings.requests / 5).max(1_000);
    eprintln!("soak: {warm_up} requests to warm up, then {}", settings.requests);
    let load = Load { mix, pids: pids.clone(), lanes: settings.connections };
    let warm = load.send(&WARM_UP, warm_up, Tally::default()).await?;
    let (cpu_before, started) = (cpu(&pids)?, Instant::now());
    let tally = load.send(&ROUND, settings.requests, warm.next()).await?;
    let (used, elapsed) = (cpu(&pids)?.saturating_sub(cpu_before), started.elapsed());
    world.answered(tally.transfers())?;
    let row = row(settings, &tally, used, elapsed)?;
    eprint!("{}", tally.describe());
    tally.judge()?;
    world.check().await.context("after the run")?;
    stack.stop().await;
    let grows = !row.is_zero && settings.requests >= ENOUGH;
    ensure!(!grows, "memory grows by {} MiB for 100,000 requests", row.mib_per_100k);
    Ok(row)
}

/// What is measured is what ships; the other functions only have to be there.
async fn build_ours() -> Result<()> {
    let built = |function: &house::Function| function.build_dir().join("index.js").is_file();
    let absent: Vec<_> = house::functions()?.into_iter().filter(|function| !built(function)).collect();
    if !absent.is_empty() {
        let names: Vec<_> = absent.into_iter().map(|function| function.name).collect();
        build::build(&names, Profile::Fast).await?;
    }
    build::build(&mix::FUNCTIONS.map(String::from), Profile::Release).await
}

fn options(dir: &Path) -> Options {
    let extra_vars = BTreeMap::from([("LOG".into(), "off".into())]);
    Options { runtime: Runtime::Workerd, extra_vars, ..Options::ephemeral(dir.join("stack")) }
}

fn cpu(pids: &[u32]) -> Result<Duration> {
    ensure!(!pids.is_empty(), "workerd has ended");
    pids.iter().map(|pid| cpu::used(*pid)).sum()
}

/// What was answered, by the kind of call and its status; 0 is a connection that broke.
#[derive(Default)]
struct Tally {
    answers: BTreeMap<(Call, u16), usize>,
    /// The first answer of each kind that should not have been, and what it said.
    wrong: BTreeMap<(Call, u16), String>,
    samples: Vec<Sample>,
}

impl Tally {
    /// Goes on counting, with readings of its own: what warms up is answered, but not measured.
    fn next(self) -> Self {
        Self { samples: Vec::new(), ..self }
    }

    fn note(&mut self, call: Call, status: u16, body: &[u8]) {
        *self.answers.entry((call, status)).or_default() += 1;
        if status != call.expected() {
            self.wrong.entry((call, status)).or_insert_with(|| String::from_utf8_lossy(body).into_owned());
        }
    }

    fn transfers(&self) -> usize {
        self.answers.get(&(Call::Transfer, 200)).copied().unwrap_or_default()
    }

    fn count(&self, which: impl Fn(u16) -> bool) -> usize {
        self.answers.iter().filter(|((_, status), _)| which(*status)).map(|(_, count)| count).sum()
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for ((call, status), count) in &self.answers {
            let _ = writeln!(text, "  {:<14} {status:>3} {count:>9}", call.name());
        }
        text
    }

    /// Every answer is the one that its call deserves; a 5xx never is.
    fn judge(&self) -> Result<()> {
        let Some(((call, status), body)) = self.wrong.iter().next_back() else { return Ok(()) };
        let wrong: usize = self.wrong.keys().filter_map(|key| self.answers.get(key)).sum();
        bail!("{wrong} answers are wrong, such as {status} for {}: {body}", call.name())
    }
}

/// Who calls whom.
struct Load {
    mix: Arc<Mix>,
    pids: Vec<u32>,
    lanes: usize,
}

impl Load {
    /// Sends `count` calls over all lanes, a round of them again and again, and reads the memory while they are answered.
    async fn send(&self, round: &'static [Call], count: usize, tally: Tally) -> Result<Tally> {
        let run = Arc::new(Run {
            mix: Arc::clone(&self.mix),
            round,
            pids: self.pids.clone(),
            count,
            begun: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            broken: AtomicUsize::new(0),
            tally: Mutex::new(tally),
        });
        let lanes: Vec<_> = (0..self.lanes).map(|lane| tokio::spawn(drive(Arc::clone(&run), lane))).collect();
        for lane in lanes {
            lane.await??;
        }
        let tally = std::mem::take(&mut *run.tally.lock().expect("no lane panics"));
        Ok(tally)
    }
}

struct Run {
    mix: Arc<Mix>,
    round: &'static [Call],
    pids: Vec<u32>,
    count: usize,
    begun: AtomicUsize,
    done: AtomicUsize,
    broken: AtomicUsize,
    tally: Mutex<Tally>,
}

async fn drive(run: Arc<Run>, number: usize) -> Result<()> {
    let mut lane = Lane::open(run.mix.addr()).await?;
    while run.begun.fetch_add(1, Ordering::Relaxed) < run.count {
        let (call, request) = run.mix.next(number, run.round)?;
        match lane.send(request).await {
            Ok(reply) => run.answered(call, reply.status.as_u16(), &reply.body)?,
            Err(error) => {
                run.answered(call, 0, format!("{error:#}").as_bytes())?;
                let broken = run.broken.fetch_add(1, Ordering::Relaxed);
                ensure!(broken < MOST_BROKEN, "{MOST_BROKEN} connections broke: {error:#}");
                lane = Lane::open(run.mix.addr()).await?;
            }
        }
    }
    Ok(())
}

impl Run {
    fn answered(&self, call: Call, status: u16, body: &[u8]) -> Result<()> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let mut tally = self.tally.lock().expect("no lane panics");
        tally.note(call, status, body);
        if done.is_multiple_of((self.count / SAMPLES).max(1)) {
            let sample = Sample { requests: done, bytes: memory::resident(&self.pids)? };
            if done.is_multiple_of((self.count / 10).max(1)) {
                eprintln!("soak: {done} of {}, {} MiB", self.count, sample.bytes >> 20);
            }
            tally.samples.push(sample);
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run has millions of requests, not 2^53")]
fn row(settings: &Settings, tally: &Tally, used: Duration, elapsed: Duration) -> Result<Soak> {
    let Slope { mib, low, high } = slope(&tally.samples).context("too few readings of memory for a slope")?;
    let mib_at = |sample: Option<&Sample>| sample.map_or(0, |sample| sample.bytes >> 20);
    let requests = settings.requests as f64;
    Ok(Soak {
        suite: "soak",
        case: "mix",
        requests: settings.requests,
        cpu_us: tenths(used.as_secs_f64() * 1e6 / requests),
        rps: (requests / elapsed.as_secs_f64()).round(),
        refused: tally.count(|status| (400..500).contains(&status)),
        failed: tally.count(|status| status == 0 || status >= 500),
        first_mib: mib_at(tally.samples.first()),
        last_mib: mib_at(tally.samples.last()),
        mib_per_100k: hundredths(mib),
        low: hundredths(low),
        high: hundredths(high),
        is_zero: memory::is_zero(&Slope { mib, low, high }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_was_asked_for_is_no_failure_and_a_5xx_always_is() {
        let mut tally = Tally::default();
        tally.note(Call::Transfer, 200, b"{}");
        tally.note(Call::BadToken, 401, b"{}");
        assert!(tally.judge().is_ok());
        assert_eq!((tally.transfers(), tally.count(|status| status >= 500)), (1, 0));
        for (call, status) in [(Call::Health, 503), (Call::BadToken, 200), (Call::Transfer, 429), (Call::Rest, 0)] {
            let mut tally = Tally::default();
            tally.note(call, status, b"why");
            let error = tally.judge().expect_err("it is wrong").to_string();
            assert!(error.contains(&status.to_string()) && error.contains("why"), "{error}");
        }
    }

    #[test]
    fn what_warmed_up_is_counted_but_not_measured() {
        let mut tally = Tally::default();
        tally.note(Call::Transfer, 200, b"");
        tally.samples.push(Sample { requests: 1, bytes: 1 });
        let next = tally.next();
        assert_eq!((next.transfers(), next.samples.len()), (1, 0));
    }
}
