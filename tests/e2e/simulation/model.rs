//! The pure model: what the books must say after a list of committed commands. It has the rules of contracts/wallet and
//! contracts/payments in a few lines of integers, and no SQL.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ports::Committed;

#[derive(Clone, Debug)]
pub struct Payment {
    pub user: String,
    pub credit: i64,
    pub fee: i64,
    /// What arrived, once; later words about it change nothing.
    pub verified: Option<i64>,
    /// It went to suspense: too little, or for a blocked wallet.
    pub set_aside: bool,
    /// Out of the wallet, out of the fees, and by the platform's loss.
    pub given_back: (i64, i64, i64),
    provider: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Requested, claimed, or in doubt: the money waits in payout_clearing.
    Open,
    Done,
    Returned,
    /// Confirmed after it was returned: the platform's loss.
    Lost,
}

#[derive(Clone, Debug)]
pub struct Payout {
    pub user: String,
    /// What is sent.
    pub amount: i64,
    /// What comes home when it fails: to the wallet, and out of the fees.
    pub home: (i64, i64),
    /// The payment that it refunds.
    pub refunds: Option<String>,
    pub way: Way,
    pub claimed: bool,
}

#[derive(Default)]
pub struct Model {
    pub wallets: BTreeMap<String, i64>,
    pub blocked: BTreeSet<String>,
    pub platform: BTreeMap<&'static str, i64>,
    pub payments: BTreeMap<String, Payment>,
    /// Ours, by the provider's id.
    pub ours: BTreeMap<String, String>,
    pub payouts: BTreeMap<String, Payout>,
    sent: BTreeMap<String, String>,
    events: BTreeSet<String>,
    pub(super) answers: BTreeMap<(String, String), Value>,
}

/// `(2n + d) div 2d`: half up, once.
pub fn bps(amount: i64, rate: i64) -> i64 {
    (2 * amount * rate + 10_000) / 20_000
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

pub(super) fn units(value: &Value, name: &str) -> i64 {
    value[name].as_i64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

impl Model {
    pub(super) fn wallet(&mut self, user: &str) -> &mut i64 {
        self.wallets.entry(user.to_owned()).or_default()
    }

    pub(super) fn book(&mut self, account: &'static str, amount: i64) {
        *self.platform.entry(account).or_default() += amount;
    }

    /// What a transfer or withdrawal must come to: `None` for success, else the code of its refusal.
    pub fn verdict(&self, caller: &str, ask: &Value) -> Option<&'static str> {
        let (amount, transfer) = (units(ask, "amount"), ask["operation"] == "transfer");
        let due = amount + bps(amount, if transfer { 100 } else { 150 });
        if self.answers.contains_key(&(caller.to_owned(), text(ask, "idempotency_key").to_owned())) {
            None
        } else if transfer && text(ask, "recipient_id") == caller {
            Some("SELF_TRANSFER")
        } else if transfer && self.blocked.contains(text(ask, "recipient_id")) {
            Some("RECIPIENT_UNAVAILABLE")
        } else if self.blocked.contains(caller) {
            Some("WALLET_BLOCKED")
        } else if self.wallets.get(caller).copied().unwrap_or(0) < due {
            Some("INSUFFICIENT_FUNDS")
        } else {
            None
        }
    }

    /// Follows one committed command, and compares what it answered with what it had to answer.
    pub fn follow(&mut self, said: &Committed) {
        let Committed { function, caller, ask, status, answer } = said;
        let caller = caller.as_deref().unwrap_or_default();
        match function.as_str() {
            "payment_begin" => self.begin(caller, ask, answer),
            "payment_attach" => self.attach(text(ask, "payment_id"), text(ask, "provider_payment_id")),
            "payment_found" => self.attach(text(ask, "payment_id"), text(ask, "provider_payment_id")),
            "payment_event" => {
                let fresh = self.events.insert(format!("{}|{}", ask["provider"], ask["dedupe_key"]));
                assert_eq!(answer["duplicate"], !fresh, "{ask}");
            }
            "payment_settle" => {
                let expected = self.settle(ask);
                assert_eq!(text(answer, "outcome"), expected, "{ask} {:?}", self.payments);
            }
            "wallet_operations" if *status < 300 => self.operate(caller, ask, answer),
            "payout_claim" => self.claim(answer),
            "payout_sent" => self.sent(ask),
            "payout_settle" => self.settle_payout(ask),
            "wallet_admin" if *status < 300 => self.admin(ask),
            "payment_refund" => self.refund(ask, answer),
            _ => {}
        }
    }

    fn begin(&mut self, caller: &str, ask: &Value, answer: &Value) {
        if answer["fresh"] != true {
            return;
        }
        let (amount, made) = (units(ask, "amount"), &answer["payment"]);
        let fee = bps(amount, 50);
        assert_eq!((units(made, "fee"), units(made, "total")), (fee, amount + fee), "{answer}");
        let provider = text(ask, "provider").to_owned();
        if provider == "paystack" {
            self.ours.insert(text(made, "id").to_owned(), text(made, "id").to_owned());
        }
        let payment = Payment {
            user: caller.to_owned(),
            credit: amount,
            fee,
            verified: None,
            set_aside: false,
            given_back: (0, 0, 0),
            provider,
        };
        self.payments.insert(text(made, "id").to_owned(), payment);
    }

    fn attach(&mut self, ours: &str, theirs: &str) {
        self.ours.insert(theirs.to_owned(), ours.to_owned());
    }

    fn settle(&mut self, ask: &Value) -> String {
        let theirs = text(ask, "provider_payment_id");
        let claimed = ask["intent"]["payment_id"].as_str().map(str::to_owned);
        // A payment keeps the first id it was given; a second one of the same row is nobody's.
        let free = claimed.filter(|ours| !self.ours.values().any(|taken| taken == ours));
        let Some(ours) = self.ours.get(theirs).cloned().or(free) else { return "orphan".into() };
        self.ours.insert(theirs.to_owned(), ours.clone());
        let payment = self.payments[&ours].clone();
        if payment.verified.is_some() {
            return "already".into();
        }
        match text(ask, "status") {
            "success" => {}
            "pending" => return "open".into(),
            other => return other.to_owned(),
        }
        let scale = if payment.provider == "paystack" { 100 } else { 1 };
        let (verified, due) = (units(ask, "amount") / scale, payment.credit + payment.fee);
        assert_eq!(verified * scale, units(ask, "amount"), "the simulation pays whole units");
        self.payments.get_mut(&ours).expect("it is there").verified = Some(verified);
        self.book("provider_clearing", -verified);
        let blocked = self.blocked.contains(&payment.user);
        if verified < due || blocked {
            self.book("suspense", verified);
            self.payments.get_mut(&ours).expect("it is there").set_aside = true;
            return if verified < due { "underpaid" } else { "surplus" }.into();
        }
        self.book("platform_fees", payment.fee);
        *self.wallet(&payment.user) += payment.credit + verified - due;
        if verified > due { "overpaid" } else { "settled" }.into()
    }

    fn operate(&mut self, caller: &str, ask: &Value, answer: &Value) {
        let key = (caller.to_owned(), text(ask, "idempotency_key").to_owned());
        if let Some(first) = self.answers.get(&key) {
            assert_eq!(answer, first, "the same key, another answer");
            return;
        }
        assert_eq!(self.verdict(caller, ask), None, "{ask} was done");
        let amount = units(ask, "amount");
        let transfer = ask["operation"] == "transfer";
        let fee = bps(amount, if transfer { 100 } else { 150 });
        *self.wallet(caller) -= amount + fee;
        self.book("platform_fees", fee);
        if transfer {
            *self.wallet(text(ask, "recipient_id")) += amount;
        } else {
            self.book("payout_clearing", amount);
            let home = (amount + fee, fee);
            let payout =
                Payout { user: caller.to_owned(), amount, home, refunds: None, way: Way::Open, claimed: false };
            // Known by the transaction that made it until it is claimed, which names it.
            self.payouts.insert(text(answer, "transaction_id").to_owned(), payout);
        }
        let expected = self.wallets[caller];
        assert_eq!(units(answer, "new_balance"), expected, "{ask}");
        self.answers.insert(key, answer.clone());
    }

    /// Postgres names its payouts by their own ids; the driver tells which transaction each belongs to.
    pub fn name_payout(&mut self, transaction: &str, id: &str) {
        if let Some(payout) = self.payouts.remove(transaction) {
            self.payouts.insert(id.to_owned(), payout);
        }
    }

    fn claim(&mut self, answer: &Value) {
        for due in answer["due"].as_array().into_iter().flatten() {
            let payout = self
                .payouts
                .get_mut(text(due, "payout_id"))
                .unwrap_or_else(|| panic!("nobody requested this payout: {due}"));
            assert!(!payout.claimed, "claimed twice: {due}");
            assert_eq!(units(due, "amount"), payout.amount);
            payout.claimed = true;
        }
    }

    fn sent(&mut self, ask: &Value) {
        let id = text(ask, "payout_id").to_owned();
        match text(ask, "outcome") {
            "accepted" => drop(self.sent.insert(text(ask, "provider_payout_id").to_owned(), id)),
            "refused" => self.end(&id, Way::Returned),
            _ => {}
        }
    }

    fn settle_payout(&mut self, ask: &Value) {
        let theirs = text(ask, "provider_payout_id");
        let claimed = ask["payout_id"].as_str().map(str::to_owned);
        let free = claimed.filter(|id| !self.sent.values().any(|taken| taken == id));
        let Some(id) = self.sent.get(theirs).cloned().or(free) else { return };
        self.sent.insert(theirs.to_owned(), id.clone());
        match text(ask, "status") {
            "completed" => self.end(&id, Way::Done),
            "failed" => self.end(&id, Way::Returned),
            _ => {}
        }
    }

    pub(super) fn end(&mut self, id: &str, way: Way) {
        let Payout { user, amount, home, refunds, way: before, .. } = self.payouts[id].clone();
        let now = match (before, way) {
            (Way::Open, Way::Done) => {
                self.book("payout_clearing", -amount);
                self.book("provider_clearing", amount);
                Way::Done
            }
            (Way::Open, Way::Returned) => {
                self.book("payout_clearing", -amount);
                // A withdrawal's fee comes out of the fees again, a refund's goes back to them.
                let fees = if refunds.is_some() { home.1 } else { -home.1 };
                self.book("platform_fees", fees);
                if self.blocked.contains(&user) {
                    self.book("suspense", home.0);
                } else {
                    *self.wallet(&user) += home.0;
                }
                Way::Returned
            }
            (Way::Returned, Way::Done) => {
                self.book("losses", -amount);
                self.book("provider_clearing", amount);
                Way::Lost
            }
            (same, _) => same,
        };
        if let (true, Some(payment)) = (now != before, &refunds) {
            self.refund_ends(payment, home, amount, now);
        }
        self.payouts.get_mut(id).expect("it is there").way = now;
    }

    fn admin(&mut self, ask: &Value) {
        match text(ask, "action") {
            "block" => drop(self.blocked.insert(text(ask, "user_id").to_owned())),
            "unblock" => drop(self.blocked.remove(text(ask, "user_id"))),
            "settle_payout" => {
                let way = if ask["result"] == "completed" { Way::Done } else { Way::Returned };
                self.end(&text(ask, "payout_id").to_owned(), way);
            }
            other => panic!("the simulation has no {other}"),
        }
    }
}
