//! All functions in one workerd: under `wrangler dev`, which serves again what is built again, or bare, which is fast.
//!
//! Settings are written into the data folder, one file per function, so that two stacks never share one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::house::Function;
use crate::process::{Child, DataDir, Launch, MARK, path_with};
use crate::stack::Runtime;
use crate::tools::Tools;
use crate::wrangler::environment::Environments;
use crate::{capnp, house, wrangler};

/// What the functions are started with.
pub struct Setup<'a> {
    pub tools: &'a Tools,
    pub dir: &'a DataDir,
    pub vars: &'a BTreeMap<String, String>,
    pub port: u16,
    pub runtime: Runtime,
    /// As in production. Off for tests that call more often than any person.
    pub rate_limits: bool,
}

/// Starts them, and returns once the gateway answers for itself.
pub async fn start(setup: &Setup<'_>) -> Result<Child> {
    let functions = house::functions()?;
    for function in &functions {
        let bundle = function.build_dir().join("index.js");
        ensure!(bundle.is_file(), "functions/{} is not built: run `cargo xtask build`", function.name);
    }
    let folder = setup.dir.path().join("workers");
    std::fs::create_dir_all(&folder)?;
    let launch = match setup.runtime {
        Runtime::WranglerDev => wrangler_dev(setup, &functions, &folder)?,
        Runtime::Workerd => workerd(setup, &functions, &folder)?,
        Runtime::None => bail!("there are no functions to start"),
    };
    let mut child = launch.env(MARK, setup.dir.mark()).log(setup.dir.path().join("logs/functions.log")).spawn()?;
    setup.dir.note(&child)?;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    let url = format!("http://127.0.0.1:{}/functions/v1/health", setup.port);
    let ready = async || {
        // Ours, and not an error page of wrangler: every answer of ours names its request.
        // A preflight: it looks for no database, which may still be starting; what health finds, it keeps for five seconds.
        let preflight = client.request(reqwest::Method::OPTIONS, &url).send().await;
        preflight.is_ok_and(|answer| answer.headers().contains_key("x-request-id"))
    };
    child.until(Duration::from_secs(90), ready).await?;
    Ok(child)
}

fn wrangler_dev(setup: &Setup<'_>, functions: &[Function], folder: &Path) -> Result<Launch> {
    let environments = Environments::read()?;
    let mut configs = Vec::new();
    for function in functions {
        let home = folder.join(&function.name);
        std::fs::create_dir_all(&home)?;
        let file = home.join("wrangler.toml");
        std::fs::write(&file, config(setup, function, functions, &environments)?)?;
        configs.push((!function.is_gateway(), file)); // The first is the one that gets the port.
    }
    configs.sort();
    let logs = setup.dir.path().join("logs/wrangler");
    let _ = std::fs::remove_dir_all(&logs); // One more file for every start, for ever.
    let mut launch = Launch::new("functions", &setup.tools.node)
        .args(["--no-warnings".as_ref(), setup.tools.wrangler_js.as_os_str()])
        .args(["dev", "--ip", "127.0.0.1", "--port", &setup.port.to_string(), "--inspector-port", "0"])
        .args(["--local", "--show-interactive-dev-session=false"])
        .arg("--persist-to")
        .arg(folder.join("state"))
        .dir(folder)
        .env("PATH", path_with(&setup.tools.bin))
        .env("CI", "1")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_SEND_ERROR_REPORTS", "false")
        .env("WRANGLER_HIDE_BANNER", "true")
        // Where in the world the machine is matters to nobody here.
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .env("WRANGLER_LOG_PATH", logs)
        // Workers of the same name in another clone's stack must not be found by ours.
        .env("WRANGLER_REGISTRY_PATH", folder.join("registry"))
        .env("FORCE_COLOR", "0");
    for (_, file) in configs {
        launch = launch.arg("-c").arg(file);
    }
    Ok(launch)
}

/// The function's settings with this stack's values. Secrets are plain text here: they are nobody's.
fn config(
    setup: &Setup<'_>,
    function: &Function,
    functions: &[Function],
    environments: &Environments,
) -> Result<String> {
    let mut table = toml::Table::new();
    table.insert("name".into(), function.name.clone().into());
    table.insert("main".into(), text(&function.build_dir().join("index.js")).into());
    table.insert("compatibility_date".into(), environments.compatibility_date.clone().into());
    let names = [wrangler::vars(function), wrangler::secrets(function), wrangler::optional_secrets(function)].concat();
    let given = names.iter().filter_map(|name| Some(((*name).to_owned(), setup.vars.get(*name)?.clone().into())));
    table.insert("vars".into(), toml::Table::from_iter(given).into());
    if !function.crons.is_empty() {
        let triggers = toml::Table::from_iter([("crons".to_owned(), function.crons.clone().into())]);
        table.insert("triggers".into(), triggers.into());
    }
    let limits = if setup.rate_limits { function.rate_limits() } else { Vec::new() };
    let limits = limits.into_iter().map(|(binding, class)| rate_limit(binding, class, environments));
    table.insert("ratelimits".into(), limits.collect::<Result<Vec<_>>>()?.into());
    objects(&mut table, function, functions, setup.rate_limits);
    if function.is_gateway() {
        if function.dir.join(wrangler::DOCS).is_dir() {
            let assets = [
                ("directory", toml::Value::from(text(&function.dir.join(wrangler::DOCS)))),
                ("binding", "ASSETS".into()),
                ("run_worker_first", true.into()),
                ("html_handling", "none".into()),
            ];
            let assets = assets.map(|(key, value)| (key.to_owned(), value));
            table.insert("assets".into(), toml::Table::from_iter(assets).into());
        }
        let service = |(binding, target): (String, &Function)| {
            toml::Table::from_iter([
                ("binding".to_owned(), binding.into()),
                ("service".to_owned(), target.name.clone().into()),
            ])
        };
        let services: Vec<_> = wrangler::services(functions).into_iter().map(service).collect();
        table.insert("services".into(), services.into());
    }
    Ok(toml::to_string(&table)?)
}

fn rate_limit(binding: &str, class: &str, environments: &Environments) -> Result<toml::Table> {
    let limit = environments.production.ratelimits.iter().find(|limit| limit.name == class);
    let limit = limit.with_context(|| format!("wrangler.toml has no rate limit {class}"))?;
    let simple = [("limit".to_owned(), limit.simple.limit.into()), ("period".to_owned(), limit.simple.period.into())];
    Ok(toml::Table::from_iter([
        ("name".to_owned(), toml::Value::from(binding)),
        ("namespace_id".to_owned(), limit.namespace_id.clone().into()),
        ("simple".to_owned(), toml::Table::from_iter(simple).into()),
    ]))
}

/// The objects that a function is bound to, and those that it holds.
fn objects(table: &mut toml::Table, function: &Function, functions: &[Function], limits: bool) {
    let text = |name: &str, value: &str| (name.to_owned(), toml::Value::from(value));
    let bindings = wrangler::objects(function, functions, limits, false).into_iter().map(|(name, class, holder)| {
        toml::Table::from_iter([text("name", name), text("class_name", class), text("script_name", &holder.name)])
    });
    let bindings = toml::Table::from_iter([("bindings".to_owned(), bindings.collect::<Vec<_>>().into())]);
    table.insert("durable_objects".into(), bindings.into());
    if function.is_durable() {
        let held = ("new_sqlite_classes".to_owned(), function.durable.clone().into());
        table.insert("migrations".into(), vec![toml::Table::from_iter([text("tag", "v1"), held])].into());
    }
}

fn workerd(setup: &Setup<'_>, functions: &[Function], folder: &Path) -> Result<Launch> {
    let file: PathBuf = folder.join("config.capnp");
    capnp::write(&file, functions, setup.vars, setup.port, setup.rate_limits)?;
    Ok(Launch::new("functions", &setup.tools.workerd).arg("serve").arg(file).dir(folder))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
