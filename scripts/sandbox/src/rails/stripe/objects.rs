//! Stripe's objects as its API and its events write them.

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::rails::seal::same_id;
use crate::rails::{Dispute, DisputeState, Letter, News, RailPayment, Refund};
use crate::records::Status;
use crate::tamper::Tamper;

pub fn intent(payment: &RailPayment, tamper: &Tamper, expand: &[String]) -> Value {
    let (told, currency) = (payment.told(tamper), currency(payment, tamper));
    let paid = payment.status == Status::Success;
    let ended = matches!(payment.status, Status::Cancelled | Status::Expired);
    let status = match payment.status {
        // After a failed attempt another one may follow on the same intent.
        Status::Initiated | Status::Failed => "requires_payment_method",
        Status::Pending => "processing",
        Status::Success => "succeeded",
        Status::Cancelled | Status::Expired => "canceled",
    };
    let declined = json!({ "type": "card_error", "code": "card_declined", "message": "Your card was declined." });
    let latest_charge = if payment.attempts == 0 && !paid {
        Value::Null
    } else if expand.iter().any(|path| path.starts_with("latest_charge")) {
        charge(payment, tamper, expand.iter().any(|path| path == "latest_charge.dispute"))
    } else {
        json!(charge_id(payment))
    };
    payment.overrule(json!({
        "id": payment.id,
        "object": "payment_intent",
        "amount": told,
        "amount_received": if paid { told.clone() } else { json!(0) },
        "canceled_at": ended.then_some(seconds(payment.created_at)),
        "cancellation_reason": (payment.status == Status::Expired).then_some("abandoned"),
        "capture_method": "automatic",
        "client_secret": payment.secret("client_secret"),
        "confirmation_method": "automatic",
        "created": seconds(payment.created_at),
        "currency": currency,
        "description": payment.description,
        "last_payment_error": if payment.status == Status::Failed { declined } else { Value::Null },
        "latest_charge": latest_charge,
        "livemode": false,
        "metadata": payment.metadata,
        "next_action": null,
        "payment_method_types": ["card"],
        "receipt_email": payment.email,
        "status": status,
    }))
}

fn charge(payment: &RailPayment, tamper: &Tamper, with_dispute: bool) -> Value {
    let paid = payment.status == Status::Success;
    let refunded = payment.refunding();
    let objection = match &payment.dispute {
        None => Value::Null,
        Some(objection) if with_dispute => dispute(payment, objection),
        Some(objection) => json!(objection.id),
    };
    json!({
        "id": charge_id(payment),
        "object": "charge",
        "amount": payment.told(tamper),
        "amount_captured": if paid { payment.amount } else { 0 },
        "amount_refunded": refunded,
        "captured": paid,
        "created": seconds(payment.created_at),
        "currency": currency(payment, tamper),
        "dispute": objection,
        "disputed": payment.dispute.is_some(),
        "livemode": false,
        "metadata": payment.metadata,
        "paid": paid,
        "payment_intent": payment.id,
        "refunded": paid && refunded == payment.amount,
        "status": if paid { "succeeded" } else { "failed" },
    })
}

pub fn refund(payment: &RailPayment, refund: &Refund, tamper: &Tamper) -> Value {
    let status = match refund.status {
        Status::Success => "succeeded",
        Status::Failed => "failed",
        _ => "pending",
    };
    json!({
        "id": refund.id,
        "object": "refund",
        "amount": tamper.amount(refund.amount),
        "charge": charge_id(payment),
        "created": seconds(refund.created_at),
        "currency": currency(payment, tamper),
        "failure_reason": (status == "failed").then_some("expired_or_canceled_card"),
        "metadata": refund.metadata,
        "payment_intent": payment.id,
        "reason": null,
        "status": status,
    })
}

pub fn dispute(payment: &RailPayment, dispute: &Dispute) -> Value {
    let status = match dispute.state {
        DisputeState::Open => "needs_response",
        DisputeState::Lost => "lost",
        DisputeState::Won => "won",
    };
    json!({
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "charge": charge_id(payment),
        "created": seconds(payment.created_at),
        "currency": payment.currency,
        "is_charge_refundable": false,
        "livemode": false,
        "payment_intent": payment.id,
        "reason": "fraudulent",
        "status": status,
    })
}

/// The same news is the same event: its id is made of what it says.
pub fn event(payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Letter {
    let (kind, object, words) = match news {
        News::Moved => {
            let kind = match payment.status {
                Status::Initiated => "payment_intent.created",
                Status::Pending => "payment_intent.processing",
                Status::Success => "payment_intent.succeeded",
                Status::Failed => "payment_intent.payment_failed",
                Status::Cancelled | Status::Expired => "payment_intent.canceled",
            };
            (kind, intent(payment, tamper, &[]), payment.attempts.to_string())
        }
        News::Made(back) => ("refund.created", refund(payment, back, tamper), back.id.clone()),
        News::Refunded(back) if back.ended_later => {
            ("refund.updated", refund(payment, back, tamper), format!("{}{:?}", back.id, back.status))
        }
        News::Refunded(back) => ("charge.refunded", charge(payment, tamper, false), back.id.clone()),
        News::Disputed(objection) => {
            let open = objection.state == DisputeState::Open;
            let kind = if open { "charge.dispute.created" } else { "charge.dispute.closed" };
            (kind, dispute(payment, objection), format!("{}{:?}", objection.id, objection.state))
        }
    };
    let body = json!({
        "id": same_id("evt_", &format!("{}|{kind}|{words}", payment.id)),
        "object": "event",
        "api_version": "2024-06-20",
        "created": OffsetDateTime::now_utc().unix_timestamp(),
        "data": { "object": object },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": kind,
    });
    Letter { event: kind.into(), body: body.to_string().into_bytes() }
}

fn currency(payment: &RailPayment, tamper: &Tamper) -> String {
    tamper.currency(&payment.currency).to_ascii_lowercase()
}

fn charge_id(payment: &RailPayment) -> String {
    payment.id.replacen("pi_", "ch_", 1)
}

fn seconds(at: OffsetDateTime) -> i64 {
    at.unix_timestamp()
}
