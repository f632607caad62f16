//! A copy of the project as it lies there, what was not committed included: nobody's own sources are edited.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result};

/// What builds, npm, git and a stack have written; none of it is a source.
const WRITTEN: [&str; 6] = [".cauris", ".git", ".wrangler", "build", "node_modules", "target"];

/// npm's packages are large and nobody changes them: the copy borrows them.
pub fn project(from: &Path, to: &Path) -> Result<()> {
    sources(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    symlink(from.join("node_modules"), to.join("node_modules"))?;
    Ok(())
}

fn sources(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_file() {
            fs::copy(entry.path(), target)?;
        } else if kind.is_dir() && !WRITTEN.iter().any(|written| entry.file_name() == *written) {
            sources(&entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_copied_and_what_was_written_from_them_is_not() {
        let dir = tempfile::tempdir().expect("dir");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for file in ["Cargo.toml", ".cargo/config.toml", "functions/a/src/build.rs", "functions/a/build/index.js"] {
            let file = from.join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, "text").expect("written");
        }
        fs::create_dir(from.join("node_modules")).expect("made");
        project(&from, &to).expect("copied");
        for (file, expected) in [
            ("Cargo.toml", true),
            (".cargo/config.toml", true),
            ("functions/a/src/build.rs", true),
            ("functions/a/build", false),
            ("node_modules", true),
        ] {
            assert_eq!(to.join(file).exists(), expected, "{file}");
        }
        assert!(to.join("node_modules").is_symlink());
    }
}
