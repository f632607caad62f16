//! What a worker holds once it has been called: the memory of a workerd with many of them, less that of one with one.

use std::time::Duration;

use anyhow::{Context as _, Result};
use http_body_util::Full;
use hyper::Request;
use xtask::build::{self, Profile};
use xtask::house::{self, Function};
use xtask::process::Launch;

use super::{PATIENCE, call, cast, listens, title, with_process};
use crate::case::{Door, Name, Room};
use crate::load::Lane;
use crate::rows::Memory;
use crate::soak::memory::resident;
use crate::stats::{hundredths, median, tenths};
use crate::subject::{Bench, Cast, door, free_port};

/// As many as there are functions.
const MANY: usize = 24;
/// A process's memory differs from start to start.
const TURNS: usize = 3;
/// What a first call leaves to do in the background.
const SETTLE: Duration = Duration::from_millis(500);

pub async fn run(bench: &Bench<'_>, names: &[Name]) -> Result<Vec<Memory>> {
    let mut rows = Vec::new();
    for room in [Room::Hello, Room::Transfer] {
        for name in names {
            if let Some(one) = cast(bench, *name, room).await? {
                let mib = [copies(bench, room, &one, 1).await?, copies(bench, room, &one, MANY).await?];
                rows.push(row(title(room), *name, MANY, mib));
                eprintln!("cold: memory of {MANY} × {name} {}: {:.0} MiB", title(room), mib[1]);
            }
        }
    }
    if names.contains(&Name::Cauris) {
        rows.push(functions(bench).await?);
    }
    Ok(rows)
}

/// Of a workerd with so many of the same worker, each called once. In one process they share their compiled code, as copies
/// on one machine of the platform do.
async fn copies(bench: &Bench<'_>, room: Room, one: &Cast, count: usize) -> Result<f64> {
    let worker = one.workers.first().context("somebody takes part")?;
    let mut many = Cast::default();
    let mut doors = Vec::new();
    for number in 0..count {
        let mut copy = worker.clone();
        let port = free_port()?;
        (copy.name, copy.port) = (format!("{}-{number}", worker.name), Some(port));
        doors.push(door(port, &one.doors[&room].path));
        many.workers.push(copy);
    }
    let dir = bench.dir.join(format!("memory-{}-{count}", worker.name));
    let each = async |door: &Door| call(room, door).await.map(drop);
    held(&doors, each, || bench.launch(&dir, &many)).await
}

/// Every function in one process, as whoever hosts himself runs them; each called once, by a stranger.
async fn functions(bench: &Bench<'_>) -> Result<Memory> {
    build::build(&[], Profile::Release).await?;
    let functions = house::functions()?;
    let gateway: Vec<Function> = functions.iter().filter(|function| function.is_gateway()).cloned().collect();
    let mib = [resident_functions(bench, &gateway).await?, resident_functions(bench, &functions).await?];
    Ok(row("functions", Name::Cauris, functions.len(), mib))
}

async fn resident_functions(bench: &Bench<'_>, functions: &[Function]) -> Result<f64> {
    let dir = bench.dir.join(format!("functions-{}", functions.len()));
    std::fs::create_dir_all(&dir)?;
    let port = free_port()?;
    let file = dir.join("config.capnp");
    xtask::capnp::write(&file, functions, bench.vars, port, true)?;
    let callable = functions.iter().filter(|function| !function.is_durable());
    let path =
        |function: &Function| if function.is_gateway() { "/" } else { "/functions/v1/" }.to_owned() + &function.name;
    let doors: Vec<Door> = callable.map(|function| door(port, &path(function))).collect();
    // Refused or not: the function has been there and has answered.
    let each = async |door: &Door| {
        let request = Request::post(&door.path).header("host", "localhost").body(Full::from("{}"))?;
        Lane::open(door.addr).await?.send(request).await.map(drop)
    };
    held(&doors, each, || {
        Ok(Launch::new("workerd (functions)", &bench.tools.workerd)
            .args(["serve".as_ref(), file.as_os_str()])
            .dir(&dir)
            .log(dir.join("workerd.log")))
    })
    .await
}

/// MiB of a process once everybody in it has been called: the median of a few starts.
async fn held(
    doors: &[Door],
    each: impl AsyncFn(&Door) -> Result<()>,
    launch: impl Fn() -> Result<Launch>,
) -> Result<f64> {
    let mut mib = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let held = with_process(launch()?, async |process| {
            for door in doors {
                listens(process, door).await?;
                tokio::time::timeout(PATIENCE, each(door)).await.context("no answer")??;
            }
            tokio::time::sleep(SETTLE).await;
            resident(&[process.pid()])
        });
        mib.push(mebibytes(held.await?));
    }
    Ok(median(mib))
}

#[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 bytes")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

fn row(case: &str, name: Name, isolates: usize, [one, many]: [f64; 2]) -> Memory {
    Memory {
        suite: "cold",
        case: format!("memory/{case}"),
        subject: name.to_string(),
        isolates,
        mib: tenths(many),
        mib_per_isolate: hundredths(slope(isolates, one, many)),
    }
}

/// What each worker beyond the first adds.
#[expect(clippy::cast_precision_loss, reason = "a process has tens of workers, not 2^53")]
fn slope(isolates: usize, one: f64, many: f64) -> f64 {
    (many - one) / isolates.saturating_sub(1).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_costs_what_each_beyond_the_first_adds() {
        let row = row("hello", Name::Cauris, 24, [40.0, 155.0]);
        assert_eq!((row.case.as_str(), row.isolates), ("memory/hello", 24));
        assert!((row.mib_per_isolate - 5.0).abs() < 1e-9 && (row.mib - 155.0).abs() < 1e-9, "{row:?}");
        assert!(slope(1, 40.0, 40.0).abs() < 1e-9, "one worker has no slope, and nobody divides by zero");
    }
}
