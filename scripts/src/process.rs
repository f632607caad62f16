//! Children that cannot outlive us: each in its own process group, ended on drop, ended by the kernel when we are
//! killed, and written to a run file so that the next start can end what neither caught.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

mod runfile;
mod spawner;
mod table;

pub use runfile::{DataDir, Entry};
pub use table::group_members;

/// Every child of a stack carries its data folder here: that is how a later start knows its own.
pub const MARK: &str = "CAURIS_STACK";

/// How a process is asked to end, and how long it may take before it is killed.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    pub signal: i32,
    pub patience: Duration,
}

impl Stop {
    pub const TERM: Self = Self { signal: libc::SIGTERM, patience: Duration::from_secs(5) };
    /// PostgreSQL's fast shutdown: sessions are cut, data is flushed.
    pub const FAST: Self = Self { signal: libc::SIGINT, patience: Duration::from_secs(10) };
}

/// What to start, and how. Nothing is read from a terminal; output goes to a log file or is inherited.
pub struct Launch {
    name: String,
    command: Command,
    log: Option<PathBuf>,
    stop: Stop,
}

impl Launch {
    pub fn new(name: &str, program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).process_group(0);
        Self { name: name.into(), command, log: None, stop: Stop::TERM }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(key);
        self
    }

    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Another user, for programs that refuse to be root.
    pub fn user(mut self, user: Option<(u32, u32)>) -> Self {
        if let Some((uid, gid)) = user {
            self.command.uid(uid).gid(gid);
        }
        self
    }

    /// Where stdout and stderr go. A failing start quotes its last lines.
    pub fn log(mut self, path: impl Into<PathBuf>) -> Self {
        self.log = Some(path.into());
        self
    }

    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    pub fn spawn(mut self) -> Result<Child> {
        if let Some(path) = &self.log {
            let file = open_log(path)?;
            self.command.stdout(file.try_clone()?).stderr(file);
        }
        spawner::die_with_parent(&mut self.command, self.stop.signal);
        let program = self.command.get_program().to_os_string();
        let inner =
            spawner::spawn(self.command).with_context(|| format!("cannot start {}", program.to_string_lossy()))?;
        Ok(Child { name: self.name, inner, log: self.log, stop: self.stop, status: None })
    }
}

fn open_log(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A running process and its group; ended when dropped.
pub struct Child {
    name: String,
    inner: std::process::Child,
    log: Option<PathBuf>,
    stop: Stop,
    status: Option<ExitStatus>,
}

impl Child {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// None while it runs.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.inner.try_wait().ok().flatten();
        }
        self.status
    }

    pub async fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.status() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Repeats `ready` until it holds; fails with the log's last lines when the process ends or time runs out.
    pub async fn until(&mut self, patience: Duration, mut ready: impl AsyncFnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            if ready().await {
                return Ok(());
            }
            if let Some(status) = self.status() {
                bail!("{} ended ({status}) before it was ready{}", self.name, self.last_words());
            }
            if Instant::now() > deadline {
                bail!("{} is not ready after {} s{}", self.name, patience.as_secs(), self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Asks, waits, then kills; the whole group.
    pub async fn end(mut self) {
        if self.status().is_none() {
            table::signal_group(self.pid(), self.stop.signal);
            let _ = tokio::time::timeout(self.stop.patience, self.wait()).await;
        }
        // Drop ends what stayed, the group's other members included.
    }

    /// As a crash would: no chance to tidy up.
    pub async fn kill(mut self) {
        table::signal_group(self.pid(), libc::SIGKILL);
        self.wait().await;
    }

    /// The end of the log, on one line, for an error message.
    pub fn last_words(&self) -> String {
        let Some(path) = &self.log else { return String::new() };
        let mut text = String::new();
        let _ = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let tail = lines[lines.len().saturating_sub(3)..].join(" | ");
        format!("; {} ends: {tail}", path.display())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let pid = self.inner.id();
        let mut signal = self.stop.signal;
        let mut deadline = Instant::now() + self.stop.patience;
        if self.status().is_none() {
            table::signal_group(pid, signal);
        }
        while self.status().is_none() {
            if Instant::now() > deadline && signal != libc::SIGKILL {
                signal = libc::SIGKILL;
                deadline = Instant::now() + Duration::from_secs(5);
                table::signal_group(pid, signal);
            } else if Instant::now() > deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // The leader is gone; whoever it started may not be.
        if !group_members(pid).is_empty() {
            table::signal_group(pid, libc::SIGKILL);
        }
    }
}

/// Runs to its end; output is inherited unless it has a log.
pub async fn run(launch: Launch) -> Result<ExitStatus> {
    let mut child = launch.spawn()?;
    Ok(child.wait().await)
}

/// Runs to its end and returns what it printed to stdout; what it printed to stderr is part of the error.
pub async fn output(mut launch: Launch) -> Result<String> {
    launch.command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let name = launch.name.clone();
    let mut child = launch.spawn()?;
    let stdout = drain(child.inner.stdout.take());
    let stderr = drain(child.inner.stderr.take());
    let status = child.wait().await;
    let (stdout, stderr) = (stdout.await?, stderr.await?);
    if !status.success() {
        let said = if stderr.trim().is_empty() { &stdout } else { &stderr };
        bail!("{name} failed ({status}): {}", said.trim());
    }
    Ok(stdout)
}

fn drain<R: std::io::Read + Send + 'static>(pipe: Option<R>) -> tokio::task::JoinHandle<String> {
    tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The first of PATH's folders that holds an executable of this name.
pub fn on_path(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = |file: &PathBuf| {
        std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(runs)
}

/// PATH with `first` in front.
pub fn path_with(first: &Path) -> OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(first.to_path_buf()).chain(std::env::split_paths(&rest))).unwrap_or(rest)
}

#[cfg(test)]
mod tests;
