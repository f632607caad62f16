//! Faults on demand: what goes wrong, where, for whom, and how often. A fault without a match is never used up.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a fault strikes: an API call, or an outgoing webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    Initialize,
    Verify,
    Retrieve,
    Payout,
    PayoutVerify,
    PayoutRetrieve,
    Methods,
    /// Where a call needs a session first.
    Login,
    /// By the merchant's own id.
    Search,
    Refund,
    RefundVerify,
    Webhook,
}

impl On {
    pub fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Verify => "verify",
            Self::Retrieve => "retrieve",
            Self::Payout => "payout",
            Self::PayoutVerify => "payout_verify",
            Self::PayoutRetrieve => "payout_retrieve",
            Self::Methods => "methods",
            Self::Login => "login",
            Self::Search => "search",
            Self::Refund => "refund",
            Self::RefundVerify => "refund_verify",
            Self::Webhook => "webhook",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Answers `status`, before anything happened or after it did.
    Error,
    /// Answers 429 and does nothing.
    RateLimited,
    /// Says nothing for `ms`; with `when: after` (the default) everything has happened by then.
    Hang,
    /// Waits `ms`, then goes on as if nothing was wrong.
    Delay,
    /// Answers 200 with a body that is no JSON.
    Garbage,
    /// Another amount (`amount`, or `delta` added to the true one) than the true one.
    Amount,
    /// Another currency than the true one.
    Currency,
    /// Sends the webhook `copies` times at once.
    Duplicate,
    /// Keeps the webhook until it is released, the last first.
    Hold,
    /// Never sends the webhook, not even later.
    Drop,
    /// Sends the webhook with a signature that is wrong, in the way that `forgery` says.
    BadSignature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    Before,
    After,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgery {
    /// One bit of one digit differs.
    #[default]
    Flipped,
    Truncated,
    Empty,
    Missing,
    Uppercase,
    OtherSecret,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Given by us; it names the fault in `DELETE faults/{id}`.
    #[serde(default)]
    pub id: u64,
    pub on: On,
    pub fault: Kind,
    pub when: Option<When>,
    #[serde(default = "status")]
    pub status: u16,
    #[serde(default = "ms")]
    pub ms: u64,
    #[serde(default = "copies")]
    pub copies: u32,
    pub amount: Option<Value>,
    #[serde(default)]
    pub delta: i64,
    pub currency: Option<String>,
    #[serde(default)]
    pub forgery: Forgery,
    /// How often it strikes; always, when absent.
    pub times: Option<u32>,
    /// One provider; any, when absent.
    pub provider: Option<String>,
    /// The provider's id, or the merchant's reference.
    pub payment_id: Option<String>,
    /// The customer's: the only way to aim at an `initialize`, which has no id yet.
    pub email: Option<String>,
    /// The payer's, in digits, where a provider knows no address.
    pub phone: Option<String>,
    /// Of a webhook; without it every event but `*.initiated` is meant.
    pub event: Option<String>,
    #[serde(default)]
    pub used: u32,
}

fn status() -> u16 {
    500
}

fn ms() -> u64 {
    30_000
}

fn copies() -> u32 {
    2
}

/// What is about to happen, for the faults to look at.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    pub provider: &'a str,
    pub on: On,
    pub id: Option<&'a str>,
    pub reference: Option<&'a str>,
    pub email: Option<&'a str>,
    pub phone: Option<&'a str>,
    pub event: Option<&'a str>,
}

#[derive(Default)]
pub struct Faults {
    list: Vec<Fault>,
}

impl Fault {
    /// Why this fault makes no sense, if it does not.
    pub fn problem(&self) -> Option<String> {
        let webhook_only = matches!(self.fault, Kind::Duplicate | Kind::Hold | Kind::Drop | Kind::BadSignature);
        let call_only = matches!(self.fault, Kind::Error | Kind::RateLimited | Kind::Hang | Kind::Garbage);
        let on_webhook = self.on == On::Webhook;
        if (on_webhook && call_only) || (!on_webhook && webhook_only) {
            return Some(format!("this fault cannot strike on {}", self.on.name()));
        }
        match self.fault {
            Kind::Amount if self.amount.is_none() && self.delta == 0 => Some("amount or delta is required".into()),
            Kind::Currency if self.currency.is_none() => Some("currency is required".into()),
            Kind::Error if !(400..=599).contains(&self.status) => Some("status is 400 to 599".into()),
            Kind::Duplicate if !(2..=1000).contains(&self.copies) => Some("copies is 2 to 1000".into()),
            _ => None,
        }
    }

    pub fn strikes(&self, when: When) -> bool {
        let usual = if self.fault == Kind::Hang { When::After } else { When::Before };
        self.when.unwrap_or(usual) == when
    }

    fn matches(&self, moment: &Moment<'_>) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found.is_some_and(|found| found.eq_ignore_ascii_case(wanted)))
        };
        let meant = self.event.is_some() || !moment.event.is_some_and(|event| event.ends_with(".initiated"));
        self.on == moment.on
            && same(&self.provider, Some(moment.provider))
            && (same(&self.payment_id, moment.id) || same(&self.payment_id, moment.reference))
            && same(&self.email, moment.email)
            && same(&self.phone, moment.phone)
            && same(&self.event, moment.event)
            && meant
    }
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.list.push(fault);
    }

    pub fn list(&self) -> &[Fault] {
        &self.list
    }

    /// Whether there was such a fault.
    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.list.len();
        self.list.retain(|fault| fault.id != id);
        self.list.len() < before
    }

    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// The faults that strike now; each has one use less afterwards.
    pub fn take(&mut self, moment: &Moment<'_>) -> Vec<Fault> {
        let mut struck = Vec::new();
        for fault in self.list.iter_mut().filter(|fault| fault.matches(moment)) {
            fault.used += 1;
            struck.push(fault.clone());
        }
        self.list.retain(|fault| fault.times.is_none_or(|times| fault.used < times));
        struck
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(text: Value) -> Fault {
        serde_json::from_value(text).expect("a fault")
    }

    fn webhook<'a>(event: &'a str, id: &'a str) -> Moment<'a> {
        let (provider, reference, phone) = ("moneroo", None, None);
        let (on, email) = (On::Webhook, Some("awa@cauris.test"));
        Moment { provider, on, id: Some(id), reference, email, phone, event: Some(event) }
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_was_asked_to_and_then_is_gone() {
        let mut faults = Faults::default();
        faults.add(fault(json!({ "on": "webhook", "fault": "drop", "times": 2 })));
        let struck: Vec<_> = (0..3).map(|_| faults.take(&webhook("payment.success", "a")).len()).collect();
        assert_eq!(struck, [1, 1, 0]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_fault_strikes_only_where_it_is_aimed() {
        let mut faults = Faults::default();
        faults.add(fault(json!({ "on": "webhook", "fault": "drop", "payment_id": "a", "email": "AWA@cauris.test" })));
        assert_eq!(faults.take(&webhook("payment.success", "b")).len(), 0);
        assert_eq!(faults.take(&webhook("payment.initiated", "a")).len(), 0, "initiated events must be named");
        assert_eq!(faults.take(&Moment { on: On::Verify, ..webhook("payment.success", "a") }).len(), 0);
        assert_eq!(faults.take(&webhook("payment.success", "a")).len(), 1);
        faults.clear();
        faults.add(fault(json!({ "on": "webhook", "fault": "drop", "event": "payment.initiated" })));
        assert_eq!(faults.take(&webhook("payment.initiated", "a")).len(), 1);
    }

    #[test]
    fn a_fault_may_be_aimed_at_one_provider_and_at_the_merchants_own_reference() {
        let stripe = Moment { provider: "stripe", reference: Some("ours"), ..webhook("charge.refunded", "pi_1") };
        let mut faults = Faults::default();
        faults.add(fault(json!({ "on": "webhook", "fault": "drop", "provider": "paystack" })));
        assert_eq!(faults.take(&stripe).len(), 0);
        for aim in [json!({ "provider": "stripe" }), json!({ "payment_id": "ours" }), json!({})] {
            let mut aimed = json!({ "on": "webhook", "fault": "drop", "times": 1 });
            aimed.as_object_mut().expect("an object").extend(aim.as_object().expect("an object").clone());
            faults.add(fault(aimed));
            assert_eq!(faults.take(&stripe).len(), 1, "{aim}");
        }
    }

    #[test]
    fn a_fault_that_makes_no_sense_is_refused() {
        for (text, refused) in [
            (json!({ "on": "initialize", "fault": "error" }), false),
            (json!({ "on": "initialize", "fault": "drop" }), true),
            (json!({ "on": "webhook", "fault": "hang" }), true),
            (json!({ "on": "webhook", "fault": "delay", "ms": 5 }), false),
            (json!({ "on": "verify", "fault": "amount" }), true),
            (json!({ "on": "verify", "fault": "amount", "delta": -1 }), false),
            (json!({ "on": "verify", "fault": "currency" }), true),
            (json!({ "on": "verify", "fault": "error", "status": 200 }), true),
            (json!({ "on": "webhook", "fault": "duplicate", "copies": 1 }), true),
        ] {
            assert_eq!(fault(text.clone()).problem().is_some(), refused, "{text}");
        }
    }
}
