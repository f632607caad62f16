//! Postgres through its HTTP gateway: one RPC is one `fetch`, and a success is handed through unread. The `postgrest` crate
//! serves the functions that read lists (`tables.rs`); here it would cost twice the CPU and 85 KB.

use std::rc::Rc;

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
        Lost::Unreachable | Lost::NotSent => Silence::Unreachable,
    }
}

async fn ask(config: &Config, call: Call<'_>) -> Result<DbReply, Lost> {
    let token = match call.who {
        As::User(token) => token,
        As::Service => config.service_key.expose(),
        As::Anon => &config.anon_key,
    };
    let url = [&config.postgrest_url, "/rpc/", call.function].concat();
    let response = js::ask(&url, token, call.request_id, call.body, TIMEOUT_MS).await?;
    let (status, replayed) = js::told(&response);
    let body = if call.unread && status < 300 {
        Body::Unread(Box::new(response))
    } else {
        Body::Text(js::read(&response).await?)
    };
    Ok(DbReply { status, replayed, body })
}
