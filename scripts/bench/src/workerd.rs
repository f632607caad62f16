//! One bare `workerd` per subject, so that its CPU time is the subject's and nobody else's. It serves several workers,
//! each on a door of its own, as routes do in production: only the case `hop` goes through a router.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use xtask::capnp::{COMPATIBILITY_DATE, V8_FLAGS};

/// The folder in which objects keep what they count, and the service that gives access to it.
const OBJECTS: &str = "objects";
const LIMITER: &str = "bench:limiter";

/// So many calls of one caller in so many seconds.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    pub calls: u32,
    pub seconds: u32,
}

/// One worker of a process.
#[derive(Clone, Default)]
pub struct Worker {
    pub name: String,
    pub script: PathBuf,
    /// Imported by the script under the name that worker-build gives it.
    pub wasm: Option<PathBuf>,
    pub texts: BTreeMap<String, String>,
    /// Binding and the worker behind it.
    pub services: Vec<(String, String)>,
    /// Binding of a rate limiter and how much it lets in.
    pub limits: Vec<(String, Quota)>,
    /// Binding, class, and the worker that holds the objects of it.
    pub objects: Vec<(String, String, String)>,
    /// The classes that it holds for the others.
    pub held: Vec<String>,
    pub port: Option<u16>,
}

/// Writes the configuration and what it embeds; workerd finds embedded files beside it.
pub fn write(dir: &Path, workers: &[Worker]) -> Result<PathBuf> {
    fs::create_dir_all(dir.join(OBJECTS))?;
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
    if workers.iter().any(|worker| !worker.held.is_empty()) {
        let _ = writeln!(services, "    (name = \"{OBJECTS}\", disk = (path = \"{OBJECTS}\", writable = true)),");
    }
    format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (\n  services = [\n{services}    \
         (name = \"internet\", network = (allow = [\"public\", \"private\", \"local\"])),\n  ],\n  \
         sockets = [\n{sockets}  ],\n{extensions}  v8Flags = {V8_FLAGS},\n);\n{constants}",
        extensions = extensions(workers),
    )
}

/// Only what is built in can wrap a binding; an extension is built in.
fn extensions(workers: &[Worker]) -> String {
    if workers.iter().all(|worker| worker.limits.is_empty()) {
        return String::new();
    }
    let module = quoted(include_str!("workerd/limiter.js"));
    format!("  extensions = [(modules = [(name = \"{LIMITER}\", internal = true, esModule = {module})])],\n")
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
    let limits = worker.limits.iter().map(|(name, quota)| limiter(name, *quota));
    let objects = worker.objects.iter().map(|(name, class, holder)| {
        let (name, class, holder) = (quoted(name), quoted(class), quoted(holder));
        format!("(name = {name}, durableObjectNamespace = (className = {class}, serviceName = {holder}))")
    });
    let bindings: Vec<String> = texts.chain(services).chain(limits).chain(objects).collect();
    format!(
        "(\n  modules = [{}],\n  bindings = [\n    {}\n  ],\n{}  compatibilityDate = \"{COMPATIBILITY_DATE}\",\n)",
        modules.join(", "),
        bindings.join(",\n    "),
        held(worker),
    )
}

fn limiter(name: &str, quota: Quota) -> String {
    let number = |name: &str, value: u32| format!("(name = {}, json = \"{value}\")", quoted(name));
    let inner = [number("calls", quota.calls), number("seconds", quota.seconds)].join(", ");
    format!("(name = {}, wrapped = (moduleName = \"{LIMITER}\", innerBindings = [{inner}]))", quoted(name))
}

fn held(worker: &Worker) -> String {
    if worker.held.is_empty() {
        return String::new();
    }
    let namespaces = worker.held.iter().map(|class| {
        let key = quoted(&key(class));
        format!("(className = {}, uniqueKey = {key}, enableSql = true)", quoted(class))
    });
    let namespaces = namespaces.collect::<Vec<_>>().join(", ");
    format!("  durableObjectNamespaces = [{namespaces}],\n  durableObjectStorage = (localDisk = \"{OBJECTS}\"),\n")
}

/// Under it a class keeps its objects.
fn key(class: &str) -> String {
    format!("bench-{}", class.to_lowercase())
}

/// Where, beside the configuration.
pub fn kept(class: &str) -> PathBuf {
    Path::new(OBJECTS).join(key(class))
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
            port,
            ..Worker::default()
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
    fn a_limiter_and_the_objects_that_count_are_bound_where_they_are_asked_for() {
        let bare = config(&[worker("front", None)]);
        assert!(["extensions", "objects", "wrapped"].iter().all(|word| !bare.contains(word)), "{bare}");
        let mut front = worker("front", None);
        front.limits.push(("RATE_LIMIT".into(), Quota { calls: 20, seconds: 60 }));
        front.objects.push(("METER".into(), "Meter".into(), "counters".into()));
        let counters = Worker { held: vec!["Meter".into()], ..worker("counters", None) };
        let text = config(&[front, counters]);
        for expected in [
            r#"(name = "bench:limiter", internal = true, esModule = "// What"#,
            r#"(name = "RATE_LIMIT", wrapped = (moduleName = "bench:limiter", innerBindings = ["#,
            r#"[(name = "calls", json = "20"), (name = "seconds", json = "60")]"#,
            r#"(name = "METER", durableObjectNamespace = (className = "Meter", serviceName = "counters"))"#,
            r#"(className = "Meter", uniqueKey = "bench-meter", enableSql = true)"#,
            r#"(name = "objects", disk = (path = "objects", writable = true))"#,
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }

    #[test]
    fn a_script_that_was_not_built_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        let error = write(dir.path(), &[worker("front", None)]).expect_err("there is no x.js");
        assert!(error.to_string().contains("x.js is not built"), "{error}");
    }
}
