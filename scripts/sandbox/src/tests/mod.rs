//! The sandbox over real HTTP, with a receiver of webhooks beside it.

mod checkout;
mod control;
mod delivery;
mod faults;
mod protocol;
mod rails;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::any;
use serde_json::{Value, json};

use crate::{Config, Handle, serve, sign};

const KEY: &str = "sk_test";
const SECRET: &str = "whsec_test";
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// One webhook as the receiver saw it.
#[derive(Clone, Debug)]
struct Got {
    /// Moneroo's.
    signature: Option<String>,
    headers: HeaderMap,
    method: Method,
    uri: Uri,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the webhook is JSON")
    }

    fn event(&self) -> String {
        self.json()["event"].as_str().expect("an event").to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn is_authentic(&self) -> bool {
        self.signature.as_deref() == Some(sign(SECRET, &self.body).as_str())
    }
}

/// What the receiver answers next; 200 at once when nothing is planned.
#[derive(Clone, Copy)]
enum Plan {
    Status(u16),
    Slow(Duration),
}

#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<Got>>>,
    plan: Arc<Mutex<VecDeque<Plan>>>,
}

impl Receiver {
    fn got(&self) -> Vec<Got> {
        self.got.lock().expect("the list").clone()
    }

    fn plan(&self, plan: &[Plan]) {
        self.plan.lock().expect("the plan").extend(plan);
    }

    /// Waits for so many webhooks, and a little longer, to see that there are not more.
    async fn wait_for(&self, count: usize) -> Vec<Got> {
        for _ in 0..200 {
            if self.got().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(self.got().len(), count, "{:?}", self.got());
        self.got()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let signature = headers.get("x-moneroo-signature").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = body.to_vec();
    receiver.got.lock().expect("the list").push(Got { signature, headers, method, uri, body });
    let plan = receiver.plan.lock().expect("the plan").pop_front();
    match plan {
        Some(Plan::Status(status)) => {
            (StatusCode::from_u16(status).expect("a status"), [("location", "/elsewhere")]).into_response()
        }
        Some(Plan::Slow(time)) => {
            tokio::time::sleep(time).await;
            StatusCode::OK.into_response()
        }
        None => StatusCode::OK.into_response(),
    }
}

struct World {
    sandbox: Handle,
    receiver: Receiver,
    http: reqwest::Client,
}

impl World {
    /// Without `*.initiated` events, so that tests count what they caused.
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let receiver = Receiver::default();
        let app = Router::new().route("/hook", any(receive)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind(LOOPBACK).await.expect("a free port");
        let hook = format!("http://{}/hook", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut config = Config {
            secret_key: KEY.into(),
            webhook_secret: SECRET.into(),
            webhook_url: Some(hook.clone()),
            rails_webhook_url: Some(hook),
            requests_per_minute: 0,
            retry_delay: Duration::from_millis(30),
            initiated_events: false,
            ..Config::default()
        };
        change(&mut config);
        let sandbox = serve(LOOPBACK, config).await.expect("the sandbox starts");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { sandbox, receiver, http }
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.sandbox.url())).bearer_auth(KEY).json(body);
        read(request).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        read(self.http.get(format!("{}{path}", self.sandbox.url())).bearer_auth(KEY)).await
    }

    /// An order that must be carried out.
    async fn order(&self, method: &str, path: &str, body: Value) -> Value {
        self.sandbox.control(method, path, body).await.unwrap_or_else(|problem| panic!("{method} {path}: {problem}"))
    }

    async fn fault(&self, fault: Value) {
        self.order("POST", "faults", fault).await;
    }

    /// A payment of 50 000 GNF.
    async fn payment(&self) -> String {
        let (status, body) = self.post("/v1/payments/initialize", &ask()).await;
        assert_eq!(status, 201, "{body}");
        body["data"]["id"].as_str().expect("an id").to_owned()
    }

    async fn verify(&self, id: &str) -> Value {
        let (status, body) = self.get(&format!("/v1/payments/{id}/verify")).await;
        assert_eq!(status, 200, "{body}");
        body["data"].clone()
    }

    async fn pay(&self, id: &str) {
        self.order("POST", &format!("payments/{id}/pay"), json!({})).await;
    }
}

async fn read(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

fn ask() -> Value {
    json!({
        "amount": 50_000,
        "currency": "GNF",
        "description": "Top up",
        "return_url": "https://app.cauris.test/return",
        "customer": { "email": "awa@cauris.test", "first_name": "Awa", "last_name": "Diallo" },
        "metadata": { "intent_id": "1" },
        "methods": ["orange_gn", "mtn_gn"],
    })
}
