//! For what ships. What wasm-bindgen exports of crates that nobody here uses: classes that JavaScript could make. An export is a
//! root, so with them stay their methods, the promises and closures of those, and as much JavaScript again. The linker is not asked
//! for them; what it then made is cleared of what tells wasm-bindgen about them.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::house;

mod names;
mod wasm;

pub use names::shorten;
use wasm::{CUSTOM, EXPORTS, chunk, number, read};

/// Of `worker` and of `wasm-streams`. No binding of ours takes or gives one.
const CLASSES: [&str; 6] = [
    "ContainerStartupOptions",
    "IntoUnderlyingByteSource",
    "IntoUnderlyingSink",
    "IntoUnderlyingSource",
    "MinifyConfig",
    "R2Range",
];
/// wasm-bindgen's notes to itself: pairs of texts, of which the second describes what one macro was written on.
const NOTES: &[u8] = b"__wasm_bindgen_unstable";

/// What cargo must be told, so that it links without them. Where there is no POSIX shell it links with them, and is some 5 KB larger.
pub fn linker() -> Vec<(&'static str, OsString)> {
    if !cfg!(unix) {
        return Vec::new();
    }
    vec![
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", house::root().join("scripts/src/slim/linker.sh").into()),
        ("UNMADE", CLASSES.join(" ").to_ascii_lowercase().into()),
    ]
}

/// Rewrites a library where it lies, so that whoever links to the same file, cargo does, sees the same. Once is enough.
pub fn slim(wasm: &Path) -> Result<()> {
    let bytes = fs::read(wasm).with_context(|| format!("cannot read {}", house::shown(wasm)))?;
    let slim = without_classes(&bytes).with_context(|| format!("{} is no library of ours", house::shown(wasm)))?;
    if slim != bytes {
        fs::write(wasm, slim)?;
    }
    Ok(())
}

fn without_classes(module: &[u8]) -> Option<Vec<u8>> {
    wasm::rewritten(module, |kind, section| match kind {
        CUSTOM => Some(Some(notes(section)?)),
        EXPORTS => Some(Some(exports(section)?)),
        _ => Some(Some(section.to_vec())),
    })
}

fn exports(section: &[u8]) -> Option<Vec<u8>> {
    let mut rest = section;
    let (mut kept, mut count) = (Vec::new(), 0);
    for _ in 0..read(&mut rest)? {
        let whole = rest;
        let name = chunk(&mut rest)?.to_ascii_lowercase();
        rest = rest.get(1..)?;
        read(&mut rest)?;
        if !CLASSES.iter().any(|class| holds(&name, class.to_ascii_lowercase().as_bytes())) {
            kept.extend(whole.get(..whole.len() - rest.len())?);
            count += 1;
        }
    }
    Some([number(count), kept].concat())
}

fn notes(section: &[u8]) -> Option<Vec<u8>> {
    let mut rest = section;
    if chunk(&mut rest)? != NOTES {
        return Some(section.to_vec());
    }
    let mut kept = section.get(..section.len() - rest.len())?.to_vec();
    while !rest.is_empty() {
        let whole = rest;
        note(&mut rest)?;
        let described = note(&mut rest)?;
        if !CLASSES.iter().any(|class| holds(described, class.as_bytes())) {
            kept.extend(whole.get(..whole.len() - rest.len())?);
        }
    }
    Some(kept)
}

/// Its length in four bytes, and a text.
fn note<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = after;
    Some(text)
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, process::Command};

    use super::wasm::text;
    use super::*;

    fn section(kind: u8, body: Vec<u8>) -> Vec<u8> {
        [vec![kind], text(&body)].concat()
    }

    /// A library with these exports, each of the function of that number, and these macros.
    fn module(exports: &[(&str, usize)], macros: &[&str]) -> Vec<u8> {
        let exported = exports.iter().flat_map(|(name, of)| [text(name.as_bytes()), vec![0], number(*of)].concat());
        let note = |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat();
        let noted = macros.iter().flat_map(|on| [note("{}"), note(on)].concat());
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(3, vec![7; 200]),
            section(EXPORTS, number(exports.len()).into_iter().chain(exported).collect()),
            section(CUSTOM, text(NOTES).into_iter().chain(noted).collect()),
            section(CUSTOM, [text(b"name"), b"R2Range".to_vec()].concat()),
        ]
        .concat()
    }

    #[test]
    fn classes_of_others_go_with_their_exports_and_everything_else_stays() {
        let long = "y".repeat(300);
        let fat = module(
            &[("memory", 0), ("__wbg_r2range_free_a2", 1), ("fetch", 300), ("intounderlyingsink_write", 2), (&long, 9)],
            &["fetch", "of R2Range\0", &long, "IntoUnderlyingSink"],
        );
        let slim = module(&[("memory", 0), ("fetch", 300), (&long, 9)], &["fetch", &long]);
        assert_eq!(without_classes(&fat).as_deref(), Some(&*slim));
        assert_eq!(without_classes(&slim).as_deref(), Some(&*slim), "once is enough");
    }

    #[test]
    #[cfg(unix)]
    fn the_linker_is_asked_for_everything_but_those_classes() {
        let dir = tempfile::tempdir().unwrap();
        let linker = dir.path().join("rust-lld");
        fs::write(&linker, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
        fs::set_permissions(&linker, Permissions::from_mode(0o755)).unwrap();
        let [(_, script), (name, classes)] = &super::linker()[..] else { panic!("a shell is here") };
        let asked = [
            "-flavor",
            "wasm",
            "--export",
            "fetch_1",
            "--export",
            "__wbg_r2range_free_2",
            "--export",
            "a b",
            "x.o",
            "-O2",
        ];
        let path = std::env::join_paths([dir.path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
        let told = Command::new(script).args(asked).env(name, classes).env("PATH", path).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let expected = ["-flavor", "wasm", "--export=fetch_1", "--export=a b", "x.o", "-O2"];
        assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn half_a_library_is_none() {
        let whole = module(&[("fetch", 1)], &["fetch"]);
        for length in [0, 5, 12, whole.len() - 1] {
            assert_eq!(without_classes(&whole[..length]), None, "{length}");
        }
    }
}
