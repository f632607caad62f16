//! What dies in the middle of traffic, on a stack of its own: workerd, then Postgres. Afterwards nothing is lost, nothing
//! is doubled, and the sweep settles what was open.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use crate::call::Reply;
use crate::people::Person;
use crate::sandbox::payment_id;
use crate::world::{World, mortal_world};

pub fn tests() -> Vec<Trial> {
    let test = || {
        crate::RUNTIME.block_on(async {
            let world = mortal_world().await;
            workerd_dies_and_nothing_is_lost_or_doubled(world).await;
            world.check_books().await;
            postgres_dies_and_nothing_is_lost_or_doubled(world).await;
            world.check_books().await;
        });
        Ok(())
    };
    // One after the other, on one stack: each needs to be the only one that kills.
    vec![Trial::test("crash::workerd_and_then_postgres_die_in_the_middle_of_traffic", test)]
}

const AMOUNT: i64 = 1_000;

/// People who send money round while something dies, and what they know about it.
struct Traffic {
    world: &'static World,
    from: Vec<Person>,
    to: Person,
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    failed: AtomicUsize,
}

impl Traffic {
    async fn new(world: &'static World) -> Traffic {
        let mut from = Vec::new();
        for _ in 0..8 {
            from.push(world.rich(10_000_000, "XOF").await);
        }
        let to = world.person().await;
        let (stop, zero) = (AtomicBool::new(false), AtomicUsize::new(0));
        Traffic { world, from, to, stop, acknowledged: zero, failed: AtomicUsize::new(0) }
    }

    async fn try_once(&self, from: &Person, key: &str) -> Option<Reply> {
        let ask = json!({ "operation": "transfer", "amount": AMOUNT, "currency": "XOF", "recipient_id": self.to.id,
                          "idempotency_key": key });
        let call = self.world.function("wallet-operations").bearer(&from.token).json(&ask);
        call.attempt().await.ok().filter(|reply| reply.status == 200)
    }

    /// One person's transfers until told to stop; the keys of all of them, answered or not.
    async fn run(&self, from: &Person) -> Vec<String> {
        let mut keys = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let key = format!("crash-{}", xtask::keys::random_uuid());
            let answered = self.try_once(from, &key).await.is_some();
            let count = if answered { &self.acknowledged } else { &self.failed };
            count.fetch_add(1, Ordering::Relaxed);
            keys.push(key);
            if !answered {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        keys
    }

    async fn acknowledged_reach(&self, count: usize) {
        let what = format!("{count} transfers are acknowledged");
        let enough = async || (self.acknowledged.load(Ordering::Relaxed) >= count).then_some(());
        self.world.eventually(&what, enough).await;
    }

    async fn failures_show(&self) {
        let seen = async || (self.failed.load(Ordering::Relaxed) > 0).then_some(());
        self.world.eventually("somebody sees the crash", seen).await;
    }

    /// Every key is sent again until it is answered: each has moved its amount once.
    async fn settle(&self, keys: &[Vec<String>]) {
        for (from, keys) in self.from.iter().zip(keys) {
            for key in keys {
                let again = async || self.try_once(from, key).await;
                self.world.eventually("a repeated transfer is answered", again).await;
            }
        }
        let sent: usize = keys.iter().map(Vec::len).sum();
        let expected = i64::try_from(sent).expect("few") * AMOUNT;
        assert_eq!(self.to.balance("XOF").await, expected, "{sent} transfers, each once");
        for (from, keys) in self.from.iter().zip(keys) {
            let spent = i64::try_from(keys.len()).expect("few") * (AMOUNT + AMOUNT / 100);
            assert_eq!(from.balance("XOF").await, 10_000_000 - spent);
        }
    }
}

/// Payments that are open when it happens; they are paid while nobody can hear it.
async fn open_payments(world: &'static World) -> Vec<(Person, Value)> {
    let mut open = Vec::new();
    for _ in 0..3 {
        let fatou = world.person().await;
        let asked = fatou.deposit(100_000).await;
        open.push((fatou, asked));
    }
    open
}

async fn settled_by_the_sweep(world: &'static World, open: &[(Person, Value)]) {
    for (fatou, asked) in open {
        world.sweeps(payment_id(asked)).await;
        world.becomes(payment_id(asked), "success").await;
        assert_eq!((fatou.gnf().await, fatou.moves().await), (100_000, 1));
    }
}

async fn workerd_dies_and_nothing_is_lost_or_doubled(world: &'static World) {
    let (traffic, open) = (Traffic::new(world).await, open_payments(world).await);
    let senders = futures_util::future::join_all(traffic.from.iter().map(|from| traffic.run(from)));
    let killing = async {
        traffic.acknowledged_reach(40).await;
        let mut stack = world.stack.lock().await;
        let stack = stack.as_mut().expect("running");
        stack.kill_functions().await;
        traffic.failures_show().await;
        for (_, asked) in &open {
            world.pays_quietly(asked).await;
        }
        stack.start_functions().await.expect("the functions start again");
        let before = traffic.acknowledged.load(Ordering::Relaxed);
        traffic.acknowledged_reach(before + 40).await;
        traffic.stop.store(true, Ordering::Relaxed);
    };
    let (keys, ()) = tokio::join!(senders, killing);
    traffic.settle(&keys).await;
    settled_by_the_sweep(world, &open).await;
}

async fn postgres_dies_and_nothing_is_lost_or_doubled(world: &'static World) {
    let (traffic, open) = (Traffic::new(world).await, open_payments(world).await);
    let senders = futures_util::future::join_all(traffic.from.iter().map(|from| traffic.run(from)));
    let killing = async {
        traffic.acknowledged_reach(40).await;
        let mut stack = world.stack.lock().await;
        let stack = stack.as_mut().expect("running");
        stack.kill_postgres().await;
        traffic.failures_show().await;
        let what = "health says that the database is down";
        let health = async || {
            let reply = world.request(Method::GET, "/functions/v1/health").send().await;
            (reply.status == 503).then_some(reply)
        };
        let reply = world.eventually(what, health).await;
        assert_eq!(reply.body["status"], "down", "{reply}");
        for (_, asked) in &open {
            // The webhook finds no database: refused, so that the provider sends it again.
            world.pays(asked).await;
        }
        stack.start_postgres().await.expect("Postgres starts again");
        let before = traffic.acknowledged.load(Ordering::Relaxed);
        traffic.acknowledged_reach(before + 40).await;
        traffic.stop.store(true, Ordering::Relaxed);
    };
    let (keys, ()) = tokio::join!(senders, killing);
    traffic.settle(&keys).await;
    settled_by_the_sweep(world, &open).await;
}
