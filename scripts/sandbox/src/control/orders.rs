//! Orders to one payment or payout: play the customer or the rail, lie about it, make it old.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::Duration;

use super::lists::{self, no_payment, no_payout};
use super::{Outcome, hooks, problem, read};
use crate::message::Notice;
use crate::payments::{self, Moved};
use crate::rails;
use crate::records::{Customer, Hand, Payment, Status};
use crate::state::Sandbox;
use crate::{payouts, webhooks};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Also what the provider should never do, like failed after success.
    #[serde(default)]
    pub force: bool,
    /// Answer after the webhook's first attempt.
    #[serde(default)]
    pub wait: bool,
    /// No webhook.
    #[serde(default)]
    pub quiet: bool,
    method: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Age {
    pub days: i64,
}

/// A payment that nobody asked for through the API: somebody else's, an old one, one from another environment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Foreign {
    amount: i64,
    currency: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    return_url: String,
    #[serde(default)]
    customer: Customer,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default = "initiated")]
    status: Status,
    #[serde(default = "sandbox_environment")]
    environment: String,
    /// Sends the event of its status, and answers after the first attempt.
    #[serde(default)]
    notify: bool,
}

fn initiated() -> Status {
    Status::Initiated
}

fn sandbox_environment() -> String {
    "sandbox".into()
}

pub async fn create(sandbox: &Arc<Sandbox>, body: Value) -> Outcome {
    if body.get("provider").is_some_and(|provider| provider != "moneroo") {
        return rails::control::create(sandbox, body).await;
    }
    let ask: Foreign = read(body)?;
    let payment = Payment {
        status: ask.status,
        amount: ask.amount,
        currency: ask.currency,
        description: ask.description,
        return_url: ask.return_url,
        environment: ask.environment,
        customer: ask.customer,
        metadata: ask.metadata,
        methods: ask.methods,
        foreign: true,
        ..Payment::fresh()
    };
    let (id, notice) = (payment.id.clone(), Notice::payment(&payment));
    payments::record(sandbox, payment);
    if ask.notify {
        finish(webhooks::announce(sandbox, notice)).await;
    }
    lists::payment(sandbox, &id)
}

pub async fn payment(sandbox: &Arc<Sandbox>, id: &str, order: &str, body: Value) -> Outcome {
    let at_rails = if sandbox.books().payment(id).is_none() { rails::control::find(sandbox, id) } else { None };
    if let Some(payment) = at_rails {
        return rails::control::order(sandbox, &payment, order, body).await;
    }
    let to = match order {
        "pay" => Status::Success,
        "fail" => Status::Failed,
        "cancel" => Status::Cancelled,
        "pending" => Status::Pending,
        "answer" => {
            let answer = fields(body)?;
            sandbox.books().payment(id).ok_or_else(no_payment)?.answer = answer;
            return lists::payment(sandbox, id);
        }
        "age" => {
            let age: Age = read(body)?;
            sandbox.books().payment(id).ok_or_else(no_payment)?.initiated_at -= Duration::days(age.days);
            return Ok(json!({}));
        }
        "redeliver" => {
            let notice = sandbox.books().payment(id).map(|payment| Notice::payment(payment)).ok_or_else(no_payment)?;
            return hooks::redeliver(sandbox, notice, body).await;
        }
        _ => return Err(problem(404, format!("no such order: {order}"))),
    };
    let ask: Move = read(body)?;
    let hand = if ask.force { Hand::Force } else { Hand::Attempt };
    settle(payments::advance(sandbox, id, to, hand, ask.method, ask.quiet), ask.wait).await?;
    lists::payment(sandbox, id)
}

pub async fn payout(sandbox: &Arc<Sandbox>, id: &str, order: &str, body: Value) -> Outcome {
    let to = match order {
        "succeed" => Status::Success,
        "fail" => Status::Failed,
        "pending" => Status::Pending,
        "answer" => {
            let answer = fields(body)?;
            sandbox.books().payout(id).ok_or_else(no_payout)?.answer = answer;
            return lists::payout(sandbox, id);
        }
        "age" => {
            let age: Age = read(body)?;
            sandbox.books().payout(id).ok_or_else(no_payout)?.initiated_at -= Duration::days(age.days);
            return Ok(json!({}));
        }
        "redeliver" => {
            let notice = sandbox.books().payout(id).map(|payout| Notice::payout(payout)).ok_or_else(no_payout)?;
            return hooks::redeliver(sandbox, notice, body).await;
        }
        _ => return Err(problem(404, format!("no such order: {order}"))),
    };
    let ask: Move = read(body)?;
    let hand = if ask.force { Hand::Force } else { Hand::Attempt };
    settle(payouts::advance(sandbox, id, to, hand, ask.quiet), ask.wait).await?;
    lists::payout(sandbox, id)
}

pub async fn settle(moved: Moved, wait: bool) -> Result<(), super::Problem> {
    match moved {
        Moved::Done(sent) if wait => finish(sent).await,
        Moved::Done(_) => {}
        Moved::Refused(status) => return Err(problem(409, format!("it is {}, which is final", status.name()))),
        Moved::Unknown => return Err(problem(404, "no such id")),
    }
    Ok(())
}

pub async fn finish(sent: Vec<tokio::task::JoinHandle<()>>) {
    for attempt in sent {
        // It ends in error only when the runtime does.
        let _ = attempt.await;
    }
}

pub fn fields(body: Value) -> Result<Map<String, Value>, super::Problem> {
    if let Value::Object(fields) = body { Ok(fields) } else { Err(problem(422, "an object is expected")) }
}
