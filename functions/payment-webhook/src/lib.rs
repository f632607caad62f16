//! `POST or PUT /functions/v1/payment-webhook?provider=<name>[&t=<token>]`: every provider but Moneroo tells us where to look.
//! The same inbox and the same settlement: shared::payments::receive. A GET is a provider trying the address. The legacy
//! names escrow-stripe-webhook and paydunya-webhook say the provider themselves.

pub mod wire;

use serde_json::json;
use shared::edge::{self, Answer, Cx, Provider, Reply, Request, Response};
use shared::error::NOT_CONFIGURED;
use shared::payments::{Notice, PROVIDERS, gateway, listener, receive};
use wire::{CONTRACT, NOT_FOUND};
use worker::{Context, Env, event};

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        edge::serve_webhook(req, env, ctx, &CONTRACT, handle).await
    }
}

async fn handle(cx: Cx<Provider>, notice: Notice) -> Answer<Reply> {
    let named = match cx.world.invoked_as.as_str() {
        "escrow-stripe-webhook" => "stripe",
        "paydunya-webhook" => "paydunya",
        _ => notice.provider.as_deref().unwrap_or_default(),
    };
    // Moneroo has a function of its own, where its dashboard points.
    let name = PROVIDERS.into_iter().find(|name| *name == named && *name != "moneroo").ok_or(NOT_FOUND)?;
    let at = listener(&cx.world.settings, name).ok_or(NOT_CONFIGURED)?;
    if notice.get {
        return Reply::json(200, &json!({ "success": true }));
    }
    receive::receive(&cx, &*at, gateway, &notice).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::secret::{Secret, hmac_hex};
    use shared::testing::{FakeDb, FakeHttp, block_on, finish, provider, settings};

    const NOW_S: i64 = 1_800_000_000;
    const BODY: &str =
        r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","object":"payment_intent"}}}"#;

    fn with_stripe() -> shared::payments::Settings {
        let vars =
            [("STRIPE_URL", "http://stripe"), ("STRIPE_SECRET_KEY", "sk_test_x"), ("STRIPE_WEBHOOK_SECRET", "whsec_x")];
        let rails = vars.into_iter().map(|(name, value)| (name, Secret::new(value.into()))).collect();
        shared::payments::Settings { rails, ..settings() }
    }

    fn signed(body: &str, key: &str) -> Notice {
        let signature = hmac_hex(&Secret::new(key.into()), format!("{NOW_S}.{body}").as_bytes());
        Notice {
            provider: Some("stripe".into()),
            body: body.as_bytes().to_vec(),
            headers: vec![("stripe-signature", format!("t={NOW_S},v1={signature}"))],
            now_s: NOW_S,
            ..Notice::default()
        }
    }

    fn refused(notice: Notice, settings: shared::payments::Settings) -> (u16, String) {
        let cx = provider(&FakeDb::unreachable(), &std::rc::Rc::default(), settings);
        let no = block_on(handle(cx, notice)).unwrap_err().problem();
        (no.status, no.code)
    }

    #[test]
    fn a_provider_that_is_unknown_or_not_configured_stores_nothing() {
        for name in ["", "moneroo", "evil", "stripe2"] {
            let notice = Notice { provider: Some(name.into()), ..signed(BODY, "whsec_x") };
            assert_eq!(refused(notice, with_stripe()), (404, "NOT_FOUND".into()), "{name}");
        }
        assert_eq!(refused(signed(BODY, "whsec_x"), settings()), (503, "NOT_CONFIGURED".into()));
    }

    #[test]
    fn a_wrong_signature_stores_nothing() {
        assert_eq!(refused(signed(BODY, "other"), with_stripe()), (403, "INVALID_SIGNATURE".into()));
        let unsigned = Notice { headers: Vec::new(), ..signed(BODY, "whsec_x") };
        assert_eq!(refused(unsigned, with_stripe()), (403, "INVALID_SIGNATURE".into()));
    }

    #[test]
    fn an_event_is_stored_answered_and_only_then_asked_about() {
        let db = FakeDb::answers(&[(200, json!({ "duplicate": false, "reference": null }))]);
        let http = FakeHttp::answers(&[Ok((500, json!({})))]);
        let cx = provider(&db, &http, with_stripe());
        assert_eq!(block_on(handle(cx.clone(), signed(BODY, "whsec_x"))).unwrap().status, 200);
        assert_eq!((db.ask(0)["provider"].as_str(), http.sent.borrow().len()), (Some("stripe"), 0));
        finish(&cx);
        assert!(http.sent.borrow()[0].url.contains("pi_1"), "the provider is asked, not the body believed");
    }
}
