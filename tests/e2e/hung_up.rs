//! Clients that hang up. The platform cancels what it was doing for them and says so to nobody, so whatever a request holds has to
//! end by the clock. Here another worker hangs up, which a bare workerd passes on as production does with a client.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::net::TcpStream;
use xtask::capnp::COMPATIBILITY_DATE;
use xtask::process::Launch;
use xtask::tools;

use crate::panics::{Gate, fixture, free_port};

/// As many as one instance works on at the same time.
const FULL: usize = 500;
/// Longer than anything takes here: a request has 10 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the function, and is gone as soon as it is told to.
const IMPATIENT: &str = r#"
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const wait = AbortSignal.timeout(Number(url.searchParams.get("ms")));
    try {
      return await env.FUNCTION.fetch(request.url, { signal: wait });
    } catch (error) {
      return new Response(error.name, { status: 499 });
    }
  },
};
"#;

const CONFIG: &str = r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "impatient", worker = .impatient),
    (name = "function", worker = .function),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:PORT", http = (), service = "impatient")],
);
const impatient :Workerd.Worker = (
  modules = [(name = "impatient.js", esModule = embed "impatient.js")],
  bindings = [(name = "FUNCTION", service = "function")],
  compatibilityDate = "DATE",
);
const function :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "DATE",
);
"#;

pub fn tests() -> Vec<Trial> {
    let name = "hung_up::clients_that_hang_up_do_not_fill_an_instance_for_good";
    vec![Trial::test(name, || {
        crate::RUNTIME.block_on(clients_that_hang_up_do_not_fill_an_instance_for_good());
        Ok(())
    })]
}

async fn clients_that_hang_up_do_not_fill_an_instance_for_good() {
    let tools = tools::ensure().await.expect("tools");
    let dir = tempfile::tempdir().expect("a folder");
    for file in ["index.js", "index_bg.wasm"] {
        std::fs::copy(fixture().await.join(file), dir.path().join(file)).expect("a bundle");
    }
    let port = free_port().await;
    std::fs::write(dir.path().join("impatient.js"), IMPATIENT).expect("a worker");
    std::fs::write(
        dir.path().join("config.capnp"),
        CONFIG.replace("PORT", &port.to_string()).replace("DATE", COMPATIBILITY_DATE),
    )
    .expect("a file");
    let launch = Launch::new("workerd", &tools.workerd).args(["serve", "config.capnp"]);
    let mut process = launch.dir(dir.path()).log(dir.path().join("log")).spawn().expect("it starts");
    let listens = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
    process.until(PATIENCE, listens).await.expect("it listens");
    let gate = Gate::start().await;
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    let url = format!("http://127.0.0.1:{port}/functions/v1/panics");
    let ask = async |ms: &str, wait: Option<&str>| {
        let answer = http.get(&url).query(&[("ms", ms)]).query(&[("wait", wait)]).send().await.expect("an answer");
        (answer.status(), answer.json::<Value>().await.unwrap_or_default())
    };

    let began = Instant::now();
    let gone = futures_util::future::join_all((0..FULL).map(|_| ask("5000", Some(&gate.url)))).await;
    assert!(gone.iter().all(|(status, _)| status.as_u16() == 499), "they wait until they are tired of it");
    for _ in 0..FULL {
        gate.came.lock().await.recv().await.expect("each of them came in");
    }
    let (status, body) = ask("60000", None).await;
    // On a machine so slow that the first one's time is over already, there is room again.
    if began.elapsed() < Duration::from_secs(10) {
        assert_eq!((status, &body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &Value::from("OVERLOADED")), "{body}");
    }
    process.until(PATIENCE, async || ask("60000", None).await.0 == StatusCode::OK).await.expect("their time is over");
    process.end().await;
}
