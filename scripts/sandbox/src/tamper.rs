//! Other amounts and currencies than the true ones.

use serde_json::{Value, json};

use crate::faults::{Fault, Kind};

/// How the struck faults change the amount and the currency that are stored or told.
#[derive(Clone, Debug, Default)]
pub struct Tamper {
    amount: Option<Value>,
    delta: i64,
    currency: Option<String>,
}

impl Tamper {
    pub fn by(faults: &[Fault]) -> Self {
        let mut tamper = Self::default();
        for fault in faults {
            match fault.fault {
                Kind::Amount => {
                    tamper.amount = fault.amount.clone().or(tamper.amount);
                    tamper.delta += fault.delta;
                }
                Kind::Currency => tamper.currency.clone_from(&fault.currency),
                _ => {}
            }
        }
        tamper
    }

    /// As JSON, because a fault may tell `100.0`, `"100"` or null.
    pub fn amount(&self, truth: i64) -> Value {
        self.amount.clone().unwrap_or_else(|| json!(truth.saturating_add(self.delta)))
    }

    /// The same in a provider's own notation.
    pub fn told(&self, truth: i64, write: impl FnOnce(i64) -> Value) -> Value {
        self.amount.clone().unwrap_or_else(|| write(truth.saturating_add(self.delta)))
    }

    pub fn currency<'a>(&'a self, truth: &'a str) -> &'a str {
        self.currency.as_deref().unwrap_or(truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: Value) -> Fault {
        serde_json::from_value(text).expect("a fault")
    }

    #[test]
    fn amounts_are_told_as_they_were_ordered() {
        let truth = Tamper::default();
        assert_eq!(truth.amount(100), json!(100));
        let less = Tamper::by(&[fault(json!({ "on": "verify", "fault": "amount", "delta": -1 }))]);
        assert_eq!(less.amount(100), json!(99));
        let decimal = Tamper::by(&[fault(json!({ "on": "verify", "fault": "amount", "amount": 100.0 }))]);
        assert_eq!(decimal.amount(5).to_string(), "100.0");
    }
}
