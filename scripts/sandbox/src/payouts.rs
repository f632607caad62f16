//! Payouts: there is no key that makes a repeated one harmless, so two calls are two payouts, as at the provider.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::api::{Reply, ok};
use crate::message::Notice;
use crate::payments::{Moved, customer};
use crate::records::{Hand, Payout, Status};
use crate::state::{Sandbox, fresh_id, stamp};
use crate::tamper::Tamper;
use crate::validate::Form;
use crate::{methods, money, webhooks};

/// The documented test numbers, without the `+1`; any other number is paid.
const FAILS: &str = "4149518162";
const STAYS_PENDING: &str = "4149518163";

pub fn initialize(sandbox: &Arc<Sandbox>, body: &[u8], tamper: &Tamper) -> Result<Reply, Reply> {
    let mut payout = read(body)?;
    payout.amount = tamper.amount(payout.amount).as_i64().unwrap_or(payout.amount);
    payout.currency = tamper.currency(&payout.currency).to_owned();
    let (id, notice) = (payout.id.clone(), Notice::payout(&payout));
    let settings = {
        let mut books = sandbox.books();
        payout.seq = books.next();
        books.payouts.insert(id.clone(), payout);
        books.settings.clone()
    };
    if settings.initiated_events {
        webhooks::announce(sandbox, notice);
    }
    if settings.auto_payouts {
        let (background, id) = (Arc::clone(sandbox), id.clone());
        sandbox.spawn(async move {
            background.pause(50).await;
            run(&background, &id);
        });
    }
    let mut reply = ok(201, "Payout transaction initialized successfully", json!({ "id": id }));
    reply.body["success"] = json!(true);
    Ok(reply)
}

fn read(body: &[u8]) -> Result<Payout, Reply> {
    let mut form = Form::read(body)?;
    let (amount, currency, description) = (form.amount(), form.currency(), form.text("description"));
    let (customer, metadata) = (form.customer(), form.metadata());
    let method = form.text("method");
    match methods::for_payouts().find(|known| known.code == method) {
        Some(known) if known.currency != currency => {
            form.complain("method", format!("The method does not support {currency}."));
        }
        None if !method.is_empty() => form.complain("method", "The selected method is invalid.".into()),
        _ => {}
    }
    let field = if method == "moneroo_payout_demo" { "recipient.account_number" } else { "recipient.msisdn" };
    let recipient = form.optional_text(field).unwrap_or_default();
    if recipient.is_empty() {
        form.complain(field, format!("The {field} field is required."));
    } else if !recipient.bytes().all(|byte| byte.is_ascii_digit()) {
        form.complain(field, format!("The {field} field must be a number in international format."));
    }
    form.finish()?;
    Ok(Payout {
        id: fresh_id(),
        seq: 0,
        status: Status::Initiated,
        amount,
        currency,
        description,
        customer,
        metadata,
        method,
        recipient,
        initiated_at: OffsetDateTime::now_utc(),
        answer: serde_json::Map::new(),
    })
}

/// What the rail does with it on its own.
fn run(sandbox: &Arc<Sandbox>, id: &str) {
    let to = match sandbox.books().payout(id) {
        Some(payout) if payout.recipient.ends_with(FAILS) => Status::Failed,
        Some(payout) if payout.recipient.ends_with(STAYS_PENDING) => Status::Pending,
        Some(_) => Status::Success,
        None => return,
    };
    advance(sandbox, id, to, Hand::Customer, false);
}

pub fn advance(sandbox: &Arc<Sandbox>, id: &str, to: Status, hand: Hand, quiet: bool) -> Moved {
    let notice = {
        let mut books = sandbox.books();
        let Some(payout) = books.payout(id) else { return Moved::Unknown };
        // Payouts know no second attempt: what has failed was given back.
        let hand = if hand == Hand::Attempt { Hand::Customer } else { hand };
        if !payout.status.may_become(to, hand) {
            return Moved::Refused(payout.status);
        }
        payout.status = to;
        Notice::payout(payout)
    };
    // There is no event for pending.
    if quiet || to == Status::Pending {
        return Moved::Done(Vec::new());
    }
    Moved::Done(webhooks::announce(sandbox, notice))
}

pub fn verify(sandbox: &Sandbox, id: &str, tamper: &Tamper) -> Result<Reply, Reply> {
    let mut books = sandbox.books();
    let payout = books.payout(id).ok_or_else(|| Reply::refused(404, "Payout transaction not found."))?;
    let failed = payout.status == Status::Failed;
    let mut data = json!({
        "id": payout.id,
        "status": payout.status,
        "amount": tamper.amount(payout.amount),
        "currency": money::describe(tamper.currency(&payout.currency)),
        "amount_formatted": money::formatted(payout.amount, &payout.currency),
        "description": payout.description,
        "environment": "sandbox",
        "metadata": payout.metadata,
        "app": { "id": "app_sandbox", "name": sandbox.merchant },
        "customer": customer(&payout.customer),
        "initiated_at": stamp(payout.initiated_at),
        "disburse": {
            "id": format!("db_{}", payout.id),
            "identifier": format!("pd_{}", payout.id),
            "failure_message": failed.then_some("The recipient could not be credited."),
            "failure_error_code": failed.then_some("RECIPIENT_NOT_FOUND"),
            "failure_error_type": failed.then_some("recipient"),
            "method": methods::brief(&payout.method),
            "gateway": {
                "id": "gw_sandbox",
                "account_name": "Sandbox",
                "name": "Sandbox gateway",
                "short_code": "sandbox",
                "transaction_id": format!("tx_{}", payout.id),
                "transaction_status": format!("test_{}", payout.status.name()),
            },
        },
    });
    if let Value::Object(data) = &mut data {
        data.extend(payout.answer.clone());
    }
    Ok(ok(200, "Payout transaction fetched successfully!", data))
}

impl Payout {
    /// For the control endpoint.
    pub fn summary(&self) -> Value {
        json!({
            "id": self.id,
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "description": self.description,
            "customer": self.customer,
            "metadata": self.metadata,
            "method": self.method,
            "recipient": self.recipient,
            "initiated_at": stamp(self.initiated_at),
            "answer": self.answer,
        })
    }
}
