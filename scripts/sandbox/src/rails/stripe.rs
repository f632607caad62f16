//! Stripe: PaymentIntents, refunds and their events. Calls are forms, answers are JSON, amounts are integers in the
//! currency's smallest unit as Stripe counts it. Source: docs.stripe.com/api.

mod objects;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::keys::{STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET};
use super::seal::hex_sha256;
use super::{Answer, Ask, Desk, Letter, News, Once, Rail, RailPayment, Refund, Route, Scheme, ask, page};
use crate::faults::On;
use crate::records::Status;
use crate::state::{Books, Sandbox, fresh_id};
use crate::tamper::Tamper;

/// Those without a smaller unit, as Stripe lists them. UGX is none of them: 5 UGX is 500, and 501 does not exist.
const ZERO_DECIMAL: [&str; 16] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf", "isk"];
const OTHERS: [&str; 12] = ["usd", "eur", "gbp", "ngn", "ghs", "kes", "tzs", "ugx", "zar", "zmw", "cdf", "mwk"];
/// An amount has at most eight digits.
const AMOUNT_MAX: i64 = 99_999_999;

pub struct Stripe;

impl Rail for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn route(&self, ask: &Ask<'_>) -> Option<Route> {
        let on = match (ask.method.as_str(), ask.segments.as_slice()) {
            ("POST", ["v1", "payment_intents"]) => (On::Initialize, None),
            ("GET", ["v1", "payment_intents", "search"] | ["v1", "payment_intents"]) => (On::Search, None),
            ("GET", ["v1", "payment_intents", id]) => (On::Verify, Some(*id)),
            ("POST", ["v1", "payment_intents", id, "cancel"]) => (On::Retrieve, Some(*id)),
            ("POST", ["v1", "refunds"]) => (On::Refund, ask.value("payment_intent").and_then(Value::as_str)),
            ("GET", ["v1", "refunds"]) => (On::RefundVerify, ask.query("payment_intent")),
            ("GET", ["v1", "refunds", id]) => (On::RefundVerify, Some(*id)),
            ("GET", ["v1", "disputes"]) => (On::Retrieve, ask.query("payment_intent")),
            _ => return None,
        };
        Route::new(on.0, on.1)
    }

    fn admit(&self, _route: &Route, ask: &Ask<'_>, _books: &Books) -> Result<(), Answer> {
        if ask.bearer() == Some(STRIPE_SECRET_KEY) {
            Ok(())
        } else {
            Err(self.refusal(401, "Invalid API Key provided"))
        }
    }

    fn perform(&self, route: &Route, ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
        let subject = route.subject.as_deref().unwrap_or_default();
        match (route.on, ask.segments.as_slice()) {
            (On::Initialize, _) => desk.once(ask, &ONCE, create),
            (On::Refund, _) => desk.once(ask, &ONCE, refund),
            (On::Search, _) => Ok(search(ask, desk)),
            (On::Verify, _) => {
                let tamper = desk.tamper;
                let payment = desk.find(subject).ok_or_else(|| missing("payment_intent", subject))?;
                Ok(Answer::json(200, objects::intent(payment, tamper, &expanded(ask))))
            }
            (On::Retrieve, [_, _, _, "cancel"]) => cancel(subject, desk),
            (On::Retrieve, _) => {
                let payment = desk.find(subject).ok_or_else(|| missing("payment_intent", subject))?;
                Ok(Answer::json(200, list(payment.dispute.iter().map(|one| objects::dispute(payment, one)).collect())))
            }
            _ => refunds(ask, subject, desk),
        }
    }

    fn letter(&self, payment: &RailPayment, news: News<'_>, tamper: &Tamper) -> Option<Letter> {
        Some(objects::event(payment, news, tamper))
    }

    fn refusal(&self, status: u16, message: &str) -> Answer {
        let kind = match status {
            429 => return error(429, "invalid_request_error", Some("rate_limit"), message),
            400..=499 => "invalid_request_error",
            _ => "api_error",
        };
        error(status, kind, None, message)
    }

    fn fresh_id(&self) -> String {
        format!("pi_3{}{}", fresh_id(), &fresh_id()[..11])
    }

    /// `t=…,v1=…` over the time, a point and the body; the time is that of the attempt.
    fn scheme(&self) -> Option<Scheme> {
        let sign = |secret: &str, body: &[u8], at: i64| {
            let signed = [format!("{at}.").as_bytes(), body].concat();
            format!("t={at},v1={}", hex_sha256(secret, &signed))
        };
        Some(Scheme { header: "Stripe-Signature", sign })
    }

    fn secret(&self) -> &'static str {
        STRIPE_WEBHOOK_SECRET
    }

    /// What Stripe.js adds when it sends the payer back.
    fn back(&self, payment: &RailPayment) -> Option<String> {
        let status = if payment.status == Status::Success { "succeeded" } else { "failed" };
        payment.back(&[
            ("payment_intent", &payment.id),
            ("payment_intent_client_secret", payment.secret("client_secret")),
            ("redirect_status", status),
        ])
    }
}

/// The card page: the merchant's own, with Stripe's script in it, which needs the secret behind the `#`. Here it is the
/// page with the buttons.
pub async fn card(State(sandbox): State<Arc<Sandbox>>, Query(query): Query<ask::Pairs>) -> Response {
    let id = query.get("payment_intent").map_or("", String::as_str);
    let found = sandbox.books().rail_payment(Some("stripe"), id).map(|payment| page::address(payment));
    found.map_or_else(crate::checkout::unknown, |address| Redirect::to(&address).into_response())
}

fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Answer {
    let mut error = json!({ "type": kind, "message": message });
    if let Some(code) = code {
        error["code"] = json!(code);
    }
    Answer::json(status, json!({ "error": error }))
}

fn invalid(code: Option<&str>, param: &str, message: &str) -> Answer {
    let mut error = json!({ "type": "invalid_request_error", "message": message, "param": param });
    if let Some(code) = code {
        error["code"] = json!(code);
    }
    Answer::json(400, json!({ "error": error }))
}

fn missing(what: &str, id: &str) -> Answer {
    let message = format!("No such {what}: '{id}'");
    let mut answer = invalid(Some("resource_missing"), "id", &message);
    answer.status = 404;
    answer
}

fn list(data: Vec<Value>) -> Value {
    json!({ "object": "list", "data": data, "has_more": false, "url": "/v1" })
}

/// `expand[]=latest_charge`, `expand[0]=…`, in the query or in the form.
fn expanded(ask: &Ask<'_>) -> Vec<String> {
    let form = ask.body.as_object().into_iter().flatten();
    let form = form.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let all = ask.pairs.iter().cloned().chain(form);
    all.filter(|(name, _)| name.starts_with("expand[")).map(|(_, value)| value).collect()
}

/// What was refused for its parameters is not kept.
const ONCE: Once = Once { header: "idempotency-key", mark: "idempotent-replayed", other: key_reused };

fn key_reused() -> Answer {
    let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
    error(400, "idempotency_error", None, message)
}

fn create(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let amount = ask
        .value("amount")
        .ok_or_else(|| invalid(Some("parameter_missing"), "amount", "Missing required param: amount."))?;
    let digits = amount.as_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let amount = digits.and_then(|text| text.parse::<i64>().ok()).filter(|amount| *amount >= 1);
    let amount = amount.ok_or_else(|| invalid(Some("parameter_invalid_integer"), "amount", "Invalid integer"))?;
    let currency = ask.owned("currency").to_ascii_lowercase();
    if !ZERO_DECIMAL.contains(&currency.as_str()) && !OTHERS.contains(&currency.as_str()) {
        return Err(invalid(None, "currency", &format!("Invalid currency: {currency}.")));
    }
    if amount > AMOUNT_MAX {
        return Err(invalid(Some("amount_too_large"), "amount", "Amount must be no more than 99999999"));
    }
    if currency == "ugx" && amount % 100 != 0 {
        return Err(invalid(
            Some("parameter_invalid_integer"),
            "amount",
            "UGX has no smaller unit: a multiple of 100 is required",
        ));
    }
    let metadata = ask.object("metadata");
    let fits = |(key, value): (&String, &Value)| {
        key.len() <= 40 && value.as_str().is_some_and(|text| text.chars().count() <= 500)
    };
    if metadata.len() > 50 || !metadata.iter().all(fits) {
        return Err(invalid(None, "metadata", "Metadata: 50 keys of 40 characters, values of 500"));
    }
    let id = desk.rail.fresh_id();
    let name = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut payment = RailPayment::fresh("stripe", id);
    payment.reference = name("intent_id").or_else(|| name("payment_id")).unwrap_or_default();
    payment.secrets.insert("client_secret", format!("{}_secret_{}", payment.id, fresh_id()));
    (payment.amount, payment.currency, payment.metadata) = (amount, currency, metadata);
    (payment.description, payment.email) = (ask.owned("description"), ask.email());
    payment.return_url = ask.owned("return_url");
    let payment = desk.open(payment);
    Ok(Answer::json(200, objects::intent(&payment, &Tamper::default(), &expanded(ask))))
}

/// `metadata['intent_id']:'…'`, with either kind of quotation marks; a list without a query is of all, the newest first.
fn search(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Answer {
    let query = ask.query("query").unwrap_or_default().replace('"', "'");
    let wanted = query.strip_prefix("metadata['").and_then(|rest| rest.strip_suffix('\'')?.split_once("']:'"));
    let fits = |payment: &&RailPayment| {
        let found = wanted.and_then(|(key, value)| Some(payment.metadata.get(key)?.as_str()? == value));
        payment.rail == "stripe" && (query.is_empty() || found == Some(true))
    };
    let mut found: Vec<&RailPayment> = desk.books.rails.values().filter(fits).collect();
    found.sort_by_key(|payment| std::cmp::Reverse(payment.seq));
    let data =
        found.into_iter().take(10).map(|payment| objects::intent(payment, desk.tamper, &expanded(ask))).collect();
    let mut answer = list(data);
    if !query.is_empty() {
        answer["object"] = json!("search_result");
    }
    Answer::json(200, answer)
}

fn cancel(id: &str, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let payment = desk.find(id).ok_or_else(|| missing("payment_intent", id))?;
    if matches!(payment.status, Status::Success | Status::Cancelled | Status::Expired) {
        return Err(error(
            400,
            "invalid_request_error",
            Some("payment_intent_unexpected_state"),
            "It cannot be canceled now.",
        ));
    }
    payment.status = Status::Cancelled;
    Ok(Answer::json(200, objects::intent(payment, &Tamper::default(), &[])))
}

fn refund(ask: &Ask<'_>, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let id = ask.owned("payment_intent");
    let payment = desk.find(&id).ok_or_else(|| missing("payment_intent", &id))?.clone();
    let rest = payment.amount - payment.refunding();
    if payment.status != Status::Success {
        return Err(invalid(None, "payment_intent", "This PaymentIntent does not have a successful charge to refund."));
    }
    if payment.dispute.is_some() {
        return Err(error(
            400,
            "invalid_request_error",
            Some("charge_disputed"),
            "The charge has been charged back; cannot issue a refund.",
        ));
    }
    if rest == 0 {
        return Err(error(
            400,
            "invalid_request_error",
            Some("charge_already_refunded"),
            "The charge has already been refunded.",
        ));
    }
    let amount = match ask.text("amount") {
        None => rest,
        Some(text) => {
            text.parse().map_err(|_| invalid(Some("parameter_invalid_integer"), "amount", "Invalid integer"))?
        }
    };
    let wanted = Refund { metadata: ask.object("metadata"), ..Refund::fresh(format!("re_3{}", fresh_id()), amount) };
    let refund = desk
        .refund(&payment.id, wanted)
        .ok_or_else(|| invalid(None, "amount", "Refund amount is greater than unrefunded amount on charge"))?;
    Ok(Answer::json(200, objects::refund(&payment, &refund, desk.tamper)))
}

fn refunds(ask: &Ask<'_>, subject: &str, desk: &mut Desk<'_>) -> Result<Answer, Answer> {
    let payments = desk.books.rails.values().filter(|payment| payment.rail == "stripe");
    let mut all = payments.flat_map(|payment| payment.refunds.iter().map(move |refund| (payment, refund)));
    if ask.segments.len() == 3 {
        let (payment, refund) =
            all.find(|(_, refund)| refund.id == subject).ok_or_else(|| missing("refund", subject))?;
        return Ok(Answer::json(200, objects::refund(payment, refund, desk.tamper)));
    }
    let of_payment = all.filter(|(payment, _)| payment.id == subject);
    Ok(Answer::json(
        200,
        list(of_payment.map(|(payment, refund)| objects::refund(payment, refund, desk.tamper)).collect()),
    ))
}
