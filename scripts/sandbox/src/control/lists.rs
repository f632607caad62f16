//! What happened: payments, payouts, deliveries and the calls we received, oldest first.

use serde::Deserialize;
use serde_json::Value;

use super::{Outcome, Problem, answer, problem, read};
use crate::records::Payout;
use crate::state::Sandbox;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    provider: Option<String>,
    id: Option<String>,
    status: Option<String>,
    email: Option<String>,
    /// The merchant's own, at the rails.
    reference: Option<String>,
    event: Option<String>,
    on: Option<String>,
}

fn fits(wanted: &Option<String>, found: Option<&str>) -> bool {
    wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
}

pub fn payments(sandbox: &Sandbox, body: Value) -> Outcome {
    let filter: Filter = read(body)?;
    let books = sandbox.books();
    let moneroo = books
        .payments
        .values()
        .filter(|_| fits(&filter.provider, Some("moneroo")) && filter.reference.is_none())
        .filter(|payment| fits(&filter.id, Some(&payment.id)) && fits(&filter.status, Some(payment.status.name())))
        .filter(|payment| fits(&filter.email, Some(&payment.customer.email)))
        .map(|payment| (payment.seq, payment.summary(&sandbox.checkout_url(&payment.id))));
    let rails = books
        .rails
        .values()
        .filter(|payment| fits(&filter.provider, Some(payment.rail)))
        .filter(|payment| fits(&filter.id, Some(&payment.id)) && fits(&filter.status, Some(payment.status.name())))
        .filter(|payment| fits(&filter.email, payment.email.as_deref()))
        .filter(|payment| fits(&filter.reference, Some(&payment.reference)))
        .map(|payment| (payment.seq, payment.summary(&sandbox.public_url)));
    let mut found: Vec<_> = moneroo.chain(rails).collect();
    found.sort_by_key(|(seq, _)| *seq);
    Ok(found.into_iter().map(|(_, summary)| summary).collect())
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
            && fits(&filter.provider, Some(delivery.provider))
    });
    answer(&found.collect::<Vec<_>>())
}

pub fn requests(sandbox: &Sandbox, body: Value) -> Outcome {
    let filter: Filter = read(body)?;
    let books = sandbox.books();
    let found = books.requests.iter().filter(|asked| {
        fits(&filter.id, asked.id.as_deref())
            && fits(&filter.on, Some(asked.on))
            && fits(&filter.provider, Some(asked.provider))
            && fits(&filter.email, asked.email.as_deref())
    });
    answer(&found.collect::<Vec<_>>())
}

pub fn payment(sandbox: &Sandbox, id: &str) -> Outcome {
    let mut books = sandbox.books();
    if let Some(payment) = books.payment(id) {
        return Ok(payment.summary(&sandbox.checkout_url(id)));
    }
    let payment = books.rail_payment(None, id).ok_or_else(no_payment)?;
    Ok(payment.summary(&sandbox.public_url))
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
