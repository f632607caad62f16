//! Lists every `functions/<name>/src/wire.rs`, so that nobody keeps a second list of functions.

#![allow(clippy::expect_used, reason = "a build that cannot list the functions ends here, with its cause")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where this is"));
    let root = here.ancestors().nth(2).expect("scripts/openapi is two folders deep").to_path_buf();
    // A new function is a new member, and so a line of the lock file.
    println!("cargo::rerun-if-changed={}", root.join("Cargo.lock").display());
    let mut wires = Vec::new();
    for entry in fs::read_dir(root.join("functions")).expect("functions/").flatten() {
        let sources = entry.path().join("src");
        if !sources.is_dir() {
            continue;
        }
        println!("cargo::rerun-if-changed={}", sources.display());
        let name = entry.file_name().to_string_lossy().into_owned();
        if sources.join("wire.rs").is_file() {
            wires.push((name.replace('-', "_"), sources.join("wire.rs")));
        }
    }
    wires.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo gives a folder")).join("functions.rs");
    fs::write(&out, modules(&wires)).expect("the list is written");
}

fn modules(wires: &[(String, PathBuf)]) -> String {
    let mut out = String::new();
    for (module, file) in wires {
        let file: &Path = file;
        writeln!(out, "#[path = {:?}]\npub mod {module};", file.display().to_string()).expect("text");
    }
    let list: Vec<_> = wires.iter().map(|(module, _)| format!("&{module}::WIRE")).collect();
    writeln!(out, "pub const WIRES: &[&shared::wire::Wire] = &[{}];", list.join(", ")).expect("text");
    out
}
