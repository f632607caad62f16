//! A payment, a payout, and how they may move.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Initiated,
    Pending,
    Success,
    Failed,
    Cancelled,
    /// At the rails only.
    Expired,
}

/// Who moves a payment: the customer on the checkout page, a test that plays the customer's next attempt, or a test
/// that wants what the provider should never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    Customer,
    Attempt,
    Force,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled | Self::Expired)
    }

    /// Final stays final, with one legitimate exception: the provider notifies each failed *attempt*, so a later
    /// attempt on the same id may still succeed.
    pub fn may_become(self, to: Self, hand: Hand) -> bool {
        match (self, hand) {
            (_, Hand::Force) => true,
            (Self::Initiated, _) => to != Self::Initiated,
            (Self::Pending, _) => to.is_final(),
            (Self::Failed, Hand::Attempt) => to == Self::Success,
            _ => false,
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Customer {
    pub id: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub phone: Option<String>,
    pub address: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub country: Option<String>,
    pub zip: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub id: String,
    pub seq: u64,
    pub status: Status,
    /// Whole units of the currency: 100 is 100 GNF, and 100 USD.
    pub amount: i64,
    pub currency: String,
    pub description: String,
    pub return_url: String,
    pub environment: String,
    pub customer: Customer,
    pub metadata: Map<String, Value>,
    pub methods: Vec<String>,
    /// The rail of the last attempt.
    pub method: Option<String>,
    pub capture: Option<String>,
    pub attempts: u32,
    pub initiated_at: OffsetDateTime,
    /// Fields that answer in place of the true ones, set by a test.
    pub answer: Map<String, Value>,
    /// Made by a test, not asked for through the API.
    pub foreign: bool,
}

#[derive(Clone, Debug)]
pub struct Payout {
    pub id: String,
    pub seq: u64,
    pub status: Status,
    pub amount: i64,
    pub currency: String,
    pub description: String,
    pub customer: Customer,
    pub metadata: Map<String, Value>,
    pub method: String,
    pub recipient: String,
    pub initiated_at: OffsetDateTime,
    pub answer: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_stays_final_except_for_the_attempt_after_a_failed_one() {
        use Status::{Cancelled, Failed, Initiated, Pending, Success};
        for (from, to, hand, expected) in [
            (Initiated, Pending, Hand::Customer, true),
            (Initiated, Success, Hand::Customer, true),
            (Pending, Cancelled, Hand::Customer, true),
            (Pending, Initiated, Hand::Attempt, false),
            (Success, Failed, Hand::Customer, false),
            (Success, Failed, Hand::Attempt, false),
            (Success, Success, Hand::Attempt, false),
            (Failed, Success, Hand::Customer, false),
            (Failed, Success, Hand::Attempt, true),
            (Failed, Cancelled, Hand::Attempt, false),
            (Cancelled, Success, Hand::Attempt, false),
            (Cancelled, Success, Hand::Force, true),
            (Success, Failed, Hand::Force, true),
        ] {
            assert_eq!(from.may_become(to, hand), expected, "{from:?} to {to:?} by {hand:?}");
        }
    }
}
