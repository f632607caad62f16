//! Every way a function says no: its contract's codes, the pipeline's, and the status that SQL gives each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Result, ensure};
use shared::contract::{Auth, Limit, Spec};
use shared::error;
use shared::wire::Wire;
use xtask::house;

/// Codes by status.
pub type Refusals = BTreeMap<u16, BTreeSet<String>>;

/// The statuses that SQL gives each code, from the migrations.
pub struct Sql(BTreeMap<String, BTreeSet<u16>>);

impl Sql {
    pub fn read() -> Result<Self> {
        let mut found = BTreeMap::<String, BTreeSet<u16>>::new();
        for entry in fs::read_dir(house::root().join("migrations"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "sql") {
                for (code, status) in refusals(&fs::read_to_string(path)?) {
                    found.entry(code).or_default().insert(status);
                }
            }
        }
        Ok(Self(found))
    }
}

/// What `core.refuse('CODE', 409, …)` and `ledger.refusal('CODE', 409, …)` say.
fn refusals(sql: &str) -> Vec<(String, u16)> {
    let after = |opening: &'static str| sql.match_indices(opening).map(move |(at, _)| &sql[at + opening.len()..]);
    let calls = after("core.refuse(").chain(after("ledger.refusal("));
    calls
        .filter_map(|rest| {
            let (code, rest) = rest.trim_start().strip_prefix('\'')?.split_once('\'')?;
            let digits = rest.trim_start().strip_prefix(',')?.trim_start();
            let end = digits.find(|c: char| !c.is_ascii_digit())?;
            Some((code.to_owned(), digits[..end].parse().ok()?))
        })
        .collect()
}

/// What this function may refuse. `keyed`: it takes an idempotency key.
pub fn of(wire: &Wire, keyed: bool, sql: &Sql) -> Result<Refusals> {
    let spec = wire.spec;
    let mut all = Refusals::new();
    let mut add = |status: u16, code: &str| {
        all.entry(status).or_default().insert(code.to_owned());
    };
    for no in pipeline(spec) {
        add(no.status, no.code);
    }
    add(500, "INTERNAL");
    if spec.auth != Auth::Webhook {
        add(400, "VALIDATION_ERROR");
    }
    if matches!(spec.auth, Auth::User | Auth::Public) {
        for no in [error::FORBIDDEN, error::IDENTITY_MISMATCH, error::NOT_FOUND] {
            add(no.status, no.code);
        }
    }
    if keyed {
        add(409, "IDEMPOTENCY_IN_PROGRESS");
        add(422, "IDEMPOTENCY_MISMATCH");
    }
    for no in spec.refusals {
        add(no.status, no.code);
    }
    for code in spec.rpc_codes.iter().filter(|_| wire.known_as.is_none()) {
        let statuses = sql.0.get(*code);
        ensure!(statuses.is_some(), "{}: no migration refuses with {code}: take it out of rpc_refuses", spec.name);
        statuses.into_iter().flatten().for_each(|status| add(*status, code));
    }
    Ok(all)
}

/// What is refused before and after any handler.
fn pipeline(spec: &Spec) -> Vec<error::Refusal> {
    let mut all = vec![
        error::METHOD_NOT_ALLOWED,
        error::PAYLOAD_TOO_LARGE,
        error::OVERLOADED,
        error::NOT_CONFIGURED,
        error::UNAVAILABLE,
        error::DATABASE_TIMEOUT,
    ];
    if spec.auth != Auth::Webhook {
        all.extend([error::BAD_JSON, error::UNSUPPORTED_MEDIA_TYPE]);
    }
    if matches!(spec.auth, Auth::User | Auth::Cron) {
        all.push(error::UNAUTHENTICATED);
    }
    if spec.limit != Limit::None {
        all.push(error::RATE_LIMITED);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_its_status_are_read_wherever_they_are_written() {
        let sql = "perform core.refuse('GONE', 410, 'x'); return ledger.refusal(\n 'BLOCKED' ,\n 403, 'y'); core.refuse(code, 409); core.refuse('HALF'";
        let expected = [("GONE".to_owned(), 410), ("BLOCKED".to_owned(), 403)];
        assert_eq!(refusals(sql), expected);
    }
}
