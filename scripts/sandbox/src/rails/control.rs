//! Orders to a rail's payment, under the same addresses as those to Moneroo's.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::Duration;

use super::{DisputeState, Rail, RailPayment, moves, rail};
use crate::control::orders::{Age, Move, fields, finish, settle};
use crate::control::{Outcome, Problem, hooks, problem, read};
use crate::records::{Hand, Status};
use crate::state::Sandbox;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Back {
    /// In the digits of the payment's amount; all that is left when absent.
    amount: Option<i64>,
    #[serde(default)]
    wait: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Objection {
    state: DisputeState,
    amount: Option<i64>,
    #[serde(default)]
    wait: bool,
}

/// A payment that the merchant's API calls did not make.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Foreign {
    provider: String,
    id: Option<String>,
    #[serde(default)]
    reference: String,
    amount: i64,
    #[serde(default)]
    decimals: u8,
    currency: String,
    #[serde(default)]
    metadata: Map<String, Value>,
    email: Option<String>,
    phone: Option<String>,
    callback_url: Option<String>,
    #[serde(default = "initiated")]
    status: Status,
    #[serde(default)]
    notify: bool,
}

fn initiated() -> Status {
    Status::Initiated
}

pub fn find(sandbox: &Sandbox, name: &str) -> Option<RailPayment> {
    sandbox.books().rail_payment(None, name).map(|payment| payment.clone())
}

pub fn known(name: &str) -> Result<&'static dyn Rail, Problem> {
    rail(name).ok_or_else(|| problem(422, format!("no such provider: {name}")))
}

fn shown(sandbox: &Sandbox, payment: &RailPayment) -> Outcome {
    let mut books = sandbox.books();
    let payment = books.rail_payment(Some(payment.rail), &payment.id).ok_or_else(|| problem(404, "no such payment"))?;
    Ok(payment.summary(&sandbox.public_url))
}

pub async fn create(sandbox: &Arc<Sandbox>, body: Value) -> Outcome {
    let ask: Foreign = read(body)?;
    let rail = known(&ask.provider)?;
    let payment = RailPayment {
        reference: ask.reference,
        amount: ask.amount,
        decimals: ask.decimals,
        currency: ask.currency,
        metadata: ask.metadata,
        email: ask.email,
        phone: ask.phone,
        callback_url: ask.callback_url,
        status: ask.status,
        foreign: true,
        ..RailPayment::fresh(rail.name(), ask.id.unwrap_or_else(|| rail.fresh_id()))
    };
    let payment = sandbox.books().add_rail_payment(payment);
    if ask.notify {
        finish(moves::announce(sandbox, rail, &payment.id, moves::About::Status)).await;
    }
    shown(sandbox, &payment)
}

pub async fn order(sandbox: &Arc<Sandbox>, payment: &RailPayment, order: &str, body: Value) -> Outcome {
    let to = match order {
        "pay" => Status::Success,
        "fail" => Status::Failed,
        "cancel" => Status::Cancelled,
        "pending" => Status::Pending,
        "expire" => Status::Expired,
        "answer" => {
            let answer = fields(body)?;
            return change(sandbox, payment, |payment| payment.answer = answer);
        }
        "age" => {
            let age: Age = read(body)?;
            return change(sandbox, payment, |payment| payment.created_at -= Duration::days(age.days));
        }
        "redeliver" => return redeliver(sandbox, payment, body).await,
        "refund" => {
            let ask: Back = read(body)?;
            let sent = moves::refund(sandbox, payment, ask.amount);
            let sent = sent.ok_or_else(|| problem(409, "it is not paid, or so much is not left"))?;
            return after(sandbox, payment, sent, ask.wait).await;
        }
        "dispute" => {
            let ask: Objection = read(body)?;
            let sent = moves::dispute(sandbox, payment, ask.state, ask.amount).unwrap_or_default();
            return after(sandbox, payment, sent, ask.wait).await;
        }
        _ => return Err(problem(404, format!("no such order: {order}"))),
    };
    let ask: Move = read(body)?;
    let hand = if ask.force { Hand::Force } else { Hand::Attempt };
    settle(moves::advance(sandbox, payment, to, hand, ask.quiet), ask.wait).await?;
    shown(sandbox, payment)
}

/// A refund's own end, by the refund's id.
pub async fn refund(sandbox: &Arc<Sandbox>, id: &str, order: &str) -> Outcome {
    let to = match order {
        "succeed" => Status::Success,
        "fail" => Status::Failed,
        "pending" => Status::Pending,
        _ => return Err(problem(404, format!("no such order: {order}"))),
    };
    let ended = moves::refund_ends(sandbox, id, to);
    let (payment, sent) = ended.ok_or_else(|| problem(404, "no such refund"))?;
    after(sandbox, &payment, sent, true).await
}

fn change(sandbox: &Sandbox, payment: &RailPayment, change: impl FnOnce(&mut RailPayment)) -> Outcome {
    sandbox.books().rail_payment(Some(payment.rail), &payment.id).map(change);
    shown(sandbox, payment)
}

async fn after(
    sandbox: &Sandbox,
    payment: &RailPayment,
    sent: Vec<tokio::task::JoinHandle<()>>,
    wait: bool,
) -> Outcome {
    if wait {
        finish(sent).await;
    }
    shown(sandbox, payment)
}

async fn redeliver(sandbox: &Arc<Sandbox>, payment: &RailPayment, body: Value) -> Outcome {
    let ask: hooks::Again = read(body)?;
    let status = ask.status.map(|status| read::<Status>(json!(status))).transpose()?;
    let message = moves::again(payment, status).ok_or_else(|| problem(409, "this provider announces nothing here"))?;
    hooks::send(sandbox, &message, ask.times).await
}

/// Ends the sessions of one provider or of all: the next call with their tokens is refused.
pub fn end_sessions(sandbox: &Sandbox, provider: Option<&str>) -> Outcome {
    sandbox.books().sessions.retain(|_, rail| provider.is_some_and(|provider| provider != *rail));
    Ok(json!({}))
}
