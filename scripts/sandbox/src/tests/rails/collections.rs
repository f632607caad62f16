//! What the tests of the mobile rails speak with: a world whose receiver's address can be handed to a provider.

use std::collections::BTreeMap;

use axum::http::Method;

use crate::tests::{Got, Plan, World};

use super::*;

impl Got {
    /// `t=abc`, of the address.
    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    pub fn form(&self) -> BTreeMap<String, String> {
        let text = String::from_utf8(self.body.clone()).expect("a form is text");
        let url = reqwest::Url::parse(&format!("http://form/?{text}")).expect("a form is a query");
        url.query_pairs().into_owned().collect()
    }
}

pub struct Rails {
    pub world: World,
    /// The receiver's address; a query may follow.
    pub hook: String,
}

impl Rails {
    pub async fn new() -> Self {
        let world = World::new().await;
        let settings = world.order("GET", "settings", json!({})).await;
        let hook = settings["rails_webhook_url"].as_str().expect("an address").to_owned();
        Self { world, hook }
    }

    /// `call("POST", "wave/v1/checkout/sessions")`.
    pub fn call(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.world.http.request(method, format!("{}/{path}", self.world.sandbox.url()))
    }

    pub async fn order(&self, method: &str, path: &str, body: Value) -> Value {
        self.world.order(method, path, body).await
    }

    /// The payer's or the test's move, with its notification's first attempt.
    pub async fn moves(&self, id: &str, order: &str) {
        self.world.move_payment(id, order).await;
    }

    pub async fn fault(&self, fault: Value) {
        self.world.fault(fault).await;
    }

    /// The receiver answers this to the next notifications.
    pub fn answers(&self, status: u16) {
        self.world.receiver.plan(&[Plan::Status(status); 9]);
    }

    /// Everything told so far, when it is so much and stays so much for a moment.
    pub async fn told(&self, count: usize) -> Vec<Got> {
        self.world.receiver.wait_for(count).await
    }

    pub async fn count(&self, provider: &str) -> usize {
        let list = self.order("GET", "payments", json!({ "provider": provider })).await;
        list.as_array().map(Vec::len).unwrap_or_default()
    }
}

/// The body with one field, `a.b` deep, replaced.
pub fn with(body: &Value, path: &str, value: Value) -> Value {
    let mut body = body.clone();
    let mut place = &mut body;
    for part in path.split('.') {
        place = &mut place[part];
    }
    *place = value;
    body
}
