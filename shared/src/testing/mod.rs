//! Doubles that answer; none re-implements Postgres. Switched on by tests alone.

pub mod crypto;
mod limits;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use uuid::Uuid;

use crate::budget::Budget;
use crate::cache::{Class, Entry, Key, Store};
use crate::contract::{Anyone, Clock, Provider, User};
use crate::cx::{Cx, World};
use crate::db::{Body, Call, Db, DbReply, Local, Silence};
use crate::http::{Http, Incoming, Lost, Outgoing};
use crate::payments::{Rails, Settings, moneroo};
use crate::secret::Secret;
use crate::trace::Trace;

pub use limits::{FakeLimits, limited};

/// Alice's id: reads well in a failure.
pub const ALICE: Uuid = Uuid::from_u128(0xa11c_e000_0000_4000_8000_0000_0000_0001);

/// Answers each call with the next prepared answer, and remembers what it was asked.
#[derive(Default)]
pub struct FakeDb {
    answers: RefCell<Vec<(u16, String)>>,
    pub asked: RefCell<Vec<(String, String)>>,
}

impl FakeDb {
    /// Fails the test if it is asked anything.
    #[must_use]
    pub fn unreachable() -> Rc<Self> {
        Rc::default()
    }

    /// Answers in order: a status and a JSON body.
    #[must_use]
    pub fn answers(answers: &[(u16, serde_json::Value)]) -> Rc<Self> {
        let answers = answers.iter().rev().map(|(status, body)| (*status, body.to_string())).collect();
        Rc::new(Self { answers: RefCell::new(answers), asked: RefCell::default() })
    }

    /// The body of the n-th call, as JSON.
    ///
    /// # Panics
    /// When there was no such call.
    #[must_use]
    pub fn ask(&self, n: usize) -> serde_json::Value {
        serde_json::from_str::<serde_json::Value>(&self.asked.borrow()[n].1).expect("a call has a JSON body")["ask"]
            .clone()
    }
}

impl Db for FakeDb {
    fn rpc<'a>(&'a self, call: Call<'a>) -> Local<'a, Result<DbReply, Silence>> {
        self.asked.borrow_mut().push((call.function.to_owned(), call.body.to_owned()));
        let (status, body) =
            self.answers.borrow_mut().pop().unwrap_or_else(|| panic!("Postgres was asked {}", call.function));
        Box::pin(async move { Ok(DbReply { status, replayed: false, body: Body::Text(body) }) })
    }
}

/// A provider that gives prepared answers.
#[derive(Default)]
pub struct FakeHttp {
    answers: RefCell<Vec<Result<Incoming, Lost>>>,
    pub sent: RefCell<Vec<Outgoing>>,
}

impl FakeHttp {
    #[must_use]
    pub fn answers(answers: &[Result<(u16, serde_json::Value), Lost>]) -> Rc<Self> {
        let read = |answer: &Result<(u16, serde_json::Value), Lost>| match answer {
            Ok((status, body)) => Ok(Incoming { status: *status, body: body.to_string() }),
            Err(lost) => Err(*lost),
        };
        Rc::new(Self { answers: RefCell::new(answers.iter().rev().map(read).collect()), sent: RefCell::default() })
    }
}

impl Http for FakeHttp {
    fn send(&self, request: Outgoing) -> Local<'_, Result<Incoming, Lost>> {
        let answer =
            self.answers.borrow_mut().pop().unwrap_or_else(|| panic!("the provider was asked {}", request.url));
        self.sent.borrow_mut().push(request);
        Box::pin(async move { answer })
    }
}

/// A cache with a clock of its own; its dice never fall early.
#[derive(Default)]
pub struct FakeStore {
    pub now_ms: Cell<u64>,
    kept: RefCell<BTreeMap<String, Entry>>,
    claimed: RefCell<BTreeSet<String>>,
}

impl FakeStore {
    #[must_use]
    pub fn at(now_ms: u64) -> Rc<Self> {
        Rc::new(Self { now_ms: Cell::new(now_ms), ..Self::default() })
    }
}

impl Store for FakeStore {
    fn get<'a>(&'a self, key: &'a Key) -> Local<'a, Option<Entry>> {
        Box::pin(async move { self.kept.borrow().get(key.text()).cloned() })
    }

    fn put<'a>(&'a self, key: &'a Key, entry: Entry, _: Class) -> Local<'a, ()> {
        self.kept.borrow_mut().insert(key.text().to_owned(), entry);
        self.claimed.borrow_mut().remove(key.text());
        Box::pin(async {})
    }

    fn forget<'a>(&'a self, key: &'a Key) -> Local<'a, ()> {
        self.kept.borrow_mut().remove(key.text());
        Box::pin(async {})
    }

    fn claims(&self, key: &Key) -> bool {
        self.claimed.borrow_mut().insert(key.text().to_owned())
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn random(&self) -> f64 {
        1.0
    }
}

/// Settings with every key of the development sandbox.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        moneroo_url: "http://provider".into(),
        moneroo_secret_key: Secret::new("sk_sandbox".into()),
        moneroo_webhook_secrets: moneroo::secrets("whsec_moneroo_test"),
        rails: Rails::default(),
        tag_key: Secret::new("tag".into()),
        environment: "sandbox".into(),
        return_url: "https://app.cauris.test/return".into(),
        return_origins: vec!["https://app.cauris.test".into()],
        callback_url: "https://api.cauris.test/functions/v1".into(),
        internal_keys: vec![Secret::new("internal-key".into())],
    }
}

fn world(db: Rc<FakeDb>, http: Rc<FakeHttp>, settings: Settings) -> Rc<World> {
    Rc::new(World {
        request_id: "00000000-0000-4000-8000-000000000001".into(),
        invoked_as: String::new(),
        suffix: None,
        now_ms: 1_800_000_000_000,
        settings: Rc::new(settings),
        identity: Rc::default(),
        trace: Trace::of(None, "00000000-0000-4000-8000-000000000001"),
        budget: Rc::new(Budget::until(u64::MAX)),
        pause: |_| Box::pin(async {}),
        key: None,
        rpc_codes: &[],
        db,
        http,
        limits: FakeLimits::open(),
        later: RefCell::default(),
    })
}

/// Alice asks; nobody else is there.
#[must_use]
pub fn alice(db: &Rc<FakeDb>) -> Cx<User> {
    alice_pays(db, &Rc::default())
}

/// Alice asks, and a provider answers.
#[must_use]
pub fn alice_pays(db: &Rc<FakeDb>, http: &Rc<FakeHttp>) -> Cx<User> {
    Cx { caller: User::for_tests(ALICE), world: world(Rc::clone(db), Rc::clone(http), settings()) }
}

/// The schedule ticks.
#[must_use]
pub fn tick(db: &Rc<FakeDb>, http: &Rc<FakeHttp>) -> Cx<Clock> {
    Cx { caller: Clock, world: world(Rc::clone(db), Rc::clone(http), settings()) }
}

/// A provider calls, with these settings.
#[must_use]
pub fn provider(db: &Rc<FakeDb>, http: &Rc<FakeHttp>, settings: Settings) -> Cx<Provider> {
    Cx { caller: Provider, world: world(Rc::clone(db), Rc::clone(http), settings) }
}

/// Anyone calls, and a provider may be asked.
#[must_use]
pub fn anyone(caller: Anyone, db: &Rc<FakeDb>, http: &Rc<FakeHttp>) -> Cx<Anyone> {
    Cx { caller, world: world(Rc::clone(db), Rc::clone(http), settings()) }
}

/// Runs what a handler left for after its response.
pub fn finish<W>(cx: &Cx<W>) {
    let later = std::mem::take(&mut *cx.world.later.borrow_mut());
    for work in later {
        block_on(work);
    }
}

/// Runs a future that never really waits: every double answers at once.
///
/// # Panics
/// When the future is pending.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a double made the handler wait"),
    }
}
