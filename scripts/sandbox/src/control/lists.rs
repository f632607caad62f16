//! What happened: payments, payouts, deliveries and the calls we received, oldest first.

use serde::Deserialize;
use serde_json::Value;

use super::{Outcome, Problem, answer, problem, read};
use crate::records::{Payment, Payout};
use crate::state::Sandbox;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    id: Option<String>,
    status: Option<String>,
    email: Option<String>,
    event: Option<String>,
    on: Option<String>,
}

fn fits(wanted: &Option<String>, found: Option<&str>) -> bool {
    wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
}

pub fn payments(sandbox: &Sandbox, body: Value) -> Outcome {
    let filter: Filter = read(body)?;
    let books = sandbox.books();
    let mut found: Vec<&Payment> = books
        .payments
        .values()
        .filter(|payment| fits(&filter.id, Some(&payment.id)) && fits(&filter.status, Some(payment.status.name())))
        .filter(|payment| fits(&filter.email, Some(&payment.customer.email)))
        .collect();
    found.sort_by_key(|payment| payment.seq);
    Ok(found.iter().map(|payment| payment.summary(&sandbox.checkout_url(&payment.id))).collect())
}

pub fn payouts(sandbox: &Sandbox, body: Value) -> Outcome {
    let filter: Filter = read(body)?;
    let books = sandbox.books();
    let mut found: Vec<&Payout> = books
        .payouts
        .values()
        .filter(|payout| fits(&filter.id, Some(&payout.id)) && fits(&filter.status, Some(payout.status.name())))
        .filter(|payout| fits(&filter.email, Some(&payout.customer.email)))
        .collect();
    found.sort_by_key(|payout| payout.seq);
    Ok(found.iter().map(|payout| payout.summary()).collect())
}

pub fn deliveries(sandbox: &Sandbox, body: Value) -> Outcome {
    let filter: Filter = read(body)?;
    let books = sandbox.books();
    let found = books.deliveries.iter().filter(|delivery| {
        fits(&filter.id, delivery.id.as_deref())
            && fits(&filter.event, Some(&delivery.event))
            && fits(&filter.status, Some(delivery.outcome))
    });
    answer(&found.collect::<Vec<_>>())
}

pub fn requests(sandbox: &Sandbox, body: Value) -> Outcome {
    let filter: Filter = read(body)?;
    let books = sandbox.books();
    let found = books.requests.iter().filter(|asked| {
        fits(&filter.id, asked.id.as_deref())
            && fits(&filter.on, Some(asked.on))
            && fits(&filter.email, asked.email.as_deref())
    });
    answer(&found.collect::<Vec<_>>())
}

pub fn payment(sandbox: &Sandbox, id: &str) -> Outcome {
    let mut books = sandbox.books();
    let payment = books.payment(id).ok_or_else(no_payment)?;
    Ok(payment.summary(&sandbox.checkout_url(id)))
}

pub fn payout(sandbox: &Sandbox, id: &str) -> Outcome {
    let mut books = sandbox.books();
    Ok(books.payout(id).ok_or_else(no_payout)?.summary())
}

pub fn no_payment() -> Problem {
    problem(404, "no such payment")
}

pub fn no_payout() -> Problem {
    problem(404, "no such payout")
}
