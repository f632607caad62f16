//! CinetPay, checkout v2: a hosted page, the merchant's own id, and a form that tells of each change without telling
//! the outcome: it is signed over sixteen fields, and none of them is a status. Source: docs.cinetpay.com.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::ask::pairs;
use super::form::{form, plain};
use super::keys::{CINETPAY_API_KEY, CINETPAY_SITE_ID, CINETPAY_WEBHOOK_SECRET};
use super::seal::{hex_sha256, same_id};
use super::{Answer, Ask, Desk, Letter, News, Rail, RailPayment, Route, Scheme, units};
use crate::faults::On;
use crate::records::Status;
use crate::state::{Books, fresh_id, stamp};
use crate::tamper::Tamper;

pub struct Cinetpay;

const CURRENCIES: [&str; 5] = ["XOF", "XAF", "CDF", "GNF", "USD"];
const CHANNELS: [&str; 4] = ["ALL", "MOBILE_MONEY", "CREDIT_CARD", "WALLET"];
const REQUIRED: [&str; 7] =
    ["transaction_id", "amount", "currency", "description", "notify_url", "return_url", "channels"];
/// Cards are paid by a person with a name and an address.
const OF_A_CARD: [&str; 9] = [
    "customer_name",
    "customer_surname",
    "customer_phone_number",
    "customer_email",
    "customer_address",
    "customer_city",
    "customer_country",
    "customer_state",
    "customer_zip_code",
];
/// What `x-token` signs, in this order and without anything between; a field that is missing counts as empty.
const SIGNED: [&str; 16] = [
    "cpm_site_id",
    "cpm_trans_id",
    "cpm_trans_date",
    "cpm_amount",
    "cpm_currency",
    "signature",
    "payment_method",
    "cel_phone_num",
    "cpm_phone_prefixe",
    "cpm_language",
    "cpm_version",
    "cpm_payment_config",
    "cpm_page_action",
    "cpm_custom",
    "cpm_designation",
    "cpm_error_message",
];

fn sign(secret: &str, body: &[u8], _at: i64) -> String {
    let fields: Vec<_> = pairs(std::str::from_utf8(body).unwrap_or_default()).collect();
    let value = |name: &str| fields.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str());
    hex_sha256(secret, SIGNED.map(value).concat().as_bytes())
}

/// The envelope of everything that is not a success.
fn no(status: u16, code: &str, message: &str, description: &str) -> Answer {
    let response = format!("{}.{}", OffsetDateTime::now_utc().unix_timestamp(), 1000);
    let body = json!({ "code": code, "message": message, "description": description, "api_response_id": response });
    Answer::json(status, body)
}

fn lacking(field: &str) -> Answer {
    no(400, "608", "MINIMUM_REQUIRED_FIELDS", &format!("\"{field}\" is required"))
}

/// The code, its message, and the status beside it.
fn outcome(status: Status) -> (&'static str, &'static str, &'static str) {
    match status {
        Status::Initiated | Status::Pending => ("662", "WAITING_CUSTOMER_PAYMENT", "PENDING"),
        Status::Success => ("00", "SUCCES", "ACCEPTED"),
        Status::Failed => ("600", "PAYMENT_FAILED", "REFUSED"),
        Status::Cancelled | Status::Expired => ("627", "TRANSACTION_CANCEL", "REFUSED"),
    }
}

fn create(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let card = if ask.owned("channels") == "CREDIT_CARD" { &OF_A_CARD[..] } else { &[] };
    for field in REQUIRED.iter().chain(card) {
        ask.text(field).ok_or_else(|| lacking(field))?;
    }
    let (id, currency) = (ask.owned("transaction_id"), ask.owned("currency"));
    if !CURRENCIES.contains(&currency.as_str()) {
        return Err(no(400, "612", "ERROR_CURRENCY_NOTVALID", "currency"));
    }
    if !CHANNELS.contains(&ask.owned("channels").as_str()) {
        return Err(no(400, "608", "MINIMUM_REQUIRED_FIELDS", "\"channels\" must be one of [ALL, MOBILE_MONEY, …]"));
    }
    let decimals = if currency == "USD" { 2 } else { 0 };
    let sent = ask.value("amount").filter(|amount| amount.is_number());
    let good = |amount: &i64| currency == "USD" && *amount > 0 || *amount >= 100 && amount % 5 == 0;
    let amount = sent.and_then(|sent| units(sent, decimals)).filter(good);
    let amount = amount.ok_or_else(|| no(400, "611", "ERROR_AMOUNT_NOTVALID", "amount must be a multiple of 5"))?;
    if desk.books.rails.contains_key(&(desk.rail.name(), id.clone())) {
        return Err(no(400, "624", "ERROR_OCCURED", "transaction_id already exists"));
    }
    let mut payment = RailPayment {
        reference: id.clone(),
        amount,
        decimals,
        currency,
        description: ask.owned("description"),
        email: ask.text("customer_email").map(Into::into),
        callback_url: Some(ask.owned("notify_url")),
        return_url: ask.owned("return_url"),
        ..RailPayment::fresh(desk.rail.name(), id)
    };
    payment.metadata.insert("metadata".into(), Value::String(ask.owned("metadata")));
    // Not the payment's phone: nobody is asked there, this page is.
    payment.secrets.insert("phone", ask.owned("customer_phone_number"));
    payment.secrets.insert("payment_token", format!("{}{}", fresh_id(), fresh_id()));
    let payment = desk.open(payment);
    let data = json!({
        "payment_token": payment.secret("payment_token"),
        "payment_url": desk.checkout_url(&payment.id),
    });
    Ok(Answer::json(
        200,
        json!({
            "code": "201",
            "message": "CREATED",
            "description": "Transaction created with success",
            "data": data,
            "api_response_id": format!("{}.{}", payment.created_at.unix_timestamp(), payment.seq),
        }),
    ))
}

fn check(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let tamper = desk.tamper;
    let id = ask.owned("transaction_id");
    let payment = desk.find(&id).ok_or_else(|| no(404, "608", "TRANSACTION_NOT_FOUND", "transaction_id"))?;
    let (code, message, status) = outcome(payment.status);
    let paid = payment.status == Status::Success;
    let date = date(payment.created_at);
    let data = json!({
        "amount": payment.told_text(tamper),
        "currency": tamper.currency(&payment.currency),
        "status": status,
        "payment_method": if paid { "OM" } else { "" },
        "description": payment.description,
        "metadata": payment.metadata.get("metadata"),
        "operator_id": paid.then(|| same_id("MP", &payment.id)),
        "payment_date": date,
        "fund_availability_date": paid.then_some(date.as_str()),
    });
    let response = format!("{}.{}", payment.created_at.unix_timestamp(), payment.seq);
    let body = json!({
        "code": code,
        "message": message,
        "data": payment.overrule(data),
        "api_response_id": response,
    });
    Ok(Answer::json(200, body))
}

/// `2022-09-15 22:57:18`.
fn date(at: OffsetDateTime) -> String {
    stamp(at).replace('T', " ").chars().take(19).collect()
}

impl Rail for Cinetpay {
    fn name(&self) -> &'static str {
        "cinetpay"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        let on = match ask.segments.as_slice() {
            ["v2", "payment"] if ask.posts() => On::Initialize,
            ["v2", "payment", "check"] if ask.posts() => On::Verify,
            _ => return None,
        };
        Route::new(on, ask.text("transaction_id").as_deref())
    }

    fn admit(&self, _route: &Route, ask: &Ask<'_>, _books: &Books) -> Result<(), Answer> {
        let (key, site) = (ask.text("apikey"), ask.text("site_id"));
        if key.ok_or_else(|| lacking("apikey"))? != CINETPAY_API_KEY {
            return Err(no(401, "609", "AUTH_NOT_FOUND", "The apikey is unknown"));
        }
        if site.ok_or_else(|| lacking("site_id"))? != CINETPAY_SITE_ID {
            return Err(no(400, "613", "ERROR_SITE_ID_NOTVALID", "The site_id is unknown"));
        }
        Ok(())
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        if route.on == On::Initialize { create(ask, desk) } else { check(ask, desk) }
    }

    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter> {
        let News::Moved = news else { return None };
        let paid = payment.status == Status::Success;
        let values = [
            CINETPAY_SITE_ID.to_owned(),
            payment.id.clone(),
            date(payment.created_at),
            plain(payment.told_text(tamper)),
            tamper.currency(&payment.currency).to_owned(),
            same_id("", payment.secret("payment_token")),
            if paid { "OM".into() } else { String::new() },
            payment.secret("phone").to_owned(),
            String::new(),
            "fr".into(),
            "V4".into(),
            "SINGLE".into(),
            "PAYMENT".into(),
            payment.metadata.get("metadata").cloned().map(plain).unwrap_or_default(),
            payment.description.clone(),
            outcome(payment.status).1.to_owned(),
        ];
        let fields: Vec<_> = SIGNED.into_iter().zip(values).collect();
        Some(Letter { event: format!("payment.{}", payment.status.name()), body: form(&fields) })
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        no(status, &status.to_string(), if status == 429 { "TOO_MANY_REQUEST" } else { "ERROR_OCCURED" }, message)
    }

    fn scheme(&self) -> Option<Scheme> {
        Some(Scheme { header: "x-token", sign })
    }

    fn secret(&self) -> &'static str {
        CINETPAY_WEBHOOK_SECRET
    }

    fn content_type(&self) -> &'static str {
        "application/x-www-form-urlencoded"
    }

    fn back(&self, payment: &RailPayment) -> Option<String> {
        payment.back(&[("transaction_id", &payment.id), ("token", payment.secret("payment_token"))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_signed_over_its_decoded_values_and_the_order_of_its_fields_does_not_matter() {
        let body = b"cpm_amount=1000&cpm_currency=GNF&cpm_site_id=445566&cpm_trans_id=a+b&unknown=1";
        let other = b"cpm_trans_id=a%20b&cpm_site_id=445566&cpm_amount=1000&cpm_currency=GNF&cel_phone_num=";
        let expected = hex_sha256("key", b"445566a b1000GNF");
        assert_eq!((sign("key", body, 0), sign("key", other, 0)), (expected.clone(), expected));
        // The known weakness of the scheme: nothing separates the fields.
        let shifted = b"cpm_amount=100&cpm_currency=0GNF&cpm_site_id=445566&cpm_trans_id=a+b";
        assert_eq!(sign("key", shifted, 0), sign("key", body, 0));
    }
}
