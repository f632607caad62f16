//! What lies on the disk: for each table, for a transfer, and after a million updates of rows that move.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::work::{Cast, Load};
use super::world::World;
use super::{Case, texts};
use crate::rows::Stored;

/// Transfers whose traces are weighed.
const WEIGHED: u32 = 2_000;
const TURN: u32 = 20;

/// Partitions count as their table. Filled tables only, the largest first.
pub async fn tables(world: &World) -> Result<Vec<Stored>> {
    let sql = "select coalesce(i.inhparent, c.oid)::regclass::text, sum(greatest(c.reltuples, 0))::bigint,
            sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
          from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_inherits i on i.inhrelid = c.oid
         where c.relkind = 'r' and n.nspname in ('auth', 'people', 'ledger', 'payments', 'taxi', 'core')
         group by 1 having sum(greatest(c.reltuples, 0)) > 0 order by 3 desc";
    let rows = world.db.query(sql, &[]).await?;
    rows.iter().map(|row| stored(row.get(0), "ours", row.get(1), (row.get(2), row.get(3)))).collect()
}

fn stored(case: &str, subject: &'static str, rows: i64, (table, index): (i64, i64)) -> Result<Stored> {
    let (rows, table_bytes, index_bytes) = (u64::try_from(rows)?, u64::try_from(table)?, u64::try_from(index)?);
    Ok(Stored { suite: "storage", case: case.to_owned(), subject, rows, table_bytes, index_bytes, hot: None })
}

/// What a transfer leaves behind in all tables together: lines, transaction, logs, key, outbox.
pub async fn of_a_transfer(load: &mut Load, world: &mut World, cast: &mut Cast) -> Result<Stored> {
    let before = all(world).await?;
    // In turns short enough not to be cut.
    for _ in 0..WEIGHED / TURN {
        load.turn(Case::Transfer, usize::try_from(TURN)?, world, cast).await?;
    }
    let after = all(world).await?;
    stored("transfer", "ours", i64::from(WEIGHED), (after.0 - before.0, after.1 - before.1))
}

async fn all(world: &World) -> Result<(i64, i64)> {
    let sql = "select sum(pg_relation_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname in ('auth', 'people', 'ledger', 'payments', 'taxi', 'core')";
    let row = world.db.query_one(sql, &[]).await?;
    Ok((row.get(0), row.get(1)))
}

/// One row after the other, committed by the hundred, while autovacuum runs as always. Every balance that goes up comes down again.
const CHURN: &str = "do $$ begin
    for i in 0 .. {updates} - 1 loop
        update {table} where {id} = md5('scale {kind} ' || {every} * (i % ({updates} / 2) * 7919::bigint % {count}))::uuid;
        if i % 100 = 99 then commit; end if;
    end loop; end $$";

pub async fn bloat(world: &World, rows: u64) -> Result<Vec<Stored>> {
    let updates = rows.min(1_000_000);
    let wallets = "ledger.wallets set balance = balance + case when i < {updates} / 2 then 1 else -1 end";
    let positions =
        "taxi.driver_positions set lat = lat + (random() - 0.5) * 0.002, lng = lng + (random() - 0.5) * 0.002,
        seen_at = clock_timestamp()";
    let mut found = Vec::new();
    let moved = [
        ("ledger.wallets", wallets, "id", "wallet", 1),
        ("taxi.driver_positions", positions, "driver_id", "driver", 10),
    ];
    for (table, change, id, kind, every) in moved {
        let count = world.users / every;
        let text = CHURN.replace("{table}", change);
        let text = texts::fill(
            &text,
            &[("updates", &updates), ("id", &id), ("kind", &kind), ("every", &every), ("count", &count)],
        );
        world.db.batch_execute(&format!("vacuum {table}")).await?;
        let (before, updated_before) = (weigh(world, table, "before", updates).await?, updated(world, table).await?);
        world.db.batch_execute("set synchronous_commit = off").await?;
        world.db.batch_execute(&text).await.with_context(|| format!("cannot update {table}"))?;
        world.db.batch_execute("reset synchronous_commit").await?;
        let updated_after = updated(world, table).await?;
        let (all, hot) = (updated_after.0 - updated_before.0, updated_after.1 - updated_before.1);
        // A few more: what another session did before is told late.
        ensure!(u64::try_from(all)? >= updates, "{all} of {updates} updates of {table} found their row");
        let mut after = weigh(world, table, "updated", updates).await?;
        after.hot = Some(share(hot, all));
        world.db.batch_execute(&format!("vacuum {table}")).await?;
        found.extend([before, after, weigh(world, table, "vacuumed", updates).await?]);
    }
    Ok(found)
}

async fn weigh(world: &World, table: &str, subject: &'static str, updates: u64) -> Result<Stored> {
    let sql = "select pg_table_size($1::text::regclass), pg_indexes_size($1::text::regclass)";
    let row = world.db.query_one(sql, &[&table]).await?;
    stored(&format!("bloat/{table}"), subject, i64::try_from(updates)?, (row.get(0), row.get(1)))
}

/// Updates of a table so far, and how many of them touched no index.
async fn updated(world: &World, table: &str) -> Result<(i64, i64)> {
    // A session tells what it did when it is idle, once a second at most.
    world.db.batch_execute("select pg_stat_force_next_flush()").await?;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let sql = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relid = $1::text::regclass";
    let row = world.db.query_one(sql, &[&table]).await?;
    Ok((row.get(0), row.get(1)))
}

#[expect(clippy::cast_precision_loss, reason = "a million updates, not 2^53")]
fn share(part: i64, of: i64) -> f64 {
    crate::stats::hundredths(part as f64 / of.max(1) as f64)
}
