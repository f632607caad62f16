//! `POST /functions/v1/moneroo-webhook`: Moneroo tells us where to look. Signature over the raw bytes, then stored, then 200,
//! and only then the provider is asked: nothing is believed that is written in the body.

pub mod wire;

use shared::edge::{self, Answer, Cx, Provider, Reply, Request, Response};
use shared::error::NOT_CONFIGURED;
use shared::payments::moneroo::{Moneroo, alone};
use shared::payments::{Notice, receive};
use wire::CONTRACT;
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
    let moneroo = Moneroo::configured(&cx.world.settings).ok_or(NOT_CONFIGURED)?;
    receive::receive(&cx, &moneroo, alone, &notice).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::payments::Settings;
    use shared::secret::hmac_hex;
    use shared::testing::{FakeDb, FakeHttp, block_on, finish, provider, settings};

    const BODY: &str =
        r#"{"event":"payment.success","data":{"id":"py_1","amount":200,"currency":"XOF","status":"success"}}"#;

    fn good(body: &str) -> String {
        hmac_hex(&settings().moneroo_webhook_secrets[0], body.as_bytes())
    }

    fn signed(body: &str, signature: Option<String>) -> Notice {
        let headers = signature.map(|signature| ("x-moneroo-signature", signature)).into_iter().collect();
        Notice { body: body.as_bytes().to_vec(), headers, ..Notice::default() }
    }

    fn raw(body: &str) -> Notice {
        signed(body, Some(good(body)))
    }

    fn refused(raw: Notice, settings: Settings) -> (u16, String) {
        let no = block_on(handle(provider(&FakeDb::unreachable(), &std::rc::Rc::default(), settings), raw))
            .unwrap_err()
            .problem();
        (no.status, no.code)
    }

    #[test]
    fn without_a_secret_it_is_closed_and_without_a_good_signature_nothing_is_stored() {
        let bare = Settings { moneroo_webhook_secrets: Vec::new(), ..settings() };
        assert_eq!(refused(raw(BODY), bare), (503, "NOT_CONFIGURED".into()));
        for signature in
            [None, Some(String::new()), Some("v1,".into()), Some(good("{}")), Some(good(BODY).to_uppercase())]
        {
            assert_eq!(refused(signed(BODY, signature), settings()), (403, "INVALID_SIGNATURE".into()));
        }
    }

    #[test]
    fn a_signed_body_that_is_no_event_is_400() {
        for body in [
            "",
            "[]",
            "{",
            r#"{"event":"payment.success","data":{"id":null}}"#,
            r#"{"event":"a","event":"b","data":{"id":"x"}}"#,
        ] {
            assert_eq!(refused(raw(body), settings()), (400, "BAD_JSON".into()), "{body}");
        }
    }

    #[test]
    fn an_event_is_stored_answered_and_only_then_asked_about() {
        let db = FakeDb::answers(&[(200, json!({ "duplicate": false })), (200, json!({ "outcome": "settled" }))]);
        let truth =
            json!({ "data": { "status": "pending", "amount": 200, "currency": "XOF", "environment": "sandbox" } });
        let cx = provider(&db, &FakeHttp::answers(&[Ok((200, truth))]), settings());
        assert_eq!(block_on(handle(cx.clone(), raw(BODY))).unwrap().status, 200);
        assert_eq!(db.ask(0)["dedupe_key"], "payment.success|py_1|success");
        assert_eq!(db.asked.borrow().len(), 1, "nothing was settled before the answer");
        finish(&cx);
        assert_eq!(db.ask(1)["status"], "pending", "the provider's word, not the webhook's");
    }

    #[test]
    fn a_duplicate_is_answered_and_asks_nobody() {
        let db = FakeDb::answers(&[(200, json!({ "duplicate": true }))]);
        let cx = provider(&db, &std::rc::Rc::default(), settings());
        assert_eq!(block_on(handle(cx.clone(), raw(BODY))).unwrap().status, 200);
        finish(&cx);
    }

    #[test]
    fn an_event_that_cannot_be_stored_is_not_answered_200() {
        let db = FakeDb::answers(&[(500, json!({ "code": "XX000", "message": "disk full" }))]);
        let no = block_on(handle(provider(&db, &std::rc::Rc::default(), settings()), raw(BODY))).unwrap_err().problem();
        assert_eq!((no.status, no.message.contains("disk")), (500, false));
    }
}
