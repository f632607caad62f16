//! A running stack and the ways into it: HTTP as clients have it, SQL as only tests do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{self, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::Client;
use xtask::build::Profile;
use xtask::stack::{Options, Runtime, Stack};

use crate::call::{Call, Reply};

mod sql;

pub struct World {
    pub api: String,
    /// PostgREST itself, without the gateway in front.
    pub rest: String,
    pub sandbox: String,
    pub db: String,
    pub vars: std::collections::BTreeMap<String, String>,
    pub http: reqwest::Client,
    /// Only the tests that kill a part take it; the last of all stops it.
    pub stack: Mutex<Option<Stack>>,
    idle: std::sync::Mutex<Vec<Client>>,
    places: AtomicU32,
    /// A static is never dropped, so the folder is removed by hand.
    data: std::sync::Mutex<Option<tempfile::TempDir>>,
}

/// The stacks that a run may need, each started by the first test that asks for it.
pub struct Worlds {
    /// What nearly every test shares.
    main: OnceCell<Result<World, String>>,
    /// What is killed and started again.
    mortal: OnceCell<Result<World, String>>,
    /// What is killed at one point after the other: a bare workerd, which starts again in a moment.
    frail: OnceCell<Result<World, String>>,
    /// What lacks every secret that an operator may have forgotten, and is as strict as production.
    bare: OnceCell<Result<World, String>>,
    /// What no payment provider has given its keys.
    keyless: OnceCell<Result<World, String>>,
    /// What leaves a failing provider alone, as production does.
    wary: OnceCell<Result<World, String>>,
    /// What believes an issuer that a test plays.
    issued: OnceCell<Result<World, String>>,
    /// What counts every call as production does, in a bare workerd.
    limited: OnceCell<Result<World, String>>,
    built: OnceCell<Result<(), String>>,
}

static WORLDS: Worlds = Worlds {
    main: OnceCell::const_new(),
    mortal: OnceCell::const_new(),
    frail: OnceCell::const_new(),
    bare: OnceCell::const_new(),
    keyless: OnceCell::const_new(),
    wary: OnceCell::const_new(),
    issued: OnceCell::const_new(),
    limited: OnceCell::const_new(),
    built: OnceCell::const_new(),
};

pub async fn main_world() -> &'static World {
    opened(&WORLDS.main, |_| ()).await
}

pub async fn mortal_world() -> &'static World {
    opened(&WORLDS.mortal, |_| ()).await
}

pub async fn frail_world() -> &'static World {
    opened(&WORLDS.frail, |options| options.runtime = Runtime::Workerd).await
}

pub async fn bare_world() -> &'static World {
    opened(&WORLDS.bare, |options| {
        let forgotten = [
            "MONEROO_SECRET_KEY",
            "MONEROO_WEBHOOK_SECRET",
            "INTERNAL_API_KEY",
            "STRIPE_WEBHOOK_SECRET",
            "PAYSTACK_SECRET_KEY",
            "FLUTTERWAVE_WEBHOOK_SECRET",
            "FLUTTERWAVE_V4_WEBHOOK_SECRET",
            "CINETPAY_WEBHOOK_SECRET",
            "WAVE_WEBHOOK_SECRET",
        ]
        .map(|name| (name, ""));
        let strict = [("ALLOWED_ORIGINS", "https://app.cauris.test"), ("RETURN_ORIGINS", "https://app.cauris.test")];
        let vars = forgotten.into_iter().chain(strict);
        options.extra_vars.extend(vars.map(|(name, value)| (name.to_owned(), value.to_owned())));
        options.rate_limits = true;
    })
    .await
}

pub async fn keyless_world() -> &'static World {
    opened(&WORLDS.keyless, |options| {
        let own = ["MONEROO_SECRET_KEY", "MONEROO_WEBHOOK_SECRET"];
        let keys = own.into_iter().chain(xtask::wrangler::RAIL_SECRETS);
        options.extra_vars.extend(keys.map(|name| (name.to_owned(), String::new())));
        options.runtime = Runtime::Workerd;
    })
    .await
}

pub async fn wary_world() -> &'static World {
    opened(&WORLDS.wary, |options| {
        options.extra_vars.insert("BREAKER_FAILURES".to_owned(), "5".to_owned());
        let previous = crate::credentials::PREVIOUS_KEY.to_owned();
        options.extra_vars.insert("INTERNAL_API_KEY_PREVIOUS".to_owned(), previous);
        options.runtime = Runtime::Workerd;
    })
    .await
}

pub async fn issuer_world() -> &'static World {
    static ADDRESS: OnceCell<String> = OnceCell::const_new();
    ADDRESS.get_or_init(crate::issuer::serve).await;
    opened(&WORLDS.issued, |options| {
        let address = ADDRESS.get().cloned().unwrap_or_default();
        let vars = [("JWT_JWKS_URL", address), ("JWT_JWKS_MAX_AGE_S", "1".to_owned()), ("JWT_JWKS", String::new())];
        options.extra_vars.extend(vars.map(|(name, value)| (name.to_owned(), value)));
        options.runtime = Runtime::Workerd;
    })
    .await
}

pub async fn limited_world() -> &'static World {
    opened(&WORLDS.limited, |options| {
        options.rate_limits = true;
        options.runtime = Runtime::Workerd;
    })
    .await
}

/// Builds the functions, once for all stacks.
pub async fn built() {
    let built = WORLDS.built.get_or_init(|| async {
        xtask::build::build(&[], Profile::Fast).await.map_err(|error| format!("the functions do not build: {error:#}"))
    });
    if let Err(error) = built.await {
        panic!("{error}");
    }
}

async fn opened(cell: &'static OnceCell<Result<World, String>>, change: fn(&mut Options)) -> &'static World {
    built().await;
    let start = || async { World::start(change).await.map_err(|error| format!("the stack does not start: {error:#}")) };
    match cell.get_or_init(start).await {
        Ok(world) => world,
        Err(error) => panic!("{error}"),
    }
}

/// Stops every stack that was started, and leaves no process behind.
pub async fn close() {
    for cell in [
        &WORLDS.main,
        &WORLDS.mortal,
        &WORLDS.frail,
        &WORLDS.bare,
        &WORLDS.keyless,
        &WORLDS.wary,
        &WORLDS.issued,
        &WORLDS.limited,
    ] {
        if let Some(Ok(world)) = cell.get()
            && let Some(stack) = world.stack.lock().await.take()
        {
            stack.stop().await;
            drop(world.data.lock().expect("no test panics here").take());
        }
    }
}

impl World {
    async fn start(change: fn(&mut Options)) -> anyhow::Result<World> {
        let data = tempfile::tempdir()?;
        let mut options = Options::ephemeral(data.path().to_path_buf());
        options.runtime = Runtime::WranglerDev;
        options.quiet = true;
        // One test's failing provider is not to be another's refusal.
        options.extra_vars.insert("BREAKER_FAILURES".to_owned(), "0".to_owned());
        change(&mut options);
        let stack = Stack::start(options).await?;
        // As a page of the app sends it: an answer without CORS headers would be no answer to it.
        let origin = [(header::ORIGIN, HeaderValue::from_static("https://app.cauris.test"))].into_iter().collect();
        let http =
            reqwest::Client::builder().no_proxy().default_headers(origin).timeout(Duration::from_secs(60)).build()?;
        let world = World {
            api: stack.api_url.clone(),
            rest: stack.rest_url.clone(),
            sandbox: stack.sandbox_url.clone(),
            db: stack.db_url.clone(),
            vars: stack.vars.clone(),
            http,
            stack: Mutex::new(Some(stack)),
            idle: std::sync::Mutex::default(),
            places: AtomicU32::new(0),
            data: std::sync::Mutex::new(Some(data)),
        };
        world.connect().await?.batch_execute(include_str!("roomy.sql")).await?;
        // Tests call more often than any shop, and a busy machine must not look like a deaf one.
        // Without the events that a payment was initiated: each makes us ask the provider, at a time no test can know.
        let settings = json!({ "requests_per_minute": 0, "webhook_timeout_ms": 30_000, "initiated_events": false });
        world.control(Method::PATCH, "settings", settings).await;
        Ok(world)
    }

    // ------------------------------------------------------------------------------------------------------- HTTP

    pub fn request(&self, method: Method, path: &str) -> Call {
        Call::new(&self.http, method, format!("{}{path}", self.api))
    }

    pub fn function(&self, name: &str) -> Call {
        self.request(Method::POST, &format!("/functions/v1/{name}"))
    }

    /// Calls a function by name as the bearer of `token`.
    pub async fn call(&self, name: &str, token: &str, body: Value) -> Reply {
        self.function(name).bearer(token).json(&body).send().await
    }

    /// Calls a function as the platform's clock does.
    pub async fn tick(&self, name: &str) -> Reply {
        self.function(name).header("x-internal-api-key", &self.vars["INTERNAL_API_KEY"]).json(&json!({})).send().await
    }

    /// A request to the PostgREST side of the gateway, as supabase-js sends it.
    pub fn rest(&self, method: Method, path: &str, token: &str) -> Call {
        self.request(method, &format!("/rest/v1/{path}")).header("apikey", &self.vars["ANON_KEY"]).bearer(token)
    }

    /// A place on the map of its own, so that no other test's drivers or rides are near.
    pub fn place(&self) -> (f64, f64) {
        let n = self.places.fetch_add(1, Ordering::Relaxed);
        crate::people::place(n)
    }

    /// Asks until `ask` gives something: work that continues after an answer is waited for, never slept for.
    pub async fn eventually<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        for _ in 0..300 {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never: {what}");
    }
}
