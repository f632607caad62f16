//! Webhooks on their way: sent until the receiver answers 200 (at the rails, any 2xx) or the retries are used up, every attempt logged.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::faults::{Fault, Kind, Moment, On};
use crate::message::{Message, Notice};
use crate::state::{Sandbox, stamp};

pub const SIGNATURE_HEADER: &str = "X-Moneroo-Signature";

/// Enough of the receiver's answer to see what it said, and of a body to know it again.
const ANSWER_MAX: usize = 2_000;
const LOGGED_BODY_MAX: usize = 16_000;

/// One attempt, as the log keeps it. `outcome` is delivered, failed, dropped or held.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    pub seq: u64,
    pub provider: &'static str,
    pub event: String,
    pub id: Option<String>,
    pub outcome: &'static str,
    pub attempt: u32,
    pub url: Option<String>,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub answer: Option<String>,
    pub signature: Option<String>,
    pub body: String,
    pub at: String,
    pub ms: u64,
}

/// Sends the notice, or does to it what the faults want; what it returns ends with the first attempts.
pub fn announce(sandbox: &Arc<Sandbox>, notice: Notice) -> Vec<JoinHandle<()>> {
    let (email, event) = (Some(notice.customer.email.as_str()), Some(notice.event.as_str()));
    let (provider, id, reference, phone) = ("moneroo", Some(notice.id.as_str()), None, None);
    let moment = Moment { provider, on: On::Webhook, id, reference, email, phone, event };
    let faults = sandbox.books().faults.take(&moment);
    dispatch(sandbox, notice.faulty_message(&sandbox.webhook_secret, &faults), &faults)
}

/// Sends it, unless the faults keep it.
pub fn dispatch(sandbox: &Arc<Sandbox>, message: Message, faults: &[Fault]) -> Vec<JoinHandle<()>> {
    {
        let mut books = sandbox.books();
        let struck = |kind: Kind| faults.iter().any(|fault| fault.fault == kind);
        if struck(Kind::Drop) {
            books.log_delivery(message.entry("dropped", 0));
            return Vec::new();
        }
        if struck(Kind::Hold) {
            books.log_delivery(message.entry("held", 0));
            books.held.push(message);
            return Vec::new();
        }
    }
    (0..message.copies).map(|_| send(sandbox, message.clone())).collect()
}

/// First attempt in what is returned, retries behind it.
fn send(sandbox: &Arc<Sandbox>, message: Message) -> JoinHandle<()> {
    sandbox.outgoing(1);
    let background = Arc::clone(sandbox);
    sandbox.spawn(async move {
        background.pause(message.delay_ms).await;
        let first = attempt(&background, &message, 1).await;
        background.outgoing(-1);
        retry_unless_delivered(&background, message, &first);
    })
}

fn retry_unless_delivered(sandbox: &Arc<Sandbox>, message: Message, first: &Delivery) {
    if first.outcome == "delivered" || first.url.is_none() || !message.retries {
        return;
    }
    let background = Arc::clone(sandbox);
    sandbox.spawn(async move {
        let mut attempts = 1;
        loop {
            let settings = background.books().settings.clone();
            if attempts > settings.max_retries {
                return;
            }
            background.pause(settings.retry_delay_ms).await;
            attempts += 1;
            if attempt(&background, &message, attempts).await.outcome == "delivered" {
                return;
            }
        }
    });
}

/// The held webhooks, one after the other, the last first unless told otherwise.
pub async fn release(sandbox: &Arc<Sandbox>, reverse: bool) -> Vec<Delivery> {
    let mut held = std::mem::take(&mut sandbox.books().held);
    if reverse {
        held.reverse();
    }
    let mut sent = Vec::new();
    for message in held {
        for _ in 0..message.copies {
            let first = attempt(sandbox, &message, 1).await;
            retry_unless_delivered(sandbox, message.clone(), &first);
            sent.push(first);
        }
    }
    sent
}

/// The same message `times` times at once, without retries.
pub async fn burst(sandbox: &Arc<Sandbox>, message: &Message, times: u32) -> Vec<Delivery> {
    let mut running = JoinSet::new();
    for _ in 0..times {
        let (sandbox, message) = (Arc::clone(sandbox), message.clone());
        running.spawn(async move { attempt(&sandbox, &message, 1).await });
    }
    running.join_all().await
}

/// Delivered means 200, at the rails any 2xx; in time, without a redirect.
async fn attempt(sandbox: &Arc<Sandbox>, message: &Message, number: u32) -> Delivery {
    let settings = sandbox.books().settings.clone();
    let mut delivery = message.entry("failed", number);
    let moneroo = message.provider == "moneroo";
    let rails_url =
        |url: String| format!("{url}{}provider={}", if url.contains('?') { '&' } else { '?' }, message.provider);
    let usual = if moneroo { settings.webhook_url } else { settings.rails_webhook_url.map(rails_url) };
    delivery.url = message.url.clone().or(usual);
    let Some(url) = &delivery.url else {
        delivery.error = Some("no webhook URL is set".into());
        return sandbox.books().log_delivery(delivery);
    };
    let puts = message.puts && !settings.posts_only;
    let request = if puts { sandbox.http.put(url) } else { sandbox.http.post(url) };
    let mut request = request.header("content-type", message.content_type);
    if let Some((name, signature)) = message.signed(OffsetDateTime::now_utc().unix_timestamp()) {
        request = request.header(name, &signature);
        delivery.signature = Some(signature);
    }
    let started = Instant::now();
    let request = request.timeout(Duration::from_millis(settings.webhook_timeout_ms)).body(message.body.clone());
    match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            delivery.status = Some(status);
            let good = if moneroo { status == 200 } else { (200..300).contains(&status) };
            delivery.outcome = if good { "delivered" } else { "failed" };
            let answer = response.text().await.unwrap_or_default();
            delivery.answer = Some(answer.chars().take(ANSWER_MAX).collect());
        }
        Err(error) if error.is_timeout() => delivery.error = Some("timeout".into()),
        Err(error) => delivery.error = Some(error.to_string()),
    }
    delivery.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    sandbox.books().log_delivery(delivery)
}

impl Message {
    fn entry(&self, outcome: &'static str, attempt: u32) -> Delivery {
        Delivery {
            seq: 0,
            provider: self.provider,
            event: self.event.clone(),
            id: self.id.clone(),
            outcome,
            attempt,
            url: None,
            status: None,
            error: None,
            answer: None,
            signature: self.signed(OffsetDateTime::now_utc().unix_timestamp()).map(|signed| signed.1),
            body: String::from_utf8_lossy(&self.body[..self.body.len().min(LOGGED_BODY_MAX)]).into_owned(),
            at: stamp(OffsetDateTime::now_utc()),
            ms: 0,
        }
    }
}
