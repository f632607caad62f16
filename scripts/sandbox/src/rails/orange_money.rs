//! Orange Money `WebPay`: a login, a hosted page, and a status that repeats the order and not its amount: an order is
//! asked about by its id, its amount and the `pay_token` together. Notifications are signed by nobody; they carry the
//! `notif_token` that the creation handed out. Source: developer.orange.com, om-webpay.

use serde_json::{Value, json};

use super::keys::{ORANGE_AUTHORIZATION, ORANGE_MERCHANT_KEY};
use super::seal::same_id;
use super::{Answer, Ask, Desk, Letter, News, Rail, RailPayment, Route, decimal, units};
use crate::faults::{Forgery, On};
use crate::records::Status;
use crate::state::{Books, fresh_id};
use crate::tamper::Tamper;

pub struct OrangeMoney;

/// The currency of each country's service; the sandbox's is worth nothing.
const COUNTRIES: [(&str, &str); 12] = [
    ("dev", "OUV"),
    ("bf", "XOF"),
    ("bw", "BWP"),
    ("cd", "CDF"),
    ("cf", "XAF"),
    ("ci", "XOF"),
    ("cm", "XAF"),
    ("gn", "GNF"),
    ("gw", "XOF"),
    ("mg", "MGA"),
    ("ml", "XOF"),
    ("sn", "XOF"),
];
/// Every field is mandatory, and narrow.
const FIELDS: [(&str, usize); 7] = [
    ("merchant_key", 64),
    ("order_id", 30),
    ("return_url", 120),
    ("cancel_url", 120),
    ("notif_url", 120),
    ("lang", 2),
    ("reference", 30),
];

fn no(status: u16, code: u16, message: &str, description: &str) -> Answer {
    Answer::json(status, json!({ "code": code, "message": message, "description": description }))
}

fn missing(field: &str) -> Answer {
    no(400, 23, "Missing body field", &format!("The body is missing the field {field}."))
}

fn wrong(field: &str) -> Answer {
    no(400, 24, "Invalid body field", &format!("The field {field} is not valid."))
}

fn amount(ask: &Ask<'_>) -> Result<i64, Answer> {
    let sent = ask.value("amount").ok_or_else(|| missing("amount"))?;
    let whole = units(sent, 0).filter(|amount| sent.is_number() && *amount > 0);
    whole.ok_or_else(|| wrong("amount"))
}

fn log_in(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    if ask.owned("grant_type") != "client_credentials" {
        return Err(Answer::json(400, json!({ "error": "unsupported_grant_type", "error_description": "" })));
    }
    Ok(Answer::json(200, json!({ "token_type": "Bearer", "access_token": desk.log_in(), "expires_in": 3600 })))
}

fn create(country: &str, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    for (field, longest) in FIELDS {
        let text = ask.text(field).ok_or_else(|| missing(field))?;
        if text.chars().count() > longest {
            return Err(wrong(field));
        }
    }
    for field in ["return_url", "cancel_url", "notif_url"] {
        if !ask.owned(field).starts_with("http") {
            return Err(wrong(field));
        }
    }
    if ask.owned("merchant_key") != ORANGE_MERCHANT_KEY {
        return Err(wrong("merchant_key"));
    }
    let (amount, id) = (amount(ask)?, ask.owned("order_id"));
    let currency = ask.text("currency").ok_or_else(|| missing("currency"))?.into_owned();
    if !COUNTRIES.contains(&(country, currency.as_str())) {
        return Err(wrong("currency"));
    }
    if desk.books.rails.contains_key(&(desk.rail.name(), id.clone())) {
        return Err(no(400, 24, "Invalid body field", "This order_id has been used already."));
    }
    let mut payment = RailPayment {
        reference: spelt_out(&id).unwrap_or_else(|| ask.owned("reference")),
        amount,
        currency,
        description: ask.owned("reference"),
        callback_url: Some(ask.owned("notif_url")),
        return_url: ask.owned("return_url"),
        cancel_url: ask.owned("cancel_url"),
        ..RailPayment::fresh(desk.rail.name(), id)
    };
    payment.secrets.insert("pay_token", format!("v1{}{}", fresh_id(), fresh_id()));
    payment.secrets.insert("notif_token", same_id("", &fresh_id()));
    let payment = desk.open(payment);
    Ok(Answer::json(
        201,
        json!({
            "status": 201,
            "message": "OK",
            "pay_token": payment.secret("pay_token"),
            "payment_url": desk.checkout_url(&payment.id),
            "notif_token": payment.secret("notif_token"),
        }),
    ))
}

/// The UUID that a merchant squeezed into the thirty characters of an order in base 36, so that tests find the payment
/// by the id that they know.
fn spelt_out(order: &str) -> Option<String> {
    let digits = format!("{:032x}", u128::from_str_radix(order, 36).ok().filter(|_| order.len() > 20)?);
    let part = |from: usize, to: usize| &digits[from..to];
    Some([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

fn said(status: Status) -> &'static str {
    match status {
        Status::Initiated => "INITIATED",
        Status::Pending => "PENDING",
        Status::Success => "SUCCESS",
        Status::Failed => "FAILED",
        // Who leaves the page leaves an order that runs out.
        Status::Cancelled | Status::Expired => "EXPIRED",
    }
}

fn ask_about(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let (asked, id, token) = (amount(ask)?, ask.owned("order_id"), ask.owned("pay_token"));
    let tamper = desk.tamper;
    let fits = |payment: &&mut RailPayment| {
        payment.id == id && payment.amount == asked && payment.secret("pay_token") == token
    };
    let unknown = || no(404, 60, "Resource not found", "There is no such order, amount and pay_token.");
    let payment = desk.find(&id).filter(fits).ok_or_else(unknown)?;
    let mut told = json!({ "status": said(payment.status), "order_id": payment.id, "txnid": txnid(payment) });
    // An amount and a currency are told only where a fault orders others than the true ones.
    let amount = payment.told(tamper);
    if amount != decimal(payment.amount, 0) {
        told["amount"] = amount;
    }
    if tamper.currency(&payment.currency) != payment.currency {
        told["currency"] = json!(tamper.currency(&payment.currency));
    }
    Ok(Answer::json(200, payment.overrule(told)))
}

/// Null before the payer has paid.
fn txnid(payment: &RailPayment) -> Option<String> {
    (payment.status == Status::Success).then(|| same_id("MP", &payment.id).to_ascii_uppercase()[..16].to_owned())
}

impl Rail for OrangeMoney {
    fn name(&self) -> &'static str {
        "orange_money"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        let known = |country: &str| COUNTRIES.iter().any(|(code, _)| *code == country);
        let on = match ask.segments.as_slice() {
            ["oauth", "v3", "token"] if ask.posts() => On::Login,
            ["orange-money-webpay", country, "v1", "webpayment"] if ask.posts() && known(country) => On::Initialize,
            ["orange-money-webpay", country, "v1", "transactionstatus"] if ask.posts() && known(country) => On::Verify,
            _ => return None,
        };
        Route::new(on, ask.text("order_id").as_deref())
    }

    fn admit(&self, route: &Route, ask: &Ask<'_>, books: &Books) -> Result<(), Answer> {
        if route.on == On::Login {
            let known = ask.header("authorization") == Some(ORANGE_AUTHORIZATION);
            let no = || json!({ "error": "invalid_client", "error_description": "The client credentials are invalid" });
            return if known { Ok(()) } else { Err(Answer::json(401, no())) };
        }
        let Some(token) = ask.bearer() else {
            return Err(no(401, 40, "Missing credentials", "The requested service needs credentials."));
        };
        if books.sessions.get(token) == Some(&self.name()) {
            return Ok(());
        }
        Err(no(401, 42, "Expired credentials", "The ones provided were out-of-date."))
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        match route.on {
            On::Login => log_in(ask, desk),
            On::Initialize => create(ask.segments.get(1).copied().unwrap_or_default(), ask, desk),
            _ => ask_about(ask, desk),
        }
    }

    fn letter(&self, payment: &RailPayment, news: News<'_>, _tamper: &Tamper) -> Option<Letter> {
        let (News::Moved, Status::Success | Status::Failed) = (news, payment.status) else { return None };
        let (status, token) = (said(payment.status), payment.secret("notif_token"));
        let body = json!({ "status": status, "notif_token": token, "txnid": txnid(payment) });
        Some(Letter { event: format!("payment.{}", payment.status.name()), body: body.to_string().into_bytes() })
    }

    /// What proves a notification here is in its body.
    fn forged(&self, letter: &Letter, forgery: Forgery) -> Option<Letter> {
        let mut body: Value = serde_json::from_slice(&letter.body).ok()?;
        let fields = body.as_object_mut()?;
        let token = fields.remove("notif_token")?.as_str()?.to_owned();
        let other = match forgery {
            Forgery::Missing => None,
            Forgery::Empty => Some(String::new()),
            Forgery::Truncated => Some(token[..token.len() / 2].to_owned()),
            Forgery::Uppercase => Some(token.to_ascii_uppercase()),
            Forgery::Flipped | Forgery::OtherSecret => Some(same_id("", &token)),
        };
        fields.extend(other.map(|other| ("notif_token".to_owned(), Value::String(other))));
        Some(Letter { body: body.to_string().into_bytes(), ..letter.clone() })
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        let code = match status {
            404 => 60,
            429 => 53,
            503 => 5,
            _ => 1,
        };
        no(status, code, message, message)
    }

    fn retries(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_in_base_36_is_the_uuid_that_it_was_made_of_and_other_words_are_not() {
        let uuid = "0f4c1e3a-0d6b-4d0e-9f53-0c0c0c0c0c01";
        let mut number = u128::from_str_radix(&uuid.replace('-', ""), 16).expect("hex");
        let mut order = Vec::new();
        while number > 0 {
            order.push(char::from_digit(u32::try_from(number % 36).expect("a digit"), 36).expect("a digit"));
            number /= 36;
        }
        let order: String = order.iter().rev().collect();
        assert_eq!((spelt_out(&order).as_deref(), spelt_out("order-1"), spelt_out("1")), (Some(uuid), None, None));
    }
}
