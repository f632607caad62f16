//! Payment providers that run in the same process as the local stack and as the tests: Moneroo's protocol and those of
//! the other rails as their documentation describes them, a checkout page with buttons, signed webhooks with retries,
//! and faults on demand.
//!
//! In reading order: `records` and `state` (what the provider knows), `money` and `methods` (currencies, rails), `validate`, then the
//! provider's own surface (`api`, `payments`, `payouts`, `checkout`, `message` and `webhooks`), the other providers
//! (`rails`), and what only tests reach (`faults`, `tamper`, `control`). Everything is in memory and forgotten when it stops. `docs/sandbox.md` has the calls.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "not at the edge: here a panic ends one program, with its cause"
)]

mod api;
mod checkout;
mod control;
mod faults;
mod limits;
mod message;
mod methods;
mod money;
mod payments;
mod payouts;
pub mod rails;
mod records;
mod state;
mod tamper;
mod validate;
mod webhooks;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use control::Problem;
pub use message::sign;
pub use webhooks::SIGNATURE_HEADER;

use state::{Sandbox, Settings};

/// What the sandbox starts with. Everything but the two secrets and the addresses can be changed while it runs,
/// through `PATCH /_control/settings`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bearer key that API calls must carry.
    pub secret_key: String,
    /// The key that signs webhooks.
    pub webhook_secret: String,
    /// Where webhooks go; none are sent while this is `None`.
    pub webhook_url: Option<String>,
    /// Where the webhooks of rails without a callback address per payment go, with `?provider=NAME` added.
    pub rails_webhook_url: Option<String>,
    /// The start of the checkout URLs; the address it listens on when `None`.
    pub public_url: Option<String>,
    /// The name on the checkout page.
    pub merchant: String,
    /// Per key; 0 switches the limit off.
    pub requests_per_minute: u32,
    /// Between the attempts to deliver one webhook.
    pub retry_delay: Duration,
    /// After the first attempt.
    pub max_retries: u32,
    /// How long the receiver of a webhook may take.
    pub webhook_timeout: Duration,
    /// Whether `payment.initiated` and `payout.initiated` are sent as well.
    pub initiated_events: bool,
    /// Whether a payout ends by itself, by its test number, as soon as it is made.
    pub auto_payouts: bool,
    /// Whether a payer's phone whose number ends in 00 approves by itself.
    pub auto_approve: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            secret_key: "sk_sandbox_cauris_dev".into(),
            webhook_secret: "whsec_cauris_dev".into(),
            webhook_url: None,
            rails_webhook_url: None,
            public_url: None,
            merchant: "Cauris".into(),
            requests_per_minute: 120,
            retry_delay: Duration::from_secs(600),
            max_retries: 3,
            webhook_timeout: Duration::from_secs(3),
            initiated_events: true,
            auto_payouts: true,
            auto_approve: true,
        }
    }
}

/// A running sandbox. Dropping it stops it without waiting; `stop` waits.
pub struct Handle {
    pub addr: SocketAddr,
    sandbox: Arc<Sandbox>,
    server: Option<JoinHandle<std::io::Result<()>>>,
}

impl Handle {
    /// The base URL, as `MONEROO_URL` wants it: no path, no slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where webhooks go from now on; the functions usually start after the sandbox, and learn their port then.
    pub fn set_webhook_url(&self, url: impl Into<String>) {
        self.sandbox.books().settings.webhook_url = Some(url.into());
    }

    /// The same for the rails: `http://…/functions/v1/payment-webhook`; `?provider=NAME` is added.
    pub fn set_rails_webhook_url(&self, url: impl Into<String>) {
        self.sandbox.books().settings.rails_webhook_url = Some(url.into());
    }

    /// The whole address that a merchant's account at this provider knows, where its calls carry none (`airtel_money`).
    pub fn set_portal_url(&self, provider: &str, url: impl Into<String>) {
        self.sandbox.books().settings.portal_urls.insert(provider.to_owned(), url.into());
    }

    /// The same as `METHOD /_control/PATH` over HTTP: `handle.control("POST", "faults", json!({…}))`.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Result<Value, Problem> {
        control::dispatch(&self.sandbox, method, path, body).await
    }

    /// Stops accepting, drops webhooks that wait for a retry, and returns when the port is free.
    pub async fn stop(mut self) {
        self.sandbox.close();
        if let Some(mut server) = self.server.take() {
            // A client that keeps its connection open must not keep us: after a moment the server is dropped.
            if tokio::time::timeout(Duration::from_secs(2), &mut server).await.is_err() {
                server.abort();
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.sandbox.close();
    }
}

/// Binds `addr` (port 0 picks a free one) and serves on a task of the current runtime.
pub async fn serve(addr: SocketAddr, config: Config) -> std::io::Result<Handle> {
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{addr}"));
    let sandbox = Arc::new(Sandbox::new(&config, public_url).map_err(std::io::Error::other)?);
    let server = axum::serve(listener, router(Arc::clone(&sandbox)));
    let server = server.with_graceful_shutdown(Arc::clone(&sandbox).closed());
    let server = tokio::spawn(async move { server.await });
    Ok(Handle { addr, sandbox, server: Some(server) })
}

/// Tests order webhooks of many megabytes, to see them refused.
const BODY_MAX: usize = 64 * 1024 * 1024;

fn router(sandbox: Arc<Sandbox>) -> Router {
    rails::routes(Router::new())
        .route("/", get(checkout::front))
        .route("/checkout/{id}", get(checkout::page))
        .route("/checkout/{id}/{button}", post(checkout::press))
        .route("/v1/{*rest}", any(api::call))
        .route("/utils/{*rest}", any(api::call))
        .route("/_control/{*rest}", any(control::over_http))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(sandbox)
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            webhook_url: config.webhook_url.clone(),
            rails_webhook_url: config.rails_webhook_url.clone(),
            requests_per_minute: config.requests_per_minute,
            retry_delay_ms: ms(config.retry_delay),
            max_retries: config.max_retries,
            webhook_timeout_ms: ms(config.webhook_timeout),
            initiated_events: config.initiated_events,
            auto_payouts: config.auto_payouts,
            auto_approve: config.auto_approve,
            slow_refunds: false,
            rails_requests_per_minute: 0,
            posts_only: false,
            portal_urls: BTreeMap::new(),
        }
    }
}
