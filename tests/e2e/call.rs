//! One request to the stack, and what may be said about its answer.

use std::fmt;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde_json::Value;

use crate::described;

/// An answer, read whole.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null when the text is no JSON.
    pub body: Value,
    asked: String,
}

impl Reply {
    pub async fn to(request: RequestBuilder) -> Reply {
        Self::attempt(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// An answer, or the reason why none came: what a client sees when the server dies.
    pub async fn attempt(request: RequestBuilder) -> reqwest::Result<Reply> {
        let (client, request) = request.build_split();
        let request = request?;
        let sent = request.body().and_then(|body| body.as_bytes()).map(String::from_utf8_lossy).unwrap_or_default();
        let shown: String = sent.chars().take(400).collect();
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        let asked = format!("{method} {path} {shown}");
        let response = client.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let reply = Reply { status, headers, text, body, asked };
        // What names its request is ours: a dying platform answers in its own words. Figures for Prometheus are text.
        if reply.header("x-request-id").is_some()
            && !reply.header("content-type").is_some_and(|media| media.starts_with("text/plain"))
            && let Some(fault) = described::fault(&method, &path, status, &reply.body)
        {
            panic!(
                "{fault}
{reply}"
            );
        }
        Ok(reply)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body of a success with exactly this status.
    #[track_caller]
    pub fn ok(&self, status: u16) -> &Value {
        assert!(self.status == status, "expected {status}: {self}");
        assert!(self.body.is_object() || self.body.is_array(), "no JSON: {self}");
        &self.body
    }

    /// The body of a refusal: its status, its code, and the shape that all refusals share.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> &Value {
        assert!(self.is_refusal(status, code), "expected {status} {code}: {self}");
        let body = &self.body;
        assert!(body["success"] == false && body["error"] == body["message"], "not the shape of a refusal: {self}");
        assert!(
            body.get("details").is_some() && body.get("hint").is_some(),
            "details and hint are always there: {self}"
        );
        assert!(body["request_id"].as_str() == self.header("x-request-id"), "the request id differs: {self}");
        assert!(self.header("access-control-allow-origin").is_some(), "no browser can read this: {self}");
        let media = self.header("content-type").unwrap_or_default();
        assert!(media.starts_with("application/json"), "{media}: {self}");
        body
    }

    pub fn is_refusal(&self, status: u16, code: &str) -> bool {
        self.status == status && self.body["code"] == code
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {} {}", self.asked, self.status, self.text)
    }
}

/// A request to the gateway, built up and then sent.
pub struct Call(pub RequestBuilder);

impl Call {
    pub fn new(http: &reqwest::Client, method: Method, url: String) -> Call {
        Call(http.request(method, url))
    }

    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Call {
        Call(self.0.header(name, value.as_ref()))
    }

    pub fn bearer(self, token: &str) -> Call {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub fn json(self, body: &impl Serialize) -> Call {
        Call(self.0.json(body))
    }

    /// A body as it is, said to be JSON.
    pub fn raw(self, body: impl Into<reqwest::Body>) -> Call {
        Call(self.0.header("content-type", "application/json").body(body))
    }

    pub async fn send(self) -> Reply {
        Reply::to(self.0).await
    }

    pub async fn attempt(self) -> reqwest::Result<Reply> {
        Reply::attempt(self.0).await
    }
}
