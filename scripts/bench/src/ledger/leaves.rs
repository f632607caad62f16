//! Which rows a transfer leaves. `rows` is a floor of `ours` only for as long as both leave as many in the same tables.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use tokio_postgres::{Error, Transaction};

/// By table: how many rows were inserted, updated and deleted. A partition is a table.
pub type Leaves = BTreeMap<String, [i64; 3]>;

/// Of this transaction, and of what its session has not reported yet.
const WRITTEN: &str =
    "select schemaname || '.' || relname, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_xact_user_tables";

/// Up to now, with what waits for the commit.
pub async fn written(transaction: &Transaction<'_>) -> Result<Leaves, Error> {
    transaction.batch_execute("set constraints all immediate").await?;
    let rows = transaction.query(WRITTEN, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), [row.get(1), row.get(2), row.get(3)])).collect())
}

/// Tables in which nothing was written are left out.
pub fn between(before: &Leaves, after: &Leaves) -> Leaves {
    let since = |table: &str, now: [i64; 3]| {
        let then = before.get(table).copied().unwrap_or_default();
        [now[0] - then[0], now[1] - then[1], now[2] - then[2]]
    };
    let written = after.iter().map(|(table, now)| (table.clone(), since(table, *now)));
    written.filter(|(_, counts)| *counts != [0; 3]).collect()
}

/// An error that names the tables in which they differ.
pub fn compare(ours: &Leaves, rows: &Leaves) -> Result<()> {
    let said = |of: &Leaves, table: &str| {
        let [inserted, updated, deleted] = of.get(table).copied().unwrap_or_default();
        format!("{inserted} inserted, {updated} updated, {deleted} deleted")
    };
    let tables: BTreeSet<&String> = ours.keys().chain(rows.keys()).collect();
    let differ = tables.into_iter().filter(|table| ours.get(*table) != rows.get(*table));
    let lines: Vec<String> =
        differ.map(|table| format!("{table}: `ours` {}; `rows` {}", said(ours, table), said(rows, table))).collect();
    ensure!(
        lines.is_empty(),
        "`rows` (scripts/bench/src/ledger/written.rs) does not leave the rows of a transfer:\n{}",
        lines.join("\n")
    );
    ensure!(!ours.is_empty(), "a transfer leaves no rows: Postgres does not count them");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(tables: &[(&str, [i64; 3])]) -> Leaves {
        tables.iter().map(|(table, counts)| ((*table).to_owned(), *counts)).collect()
    }

    #[test]
    fn what_was_written_before_is_not_of_this_transfer() {
        let before = leaves(&[("core.outbox", [1, 0, 0]), ("ledger.known_recipients", [1, 0, 0])]);
        let after = leaves(&[
            ("core.outbox", [2, 0, 0]),
            ("ledger.known_recipients", [1, 0, 0]),
            ("ledger.wallets", [0, 2, 0]),
            ("auth.users", [0, 0, 0]),
        ]);
        let expected = leaves(&[("core.outbox", [1, 0, 0]), ("ledger.wallets", [0, 2, 0])]);
        assert_eq!(between(&before, &after), expected);
    }

    #[test]
    fn a_row_that_only_one_of_them_writes_is_named() {
        let ours = leaves(&[("core.outbox", [1, 0, 0]), ("ledger.wallets", [0, 2, 0])]);
        assert!(compare(&ours, &ours).is_ok());
        for (more, table) in
            [("core.audit_logs", "core.audit_logs: `ours` 1 inserted"), ("core.outbox", "core.outbox: ")]
        {
            let mut written = ours.clone();
            written.entry(more.to_owned()).or_default()[0] += 1;
            let error = compare(&written, &ours).expect_err(more).to_string();
            assert!(error.contains(table) && !error.contains("ledger.wallets"), "{error}");
            assert!(compare(&ours, &written).is_err(), "{more}");
        }
    }

    #[test]
    fn a_server_that_counts_nothing_proves_nothing() {
        assert!(compare(&Leaves::new(), &Leaves::new()).is_err());
    }
}
