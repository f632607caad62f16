//! Postgres through its HTTP gateway: one RPC is one `fetch`, and a success is handed through unread. The `postgrest` crate
//! serves the functions that read lists (`tables.rs`); here it would cost twice the CPU and 85 KB.

use std::rc::Rc;

use super::config::Config;
use super::js;
use crate::budget::Budget;
use crate::db::{As, Body, Call, Db, DbReply, Local, Silence};
use crate::http::Lost;

/// The database has 5 s (N64).
const TIMEOUT_MS: u32 = 5_000;

pub struct Gateway {
    pub config: Rc<Config>,
    pub budget: Rc<Budget>,
    /// The caller's trace, where there is one.
    pub traceparent: Option<Rc<str>>,
}

impl Db for Gateway {
    fn rpc<'a>(&'a self, call: Call<'a>) -> Local<'a, Result<DbReply, Silence>> {
        Box::pin(async move {
            let began_ms = js::now_ms();
            let answer = self.ask(call, began_ms).await;
            let ill = answer.as_ref().map_or(true, |reply| reply.status >= 500);
            Budget::spend(&self.budget.database, js::now_ms().saturating_sub(began_ms), ill);
            answer.map_err(silence)
        })
    }
}

impl Gateway {
    async fn ask(&self, call: Call<'_>, began_ms: u64) -> Result<DbReply, Lost> {
        let allowed_ms = self.budget.allows(began_ms, TIMEOUT_MS);
        if allowed_ms == 0 {
            return Err(Lost::TimedOut);
        }
        let config = &self.config;
        let token = match call.who {
            As::User(token) => token,
            As::Service => config.service_key.expose(),
            As::Anon => &config.anon_key,
        };
        let url = [&config.postgrest_url, "/rpc/", call.function].concat();
        let trace = self.traceparent.as_deref();
        let told = js::ask(&url, token, call.request_id, trace, call.body, allowed_ms).await?;
        let js::Told { status, replayed, response } = told;
        let body = if call.unread && status < 300 {
            Body::Unread(Box::new(response))
        } else {
            let spent_ms = u32::try_from(js::now_ms().saturating_sub(began_ms)).unwrap_or(u32::MAX);
            Body::Text(js::told_text(&response, allowed_ms.saturating_sub(spent_ms)).await?)
        };
        Ok(DbReply { status, replayed, body })
    }
}

fn silence(lost: Lost) -> Silence {
    match lost {
        Lost::TimedOut => Silence::TimedOut,
        Lost::Unreachable | Lost::NotSent | Lost::Broken => Silence::Unreachable,
    }
}
