//! Payments: made by an API call, moved by the customer, told by verify and retrieve in two shapes.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::task::JoinHandle;

use crate::api::{Reply, ok};
use crate::message::Notice;
use crate::records::{Customer, Hand, Payment, Status};
use crate::state::{Sandbox, fresh_id, stamp};
use crate::tamper::Tamper;
use crate::validate::Form;
use crate::{methods, money, webhooks};

pub fn initialize(sandbox: &Arc<Sandbox>, body: &[u8], tamper: &Tamper) -> Result<Reply, Reply> {
    let payment = read(body)?;
    let id = payment.id.clone();
    let amount = tamper.amount(payment.amount).as_i64().unwrap_or(payment.amount);
    let currency = tamper.currency(&payment.currency).to_owned();
    let payment = Payment { amount, currency, ..payment };
    let notice = Notice::payment(&payment);
    record(sandbox, payment);
    if sandbox.books().settings.initiated_events {
        webhooks::announce(sandbox, notice);
    }
    let checkout_url = sandbox.checkout_url(&id);
    Ok(ok(201, "Transaction initialized successfully", json!({ "id": id, "checkout_url": checkout_url })))
}

fn read(body: &[u8]) -> Result<Payment, Reply> {
    let mut form = Form::read(body)?;
    let payment = Payment {
        amount: form.amount(),
        currency: form.currency(),
        description: form.text("description"),
        return_url: form.url("return_url"),
        customer: form.customer(),
        metadata: form.metadata(),
        ..Payment::fresh()
    };
    let payment = Payment { methods: wanted_methods(&mut form, &payment.currency), ..payment };
    restrictions(&mut form);
    form.finish()?;
    Ok(payment)
}

fn wanted_methods(form: &mut Form, currency: &str) -> Vec<String> {
    let wanted = match form.value("methods").cloned() {
        None => return Vec::new(),
        Some(Value::Array(wanted)) => wanted,
        Some(_) => {
            form.complain("methods", "The methods field must be an array.".into());
            return Vec::new();
        }
    };
    let mut codes = Vec::new();
    for (place, code) in wanted.iter().enumerate() {
        let known = code.as_str().and_then(|code| methods::for_payments().find(|method| method.code == code));
        match known {
            Some(method) if method.currency == currency => codes.push(method.code.to_owned()),
            Some(_) => {
                form.complain(&format!("methods.{place}"), format!("The method does not support {currency}."));
            }
            None => form.complain(&format!("methods.{place}"), format!("The selected methods.{place} is invalid.")),
        }
    }
    codes
}

/// A country or a phone number may be prescribed, not both.
fn restrictions(form: &mut Form) {
    let country = form.optional_text("restrict_country_code");
    if form.value("restricted_phone").is_none() {
        return;
    }
    form.text("restricted_phone.number");
    form.text("restricted_phone.country_code");
    if country.is_some() {
        let sentence = "The restricted_phone field is prohibited when restrict_country_code is present.";
        form.complain("restricted_phone", sentence.into());
    }
}

impl Payment {
    pub fn fresh() -> Self {
        Self {
            id: fresh_id(),
            seq: 0,
            status: Status::Initiated,
            amount: 0,
            currency: String::new(),
            description: String::new(),
            return_url: String::new(),
            environment: "sandbox".into(),
            customer: Customer::default(),
            metadata: Map::new(),
            methods: Vec::new(),
            method: None,
            capture: None,
            attempts: 0,
            initiated_at: OffsetDateTime::now_utc(),
            answer: Map::new(),
            foreign: false,
        }
    }

    /// Where the customer goes afterwards, with what the provider adds; None when it is no web address.
    pub fn return_link(&self) -> Option<String> {
        let mut url = reqwest::Url::parse(&self.return_url).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        url.query_pairs_mut().append_pair("paymentId", &self.id).append_pair("paymentStatus", self.status.name());
        Some(url.into())
    }

    /// The rails that the customer may choose from.
    pub fn rails(&self) -> Vec<(&'static str, &'static str)> {
        let offered = |code: &str| self.methods.is_empty() || self.methods.iter().any(|wanted| wanted == code);
        methods::for_payments()
            .filter(|method| method.currency == self.currency && offered(method.code))
            .map(|method| (method.code, method.name))
            .collect()
    }

    /// For the control endpoint: everything, in one shape that does not change.
    pub fn summary(&self, checkout_url: &str) -> Value {
        json!({
            "provider": "moneroo",
            "id": self.id,
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "description": self.description,
            "return_url": self.return_url,
            "checkout_url": checkout_url,
            "environment": self.environment,
            "customer": self.customer,
            "metadata": self.metadata,
            "methods": self.methods,
            "method": self.method,
            "attempts": self.attempts,
            "initiated_at": stamp(self.initiated_at),
            "answer": self.answer,
            "foreign": self.foreign,
        })
    }
}

/// Puts the payment in the books.
pub fn record(sandbox: &Sandbox, mut payment: Payment) {
    let mut books = sandbox.books();
    payment.seq = books.next();
    books.payments.insert(payment.id.clone(), payment);
}

/// What a move came to.
#[derive(Debug)]
pub enum Moved {
    /// With the webhook's first attempts.
    Done(Vec<JoinHandle<()>>),
    Refused(Status),
    Unknown,
}

pub fn advance(sandbox: &Arc<Sandbox>, id: &str, to: Status, hand: Hand, method: Option<String>, quiet: bool) -> Moved {
    let notice = {
        let mut books = sandbox.books();
        let Some(payment) = books.payment(id) else { return Moved::Unknown };
        if !payment.status.may_become(to, hand) {
            return Moved::Refused(payment.status);
        }
        payment.status = to;
        payment.attempts += u32::from(matches!(to, Status::Success | Status::Failed));
        payment.method = method.or(payment.method.take()).or(payment.rails().first().map(|rail| rail.0.to_owned()));
        payment.capture = Some(format!("cp_{}", fresh_id()));
        Notice::payment(payment)
    };
    // There is no event for pending.
    if quiet || to == Status::Pending {
        return Moved::Done(Vec::new());
    }
    Moved::Done(webhooks::announce(sandbox, notice))
}

pub fn verify(sandbox: &Sandbox, id: &str, tamper: &Tamper) -> Result<Reply, Reply> {
    let mut books = sandbox.books();
    let payment = books.payment(id).ok_or_else(unknown)?;
    let mut data = details(sandbox, payment);
    data.insert("amount".into(), tamper.amount(payment.amount));
    data.insert("currency".into(), money::describe(tamper.currency(&payment.currency)));
    data.insert("capture".into(), capture(payment));
    data.insert("created_at".into(), json!(stamp(payment.initiated_at)));
    data.extend(payment.answer.clone());
    Ok(ok(200, "Payment transaction fetched successfully!", Value::Object(data)))
}

/// The same payment in the other documented shape: a decimal amount, and the currency as a string.
pub fn retrieve(sandbox: &Sandbox, id: &str, tamper: &Tamper) -> Result<Reply, Reply> {
    let mut books = sandbox.books();
    let payment = books.payment(id).ok_or_else(unknown)?;
    let mut data = details(sandbox, payment);
    let amount = tamper.amount(payment.amount);
    let amount = if amount.is_i64() { amount.as_f64().map_or(Value::Null, Value::from) } else { amount };
    data.insert("amount".into(), amount);
    data.insert("currency".into(), json!(tamper.currency(&payment.currency)));
    data.insert("checkout_url".into(), json!(sandbox.checkout_url(id)));
    data.insert("payment_phone_number".into(), json!(payment.customer.phone));
    data.insert("method".into(), payment.method.as_deref().map_or(Value::Null, methods::brief));
    data.extend(payment.answer.clone());
    let mut reply = ok(200, "Payment transaction fetched successfully", Value::Object(data));
    reply.body["success"] = json!(true);
    Ok(reply)
}

fn unknown() -> Reply {
    Reply::refused(404, "Payment transaction not found.")
}

fn details(sandbox: &Sandbox, payment: &Payment) -> Map<String, Value> {
    let return_url = payment.return_link().filter(|_| payment.status.is_final());
    let details = json!({
        "id": payment.id,
        "status": payment.status,
        "is_processed": false,
        "processed_at": null,
        "amount_formatted": money::formatted(payment.amount, &payment.currency),
        "description": payment.description,
        "return_url": return_url.unwrap_or_else(|| payment.return_url.clone()),
        "environment": payment.environment,
        "initiated_at": stamp(payment.initiated_at),
        "metadata": payment.metadata,
        "app": { "id": "app_sandbox", "name": sandbox.merchant, "website_url": null, "is_enabled": true },
        "customer": customer(&payment.customer),
    });
    if let Value::Object(details) = details { details } else { Map::new() }
}

pub fn customer(customer: &Customer) -> Value {
    json!({
        "id": customer.id,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "email": customer.email,
        "phone": customer.phone,
        "address": customer.address,
        "city": customer.city,
        "state": customer.state,
        "country_code": customer.country,
        "country": null,
        "zip_code": customer.zip,
    })
}

/// What the rail says about the last attempt; null before the first.
fn capture(payment: &Payment) -> Value {
    let Some(identifier) = &payment.capture else { return Value::Null };
    let failed = payment.status == Status::Failed;
    let rail_says = match payment.status {
        Status::Success => "COMPLETED",
        Status::Failed => "FAILED",
        Status::Cancelled | Status::Expired => "CANCELLED",
        Status::Initiated | Status::Pending => "PENDING",
    };
    json!({
        "identifier": identifier,
        "rate": null,
        "rate_formatted": null,
        "correction_rate": null,
        "phone_number": payment.customer.phone,
        "failure_message": failed.then_some("The customer does not have enough funds."),
        "failure_error_code": failed.then_some("INSUFFICIENT_FUNDS"),
        "failure_error_type": failed.then_some("customer"),
        "metadata": { "network_transaction_id": null, "amount_debited": null, "commission": null, "fees": null },
        "amount": payment.amount,
        "amount_formatted": money::formatted(payment.amount, &payment.currency),
        "currency": money::describe(&payment.currency),
        "method": payment.method.as_deref().map_or(Value::Null, methods::brief),
        "gateway": {
            "id": "gw_sandbox",
            "account_name": "Sandbox",
            "name": "Sandbox gateway",
            "short_code": "sandbox",
            "icon_url": null,
            "transaction_id": format!("tx_{identifier}"),
            "transaction_status": rail_says,
            "transaction_failure_message": failed.then_some("Not enough funds"),
        },
        "context": null,
    })
}
