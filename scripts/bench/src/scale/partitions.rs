//! Which partitions a question reads, and what the turn of a month takes.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::world::World;
use crate::rows::Partitions;
use crate::stats::hundredths;

/// What is asked, of which table, and in whose name: as the caller of the view, or inside a function, which is its owner.
const QUESTIONS: [(&str, &str, bool, &str); 4] = [
    ("history", "entries", true, "select * from api.wallet_history order by created_at desc, id desc limit 20"),
    (
        "history/next-page",
        "entries",
        true,
        "select * from api.wallet_history where created_at < date_trunc('month', now() - interval '6 months')
            order by created_at desc, id desc limit 20",
    ),
    (
        "history/one-month",
        "entries",
        true,
        "select * from api.wallet_history where created_at >= date_trunc('month', now() - interval '1 month')
            and created_at < date_trunc('month', now()) order by created_at desc, id desc limit 20",
    ),
    // What the guard asks before each transfer: `ledger.sent_since`.
    (
        "guard/last-day",
        "transactions",
        false,
        "select t.created_at, t.sent_count - 1, t.sent_total - t.amount from ledger.transactions t
          where t.sender_wallet_id = (select w.id from ledger.wallets w where w.currency = 'GNF' and w.user_id = auth.uid())
            and t.created_at > now() - interval '24 hours' and t.created_at < now() + interval '1 day'
          order by t.created_at limit 1",
    ),
];

pub async fn show(world: &mut World, user: Uuid, rows: u64) -> Result<Vec<Partitions>> {
    let mut shown = Vec::new();
    for (name, table, as_user, question) in QUESTIONS {
        let of = partitions(world, table).await?;
        let begun = Instant::now();
        let transaction = world.db.transaction().await?;
        speak_for(&transaction, user, as_user).await?;
        let sql = format!("explain (analyze, costs off, timing off, format json) {question}");
        let plan: Value = transaction.query_one(&sql, &[]).await.with_context(|| name.to_owned())?.get(0);
        transaction.rollback().await?;
        let touched = touched(&plan, &format!("{table}_")).len();
        ensure!(touched > 0, "{name} reads nothing: {plan}");
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        shown.push(row(&format!("read/{name}"), rows, touched, of, ms));
    }
    shown.extend(turn_of_the_month(world, user, rows).await?);
    Ok(shown)
}

async fn speak_for(transaction: &Transaction<'_>, user: Uuid, as_user: bool) -> Result<()> {
    let token = json!({ "role": "authenticated", "sub": user }).to_string();
    transaction.execute("select set_config('request.jwt.claims', $1, true)", &[&token]).await?;
    // The guard's own setting stands at its function.
    transaction
        .batch_execute(if as_user { "set local role authenticated" } else { "set local enable_sort = off" })
        .await?;
    Ok(())
}

async fn partitions(world: &World, table: &str) -> Result<usize> {
    let sql = format!("select count(*) from pg_inherits where inhparent = 'ledger.{table}'::regclass");
    Ok(usize::try_from(world.db.query_one(&sql, &[]).await?.get::<_, i64>(0))?)
}

/// The partitions that a plan has really read: those that were pruned are not in it, or were never begun.
fn touched(plan: &Value, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match plan {
        Value::Array(parts) => parts.iter().for_each(|part| found.extend(touched(part, prefix))),
        Value::Object(node) => {
            let was_read = node.get("Actual Loops").is_some_and(|loops| loops.as_f64() > Some(0.0));
            let name = node.get("Relation Name").and_then(Value::as_str).filter(|name| name.starts_with(prefix));
            found.extend(name.filter(|_| was_read).map(str::to_owned));
            node.values().for_each(|part| found.extend(touched(part, prefix)));
        }
        _ => {}
    }
    found
}

/// The months from the one after next on are taken away, empty as they are, as if the job had not run for ten months; then it runs.
async fn turn_of_the_month(world: &mut World, user: Uuid, rows: u64) -> Result<Vec<Partitions>> {
    let tables = world.db.query_one("select count(*) from core.monthly_tables", &[]).await?;
    let tables = usize::try_from(tables.get::<_, i64>(0))?;
    let forget = "do $$ declare part text; held bigint; begin
        for part in select m.name || '_' || to_char((now() at time zone 'UTC') + make_interval(months => ahead), 'YYYYMM')
              from core.monthly_tables m, generate_series(2, 12) ahead loop
            execute 'select count(*) from ' || part into held;
            assert held = 0, part || ' is not empty';
            execute 'drop table ' || part;
        end loop; end $$";
    world.db.batch_execute(forget).await?;
    let begun = Instant::now();
    let made: i32 = world.db.query_one("select core.keep_partitions()", &[]).await?.get(0);
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    ensure!(usize::try_from(made)? == tables, "{made} of {tables} tables have got their next months");
    let landed = lands_in(world, user).await?;
    ensure!(landed.0 == landed.1, "a line of the month after next landed in {}, not in {}", landed.0, landed.1);
    let again = Instant::now();
    let made: i32 = world.db.query_one("select core.keep_partitions()", &[]).await?.get(0);
    ensure!(made == 0, "the job has made months that were there");
    let idle = again.elapsed().as_secs_f64() * 1e3;
    Ok(vec![row("turn/job", rows, tables, tables, ms), row("turn/nothing-to-do", rows, 0, tables, idle)])
}

/// Where a balanced posting of the month after next goes, and where it should; taken back.
async fn lands_in(world: &mut World, user: Uuid) -> Result<(String, String)> {
    let transaction = world.db.transaction().await?;
    let sql = "with line as (
            insert into ledger.entries (created_at, transaction_id, leg, account_id, currency, amount)
            select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' + interval '2 months 1 day', t.tx, l.leg,
                   l.account, 'GNF', l.amount
              from (select gen_random_uuid() as tx) t, lateral (values (1, ledger.platform_account('suspense', 'GNF'), -1),
                   (2, (select w.id from ledger.wallets w where w.user_id = $1 and w.currency = 'GNF'), 1)) l (leg, account, amount)
            returning tableoid::regclass::text as home)
        select min(home), 'ledger.entries_' || to_char((now() at time zone 'UTC') + interval '2 months', 'YYYYMM') from line";
    let row = transaction.query_one(sql, &[&user]).await?;
    transaction.rollback().await?;
    Ok((row.get(0), row.get(1)))
}

fn row(case: &str, rows: u64, touched: usize, of: usize, ms: f64) -> Partitions {
    Partitions { suite: "partitions", case: case.to_owned(), subject: "ours", rows, touched, of, ms: hundredths(ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pruned_or_never_begun_is_not_touched() {
        let scan =
            |name: &str, loops: f64| json!({ "Node Type": "Index Scan", "Relation Name": name, "Actual Loops": loops });
        let plans = [
            scan("entries_202611", 1.0),
            scan("entries_202610", 0.0),
            scan("wallets", 1.0),
            scan("entries_202611", 3.0),
        ];
        let plan =
            json!([{ "Plan": { "Node Type": "Limit", "Actual Loops": 1, "Plans": plans, "Subplans Removed": 20 } }]);
        assert_eq!(touched(&plan, "entries_"), BTreeSet::from(["entries_202611".to_owned()]));
    }
}
