//! Flutterwave v4: OAuth, and charges made in one call. A mobile wallet is asked on its phone, any other method sends
//! the payer to a page. Amounts are decimals in units of the currency. Source: developer.flutterwave.com/docs.

use serde_json::{Value, json};

use super::flutterwave::decimals;
use super::keys::{FLUTTERWAVE_V4_CLIENT_ID, FLUTTERWAVE_V4_CLIENT_SECRET, FLUTTERWAVE_V4_WEBHOOK_SECRET};
use super::seal::{base64_sha256, same_id};
use super::{Answer, Ask, Desk, Letter, News, Once, Rail, RailPayment, Refund, Route, Scheme, decimal, units};
use crate::faults::On;
use crate::records::Status;
use crate::state::{Books, fresh_id, stamp};
use crate::tamper::Tamper;

/// Seconds that a token lives.
const TOKEN_LIVES: u32 = 600;

pub struct FlutterwaveV4;

impl Rail for FlutterwaveV4 {
    fn name(&self) -> &'static str {
        "flutterwave_v4"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        match (ask.method.as_str(), ask.segments.as_slice()) {
            ("POST", ["realms", "flutterwave", "protocol", "openid-connect", "token"]) => Route::new(On::Login, None),
            ("POST", ["orchestration", "direct-charges"]) => Route::new(On::Initialize, None),
            ("GET", ["charges"]) => Route::new(On::Verify, ask.query("reference")),
            ("GET", ["charges", id]) => Route::new(On::Verify, Some(id)),
            ("POST", ["refunds"]) => Route::new(On::Refund, ask.text("charge_id").as_deref()),
            ("GET", ["refunds", id]) => Route::new(On::RefundVerify, Some(id)),
            _ => None,
        }
    }

    fn admit(&self, route: &Route, ask: &Ask<'_>, books: &Books) -> Result<(), Answer> {
        let session = ask.bearer().and_then(|token| books.sessions.get(token));
        if route.on == On::Login || session == Some(&self.name()) {
            return Ok(());
        }
        Err(failed(401, "UNAUTHORIZED", "Unauthorized"))
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        let subject = route.subject.as_deref().unwrap_or_default();
        let once = Once {
            header: "x-idempotency-key",
            mark: "x-idempotency-cache-hit",
            other: || failed(409, "RESOURCE_CONFLICT", "The idempotency key was used with another request"),
        };
        match route.on {
            On::Login => log_in(ask, desk),
            On::Initialize => desk.once(ask, &once, charge),
            On::Refund => desk.once(ask, &once, refund),
            On::RefundVerify => {
                let mut payments = desk.books.rails.values().filter(|payment| payment.rail == "flutterwave_v4");
                let found = payments
                    .find_map(|payment| Some((payment, payment.refunds.iter().find(|refund| refund.id == subject)?)));
                let (payment, refund) = found.ok_or_else(missing)?;
                Ok(good(200, "Refund fetched", told_refund(payment, refund)))
            }
            _ if ask.segments.len() == 1 => {
                let tamper = desk.tamper;
                let found = desk.find(subject).filter(|payment| payment.reference == subject);
                let data: Vec<Value> = found.map(|payment| told(payment, tamper, None)).into_iter().collect();
                let mut answer = json!({ "status": "success", "message": "Charges fetched", "data": data });
                answer["meta"] = json!({ "page_info": { "total": data.len(), "current_page": 1, "total_pages": 1 } });
                Ok(Answer::json(200, answer))
            }
            _ => {
                let tamper = desk.tamper;
                let payment = desk.find(subject).filter(|payment| payment.id == subject).ok_or_else(missing)?;
                Ok(good(200, "Charge fetched", told(payment, tamper, None)))
            }
        }
    }

    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter> {
        let (kind, data, words) = match news {
            News::Moved if payment.status == Status::Initiated => return None,
            News::Moved => ("charge.completed", told(payment, tamper, None), payment.attempts.to_string()),
            News::Refunded(refund) if refund.status == Status::Pending => return None,
            News::Refunded(refund) => ("refund.completed", told_refund(payment, refund), refund.id.clone()),
            News::Made(_) | News::Disputed(_) => return None,
        };
        let body = json!({
            "webhook_id": same_id("wbk_", &format!("{}|{kind}|{words}", payment.id)),
            "timestamp": payment.created_at.unix_timestamp() * 1000,
            "type": kind,
            "data": data,
        });
        Some(Letter { event: kind.into(), body: body.to_string().into_bytes() })
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        failed(status, if status == 429 { "TOO_MANY_REQUESTS" } else { "INTERNAL_SERVER_ERROR" }, message)
    }

    fn fresh_id(&self) -> String {
        format!("chg_{}", fresh_id())
    }

    /// Base64 HMAC-SHA256 over the raw body.
    fn scheme(&self) -> Option<Scheme> {
        Some(Scheme { header: "flutterwave-signature", sign: |secret, body, _at| base64_sha256(secret, body) })
    }

    fn secret(&self) -> &'static str {
        FLUTTERWAVE_V4_WEBHOOK_SECRET
    }

    fn back(&self, payment: &RailPayment) -> Option<String> {
        let status = if payment.status == Status::Success { "succeeded" } else { "failed" };
        payment.back(&[("status", status), ("id", &payment.id), ("reference", &payment.reference)])
    }
}

fn good(status: u16, message: &str, data: Value) -> Answer {
    Answer::json(status, json!({ "status": "success", "message": message, "data": data }))
}

fn failed(status: u16, kind: &str, message: &str) -> Answer {
    let error = json!({ "type": kind, "code": format!("10{status}"), "message": message, "validation_errors": [] });
    Answer::json(status, json!({ "status": "failed", "error": error }))
}

fn invalid(field: &str, message: &str) -> Answer {
    let errors = json!([{ "field_name": field, "message": message }]);
    let error = json!({
        "type": "REQUEST_NOT_VALID", "code": "10400", "message": "Request is not valid", "validation_errors": errors,
    });
    Answer::json(400, json!({ "status": "failed", "error": error }))
}

fn missing() -> Answer {
    failed(404, "RESOURCE_NOT_FOUND", "Not found")
}

/// A form, whose answer is not in the usual envelope.
fn log_in(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    if ask.text("grant_type").as_deref() != Some("client_credentials") {
        return Err(Answer::json(400, json!({ "error": "unsupported_grant_type" })));
    }
    let known = ask.text("client_id").as_deref() == Some(FLUTTERWAVE_V4_CLIENT_ID)
        && ask.text("client_secret").as_deref() == Some(FLUTTERWAVE_V4_CLIENT_SECRET);
    if !known {
        return Err(Answer::json(401, json!({ "error": "unauthorized_client" })));
    }
    let token = json!({
        "access_token": desk.log_in(),
        "expires_in": TOKEN_LIVES,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": "profile email",
    });
    Ok(Answer::json(200, token))
}

fn charge(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let currency = ask.owned("currency");
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(invalid("currency", "must be a valid currency"));
    }
    let places = decimals(&currency);
    let amount = ask.value("amount").filter(|sent| sent.is_number()).and_then(|sent| units(sent, places));
    let amount = amount.filter(|amount| *amount >= 1).ok_or_else(|| invalid("amount", "must be greater than 0"))?;
    let reference = ask.owned("reference");
    let plain = reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !(6..=42).contains(&reference.len()) || !plain {
        return Err(invalid("reference", "must be an alphanumeric string of 6 to 42 characters"));
    }
    let email = ask.text("customer.email").filter(|email| email.contains('@'));
    let email = email.ok_or_else(|| invalid("customer.email", "must be an email"))?.to_string();
    let kind = ask.owned("payment_method.type");
    if kind.is_empty() {
        return Err(invalid("payment_method.type", "must not be blank"));
    }
    let wallet = |field: &str| ask.text(&format!("payment_method.mobile_money.{field}")).map(|text| text.to_string());
    for field in ["country_code", "network", "phone_number"] {
        if kind == "mobile_money" && wallet(field).is_none() {
            return Err(invalid(&format!("payment_method.mobile_money.{field}"), "must not be blank"));
        }
    }
    if desk.find(&reference).is_some() {
        return Err(failed(409, "RESOURCE_CONFLICT", "Charge with this reference already exists"));
    }
    let mut payment = RailPayment::fresh("flutterwave_v4", desk.rail.fresh_id());
    (payment.amount, payment.decimals, payment.currency) = (amount, places, currency);
    (payment.reference, payment.email) = (reference, Some(email));
    payment.phone = wallet("phone_number");
    (payment.metadata, payment.return_url) = (ask.object("meta"), ask.owned("redirect_url"));
    payment.secrets.insert("method", kind.clone());
    let payment = desk.open(payment);
    let next = if kind == "mobile_money" {
        let note = "Please authorise this payment on your mobile phone.";
        json!({ "type": "payment_instruction", "payment_instruction": { "note": note } })
    } else {
        json!({ "type": "redirect_url", "redirect_url": { "url": desk.checkout_url(&payment.id) } })
    };
    Ok(good(201, "Charge created", told(&payment, &Tamper::default(), Some(next))))
}

fn told(payment: &RailPayment, tamper: &Tamper, next: Option<Value>) -> Value {
    let (status, processor) = match payment.status {
        Status::Initiated | Status::Pending => ("pending", "02"),
        Status::Success => ("succeeded", "00"),
        Status::Failed | Status::Expired => ("failed", "51"),
        Status::Cancelled => ("voided", "17"),
    };
    let method = payment.secret("method");
    let mut charge = json!({
        "id": payment.id,
        "amount": payment.told(tamper),
        "fees": [],
        "currency": tamper.currency(&payment.currency),
        "customer_id": same_id("cus_", payment.email.as_deref().unwrap_or_default()),
        "settled": false,
        "settlement_id": [],
        "meta": payment.metadata,
        "payment_method_details": { "type": method, "id": same_id("pmd_", &payment.id) },
        "redirect_url": payment.return_url,
        "reference": payment.reference,
        "status": status,
        "processor_response": { "type": if status == "succeeded" { "approved" } else { status }, "code": processor },
        "created_datetime": stamp(payment.created_at),
    });
    if let Some(next) = next {
        charge["next_action"] = next;
    }
    payment.overrule(charge)
}

fn refund(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let payment = desk.find(&ask.owned("charge_id")).ok_or_else(missing)?.clone();
    let amount = ask.value("amount").and_then(|sent| units(sent, payment.decimals));
    let wanted = Refund::fresh(format!("rfd_{}", fresh_id()), amount.unwrap_or_default());
    let refund = desk.refund(&payment.id, wanted);
    let refund = refund.ok_or_else(|| invalid("amount", "must be at most what is left of a succeeded charge"))?;
    Ok(good(201, "Refund created", told_refund(&payment, &refund)))
}

fn told_refund(payment: &RailPayment, refund: &Refund) -> Value {
    let status = match refund.status {
        Status::Success => "succeeded",
        Status::Failed => "failed",
        _ => "pending",
    };
    json!({
        "id": refund.id,
        "amount_refunded": decimal(refund.amount, payment.decimals),
        "charge_id": payment.id,
        "reference": payment.reference,
        "status": status,
        "created_datetime": stamp(refund.created_at),
    })
}
