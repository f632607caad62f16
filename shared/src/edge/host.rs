//! The way out to providers.

use wasm_bindgen::JsValue;

use super::js;
use crate::db::Local;
use crate::http::{Http, Incoming, Lost, Outgoing};

pub struct Network;

impl Http for Network {
    fn send(&self, request: Outgoing) -> Local<'_, Result<Incoming, Lost>> {
        Box::pin(async move {
            let headers = js::headers();
            for (name, value) in &request.headers {
                drop(headers.set(name, value));
            }
            let body = request.body.as_deref().map(JsValue::from_str);
            let response = js::fetch(request.method, &request.url, &headers, body.as_ref(), request.timeout_ms).await?;
            Ok(Incoming { status: response.status(), body: js::read(&response).await? })
        })
    }
}
