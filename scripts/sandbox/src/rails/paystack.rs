//! Paystack: a hosted page per transaction, found again by the merchant's own reference. Amounts are integers in
//! hundredths of every currency, XOF included. Source: paystack.com/docs/api.

use serde_json::{Value, json};

use super::keys::PAYSTACK_SECRET_KEY;
use super::seal::hex_sha512;
use super::{Answer, Ask, Desk, DisputeState, Letter, News, Rail, RailPayment, Refund, Route, Scheme, units};
use crate::faults::On;
use crate::records::Status;
use crate::state::{Books, fresh_id, stamp};
use crate::tamper::Tamper;

const CURRENCIES: [&str; 6] = ["NGN", "GHS", "ZAR", "KES", "USD", "XOF"];

pub struct Paystack;

impl Rail for Paystack {
    fn name(&self) -> &'static str {
        "paystack"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        match (ask.method.as_str(), ask.segments.as_slice()) {
            ("POST", ["transaction", "initialize"]) => Route::new(On::Initialize, None),
            ("GET", ["transaction", "verify", reference]) => Route::new(On::Verify, Some(reference)),
            ("GET", ["transaction", id]) => Route::new(On::Retrieve, Some(id)),
            ("POST", ["refund"]) => Route::new(On::Refund, ask.text("transaction").as_deref()),
            ("GET", ["refund", id]) => Route::new(On::RefundVerify, Some(id)),
            _ => None,
        }
    }

    fn admit(&self, _route: &Route, ask: &Ask<'_>, _books: &Books) -> Result<(), Answer> {
        if ask.bearer() == Some(PAYSTACK_SECRET_KEY) { Ok(()) } else { Err(self.refusal(401, "Invalid key")) }
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        let subject = route.subject.as_deref().unwrap_or_default();
        match route.on {
            On::Initialize => initialize(ask, desk),
            On::Refund => refund(ask, desk, subject),
            On::RefundVerify => {
                let mut payments = desk.books.rails.values().filter(|payment| payment.rail == "paystack");
                let found = payments
                    .find_map(|payment| Some((payment, payment.refunds.iter().find(|refund| refund.id == subject)?)));
                let (payment, refund) = found.ok_or_else(|| refused(404, "Refund not found", "not_found"))?;
                Ok(good("Refund retrieved", told_refund(payment, refund, desk.tamper)))
            }
            _ => {
                let tamper = desk.tamper;
                let payment = desk.find(subject);
                let payment =
                    payment.ok_or_else(|| refused(400, "Transaction reference not found.", "transaction_not_found"))?;
                Ok(good("Verification successful", transaction(payment, tamper)))
            }
        }
    }

    /// Only what has been paid, given back or objected to; a failed attempt is silent.
    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter> {
        let (event, data) = match news {
            News::Moved if payment.status == Status::Success => ("charge.success", transaction(payment, tamper)),
            News::Moved | News::Made(_) => return None,
            News::Refunded(refund) => {
                let event = match refund.status {
                    Status::Success => "refund.processed",
                    Status::Failed => "refund.failed",
                    _ => "refund.pending",
                };
                let mut data = told_refund(payment, refund, tamper);
                data["transaction_reference"] = json!(payment.reference);
                (event, data)
            }
            News::Disputed(dispute) => {
                let (event, status, resolution) = match dispute.state {
                    DisputeState::Open => ("charge.dispute.create", "awaiting-merchant-feedback", None),
                    DisputeState::Lost => ("charge.dispute.resolve", "resolved", Some("merchant-accepted")),
                    DisputeState::Won => ("charge.dispute.resolve", "resolved", Some("declined")),
                };
                let data = json!({
                    "id": dispute.id, "refund_amount": dispute.amount, "currency": payment.currency, "status": status,
                    "resolution": resolution, "domain": "test", "transaction": transaction(payment, tamper),
                });
                (event, data)
            }
        };
        let body = json!({ "event": event, "data": data }).to_string().into_bytes();
        Some(Letter { event: event.into(), body })
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        Answer::json(status, json!({ "status": false, "message": message }))
    }

    /// Transactions are numbered.
    fn fresh_id(&self) -> String {
        super::numeric_id()
    }

    /// Hex HMAC-SHA512 over the raw body, with the API key itself.
    fn scheme(&self) -> Option<Scheme> {
        Some(Scheme { header: "x-paystack-signature", sign: |secret, body, _at| hex_sha512(secret, body) })
    }

    fn secret(&self) -> &'static str {
        PAYSTACK_SECRET_KEY
    }

    fn back(&self, payment: &RailPayment) -> Option<String> {
        payment.back(&[("trxref", &payment.reference), ("reference", &payment.reference)])
    }
}

fn good(message: &str, data: Value) -> Answer {
    Answer::json(200, json!({ "status": true, "message": message, "data": data }))
}

fn refused(status: u16, message: &str, code: &str) -> Answer {
    Answer::json(status, json!({ "status": false, "message": message, "type": "validation_error", "code": code }))
}

fn initialize(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let email = ask.email().filter(|email| email.contains('@'));
    let email = email.ok_or_else(|| refused(400, "Invalid Email Address Passed", "invalid_email_address"))?;
    let amount = ask.value("amount").and_then(|sent| units(sent, 0)).filter(|amount| *amount >= 1);
    let amount = amount.ok_or_else(|| refused(400, "Invalid Amount Sent", "invalid_amount"))?;
    let currency = ask.text("currency").map_or_else(|| "NGN".to_owned(), |text| text.to_string());
    if !CURRENCIES.contains(&currency.as_str()) {
        return Err(refused(403, "Currency not supported by merchant", "unsupported_currency"));
    }
    let reference = ask.text("reference").map_or_else(fresh_id, |text| text.to_string());
    if !reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.=".contains(&byte)) {
        return Err(refused(400, "Reference contains invalid characters", "invalid_params"));
    }
    if desk.find(&reference).is_some() {
        return Err(refused(400, "Duplicate Transaction Reference", "duplicate_reference"));
    }
    let mut payment = RailPayment::fresh("paystack", desk.rail.fresh_id());
    payment.metadata = ask.object("metadata");
    // It may also come as a text that is JSON.
    if let Some(Ok(Value::Object(fields))) = ask.text("metadata").map(|text| serde_json::from_str(&text)) {
        payment.metadata = fields;
    }
    (payment.reference, payment.email) = (reference, Some(email));
    (payment.amount, payment.currency, payment.return_url) = (amount, currency, ask.owned("callback_url"));
    payment.cancel_url = payment.metadata.get("cancel_action").and_then(Value::as_str).unwrap_or_default().to_owned();
    let payment = desk.open(payment);
    let data = json!({
        "authorization_url": desk.checkout_url(&payment.id),
        "access_code": format!("ac_{}", payment.id),
        "reference": payment.reference,
    });
    Ok(good("Authorization URL created", data))
}

/// A transaction that nobody has paid or tried to pay is `abandoned` from the start.
fn transaction(payment: &RailPayment, tamper: &Tamper) -> Value {
    let back = payment.refunded();
    let status = match payment.status {
        Status::Success if back > 0 && back == payment.amount => "reversed",
        Status::Success => "success",
        Status::Failed => "failed",
        Status::Pending => "ongoing",
        Status::Initiated | Status::Cancelled | Status::Expired => "abandoned",
    };
    let paid = payment.status == Status::Success;
    payment.overrule(json!({
        "id": payment.id.parse::<u64>().unwrap_or_default(),
        "domain": "test",
        "status": status,
        "reference": payment.reference,
        "amount": payment.told(tamper),
        "requested_amount": payment.amount,
        "currency": tamper.currency(&payment.currency),
        "gateway_response": if paid { "Successful" } else { "The transaction was not completed" },
        "message": null,
        "paid_at": paid.then(|| stamp(payment.created_at)),
        "created_at": stamp(payment.created_at),
        "channel": "card",
        "fees": null,
        "metadata": if payment.metadata.is_empty() { json!("") } else { json!(payment.metadata) },
        "customer": { "email": payment.email, "customer_code": "CUS_sandbox" },
    }))
}

fn refund(ask: &Ask<'_>, desk: &mut Desk<'_>, subject: &str) -> Result<Answer, Answer> {
    let missing = || refused(404, "Transaction not found", "transaction_not_found");
    let payment = desk.find(subject).ok_or_else(missing)?.clone();
    let amount = match ask.value("amount") {
        None => Some(payment.amount - payment.refunding()),
        Some(sent) => units(sent, 0),
    };
    let wanted = Refund::fresh(super::numeric_id(), amount.unwrap_or_default());
    let refund = desk.refund(&payment.id, wanted);
    let refund = refund.ok_or_else(|| {
        let message = "Refund amount cannot be more than transaction amount";
        refused(400, message, "invalid_amount")
    })?;
    Ok(good("Refund has been queued for processing", told_refund(&payment, &refund, desk.tamper)))
}

fn told_refund(payment: &RailPayment, refund: &Refund, tamper: &Tamper) -> Value {
    let status = match refund.status {
        Status::Success => "processed",
        Status::Failed => "failed",
        _ => "pending",
    };
    json!({
        "id": refund.id.parse::<u64>().unwrap_or_default(),
        "transaction": transaction(payment, &Tamper::default()),
        "amount": tamper.amount(refund.amount),
        "currency": payment.currency,
        "status": status,
        "domain": "test",
        "refunded_at": stamp(refund.created_at),
    })
}
