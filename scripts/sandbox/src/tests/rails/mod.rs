//! The other providers over real HTTP: each as its own client would speak to it.

mod airtel_money;
mod cinetpay;
mod collections;
mod flutterwave;
mod flutterwave_v4;
mod mtn_momo;
mod orange_money;
mod paydunya;
mod paystack;
mod shared;
mod stripe;
mod wave;

use super::*;

/// What a provider answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn text(&self, pointer: &str) -> String {
        let value = self.body.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", self.body));
        value.as_str().unwrap_or_else(|| panic!("{pointer} is no text in {}", self.body)).to_owned()
    }
}

impl World {
    /// A call with these headers; a text is sent as a form, anything else but null as JSON.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let method = method.parse::<reqwest::Method>().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.sandbox.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request = match body {
            Value::Null => request,
            Value::String(form) => request.header("content-type", "application/x-www-form-urlencoded").body(form),
            json => request.json(&json),
        };
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.json().await.unwrap_or(Value::Null) }
    }

    /// An order to one payment, answered when its webhook has arrived.
    async fn move_payment(&self, id: &str, order: &str) -> Value {
        self.order("POST", &format!("payments/{id}/{order}"), json!({ "wait": true })).await
    }
}

/// HMAC as the documentation of the provider writes it, by another road than the sandbox's.
fn hmac<D: hmac::Mac + hmac::digest::KeyInit>(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <D as hmac::Mac>::new_from_slice(secret.as_bytes()).expect("any key will do");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}
