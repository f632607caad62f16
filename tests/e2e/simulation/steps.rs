//! What may happen in one step, and what must be true after it.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac as _};
use sha2::Sha512;

use super::*;

/// A user's request as the gateway hands it on, and its answer if anybody heard it.
type Heard = Option<Result<Value, ApiError>>;

pub(super) fn signed(rail: &str, body: &str) -> Notice {
    let signature = if rail == "moneroo" {
        ("x-moneroo-signature", hmac_hex(&Secret::new("whsec".into()), body.as_bytes()))
    } else {
        let mut mac = Hmac::<Sha512>::new_from_slice(b"sk_test_sim").expect("any key will do");
        mac.update(body.as_bytes());
        ("x-paystack-signature", hex::encode(mac.finalize().into_bytes()))
    };
    let headers = vec![signature];
    Notice { provider: Some(rail.into()), body: body.as_bytes().to_vec(), headers, ..Notice::default() }
}

impl Simulation {
    pub(super) async fn deposit(&mut self) -> String {
        let (user, key) = (self.user(), self.key());
        let provider = if self.random.random_bool(0.5) { "moneroo" } else { "paystack" };
        let amount = self.random.random_range(100..200_000);
        let order = Order {
            provider: provider.into(),
            purpose: Some(Purpose::WalletDeposit),
            amount: Some(amount),
            currency: Some("XOF".into()),
            idempotency_key: Some(key),
            ..Order::default()
        };
        let settings = Rc::clone(&self.settings);
        let at = checkout_at(&settings, provider).expect("keys");
        let cx = self.cx(User::for_tests(user));
        let first = self.live(&cx, checkout::start(&cx, &*at, gateway, &order)).await;
        if self.died(first).is_none_or(|answer| answer.is_err()) && self.random.random_bool(0.3) {
            // The client tries again with the same key: the same checkout, or a safe new attempt.
            let again = self.live(&cx, checkout::start(&cx, &*at, gateway, &order)).await;
            self.died(again);
        }
        format!("{user} asks for a deposit of {amount} by {provider}")
    }

    /// The payer decides at the provider, and nobody tells us.
    pub(super) fn payer(&mut self) -> String {
        let open: Vec<String> = {
            let charges = self.provider.charges.borrow();
            let again = self.random.random_bool(0.1);
            let open = |status| status == "pending" || (again && status == "failed");
            charges.iter().filter(|(_, charge)| open(charge.status)).map(|(id, _)| id.clone()).collect()
        };
        let Some(id) = open.choose(&mut self.random).cloned() else { return "nobody has anything to pay".into() };
        let mut charges = self.provider.charges.borrow_mut();
        let charge = charges.get_mut(&id).expect("it is open");
        let unit = if charge.rail == "paystack" { 100 } else { 1 };
        // Another amount than was asked is never adopted by its tag: it would stay an orphan, for people to look at.
        let known = self.model.ours.contains_key(&id);
        match self.random.random_range(if known { 0..20 } else { 0..2 }) {
            0 if !known => charge.status = "success",
            0 => charge.status = "failed",
            1 => charge.status = "cancelled",
            2 => (charge.paid, charge.status) = ((charge.asked - unit).max(unit), "success"),
            3 => (charge.paid, charge.status) = (charge.asked + 7 * unit, "success"),
            _ => charge.status = "success",
        }
        format!("{id} is {} with {} of {}", charge.status, charge.paid, charge.asked)
    }

    fn news(&mut self) -> Option<(&'static str, String)> {
        if self.random.random_bool(0.2) && !self.delivered.is_empty() {
            return self.delivered.choose(&mut self.random).cloned();
        }
        let payouts = self.random.random_bool(0.2);
        let ids: Vec<String> = if payouts {
            self.provider.payouts.borrow().keys().cloned().collect()
        } else {
            self.provider.charges.borrow().keys().cloned().collect()
        };
        let id = ids.choose(&mut self.random)?.clone();
        let news = if payouts { self.payout_news(&id) } else { self.charge_news(&id) };
        self.delivered.push(news.clone());
        Some(news)
    }

    fn charge_news(&mut self, id: &str) -> (&'static str, String) {
        let charge = self.provider.charges.borrow()[id].clone();
        // A webhook may lie about a payment that we know; what we are told of a stranger is true.
        let lies = self.model.ours.contains_key(id) && self.random.random_bool(0.1);
        let status = if lies { "success" } else { charge.status };
        let body = if charge.rail == "moneroo" {
            let event = if status == "pending" { "payment.initiated".to_owned() } else { format!("payment.{status}") };
            json!({ "event": event, "data": { "id": id, "amount": charge.paid, "currency": "XOF", "status": status } })
        } else {
            json!({ "event": "charge.success", "data": { "id": 1, "reference": id, "status": status,
                "amount": charge.paid, "currency": "XOF" } })
        };
        (charge.rail, body.to_string())
    }

    pub(super) fn payout_news(&self, id: &str) -> (&'static str, String) {
        let status = self.provider.payouts.borrow()[id].status;
        let event = if status == "pending" { "payout.initiated".to_owned() } else { format!("payout.{status}") };
        ("moneroo", json!({ "event": event, "data": { "id": id, "status": status } }).to_string())
    }

    pub(super) async fn deliver(&mut self, notice: &Notice) -> Option<Result<u16, ApiError>> {
        let settings = Rc::clone(&self.settings);
        let rail = notice.provider.as_deref().expect("a rail");
        let at = listener(&settings, rail).expect("keys");
        let cx = self.cx(Caller);
        let answer = self.live(&cx, receive::receive(&cx, &*at, gateway, notice)).await;
        self.died(answer).map(|answer| answer.map(|reply| reply.status))
    }

    pub(super) async fn webhook(&mut self) -> String {
        let Some((rail, body)) = self.news() else { return "no news".into() };
        drop(self.deliver(&signed(rail, &body)).await);
        format!("{rail} says {body}")
    }

    pub(super) async fn forged(&mut self) -> String {
        let Some((rail, body)) = self.news() else { return "no news".into() };
        let mut notice = signed(rail, &body);
        notice.body.push(b' ');
        self.fuse.set(None);
        let refused = self.deliver(&notice).await.expect("nobody died").expect_err("forged");
        assert_eq!(refused.problem().status, 403);
        assert!(self.db.log.borrow().is_empty(), "a forged webhook reached Postgres");
        format!("somebody forges {rail}: {body}")
    }

    /// Time passes, and the clock ticks.
    pub(super) async fn sweep(&mut self) -> String {
        // In the order in which they were made, so that one seed is one story.
        let later = "update payments.payments set next_check_at = created_at - interval '1 day' where next_check_at is not null;
            update payments.payment_events set next_attempt_at = received_at - interval '1 day', attempts = least(attempts, 5)
             where processed_at is null;
            update payments.payouts set next_check_at = created_at - interval '1 day', sent_at = sent_at - interval '1 hour'
             where status in ('processing', 'unknown')";
        self.db.client.batch_execute(later).await.expect("time passes");
        let cx = self.cx(Clock);
        let answer = self.live(&cx, sweep::run(&cx)).await;
        drop(self.died(answer));
        "the sweep".into()
    }

    pub(super) async fn ask(&mut self, user: Uuid, function: &str, ask: &Value) -> Heard {
        let cx = self.cx(User::for_tests(user));
        let answer = self.live(&cx, cx.rpc_read::<Value>(function, ask)).await;
        self.died(answer)
    }

    pub(super) async fn operate(&mut self, operation: &str) -> String {
        let (user, to) = (self.user(), self.user());
        let amount = self.random.random_range(100..60_000);
        let mut ask =
            json!({ "operation": operation, "amount": amount, "currency": "XOF", "idempotency_key": self.key() });
        if operation == "transfer" {
            ask["recipient_id"] = json!(to);
        } else {
            // Ivory Coast: Moneroo pays out there.
            ask["method"] = json!("orange_ci");
            ask["phone"] = json!("2250700000001");
        }
        self.command(user, ask).await
    }

    /// The model says first what must come of it.
    async fn command(&mut self, user: Uuid, ask: Value) -> String {
        let expected = self.model.verdict(&user.to_string(), &ask);
        match self.ask(user, "wallet_operations", &ask).await {
            Some(Ok(answer)) => {
                // A refusal that leaves a trace is an answer here, with its code.
                let code = answer.get("code").and_then(Value::as_str);
                assert_eq!(code, expected, "{user} {ask}: {answer}");
            }
            Some(Err(error)) if error.problem().status >= 500 => self.unheard.push((user, ask.clone())),
            Some(Err(error)) => assert_eq!(Some(error.problem().code.as_str()), expected, "{user} {ask}"),
            None => self.unheard.push((user, ask.clone())),
        }
        format!("{user}: {ask}")
    }

    /// Who did not hear an answer asks again, with the same key.
    pub(super) async fn again(&mut self) -> String {
        if self.unheard.is_empty() {
            return "everybody heard".into();
        }
        let n = self.random.random_range(0..self.unheard.len());
        let (user, ask) = self.unheard.swap_remove(n);
        format!("again, {}", self.command(user, ask).await)
    }

    pub(super) async fn send_payouts(&mut self) -> String {
        let cx = self.cx(Clock);
        let answer = self.live(&cx, payouts::process(&cx)).await;
        drop(self.died(answer));
        "payouts are sent".into()
    }

    pub(super) fn payout_ends(&mut self) -> String {
        let mut payouts = self.provider.payouts.borrow_mut();
        let late = self.random.random_bool(0.05);
        let open = |status: &str| status == "pending" || (late && status == "failed");
        let ids: Vec<String> = payouts.iter().filter(|(_, sent)| open(sent.status)).map(|(id, _)| id.clone()).collect();
        let Some(id) = ids.choose(&mut self.random) else { return "no payout is open".into() };
        let status = if late || self.random.random_bool(0.7) { "success" } else { "failed" };
        payouts.get_mut(id).expect("it is open").status = status;
        format!("payout {id} is {status}")
    }

    /// Follows what was committed, then compares every account.
    pub(super) async fn compare(&mut self, step: u32) {
        let log = std::mem::take(&mut *self.db.log.borrow_mut());
        for said in log {
            self.model.follow(&said);
            let withdrawn = said.function == "wallet_operations" && said.ask["operation"] == "withdraw";
            if (withdrawn || said.function == "payment_refund") && said.status < 300 {
                self.name_payouts().await;
            }
        }
        let expected = self.expected();
        let found = self.books().await;
        let story = self.story.iter().rev().take(25).rev().map(String::as_str).collect::<Vec<_>>().join("\n");
        assert_eq!(
            found, expected,
            "SEED={} step {step}: the ledger (left) is not the model (right)\n{story}",
            self.seed
        );
    }

    /// As many as one step can make: when the trouble ends, everybody who was not heard withdraws again in one step.
    async fn name_payouts(&mut self) {
        let unnamed: Vec<&str> = self.model.payouts.keys().map(String::as_str).collect();
        let sql = "select coalesce(payment_refund_id, transaction_id)::text, id::text from payments.payouts
                    where coalesce(payment_refund_id, transaction_id)::text = any ($1)";
        for row in self.db.client.query(sql, &[&unnamed]).await.expect("payouts") {
            self.model.name_payout(row.get(0), row.get(1));
        }
    }

    /// All accounts, as the ledger should list them.
    pub(super) fn expected(&self) -> Value {
        let wallets: BTreeMap<_, _> = self.model.wallets.iter().filter(|(_, balance)| **balance != 0).collect();
        let platform: BTreeMap<_, _> = self.model.platform.iter().filter(|(_, sum)| **sum != 0).collect();
        json!({ "wallets": wallets, "platform": platform })
    }

    /// Each wallet as its own row says, each platform account as its entries say; the entries of the step sum to zero.
    async fn books(&mut self) -> Value {
        let sql = "with fresh as (
                select a.kind, e.amount from ledger.entries e join ledger.accounts a on a.id = e.account_id
                 where e.created_at > to_timestamp(0) + $1::bigint * interval '1 microsecond'
            )
            select jsonb_build_object('sum', (select coalesce(sum(amount), 0) from fresh),
                'seen', (select (extract(epoch from max(created_at)) * 1000000)::bigint from ledger.entries
                          where created_at > to_timestamp(0) + $1::bigint * interval '1 microsecond'),
                'wallets', (select coalesce(jsonb_object_agg(user_id, balance), '{}') from ledger.wallets where balance <> 0),
                'platform', (select coalesce(jsonb_object_agg(kind, total), '{}') from (select kind, sum(amount) as total
                    from fresh where kind <> 'user_wallet' group by kind) k))";
        let found: Value = self.db.client.query_one(sql, &[&self.seen]).await.expect("books").get(0);
        assert_eq!(found["sum"], 0, "entries do not sum to zero: {found}");
        self.seen = found["seen"].as_i64().unwrap_or(self.seen);
        for (kind, amount) in found["platform"].as_object().into_iter().flatten() {
            *self.platform.entry(kind.clone()).or_default() += amount.as_i64().expect("whole");
        }
        let platform: BTreeMap<_, _> = self.platform.iter().filter(|(_, sum)| **sum != 0).collect();
        json!({ "wallets": found["wallets"], "platform": platform })
    }
}
