//! What was saved since the last look, once the saving has calmed down.

use std::collections::BTreeSet;
use std::path::{Component, Path};
use std::time::Duration;

use anyhow::{Context as _, Result};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Editors write a file in several steps.
const CALM: Duration = Duration::from_millis(200);

/// A part of the house that changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Function(String),
    /// What every function is built from.
    Shared,
    Migrations,
}

pub struct Watch {
    saved: UnboundedReceiver<Change>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    pub fn new(root: &Path) -> Result<Self> {
        let root = root.canonicalize()?;
        let (tell, saved) = unbounded_channel();
        let base = root.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            for path in &event.paths {
                if let Some(change) = path.strip_prefix(&base).ok().and_then(part_of) {
                    let _ = tell.send(change);
                }
            }
        })
        .context("cannot watch for saved files")?;
        for folder in ["functions", "shared", "migrations"] {
            watcher
                .watch(&root.join(folder), RecursiveMode::Recursive)
                .with_context(|| format!("cannot watch {folder}"))?;
        }
        Ok(Self { saved, _watcher: watcher })
    }

    /// Waits for a save, then for calm.
    pub async fn next(&mut self) -> BTreeSet<Change> {
        let mut changes = BTreeSet::new();
        let Some(first) = self.saved.recv().await else { return std::future::pending().await };
        changes.insert(first);
        while let Ok(Some(change)) = tokio::time::timeout(CALM, self.saved.recv()).await {
            changes.insert(change);
        }
        changes
    }
}

/// Which part a path belongs to, from the root; None for what a build writes and editors leave lying about.
fn part_of(path: &Path) -> Option<Change> {
    let parts: Vec<&str> = path.components().map(Component::as_os_str).filter_map(|part| part.to_str()).collect();
    let (name, folders) = parts.split_last()?;
    if folders.iter().any(|folder| ["build", "target", ".wrangler"].contains(folder)) || *name == "build" {
        return None;
    }
    let wanted = [".rs", ".sql", ".js", "Cargo.toml"];
    if name.starts_with('.') || !wanted.iter().any(|suffix| name.ends_with(suffix)) {
        return None;
    }
    match (folders.first()?, folders.get(1)) {
        (&"functions", Some(function)) => Some(Change::Function((*function).to_owned())),
        (&"shared", _) => Some(Change::Shared),
        (&"migrations", _) if name.ends_with(".sql") => Some(Change::Migrations),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_save_counts_and_what_a_build_writes_does_not() {
        let health = || Some(Change::Function("health".into()));
        for (path, expected) in [
            ("functions/health/src/lib.rs", health()),
            ("functions/health/Cargo.toml", health()),
            ("functions/health/build/index.js", None),
            ("functions/health/wrangler.toml", None),
            ("functions/health/src/.lib.rs.swp", None),
            ("shared/src/edge/serve.rs", Some(Change::Shared)),
            ("migrations/20260101000001_a.sql", Some(Change::Migrations)),
            ("migrations/README.md", None),
        ] {
            assert_eq!(part_of(Path::new(path)), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn several_writes_to_one_file_are_one_change() {
        let dir = tempfile::tempdir().expect("dir");
        for folder in ["functions/health/src", "shared", "migrations"] {
            std::fs::create_dir_all(dir.path().join(folder)).expect("made");
        }
        let mut watch = Watch::new(dir.path()).expect("a watch");
        for text in ["one", "two", "three"] {
            std::fs::write(dir.path().join("functions/health/src/lib.rs"), text).expect("written");
        }
        let changes = tokio::time::timeout(Duration::from_secs(10), watch.next()).await.expect("a change");
        assert_eq!(changes, BTreeSet::from([Change::Function("health".into())]));
    }
}
