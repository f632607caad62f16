//! One line for everything that takes longer than a second: live on a terminal, plain in a log.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::process::{Child, Launch};

/// How often a log without a terminal hears that something still runs.
const HEARTBEAT: Duration = Duration::from_secs(30);

pub struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    begun: Instant,
    said: Option<Instant>,
}

impl Progress {
    /// Silent for the first second.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), bar: None, begun: Instant::now(), said: None }
    }

    /// To be called now and then with what it is doing.
    pub fn tick(&mut self, detail: &str) {
        if self.begun.elapsed() < Duration::from_secs(1) {
            return;
        }
        if std::io::stderr().is_terminal() {
            let bar = self.bar.get_or_insert_with(|| {
                let bar = ProgressBar::new_spinner();
                bar.set_style(
                    ProgressStyle::with_template("{spinner} {prefix} ({elapsed}) {wide_msg:.dim}")
                        .unwrap_or_else(|_| ProgressStyle::default_spinner()),
                );
                bar.set_prefix(self.what.clone());
                bar.with_elapsed(self.begun.elapsed())
            });
            bar.set_message(detail.to_owned());
            bar.tick();
        } else if self.said.is_none_or(|said| said.elapsed() > HEARTBEAT) {
            let again = self.said.replace(Instant::now()).is_some();
            let detail = if again && !detail.is_empty() { format!(": {detail}") } else { String::new() };
            eprintln!("  {} … {} s{detail}", self.what, self.begun.elapsed().as_secs());
        }
    }

    pub fn done(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.bar.is_some() || self.said.is_some() {
            eprintln!("  {}: done in {:.0} s", self.what, self.begun.elapsed().as_secs_f32());
        }
    }

    /// Waits for a future while the line lives.
    pub async fn during<T>(mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                outcome = &mut work => {
                    match &outcome {
                        Ok(_) => self.done(),
                        Err(_) => self.gone(),
                    }
                    return outcome;
                }
                () = tokio::time::sleep(Duration::from_millis(120)) => self.tick(""),
            }
        }
    }

    fn gone(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Runs a command to its end with a line that follows its log.
pub async fn watched(what: &str, launch: Launch, log: &Path) -> Result<()> {
    let mut child = launch.log(log).spawn()?;
    let mut progress = Progress::new(what);
    let status = loop {
        if let Some(status) = child.status() {
            break status;
        }
        progress.tick(&last_line(log));
        tokio::time::sleep(Duration::from_millis(120)).await;
    };
    if !status.success() {
        progress.gone();
        bail!("{what} failed ({status}){}", Child::last_words(&child));
    }
    progress.done();
    Ok(())
}

fn last_line(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
