//! What a provider answers: anything at all. It opens, settles or refuses nothing that is not written there plainly.

use serde_json::Value;

use super::signatures::settings;
use super::{choice, line};
use crate::http::Incoming;
use crate::payments::{Checkout, Created, Gateway, Intent, PROVIDERS, Payout, PaysOut, Reference, Sent};
use crate::payments::{checkout_at, payout_at, wire};

const PAYMENT: &str = "8a8ef5f4-6a5d-4a1b-9d1f-000000000002";

/// A letter for the provider, `a` for the first; the status, a line break, and the body.
pub fn answers(data: &[u8]) {
    let Some((kind, rest)) = choice(data) else { return };
    let at = usize::from(u8::try_from(kind).unwrap_or_default()) % 32;
    let settings = settings();
    let Some(provider) = at.checked_sub(1).and_then(|at| PROVIDERS.get(at)) else { return };
    let Some(gateway) = checkout_at(&settings, provider) else { return };
    let (status, body) = line(rest);
    let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok()).unwrap_or(200);
    let answer = Incoming { status, body: String::from_utf8_lossy(body).into_owned() };
    created(&*gateway, &answer);
    told(&*gateway, &answer);
    session(&*gateway, &answer);
    if let Some(gateway) = payout_at(&settings, provider) {
        paid_out(&*gateway, &answer);
    }
}

fn created(gateway: &dyn Checkout, answer: &Incoming) {
    let intent = Intent { id: PAYMENT.into(), attempt: 1, amount: 500, currency: "GNF".into(), ..Intent::default() };
    match gateway.created(&intent, answer) {
        Created::Open { id, url, data } => {
            // MTN and Airtel say that what we ask for is there already.
            let there = matches!(gateway.name(), "mtn_momo" | "airtel_money") && answer.status < 500;
            assert!((200..300).contains(&answer.status) || there, "open after {}", answer.status);
            assert!(id == PAYMENT || wire::plausible(&id), "{id:?}");
            assert!(url.is_none_or(|url| url.starts_with("http")), "a page that is none");
            assert!(data.values().all(Value::is_string), "{data:?}");
        }
        // What may exist is never called refused.
        Created::Refused(_) => assert!((200..500).contains(&answer.status), "refused by {}", answer.status),
        Created::Unknown(_) => {}
    }
}

fn told(gateway: &dyn Gateway, answer: &Incoming) {
    for id in ["p-1", PAYMENT] {
        let known = Reference {
            payment_id: Some(PAYMENT.into()),
            currency: "GNF".into(),
            amount: 500,
            ..Reference::orphan(gateway.name(), id)
        };
        for payment in [known, Reference::orphan(gateway.name(), id)] {
            let Some(truth) = gateway.truth(&payment, answer) else { continue };
            assert!(answer.status < 300 || answer.status == 400, "told by {}", answer.status);
            assert!(truth.amount.is_none_or(|amount| amount > 0), "{truth:?}");
            assert!(truth.refunded.is_none_or(|amount| amount >= 0), "{truth:?}");
            let found = gateway.found(&payment, answer);
            assert!(found.as_deref().is_none_or(wire::plausible), "{found:?}");
        }
    }
}

fn session(gateway: &dyn Gateway, answer: &Incoming) {
    let Some(session) = gateway.session(answer) else { return };
    assert!(gateway.login().is_some() && (200..300).contains(&answer.status), "a session of {}", answer.status);
    let plain = !session.bearer.is_empty() && session.bearer.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(plain && session.lives_s > 0, "a bearer that would break the header");
}

fn paid_out(gateway: &dyn PaysOut, answer: &Incoming) {
    let payouts = gateway.payouts();
    let payout = Payout::orphan(gateway.name(), "p-1");
    match payouts.sent(&payout, answer) {
        Sent::Refused(_) => assert!((400..500).contains(&answer.status), "refused by {}", answer.status),
        sent => drop(sent),
    }
    if let Some(truth) = payouts.truth(&payout, answer) {
        assert!(truth.amount.is_none_or(|amount| amount > 0), "{truth:?}");
    }
}
