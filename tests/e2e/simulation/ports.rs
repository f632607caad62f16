//! The two ports of the flows, as they are in the simulation: real Postgres, a provider in memory, and a fuse in both that
//! kills the caller at a named point.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{Value, json};
use shared::db::{As, Body, Call, Db, DbReply, Local, Silence};
use tokio::sync::Notify;
use tokio_postgres::Client;

/// Lets a number of points pass and then burns for ever: whoever waits there is dropped by the driver, as a process dies.
#[derive(Default)]
pub struct Fuse {
    left: Cell<Option<u32>>,
    burnt: Notify,
    /// Where it burnt, or the last point that was passed.
    pub at: RefCell<String>,
}

impl Fuse {
    /// Burns at the n-th point from now on; `None` lets everything pass.
    pub fn set(&self, points: Option<u32>) {
        self.left.set(points);
    }

    pub async fn pass(&self, point: &str) {
        self.at.replace(point.to_owned());
        match self.left.get() {
            None => {}
            Some(0) => {
                self.burnt.notify_one();
                std::future::pending().await
            }
            Some(n) => self.left.set(Some(n - 1)),
        }
    }

    pub async fn burnt(&self) {
        self.burnt.notified().await;
    }
}

/// A command that Postgres has committed, seen by the model whether or not its caller lived to hear of it.
#[derive(Debug)]
pub struct Committed {
    pub function: String,
    /// The user's id, or nobody for the platform itself.
    pub caller: Option<String>,
    pub ask: Value,
    pub status: u16,
    pub answer: Value,
}

/// PostgREST's part: a transaction in the caller's name around one function.
pub struct Postgres {
    pub client: Client,
    pub fuse: Rc<Fuse>,
    pub log: RefCell<Vec<Committed>>,
    /// How many of the next answers are lost on their way back, the command committed.
    pub lose: Cell<u32>,
}

impl Postgres {
    async fn run(&self, call: Call<'_>) -> Result<(u16, Value), tokio_postgres::Error> {
        let (role, claims) = match call.who {
            As::User(id) => ("authenticated", json!({ "sub": id, "role": "authenticated", "aal": "aal2" })),
            As::Service => ("service_role", json!({ "role": "service_role" })),
            As::Anon => ("anon", json!({ "role": "anon" })),
        };
        let body: Value = serde_json::from_str(call.body).expect("a call is JSON");
        self.client.batch_execute("begin").await?;
        let before = "select set_config('request.jwt.claims', $1, true), set_config('response.status', '', true),
                      set_config('role', $2, true)";
        self.client.execute(before, &[&claims.to_string(), &role]).await?;
        let sql = format!("select api.{}($1)", call.function);
        let answer = match self.client.query_one(&sql, &[&body["ask"]]).await {
            Ok(row) => row.get::<_, Value>(0),
            Err(error) => {
                self.client.batch_execute("rollback").await?;
                return Ok(refusal(&error));
            }
        };
        let status: String = self.client.query_one("select current_setting('response.status')", &[]).await?.get(0);
        self.client.batch_execute("commit").await?;
        let status = status.parse().unwrap_or(200);
        let caller = if let As::User(id) = call.who { Some(id.to_owned()) } else { None };
        let function = call.function.to_owned();
        self.log.borrow_mut().push(Committed {
            function,
            caller,
            ask: body["ask"].clone(),
            status,
            answer: answer.clone(),
        });
        Ok((status, answer))
    }
}

/// What PostgREST makes of an error: the state `PGRST` carries status and body, all else is a 500 with its code.
fn refusal(error: &tokio_postgres::Error) -> (u16, Value) {
    let Some(error) = error.as_db_error() else { panic!("Postgres is gone: {error}") };
    let body = serde_json::from_str::<Value>(error.message()).ok().filter(|_| error.code().code() == "PGRST");
    let head = error.detail().and_then(|detail| serde_json::from_str::<Value>(detail).ok());
    match (body, head) {
        (Some(body), Some(head)) => (u16::try_from(head["status"].as_u64().unwrap_or(500)).expect("a status"), body),
        _ => (500, json!({ "code": error.code().code(), "message": error.message(), "details": error.detail() })),
    }
}

impl Db for Postgres {
    fn rpc<'a>(&'a self, call: Call<'a>) -> Local<'a, Result<DbReply, Silence>> {
        Box::pin(async move {
            self.fuse.pass(&format!("before {}", call.function)).await;
            let (status, answer) = self.run(call).await.expect("Postgres answers");
            assert!(status != 500, "{} {}: {answer}", call.function, call.body);
            self.fuse.pass(&format!("after {}", call.function)).await;
            if self.lose.get() > 0 {
                self.lose.set(self.lose.get() - 1);
                return Err(Silence::TimedOut);
            }
            Ok(DbReply { status, replayed: false, body: Body::Text(answer.to_string()) })
        })
    }
}
