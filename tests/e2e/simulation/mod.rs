//! Users, providers, crashes, retries and time-outs against a pure model: the real flows of `shared`, the real SQL, a
//! provider in memory. One seed makes one story; `SEED=n` replays it. After every step the books are the model's.

mod admin;
mod ending;
mod model;
mod ports;
mod provider;
mod refunds;
mod steps;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared::budget::Budget;
use shared::contract::{Clock, Provider as Caller, User};
use shared::cx::{Cx, World as Edge};
use shared::error::ApiError;
use shared::payments::checkout::{self, Order, Purpose};
use shared::payments::{Notice, Settings, checkout_at, gateway, listener, payouts, receive, sweep};
use shared::secret::{Secret, hmac_hex};
use shared::testing::FakeLimits;
use shared::trace::Trace;
use uuid::Uuid;

use crate::world::{World, main_world};
use model::Model;
use ports::{Fuse, Postgres};
use provider::Provider;

const STEPS: u32 = 10_000;
const USERS: usize = 8;

pub fn tests() -> Vec<Trial> {
    let test = || {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
        println!("SEED={seed} replays this simulation");
        let local = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let world = crate::RUNTIME.block_on(main_world());
        local.block_on(async { Simulation::new(world, seed).await.run().await });
        Ok(())
    };
    vec![Trial::test("simulation::ten_thousand_steps_of_users_providers_and_crashes_agree_with_a_pure_model", test)]
}

struct Simulation {
    seed: u64,
    random: StdRng,
    db: Rc<Postgres>,
    provider: Rc<Provider>,
    fuse: Rc<Fuse>,
    settings: Rc<Settings>,
    model: Model,
    users: Vec<Uuid>,
    admin: Uuid,
    keys: u32,
    /// Commands whose answer nobody heard: sent again, with the same key, some time later.
    unheard: Vec<(Uuid, Value)>,
    /// Webhooks that were delivered: delivered again, in any order.
    delivered: Vec<(&'static str, String)>,
    /// Microseconds: entries up to here are in `platform`.
    seen: i64,
    platform: std::collections::BTreeMap<String, i64>,
    crashes: u32,
    story: Vec<String>,
}

fn settings() -> Settings {
    let rails = [("PAYSTACK_URL", "http://provider/paystack"), ("PAYSTACK_SECRET_KEY", "sk_test_sim")];
    Settings {
        moneroo_url: "http://provider".into(),
        moneroo_secret_key: Secret::new("sk".into()),
        moneroo_webhook_secrets: vec![Secret::new("whsec".into())],
        rails: rails.into_iter().map(|(name, value)| (name, Secret::new(value.into()))).collect(),
        tag_key: Secret::new("tag".into()),
        environment: "sandbox".into(),
        return_url: "https://app.test".into(),
        ..Settings::default()
    }
}

impl Simulation {
    /// A database of its own in the cluster of the shared stack: nobody else moves money there.
    async fn new(world: &World, seed: u64) -> Self {
        let (_, client) = world.own_database().await;
        client.batch_execute("set synchronous_commit = off").await.expect("a setting");
        client.batch_execute(include_str!("../roomy.sql")).await.expect("limits out of the way");
        client.batch_execute(include_str!("counted.sql")).await.expect("nothing left to chance");
        let mut users = Vec::new();
        let mut random = StdRng::seed_from_u64(seed);
        for n in 0..=USERS {
            let id = Uuid::from_u128(random.random::<u128>());
            let sql = "insert into auth.users (id, email, raw_user_meta_data) values ($1, $2, $3)";
            let names = json!({ "first_name": "Awa", "last_name": "Bah" });
            client.execute(sql, &[&id, &format!("user{n}@sim.test"), &names]).await.expect("a user");
            users.push(id);
        }
        let admin = users.pop().expect("an admin");
        let sql = "insert into people.user_roles (user_id, role) values ($1, 'admin')";
        client.execute(sql, &[&admin]).await.expect("a role");
        let fuse = Rc::<Fuse>::default();
        let provider = Rc::new(Provider::new(seed, Rc::clone(&fuse)));
        let db = Postgres { client, fuse: Rc::clone(&fuse), log: RefCell::default(), lose: Cell::new(0) };
        Self {
            seed,
            random,
            db: Rc::new(db),
            provider,
            fuse,
            settings: Rc::new(settings()),
            model: Model::default(),
            users,
            admin,
            keys: 0,
            unheard: Vec::new(),
            delivered: Vec::new(),
            seen: 0,
            platform: std::collections::BTreeMap::new(),
            crashes: 0,
            story: Vec::new(),
        }
    }

    fn cx<W>(&self, caller: W) -> Cx<W> {
        let world = Edge {
            request_id: "00000000-0000-4000-8000-000000000001".into(),
            invoked_as: String::new(),
            suffix: None,
            now_ms: 1_800_000_000_000,
            settings: Rc::clone(&self.settings),
            key: None,
            rpc_codes: &[
                "INSUFFICIENT_FUNDS",
                "RECIPIENT_UNAVAILABLE",
                "WALLET_BLOCKED",
                "SELF_TRANSFER",
                "INVALID_STATE",
            ],
            identity: Rc::default(),
            trace: Trace::of(None, "00000000-0000-4000-8000-000000000001"),
            budget: Rc::new(Budget::until(u64::MAX)),
            db: self.db.clone(),
            http: self.provider.clone(),
            limits: FakeLimits::open(),
            pause: |_| Box::pin(async {}),
            later: RefCell::default(),
        };
        Cx { caller, world: Rc::new(world) }
    }

    /// Runs a flow and what it left for later, as one process; `None` when the fuse killed it.
    async fn live<W: Clone, T>(&self, cx: &Cx<W>, flow: impl Future<Output = T>) -> Option<T> {
        let all = async {
            let answer = flow.await;
            let later = std::mem::take(&mut *cx.world.later.borrow_mut());
            for work in later {
                work.await;
            }
            answer
        };
        tokio::select! {
            biased;
            answer = all => Some(answer),
            () = self.fuse.burnt() => None,
        }
    }

    fn user(&mut self) -> Uuid {
        *self.users.choose(&mut self.random).expect("somebody")
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("simulated-{}", self.keys)
    }

    async fn run(mut self) {
        for step in 0..STEPS {
            // One step in eight dies somewhere; one in twenty loses an answer of Postgres.
            let dies = self.random.random_ratio(1, 8);
            let points = self.random.random_range(0..8);
            self.fuse.set(dies.then_some(points));
            self.db.lose.set(u32::from(self.random.random_ratio(1, 20)));
            let what = self.step().await;
            self.fuse.set(None);
            self.db.lose.set(0);
            self.story.push(format!("{step}: {what} (last point: {})", self.fuse.at.borrow()));
            self.compare(step).await;
            if step % 1_000 == 999 {
                self.quiet().await;
                self.compare(step).await;
            }
        }
        self.nothing_is_lost().await;
        let refunds = self.model.payouts.values().filter(|payout| payout.refunds.is_some()).count();
        assert!(refunds > 0, "SEED={}: ten thousand steps without a refund", self.seed);
        let books = hex::encode(Sha256::digest(self.expected().to_string()));
        println!(
            "SEED={} {STEPS} steps, {} crashes, {} payments, {} payouts, {refunds} of them refunds; books {}",
            self.seed,
            self.crashes,
            self.model.payments.len(),
            self.model.payouts.len(),
            books.get(..12).unwrap_or_default()
        );
    }

    async fn step(&mut self) -> String {
        match self.random.random_range(0..100) {
            0..14 => self.deposit().await,
            14..28 => self.payer(),
            28..42 => self.webhook().await,
            42..46 => self.forged().await,
            46..54 => self.sweep().await,
            54..74 => self.operate("transfer").await,
            74..82 => self.operate("withdraw").await,
            82..88 => self.send_payouts().await,
            88..93 => self.payout_ends(),
            93..95 => self.again().await,
            95..97 => self.refund().await,
            97 => self.decide().await,
            _ => self.block().await,
        }
    }

    fn died<T>(&mut self, outcome: Option<T>) -> Option<T> {
        self.crashes += u32::from(outcome.is_none());
        outcome
    }
}
