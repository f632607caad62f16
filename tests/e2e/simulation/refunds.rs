//! The model's part about refunds: what is left of a payment, who gives it, and what a payout's end makes of it.

use serde_json::Value;

use super::model::{Model, Payment, Payout, Way, text, units};

impl Payment {
    /// What the wallet and the fees may still give back. What the platform has paid counts against the wallet's part.
    fn left(&self) -> (i64, i64) {
        let verified = self.verified.unwrap_or(0);
        let (wallet, fees, losses) = self.given_back;
        let wallet = verified - self.fee - wallet - losses;
        (wallet.max(0), (self.fee - fees + wallet.min(0)).max(0))
    }
}

impl Model {
    /// What a refund must come to: who gives what, or the code of its refusal.
    fn split(&self, ask: &Value) -> Result<(i64, i64), &'static str> {
        let payment = &self.payments[text(ask, "payment_id")];
        let amount = units(ask, "amount");
        if payment.verified.is_none() || payment.set_aside {
            // Suspense is released by an admin, not refunded.
            let whole = payment.verified.unwrap_or(i64::MAX);
            return Err(if amount > whole { "REFUND_EXCEEDS_CAPTURED" } else { "NOT_REFUNDABLE" });
        }
        let (wallet, fees) = payment.left();
        let from_wallet = amount.min(wallet);
        let rest = amount - from_wallet;
        if amount > wallet + fees || (rest > 0 && rest != fees) {
            return Err("REFUND_EXCEEDS_CAPTURED");
        }
        if from_wallet > 0 && self.blocked.contains(&payment.user) {
            return Err("NOT_REFUNDABLE");
        }
        if self.wallets.get(&payment.user).copied().unwrap_or(0) < from_wallet {
            return Err("INSUFFICIENT_FUNDS");
        }
        Ok((from_wallet, rest))
    }

    pub fn refusal_of_refund(&self, ask: &Value) -> Option<&'static str> {
        let key = ("refund".to_owned(), text(ask, "idempotency_key").to_owned());
        if self.answers.contains_key(&key) { None } else { self.split(ask).err() }
    }

    pub(super) fn refund(&mut self, ask: &Value, answer: &Value) {
        let key = ("refund".to_owned(), text(ask, "idempotency_key").to_owned());
        if let Some(first) = self.answers.get(&key) {
            assert_eq!(answer, first, "the same key, another answer");
            return;
        }
        let home = self.split(ask).unwrap_or_else(|code| panic!("{ask} was done, and should be {code}"));
        let payment = text(ask, "payment_id").to_owned();
        let row = self.payments.get_mut(&payment).expect("it is there");
        row.given_back.0 += home.0;
        row.given_back.1 += home.1;
        let (user, left) = (row.user.clone(), row.left());
        assert_eq!(units(&answer["refund"], "remaining"), left.0 + left.1, "{ask}");
        *self.wallet(&user) -= home.0;
        self.book("platform_fees", -home.1);
        let amount = home.0 + home.1;
        self.book("payout_clearing", amount);
        let payout = Payout { user, amount, home, refunds: Some(payment), way: Way::Open, claimed: false };
        self.payouts.insert(text(&answer["refund"], "id").to_owned(), payout);
        self.answers.insert(key, answer.clone());
    }

    /// Failed: its share may be refunded again. Paid after that: it counts again, and the platform has paid it.
    pub(super) fn refund_ends(&mut self, payment: &str, home: (i64, i64), amount: i64, way: Way) {
        let given = &mut self.payments.get_mut(payment).expect("it is there").given_back;
        match way {
            Way::Returned => (given.0, given.1) = (given.0 - home.0, given.1 - home.1),
            Way::Lost => given.2 += amount,
            Way::Open | Way::Done => {}
        }
    }
}
