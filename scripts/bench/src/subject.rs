//! Starts who is compared: ours and the peers, each in its own process, all with the same settings.

mod bun;
mod cast;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpStream;
use xtask::build::{self, Profile};
use xtask::house;
use xtask::process::{Child, Launch, output};
use xtask::tools::Tools;

use crate::case::{Door, Name, Room};
use crate::workerd;
pub use cast::{Cast, ONE, RAISED};

const PATIENCE: Duration = Duration::from_secs(20);
const HELLO: &str = "/functions/v1/hello";
const TRANSFER: &str = "/functions/v1/wallet-operations";
/// Where every subject sends a transfer in the end.
const RPC: &str = "/rpc/wallet_operations";

/// A running contestant.
pub struct Subject {
    pub name: Name,
    pub doors: BTreeMap<Room, Door>,
    /// None for the gateway itself, which has nothing in front of it.
    process: Option<Child>,
}

impl Subject {
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::pid)
    }

    pub async fn end(self) {
        if let Some(process) = self.process {
            process.end().await;
        }
    }
}

/// Where everything lies that subjects are made of.
pub struct Bench<'a> {
    pub dir: &'a Path,
    pub tools: &'a Tools,
    /// What the functions of the stack are given.
    pub vars: &'a BTreeMap<String, String>,
}

impl Bench<'_> {
    pub async fn start(&self, name: Name) -> Result<Subject> {
        match (self.cast(name, &Room::ALL).await?, name) {
            (Some(cast), _) => self.workerd(name, cast).await,
            (None, Name::Bun) => self.bun().await,
            (None, Name::Direct) => self.direct(),
            (None, _) => self.deno().await,
        }
    }

    /// Ours, where one call of a caller is all that a minute has room for.
    pub async fn start_limited(&self) -> Result<Subject> {
        let bench = Bench { dir: &self.dir.join("limited"), ..*self };
        bench.workerd(Name::Cauris, self.ours(&[Room::Transfer], ONE, true)?).await
    }

    /// No edge at all: the same call, sent to PostgREST with the caller's token.
    fn direct(&self) -> Result<Subject> {
        let url = self.vars.get("POSTGREST_URL").context("nobody says where the gateway is")?;
        let addr = url.trim_start_matches("http://").parse().with_context(|| format!("{url} is no address"))?;
        let door = Door { addr, path: RPC.into(), has_contract: false };
        Ok(Subject { name: Name::Direct, doors: [(Room::Transfer, door)].into(), process: None })
    }

    async fn bun(&self) -> Result<Subject> {
        let port = free_port()?;
        let launch = Launch::new("bun", bun::program()?)
            .args(["run", "--no-install"])
            .arg(self.bundle("bun.ts").await?)
            .dir(self.dir)
            .env("BUN_RUNTIME_TRANSPILER_CACHE_PATH", "0")
            .env("DO_NOT_TRACK", "1")
            .env("NODE_ENV", "production")
            .log(self.dir.join("bun.log"));
        self.app(Name::Bun, launch, port).await
    }

    async fn deno(&self) -> Result<Subject> {
        let port = free_port()?;
        let launch = Launch::new("deno", self.tools.bin.join("deno"))
            .args(["run", "--no-lock", "--no-config", "--cached-only", "--allow-net", "--allow-env"])
            .arg(self.bundle("deno.ts").await?)
            .dir(self.dir)
            .env("DENO_DIR", self.dir.join("deno-cache"))
            .env("DENO_NO_UPDATE_CHECK", "1")
            .log(self.dir.join("deno.log"));
        self.app(Name::Deno, launch, port).await
    }

    /// The app of tests/peers/hono.ts under a runtime of its own.
    async fn app(&self, name: Name, launch: Launch, port: u16) -> Result<Subject> {
        let settings = self.settings().into_iter();
        let launch =
            settings.fold(launch.env("PORT", port.to_string()), |launch, (name, value)| launch.env(name, value));
        let doors = [(Room::Hello, door(port, HELLO)), (Room::Transfer, door(port, TRANSFER))];
        ready(name, launch, doors.into()).await
    }

    async fn workerd(&self, name: Name, cast: Cast) -> Result<Subject> {
        let launch = self.launch(&self.dir.join(name.to_string()), &cast)?;
        ready(name, launch, cast.doors).await
    }

    /// A workerd with these workers, whose settings are in a folder of its own.
    pub fn launch(&self, dir: &Path, cast: &Cast) -> Result<Launch> {
        let config = workerd::write(dir, &cast.workers)?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        Ok(Launch::new(&format!("workerd ({name})"), &self.tools.workerd)
            .args(["serve".as_ref(), config.as_os_str()])
            .dir(dir)
            .log(dir.join("workerd.log")))
    }

    fn texts(&self, names: &[&str]) -> BTreeMap<String, String> {
        names.iter().filter_map(|name| self.vars.get_key_value(*name)).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    fn settings(&self) -> BTreeMap<String, String> {
        self.texts(&["POSTGREST_URL", "ANON_KEY", "JWT_SECRET", "JWT_JWKS", "JWT_ISSUER", "JWT_AUDIENCE"])
    }

    /// As wrangler would bundle it for a worker, from the pinned packages.
    async fn bundle(&self, name: &str) -> Result<PathBuf> {
        let file = self.dir.join(Path::new(name).with_extension("bundle.js"));
        let esbuild = Launch::new("esbuild", &self.tools.esbuild)
            .arg(house::root().join("tests/peers").join(name))
            .args(["--bundle", "--format=esm", "--target=es2024", "--conditions=workerd,worker,browser"])
            .args(["--log-level=warning".into(), format!("--outfile={}", file.display())])
            .dir(house::root());
        output(esbuild).await?;
        Ok(file)
    }
}

fn fixture() -> PathBuf {
    house::root().join("scripts/bench/fixtures/hello")
}

/// What is measured is what ships.
pub async fn build_ours() -> Result<()> {
    build::build(&["counters".into(), "gateway".into(), "wallet-operations".into()], Profile::Release).await?;
    build::fixture("hello", Profile::Release).await?;
    Ok(())
}

async fn ready(name: Name, launch: Launch, doors: BTreeMap<Room, Door>) -> Result<Subject> {
    let mut process = launch.spawn()?;
    for door in doors.values() {
        process.until(PATIENCE, async || TcpStream::connect(door.addr).await.is_ok()).await?;
    }
    Ok(Subject { name, doors, process: Some(process) })
}

pub fn door(port: u16, path: &str) -> Door {
    Door { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), path: path.into(), has_contract: true }
}

/// Each once, and below those that a system gives to whoever calls out: one of them may be taken before a subject listens, and
/// whoever knocks at it meanwhile may reach himself.
pub fn free_port() -> Result<u16> {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random_range(10_000..30_000)));
    let mut tried = (0..1_000).map(|_| NEXT.fetch_add(1, Ordering::Relaxed) % 20_000 + 10_000);
    tried.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).context("no port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_to_nobody_who_calls_out() {
        let ports: Vec<u16> = (0..50).map(|_| free_port().expect("a port")).collect();
        let distinct: std::collections::BTreeSet<&u16> = ports.iter().collect();
        assert!(distinct.len() == 50 && ports.iter().all(|port| (10_000..30_000).contains(port)), "{ports:?}");
    }
}
