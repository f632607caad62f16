//! What a handler has in its hands: the caller, one question to Postgres, the provider, the clock, and work for later.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::budget::Budget;
use crate::contract::User;
use crate::db::{As, Body, Call, Db, DbReply, Local, Silence, Verdict, verdict};
use crate::error::{Answer, ApiError, DATABASE_TIMEOUT, IDENTITY_MISMATCH, UNAVAILABLE};
use crate::http::Http;
use crate::identity::IdentitySettings;
use crate::json;
use crate::limits::Limits;
use crate::payments::Settings;
use crate::resilience::RETRIES;
use crate::text;
use crate::trace::Trace;

/// A handler's answer: a status and a JSON body, read or unread.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub replayed: bool,
    /// Beside those of every answer.
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

/// A request as it arrived, before anybody has read anything into it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub method: String,
    /// From the first slash after the host on, without the query.
    pub path: String,
    /// As it stands there, without the question mark.
    pub query: String,
    /// Read for open contracts alone, like the next two.
    pub authorization: Option<String>,
    pub apikey: Option<String>,
    /// `x-supabase-api-version`: how the client wants its refusals.
    pub api_version: Option<String>,
    pub origin: Option<String>,
    pub user_agent: Option<String>,
    /// The platform's connecting address; never a forwarded one.
    pub address: String,
}

impl Reply {
    /// # Errors
    /// Ours, if `body` cannot be JSON.
    pub fn json(status: u16, body: &impl Serialize) -> Answer<Self> {
        let text = serde_json::to_string(body).map_err(|e| ApiError::internal(e.to_string()))?;
        Ok(Self { status, replayed: false, headers: Vec::new(), body: Body::Text(text) })
    }
}

/// The world around one request; ports only, so that a host test can stand in for each.
pub struct World {
    pub request_id: String,
    /// The name in the URL: the function's own, or a legacy alias.
    pub invoked_as: String,
    /// What follows the name in the URL; means the same as an `action` in the body.
    pub suffix: Option<String>,
    /// Unix milliseconds.
    pub now_ms: u64,
    pub settings: Rc<Settings>,
    pub identity: Rc<IdentitySettings>,
    pub trace: Trace,
    pub budget: Rc<Budget>,
    /// From the `Idempotency-Key` header, unquoted.
    pub key: Option<String>,
    pub rpc_codes: &'static [&'static str],
    pub db: Rc<dyn Db>,
    pub http: Rc<dyn Http>,
    pub limits: Rc<dyn Limits>,
    /// Waits before the attempt of this number, with jitter.
    pub pause: fn(u32) -> Local<'static, ()>,
    pub later: RefCell<Vec<Local<'static, ()>>>,
}

/// The request of a caller of kind `W`. Cheap to clone.
pub struct Cx<W> {
    pub caller: W,
    pub world: Rc<World>,
}

impl<W: Clone> Clone for Cx<W> {
    fn clone(&self) -> Self {
        Self { caller: self.caller.clone(), world: Rc::clone(&self.world) }
    }
}

#[derive(Serialize)]
struct Asked<'a, A> {
    ask: &'a A,
}

impl<W> Cx<W> {
    /// Runs a command in the platform's own name; see [`As::Service`].
    ///
    /// # Errors
    /// The refusals of the SQL function, and ours.
    pub async fn service<T: DeserializeOwned>(&self, function: &str, ask: &impl Serialize) -> Answer<T> {
        read(&self.call(As::Service, function, ask, false).await?)
    }

    /// The key of this command: header or body; both, and different, is 400.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` for two keys, or one outside 8–255 visible ASCII characters.
    pub fn idempotency_key(&self, in_body: Option<String>) -> Answer<Option<String>> {
        let key = match (self.world.key.clone(), in_body) {
            (Some(header), Some(body)) if header != body => {
                return Err(ApiError::invalid("idempotency_key", "differs from the Idempotency-Key header"));
            }
            (header, body) => header.or(body),
        };
        match key {
            Some(key) if !(8..=255).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) => {
                Err(ApiError::invalid("idempotency_key", "must be 8 to 255 visible ASCII characters"))
            }
            key => Ok(key),
        }
    }

    /// Runs after the response, within the platform's 30 s; what must not be lost is swept besides.
    pub fn after_response(&self, work: impl Future<Output = ()> + 'static) {
        self.world.later.borrow_mut().push(Box::pin(work));
    }

    async fn call(&self, who: As<'_>, function: &str, ask: &impl Serialize, unread: bool) -> Answer<Reply> {
        let body = serde_json::to_string(&Asked { ask }).map_err(|e| ApiError::internal(e.to_string()))?;
        self.world.call(Call { who, function, body: &body, request_id: &self.world.request_id, unread }).await
    }
}

impl Cx<User> {
    /// Asks Postgres as the caller; answer and refusals pass through unchanged, the answer unread.
    ///
    /// # Errors
    /// The refusals of the SQL function, and ours.
    pub async fn rpc(&self, function: &str, ask: &impl Serialize) -> Answer<Reply> {
        self.call(As::User(&self.caller.token), function, ask, true).await
    }

    /// The same, for a handler that has to read the answer.
    ///
    /// # Errors
    /// The refusals of the SQL function, and ours.
    pub async fn rpc_read<T: DeserializeOwned>(&self, function: &str, ask: &impl Serialize) -> Answer<T> {
        read(&self.call(As::User(&self.caller.token), function, ask, false).await?)
    }

    /// A legacy body may name its caller; it never selects one.
    ///
    /// # Errors
    /// 403 `IDENTITY_MISMATCH` when it names somebody else.
    pub fn is_caller(&self, named: Option<&str>) -> Answer<()> {
        match named {
            Some(id) if !id.eq_ignore_ascii_case(&self.caller.id.to_string()) => Err(IDENTITY_MISMATCH.into()),
            _ => Ok(()),
        }
    }
}

impl Cx<crate::contract::Anyone> {
    /// Asks Postgres as the caller that is known, or as nobody.
    ///
    /// # Errors
    /// The refusals of the SQL function, and ours.
    pub async fn rpc_read<T: DeserializeOwned>(&self, function: &str, ask: &impl Serialize) -> Answer<T> {
        let who = self.caller.user.as_ref().map_or(As::Anon, |user| As::User(&user.token));
        read(&self.call(who, function, ask, false).await?)
    }
}

impl World {
    /// One command, asked again where that is harmless: what was rolled back for a reason that passes, and what was lost on
    /// the way although it carries a key, so that a repeat is answered with the first receipt (N61).
    async fn call(&self, call: Call<'_>) -> Answer<Reply> {
        let mut attempt = 0_u32;
        loop {
            attempt = attempt.saturating_add(1);
            match self.db.rpc(call).await {
                Ok(DbReply { status, replayed, body }) if status < 300 => {
                    return Ok(Reply { status, replayed, headers: Vec::new(), body });
                }
                Ok(DbReply { status, body: Body::Text(text), .. }) => match verdict(status, &text, self.rpc_codes) {
                    // The first one is about to end, and may be our own whose answer was lost.
                    Verdict::Error(error) if attempt <= RETRIES && is_in_progress(&error) => {}
                    Verdict::Error(error) => return Err(error),
                    Verdict::Again if attempt > RETRIES => return Err(UNAVAILABLE.into()),
                    Verdict::Again => {}
                },
                Ok(DbReply { status, .. }) => return Err(ApiError::internal(format!("gateway {status}: unread"))),
                Err(Silence::TimedOut) => return Err(DATABASE_TIMEOUT.into()),
                Err(Silence::Unreachable) if attempt > RETRIES || !is_keyed(call.body) => {
                    return Err(UNAVAILABLE.into());
                }
                Err(Silence::Unreachable) => {}
            }
            (self.pause)(attempt).await;
        }
    }
}

fn is_in_progress(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused(no) if no.code == "IDEMPOTENCY_IN_PROGRESS")
}

/// Whether the command carries an idempotency key. Inside a text the quotes would be escaped, so this is no accident.
fn is_keyed(body: &str) -> bool {
    text::contains(body, "\"idempotency_key\":\"")
}

fn read<T: DeserializeOwned>(reply: &Reply) -> Answer<T> {
    let Body::Text(text) = &reply.body else { return Err(ApiError::internal("an answer was not read")) };
    json::read(text).map_err(|error| ApiError::internal(format!("answer of the gateway: {error}")))
}

#[cfg(test)]
mod tests;
