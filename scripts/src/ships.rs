//! What ships, started once. It is linked, optimised and cut as no bundle of the tests is, so each must show that it runs: it
//! answers a browser's preflight, and refuses a call that has nothing to say in JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::capnp::COMPATIBILITY_DATE;
use crate::house::Function;
use crate::process::Launch;
use crate::tools;

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends what is asked for `/NAME/…` to the worker of that name.
const ROUTER: &str = r#"
export default {
  fetch(request, env) {
    const url = new URL(request.url);
    const [, name, ...path] = url.pathname.split('/');
    return env[name].fetch(new Request(new URL('/' + path.join('/'), url), request));
  },
};
"#;

/// `place` says where a function's bundle lies.
///
/// # Errors
/// A sentence for each function that does not run.
pub async fn check(functions: &[Function], place: impl Fn(&Function) -> PathBuf) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    for function in functions {
        let (from, to) = (place(function), dir.path().join(&function.name));
        fs::create_dir(&to)?;
        for file in ["index.js", "index_bg.wasm"] {
            fs::copy(from.join(file), to.join(file)).with_context(|| format!("{} is not built", function.name))?;
        }
    }
    fs::write(dir.path().join("router.js"), ROUTER)?;
    fs::write(dir.path().join("config.capnp"), config(functions, port))?;
    let mut workerd = start(dir.path()).await?;
    let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
    workerd.until(PATIENCE, listens).await?;
    let mut complaints = Vec::new();
    // Nobody calls the one that holds objects.
    for function in functions.iter().filter(|function| !function.is_durable()) {
        if let Err(error) = answers(&http, port, &function.name).await {
            complaints.push(format!("functions/{} does not run as it ships: {error:#}", function.name));
        }
    }
    workerd.end().await;
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    println!("{} functions start and answer as they ship", functions.len());
    Ok(())
}

async fn start(dir: &Path) -> Result<crate::process::Child> {
    let tools = tools::ensure().await?;
    Launch::new("workerd", &tools.workerd).args(["serve", "config.capnp"]).dir(dir).log(dir.join("log")).spawn()
}

async fn answers(http: &Client, port: u16, name: &str) -> Result<()> {
    let url = format!("http://127.0.0.1:{port}/{name}/functions/v1/{name}");
    let preflight = http.request(Method::OPTIONS, &url).header("origin", "https://app.test");
    let status = preflight.header("access-control-request-method", "POST").send().await?.status().as_u16();
    ensure!(status == 204, "a preflight is answered {status}");
    let refusal = http.post(&url).header("content-type", "application/json").body("half a").send().await?;
    let (status, body) = (refusal.status().as_u16(), refusal.text().await?);
    let code = serde_json::from_str::<Value>(&body).ok().and_then(|body| body["code"].as_str().map(str::to_owned));
    // Nothing is configured here, which a provider's function says before it reads.
    let refused = (400..500).contains(&status) || code.as_deref() == Some("NOT_CONFIGURED");
    ensure!(refused && code.is_some(), "half a body is answered {status} {body}");
    Ok(())
}

fn config(functions: &[Function], port: u16) -> String {
    let (mut services, mut bindings, mut workers) = (String::new(), String::new(), String::new());
    for (number, function) in functions.iter().enumerate() {
        let name = &function.name;
        let _ = writeln!(services, "    (name = \"{name}\", worker = .w{number}),");
        let _ = writeln!(bindings, "    (name = \"{name}\", service = \"{name}\"),");
        let _ = writeln!(
            workers,
            "const w{number} :Workerd.Worker = (\n  modules = [\n    \
             (name = \"index.js\", esModule = embed \"{name}/index.js\"),\n    \
             (name = \"index_bg.wasm\", wasm = embed \"{name}/index_bg.wasm\"),\n  ],\n  \
             compatibilityDate = \"{COMPATIBILITY_DATE}\",\n);"
        );
    }
    format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (\n  services = [\n    (name = \"router\", worker = .router),\n{services}  ],\n  \
         sockets = [(name = \"http\", address = \"127.0.0.1:{port}\", http = (), service = \"router\")],\n);\n\
         const router :Workerd.Worker = (\n  modules = [(name = \"router.js\", esModule = embed \"router.js\")],\n  \
         bindings = [\n{bindings}  ],\n  compatibilityDate = \"{COMPATIBILITY_DATE}\",\n);\n{workers}"
    )
}
