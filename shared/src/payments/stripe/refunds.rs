//! A refund to the card that paid: Stripe's way out. Sent once, under our payout's id; a charge that was refunded or
//! disputed before is a refusal, and a refusal is final.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Stripe, key_reused};
use crate::http::{Incoming, Outgoing};
use crate::json;
use crate::payments::{Payout, PayoutStatus, PayoutTruth, Payouts, Sent, wire};

/// A refund is sent once.
const ATTEMPT: i32 = 1;

#[derive(Deserialize)]
struct Refund {
    id: String,
    status: Option<String>,
    amount: i64,
    currency: String,
    #[serde(default, deserialize_with = "json::some_object")]
    metadata: Option<Map<String, Value>>,
}

impl Payouts for Stripe<'_> {
    fn send(&self, payout: &Payout) -> Outgoing {
        self.post(
            "/v1/refunds",
            &payout.payout_id,
            &[
                ("payment_intent", &payout.destination),
                ("amount", &payout.amount.to_string()),
                ("metadata[intent_id]", &payout.payout_id),
                ("metadata[attempt]", &ATTEMPT.to_string()),
                ("metadata[tag]", &self.tag(&payout.payout_id, ATTEMPT, payout.amount, &payout.currency)),
            ],
        )
    }

    fn sent(&self, _payout: &Payout, answer: &Incoming) -> Sent {
        match (answer.status, json::read(&answer.body)) {
            (200..=299, Ok(Refund { id, .. })) if wire::plausible(&id) => Sent::Accepted(id),
            (status, _) if key_reused(answer) => Sent::Unknown(format!("stripe answered {status}: key reused")),
            (status, _) => wire::not_sent("stripe", status),
        }
    }

    fn query(&self, payout: &Payout) -> Option<Outgoing> {
        let id = payout.provider_payout_id.as_deref().filter(|id| wire::plausible(id))?;
        Some(self.get(&format!("/v1/refunds/{id}"), &[]))
    }

    fn truth(&self, payout: &Payout, answer: &Incoming) -> Option<PayoutTruth> {
        if answer.status != 200 {
            return None;
        }
        let read = json::read::<Refund>(&answer.body).ok()?;
        if payout.provider_payout_id.as_deref() != Some(&read.id) {
            return None;
        }
        Some(PayoutTruth {
            status: match read.status.as_deref() {
                Some("succeeded") => PayoutStatus::Completed,
                // Cancelled is as final as failed: the money is back with us.
                Some("failed" | "canceled") => PayoutStatus::Failed,
                // Their type is nullable: null is not said yet.
                Some("pending" | "requires_action") | None => PayoutStatus::Pending,
                Some(_) => PayoutStatus::Odd,
            },
            amount: (read.amount > 0).then_some(read.amount),
            currency: read.currency.to_ascii_uppercase(),
            // A refund does not say; it is of the same mode as the key that may see it.
            environment: if crate::text::contains(self.key, "_live_") { "live" } else { "sandbox" }.to_owned(),
            claim: wire::claim(read.metadata.as_ref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::payments::stripe::tests::{answer, settings};
    use crate::payments::{PaysOut, Settings, tag};

    const ID: &str = "0b5e1d1e-0000-4000-8000-000000000002";

    fn payout() -> Payout {
        Payout {
            payout_id: ID.into(),
            provider: "stripe".into(),
            provider_payout_id: Some("re_1".into()),
            amount: 250,
            exponent: 2,
            currency: "USD".into(),
            method: "card".into(),
            destination: "pi_1".into(),
            ..Payout::default()
        }
    }

    fn with<T>(check: impl Fn(&Settings, &dyn Payouts) -> T) -> T {
        let settings = settings();
        let stripe = Stripe::configured(&settings).unwrap();
        check(&settings, PaysOut::payouts(&stripe))
    }

    #[test]
    fn a_refund_is_sent_under_the_payouts_own_key() {
        with(|settings, rail| {
            let sent = rail.send(&payout());
            assert_eq!((sent.method, sent.url.as_str()), ("POST", "http://stripe/v1/refunds"));
            assert!(sent.headers.contains(&("idempotency-key", ID.into())), "{:?}", sent.headers);
            let tag = tag(&settings.tag_key, ID, 1, 250, "USD");
            let body = format!(
                "payment_intent=pi_1&amount=250&metadata%5Bintent_id%5D={ID}&metadata%5Battempt%5D=1&metadata%5Btag%5D={tag}"
            );
            assert_eq!(sent.body, Some(body));
        });
    }

    #[test]
    fn a_refund_of_a_refunded_or_disputed_charge_is_refused_for_good_and_a_silence_is_not() {
        with(|_, rail| {
            let good = r#"{"id":"re_1","object":"refund","amount":250,"currency":"usd","status":"pending"}"#;
            assert_eq!(rail.sent(&payout(), &answer(200, good)), Sent::Accepted("re_1".into()));
            for code in ["charge_already_refunded", "charge_disputed", "amount_too_large"] {
                let no = json!({ "error": { "type": "invalid_request_error", "code": code } }).to_string();
                assert!(matches!(rail.sent(&payout(), &answer(400, &no)), Sent::Refused(_)), "{code}");
            }
            let reused = r#"{"error":{"type":"idempotency_error"}}"#;
            for (status, body) in
                [(400, reused), (409, reused), (408, ""), (500, good), (200, "{}"), (200, "oops"), (302, "")]
            {
                assert!(matches!(rail.sent(&payout(), &answer(status, body)), Sent::Unknown(_)), "{status} {body}");
            }
        });
    }

    #[test]
    fn failed_and_canceled_give_the_money_back_and_only_succeeded_completes() {
        with(|settings, rail| {
            let asked = rail.query(&payout()).unwrap();
            assert_eq!((asked.method, asked.url.as_str()), ("GET", "http://stripe/v1/refunds/re_1"));
            let tag = tag(&settings.tag_key, ID, 1, 250, "USD");
            for (status, expected) in [
                (json!("succeeded"), PayoutStatus::Completed),
                (json!("failed"), PayoutStatus::Failed),
                (json!("canceled"), PayoutStatus::Failed),
                (json!("pending"), PayoutStatus::Pending),
                (json!("requires_action"), PayoutStatus::Pending),
                (json!("reversed"), PayoutStatus::Odd),
                (json!(null), PayoutStatus::Pending),
            ] {
                let body = json!({
                    "id": "re_1", "amount": 250, "currency": "usd", "status": status,
                    "metadata": { "intent_id": ID, "attempt": "1", "tag": tag },
                });
                let truth = rail.truth(&payout(), &answer(200, &body.to_string())).unwrap();
                assert_eq!(truth.status, expected, "{status}");
                assert_eq!(
                    (truth.amount, truth.currency.as_str(), truth.environment.as_str()),
                    (Some(250), "USD", "sandbox")
                );
                assert!(truth.claim.unwrap().holds(&settings.tag_key, 250, "USD"));
            }
        });
    }

    #[test]
    fn an_unreadable_answer_or_one_about_another_refund_is_no_answer() {
        with(|_, rail| {
            let other = r#"{"id":"re_2","amount":250,"currency":"usd","status":"succeeded"}"#;
            for (status, body) in
                [(200, other), (200, "{}"), (200, ""), (404, "{}"), (500, &other.replace("re_2", "re_1"))]
            {
                assert_eq!(rail.truth(&payout(), &answer(status, body)), None, "{status} {body}");
            }
            for id in [None, Some("../re_1".to_owned())] {
                assert_eq!(rail.query(&Payout { provider_payout_id: id.clone(), ..payout() }), None, "{id:?}");
            }
        });
    }
}
