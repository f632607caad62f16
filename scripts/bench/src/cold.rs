//! Suite `cold`: what the first caller of a new process waits for, and what a worker holds once it has been called.
//!
//! A workerd is started for each call, with the workers of one case in it and nothing else. A transfer goes to a stand-in for
//! PostgREST, in this program, that answers at once: what is timed is the function's own.

mod memory;
mod upstream;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use tokio::net::TcpStream;
use xtask::keys::{self, Alg};
use xtask::process::{Child, Launch};
use xtask::tools;

use crate::case::{Door, Name, Room};
use crate::cpu;
use crate::load::Lane;
use crate::rows::{Cold, Row};
use crate::stage::{as_in_production, folder};
use crate::stats::{hundredths, median, percentile};
use crate::subject::{Bench, Cast, RAISED, build_ours};
use crate::traffic::{AMOUNT, get, post, transfer};
use crate::world::Caller;
use crate::{Settings, contract};
use upstream::Upstream;

const PATIENCE: Duration = Duration::from_secs(20);
/// How often a process that starts is asked whether it listens.
const LOOK: Duration = Duration::from_millis(1);

/// Who has a door for it, and can be started as often as that.
const NAMES: [Name; 3] = [Name::Cauris, Name::Js, Name::Hono];

/// One start.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// From its beginning until somebody listens.
    listen: Duration,
    /// From connecting to the whole answer.
    first: Duration,
    /// Of the process, up to that answer.
    cpu: Duration,
}

/// A workerd that is started again and again.
struct Entrant<'a> {
    room: Room,
    name: Name,
    cast: Cast,
    dir: std::path::PathBuf,
    bench: &'a Bench<'a>,
}

pub async fn run(settings: &Settings) -> Result<Vec<Row>> {
    ensure!(cfg!(target_os = "linux"), "suite cold reads CPU time and memory from /proc, which only Linux has");
    let dir = folder("cauris-cold-")?;
    let tools = tools::ensure().await?;
    eprintln!("building what ships (--release)");
    build_ours().await?;
    let upstream = Upstream::serve().await?;
    let mut vars = as_in_production(keys::worker_vars());
    vars.insert("POSTGREST_URL".into(), upstream.url());
    vars.insert("JWT_JWKS_URL".into(), format!("{}/rpc/jwks", upstream.url()));
    let bench = Bench { dir: dir.path(), tools: &tools, vars: &vars };
    let names: Vec<Name> = NAMES.into_iter().filter(|name| settings.subjects.contains(name)).collect();
    let mut rows: Vec<Row> = starts(settings.starts, &bench, &names).await?.into_iter().map(Row::Cold).collect();
    rows.extend(memory::run(&bench, &names).await?.into_iter().map(Row::Memory));
    Ok(rows)
}

/// In turns, every second one backwards, as in suite `edge`.
async fn starts(count: usize, bench: &Bench<'_>, names: &[Name]) -> Result<Vec<Cold>> {
    let mut entrants = Vec::new();
    for room in Room::ALL {
        for name in names {
            let cast = cast(bench, *name, room).await?;
            let dir = bench.dir.join(format!("{name}-{}", title(room)));
            entrants.extend(cast.map(|cast| Entrant { room, name: *name, cast, dir, bench }));
        }
    }
    let mut seen: BTreeMap<(Room, Name), Vec<Start>> = BTreeMap::new();
    for number in 0..count {
        let mut order: Vec<&Entrant> = entrants.iter().collect();
        if number % 2 == 1 {
            order.reverse();
        }
        for entrant in order {
            let start = entrant.start().await;
            let start = start.with_context(|| format!("{} in cold {}", entrant.name, title(entrant.room)))?;
            seen.entry((entrant.room, entrant.name)).or_default().push(start);
        }
        if (number + 1).is_multiple_of(10) {
            eprintln!("cold: {} of {count} starts", number + 1);
        }
    }
    Ok(seen.iter().map(|((room, name), starts)| row(*room, *name, starts)).collect())
}

/// The objects' worker is a process of its own in production, and not the first caller's to wait for.
async fn cast(bench: &Bench<'_>, name: Name, room: Room) -> Result<Option<Cast>> {
    let cast = match name {
        Name::Cauris => Some(bench.ours(&[room], RAISED, false)?),
        _ => bench.cast(name, &[room]).await?,
    };
    Ok(cast.filter(|cast| cast.doors.contains_key(&room)))
}

/// What the rows call it.
fn title(room: Room) -> &'static str {
    match room {
        Room::Hello => "hello",
        Room::Hop => "hop",
        Room::Transfer => "wallet-transfer",
    }
}

impl Entrant<'_> {
    async fn start(&self) -> Result<Start> {
        let door = &self.cast.doors[&self.room];
        let launch = self.bench.launch(&self.dir, &self.cast)?;
        let began = Instant::now();
        with_process(launch, async |process| {
            listens(process, door).await?;
            let listen = began.elapsed();
            let first = call(self.room, door).await?;
            Ok(Start { listen, first, cpu: cpu::used(process.pid())? })
        })
        .await
    }
}

/// `Child::until` looks too seldom to time a start.
async fn listens(process: &mut Child, door: &Door) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(door.addr).await.is_err() {
        let ended = process.status();
        ensure!(ended.is_none() && Instant::now() < deadline, "nobody listens");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// One call on a connection of its own, and how long it took.
async fn call(room: Room, door: &Door) -> Result<Duration> {
    let request = match room {
        Room::Hello | Room::Hop => get(door)?,
        Room::Transfer => {
            let [sender, recipient] = [keys::random_uuid(), keys::random_uuid()];
            let body = transfer(door, recipient, &AMOUNT.into(), &keys::random_uuid().to_string());
            post(door, Some(Caller::new(sender).token(Alg::Hs256)), body)?
        }
    };
    let began = Instant::now();
    let reply = Lane::open(door.addr).await?.send(request).await?;
    let took = began.elapsed();
    contract::answered(&reply)?;
    Ok(took)
}

fn row(room: Room, name: Name, starts: &[Start]) -> Cold {
    let mut first: Vec<Duration> = starts.iter().map(|start| start.first).collect();
    first.sort_unstable();
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let middle = |part: fn(&Start) -> Duration| hundredths(median(starts.iter().map(|start| ms(part(start)))));
    Cold {
        suite: "cold",
        case: title(room).to_owned(),
        subject: name.to_string(),
        p50_ms: hundredths(ms(percentile(&first, 50))),
        p99_ms: hundredths(ms(percentile(&first, 99))),
        cpu_ms: middle(|start| start.cpu),
        listen_ms: middle(|start| start.listen),
        starts: starts.len(),
    }
}

/// A process for as long as `what` takes; it ends whatever comes of it.
async fn with_process<T>(launch: Launch, what: impl AsyncFnOnce(&mut Child) -> Result<T>) -> Result<T> {
    let mut process = launch.spawn()?;
    let outcome = what(&mut process).await;
    let outcome = outcome.map_err(|error| anyhow!("{error:#}{}", process.last_words()));
    process.kill().await;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_call_is_told_by_its_percentiles_and_a_start_by_its_medians() {
        let starts: Vec<Start> = (1..=100)
            .map(|n| Start {
                listen: Duration::from_millis(50),
                first: Duration::from_millis(n),
                cpu: Duration::from_millis(40 + n % 3),
            })
            .collect();
        let row = row(Room::Transfer, Name::Js, &starts);
        assert_eq!((row.case.as_str(), row.subject.as_str(), row.starts), ("wallet-transfer", "js", 100));
        let figures = [row.p50_ms, row.p99_ms, row.cpu_ms, row.listen_ms];
        for (figure, expected) in figures.into_iter().zip([50.0, 99.0, 41.0, 50.0]) {
            assert!((figure - expected).abs() < 1e-9, "{figures:?}");
        }
    }

    #[tokio::test]
    async fn a_process_that_never_listens_is_quoted() {
        let dir = tempfile::tempdir().expect("dir");
        let launch = Launch::new("mute", "sh").args(["-c", "echo I will not"]).log(dir.path().join("log"));
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], crate::subject::free_port().expect("a port")));
        let door = Door { addr, path: "/".into(), has_contract: true };
        let error = with_process(launch, async |process| listens(process, &door).await).await.expect_err("nobody");
        assert!(error.to_string().contains("I will not"), "{error}");
    }
}
