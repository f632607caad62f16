//! When the trouble ends: whoever waits is answered, and then nothing may be missing.

use super::steps::signed;
use super::*;

impl Simulation {
    /// The trouble ends for a while: whoever waits for an answer gets it.
    pub(super) async fn quiet(&mut self) {
        let trouble = self.provider.trouble.replace(0);
        while !self.unheard.is_empty() {
            self.again().await;
        }
        self.sweep().await;
        self.provider.trouble.set(trouble);
        let books: Value = self.db.client.query_one("select ledger.check_books()", &[]).await.expect("books").get(0);
        assert_eq!(books["ok"], true, "SEED={}: {books}", self.seed);
    }

    /// In the end everything that a provider has taken is in the books once, and everything it has sent was owed once.
    pub(super) async fn nothing_is_lost(&mut self) {
        self.quiet().await;
        self.provider.trouble.set(0);
        self.send_payouts().await;
        let charges: Vec<String> = self.provider.charges.borrow().keys().cloned().collect();
        for id in &charges {
            let (rail, body) = {
                let charge = self.provider.charges.borrow()[id].clone();
                if charge.status == "pending" {
                    continue;
                }
                (charge.rail, if charge.rail == "moneroo" {
                    json!({ "event": format!("payment.{}", charge.status), "data": { "id": id, "status": charge.status } })
                } else {
                    json!({ "event": "charge.success", "data": { "id": 1, "reference": id, "status": charge.status } })
                }.to_string())
            };
            drop(self.deliver(&signed(rail, &body)).await);
        }
        let payouts: Vec<String> = self.provider.payouts.borrow().keys().cloned().collect();
        for id in &payouts {
            let (rail, body) = self.payout_news(id);
            drop(self.deliver(&signed(rail, &body)).await);
        }
        for _ in 0..3 {
            self.sweep().await;
        }
        self.compare(STEPS).await;
        self.every_success_is_booked_once();
        self.every_payout_was_sent_once();
        self.quiet().await;
    }

    fn every_success_is_booked_once(&self) {
        for (id, charge) in self.provider.charges.borrow().iter().filter(|(_, charge)| charge.status == "success") {
            let ours = self.model.ours.get(id).unwrap_or_else(|| panic!("SEED={}: {id} is nobody's", self.seed));
            let scale = if charge.rail == "paystack" { 100 } else { 1 };
            assert_eq!(self.model.payments[ours].verified, Some(charge.paid / scale), "SEED={} {id}", self.seed);
        }
    }

    fn every_payout_was_sent_once(&self) {
        let payouts = self.provider.payouts.borrow();
        let mut owed: Vec<&str> = payouts.values().filter_map(|sent| sent.metadata["intent_id"].as_str()).collect();
        let all = owed.len();
        owed.sort_unstable();
        owed.dedup();
        assert_eq!((owed.len(), all), (payouts.len(), payouts.len()), "SEED={}: a payout was sent twice", self.seed);
        for sent in payouts.values() {
            let ours = &self.model.payouts[sent.metadata["intent_id"].as_str().expect("a payout of ours")];
            let expected: &[model::Way] = match sent.status {
                "success" => &[model::Way::Done, model::Way::Lost],
                "failed" => &[model::Way::Returned],
                _ => &[model::Way::Open],
            };
            assert!(expected.contains(&ours.way), "SEED={}: {sent:?} is {:?} here", self.seed, ours.way);
        }
    }
}
