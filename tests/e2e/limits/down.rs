//! A limiter that cannot answer.

use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{address, preview, quote, stranger};
use crate::world::{World, limited_world};

/// The name of the file in which workerd keeps the object of that name: a keyed hash, then its own check.
fn object_file(name: &str) -> String {
    let key = Sha256::digest(b"cauris-limiter");
    let mac = |text: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
        mac.update(text);
        mac.finalize().into_bytes()[..16].to_vec()
    };
    let of_name = mac(name.as_bytes());
    let check = mac(&of_name);
    format!("{}{}.sqlite", hex::encode(of_name), hex::encode(check))
}

/// Breaks one object: where its file should be is a folder.
async fn broken(w: &'static World, name: &str) {
    let stack = w.stack.lock().await;
    let folder = stack.as_ref().expect("the stack runs").data_dir().join("workers/objects/cauris-limiter");
    std::fs::create_dir_all(folder.join(object_file(name))).expect("a folder");
}

pub async fn a_limiter_that_is_down_stops_money_and_webhooks_and_nothing_else(_: &'static World) {
    let w = limited_world().await;
    let (driver, home) = (w.driver().await, address());
    for class in ["payment", "default", "heartbeat"] {
        broken(w, &format!("{class}/{}", driver.id)).await;
    }
    broken(w, &format!("anonymous/{home}")).await;
    broken(w, "webhook/wave").await;
    let no = preview(&driver).await;
    no.refused(503, "DEPENDENCY_UNAVAILABLE");
    assert_eq!(no.header("x-relay-error"), Some("true"));
    let webhook = w.function("payment-webhook?provider=wave").json(&json!({})).send().await;
    webhook.refused(503, "DEPENDENCY_UNAVAILABLE");
    quote(&driver).await.ok(200);
    driver.call("taxi-driver-heartbeat", json!({ "is_online": false })).await.ok(200);
    stranger(w, &home).send().await.ok(200);
    // A stranger who comes for money is refused by the endpoint's class, not let in by his own.
    let login = w.request(reqwest::Method::POST, "/auth/v1/token?grant_type=password");
    let login = login.header("apikey", &w.vars["ANON_KEY"]).header("cf-connecting-ip", &home);
    let reply = login.json(&json!({ "email": "nobody@people.test", "password": "not the password" })).send().await;
    assert_eq!(reply.status, 503, "{reply}");
}
