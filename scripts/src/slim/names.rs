//! The names under which a bundle's WebAssembly and its JavaScript know each other. wasm-bindgen makes each import's of what it
//! is and of a hash, which no compression helps; between the two files any name will do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::wasm::{self, CUSTOM, IMPORTS, chunk, number, read, text};
use crate::house;

const FUNCTION: u8 = 0;
const TAG: u8 = 4;

/// Names by their long form.
type Names = BTreeMap<String, String>;

/// Rewrites both files of a bundle. The names of functions go too: those of rustc are stripped already.
pub fn shorten(place: &Path) -> Result<()> {
    let (wasm, script) = (place.join("index_bg.wasm"), place.join("index.js"));
    let mut names = Names::new();
    let module = fs::read(&wasm)?;
    let module = wasm::rewritten(&module, |kind, section| match kind {
        IMPORTS => Some(Some(imports(section, &mut names)?)),
        CUSTOM => Some((chunk(&mut &*section)? != b"name").then(|| section.to_vec())),
        _ => Some(Some(section.to_vec())),
    });
    let module = module.with_context(|| format!("{} has other imports than functions", house::shown(&wasm)))?;
    let (text, renamed) = renamed(&fs::read_to_string(&script)?, &names);
    ensure!(renamed == names.len(), "{} names {renamed} of {} imports", house::shown(&script), names.len());
    fs::write(wasm, module)?;
    fs::write(script, text)?;
    Ok(())
}

fn imports(section: &[u8], names: &mut Names) -> Option<Vec<u8>> {
    let mut rest = section;
    let count = read(&mut rest)?;
    let mut all = number(count);
    for _ in 0..count {
        let from = chunk(&mut rest)?;
        let long = str::from_utf8(chunk(&mut rest)?).ok()?;
        let next = format!("i{}", names.len());
        let short = names.entry(long.to_owned()).or_insert(next);
        all.extend([text(from), text(short.as_bytes())].concat());
        let what = rest;
        let (kind, after) = rest.split_first()?;
        rest = if *kind == TAG { after.get(1..)? } else { after };
        (*kind == FUNCTION || *kind == TAG).then_some(())?;
        read(&mut rest)?;
        all.extend(what.get(..what.len() - rest.len())?);
    }
    Some(all)
}

/// Every word that is a long name, and how many of the names there were.
fn renamed(script: &str, names: &Names) -> (String, usize) {
    let mut found = std::collections::BTreeSet::new();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut text = String::with_capacity(script.len());
    let mut rest = script;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        let (between, after) = after.split_at(after.find(is_part).unwrap_or(after.len()));
        let short = names.get(word);
        found.extend(short);
        text.push_str(short.map_or(word, String::as_str));
        text.push_str(between);
        rest = after;
    }
    (text, found.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(name: &str, what: &[u8]) -> Vec<u8> {
        [text(b"./index_bg.js"), text(name.as_bytes()), what.to_vec()].concat()
    }

    fn bundle(names: [&str; 2], named: &[u8]) -> Vec<u8> {
        let section = |kind: u8, body: &[u8]| [vec![kind], text(body)].concat();
        let all = [number(2), import(names[0], &[FUNCTION, 0x81, 1]), import(names[1], &[TAG, 0, 3])].concat();
        [b"\0asm\x01\0\0\0".to_vec(), section(IMPORTS, &all), section(10, b"code"), named.to_vec()].concat()
    }

    #[test]
    fn both_files_call_an_import_by_the_same_short_name() {
        let dir = tempfile::tempdir().unwrap();
        let (wasm, script) = (dir.path().join("index_bg.wasm"), dir.path().join("index.js"));
        let long = ["__wbg_get_0123456789abcdef", "__wbindgen_jstag"];
        fs::write(&wasm, bundle(long, &[&[CUSTOM, 6][..], &text(b"name"), b"x"].concat())).unwrap();
        fs::write(&script, "var a={__wbg_get_0123456789abcdef(e){},__wbindgen_jstag:T,__wbg_get:1};é").unwrap();
        shorten(dir.path()).unwrap();
        assert_eq!(fs::read(&wasm).unwrap(), bundle(["i0", "i1"], &[]));
        assert_eq!(fs::read_to_string(&script).unwrap(), "var a={i0(e){},i1:T,__wbg_get:1};é");
    }

    #[test]
    fn an_import_that_the_script_does_not_name_stops_the_build_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let whole = bundle(["__wbg_a", "__wbg_b"], &[]);
        fs::write(dir.path().join("index_bg.wasm"), &whole).unwrap();
        fs::write(dir.path().join("index.js"), "var a={__wbg_a(e){}}").unwrap();
        let error = shorten(dir.path()).unwrap_err().to_string();
        assert!(error.contains("1 of 2 imports"), "{error}");
        assert_eq!(fs::read(dir.path().join("index_bg.wasm")).unwrap(), whole);
    }
}
