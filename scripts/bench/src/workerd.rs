//! One bare `workerd` per subject, so that its CPU time is the subject's and nobody else's. It serves several workers,
//! each on a door of its own, as routes do in production: only the case `hop` goes through a router.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The date of `wrangler.toml`.
const COMPATIBILITY_DATE: &str = "2026-04-01";

/// One worker of a process.
pub struct Worker {
    pub name: String,
    pub script: PathBuf,
    /// Imported by the script under the name that worker-build gives it.
    pub wasm: Option<PathBuf>,
    pub texts: BTreeMap<String, String>,
    /// Binding and the worker behind it.
    pub services: Vec<(String, String)>,
    pub port: Option<u16>,
}

/// Writes the configuration and what it embeds; workerd finds embedded files beside it.
pub fn write(dir: &Path, workers: &[Worker]) -> Result<PathBuf> {
    fs::create_dir_all(dir)?;
    for worker in workers {
        copy(&worker.script, &dir.join(format!("{}.js", worker.name)))?;
        if let Some(wasm) = &worker.wasm {
            copy(wasm, &dir.join(format!("{}.wasm", worker.name)))?;
        }
    }
    let file = dir.join("config.capnp");
    fs::write(&file, config(workers))?;
    Ok(file)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} is not built", from.display()))?;
    Ok(())
}

fn config(workers: &[Worker]) -> String {
    let (mut services, mut sockets, mut constants) = (String::new(), String::new(), String::new());
    for (number, worker) in workers.iter().enumerate() {
        let name = quoted(&worker.name);
        let _ = writeln!(services, "    (name = {name}, worker = .w{number}),");
        if let Some(port) = worker.port {
            let address = quoted(&format!("127.0.0.1:{port}"));
            let _ = writeln!(sockets, "    (name = {name}, address = {address}, http = (), service = {name}),");
        }
        let _ = writeln!(constants, "const w{number} :Workerd.Worker = {};", body(worker));
    }
    format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (\n  services = [\n{services}    \
         (name = \"internet\", network = (allow = [\"public\", \"private\", \"local\"])),\n  ],\n  \
         sockets = [\n{sockets}  ],\n);\n{constants}"
    )
}

fn body(worker: &Worker) -> String {
    let script = quoted(&format!("{}.js", worker.name));
    let mut modules = vec![format!("(name = \"index.js\", esModule = embed {script})")];
    if worker.wasm.is_some() {
        let wasm = quoted(&format!("{}.wasm", worker.name));
        modules.push(format!("(name = \"index_bg.wasm\", wasm = embed {wasm})"));
    }
    let texts = worker.texts.iter().map(|(name, text)| format!("(name = {}, text = {})", quoted(name), quoted(text)));
    let services =
        worker.services.iter().map(|(name, to)| format!("(name = {}, service = {})", quoted(name), quoted(to)));
    let bindings: Vec<String> = texts.chain(services).collect();
    format!(
        "(\n  modules = [{}],\n  bindings = [\n    {}\n  ],\n  compatibilityDate = \"{COMPATIBILITY_DATE}\",\n)",
        modules.join(", "),
        bindings.join(",\n    ")
    )
}

/// JSON's escapes are Cap'n Proto's too, for the printable text that settings are.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str, port: Option<u16>) -> Worker {
        Worker {
            name: name.into(),
            script: "x.js".into(),
            wasm: None,
            texts: BTreeMap::from([("JWT_JWKS".into(), r#"{"keys":[]}"#.into())]),
            services: vec![],
            port,
        }
    }

    #[test]
    fn a_worker_with_a_port_has_a_door_and_one_without_has_none() {
        let text = config(&[worker("front", Some(8111)), worker("back", None)]);
        assert!(text.contains(r#"address = "127.0.0.1:8111", http = (), service = "front""#), "{text}");
        assert_eq!(text.matches("address =").count(), 1, "{text}");
        assert!(text.contains(r#"(name = "back", worker = .w1)"#), "{text}");
    }

    #[test]
    fn settings_are_quoted_and_services_are_bound() {
        let mut front = worker("front", None);
        front.services.push(("FN_HELLO".into(), "hello".into()));
        front.wasm = Some("x.wasm".into());
        let text = config(&[front]);
        assert!(text.contains(r#"(name = "JWT_JWKS", text = "{\"keys\":[]}")"#), "{text}");
        assert!(text.contains(r#"(name = "FN_HELLO", service = "hello")"#), "{text}");
        assert!(text.contains(r#"(name = "index_bg.wasm", wasm = embed "front.wasm")"#), "{text}");
    }

    #[test]
    fn a_script_that_was_not_built_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let error = write(dir.path(), &[worker("front", None)]).expect_err("there is no x.js");
        assert!(error.to_string().contains("x.js is not built"), "{error}");
    }
}
