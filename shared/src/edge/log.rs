//! One JSON line per request (N80): no body, no token, no address, no name; a user is a hash. What others wrote is masked, and
//! the line is put together without a tree of values, because every request pays for it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::mask::{masked, network};
use crate::contract::Spec;
use crate::cx::{Seen, World};
use crate::error::ApiError;
use crate::metrics::SLOW_MS;

/// Characters of a text that a stranger chose.
const AGENT: usize = 120;
const PATH: usize = 200;
const CAUSE: usize = 600;

pub struct Line<'a> {
    pub world: &'a World,
    pub spec: &'a Spec,
    /// Nothing, for the platform's own schedule.
    pub seen: Option<&'a Seen>,
    pub status: u16,
    pub error: Option<&'a ApiError>,
    pub user: Option<Uuid>,
    pub ended_ms: u64,
}

/// A JSON object on its way.
struct Fields(String);

impl Fields {
    fn name(&mut self, name: &str) {
        self.0.push_str(if self.0.is_empty() { "{\"" } else { ",\"" });
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        // Writing into a String cannot fail.
        let _ = write!(self.0, "{value}");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push('"');
        for c in value.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                c if c.is_control() => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(c));
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    fn some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }
}

/// A user as the log knows him: the same in every line, and nobody's id.
fn pseudonym(user: Uuid) -> String {
    Sha256::digest(user.as_bytes()).iter().take(6).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn outcome(status: u16) -> &'static str {
    match status {
        0..400 => "ok",
        400..500 => "refused",
        _ => "failed",
    }
}

/// The line, without its end.
fn told(line: &Line<'_>) -> String {
    let world = line.world;
    let ms = line.ended_ms.saturating_sub(world.now_ms);
    let (failed, slow) = (line.status >= 500, ms > SLOW_MS);
    let (database, outside) = (world.budget.database.get(), world.budget.outside.get());
    let mut out = Fields(String::with_capacity(640));
    out.number("time", line.ended_ms);
    out.text(
        "level",
        if failed {
            "error"
        } else if slow {
            "warn"
        } else {
            "info"
        },
    );
    out.text("request_id", &world.request_id);
    out.text("trace_id", &world.trace.id);
    out.text("span_id", &world.trace.span);
    out.some("parent_id", world.trace.parent.as_deref());
    out.text("function", line.spec.name);
    out.text("alias", &masked(&world.invoked_as, 64));
    if let Some(seen) = line.seen {
        out.text("method", &seen.method);
        out.text("path", &masked(&seen.path, PATH));
    }
    out.number("status", line.status.into());
    match line.error {
        Some(ApiError::Refused(no)) => out.text("code", &no.code),
        Some(ApiError::Internal(_)) => out.text("code", "INTERNAL"),
        None => {}
    }
    out.text("outcome", outcome(line.status));
    out.number("ms", ms);
    out.number("db_calls", database.calls.into());
    out.number("db_ms", database.ms);
    out.number("out_calls", outside.calls.into());
    out.number("out_ms", outside.ms);
    out.some("user", line.user.map(pseudonym).as_deref());
    if let Some(seen) = line.seen {
        out.some("user_agent", seen.user_agent.as_deref().map(|agent| masked(agent, AGENT)).as_deref());
        out.some("address", Some(network(&seen.address)).filter(|network| !network.is_empty()).as_deref());
    }
    if let Some(ApiError::Internal(cause)) = line.error {
        out.text("cause", &masked(cause, CAUSE));
    }
    if failed || slow {
        out.text("alert", if failed { "error" } else { "slow" });
    }
    out.0.push('}');
    out.0
}

pub fn write(line: &Line<'_>) {
    let text = told(line);
    if line.status >= 500 { worker::console_error!("{text}") } else { worker::console_log!("{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::contract::{Contract, User};
    use crate::error::FORBIDDEN;
    use crate::testing::{ALICE, FakeDb, alice};
    use proptest::prelude::*;
    use serde_json::Value;

    const CONTRACT: Contract<User> = Contract::post("wallet-operations").user();

    fn seen(path: &str, agent: &str) -> Seen {
        let (method, user_agent) = ("POST".to_owned(), Some(agent.to_owned()));
        let query = "phone=224620000001".to_owned();
        Seen { method, path: path.to_owned(), query, user_agent, address: "203.0.113.77".to_owned(), ..Seen::default() }
    }

    /// What is written of a request of Alice's that took so long.
    fn line(seen: &Seen, status: u16, error: Option<&ApiError>, ms: u64) -> Value {
        let world = alice(&FakeDb::unreachable()).world;
        Budget::spend(&world.budget.database, 12, false);
        Budget::spend(&world.budget.outside, 340, true);
        let ended_ms = world.now_ms + ms;
        let text = told(&Line {
            world: &world,
            spec: &CONTRACT.spec,
            seen: Some(seen),
            status,
            error,
            user: Some(ALICE),
            ended_ms,
        });
        assert!(!text.contains('\n'), "{text}");
        serde_json::from_str(&text).expect("one JSON object")
    }

    #[test]
    fn n80_a_line_says_who_asked_what_and_how_it_went() {
        let line = line(&seen("/functions/v1/wallet-operations/preview", "app/1.0"), 200, None, 17);
        let expected = serde_json::json!({
            "time": 1_800_000_000_017_u64, "level": "info", "request_id": "00000000-0000-4000-8000-000000000001",
            "trace_id": "00000000000040008000000000000001", "span_id": "8000000000000001", "function": "wallet-operations",
            "alias": "", "method": "POST", "path": "/functions/v1/wallet-operations/preview", "status": 200, "outcome": "ok", "ms": 17,
            "db_calls": 1, "db_ms": 12, "out_calls": 1, "out_ms": 340, "user": line["user"], "user_agent": "app/1.0",
            "address": "203.0.113.0",
        });
        assert_eq!(line, expected);
        let user = line["user"].as_str().expect("a hash");
        assert!(user.len() == 12 && !ALICE.simple().to_string().contains(user), "{user}");
    }

    #[test]
    fn n03_slow_and_failed_requests_call_for_attention() {
        for (status, error, ms, level, alert, outcome) in [
            (200, None, 1_000, "info", Value::Null, "ok"),
            (200, None, 1_001, "warn", "slow".into(), "ok"),
            (403, Some(FORBIDDEN.into()), 5, "info", Value::Null, "refused"),
            (500, Some(ApiError::internal("x")), 2_000, "error", "error".into(), "failed"),
            (503, None, 5, "error", "error".into(), "failed"),
        ] {
            let line = line(&seen("/", "a"), status, error.as_ref(), ms);
            assert_eq!(
                (&line["level"], &line["alert"], &line["outcome"]),
                (&level.into(), &alert, &outcome.into()),
                "{line}"
            );
        }
    }

    #[test]
    fn n80_a_cause_is_told_without_whom_it_is_about() {
        let cause = ApiError::internal(
            "duplicate key (phone, email)=(224620000001, awa@example.com), token eyJhbGciOiJIUzI1NiJ9.e30.x",
        );
        let line = line(&seen("/", "a"), 500, Some(&cause), 1);
        assert_eq!(line["cause"], "duplicate key (phone, email)=([digits], [email]), token [token]");
        assert_eq!(line["code"], "INTERNAL");
    }

    proptest! {
        #[test]
        fn n80_whatever_strangers_write_the_line_stays_one_object_without_it(
            path in "/\\PC{0,60}", agent in "[\u{1}-\u{7f}é]{0,300}", phone in "[1-9][0-9]{7,14}", email in "[a-z]{3,9}@[a-z]{3,9}\\.test",
        ) {
            let line = line(&seen(&format!("{path}/{phone}/{email}"), &format!("{agent} {phone} {email}")), 200, None, 1);
            let text = line.to_string();
            prop_assert!(!text.contains(&phone) && !text.contains(&email), "{}", text);
            prop_assert!(!text.contains("224620000001") && !text.contains("203.0.113.77"), "{}", text);
            prop_assert!(line["user_agent"].as_str().is_some_and(|agent| agent.chars().count() <= 120));
        }
    }
}
