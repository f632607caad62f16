//! Airtel Money, collections: a login that is soon over, a push to the payer's phone, and an enquiry that tells neither
//! amount nor currency. The callback's address is the account's, not the payment's, and nothing signs what it brings.
//! Source: developers.airtel.africa, collection.

use serde_json::{Value, json};

use super::keys::{AIRTEL_CLIENT_ID, AIRTEL_CLIENT_SECRET};
use super::seal::same_id;
use super::{Answer, Ask, Desk, Letter, News, Rail, RailPayment, Route, decimal, text_of, units};
use crate::faults::On;
use crate::records::Status;
use crate::state::Books;
use crate::tamper::Tamper;

pub struct AirtelMoney;

/// Country, its currency, the decimals of an amount, and what its phone numbers are dialled with from abroad: the part
/// that `msisdn` must leave out.
const COUNTRIES: [(&str, &str, u8, &str); 14] = [
    ("CD", "CDF", 2, "243"),
    ("CG", "XAF", 0, "242"),
    ("GA", "XAF", 0, "241"),
    ("KE", "KES", 2, "254"),
    ("MG", "MGA", 2, "261"),
    ("MW", "MWK", 2, "265"),
    ("NE", "XOF", 0, "227"),
    ("NG", "NGN", 2, "234"),
    ("RW", "RWF", 0, "250"),
    ("SC", "SCR", 2, "248"),
    ("TD", "XAF", 0, "235"),
    ("TZ", "TZS", 2, "255"),
    ("UG", "UGX", 0, "256"),
    ("ZM", "ZMW", 2, "260"),
];

fn no(status: u16, result_code: &str, message: &str) -> Answer {
    let status_of = json!({
        "code": status.to_string(),
        "message": message,
        "result_code": result_code,
        "success": false,
    });
    Answer::json(status, json!({ "status": status_of }))
}

fn invalid(field: &str) -> Answer {
    no(400, "ESB000008", &format!("Field validation: {field}"))
}

fn yes(transaction: &Value, response_code: &str) -> Answer {
    let status = json!({
        "code": "200",
        "message": "SUCCESS",
        "result_code": "ESB000010",
        "response_code": response_code,
        "success": true,
    });
    Answer::json(200, json!({ "data": { "transaction": transaction }, "status": status }))
}

fn log_in(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    if ask.owned("grant_type") != "client_credentials" {
        let message = json!({ "error_description": "Unsupported grant type", "error": "unsupported_grant_type" });
        return Err(Answer::json(400, message));
    }
    Ok(Answer::json(200, json!({ "token_type": "bearer", "access_token": desk.log_in(), "expires_in": "180" })))
}

fn create(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let (country, currency, decimals, dialled) = country(ask)?;
    let text = |path: &str| ask.value(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    for (path, expected) in [
        ("subscriber.country", country),
        ("subscriber.currency", currency),
        ("transaction.country", country),
        ("transaction.currency", currency),
    ] {
        if text(path).is_some_and(|given| given != expected) {
            return Err(invalid(path));
        }
    }
    let wordy = |text: &&str| (4..=64).contains(&text.chars().count());
    let reference = text("reference").filter(wordy).ok_or_else(|| invalid("reference"))?;
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let id = text("transaction.id").filter(wordy).filter(|id| id.bytes().all(sign));
    let id = id.ok_or_else(|| invalid("transaction.id"))?;
    let phone = ask.text("subscriber.msisdn").ok_or_else(|| invalid("subscriber.msisdn"))?.into_owned();
    let local = (7..=10).contains(&phone.len()) && phone.bytes().all(|byte| byte.is_ascii_digit());
    if !local || (phone.starts_with(dialled) && phone.len() > 9) {
        return Err(no(400, "ESB000033", "Invalid MSISDN Length. MSISDN must not carry the country code."));
    }
    let sent = ask.value("transaction.amount").filter(|sent| sent.is_number());
    let amount = sent.and_then(|sent| units(sent, decimals)).filter(|amount| *amount > 0);
    let amount = amount.ok_or_else(|| invalid("transaction.amount"))?;
    if desk.books.rails.contains_key(&(desk.rail.name(), id.to_owned())) {
        return Err(no(400, "ESB000041", "External Transaction ID already exists."));
    }
    desk.open(RailPayment {
        reference: id.to_owned(),
        status: Status::Pending,
        amount,
        decimals,
        currency: currency.to_owned(),
        description: reference.to_owned(),
        phone: Some(phone),
        callback_url: desk.books.settings.portal_urls.get(desk.rail.name()).cloned(),
        ..RailPayment::fresh(desk.rail.name(), id)
    });
    Ok(yes(&json!({ "id": id, "status": "SUCCESS" }), "DP00800001006"))
}

/// The headers' country, in which everything happens.
fn country(ask: &Ask<'_>) -> Result<(&'static str, &'static str, u8, &'static str), Answer> {
    let wanted = ask.header("x-country").unwrap_or_default();
    let found = COUNTRIES.into_iter().find(|(code, ..)| *code == wanted);
    let found = found.ok_or_else(|| no(400, "ESB000034", "Invalid Country Name"))?;
    let currency = ask.header("x-currency");
    if currency == Some(found.1) { Ok(found) } else { Err(no(400, "ESB000035", "Invalid Currency Code")) }
}

/// The status, the code of the answer, and the words beside it.
fn outcome(status: Status) -> (&'static str, &'static str, &'static str) {
    match status {
        Status::Initiated | Status::Pending => ("TIP", "DP00800001006", "In process"),
        Status::Success => ("TS", "DP00800001001", "Success"),
        Status::Failed => ("TF", "DP00800001007", "Not enough balance"),
        Status::Cancelled => ("TF", "DP00800001008", "Refused"),
        Status::Expired => ("TE", "DP00800001029", "Transaction Expired"),
    }
}

fn airtel_id(payment: &RailPayment) -> String {
    same_id("MP", &payment.id)[..14].to_ascii_uppercase()
}

fn enquire(id: &str, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    country(ask)?;
    let tamper = desk.tamper;
    let unknown = || no(404, "ESB000045", "No Transaction Found With Provided Transaction Id.");
    let payment = desk.find(id).filter(|payment| payment.id == id).ok_or_else(unknown)?;
    let (status, code, message) = outcome(payment.status);
    let mut told = json!({ "id": payment.id, "message": message, "status": status });
    if payment.status == Status::Success {
        told["airtel_money_id"] = json!(airtel_id(payment));
    }
    // An amount and a currency are told only where a fault orders others than the true ones.
    let amount = payment.told(tamper);
    if amount != decimal(payment.amount, payment.decimals) {
        told["amount"] = amount;
    }
    if tamper.currency(&payment.currency) != payment.currency {
        told["currency"] = json!(tamper.currency(&payment.currency));
    }
    Ok(yes(&payment.overrule(told), code))
}

impl Rail for AirtelMoney {
    fn name(&self) -> &'static str {
        "airtel_money"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        match ask.segments.as_slice() {
            ["auth", "oauth2", "token"] if ask.posts() => Route::new(On::Login, None),
            ["merchant", "v1", "payments"] if ask.posts() => {
                Route::new(On::Initialize, ask.text("transaction.id").as_deref())
            }
            ["standard", "v1", "payments", id] if ask.gets() => Route::new(On::Verify, Some(id)),
            _ => None,
        }
    }

    fn admit(&self, route: &Route, ask: &Ask<'_>, books: &Books) -> Result<(), Answer> {
        if route.on == On::Login {
            let known =
                ask.owned("client_id") == AIRTEL_CLIENT_ID && ask.owned("client_secret") == AIRTEL_CLIENT_SECRET;
            let no = || json!({ "error_description": "Invalid client authentication", "error": "invalid_client" });
            return if known { Ok(()) } else { Err(Answer::json(401, no())) };
        }
        if ask.bearer().is_some_and(|token| books.sessions.get(token) == Some(&self.name())) {
            return Ok(());
        }
        Err(Answer::json(401, json!({ "error_description": "Invalid or expired token", "error": "invalid_token" })))
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        match route.on {
            On::Login => log_in(ask, desk),
            On::Initialize => create(ask, desk),
            _ => enquire(route.subject.as_deref().unwrap_or_default(), ask, desk),
        }
    }

    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter> {
        let News::Moved = news else { return None };
        let (status, _, message) = outcome(payment.status);
        let amount = super::form::plain(tamper.told(payment.amount, |amount| json!(text_of(amount, payment.decimals))));
        let words = format!("{message}: {} {amount}, Trans ID {}.", tamper.currency(&payment.currency), payment.id);
        let mut told = json!({ "id": payment.id, "message": words, "status_code": status });
        if payment.status == Status::Success {
            told["airtel_money_id"] = json!(airtel_id(payment));
        }
        let body = json!({ "transaction": told }).to_string().into_bytes();
        Some(Letter { event: format!("payment.{}", payment.status.name()), body })
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        // A clear no, or an error after which only the enquiry knows.
        no(status, if status < 500 { "ESB000011" } else { "ESB000004" }, message)
    }
}
