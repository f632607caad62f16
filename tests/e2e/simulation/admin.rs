//! What an admin may do in one step.

use super::*;

impl Simulation {
    pub(super) async fn block(&mut self) -> String {
        let user = self.user();
        let name = user.to_string();
        if !self.model.wallets.contains_key(&name) {
            return "nobody to block".into();
        }
        let action = if self.model.blocked.contains(&name) { "unblock" } else { "block" };
        if action == "block" && self.random.random_bool(0.7) {
            return "nobody is blocked".into();
        }
        let ask = json!({ "action": action, "user_id": name, "currency": "XOF", "reason": "simulated" });
        let admin = self.admin;
        if let Some(Err(error)) = self.ask(admin, "wallet_admin", &ask).await {
            assert!(error.problem().status >= 500, "{ask}: {error:?}");
        }
        format!("the admin: {ask}")
    }

    /// An admin gives a payment back, in whole or in part; sometimes more than there is.
    pub(super) async fn refund(&mut self) -> String {
        let paid: Vec<String> = self.model.payments.keys().cloned().collect();
        let Some(id) = paid.choose(&mut self.random) else { return "nothing to refund".into() };
        let payment = &self.model.payments[id];
        let amount = match self.random.random_range(0..4) {
            0 => self.random.random_range(1..300_000),
            1 => payment.verified.unwrap_or(1),
            _ => self.random.random_range(1..=payment.credit),
        };
        let ask = json!({ "payment_id": id, "amount": amount, "reason": "simulated", "destination": "original",
                          "idempotency_key": self.key() });
        let (admin, expected) = (self.admin, self.model.refusal_of_refund(&ask));
        for _ in 0..2 {
            match self.ask(admin, "payment_refund", &ask).await {
                Some(Ok(_)) => assert_eq!(expected, None, "{ask}"),
                Some(Err(error)) if error.problem().status >= 500 => continue,
                Some(Err(error)) => assert_eq!(Some(error.problem().code.as_str()), expected, "{ask}"),
                None => {}
            }
            break;
        }
        format!("the admin refunds: {ask}")
    }

    /// What no provider can send waits for an admin, who says how it ended.
    pub(super) async fn decide(&mut self) -> String {
        let sql = "select coalesce(array_agg(id::text order by created_at), '{}') from payments.payouts where status = 'manual'";
        let waiting: Vec<String> = self.db.client.query_one(sql, &[]).await.expect("payouts").get(0);
        let Some(id) = waiting.choose(&mut self.random) else { return "nothing to decide".into() };
        let result = if self.random.random_bool(0.6) { "completed" } else { "failed" };
        let ask = json!({ "action": "settle_payout", "payout_id": id, "result": result, "provider_reference": "by hand",
                          "reason": "simulated" });
        let admin = self.admin;
        if let Some(Err(error)) = self.ask(admin, "wallet_admin", &ask).await {
            assert!(error.problem().status >= 500, "{ask}: {error:?}");
        }
        format!("the admin: {ask}")
    }
}
