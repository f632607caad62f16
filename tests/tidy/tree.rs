//! The files of the repository, as text.

use std::fs;
use std::path::{Path, PathBuf};

use xtask::house;

/// Folders that hold nothing we wrote.
const FOREIGN: [&str; 7] = ["target", "node_modules", ".git", ".cauris", ".wrangler", "out", "build"];

pub struct Text {
    /// From the root, with slashes.
    pub path: String,
    pub text: String,
}

impl Text {
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// Every text file below `folder` (of the root) whose name ends with one of `endings`; all of them when there are none.
pub fn files(folder: &str, endings: &[&str]) -> Vec<Text> {
    let root = house::root();
    let mut paths = Vec::new();
    walk(&root.join(folder), &mut paths);
    paths.sort();
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        endings.is_empty() || endings.iter().any(|ending| name.ends_with(ending))
    };
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?; // Not text: nothing to read.
        Some(Text { path: path.strip_prefix(&root).ok()?.to_string_lossy().replace('\\', "/"), text })
    };
    paths.into_iter().filter(wanted).filter_map(read).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if FOREIGN.iter().any(|foreign| name == *foreign) {
            continue;
        }
        if path.is_dir() {
            walk(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

/// Fails with every offender at once, each on its own line, under one advice.
#[track_caller]
pub fn none(offenders: &[String], advice: &str) {
    assert!(offenders.is_empty(), "{advice}:\n  {}", offenders.join("\n  "));
}

/// The lines of a Rust file that ship: no comments, and nothing of its test module. Numbers count from one.
pub fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut lines = text.lines().enumerate().peekable();
    std::iter::from_fn(move || {
        let (index, line) = lines.next()?;
        let tests_follow = lines.peek().is_some_and(|(_, next)| next.trim_start().starts_with("mod "));
        if line.trim() == "#[cfg(test)]" && tests_follow {
            return None; // Tests stand at the end of a file.
        }
        Some((index + 1, line))
    })
    .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Is `path` a file of tests or of their doubles?
pub fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.contains("/testing/")
        || path.ends_with("/testing.rs")
}

#[test]
fn what_ships_ends_where_the_tests_begin() {
    let text = "use a;\n// a comment\nfn b() {}\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";
    assert_eq!(shipped(text).collect::<Vec<_>>(), [(1, "use a;"), (3, "fn b() {}")]);
}
