//! Wave, checkout sessions: amounts are texts, the session outlives a failed attempt, and the webhook's signature covers
//! the time and the body without anything between them. Source: docs.wave.com/checkout, docs.wave.com/webhook.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::keys::{WAVE_SECRET_KEY, WAVE_WEBHOOK_SECRET};
use super::seal::{hex_sha256, same_id};
use super::{Answer, Ask, Desk, Letter, News, Rail, RailPayment, Refund, Route, Scheme, units};
use crate::faults::On;
use crate::records::Status;
use crate::state::{Books, fresh_id, stamp};
use crate::tamper::Tamper;

pub struct Wave;

/// An open session is given up after this long.
const OPEN: Duration = Duration::minutes(30);

fn sign(secret: &str, body: &[u8], at: i64) -> String {
    format!("t={at},v1={}", hex_sha256(secret, &[at.to_string().as_bytes(), body].concat()))
}

fn no(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, json!({ "code": code, "message": message }))
}

fn invalid(field: &str, message: &str) -> Answer {
    let details = json!([{ "loc": [field], "msg": message }]);
    let body = json!({ "code": "request-validation-error", "message": "Request invalid", "details": details });
    Answer::json(422, body)
}

/// A whole number in a text, without a sign, a point or zeros in front: XOF has no subunit.
fn amount(ask: &Ask<'_>) -> Result<i64, Answer> {
    match ask.value("amount") {
        None => Err(invalid("amount", "field required")),
        Some(text @ Value::String(digits)) if !digits.starts_with('0') && !digits.contains('.') => {
            units(text, 0).ok_or_else(|| invalid("amount", "invalid amount"))
        }
        Some(Value::String(_)) => Err(invalid("amount", "invalid amount")),
        Some(_) => Err(invalid("amount", "str type expected")),
    }
}

fn secure_url(ask: &Ask<'_>, field: &str) -> Result<String, Answer> {
    let url = ask.text(field).ok_or_else(|| invalid(field, "field required"))?;
    if url.starts_with("https://") { Ok(url.into_owned()) } else { Err(invalid(field, "URL must use https")) }
}

fn create(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let amount = amount(ask)?;
    if ask.owned("currency") != "XOF" {
        return Err(invalid("currency", "unexpected value; permitted: 'XOF'"));
    }
    let reference = ask.owned("client_reference");
    if reference.len() > 255 {
        return Err(invalid("client_reference", "ensure this value has at most 255 characters"));
    }
    let mut payment = RailPayment {
        reference,
        amount,
        currency: "XOF".into(),
        return_url: secure_url(ask, "success_url")?,
        cancel_url: secure_url(ask, "error_url")?,
        ..RailPayment::fresh(desk.rail.name(), desk.rail.fresh_id())
    };
    payment.secrets.insert("wave_launch_url", desk.checkout_url(&payment.id));
    let payment = desk.open(payment);
    Ok(Answer::json(200, session(&payment, &Tamper::default())))
}

/// What has become of the session, what of the payment in it, and why the last attempt failed.
fn state(payment: &RailPayment) -> (&'static str, &'static str, Value) {
    let given_up = OffsetDateTime::now_utc() - payment.created_at > OPEN;
    match payment.status {
        Status::Success => ("complete", "succeeded", Value::Null),
        // The payer may try again until the session expires.
        Status::Failed => {
            let error = json!({ "code": "insufficient-funds", "message": "Le solde du compte est insuffisant." });
            (if given_up { "expired" } else { "open" }, "cancelled", error)
        }
        Status::Cancelled | Status::Expired => ("expired", "cancelled", Value::Null),
        Status::Initiated | Status::Pending if given_up => ("expired", "cancelled", Value::Null),
        Status::Initiated | Status::Pending => ("open", "processing", Value::Null),
    }
}

fn session(payment: &RailPayment, tamper: &Tamper) -> Value {
    let (checkout_status, payment_status, error) = state(payment);
    let at = |at: OffsetDateTime| format!("{}Z", &stamp(at)[..19]);
    let paid = payment.status == Status::Success;
    payment.overrule(json!({
        "id": payment.id,
        "amount": payment.told_text(tamper),
        "checkout_status": checkout_status,
        "client_reference": (!payment.reference.is_empty()).then_some(payment.reference.as_str()),
        "currency": tamper.currency(&payment.currency),
        "error_url": payment.cancel_url,
        "last_payment_error": error,
        "business_name": "Cauris",
        "payment_status": payment_status,
        "success_url": payment.return_url,
        "transaction_id": paid.then(|| transaction(payment)),
        "wave_launch_url": payment.secret("wave_launch_url"),
        "when_completed": paid.then(|| at(payment.created_at + Duration::minutes(1))),
        "when_created": at(payment.created_at),
        "when_expires": at(payment.created_at + OPEN),
    }))
}

fn transaction(payment: &RailPayment) -> String {
    same_id("T_", &payment.id)[..12].to_ascii_uppercase()
}

/// The sessions that fit, the newest first, under `result`.
fn search(ask: &Ask<'_>, desk: &Desk<'_>) -> Answer {
    let (reference, paid_by) = (ask.query("client_reference"), ask.query("transaction_id"));
    let fits = |payment: &&RailPayment| {
        payment.rail == desk.rail.name()
            && (reference == Some(payment.reference.as_str()) || paid_by == Some(transaction(payment).as_str()))
    };
    let mut found: Vec<_> = desk.books.rails.values().filter(fits).collect();
    found.sort_by_key(|payment| std::cmp::Reverse(payment.seq));
    let result: Vec<_> = found.into_iter().map(|payment| session(payment, desk.tamper)).collect();
    Answer::json(200, json!({ "result": result }))
}

/// All of it; asked again, it has gone back already.
fn refund(id: &str, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let payment = desk.find(id).ok_or_else(unknown)?;
    if payment.refunding() > 0 && payment.refunding() == payment.amount {
        return Ok(Answer::empty(200));
    }
    let whole = Refund::fresh(same_id("re_", id), payment.amount);
    desk.refund(id, whole).ok_or_else(|| no(400, "checkout-refund-failed", "Only a complete checkout is refunded."))?;
    Ok(Answer::empty(200))
}

fn expire(id: &str, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let payment = desk.find(id).ok_or_else(unknown)?;
    match payment.status {
        Status::Success => Err(no(409, "checkout-session-completed", "The checkout session is complete.")),
        _ => {
            payment.status = Status::Expired;
            Ok(Answer::empty(200))
        }
    }
}

fn unknown() -> Answer {
    no(404, "checkout-session-not-found", "Not found")
}

impl Rail for Wave {
    fn name(&self) -> &'static str {
        "wave"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        let ["v1", "checkout", "sessions", rest @ ..] = ask.segments.as_slice() else { return None };
        match rest {
            [] if ask.posts() => Route::new(On::Initialize, None),
            [] if ask.gets() => Route::new(On::Search, ask.query("transaction_id")),
            ["search"] if ask.gets() => Route::new(On::Search, ask.query("client_reference")),
            [id] if ask.gets() => Route::new(On::Verify, Some(id)),
            [id, "refund"] if ask.posts() => Route::new(On::Refund, Some(id)),
            [id, "expire"] if ask.posts() => Route::new(On::Retrieve, Some(id)),
            _ => None,
        }
    }

    fn admit(&self, _route: &Route, ask: &Ask<'_>, _books: &Books) -> Result<(), Answer> {
        match (ask.header("authorization"), ask.bearer()) {
            (_, Some(WAVE_SECRET_KEY)) => Ok(()),
            (None, _) => Err(no(401, "missing-auth-header", "Your request should include an HTTP auth header.")),
            (_, None) => Err(no(401, "invalid-auth", "Your HTTP auth header can't be processed.")),
            _ => Err(no(401, "no-matching-api-key", "The key you provided doesn't exist in our system.")),
        }
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        let id = route.subject.as_deref().unwrap_or_default();
        match route.on {
            On::Initialize => create(ask, desk),
            On::Search => Ok(search(ask, desk)),
            On::Refund => refund(id, desk),
            On::Retrieve => expire(id, desk),
            _ => {
                let tamper = desk.tamper;
                let payment = desk.find(id).filter(|payment| payment.id == id).ok_or_else(unknown)?;
                Ok(Answer::json(200, session(payment, tamper)))
            }
        }
    }

    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter> {
        let News::Moved = news else { return None };
        let kind = match payment.status {
            Status::Success => "checkout.session.completed",
            Status::Failed => "checkout.session.payment_failed",
            // A session that nobody pays ends in silence.
            _ => return None,
        };
        let id = same_id("AE_", &format!("{kind}|{}|{}", payment.id, payment.attempts));
        let body = json!({ "id": id, "type": kind, "data": session(payment, tamper) });
        Some(Letter { event: kind.into(), body: body.to_string().into_bytes() })
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        no(status, if status == 429 { "too-many-requests" } else { "internal-server-error" }, message)
    }

    fn fresh_id(&self) -> String {
        format!("cos-{}", fresh_id())
    }

    fn scheme(&self) -> Option<Scheme> {
        Some(Scheme { header: "wave-signature", sign })
    }

    fn secret(&self) -> &'static str {
        WAVE_WEBHOOK_SECRET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_equals_the_golden_vector_which_has_no_dot() {
        let body = br#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;
        assert_eq!(
            sign("wave_test", body, 1_700_000_000),
            "t=1700000000,v1=7bde0ec3cf1d22a5a090a0d73b575ff9ed3f6165f90b521a9aeca11d40ccf78b"
        );
    }
}
