//! `PayDunya`, checkout invoices: a hosted page under a token of the provider's, refusals inside a 200, and a form
//! `data[…]` whose hash is one and the same for every notification. Source: paydunya.com/developers, http-json.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::form::{form, plain};
use super::keys::{PAYDUNYA_MASTER_KEY, PAYDUNYA_PRIVATE_KEY, PAYDUNYA_TOKEN};
use super::{Answer, Ask, Desk, Letter, News, Rail, RailPayment, Route, units};
use crate::faults::On;
use crate::records::Status;
use crate::state::{Books, fresh_id};
use crate::tamper::Tamper;

pub struct Paydunya;

/// A refusal is a 200 with another code than "00".
fn no(code: &str, message: &str) -> Answer {
    Answer::json(200, json!({ "response_code": code, "response_text": message }))
}

fn create(mode: &str, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let invalid = |field: &str| no("1001", &format!("Invalid Invoice: {field}"));
    let sent = ask.value("invoice.total_amount").and_then(|sent| units(sent, 0)).filter(|amount| *amount > 0);
    let amount = sent.ok_or_else(|| invalid("total_amount"))?;
    ask.text("store.name").ok_or_else(|| invalid("store name"))?;
    let link = |name: &str| {
        let url = ask.owned(&format!("actions.{name}"));
        if url.is_empty() || url.starts_with("http") { Ok(url) } else { Err(invalid(name)) }
    };
    let (callback_url, return_url, cancel_url) = (link("callback_url")?, link("return_url")?, link("cancel_url")?);
    let id = if mode == "test" { format!("test_{}", fresh_id()) } else { fresh_id() };
    let metadata = ask.object("custom_data");
    // What a merchant of ours calls the payment, so that tests find it by that as well.
    let own = ["payment_id", "intent_id", "reference"].into_iter().find_map(|name| metadata.get(name)?.as_str());
    let mut payment = RailPayment {
        reference: own.unwrap_or_default().to_owned(),
        amount,
        currency: "XOF".into(),
        description: ask.owned("invoice.description"),
        email: ask.text("invoice.customer.email").map(Into::into),
        callback_url: (!callback_url.is_empty()).then_some(callback_url),
        return_url,
        cancel_url,
        metadata,
        ..RailPayment::fresh(desk.rail.name(), id)
    };
    payment.secrets.insert("mode", mode.to_owned());
    // Not the payment's phone: nobody is asked there, this page is.
    payment.secrets.insert("customer_phone", ask.owned("invoice.customer.phone"));
    payment.secrets.insert("customer_name", ask.owned("invoice.customer.name"));
    let payment = desk.open(payment);
    let body = json!({
        "response_code": "00",
        "response_text": desk.checkout_url(&payment.id),
        "description": "Checkout Invoice Created",
        "token": payment.id,
    });
    Ok(Answer::json(200, body))
}

fn said(status: Status) -> &'static str {
    match status {
        Status::Initiated | Status::Pending => "pending",
        Status::Success => "completed",
        Status::Failed => "failed",
        Status::Cancelled | Status::Expired => "cancelled",
    }
}

/// As the confirmation and the notification tell it.
fn invoice(payment: &RailPayment, tamper: &Tamper) -> Value {
    let paid = payment.status == Status::Success;
    let mut told = json!({
        "response_code": "00",
        "response_text": "Transaction Found",
        "hash": hex::encode(Sha512::digest(PAYDUNYA_MASTER_KEY)),
        "invoice": {
            "token": payment.id,
            "total_amount": payment.told(tamper),
            "description": payment.description,
        },
        "custom_data": payment.metadata,
        "actions": {
            "cancel_url": payment.cancel_url,
            "callback_url": payment.callback_url.clone().unwrap_or_default(),
            "return_url": payment.return_url,
        },
        "mode": payment.secret("mode"),
        "status": said(payment.status),
        "fail_reason": if payment.status == Status::Failed { "Insufficient funds" } else { "" },
        "customer": {
            "name": payment.secret("customer_name"),
            "phone": payment.secret("customer_phone"),
            "email": payment.email.clone().unwrap_or_default(),
        },
        "receipt_url": if paid { format!("https://app.paydunya.com/receipt/{}.pdf", payment.id) } else { String::new() },
    });
    // Invoices are in francs CFA and say so nowhere; a fault may make one say otherwise.
    if tamper.currency(&payment.currency) != payment.currency {
        told["invoice"]["currency"] = json!(tamper.currency(&payment.currency));
    }
    payment.overrule(told)
}

/// `data[invoice][token]=…`: objects become names in brackets.
fn flatten(name: &str, value: Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                flatten(&format!("{name}[{key}]"), inner, pairs);
            }
        }
        other => pairs.push((name.to_owned(), plain(other))),
    }
}

impl Rail for Paydunya {
    fn name(&self) -> &'static str {
        "paydunya"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        match ask.segments.as_slice() {
            ["api" | "sandbox-api", "v1", "checkout-invoice", "create"] if ask.posts() => {
                Route::new(On::Initialize, None)
            }
            ["api" | "sandbox-api", "v1", "checkout-invoice", "confirm", token] if ask.gets() => {
                Route::new(On::Verify, Some(token))
            }
            _ => None,
        }
    }

    fn admit(&self, _route: &Route, ask: &Ask<'_>, _books: &Books) -> Result<(), Answer> {
        for (name, key, what) in [
            ("paydunya-master-key", PAYDUNYA_MASTER_KEY, "Invalid Masterkey Specified"),
            ("paydunya-private-key", PAYDUNYA_PRIVATE_KEY, "Invalid Private Key Specified"),
            ("paydunya-token", PAYDUNYA_TOKEN, "Invalid Token Specified"),
        ] {
            if ask.header(name) != Some(key) {
                return Err(no("1001", what));
            }
        }
        Ok(())
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        if route.on == On::Initialize {
            let test = ask.segments.first() == Some(&"sandbox-api");
            return create(if test { "test" } else { "live" }, ask, desk);
        }
        let (tamper, id) = (desk.tamper, route.subject.as_deref().unwrap_or_default());
        let payment = desk.find(id).filter(|payment| payment.id == id);
        let payment = payment.ok_or_else(|| no("4003", "Invoice Not Found"))?;
        Ok(Answer::json(200, invoice(payment, tamper)))
    }

    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter> {
        // Without an address of its own an invoice is not announced.
        let (News::Moved, Some(_)) = (news, &payment.callback_url) else { return None };
        let mut pairs = Vec::new();
        flatten("data", invoice(payment, tamper), &mut pairs);
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        Some(Letter { event: format!("payment.{}", payment.status.name()), body: form(&pairs) })
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        Answer::json(status, json!({ "response_code": status.to_string(), "response_text": message }))
    }

    fn content_type(&self) -> &'static str {
        "application/x-www-form-urlencoded"
    }

    fn back(&self, payment: &RailPayment) -> Option<String> {
        payment.back(&[("token", &payment.id)])
    }
}
