//! The bodies of this function and of its legacy names, read into one order.

use serde_json::Value;
use shared::edge::{Answer, ApiError};
use shared::error::FORBIDDEN;
use shared::money::Amount;
use shared::payments::PROVIDERS;
use shared::payments::checkout::{self, Order, Purpose};

use crate::wire::{Ask, CARD_DATA_REFUSED, PURPOSE_REQUIRED};

const MAX_METADATA: usize = 10;

/// The legacy names that are a provider of their own.
fn provider_of(invoked_as: &str) -> Option<&'static str> {
    match invoked_as {
        "paydunya" => Some("paydunya"),
        "mtn-momo" => Some("mtn_momo"),
        "airtel-money" => Some("airtel_money"),
        "card-payment" => Some("stripe"),
        _ => None,
    }
}

/// The names that only switch an own open payment to another provider.
fn switches(invoked_as: &str) -> bool {
    matches!(invoked_as, "mtn-momo" | "airtel-money" | "card-payment")
}

/// What a body asks for. The legacy envelope also reads a payment.
#[derive(Debug)]
pub enum Wish {
    Pay(Box<Ask>),
    Look(String),
}

/// # Errors
/// 400 for what cannot be read, 403 for the legacy actions that moved money on a client's word.
pub fn read(invoked_as: &str, mut body: Value) -> Answer<Wish> {
    if matches!(invoked_as, "moneroo" | "paydunya") {
        let data = body.get_mut("data").map(Value::take);
        body = match (body.get("action").and_then(Value::as_str), data) {
            (None, None) => body,
            (Some("create_payment" | "create_checkout"), Some(data)) => data,
            (Some("get_payment" | "verify_payment"), Some(data)) => {
                let id = data.get("payment_id").and_then(Value::as_str);
                let id = id.ok_or_else(|| ApiError::invalid("data.payment_id", "is required"))?;
                return Ok(Wish::Look(id.to_owned()));
            }
            (Some("refund_payment" | "cancel_payment"), _) => return Err(FORBIDDEN.into()),
            _ => {
                return Err(ApiError::invalid(
                    "action",
                    "must be create_payment, get_payment or verify_payment, with data",
                ));
            }
        };
    }
    Ask::from_body(invoked_as, &body).map(|ask| Wish::Pay(Box::new(ask)))
}

impl Ask {
    fn from_body(invoked_as: &str, body: &Value) -> Answer<Self> {
        if names_a_card(body, 0) {
            return Err(CARD_DATA_REFUSED.into());
        }
        let mut ask: Self = shared::json::parse(shared::json::text(body).as_bytes())?;
        if invoked_as == "create-payment" {
            ask.purpose = Some(Purpose::PlanPurchase);
        }
        ask.legacy_purpose();
        ask.phone = checkout::phone(ask.phone.take())?;
        ask.provider = provider_of(invoked_as).map(str::to_owned).or(ask.provider.take());
        ask.check()?;
        if switches(invoked_as) && ask.transaction_id.is_none() {
            return Err(ApiError::invalid("transaction_id", "is required: the open payment to pay this way"));
        }
        if ask.provider.as_deref() == Some("flutterwave_v4") && ask.methods.len() != 1 {
            return Err(ApiError::invalid("methods", "must be one: the phone's network, such as mtn_gh"));
        }
        Ok(ask)
    }

    /// Before purposes had a field, they were written into the metadata.
    fn legacy_purpose(&mut self) {
        if self.purpose.is_some() {
            return;
        }
        if let Some(order) = self.metadata.get("order_id").and_then(Value::as_str) {
            self.purpose_id = Some(order.to_owned());
            self.purpose = Some(Purpose::Order);
        } else if matches!(self.metadata.get("wallet_recharge"), Some(Value::Bool(true))) {
            self.metadata.remove("wallet_recharge");
            self.purpose = Some(Purpose::WalletDeposit);
        }
    }

    fn check(&self) -> Answer<()> {
        let short =
            |text: &Option<String>, max: usize| text.as_deref().is_none_or(|t| (1..=max).contains(&t.chars().count()));
        let code = |m: &String| {
            (2..=40).contains(&m.len()) && m.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        let uuid = |id: &Option<String>| {
            id.as_deref().is_none_or(|id| id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'))
        };
        let listed = |v: &Value| v.as_str().is_some_and(|text| text.chars().count() <= 200);
        let customer = &self.customer;
        let rules: [(bool, &str, &str); 10] = [
            (uuid(&self.purpose_id), "purpose_id", "must be a UUID"),
            (uuid(&self.test_id), "test_id", "must be a UUID"),
            (short(&self.description, 500), "description", "must be 1 to 500 characters"),
            (
                short(&customer.email, 254) && customer.email.as_deref().is_none_or(|e| e.contains('@')),
                "customer.email",
                "must be an address",
            ),
            (short(&customer.first_name, 100), "customer.first_name", "must be 1 to 100 characters"),
            (short(&customer.last_name, 100), "customer.last_name", "must be 1 to 100 characters"),
            (self.methods.len() <= 10 && self.methods.iter().all(code), "methods", "must be at most 10 method codes"),
            (
                self.metadata.len() <= MAX_METADATA && self.metadata.values().all(listed),
                "metadata",
                "must be at most 10 texts of 200 characters",
            ),
            (self.provider.as_deref().is_none_or(|p| PROVIDERS.contains(&p)), "provider", "is not offered"),
            (uuid(&self.transaction_id), "transaction_id", "must be a UUID"),
        ];
        match rules.iter().find(|(good, _, _)| !good) {
            Some((_, field, message)) => Err(ApiError::invalid(field, message)),
            None => Ok(()),
        }
    }

    /// # Errors
    /// 400 `PURPOSE_REQUIRED`.
    pub fn order(mut self, idempotency_key: Option<String>) -> Answer<Order> {
        if self.purpose.is_none() && self.transaction_id.is_none() {
            return Err(PURPOSE_REQUIRED.into());
        }
        self.legacy_customer();
        Ok(Order {
            provider: self.provider.unwrap_or_else(|| "moneroo".to_owned()),
            purpose: self.purpose,
            transaction_id: self.transaction_id,
            phone: self.phone,
            purpose_id: self.purpose_id,
            amount: self.amount.map(Amount::get),
            currency: self.currency.map(Into::into),
            description: self.description,
            customer: self.customer,
            return_url: self.return_url,
            methods: self.methods,
            metadata: self.metadata,
            plan_id: self.plan_id,
            test_id: self.test_id,
            idempotency_key,
        })
    }

    fn legacy_customer(&mut self) {
        let customer = &mut self.customer;
        customer.email = customer.email.take().or(self.customer_email.take());
        if let Some(name) = self.customer_name.take() {
            // The family name is what follows the last space.
            let (first, last) = name.rsplit_once(' ').unwrap_or((name.as_str(), name.as_str()));
            customer.first_name.get_or_insert_with(|| first.to_owned());
            customer.last_name.get_or_insert_with(|| last.to_owned());
        }
    }
}

/// Anywhere in the body: a card's number or code must not even be looked at.
fn names_a_card(body: &Value, depth: u8) -> bool {
    const FIELDS: [&str; 10] = [
        "card",
        "card_number",
        "cardNumber",
        "card_no",
        "pan",
        "cvv",
        "cvc",
        "card_cvc",
        "card_expiry",
        "expiry_month",
    ];
    match body {
        Value::Object(fields) if depth < 4 => {
            fields.iter().any(|(name, value)| FIELDS.contains(&name.as_str()) || names_a_card(value, depth + 1))
        }
        Value::Array(items) if depth < 4 => items.iter().any(|item| names_a_card(item, depth + 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
