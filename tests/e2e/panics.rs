//! A worker that dies, in every way that one can, answers the next request: with a clean instance, whatever it was in the
//! middle of. It is a fixture (`scripts/bench/fixtures/panics`), on a workerd of its own: nobody else's requests die with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use libtest_mimic::Trial;
use reqwest::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, Semaphore, mpsc};
use xtask::build::{self, Profile};
use xtask::capnp::COMPATIBILITY_DATE;
use xtask::house;
use xtask::process::{Child, Launch, path_with};
use xtask::tools::{self, Tools};

/// Longer than any answer takes; a request that is not answered by then hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every way in which it can be made to die. `panic` comes first, with others under way.
const DEATHS: [&str; 7] = ["panic", "bounds", "abort", "memory", "stack", "exception", "later"];
/// Under way when it dies.
const HELD: usize = 5;

/// The folder of the fixture's bundle; the gateway's is beside its source.
static BUILT: OnceCell<PathBuf> = OnceCell::const_new();

pub fn tests() -> Vec<Trial> {
    let test = |name: &str, start: fn(&Tools, &Path, Ports) -> Launch| {
        Trial::test(format!("panics::{name}"), move || {
            crate::RUNTIME.block_on(async {
                let victim = Victim::start(start).await;
                nothing_that_is_under_way_hangs(&victim).await;
                for death in DEATHS {
                    the_next_request_is_answered_by_a_clean_instance(&victim, death).await;
                }
                if let Some(gateway) = victim.gateway.clone() {
                    the_gateway_says_so_in_json(&victim, &gateway).await;
                }
                victim.process.end().await;
            });
            Ok(())
        })
    };
    vec![
        test("a_function_that_panics_answers_the_next_request", workerd),
        test("a_function_that_panics_answers_the_next_request_under_wrangler_dev", wrangler_dev),
    ]
}

/// Where the function listens, and the gateway in front of it.
#[derive(Clone, Copy)]
struct Ports {
    function: u16,
    gateway: u16,
}

struct Victim {
    process: Child,
    url: String,
    /// None where the function runs alone.
    gateway: Option<String>,
    http: reqwest::Client,
    gate: Gate,
    _dir: TempDir,
}

/// A server that a request waits at: it says who came, and lets one go on when it is told to.
pub struct Gate {
    pub url: String,
    pub came: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
    open: &'static Semaphore,
}

impl Gate {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let (say, came) = mpsc::unbounded_channel();
        // Leaked: it is needed to the end of the run.
        let open: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
        let wait = async move |State(say): State<mpsc::UnboundedSender<()>>| {
            let _ = say.send(());
            open.acquire().await.expect("never closed").forget();
            "go on"
        };
        let router = axum::Router::new().route("/", get(wait)).with_state(say);
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, came: came.into(), open }
    }
}

/// The folder of its bundle.
pub async fn fixture() -> &'static Path {
    let built = BUILT.get_or_init(|| async {
        crate::world::built().await; // With the others, once: built again, it would be served again under their feet.
        build::fixture("panics", Profile::Fast).await.expect("the fixture is built")
    });
    built.await
}

impl Victim {
    async fn start(launch: fn(&Tools, &Path, Ports) -> Launch) -> Self {
        let tools = tools::ensure().await.expect("tools");
        let build = fixture().await;
        let dir = tempfile::tempdir().expect("a folder");
        let gateway = house::root().join("functions/gateway/build");
        for (from, to) in [(build, "panics"), (&gateway, "gateway")] {
            let to = dir.path().join(to);
            std::fs::create_dir(&to).expect("a folder");
            for file in ["index.js", "index_bg.wasm"] {
                std::fs::copy(from.join(file), to.join(file)).expect("a bundle");
            }
        }
        let (function, gateway) = (free_port().await, free_port().await);
        let launch = launch(&tools, dir.path(), Ports { function, gateway });
        let mut process = launch.dir(dir.path()).log(dir.path().join("log")).spawn().expect("it starts");
        let listens = async || TcpStream::connect(("127.0.0.1", function)).await.is_ok();
        process.until(PATIENCE, listens).await.expect("it listens");
        let behind = TcpStream::connect(("127.0.0.1", gateway)).await.is_ok();
        let url = |port| format!("http://127.0.0.1:{port}/functions/v1/panics");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let (url, gateway, gate) = (url(function), behind.then(|| url(gateway)), Gate::start().await);
        Self { process, url, gateway, http, gate, _dir: dir }
    }

    /// Asks, with these fields in the query; `None` when the connection broke.
    async fn ask(&self, query: &[(&str, &str)]) -> Option<(StatusCode, Value)> {
        match self.http.get(&self.url).query(query).send().await {
            Ok(answer) => Some((answer.status(), answer.json().await.unwrap_or_default())),
            Err(error) => {
                assert!(!error.is_timeout(), "{query:?} hangs");
                None
            }
        }
    }

    /// Makes it die, which is told at once, or, where it dies after its answer, not at all.
    async fn dies(&self, death: &str) {
        let status = self.ask(&[("die", death)]).await.map(|(status, _)| status);
        let expected = if death == "later" { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        assert!(status.is_none_or(|status| status == expected), "{death} is answered {status:?}");
    }

    /// How many its instance has served; it must be well.
    async fn served(&self) -> u64 {
        let (status, body) = self.ask(&[]).await.expect("an answer");
        assert_eq!((status, &body["ok"]), (StatusCode::OK, &Value::Bool(true)), "{body}");
        body["served"].as_u64().expect("a count")
    }
}

pub async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port()
}

fn workerd(tools: &Tools, dir: &Path, ports: Ports) -> Launch {
    let Ports { function, gateway } = ports;
    let config = format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "panics", worker = .panics),
    (name = "gateway", worker = .gateway),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [
    (name = "gateway", address = "127.0.0.1:{gateway}", http = (), service = "gateway"),
    (name = "function", address = "127.0.0.1:{function}", http = (), service = "panics"),
  ],
);
const panics :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "panics/index.js"),
    (name = "index_bg.wasm", wasm = embed "panics/index_bg.wasm"),
  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
);
const gateway :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "gateway/index.js"),
    (name = "index_bg.wasm", wasm = embed "gateway/index_bg.wasm"),
  ],
  bindings = [(name = "FN_PANICS", service = "panics"), (name = "ALLOWED_ORIGINS", text = "*")],
  compatibilityDate = "{COMPATIBILITY_DATE}",
);
"#
    );
    std::fs::write(dir.join("config.capnp"), config).expect("a configuration");
    Launch::new("workerd", &tools.workerd).args(["serve", "config.capnp"])
}

fn wrangler_dev(tools: &Tools, dir: &Path, ports: Ports) -> Launch {
    let config =
        format!("name = \"panics\"\nmain = \"panics/index.js\"\ncompatibility_date = \"{COMPATIBILITY_DATE}\"\n");
    std::fs::write(dir.join("wrangler.toml"), config).expect("a configuration");
    Launch::new("wrangler dev", &tools.node)
        .args(["--no-warnings".as_ref(), tools.wrangler_js.as_os_str()])
        .args(["dev", "--ip", "127.0.0.1", "--port", &ports.function.to_string(), "--inspector-port", "0"])
        .args(["--local", "--show-interactive-dev-session=false", "-c", "wrangler.toml"])
        .env("PATH", path_with(&tools.bin))
        .env("CI", "1")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_SEND_ERROR_REPORTS", "false")
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .env("WRANGLER_LOG_PATH", dir.join("logs"))
        .env("WRANGLER_REGISTRY_PATH", dir.join("registry"))
}

/// What is under way is lost with the instance, and is told so; the platform takes its time, but not for ever.
async fn nothing_that_is_under_way_hangs(victim: &Victim) {
    let before = victim.served().await;
    assert_eq!(victim.served().await, before + 1, "one instance counts on");
    let wait = [("wait", victim.gate.url.as_str())];
    let held = futures_util::future::join_all((0..HELD).map(|_| victim.ask(&wait)));
    let death = async {
        for _ in 0..HELD {
            victim.gate.came.lock().await.recv().await.expect("a held request is under way");
        }
        victim.dies("panic").await;
        assert_eq!(victim.served().await, 1, "a clean instance answers while they still wait");
        victim.gate.open.add_permits(HELD);
    };
    let (held, ()) = tokio::join!(held, death);
    for answer in held {
        let status = answer.map(|(status, _)| status);
        assert!(status.is_none_or(|status| status.is_server_error()), "it was answered {status:?} from the grave");
    }
}

async fn the_next_request_is_answered_by_a_clean_instance(victim: &Victim, death: &str) {
    let before = victim.served().await;
    assert_eq!(victim.served().await, before + 1, "{death}: one instance counts on");
    victim.dies(death).await;
    assert_eq!(victim.served().await, 1, "{death}: its statics survived it");
}

/// A browser that has called a dead function can read what happened.
async fn the_gateway_says_so_in_json(victim: &Victim, gateway: &str) {
    let ask = victim.http.get(gateway).query(&[("die", "panic")]).header("origin", "https://app.cauris.test");
    let answer = ask.send().await.expect("the gateway answers");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer.headers()["x-relay-error"], "true");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["code"], "DEPENDENCY_UNAVAILABLE", "{body}");
    let next: Value = victim.http.get(gateway).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(next["served"], 1, "{next}");
}
