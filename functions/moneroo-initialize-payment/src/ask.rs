//! The bodies of this function and of its legacy names, read into one order.

use serde::Deserialize;
use serde_json::{Map, Value};
use shared::edge::{Answer, ApiError};
use shared::error::FORBIDDEN;
use shared::money::{Amount, Currency};
use shared::payments::Customer;
use shared::payments::checkout::{Order, Purpose};

use crate::{CARD_DATA_REFUSED, PURPOSE_REQUIRED};

const MAX_METADATA: usize = 10;

#[derive(Debug, Deserialize)]
pub struct Ask {
    purpose: Option<Purpose>,
    purpose_id: Option<String>,
    amount: Option<Amount>,
    currency: Option<Currency>,
    provider: Option<String>,
    description: Option<String>,
    #[serde(default)]
    customer: Customer,
    customer_email: Option<String>,
    customer_name: Option<String>,
    return_url: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    plan_id: Option<String>,
    test_id: Option<String>,
    #[serde(alias = "userId")]
    pub user_id: Option<String>,
    #[serde(alias = "idempotencyKey")]
    pub idempotency_key: Option<String>,
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
    if invoked_as == "moneroo" {
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
        for field in ["card_number", "cardNumber", "cvv", "cvc"] {
            if body.get(field).is_some() {
                return Err(CARD_DATA_REFUSED.into());
            }
        }
        let mut ask: Self = shared::json::parse(body.to_string().as_bytes())?;
        if invoked_as == "create-payment" {
            ask.purpose = Some(Purpose::PlanPurchase);
        }
        ask.legacy_purpose();
        ask.check()?;
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
        let rules: [(bool, &str, &str); 9] = [
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
            (self.provider.as_deref().is_none_or(|p| p == "moneroo"), "provider", "is not offered; use moneroo"),
        ];
        match rules.iter().find(|(good, _, _)| !good) {
            Some((_, field, message)) => Err(ApiError::invalid(field, message)),
            None => Ok(()),
        }
    }

    /// # Errors
    /// 400 `PURPOSE_REQUIRED`.
    pub fn order(mut self, idempotency_key: Option<String>) -> Answer<Order> {
        let purpose = self.purpose.ok_or(PURPOSE_REQUIRED)?;
        self.legacy_customer();
        Ok(Order {
            provider: "moneroo",
            purpose,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order(invoked_as: &str, body: Value) -> Order {
        match read(invoked_as, body).unwrap() {
            Wish::Pay(ask) => ask.order(None).unwrap(),
            Wish::Look(id) => panic!("looked at {id}"),
        }
    }

    #[test]
    fn legacy_bodies_name_their_purpose_in_the_metadata() {
        let deposit =
            order("moneroo-initialize-payment", json!({ "amount": 5, "metadata": { "wallet_recharge": true } }));
        assert_eq!(deposit.purpose, Purpose::WalletDeposit);
        let id = "8a8ef5f4-6a5d-4a1b-9d1f-000000000001";
        let bought = order("moneroo-initialize-payment", json!({ "metadata": { "order_id": id } }));
        assert_eq!((bought.purpose, bought.purpose_id.as_deref()), (Purpose::Order, Some(id)));
        assert_eq!(order("create-payment", json!({ "plan_id": "premium_report" })).purpose, Purpose::PlanPurchase);
    }

    #[test]
    fn the_envelope_reads_a_payment_by_either_of_its_names() {
        for action in ["get_payment", "verify_payment"] {
            let wish = read("moneroo", json!({ "action": action, "data": { "payment_id": "py_1" } })).unwrap();
            assert!(matches!(wish, Wish::Look(id) if id == "py_1"));
            assert_eq!(read("moneroo", json!({ "action": action, "data": {} })).unwrap_err().problem().status, 400);
        }
    }

    #[test]
    fn the_envelope_creates_and_never_refunds_or_cancels() {
        let body = json!({ "action": "create_payment", "data": { "amount": 5, "purpose": "wallet_deposit", "customer_name": "Aïcha Bah Diallo", "customer_email": "a@b.c" } });
        let customer = order("moneroo", body).customer;
        assert_eq!(
            (customer.first_name.as_deref(), customer.last_name.as_deref()),
            (Some("Aïcha Bah"), Some("Diallo"))
        );
        for action in ["refund_payment", "cancel_payment"] {
            assert_eq!(read("moneroo", json!({ "action": action, "data": {} })).unwrap_err().problem().status, 403);
        }
    }
}
