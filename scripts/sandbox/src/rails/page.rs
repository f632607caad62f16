//! A rail's page: the hosted checkout where it has one, and elsewhere the payer's phone. The buttons are those of
//! Moneroo's page.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};

use super::{RailPayment, moves, rail, text_of};
use crate::checkout::{button, document, escape, unknown};
use crate::payments::Moved;
use crate::records::{Hand, Status};
use crate::state::Sandbox;

pub async fn page(State(sandbox): State<Arc<Sandbox>>, uri: Uri, Path(id): Path<String>) -> Response {
    match find(&sandbox, &uri, &id) {
        Some(payment) => show(&sandbox, &payment),
        None => unknown(),
    }
}

/// Pressed twice, or after the end, a button changes nothing: the page then shows what is.
pub async fn press(
    State(sandbox): State<Arc<Sandbox>>,
    uri: Uri,
    Path((id, button)): Path<(String, String)>,
) -> Response {
    let to = match button.as_str() {
        "pay" => Status::Success,
        "fail" => Status::Failed,
        "cancel" => Status::Cancelled,
        _ => return unknown(),
    };
    let Some(payment) = find(&sandbox, &uri, &id) else { return unknown() };
    match moves::advance(&sandbox, &payment, to, Hand::Customer, false) {
        Moved::Unknown => unknown(),
        Moved::Done(_) | Moved::Refused(_) => Redirect::to(&address(&payment)).into_response(),
    }
}

fn find(sandbox: &Sandbox, uri: &Uri, id: &str) -> Option<RailPayment> {
    let name = uri.path().split('/').nth(1)?;
    sandbox.books().rail_payment(Some(name), id).map(|payment| payment.clone())
}

pub fn address(payment: &RailPayment) -> String {
    format!("/{}/checkout/{}", payment.rail, payment.id)
}

pub fn show(sandbox: &Sandbox, payment: &RailPayment) -> Response {
    let text = if payment.status.is_final() { ended(sandbox, payment) } else { open(sandbox, payment) };
    document(StatusCode::OK, "Payment", &text)
}

fn open(sandbox: &Sandbox, payment: &RailPayment) -> String {
    let address = address(payment);
    format!(
        "{}{}{}{}<p class=\"note\">Sandbox of {}: no real money moves.</p>",
        bill(sandbox, payment),
        button(&address, "pay", "Pay", ""),
        button(&address, "fail", "Fail", ""),
        button(&address, "cancel", "Cancel", ""),
        payment.rail
    )
}

fn ended(sandbox: &Sandbox, payment: &RailPayment) -> String {
    let sentence = match payment.status {
        Status::Success => "Payment successful",
        Status::Failed => "Payment failed",
        Status::Expired => "Payment expired",
        _ => "Payment cancelled",
    };
    let back = rail(payment.rail).and_then(|rail| rail.back(payment)).map_or_else(String::new, |url| {
        let name = escape(&sandbox.merchant);
        format!("<a class=\"button\" id=\"return\" rel=\"noreferrer\" href=\"{}\">Back to {name}</a>", escape(&url))
    });
    let status = payment.status.name();
    format!("<h1 id=\"result\" data-status=\"{status}\">{sentence}</h1>{}{back}", bill(sandbox, payment))
}

/// For the list of what there is to click.
pub fn row(payment: &RailPayment) -> String {
    let (id, address) = (escape(&payment.id), escape(&address(payment)));
    let amount = text_of(payment.amount, payment.decimals);
    let (currency, status) = (escape(&payment.currency), payment.status.name());
    format!("<li><a href=\"{address}\">{} {id}</a> {amount} {currency}, {status}</li>", payment.rail)
}

fn bill(sandbox: &Sandbox, payment: &RailPayment) -> String {
    let amount = text_of(payment.amount, payment.decimals);
    let currency = escape(&payment.currency);
    format!(
        "<p id=\"merchant\">{}</p><p class=\"amount\" id=\"amount\" data-amount=\"{amount}\" \
         data-currency=\"{currency}\">{amount}\u{a0}{currency}</p><p id=\"description\">{}</p>\
         <p class=\"note\">{} · {}</p>",
        escape(&sandbox.merchant),
        escape(&payment.description),
        escape(payment.phone.as_deref().or(payment.email.as_deref()).unwrap_or_default()),
        escape(&payment.id)
    )
}
