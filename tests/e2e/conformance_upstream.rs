//! A stand-in for everything behind the gateway: it writes down what reaches it, and answers as the path tells it to. The
//! gateway in front is a bare workerd of its own, as strict as production, whose PostgREST and whose Supabase project this is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{FromRequestParts, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use xtask::functions::{self, Setup};
use xtask::process::{Child, DataDir};
use xtask::stack::Runtime;

use crate::call::Call;

/// The one origin that may read what this gateway answers.
pub const ORIGIN: &str = "https://app.cauris.test";

/// A request as the upstream got it.
#[derive(Clone, Debug)]
pub struct Heard {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Heard {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

type Journal = Arc<Mutex<Vec<Heard>>>;

pub struct Lone {
    pub api: String,
    pub http: reqwest::Client,
    journal: Journal,
    child: tokio::sync::Mutex<Option<Child>>,
    data: Mutex<Option<tempfile::TempDir>>,
}

static LONE: OnceCell<Lone> = OnceCell::const_new();

pub async fn lone() -> &'static Lone {
    LONE.get_or_init(|| async {
        crate::world::built().await;
        Lone::start().await.unwrap_or_else(|error| panic!("the gateway does not start: {error:#}"))
    })
    .await
}

/// Ends it, if a test has asked for it.
pub async fn close() {
    if let Some(lone) = LONE.get()
        && let Some(child) = lone.child.lock().await.take()
    {
        child.end().await;
        drop(lone.data.lock().expect("no test panics here").take());
    }
}

impl Lone {
    async fn start() -> anyhow::Result<Lone> {
        let journal = Journal::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let upstream = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(journal.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });

        let data = tempfile::tempdir()?;
        let dir = DataDir::open(data.path())?;
        let tools = xtask::tools::ensure().await?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut vars = xtask::keys::worker_vars();
        let ours = [
            ("ALLOWED_ORIGINS", ORIGIN.to_owned()),
            ("POSTGREST_URL", format!("{upstream}/rest")),
            ("SUPABASE_URL", format!("{upstream}/project/")),
        ];
        vars.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        let setup =
            Setup { tools: &tools, dir: &dir, vars: &vars, port, runtime: Runtime::Workerd, rate_limits: false };
        let child = functions::start(&setup).await?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Lone {
            api: format!("http://127.0.0.1:{port}"),
            http,
            journal,
            child: tokio::sync::Mutex::new(Some(child)),
            data: Mutex::new(Some(data)),
        })
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> Call {
        Call::new(&self.http, method, format!("{}{path}", self.api)).header("origin", ORIGIN)
    }

    /// Everything that reached the upstream with this word in its path.
    pub fn heard(&self, mark: &str) -> Vec<Heard> {
        let journal = self.journal.lock().expect("no test panics here");
        journal.iter().filter(|heard| heard.path.contains(mark)).cloned().collect()
    }
}

/// A word that no other request has.
pub fn mark() -> String {
    format!("m{}", xtask::keys::random_uuid().simple())
}

async fn answer(State(journal): State<Journal>, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.to_string();
    let socket = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
    let heard = Heard { method: parts.method.to_string(), path, headers: parts.headers, body };
    let times = {
        let mut journal = journal.lock().expect("no test panics here");
        let times = journal.iter().filter(|before| before.path == heard.path).count();
        journal.push(heard.clone());
        times
    };
    if let Some(unfinished) = unfinished(&heard).await {
        return unfinished;
    }
    let known = heard.path.split('?').next().unwrap_or_default().to_owned();
    match known.strip_prefix("/project") {
        Some(path) => project(path, &heard, socket.ok()),
        None => rest(known.strip_prefix("/rest").unwrap_or_default(), times),
    }
}

/// An ask that says so is heard and never answered, or answered by half: the rest of the text does not come.
async fn unfinished(heard: &Heard) -> Option<Response> {
    let said = |word: &str| String::from_utf8_lossy(&heard.body).contains(word);
    if said("say nothing") {
        std::future::pending::<()>().await;
    }
    let status = match () {
        () if said("refuse by half") => StatusCode::CONFLICT,
        () if said("answer by half") => StatusCode::OK,
        () => return None,
    };
    let half = futures_util::stream::iter([Ok::<_, std::convert::Infallible>("{\"code\":\"INSUFF")]);
    let body = Body::from_stream(half.chain(futures_util::stream::pending()));
    Some((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// `/say/STATUS/CODE` refuses as PostgREST does, `/first/STATUS/CODE` only the first time, `/page/STATUS` as a proxy does.
fn rest(path: &str, times: usize) -> Response {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let status = |text: &str| StatusCode::from_u16(text.parse().expect("a status")).expect("a status");
    let refusal = |code: &str| json!({ "code": code, "message": "said the upstream", "details": "Key (email)=(a@b.c) exists", "hint": null });
    match parts.as_slice() {
        ["say", number, code] => {
            let ours = [("x-said-by-sql", "yes"), ("retry-after", "7")];
            (status(number), ours, axum::Json(refusal(code))).into_response()
        }
        ["first", number, code, ..] if times == 0 => (status(number), axum::Json(refusal(code))).into_response(),
        ["page", number] => {
            (status(number), [(header::CONTENT_TYPE, "text/html")], "<html>bad gateway</html>").into_response()
        }
        ["rpc", "wallet_operations"] => (status("500"), axum::Json(refusal("57014"))).into_response(),
        ["rpc", _] => (status("403"), axum::Json(refusal("FORBIDDEN"))).into_response(),
        _ => ([(header::CONTENT_RANGE, "0-0/1")], axum::Json(json!([{ "n": 1 }]))).into_response(),
    }
}

fn project(path: &str, heard: &Heard, socket: Option<WebSocketUpgrade>) -> Response {
    if let Some(socket) = socket {
        return socket.on_upgrade(async |mut socket| {
            while let Some(Ok(message)) = socket.recv().await {
                if !matches!(message, Message::Text(_) | Message::Binary(_)) || socket.send(message).await.is_err() {
                    break;
                }
            }
        });
    }
    let version = ("x-supabase-api-version", "2024-01-01");
    match path {
        "/auth/v1/authorize" => {
            let cookies = [("set-cookie", "sb-a=1; HttpOnly; Path=/"), ("set-cookie", "sb-b=2; Path=/")];
            let mut answer =
                (StatusCode::FOUND, [(header::LOCATION, "https://accounts.example/o?x=1")]).into_response();
            for (name, value) in cookies {
                answer.headers_mut().append(name, value.parse().expect("a value"));
            }
            answer
        }
        "/auth/v1/token" => {
            let no = json!({ "code": "invalid_credentials", "message": "Invalid login credentials" });
            let named = [version, ("x-sb-error-code", "invalid_credentials"), ("access-control-allow-origin", "*")];
            (StatusCode::BAD_REQUEST, named, axum::Json(no)).into_response()
        }
        "/auth/v1/logout" => StatusCode::NO_CONTENT.into_response(),
        "/storage/v1/upload/resumable" if heard.method == "OPTIONS" => {
            (StatusCode::NO_CONTENT, [("tus-version", "1.0.0"), ("tus-extension", "creation")]).into_response()
        }
        "/storage/v1/upload/resumable" => {
            let tus =
                [("tus-resumable", "1.0.0"), ("location", "/storage/v1/upload/resumable/abc"), ("upload-offset", "0")];
            (StatusCode::CREATED, tus).into_response()
        }
        "/storage/v1/object/public/a.png" => {
            ([("content-type", "image/png"), ("cache-control", "max-age=3600")], vec![0x89_u8, b'P']).into_response()
        }
        "/storage/v1/object/big" => {
            axum::Json(json!({ "bytes": heard.body.len(), "length": heard.header("content-length") })).into_response()
        }
        _ => {
            let headers: BTreeMap<_, Value> =
                heard.headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().ok()))).collect();
            axum::Json(json!({ "path": heard.path, "method": heard.method, "headers": headers })).into_response()
        }
    }
}
