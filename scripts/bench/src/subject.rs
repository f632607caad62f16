//! Starts who is compared: ours and four peers, each in its own process, all with the same settings.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpStream;
use xtask::build::{self, Profile};
use xtask::house;
use xtask::process::{Child, Launch, output};
use xtask::tools::Tools;
use xtask::wrangler;

use crate::case::{Door, Name, Room};
use crate::workerd::{self, Worker};

const PATIENCE: Duration = Duration::from_secs(20);
const HELLO: &str = "/functions/v1/hello";
const TRANSFER: &str = "/functions/v1/wallet-operations";

/// A running contestant.
pub struct Subject {
    pub name: Name,
    pub doors: BTreeMap<Room, Door>,
    process: Child,
}

impl Subject {
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub async fn end(self) {
        self.process.end().await;
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
        match name {
            Name::Cauris => self.cauris().await,
            Name::Proxy => self.proxy().await,
            Name::Js => self.js().await,
            Name::Hono => self.hono().await,
            Name::Deno => self.deno().await,
        }
    }

    async fn cauris(&self) -> Result<Subject> {
        let (hello, gateway, transfer) = (free_port()?, free_port()?, free_port()?);
        let functions = house::select(&["gateway".into(), "wallet-operations".into()])?;
        let mut workers = vec![self.worker("hello", &fixture().join("build/index.js"), Some(hello))];
        workers[0].wasm = Some(fixture().join("build/index_bg.wasm"));
        workers[0].texts = self.texts(&["ALLOWED_ORIGINS", "LOG"]);
        for function in &functions {
            let port = if function.is_gateway() { gateway } else { transfer };
            let mut worker = self.worker(&function.name, &function.build_dir().join("index.js"), Some(port));
            worker.wasm = Some(function.build_dir().join("index_bg.wasm"));
            worker.texts = self.texts(&[wrangler::vars(function), wrangler::secrets(function)].concat());
            if function.is_gateway() {
                worker.services.push((wrangler::binding_of("hello"), "hello".into()));
            }
            workers.push(worker);
        }
        let doors = [
            (Room::Hello, door(hello, HELLO)),
            (Room::Hop, door(gateway, HELLO)),
            (Room::Transfer, door(transfer, TRANSFER)),
        ];
        self.workerd(Name::Cauris, &workers, doors.into()).await
    }

    async fn proxy(&self) -> Result<Subject> {
        let port = free_port()?;
        let mut worker = self.worker("proxy", &self.bundle("proxy.js").await?, Some(port));
        worker.texts = self.texts(&["POSTGREST_URL"]);
        let door = Door { has_contract: false, ..door(port, TRANSFER) };
        self.workerd(Name::Proxy, &[worker], [(Room::Transfer, door)].into()).await
    }

    async fn js(&self) -> Result<Subject> {
        let (hello, router, transfer) = (free_port()?, free_port()?, free_port()?);
        let mut workers = [
            self.worker("hello", &self.bundle("hello.js").await?, Some(hello)),
            self.worker("router", &self.bundle("router.js").await?, Some(router)),
            self.worker("transfer", &self.bundle("transfer.js").await?, Some(transfer)),
        ];
        workers[1].services.push((wrangler::binding_of("hello"), "hello".into()));
        workers[2].texts = self.settings();
        let doors = [
            (Room::Hello, door(hello, HELLO)),
            (Room::Hop, door(router, HELLO)),
            (Room::Transfer, door(transfer, TRANSFER)),
        ];
        self.workerd(Name::Js, &workers, doors.into()).await
    }

    async fn hono(&self) -> Result<Subject> {
        let port = free_port()?;
        let mut worker = self.worker("hono", &self.bundle("hono.ts").await?, Some(port));
        worker.texts = self.settings();
        let doors = [(Room::Hello, door(port, HELLO)), (Room::Transfer, door(port, TRANSFER))];
        self.workerd(Name::Hono, &[worker], doors.into()).await
    }

    async fn deno(&self) -> Result<Subject> {
        let port = free_port()?;
        let mut launch = Launch::new("deno", self.tools.bin.join("deno"))
            .args(["run", "--no-lock", "--no-config", "--cached-only", "--allow-net", "--allow-env"])
            .arg(self.bundle("deno.ts").await?)
            .dir(self.dir)
            .env("DENO_DIR", self.dir.join("deno-cache"))
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("PORT", port.to_string())
            .log(self.dir.join("deno.log"));
        for (name, value) in self.settings() {
            launch = launch.env(name, value);
        }
        let doors = [(Room::Hello, door(port, HELLO)), (Room::Transfer, door(port, TRANSFER))];
        ready(Name::Deno, launch, doors.into()).await
    }

    async fn workerd(&self, name: Name, workers: &[Worker], doors: BTreeMap<Room, Door>) -> Result<Subject> {
        let dir = self.dir.join(name.to_string());
        let config = workerd::write(&dir, workers)?;
        let launch = Launch::new(&format!("workerd ({name})"), &self.tools.workerd)
            .args(["serve".as_ref(), config.as_os_str()])
            .dir(&dir)
            .log(dir.join("workerd.log"));
        ready(name, launch, doors).await
    }

    fn worker(&self, name: &str, script: &Path, port: Option<u16>) -> Worker {
        let (wasm, texts, services) = (None, BTreeMap::new(), Vec::new());
        Worker { name: name.into(), script: script.into(), wasm, texts, services, port }
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
    build::build(&["gateway".into(), "wallet-operations".into()], Profile::Release).await?;
    build::fixture("hello", Profile::Release).await?;
    Ok(())
}

async fn ready(name: Name, launch: Launch, doors: BTreeMap<Room, Door>) -> Result<Subject> {
    let mut process = launch.spawn()?;
    for door in doors.values() {
        process.until(PATIENCE, async || TcpStream::connect(door.addr).await.is_ok()).await?;
    }
    Ok(Subject { name, doors, process })
}

fn door(port: u16, path: &str) -> Door {
    Door { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), path: path.into(), has_contract: true }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}
