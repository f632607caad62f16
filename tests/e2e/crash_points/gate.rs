//! Where a transaction of ours stands still, so that the process in front of it can be killed exactly there.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::OnceCell;
use tokio_postgres::Client;

use crate::world::World;

static KEYS: AtomicI64 = AtomicI64::new(1);
static GATES: OnceCell<()> = OnceCell::const_new();

/// All gates are open: those of a test that failed too.
pub async fn all_open(world: &'static World) {
    let install = || async {
        let client = world.connect().await.expect("Postgres answers");
        client.batch_execute(include_str!("gate.sql")).await.expect("gate.sql");
    };
    GATES.get_or_init(install).await;
    world.exec("delete from public.gates", &[]).await;
}

/// Held by a connection of its own: a test that fails in between lets go of it.
pub struct Gate {
    world: &'static World,
    holder: Client,
    pid: i32,
    key: i64,
}

impl Gate {
    /// Before the commit of whoever writes a row of `table` that fits `condition`: all is done, nothing is true yet.
    pub async fn at_commit(world: &'static World, table: &str, condition: &str) -> Gate {
        let gate = Gate::new(world).await;
        gate.holder.execute("select pg_advisory_lock($1)", &[&gate.key]).await.expect("a key nobody has");
        let sql = "insert into public.gates select $1, $2, $3
                   where exists (select from pg_trigger where tgname = 'gate' and tgrelid = to_regclass($2))";
        assert_eq!(world.exec(sql, &[&gate.key, &table, &condition]).await, 1, "gate.sql puts no trigger on {table}");
        gate
    }

    /// Before whoever wants to change this payment: it waits for the row.
    pub async fn at_the_row(world: &'static World, provider_payment_id: &str) -> Gate {
        let gate = Gate::new(world).await;
        let sql = "select 1 from payments.payments where provider_payment_id = $1 for update";
        gate.holder.batch_execute("begin").await.expect("begun");
        assert_eq!(gate.holder.execute(sql, &[&provider_payment_id]).await.expect("locked"), 1);
        gate
    }

    async fn new(world: &'static World) -> Gate {
        let holder = world.connect().await.expect("Postgres answers");
        let pid = holder.query_one("select pg_backend_pid()", &[]).await.expect("a pid").get(0);
        Gate { world, holder, pid, key: KEYS.fetch_add(1, Ordering::Relaxed) }
    }

    async fn waiting(&self) -> Vec<i32> {
        self.world.all("select pid from pg_stat_activity where $1 = any (pg_blocking_pids(pid))", &[&self.pid]).await
    }

    /// Somebody stands before it.
    pub async fn reached(&self) {
        let stands = async || (!self.waiting().await.is_empty()).then_some(());
        self.world.eventually("a transaction stands at the gate", stands).await;
    }

    /// It went down with the process: what it did never was.
    pub async fn rolls_back(self) {
        let waiting = self.waiting().await;
        self.world.exec("select pg_cancel_backend(pid) from unnest($1::integer[]) pid", &[&waiting]).await;
        self.gone().await;
        self.open().await;
    }

    /// Postgres finishes what it was told to commit, and nobody is there to hear of it.
    pub async fn commits(self) {
        assert_eq!(self.waiting().await.len(), 1, "it was to be committed, and does not wait for it any more");
        let (world, key) = (self.world, self.key);
        self.open().await;
        let sql = "select not exists
            (select from pg_locks where locktype = 'advisory' and classid = 0 and objid::bigint = $1)";
        world.eventually("it is committed", async || world.one::<bool>(sql, &[&key]).await.then_some(())).await;
    }

    async fn gone(&self) {
        let gone = async || self.waiting().await.is_empty().then_some(());
        self.world.eventually("nobody stands at the gate", gone).await;
    }

    async fn open(self) {
        self.world.exec("delete from public.gates where key = $1", &[&self.key]).await;
        drop(self.holder);
        let sql = "select not exists (select from pg_stat_activity where pid = $1)";
        let left = async || self.world.one::<bool>(sql, &[&self.pid]).await.then_some(());
        self.world.eventually("its holder has left", left).await;
    }
}
