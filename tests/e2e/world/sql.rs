//! The way in that only tests have: SQL, to see what really happened.

use serde_json::Value;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Client, NoTls};

use super::World;

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

impl World {
    /// A connection of one's own, for transactions.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.db, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A migrated database of one's own in the same cluster, for tests that need every row of a ledger: its URL, and in.
    pub async fn own_database(&self) -> (String, Client) {
        let name = format!("own_{}", xtask::keys::random_uuid().simple());
        self.exec(&format!("create database {name}"), &[]).await;
        let (base, _) = self.db.rsplit_once('/').expect("a URL names its database");
        let url = format!("{base}/{name}");
        xtask::migrate::apply(&url).await.expect("the migrations apply");
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("Postgres answers");
        tokio::spawn(connection);
        (url, client)
    }

    async fn borrowed<T>(&self, ask: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>) -> T {
        let idle = { self.idle.lock().expect("no test panics here").pop() };
        let client = match idle {
            Some(client) if !client.is_closed() => client,
            _ => self.connect().await.expect("Postgres answers"),
        };
        let answer = ask(&client).await;
        self.idle.lock().expect("no test panics here").push(client);
        answer.unwrap_or_else(|error| panic!("{error}: {:?}", error.as_db_error()))
    }

    pub async fn exec(&self, sql: &str, params: Params<'_>) -> u64 {
        self.borrowed(async |client| client.execute(sql, params).await).await
    }

    /// The one value of the one row that `sql` returns.
    pub async fn one<T: FromSqlOwned>(&self, sql: &str, params: Params<'_>) -> T {
        self.borrowed(async |client| client.query_one(sql, params).await).await.get(0)
    }

    /// The first column of each row.
    pub async fn all<T: FromSqlOwned>(&self, sql: &str, params: Params<'_>) -> Vec<T> {
        let rows = self.borrowed(async |client| client.query(sql, params).await).await;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The whole-world check that ends every test: each currency sums to zero, each balance is the sum of its entries,
    /// nothing is below zero. One statement, hence one instant: other tests may be in the middle of theirs.
    pub async fn check_books(&self) {
        let books: Value = self.one("select ledger.check_books()", &[]).await;
        assert!(books["ok"] == true, "the books do not balance: {books}");
    }

    /// Runs `work` while every write to `table` that fits `condition` fails: the connection that is cut in the middle.
    /// `condition` names rows of this test alone, since others write to the same table; `roomy.sql` has the trigger.
    pub async fn sabotaged<T>(&self, table: &str, condition: &str, work: impl AsyncFnOnce() -> T) -> T {
        let id = xtask::keys::random_uuid();
        let sql = "insert into public.sabotage select $1, $2, $3
                   where exists (select from pg_trigger where tgname = 'sabotage' and tgrelid = to_regclass($2))";
        assert_eq!(self.exec(sql, &[&id, &table, &condition]).await, 1, "roomy.sql puts no trigger on {table}");
        let answer = work().await;
        self.exec("delete from public.sabotage where id = $1", &[&id]).await;
        answer
    }
}
