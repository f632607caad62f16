//! The whole local stack: Postgres, the REST gateway, the payment sandbox and every function, started in the right
//! order and ended in the reverse. `cargo xtask dev`, the tests and the benchmarks all start this one.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::functions::Setup;
use crate::mail;
use crate::postgres::{self, Postgres};
use crate::process::{Child, DataDir, group_members};
use crate::tools::{self, Tools};

mod parts;
mod ports;

use parts::{start_data, start_functions, start_sandbox, vars};
use ports::Ports;

/// What serves the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// What a developer has: slower, serves again what is built again.
    WranglerDev,
    /// What benchmarks and self-hosting have.
    Workerd,
    /// No functions at all: for SQL tests.
    None,
}

#[derive(Clone, Debug)]
pub struct Options {
    /// Ports: 0 picks a free one.
    pub api_port: u16,
    pub db_port: u16,
    pub rest_port: u16,
    pub sandbox_port: u16,
    pub mail_port: u16,
    pub data_dir: PathBuf,
    /// Instead of the embedded one.
    pub database_url: Option<String>,
    pub runtime: Runtime,
    /// Added to what the workers get, or in its place.
    pub extra_vars: BTreeMap<String, String>,
    /// As in production; off by default for tests, which call more often than any person.
    pub rate_limits: bool,
    /// The data is thrown away: no waiting for the disk.
    pub throwaway: bool,
    pub quiet: bool,
}

impl Options {
    /// Free ports, fresh data, no rate limits: for one run in a folder of its own.
    pub fn ephemeral(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            api_port: 0,
            db_port: 0,
            rest_port: 0,
            sandbox_port: 0,
            mail_port: 0,
            data_dir: data_dir.into(),
            database_url: None,
            runtime: Runtime::WranglerDev,
            extra_vars: BTreeMap::new(),
            rate_limits: false,
            throwaway: true,
            quiet: true,
        }
    }
}

/// Who does the work: for measuring, and for killing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pids {
    pub functions: Vec<u32>,
    pub rest: u32,
    /// The first process of the cluster; its children are the sessions.
    pub postgres: u32,
}

/// A running stack. Fields are dropped from the top: whoever asks ends before whoever answers.
pub struct Stack {
    functions: Option<Child>,
    rest: Option<Child>,
    /// The payment provider, in this process.
    pub sandbox: sandbox::Handle,
    /// What would be mailed, in this process.
    mail: mail::Handle,
    postgres: Option<Postgres>,
    pub api_url: String,
    pub rest_url: String,
    pub db_url: String,
    pub sandbox_url: String,
    pub mail_url: String,
    /// What the workers got.
    pub vars: BTreeMap<String, String>,
    runtime: Runtime,
    rate_limits: bool,
    ports: Ports,
    tools: Tools,
    dir: DataDir,
}

/// A folder that is ours and ports that are free: what can be refused before anything is built or started.
pub struct Prepared {
    options: Options,
    dir: DataDir,
    ports: Ports,
}

impl Prepared {
    pub fn new(options: Options) -> Result<Self> {
        let dir = DataDir::open(&options.data_dir)?;
        let ports = Ports::take(&options)?;
        Ok(Self { options, dir, ports })
    }

    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// A database of the developer's own must be there already.
    pub async fn check_database(&self) -> Result<()> {
        if let Some(url) = &self.options.database_url {
            postgres::connect(url).await?;
        }
        Ok(())
    }

    /// Forgets the embedded database.
    pub async fn erase(&self) -> Result<()> {
        ensure!(
            self.options.database_url.is_none(),
            "--fresh forgets the embedded database, and DATABASE_URL names another"
        );
        Postgres::erase(&self.dir).await
    }

    /// Starts everything; the functions must be built.
    pub async fn start(self) -> Result<Stack> {
        let Self { options, dir, ports } = self;
        let tools = tools::ensure().await?;
        let sandbox = start_sandbox(&ports).await?;
        let vars = vars(&options, &ports, &sandbox.url());
        let setup = Setup {
            tools: &tools,
            dir: &dir,
            vars: &vars,
            port: ports.api,
            runtime: options.runtime,
            rate_limits: options.rate_limits,
        };
        // Functions and database start at the same time; the first request needs both.
        let data = start_data(&options, &dir, &tools, &ports);
        let ((postgres, db_url, rest), functions) = tokio::try_join!(data, start_functions(&setup))?;
        let mail = mail::serve(SocketAddr::from((Ipv4Addr::LOCALHOST, ports.mail)), &db_url).await?;
        let stack = Stack {
            functions,
            rest: Some(rest),
            postgres,
            api_url: format!("http://127.0.0.1:{}", ports.api),
            rest_url: format!("http://127.0.0.1:{}", ports.rest),
            sandbox_url: sandbox.url(),
            mail_url: mail.url(),
            sandbox,
            mail,
            db_url,
            vars,
            runtime: options.runtime,
            rate_limits: options.rate_limits,
            ports,
            tools,
            dir,
        };
        if stack.functions.is_some() {
            parts::check_health(&stack.api_url).await?;
        }
        Ok(stack)
    }
}

impl Stack {
    /// Starts everything; the functions must be built.
    pub async fn start(options: Options) -> Result<Self> {
        Prepared::new(options)?.start().await
    }

    /// With fresh settings: the list of functions changed.
    pub async fn restart_functions(&mut self) -> Result<()> {
        if let Some(functions) = self.functions.take() {
            functions.end().await;
        }
        self.start_functions().await
    }

    /// Starts the functions again, after a kill.
    pub async fn start_functions(&mut self) -> Result<()> {
        ensure!(self.functions.is_none(), "the functions are running");
        let setup = Setup {
            tools: &self.tools,
            dir: &self.dir,
            vars: &self.vars,
            port: self.ports.api,
            runtime: self.runtime,
            rate_limits: self.rate_limits,
        };
        self.functions = start_functions(&setup).await?;
        Ok(())
    }

    /// A crash of whatever serves the functions.
    pub async fn kill_functions(&mut self) {
        if let Some(functions) = self.functions.take() {
            functions.kill().await;
        }
    }

    /// A crash of the database; of the embedded one only.
    pub async fn kill_postgres(&mut self) {
        if let Some(postgres) = &mut self.postgres {
            postgres.kill().await;
        }
    }

    pub async fn start_postgres(&mut self) -> Result<()> {
        match &mut self.postgres {
            Some(postgres) => postgres.resume(&self.dir).await,
            None => bail!("the database is not ours to start"),
        }
    }

    pub fn pids(&self) -> Pids {
        Pids {
            functions: self.functions.as_ref().map(|child| group_members(child.pid())).unwrap_or_default(),
            rest: self.rest.as_ref().map(Child::pid).unwrap_or_default(),
            postgres: self.postgres.as_ref().and_then(Postgres::pid).unwrap_or_default(),
        }
    }

    /// The Node that clients run on.
    pub fn node(&self) -> &Path {
        &self.tools.node
    }

    /// Where logs and settings are.
    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns when a part has ended that should not have; the error names it.
    pub async fn watch_over(&mut self) -> anyhow::Error {
        loop {
            for child in [&mut self.functions, &mut self.rest].into_iter().flatten() {
                if let Some(status) = child.status() {
                    return anyhow::anyhow!("{} ended ({status}){}", child.name(), child.last_words());
                }
            }
            if let Some(error) = self.postgres.as_mut().and_then(Postgres::ended) {
                return error;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    /// Ends everything, politely, and waits.
    pub async fn stop(mut self) {
        if let Some(functions) = self.functions.take() {
            functions.end().await;
        }
        if let Some(rest) = self.rest.take() {
            rest.end().await;
        }
        if let Some(mut postgres) = self.postgres.take() {
            postgres.stop().await;
        }
        self.mail.stop().await;
        self.sandbox.stop().await;
        self.dir.forget();
    }
}
