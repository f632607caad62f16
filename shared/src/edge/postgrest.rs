//! Postgres through its HTTP gateway: one RPC is one `fetch`, and a success is handed through unread. The `postgrest` crate
//! serves the functions that read lists (`tables.rs`); here it would cost twice the CPU and 85 KB.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::Response;

use super::config::Config;
use super::js;
use crate::db::{As, Body, Call, Db, DbReply, Local, Silence};
use crate::http::Lost;

/// The database has 5 s (N64).
const TIMEOUT_MS: u32 = 5_000;

pub struct Gateway {
    pub config: Rc<Config>,
}

impl Db for Gateway {
    fn rpc<'a>(&'a self, call: Call<'a>) -> Local<'a, Result<DbReply, Silence>> {
        Box::pin(async move { ask(&self.config, call).await.map_err(silence) })
    }
}

fn silence(lost: Lost) -> Silence {
    match lost {
        Lost::TimedOut => Silence::TimedOut,
        Lost::Unreachable => Silence::Unreachable,
    }
}

async fn ask(config: &Config, call: Call<'_>) -> Result<DbReply, Lost> {
    let token = match call.who {
        As::User(token) => token,
        As::Service => config.service_key.expose(),
        As::Anon => &config.anon_key,
    };
    let headers = js::headers();
    drop(headers.set("authorization", &format!("Bearer {token}")));
    drop(headers.set("content-type", "application/json"));
    drop(headers.set("x-request-id", call.request_id));
    let url = format!("{}/rpc/{}", config.postgrest_url, call.function);
    let response = js::fetch("POST", &url, &headers, Some(&JsValue::from_str(call.body)), TIMEOUT_MS).await?;
    let status = response.status();
    let replayed = call.body.contains("\"idempotency_key\":\"") && told(&response, "idempotent-replayed");
    let body = if call.unread && status < 300 {
        Body::Unread(Box::new(response))
    } else {
        Body::Text(js::read(&response).await?)
    };
    Ok(DbReply { status, replayed, body })
}

fn told(response: &Response, name: &str) -> bool {
    response.headers().get(name).ok().flatten().is_some()
}
