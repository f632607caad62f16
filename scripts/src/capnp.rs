//! The configuration of a bare `workerd`: every function in one process, the gateway in front. For benchmarks, and for
//! operators who host themselves: `workerd serve FILE`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::house::{self, Function};
use crate::wrangler;

/// The date of `wrangler.toml`.
pub const COMPATIBILITY_DATE: &str = "2026-04-01";
/// A folder, and the service that gives access to it.
const OBJECTS: &str = "objects";

/// A scavenge frees none of what a request leaves, because each of its objects stands for one of workerd's own: by default it lies
/// about until a heap is full, a hundred megabytes for every function. What lives is less than one, so collecting everything
/// each time is cheap (docs/benchmarks.md, suite soak).
pub const V8_FLAGS: &str = r#"["--gc-global"]"#;

/// The text, for a file that lies in the root of the repository: workerd reads paths relative to the file.
pub fn capnp(functions: &[Function], vars: &BTreeMap<String, String>, port: u16, limits: bool) -> String {
    capnp_from("", functions, vars, port, limits)
}

/// Writes the configuration anywhere; `file`'s folder must exist. Beside it lies what the objects keep. `limits`: as in
/// production.
pub fn write(
    file: &Path,
    functions: &[Function],
    vars: &BTreeMap<String, String>,
    port: u16,
    limits: bool,
) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().with_context(|| format!("there is no folder {}", folder.display()))?;
    let root = house::root().canonicalize()?;
    let prefix = relative(&folder, &root);
    fs::create_dir_all(folder.join(OBJECTS))?;
    fs::write(file, capnp_from(&prefix, functions, vars, port, limits))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// How `to` is reached from `from`: empty, or with a slash at its end.
fn relative(from: &Path, to: &Path) -> String {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let mut path = "../".repeat(from.components().count() - shared);
    for part in to.components().skip(shared) {
        path.push_str(&part.as_os_str().to_string_lossy());
        path.push('/');
    }
    path
}

fn capnp_from(
    prefix: &str,
    functions: &[Function],
    vars: &BTreeMap<String, String>,
    port: u16,
    limits: bool,
) -> String {
    let mut services = String::new();
    let mut workers = String::new();
    for function in functions {
        let (name, id) = (&function.name, identifier(&function.name));
        let _ = writeln!(services, "    (name = {}, worker = .{id}),", quoted(name));
        workers.push_str(&worker(prefix, function, functions, vars, limits));
        if has_docs(function) {
            let folder = function.dir.join(wrangler::DOCS);
            let _ = writeln!(services, "    (name = \"docs\", disk = {}),", quoted(&folder.to_string_lossy()));
        }
    }
    format!(
        r#"# Written by xtask::capnp.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
{services}    # The functions call Postgres' gateway and the payment provider; both may be on this machine.
    (name = "internet", network = (
      allow = ["public", "private", "local"],
      tlsOptions = (trustBrowserCas = true))),
    # What the objects keep, in the folder where workerd is started. In memory they would lose it when they are idle.
    (name = "{OBJECTS}", disk = (path = "{OBJECTS}", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "gateway")],
  v8Flags = {V8_FLAGS},
);
{workers}"#
    )
}

fn worker(
    prefix: &str,
    function: &Function,
    functions: &[Function],
    vars: &BTreeMap<String, String>,
    limits: bool,
) -> String {
    let (name, id) = (&function.name, identifier(&function.name));
    let build = format!("{prefix}functions/{name}/build");
    let names = [wrangler::vars(function), wrangler::secrets(function), wrangler::optional_secrets(function)].concat();
    let mut bindings: Vec<_> = names
        .into_iter()
        .filter_map(|name| vars.get(name).map(|value| format!("(name = {}, text = {})", quoted(name), quoted(value))))
        .collect();
    if has_docs(function) {
        bindings.push("(name = \"ASSETS\", service = \"docs\")".to_owned());
    }
    if function.is_gateway() {
        let services = wrangler::services(functions);
        bindings.extend(
            services
                .iter()
                .map(|(binding, target)| format!("(name = {}, service = {})", quoted(binding), quoted(&target.name))),
        );
    }
    for (binding, class, holder) in wrangler::objects(function, functions, limits, true) {
        let (binding, class, holder) = (quoted(binding), quoted(class), quoted(&holder.name));
        bindings.push(format!(
            "(name = {binding}, durableObjectNamespace = (className = {class}, serviceName = {holder}))"
        ));
    }
    let held = held(function);
    let bindings = bindings.iter().fold(String::new(), |text, binding| text + "    " + binding + ",\n");
    format!(
        r#"
const {id} :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed {js}),
    (name = "index_bg.wasm", wasm = embed {wasm}),
  ],
  bindings = [
{bindings}  ],
{held}  compatibilityDate = "{COMPATIBILITY_DATE}",
);
"#,
        js = quoted(&format!("{build}/index.js")),
        wasm = quoted(&format!("{build}/index_bg.wasm")),
    )
}

/// The API reference lies beside the gateway once it is built. Its path is whole: workerd would look from where it is started.
fn has_docs(function: &Function) -> bool {
    function.is_gateway() && function.dir.join(wrangler::DOCS).is_dir()
}

/// The objects that a worker holds for the others.
fn held(function: &Function) -> String {
    if !function.is_durable() {
        return String::new();
    }
    let namespaces = function.durable.iter().map(|class| {
        let key = format!("cauris-{}", class.to_lowercase());
        format!("(className = {}, uniqueKey = {}, enableSql = true)", quoted(class), quoted(&key))
    });
    let namespaces: Vec<_> = namespaces.collect();
    format!(
        "  durableObjectNamespaces = [{}],\n  durableObjectStorage = (localDisk = \"{OBJECTS}\"),\n",
        namespaces.join(", ")
    )
}

/// Cap'n Proto's constants are camelCase; `f` keeps a function from being called `config`.
fn identifier(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let (head, tail) = part.split_at(part.len().min(1));
        head.to_uppercase() + tail
    });
    format!("f{}", parts.collect::<String>())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::{Auth, Binding, Limit};

    fn function(name: &str, auth: Auth, aliases: &[&str]) -> Function {
        Function {
            name: name.into(),
            dir: name.into(),
            auth,
            limit: Limit::None,
            bindings: vec![Binding::Db],
            aliases: aliases.iter().map(ToString::to_string).collect(),
            crons: vec![],
            crate_types: vec!["cdylib".into()],
            durable: vec![],
        }
    }

    #[test]
    fn the_gateway_answers_on_the_port_and_reaches_every_name() {
        let functions = [function("gateway", Auth::Public, &[]), function("taxi-payment", Auth::User, &["taxi-pay"])];
        let vars = [("JWT_SECRET", "s\"e\\c"), ("POSTGREST_URL", "http://127.0.0.1:3000"), ("UNUSED", "x")];
        let vars = vars.map(|(name, value)| (name.to_string(), value.to_string())).into();
        let text = capnp(&functions, &vars, 8111, false);
        for expected in [
            r#"address = "127.0.0.1:8111", http = (), service = "gateway""#,
            r#"(name = "taxi-payment", worker = .fTaxiPayment)"#,
            r#"(name = "FN_TAXI_PAYMENT", service = "taxi-payment")"#,
            r#"(name = "FN_TAXI_PAY", service = "taxi-payment")"#,
            r#"embed "functions/taxi-payment/build/index_bg.wasm""#,
            r#"(name = "JWT_SECRET", text = "s\"e\\c")"#,
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
        assert!(!text.contains("UNUSED"), "a function gets what its manifest asks for");
        assert_eq!(text.matches("JWT_SECRET").count(), 1, "the gateway checks no token, so it knows no key");
    }

    #[test]
    fn without_the_platform_s_limits_an_object_counts_for_everybody() {
        let counters =
            Function { durable: vec!["Limiter".into(), "Meter".into()], ..function("counters", Auth::Public, &[]) };
        let payment = Function { limit: Limit::Payment, ..function("pay", Auth::User, &[]) };
        let functions = [counters, payment, function("gateway", Auth::Public, &[])];
        let text = |limits| capnp(&functions, &BTreeMap::new(), 8111, limits);
        let bound = r#"(name = "LIMITS", durableObjectNamespace = (className = "Limiter", serviceName = "counters"))"#;
        assert_eq!(text(true).matches(bound).count(), 2);
        assert_eq!(text(false).matches(bound).count(), 0);
        assert_eq!(text(false).matches(r#"(name = "METER", "#).count(), 2, "figures are counted without limits too");
        assert!(text(true).contains(r#"(className = "Limiter", uniqueKey = "cauris-limiter", enableSql = true)"#));
        assert!(!text(true).contains("FN_COUNTERS"), "nobody calls the objects' worker by name");
    }

    #[test]
    fn a_bare_workerd_behaves_like_the_deployed_one() {
        let environments = wrangler::environment::Environments::read().unwrap();
        assert_eq!(environments.compatibility_date, COMPATIBILITY_DATE);
    }

    #[test]
    fn paths_lead_from_the_file_to_the_functions() {
        for (from, to, expected) in [("/a/b", "/a/b", ""), ("/a/b/c", "/a/b", "../"), ("/x/y", "/a/b", "../../a/b/")] {
            assert_eq!(relative(Path::new(from), Path::new(to)), expected, "{from} to {to}");
        }
    }
}
