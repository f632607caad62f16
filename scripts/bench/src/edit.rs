//! Suite `edit`: what a developer waits for. `cargo xtask dev` serves a copy of this project; a source of it is saved, and time
//! counts until the new code answers.
//!
//! Builds a whole project first, so it runs only when it is named.

mod copy;
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use xtask::house;
use xtask::keys::{self, Alg};

use crate::case::Door;
use crate::load::{Lane, Reply};
use crate::rows::Edit;
use crate::stage::folder;
use crate::stats::{hundredths, median};
use crate::traffic::post;
use crate::world::Caller;
use crate::{Settings, Suite, cpu};
use server::Server;

/// An edit after which nothing answers is a broken build or a watcher that sleeps.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often somebody asks whether the new code is there: one question costs the runtime milliseconds.
const LOOK: Duration = Duration::from_millis(50);
/// Of a question to a runtime that is being started again.
const ANSWER: Duration = Duration::from_secs(2);

/// Among the largest, with money and a token check: who waits for it waits longest.
const FUNCTION: &str = "wallet-operations";

/// A place in the sources whose change a caller sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// What a refusal of one function says.
    Function,
    /// What every function says to a preflight.
    Shared,
}

impl Place {
    const ALL: [Self; 2] = [Self::Function, Self::Shared];

    /// What the rows call it.
    fn case(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Shared => "shared",
        }
    }

    fn file(self) -> String {
        match self {
            Self::Function => format!("functions/{FUNCTION}/src/lib.rs"),
            Self::Shared => "shared/src/edge/cors.rs".to_owned(),
        }
    }

    /// What stands there once in the source, and in its place after an edit.
    fn texts(self, number: usize) -> (&'static str, String) {
        let sign = self.sign(number);
        match self {
            Self::Function => ("must be preview, deposit, withdraw or transfer", sign),
            Self::Shared => (r#""access-control-max-age", "7200""#, format!(r#""access-control-max-age", "{sign}""#)),
        }
    }

    /// What a caller sees of an edit, and of no other.
    fn sign(self, number: usize) -> String {
        match self {
            Self::Function => format!("must be known (edit {number})"),
            Self::Shared => (7_200 + number).to_string(),
        }
    }

    fn edited(self, source: &str, number: usize) -> Result<String> {
        let (before, after) = self.texts(number);
        ensure!(source.matches(before).count() == 1, "{} does not say {before:?} once", self.file());
        Ok(source.replace(before, &after))
    }

    /// Whose answers change. Nobody can call who only holds objects; he is built with the others all the same.
    fn served_by(self) -> Result<Vec<String>> {
        let names = house::functions()?.into_iter().filter(|function| !function.is_durable());
        let names = names.map(|function| function.name);
        Ok(names.filter(|name| self == Self::Shared || name == FUNCTION).collect())
    }

    fn request(self, name: &str, server: &Server) -> Result<Request<Full<Bytes>>> {
        // The gateway itself answers for a function that does not exist.
        let name = if name == "gateway" { "no-such-function" } else { name };
        let door = Door { addr: server.addr, path: format!("/functions/v1/{name}"), has_contract: true };
        match self {
            // Somebody else each time: nobody may call as often as we look.
            Self::Function => post(&door, Some(Caller::new(keys::random_uuid()).token(Alg::Hs256)), "{}".into()),
            Self::Shared => {
                let request = Request::options(&door.path).header("host", door.addr.to_string());
                Ok(request.header("origin", "http://localhost:3000").body(Full::default())?)
            }
        }
    }

    fn is_seen(self, reply: &Reply, number: usize) -> bool {
        let sign = self.sign(number);
        match self {
            Self::Function => String::from_utf8_lossy(&reply.body).contains(&sign),
            Self::Shared => reply.headers.get("access-control-max-age").is_some_and(|age| *age == *sign),
        }
    }
}

/// One edit: how long it took, and the processor time of everything that the server runs.
#[derive(Clone, Copy, Debug)]
struct Turn {
    took: Duration,
    cpu: Duration,
}

pub async fn run(settings: &Settings) -> Result<Vec<Edit>> {
    ensure!(cfg!(target_os = "linux"), "suite edit reads CPU time from /proc, which only Linux has");
    let dir = folder("cauris-edit-")?;
    let copy = dir.path().join("project");
    copy::project(&house::root(), &copy)?;
    eprintln!("edit: building a copy of this project; that is not counted");
    let mut server = Server::start(&copy, dir.path()).await?;
    let mut rows = Vec::new();
    for place in Place::ALL {
        let turns = turns(place, settings.plan(Suite::Edit).rounds, &copy, &mut server);
        rows.push(row(place, &turns.await.with_context(|| format!("after an edit of {}", place.file()))?));
    }
    server.end().await;
    Ok(rows)
}

async fn turns(place: Place, rounds: usize, copy: &Path, server: &mut Server) -> Result<Vec<Turn>> {
    let file = copy.join(place.file());
    let source = std::fs::read_to_string(&file)?;
    let names = place.served_by()?;
    let mut turns = Vec::new();
    for number in 1..=rounds {
        let edited = place.edited(&source, number)?;
        let (used, begun, served) = (cpu::used(server.pid())?, Instant::now(), server.served());
        std::fs::write(&file, edited)?;
        // One after the other: whoever is asked last has been served meanwhile, or is waited for.
        for name in &names {
            seen(place, name, number, begun + PATIENCE, server).await?;
        }
        let took = begun.elapsed();
        server.until_served(served).await?;
        let cpu = cpu::used(server.pid())?.saturating_sub(used);
        eprintln!("edit: {} {number} of {rounds}: {:.1} s", place.case(), took.as_secs_f64());
        turns.push(Turn { took, cpu });
    }
    Ok(turns)
}

/// Asks until the answer is the new code's. No answer at all is none yet: the runtime is being started again.
async fn seen(place: Place, name: &str, number: usize, deadline: Instant, server: &mut Server) -> Result<()> {
    loop {
        let request = place.request(name, server)?;
        let addr = server.addr;
        let reply = tokio::time::timeout(ANSWER, async { Lane::open(addr).await?.send(request).await }).await;
        if matches!(&reply, Ok(Ok(reply)) if place.is_seen(reply, number)) {
            return Ok(());
        }
        server.check()?;
        if Instant::now() > deadline {
            bail!("{name} still answers as before, after {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn row(place: Place, turns: &[Turn]) -> Edit {
    let seconds = |part: fn(&Turn) -> Duration| turns.iter().map(move |turn| part(turn).as_secs_f64());
    Edit {
        suite: "edit",
        case: place.case(),
        subject: "cauris",
        p50_s: hundredths(median(seconds(|turn| turn.took))),
        max_s: hundredths(seconds(|turn| turn.took).fold(0.0, f64::max)),
        cpu_s: hundredths(median(seconds(|turn| turn.cpu))),
        runs: turns.len(),
    }
}

#[cfg(test)]
mod tests;
