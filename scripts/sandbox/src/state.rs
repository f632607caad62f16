//! What the provider knows: payments, payouts, what it sent and what it was asked. One lock, never held over a wait.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::Rng;
use serde::{Deserialize, Serialize};
use time::macros::format_description;
use time::{Duration, OffsetDateTime};
use tokio::sync::watch;

use crate::Config;
use crate::faults::Faults;
use crate::limits::Limits;
use crate::message::Message;
use crate::rails::{Answer, RailPayment};
use crate::records::{Payment, Payout};
use crate::webhooks::Delivery;

/// Sandbox ids are gone after this long, as the provider's documentation says.
const KEPT: Duration = Duration::days(90);
/// The logs are for tests and for looking at; they must not grow with the uptime.
const LOG_MAX: usize = 10_000;

pub struct Sandbox {
    pub secret_key: String,
    pub webhook_secret: String,
    pub merchant: String,
    pub public_url: String,
    pub http: reqwest::Client,
    books: Mutex<Books>,
    closing: watch::Sender<bool>,
    /// How many webhooks are on their way to their first attempt.
    outgoing: watch::Sender<usize>,
}

#[derive(Default)]
pub struct Books {
    pub settings: Settings,
    pub payments: BTreeMap<String, Payment>,
    pub payouts: BTreeMap<String, Payout>,
    /// By rail and the provider's id.
    pub rails: BTreeMap<(&'static str, String), RailPayment>,
    /// First answers, by rail and idempotency key, with what was asked.
    pub replays: BTreeMap<(&'static str, String), (Vec<u8>, Answer)>,
    /// The tokens of logins, and whose they are.
    pub sessions: BTreeMap<String, &'static str>,
    pub faults: Faults,
    pub limits: Limits,
    pub held: Vec<Message>,
    pub deliveries: VecDeque<Delivery>,
    pub requests: VecDeque<Asked>,
    counter: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub webhook_url: Option<String>,
    pub rails_webhook_url: Option<String>,
    pub requests_per_minute: u32,
    pub retry_delay_ms: u64,
    pub max_retries: u32,
    pub webhook_timeout_ms: u64,
    pub initiated_events: bool,
    pub auto_payouts: bool,
    pub auto_approve: bool,
    /// Whether a refund stays pending until a test ends it.
    pub slow_refunds: bool,
    pub rails_requests_per_minute: u32,
    /// Whether a callback that the documentation says is a PUT comes as a POST, as some have seen MTN do.
    pub posts_only: bool,
    /// Where a provider without callback addresses in its calls was told to report, in its portal: by its name.
    pub portal_urls: BTreeMap<String, String>,
}

/// One API call we received; `status` is null while it is being answered, and for ever when the caller hung up.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    pub seq: u64,
    pub provider: &'static str,
    pub on: &'static str,
    pub id: Option<String>,
    pub email: Option<String>,
    pub status: Option<u16>,
    pub at: String,
}

impl Sandbox {
    pub fn new(config: &Config, public_url: String) -> Result<Self, reqwest::Error> {
        // A redirect is a failed delivery, so it must not be followed; a proxy has no business on loopback.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Ok(Self {
            secret_key: config.secret_key.clone(),
            webhook_secret: config.webhook_secret.clone(),
            merchant: config.merchant.clone(),
            public_url: public_url.trim_end_matches('/').to_owned(),
            http: http.http1_title_case_headers().build()?,
            books: Mutex::new(Books { settings: Settings::from(config), ..Books::default() }),
            closing: watch::Sender::new(false),
            outgoing: watch::Sender::new(0),
        })
    }

    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn checkout_url(&self, id: &str) -> String {
        format!("{}/checkout/{id}", self.public_url)
    }

    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    pub async fn closed(self: Arc<Self>) {
        let mut closing = self.closing.subscribe();
        // An error means that the sender is gone, and we hold it.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Waits, but not longer than the sandbox lives.
    pub async fn pause(self: &Arc<Self>, ms: u64) {
        tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_millis(ms)) => {}
            () = Arc::clone(self).closed() => {}
        }
    }

    /// Runs in the background until it ends or the sandbox stops.
    pub fn spawn<F>(self: &Arc<Self>, work: F) -> tokio::task::JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let closed = Arc::clone(self).closed();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = closed => {}
            }
        })
    }

    pub fn outgoing(&self, change: isize) {
        self.outgoing.send_modify(|count| *count = count.saturating_add_signed(change));
    }

    /// Waits until every webhook has had its first attempt; false when that took too long.
    pub async fn idle(&self, ms: u64) -> bool {
        let mut outgoing = self.outgoing.subscribe();
        let wait = outgoing.wait_for(|count| *count == 0);
        matches!(tokio::time::timeout(std::time::Duration::from_millis(ms), wait).await, Ok(Ok(_)))
    }
}

impl Books {
    /// Forgets everything but the settings, and goes on counting: numbers never repeat.
    pub fn reset(&mut self) {
        *self = Self { settings: std::mem::take(&mut self.settings), counter: self.counter, ..Self::default() };
    }

    /// Numbers everything in the order in which it happened.
    pub fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn payment(&mut self, id: &str) -> Option<&mut Payment> {
        self.payments.get_mut(id).filter(|payment| is_kept(payment.initiated_at))
    }

    pub fn payout(&mut self, id: &str) -> Option<&mut Payout> {
        self.payouts.get_mut(id).filter(|payout| is_kept(payout.initiated_at))
    }

    /// By the provider's id or, if there is none, by the merchant's reference; the newest of several.
    pub fn rail_payment(&mut self, rail: Option<&str>, name: &str) -> Option<&mut RailPayment> {
        let of_rail = |payment: &&mut RailPayment| rail.is_none_or(|rail| rail == payment.rail);
        let called = self.rails.values_mut().filter(of_rail).filter(|payment| payment.is_called(name));
        called.max_by_key(|payment| (payment.id == name, payment.seq))
    }

    pub fn add_rail_payment(&mut self, mut payment: RailPayment) -> RailPayment {
        payment.seq = self.next();
        self.rails.insert((payment.rail, payment.id.clone()), payment.clone());
        payment
    }

    pub fn log_delivery(&mut self, mut delivery: Delivery) -> Delivery {
        delivery.seq = self.next();
        keep(&mut self.deliveries, delivery.clone());
        delivery
    }

    pub fn log_request(
        &mut self,
        provider: &'static str,
        on: &'static str,
        id: Option<String>,
        email: Option<String>,
    ) -> u64 {
        let (seq, at) = (self.next(), stamp(OffsetDateTime::now_utc()));
        keep(&mut self.requests, Asked { seq, provider, on, id, email, status: None, at });
        seq
    }

    pub fn log_answer(&mut self, seq: u64, status: u16) {
        if let Some(asked) = self.requests.iter_mut().rev().find(|asked| asked.seq == seq) {
            asked.status = Some(status);
        }
    }
}

fn keep<T>(log: &mut VecDeque<T>, entry: T) {
    if log.len() == LOG_MAX {
        log.pop_front();
    }
    log.push_back(entry);
}

fn is_kept(since: OffsetDateTime) -> bool {
    OffsetDateTime::now_utc() - since <= KEPT
}

/// Twelve characters of a-z and 0-9, as the provider's ids look.
pub fn fresh_id() -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    (0..12).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

pub fn stamp(at: OffsetDateTime) -> String {
    let shape = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    at.format(shape).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_for_ninety_days_and_not_longer() {
        assert!(is_kept(OffsetDateTime::now_utc() - Duration::days(90) + Duration::minutes(1)));
        assert!(!is_kept(OffsetDateTime::now_utc() - Duration::days(90) - Duration::minutes(1)));
    }

    #[test]
    fn ids_are_twelve_lower_case_characters_and_differ() {
        let (one, two) = (fresh_id(), fresh_id());
        assert!(one.len() == 12 && one.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_ne!(one, two);
    }
}
