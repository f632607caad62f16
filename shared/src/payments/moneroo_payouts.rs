//! Moneroo's way out, to phones. No idempotency key exists: a second call is a second payout, so there is none, and an
//! answer that was lost is found again by the tag in the metadata or by a human. Source: docs.moneroo.io.

use serde::Deserialize;
use serde_json::json;

use super::moneroo::{Envelope, Moneroo, Verified};
use super::{Customer, Payout, PayoutStatus, PayoutTruth, Payouts, Sent, tag, wire};
use crate::http::{Incoming, Outgoing};
use crate::json;

/// A payout is sent once.
const ATTEMPT: i32 = 1;

#[derive(Deserialize)]
struct Made {
    id: String,
}

impl Payouts for Moneroo<'_> {
    fn send(&self, payout: &Payout) -> Outgoing {
        let tag = tag(&self.settings.tag_key, &payout.payout_id, ATTEMPT, payout.amount, &payout.currency);
        let body = json!({
            "amount": payout.amount, "currency": payout.currency, "description": format!("Payout {}", payout.payout_id),
            "method": payout.method, "customer": Customer { phone: None, ..payout.customer.clone() },
            "recipient": { "msisdn": payout.destination },
            "metadata": { "intent_id": payout.payout_id, "attempt": ATTEMPT.to_string(), "tag": tag },
        });
        self.request("POST", "/v1/payouts/initialize", Some(json::text(&body)))
    }

    fn sent(&self, _payout: &Payout, answer: &Incoming) -> Sent {
        match (answer.status, json::read::<Envelope<Made>>(&answer.body)) {
            (200..=299, Ok(Envelope { data })) if wire::plausible(&data.id) => Sent::Accepted(data.id),
            (status, _) => wire::not_sent("moneroo", status),
        }
    }

    fn query(&self, payout: &Payout) -> Option<Outgoing> {
        let id = payout.provider_payout_id.as_deref().filter(|id| wire::plausible(id))?;
        Some(self.request("GET", &format!("/v1/payouts/{id}/verify"), None))
    }

    fn truth(&self, payout: &Payout, answer: &Incoming) -> Option<PayoutTruth> {
        let data = Verified::read(answer, payout.provider_payout_id.as_deref()?)?;
        Some(PayoutTruth {
            status: match data.status.as_str() {
                "success" => PayoutStatus::Completed,
                "failed" => PayoutStatus::Failed,
                "initiated" | "pending" => PayoutStatus::Pending,
                _ => PayoutStatus::Odd,
            },
            amount: data.amount(),
            currency: data.currency(),
            environment: data.environment(),
            claim: data.claim(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::payments::{PaysOut, Settings};
    use crate::testing::settings;

    fn payout() -> Payout {
        Payout {
            payout_id: "0b5e1d1e-0000-4000-8000-000000000001".into(),
            provider: "moneroo".into(),
            provider_payout_id: Some("po_1".into()),
            amount: 5000,
            currency: "XOF".into(),
            method: "wave_sn".into(),
            destination: "221770000000".into(),
            customer: Customer {
                email: Some("a@b.sn".into()),
                first_name: Some("Awa".into()),
                last_name: Some("Ba".into()),
                phone: Some("+221770000000".into()),
            },
            ..Payout::default()
        }
    }

    fn answer(status: u16, body: &str) -> Incoming {
        Incoming { status, body: body.into() }
    }

    fn with<T>(check: impl Fn(&Settings, &dyn Payouts) -> T) -> T {
        let settings = settings();
        let moneroo = Moneroo::configured(&settings).unwrap();
        check(&settings, moneroo.payouts())
    }

    #[test]
    fn a_payout_is_sent_with_the_tag_that_finds_it_again() {
        with(|settings, rail| {
            let sent = rail.send(&payout());
            assert_eq!((sent.method, sent.url.as_str()), ("POST", "http://provider/v1/payouts/initialize"));
            assert_eq!(sent.headers[0], ("authorization", "Bearer sk_sandbox".into()));
            let id = payout().payout_id;
            assert_eq!(
                serde_json::from_str::<Value>(&sent.body.unwrap()).unwrap(),
                json!({
                    "amount": 5000, "currency": "XOF", "description": format!("Payout {id}"), "method": "wave_sn",
                    "customer": { "email": "a@b.sn", "first_name": "Awa", "last_name": "Ba" },
                    "recipient": { "msisdn": "221770000000" },
                    "metadata": { "intent_id": id, "attempt": "1", "tag": tag(&settings.tag_key, &id, 1, 5000, "XOF") },
                })
            );
        });
    }

    #[test]
    fn only_an_id_is_a_yes_and_only_a_clear_no_is_a_no() {
        with(|_, rail| {
            assert_eq!(rail.sent(&payout(), &answer(201, r#"{"data":{"id":"po_1"}}"#)), Sent::Accepted("po_1".into()));
            for status in [400, 401, 403, 404, 422, 429] {
                assert!(matches!(rail.sent(&payout(), &answer(status, "{}")), Sent::Refused(_)), "{status}");
            }
            for (status, body) in [
                (201, "{}"),
                (201, r#"{"id":"po_1"}"#),
                (201, r#"{"data":{"id":null}}"#),
                (201, r#"{"data":{"id":"../po"}}"#),
                (200, "oops"),
                (302, ""),
                (408, ""),
                (500, ""),
                (504, ""),
            ] {
                assert!(matches!(rail.sent(&payout(), &answer(status, body)), Sent::Unknown(_)), "{status} {body}");
            }
        });
    }

    #[test]
    fn what_became_of_it_is_asked_by_its_id_and_by_no_other() {
        with(|_, rail| {
            let asked = rail.query(&payout()).unwrap();
            assert_eq!((asked.method, asked.url.as_str()), ("GET", "http://provider/v1/payouts/po_1/verify"));
            for id in [None, Some("../po_1".to_owned()), Some(String::new())] {
                assert_eq!(rail.query(&Payout { provider_payout_id: id.clone(), ..payout() }), None, "{id:?}");
            }
        });
    }

    #[test]
    fn only_success_completes_and_only_failed_returns() {
        with(|settings, rail| {
            let id = payout().payout_id;
            let tag = tag(&settings.tag_key, &id, 1, 5000, "XOF");
            for (status, expected) in [
                ("success", PayoutStatus::Completed),
                ("failed", PayoutStatus::Failed),
                ("initiated", PayoutStatus::Pending),
                ("pending", PayoutStatus::Pending),
                ("cancelled", PayoutStatus::Odd),
                ("reversed", PayoutStatus::Odd),
            ] {
                let body = json!({ "data": {
                    "id": "po_1", "status": status, "amount": 5000, "currency": { "code": "XOF" }, "environment": "live",
                    "metadata": { "intent_id": id, "attempt": "1", "tag": tag },
                } });
                let truth = rail.truth(&payout(), &answer(200, &body.to_string())).unwrap();
                assert_eq!(truth.status, expected, "{status}");
                assert_eq!(
                    (truth.amount, truth.currency.as_str(), truth.environment.as_str()),
                    (Some(5000), "XOF", "live")
                );
                assert!(truth.claim.unwrap().holds(&settings.tag_key, 5000, "XOF"));
            }
        });
    }

    #[test]
    fn an_unreadable_answer_or_one_about_another_payout_is_no_answer() {
        with(|_, rail| {
            let body = r#"{"data":{"id":"po_2","status":"success","amount":5000,"currency":"XOF"}}"#;
            for (status, body) in
                [(200, body), (200, ""), (200, "[]"), (404, "{}"), (500, &body.replace("po_2", "po_1"))]
            {
                assert_eq!(rail.truth(&payout(), &answer(status, body)), None, "{status} {body}");
            }
        });
    }
}
