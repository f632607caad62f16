//! The port to Postgres: one RPC of schema `api` per command, and how its refusals are read.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use crate::error::{ApiError, COMMON_RPC_CODES, DATABASE_TIMEOUT, Details, Problem, UNAUTHENTICATED, UNAVAILABLE};
use crate::json::{self, Fields};

pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// In whose name a command runs.
#[derive(Clone, Copy, Debug)]
pub enum As<'a> {
    /// The caller's own token; row-level security sees it.
    User(&'a str),
    /// The platform itself: what a provider has said, and the clock. Never for what a user asks.
    Service,
    /// Nobody.
    Anon,
}

#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub who: As<'a>,
    pub function: &'a str,
    /// `{"ask":…}`.
    pub body: &'a str,
    pub request_id: &'a str,
    /// On success, hand the body through without reading it.
    pub unread: bool,
}

/// A body that was read, or one that only the platform can carry (the upstream's stream).
pub enum Body {
    Text(String),
    Unread(Box<dyn Any>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Unread(_) => f.write_str("(unread)"),
        }
    }
}

#[derive(Debug)]
pub struct DbReply {
    pub status: u16,
    /// The stored answer of an earlier request with the same key.
    pub replayed: bool,
    pub body: Body,
}

/// No answer from the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    Unreachable,
    TimedOut,
}

pub trait Db {
    fn rpc<'a>(&'a self, call: Call<'a>) -> Local<'a, Result<DbReply, Silence>>;
}

/// What to do with an answer that is no success.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// The whole transaction was rolled back for a reason that passes: ask again.
    Again,
    Error(ApiError),
}

struct Upstream<'a> {
    code: String,
    message: Option<String>,
    details: Option<&'a str>,
    hint: Option<String>,
}

impl<'a> Upstream<'a> {
    fn read(body: &'a str) -> Option<Self> {
        let no = Fields::read(body.as_bytes()).ok()?;
        let text = |name| no.text(name).ok();
        let details = no.get("details").ok()?.filter(|details| *details != "null");
        Some(Self { code: text("code")??, message: text("message")?, details, hint: text("hint")? })
    }
}

/// Reads a refusal of the gateway. Declared codes pass unchanged; everything else is ours.
///
/// Sources: PostgREST's error table (docs/references/errors), contracts/README section 3.
#[must_use]
#[inline(never)] // Most answers are no refusals; see `edge::apart`.
pub fn verdict(status: u16, body: &str, declared: &[&str]) -> Verdict {
    let Some(no) = Upstream::read(body) else {
        return Verdict::Error(if status >= 502 {
            UNAVAILABLE.into()
        } else {
            ApiError::internal(format!("gateway {status}: no JSON"))
        });
    };
    if declared.contains(&no.code.as_str()) || COMMON_RPC_CODES.contains(&no.code.as_str()) {
        return Verdict::Error(ApiError::Refused(Box::new(Problem {
            status,
            message: no.message.unwrap_or_default(),
            details: no.details.map_or_else(Details::default, unfold),
            hint: no.hint,
            retry_after: (status == 429 || status == 503 || no.code == "IDEMPOTENCY_IN_PROGRESS").then_some(1),
            code: no.code,
        })));
    }
    match no.code.as_str() {
        // Serialisation failure, deadlock; and a schema cache that is one migration behind.
        "40001" | "40P01" | "PGRST202" => Verdict::Again,
        "57014" => Verdict::Error(DATABASE_TIMEOUT.into()),
        "PGRST301" | "PGRST302" | "PGRST303" => Verdict::Error(UNAUTHENTICATED.into()),
        "PGRST000" | "PGRST001" | "PGRST002" | "PGRST003" => Verdict::Error(UNAVAILABLE.into()),
        code if ["08", "53", "57P"].iter().any(|class| code.starts_with(class)) => Verdict::Error(UNAVAILABLE.into()),
        code => {
            Verdict::Error(ApiError::internal(format!("gateway {status} {code}: {}", no.message.unwrap_or_default())))
        }
    }
}

/// `core.refuse` sends JSON details as text, because PostgREST types them so.
fn unfold(details: &str) -> Details {
    let text = json::string(details).ok().filter(|text| json::is_json(text));
    Details::of_json(text.unwrap_or_else(|| details.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> Problem {
        match verdict(status, body, &["ALREADY_ASSIGNED"]) {
            Verdict::Error(error) => error.problem(),
            Verdict::Again => panic!("retried: {body}"),
        }
    }

    #[test]
    fn a_declared_refusal_reaches_the_client_as_it_is() {
        let no =
            error(409, r#"{"code":"ALREADY_ASSIGNED","message":"gone","details":"{\"ride_id\":\"r\"}","hint":null}"#);
        assert_eq!(
            (no.status, no.code.as_str(), &no.details.read()["ride_id"]),
            (409, "ALREADY_ASSIGNED", &"r".into())
        );
    }

    #[test]
    fn whatever_nobody_declared_is_a_bare_500() {
        for body in [
            r#"{"code":"23505","message":"duplicate key value violates unique constraint \"secret\"","details":"Key (id)=(1)","hint":null}"#,
            r#"{"code":"42501","message":"permission denied for table wallets","details":null,"hint":null}"#,
            r#"{"code":"SOMETHING_NEW","message":"x","details":null,"hint":null}"#,
        ] {
            let no = error(409, body);
            assert_eq!(
                (no.status, no.code.as_str(), no.message.as_str()),
                (500, "INTERNAL", "something went wrong on our side")
            );
        }
    }

    #[test]
    fn a_database_that_is_down_or_slow_is_said_so() {
        for (status, body, expected) in [
            (503, r#"{"code":"PGRST001","message":"no connection"}"#, 503),
            (503, r#"{"code":"57P01","message":"shutdown"}"#, 503),
            (500, r#"{"code":"57014","message":"statement timeout"}"#, 504),
            (502, "<html>bad gateway</html>", 503),
            (401, r#"{"code":"PGRST303","message":"JWT expired"}"#, 401),
        ] {
            assert_eq!(error(status, body).status, expected, "{body}");
        }
    }

    #[test]
    fn a_rolled_back_transaction_is_asked_again() {
        for code in ["40001", "40P01"] {
            assert_eq!(verdict(500, &format!(r#"{{"code":"{code}","message":"x"}}"#), &[]), Verdict::Again);
        }
    }
}
