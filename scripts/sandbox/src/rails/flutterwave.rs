//! Flutterwave v3: a link to a hosted page; a transaction exists only once somebody has tried to pay there. Amounts are
//! decimals in units of the currency. Source: developer.flutterwave.com/v3.0.

use serde_json::{Value, json};

use super::keys::{FLUTTERWAVE_SECRET_KEY, FLUTTERWAVE_WEBHOOK_SECRET};
use super::{Answer, Ask, Desk, Letter, News, Rail, RailPayment, Refund, Route, Scheme, decimal, units};
use crate::faults::On;
use crate::records::Status;
use crate::state::{Books, stamp};
use crate::tamper::Tamper;

/// Digits behind the point; of the others there are two.
const WHOLE: [&str; 5] = ["XOF", "XAF", "RWF", "UGX", "GNF"];
const CURRENCIES: [&str; 15] =
    ["NGN", "GHS", "KES", "TZS", "UGX", "RWF", "XAF", "XOF", "ZAR", "ZMW", "MWK", "USD", "EUR", "GBP", "GNF"];

pub struct Flutterwave;

impl Rail for Flutterwave {
    fn name(&self) -> &'static str {
        "flutterwave"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        match (ask.method.as_str(), ask.segments.as_slice()) {
            ("POST", ["v3", "payments"]) => Route::new(On::Initialize, None),
            ("GET", ["v3", "transactions", "verify_by_reference"]) => Route::new(On::Verify, ask.query("tx_ref")),
            ("GET", ["v3", "transactions", id, "verify"]) => Route::new(On::Retrieve, Some(id)),
            ("POST", ["v3", "transactions", id, "refund"]) => Route::new(On::Refund, Some(id)),
            _ => None,
        }
    }

    fn admit(&self, _route: &Route, ask: &Ask<'_>, _books: &Books) -> Result<(), Answer> {
        let good = ask.bearer() == Some(FLUTTERWAVE_SECRET_KEY);
        if good { Ok(()) } else { Err(self.refusal(401, "Invalid authorization key")) }
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        let subject = route.subject.as_deref().unwrap_or_default();
        match route.on {
            On::Initialize => initialize(ask, desk),
            On::Refund => refund(ask, desk, subject),
            _ => {
                let tamper = desk.tamper;
                let payment = tried(desk, subject)?;
                Ok(good("Transaction fetched successfully", transaction(payment, tamper)))
            }
        }
    }

    /// Every attempt that came to an end.
    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter> {
        let News::Moved = news else { return None };
        if !was_tried(payment) {
            return None;
        }
        let data = transaction(payment, tamper);
        let body = json!({ "event": "charge.completed", "data": data, "event.type": "CARD_TRANSACTION" });
        Some(Letter { event: "charge.completed".into(), body: body.to_string().into_bytes() })
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        Answer::json(status, json!({ "status": "error", "message": message, "data": null }))
    }

    /// Transactions are numbered.
    fn fresh_id(&self) -> String {
        super::numeric_id()
    }

    /// The secret itself, whatever the body says.
    fn scheme(&self) -> Option<Scheme> {
        Some(Scheme { header: "verif-hash", sign: |secret, _body, _at| secret.to_owned() })
    }

    fn secret(&self) -> &'static str {
        FLUTTERWAVE_WEBHOOK_SECRET
    }

    fn back(&self, payment: &RailPayment) -> Option<String> {
        match payment.status {
            Status::Success => payment.back(&[
                ("status", "successful"),
                ("tx_ref", &payment.reference),
                ("transaction_id", &payment.id),
            ]),
            Status::Failed => payment.back(&[("status", "failed"), ("tx_ref", &payment.reference)]),
            _ => payment.back(&[("status", "cancelled"), ("tx_ref", &payment.reference)]),
        }
    }
}

fn good(message: &str, data: Value) -> Answer {
    Answer::json(200, json!({ "status": "success", "message": message, "data": data }))
}

fn bad(message: &str) -> Answer {
    Answer::json(400, json!({ "status": "error", "message": message, "data": null }))
}

pub fn decimals(currency: &str) -> u8 {
    if WHOLE.contains(&currency) { 0 } else { 2 }
}

fn initialize(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    for field in ["tx_ref", "amount", "redirect_url", "customer"] {
        if ask.value(field).is_none() {
            return Err(bad(&format!("{field} is required")));
        }
    }
    let email = ask.text("customer.email").filter(|email| email.contains('@'));
    let email = email.ok_or_else(|| bad("customer.email must be an email"))?.to_string();
    let currency = ask.text("currency").map_or_else(|| "NGN".to_owned(), |text| text.to_string());
    if !CURRENCIES.contains(&currency.as_str()) {
        return Err(bad("currency is not supported"));
    }
    let places = decimals(&currency);
    let amount = ask.value("amount").and_then(|sent| units(sent, places)).filter(|amount| *amount >= 1);
    let mut payment = RailPayment::fresh("flutterwave", desk.rail.fresh_id());
    payment.amount = amount.ok_or_else(|| bad("amount must be a positive number"))?;
    (payment.decimals, payment.currency) = (places, currency);
    (payment.reference, payment.email) = (ask.owned("tx_ref"), Some(email));
    (payment.metadata, payment.return_url) = (ask.object("meta"), ask.owned("redirect_url"));
    payment.description = ask.owned("customizations.title");
    let payment = desk.open(payment);
    Ok(good("Hosted Link", json!({ "link": desk.checkout_url(&payment.id) })))
}

fn was_tried(payment: &RailPayment) -> bool {
    matches!(payment.status, Status::Pending | Status::Success | Status::Failed)
}

/// A link that nobody has paid through has no transaction behind it yet.
fn tried<'a>(desk: &'a mut Desk<'_>, name: &str) -> Result<&'a mut RailPayment, Answer> {
    let payment = desk.find(name).filter(|payment| was_tried(payment) || !payment.answer.is_empty());
    payment.ok_or_else(|| bad("No transaction was found for this id"))
}

fn transaction(payment: &RailPayment, tamper: &Tamper) -> Value {
    let status = match payment.status {
        Status::Success => "successful",
        Status::Failed | Status::Cancelled | Status::Expired => "failed",
        Status::Initiated | Status::Pending => "pending",
    };
    let told = payment.told(tamper);
    payment.overrule(json!({
        "id": payment.id.parse::<u64>().unwrap_or_default(),
        "tx_ref": payment.reference,
        "flw_ref": format!("FLW-MOCK-{}", payment.id),
        "amount": told,
        "currency": tamper.currency(&payment.currency),
        "charged_amount": told,
        "app_fee": 0,
        "merchant_fee": 0,
        "processor_response": if status == "successful" { "Approved" } else { "Declined" },
        "status": status,
        "payment_type": "card",
        "created_at": stamp(payment.created_at),
        "meta": payment.metadata,
        "customer": { "id": 1, "email": payment.email },
    }))
}

fn refund(ask: &Ask<'_>, desk: &mut Desk<'_>, subject: &str) -> Result<Answer, Answer> {
    let payment = tried(desk, subject)?.clone();
    let amount = match ask.value("amount") {
        None => Some(payment.amount - payment.refunding()),
        Some(sent) => units(sent, payment.decimals),
    };
    let wanted = Refund::fresh(super::numeric_id(), amount.unwrap_or_default());
    let refund = desk.refund(&payment.id, wanted).ok_or_else(|| bad("Refund amount is more than the amount left"))?;
    let status = if refund.status == Status::Success { "completed" } else { "new" };
    let data = json!({
        "id": refund.id.parse::<u64>().unwrap_or_default(),
        "tx_id": payment.id.parse::<u64>().unwrap_or_default(),
        "flw_ref": format!("FLW-MOCK-{}", payment.id),
        "amount_refunded": decimal(refund.amount, payment.decimals),
        "status": status,
        "created_at": stamp(refund.created_at),
    });
    Ok(good("Transaction refund initiated", data))
}
