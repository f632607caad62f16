//! Starting a payment: our row first, then the provider, then its id on our row. A crash between any two of them leaves
//! a row that the signed tag or the sweep can reconcile.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Checkout, Created, Customer, Intent, Lookup, Reference, call};
use crate::contract::User;
use crate::cx::Cx;
use crate::error::{Answer, ApiError, PROVIDER_ERROR, PROVIDER_TIMEOUT, UNAVAILABLE};
use crate::http::Lost;
use crate::json;
use crate::payments::confirm;

/// What may be paid for. `order`, `escrow` and `subscription` are not offered yet: 404 `NOT_FOUND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Order,
    WalletDeposit,
    Ride,
    Escrow,
    Subscription,
    PlanPurchase,
}

/// A request for a checkout. Everything but the deposit's amount is checked against the database.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Order {
    /// A name of [`super::PROVIDERS`].
    pub provider: String,
    /// May be left out where `transaction_id` says it.
    pub purpose: Option<Purpose>,
    pub purpose_id: Option<String>,
    /// An open payment of the caller's own that is to be paid through this provider instead.
    pub transaction_id: Option<String>,
    /// Digits; whom a request to a phone asks.
    pub phone: Option<String>,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    pub description: Option<String>,
    pub customer: Customer,
    pub return_url: Option<String>,
    pub methods: Vec<String>,
    pub metadata: Map<String, Value>,
    pub plan_id: Option<String>,
    pub test_id: Option<String>,
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Begun {
    fresh: bool,
    payment: Payment,
    #[serde(default)]
    customer: Customer,
}

/// A payment as the client sees it. Amounts in minor units.
#[derive(Clone, Debug, Deserialize)]
pub struct Payment {
    pub id: String,
    pub provider_payment_id: Option<String>,
    pub checkout_url: Option<String>,
    pub status: String,
    pub attempt: i32,
    pub amount: i64,
    pub fee: i64,
    pub total: i64,
    pub currency: String,
    pub description: String,
    provider_amount: Option<i64>,
    #[serde(default)]
    exponent: u8,
    /// Digits: whom a request to a phone asks.
    phone: Option<String>,
    /// What the payer's page needs, such as `client_secret`.
    #[serde(default, deserialize_with = "json::object")]
    pub data: Map<String, Value>,
    /// False when an open payment, or the answer to an earlier request, is returned again.
    #[serde(skip)]
    pub fresh: bool,
}

#[derive(Deserialize)]
struct Attached {
    status: String,
    waiting_events: bool,
    reference: Reference,
}

/// Asks `gateway`, which is the provider that `order` names; `gateways` has it, too.
///
/// # Errors
/// The refusals of `payment_begin`; 502 when the provider refuses (row `failed`), 504 when
/// it does not answer (row `unknown`).
pub async fn start(cx: &Cx<User>, gateway: &dyn Checkout, gateways: Lookup, order: &Order) -> Answer<Payment> {
    let settings = &cx.world.settings;
    let return_url = return_url(cx, order.return_url.as_deref())?;
    let begun: Begun = cx.rpc_read("payment_begin", order).await?;
    let mut payment = Payment { fresh: begun.fresh, ..begun.payment };
    if !payment.fresh {
        return Ok(payment);
    }
    let intent = intent(&payment, order, begun.customer, return_url)?;
    let created = match call::send(cx, gateway, gateway.create(&intent)).await {
        Ok(answer) => gateway.created(&intent, &answer),
        Err(Lost::NotSent) => Created::Refused("no session".into()),
        Err(Lost::Broken) => return Err(give_up(cx, &payment, "failed", UNAVAILABLE).await),
        // Not reached and timed out look alike from here: the request may have arrived.
        Err(Lost::Unreachable | Lost::TimedOut) => Created::Unknown("no answer".into()),
    };
    match created {
        Created::Open { id, url, data } => {
            let attached: Attached = cx
                .service(
                    "payment_attach",
                    &json!({
                        "payment_id": payment.id, "provider_payment_id": id, "checkout_url": url,
                        "environment": settings.environment, "data": data,
                    }),
                )
                .await?;
            if attached.waiting_events {
                confirm::later(cx, gateways, attached.reference);
            }
            payment.status = attached.status;
            payment.provider_payment_id = Some(id);
            payment.checkout_url = url;
            payment.data = data;
            Ok(payment)
        }
        Created::Refused(_) => Err(give_up(cx, &payment, "failed", PROVIDER_ERROR).await),
        Created::Unknown(_) => Err(give_up(cx, &payment, "unknown", PROVIDER_TIMEOUT).await),
    }
}

fn intent(payment: &Payment, order: &Order, customer: Customer, return_url: String) -> Answer<Intent> {
    Ok(Intent {
        id: payment.id.clone(),
        attempt: payment.attempt,
        amount: payment.provider_amount.ok_or_else(|| ApiError::internal("a fresh payment has a provider amount"))?,
        exponent: payment.exponent,
        currency: payment.currency.clone(),
        description: payment.description.clone(),
        return_url,
        phone: payment.phone.clone(),
        customer,
        methods: if order.methods.is_empty() { default_methods(&payment.currency) } else { order.methods.clone() },
    })
}

/// A phone as providers and Postgres want it: digits, without the `+` that a client may have sent.
///
/// # Errors
/// `VALIDATION_ERROR` for what is no international number; before anything is written, where SQL would refuse it later.
pub fn phone(given: Option<String>) -> Answer<Option<String>> {
    let phone = given.map(|phone| phone.trim_start_matches('+').to_owned());
    let good = |t: &String| (8..=15).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit()) && !t.starts_with('0');
    if phone.as_ref().is_none_or(good) {
        Ok(phone)
    } else {
        Err(ApiError::invalid("phone", "must be an international number, digits only"))
    }
}

/// What a checkout shows when the client names nothing; elsewhere the provider decides.
fn default_methods(currency: &str) -> Vec<String> {
    let codes: &[&str] = if currency == "GNF" { &["orange_gn", "mtn_gn"] } else { &[] };
    codes.iter().map(|code| (*code).to_owned()).collect()
}

/// Marks the row. If even that fails the sweep will find it `initiating` and treat it as `unknown`.
async fn give_up(cx: &Cx<User>, payment: &Payment, status: &str, no: crate::error::Refusal) -> ApiError {
    let marked = cx.service::<IgnoredAny>("payment_mark", &json!({ "payment_id": payment.id, "status": status })).await;
    marked.err().unwrap_or_else(|| no.with(json!({ "payment_id": payment.id, "status": status })))
}

/// Where the payer goes afterwards: the configured page, or one whose origin is on the list.
fn return_url(cx: &Cx<User>, asked: Option<&str>) -> Answer<String> {
    let settings = &cx.world.settings;
    let Some(url) = asked else { return Ok(settings.return_url.clone()) };
    let origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let listed = settings.return_origins.iter().any(|allowed| allowed == "*" || *allowed == origin);
    let host = origin.strip_prefix("https://").unwrap_or_default();
    let clean = host.starts_with(|c: char| c.is_ascii_alphanumeric())
        && url.bytes().all(|b| b.is_ascii_graphic())
        && !origin.contains('@')
        && !origin.contains('\\');
    if url.len() <= 2000 && clean && listed {
        Ok(url.to_owned())
    } else {
        Err(ApiError::invalid("return_url", "must be an https URL of an allowed origin"))
    }
}
