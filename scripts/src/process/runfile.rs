//! The data folder of one stack: one owner at a time, and a list of what the owner started.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::{Child, table};

/// One process that a start left a note about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub pid: u32,
    pub started: String,
}

/// An owned data folder. The lock goes with us, however we end.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// A process that is being started holds a copy of its parent's files until it is another program: so a lock that is let
/// go may still be held for an instant.
fn patiently(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..20 {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(50)),
            settled => return settled,
        }
    }
    lock.try_lock()
}

impl DataDir {
    /// Takes the folder and ends what an earlier owner left behind.
    pub fn open(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        let path = path.canonicalize()?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.with_context(|| format!("cannot write in {}", path.display()))?;
        match patiently(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another stack is running on {}: end it, or take another folder with --data-dir", path.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the data folder"),
        }
        let dir = Self { path, _lock: lock };
        dir.end_stale();
        Ok(dir)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What children carry in their environment.
    pub fn mark(&self) -> String {
        self.path.display().to_string()
    }

    /// Notes a child; a note that is missing costs the next start a port, so a failure is an error.
    pub fn note(&self, child: &Child) -> Result<()> {
        let Some(started) = table::started(child.pid()) else { return Ok(()) };
        let mut entries = self.entries();
        entries.retain(|entry| entry.name != child.name());
        entries.push(Entry { name: child.name().into(), pid: child.pid(), started });
        self.write(&entries)
    }

    /// Everything ended in good order: nothing to remember.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(self.file());
    }

    fn file(&self) -> PathBuf {
        self.path.join("run.json")
    }

    fn entries(&self) -> Vec<Entry> {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn write(&self, entries: &[Entry]) -> Result<()> {
        let temporary = self.path.join("run.json.new");
        std::fs::write(&temporary, serde_json::to_vec_pretty(entries)?)?;
        std::fs::rename(&temporary, self.file()).context("cannot write run.json")
    }

    fn end_stale(&self) {
        let mark = self.mark();
        let stale: Vec<u32> = self.entries().iter().flat_map(|entry| survivors(entry, &mark)).collect();
        for (signal, patience) in [(libc::SIGINT, 5), (libc::SIGTERM, 2), (libc::SIGKILL, 5)] {
            let deadline = Instant::now() + Duration::from_secs(patience);
            let alive = || stale.iter().copied().filter(|pid| table::carries_mark(*pid, &mark));
            alive().for_each(|pid| table::signal(pid, signal));
            while alive().next().is_some() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        self.forget();
    }
}

/// Who is left of a noted process and its group. A pid alone proves nothing: it may be somebody else's by now.
fn survivors(entry: &Entry, mark: &str) -> Vec<u32> {
    match table::started(entry.pid) {
        Some(started) if started != entry.started => Vec::new(),
        _ => {
            let mut pids = table::group_members(entry.pid);
            pids.push(entry.pid);
            pids.sort_unstable();
            pids.dedup();
            pids.retain(|pid| table::carries_mark(*pid, mark));
            pids
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Launch, MARK, group_members};

    fn sleeper(dir: &DataDir, mark: &str) -> Child {
        let child = Launch::new("sleeper", "sleep").arg("300").env(MARK, mark).spawn().expect("sleep");
        dir.note(&child).expect("a note");
        child
    }

    #[test]
    fn the_next_start_ends_what_the_last_one_left_and_forgets_it() {
        let folder = tempfile::tempdir().expect("dir");
        let dir = DataDir::open(folder.path()).expect("free");
        let child = sleeper(&dir, &dir.mark());
        drop(dir); // As if killed: the note stays.
        let again = DataDir::open(folder.path()).expect("free again");
        assert!(group_members(child.pid()).is_empty(), "the sleeper still sleeps");
        assert_eq!(again.entries(), []);
    }

    #[test]
    fn a_process_that_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().expect("dir");
        let dir = DataDir::open(folder.path()).expect("free");
        let mut stranger = sleeper(&dir, "another folder");
        let mut entries = dir.entries();
        entries.push(Entry { name: "reused".into(), pid: std::process::id(), started: "long ago".into() });
        dir.write(&entries).expect("written");
        drop(dir);
        DataDir::open(folder.path()).expect("free again");
        assert!(stranger.status().is_none(), "a stranger was ended");
    }

    #[test]
    fn two_owners_cannot_share_a_folder() {
        let folder = tempfile::tempdir().expect("dir");
        let _first = DataDir::open(folder.path()).expect("free");
        let error = DataDir::open(folder.path()).err().expect("taken").to_string();
        assert!(error.contains("--data-dir"), "{error}");
    }
}
