//! What suites `edge` and `open` play on: one stack, funded callers, and the subjects that are compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use xtask::stack::{Options, Pids, Runtime, Stack};
use xtask::tools::{self, Tools};

use crate::case::Name;
use crate::machine::Machine;
use crate::subject::{Bench, Subject, build_ours};
use crate::workerd;
use crate::world::World;

/// Fields are dropped from the top: whoever asks ends before whoever answers.
pub struct Stage {
    pub subjects: Vec<Subject>,
    pub world: World,
    pub pids: Pids,
    stack: Stack,
    vars: BTreeMap<String, String>,
    tools: Tools,
    folder: PathBuf,
    _dir: TempDir,
}

impl Stage {
    pub async fn set(names: &[Name], callers: usize, machine: &mut Machine) -> Result<Self> {
        let dir = folder("cauris-bench-")?;
        let tools = tools::ensure().await?;
        if names.contains(&Name::Cauris) {
            eprintln!("building what ships (--release)");
            build_ours().await?;
        }
        let stack = Stack::start(options(dir.path())).await?;
        let world = World::set_up(&stack.db_url, callers).await?;
        machine.postgres = Some(world.version().await?);
        machine.rest = tools.rest.file_name().map(|name| name.to_string_lossy().into_owned());
        let (pids, vars) = (stack.pids(), as_in_production(stack.vars.clone()));
        let folder = dir.path().join("subjects");
        std::fs::create_dir_all(&folder)?;
        let mut stage = Self { subjects: Vec::new(), world, pids, stack, vars, tools, folder, _dir: dir };
        for name in names {
            let subject = stage.bench().start(*name).await?;
            stage.subjects.push(subject);
        }
        Ok(stage)
    }

    pub fn bench(&self) -> Bench<'_> {
        Bench { dir: &self.folder, tools: &self.tools, vars: &self.vars }
    }

    /// Our functions bring what they count to the object that adds it up; an idle one does so after five seconds.
    pub async fn is_metered(&self) -> bool {
        let kept = self.folder.join(Name::Cauris.to_string()).join(workerd::kept("Meter"));
        for _ in 0..100 {
            if holds_an_object(&kept) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    }

    /// The books are checked last, and everything ends.
    pub async fn clear(self) -> Result<()> {
        for subject in self.subjects {
            subject.end().await;
        }
        self.world.check().await.context("after the run")?;
        eprintln!("books balance after {} transfers", self.world.transfers());
        self.stack.stop().await;
        Ok(())
    }
}

/// Beside what the class itself has, which is there from the start.
fn holds_an_object(folder: &Path) -> bool {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .any(|name| name.ends_with(".sqlite") && !name.starts_with("meta"))
}

/// Open to all, because Postgres refuses to be root and has to reach it.
pub fn folder(prefix: &str) -> Result<TempDir> {
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    Ok(tempfile::Builder::new().prefix(prefix).permissions(open).tempdir()?)
}

/// Logging is off for everybody; published keys are believed as long as in production.
pub fn as_in_production(mut vars: BTreeMap<String, String>) -> BTreeMap<String, String> {
    vars.extend([("LOG", "off"), ("JWT_JWKS_MAX_AGE_S", "600")].map(|(name, value)| (name.into(), value.into())));
    vars
}

fn options(dir: &Path) -> Options {
    // Commits wait for the disk, as in production.
    Options { runtime: Runtime::None, throwaway: false, ..Options::ephemeral(dir.join("stack")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_was_written_to_once_it_has_a_file_of_its_own() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(!holds_an_object(&dir.path().join("nowhere")));
        for (file, expected) in [("metadata.sqlite", false), ("ffbe.sqlite-wal", false), ("ffbe.sqlite", true)] {
            std::fs::write(dir.path().join(file), "").expect("written");
            assert_eq!(holds_an_object(dir.path()), expected, "{file}");
        }
    }

    #[test]
    fn a_function_is_set_as_in_production_and_logs_nothing() {
        let vars = as_in_production(xtask::keys::worker_vars());
        assert_eq!((vars["LOG"].as_str(), vars["JWT_JWKS_MAX_AGE_S"].as_str()), ("off", "600"));
        assert!(vars.contains_key("JWT_SECRET"), "the rest stays as it is");
    }
}
