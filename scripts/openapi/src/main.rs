//! The part of `cargo xtask gen` that needs the functions compiled: docs/openapi.json and clients/ts.

use std::fs;

use anyhow::{Context, Result, ensure};
use xtask::house;

fn main() -> Result<()> {
    let check = std::env::args().any(|argument| argument == "--check");
    let stale = openapi::stale()?;
    if check {
        let names: Vec<_> = stale.iter().map(|(file, _)| house::shown(file)).collect();
        ensure!(names.is_empty(), "stale: {}; run `cargo xtask gen`", names.join(", "));
        return Ok(());
    }
    for (file, fresh) in &stale {
        fs::create_dir_all(file.parent().context("a file has a folder")?)?;
        fs::write(file, fresh).with_context(|| format!("cannot write {}", file.display()))?;
        println!("wrote {}", house::shown(file));
    }
    Ok(())
}
