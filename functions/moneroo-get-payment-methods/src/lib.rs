//! `POST or GET /functions/v1/moneroo-get-payment-methods`: how one can pay, per currency and country.
//! The provider's list, for the currencies that we have switched on; remembered for an hour, and for a day while it is down.

mod methods;
pub mod wire;

use std::rc::Rc;

use serde_json::json;
use shared::cache::{Key, STATIC, Store};
use shared::edge::{self, Answer, ApiError, Cx, Reply, Request, Response, User};
use shared::error::{NOT_CONFIGURED, UNAVAILABLE};
use shared::payments::moneroo::Moneroo;
use wire::{Ask, CONTRACT, Method};
use worker::{Context, Env, event};

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        let read = async |cx: Cx<User>, ask: Ask| {
            let enabled = edge::list(&cx, "provider_currencies", "currency", ("provider", "moneroo")).await?;
            handle(&cx, &ask, &enabled, &edge::cache()).await
        };
        edge::serve(req, env, ctx, &CONTRACT, read).await
    }
}

/// `enabled`: the rows of `api.provider_currencies`, as JSON.
async fn handle(cx: &Cx<User>, ask: &Ask, enabled: &str, store: &Rc<dyn Store>) -> Answer<Reply> {
    let all = methods::enabled(all_methods(cx, store).await?, enabled)?;
    let currency = ask.currency.clone().unwrap_or_default();
    let country = ask.country.as_deref().unwrap_or("GN").to_ascii_uppercase();
    let fitting: Vec<&Method> =
        all.iter().filter(|method| method.fits(currency.as_str(), &country, ask.country.is_some())).collect();
    Reply::json(200, &json!({ "success": true, "methods": fitting, "all_methods": all }))
}

/// The provider's list. The same for everybody, so no user is in its key.
async fn all_methods(cx: &Cx<User>, store: &Rc<dyn Store>) -> Answer<Vec<Method>> {
    let question = Moneroo::configured(&cx.world.settings).ok_or(NOT_CONFIGURED)?.methods();
    let http = Rc::clone(&cx.world.http);
    let load = || async move {
        let listed = http.send(question).await.ok().and_then(|answer| methods::read(&answer)).ok_or(UNAVAILABLE)?;
        serde_json::to_string(&listed).map_err(|error| ApiError::internal(error.to_string()))
    };
    let kept = cx.cached(store, Key::public(CONTRACT.spec.name, 1), STATIC, load).await?;
    shared::json::read(&kept).map_err(|error| ApiError::internal(format!("the kept list: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use shared::db::Body;
    use shared::http::Lost;
    use shared::testing::{FakeDb, FakeHttp, FakeStore, alice_pays, block_on};

    const ENABLED: &str = r#"[{"currency":"GNF"},{"currency":"XOF"}]"#;

    fn listed(http: &Rc<FakeHttp>, store: &Rc<FakeStore>, currency: Option<&str>) -> Answer<Value> {
        let store: Rc<dyn Store> = store.clone();
        let ask = Ask { currency: currency.map(|c| c.to_owned().try_into().unwrap()), country: None };
        let reply = block_on(handle(&alice_pays(&FakeDb::unreachable(), http), &ask, ENABLED, &store))?;
        let Body::Text(text) = reply.body else { panic!("a list is text") };
        Ok(serde_json::from_str(&text).unwrap())
    }

    fn provider_list() -> Value {
        json!({ "data": [
            { "name": "Orange Money Guinée", "short_code": "orange_gn", "currency": { "code": "GNF" }, "countries": ["GN"] },
            { "name": "Wave Sénégal", "short_code": "wave_sn", "currency": { "code": "XOF" }, "countries": [{ "code": "SN" }] },
            { "name": "Demo", "short_code": "moneroo_payment_demo", "currency": { "code": "USD" }, "countries": [] },
        ] })
    }

    #[test]
    fn guinea_is_the_default_and_switched_off_currencies_are_not_shown() {
        let body = listed(&FakeHttp::answers(&[Ok((200, provider_list()))]), &FakeStore::at(0), None).unwrap();
        assert_eq!(body["methods"].as_array().map(Vec::len), Some(1));
        assert_eq!(body["methods"][0]["code"], "orange_gn");
        assert_eq!(body["all_methods"].as_array().map(Vec::len), Some(2), "USD is not enabled here");
    }

    #[test]
    fn the_list_is_remembered_and_a_provider_that_is_down_says_503_only_when_nothing_is() {
        let (store, down) = (FakeStore::at(0), || FakeHttp::answers(&[Err(Lost::Unreachable)]));
        assert_eq!(listed(&down(), &store, None).unwrap_err().problem().status, 503);
        listed(&FakeHttp::answers(&[Ok((200, provider_list()))]), &store, Some("XOF")).unwrap();
        for hours in [0, 2, 24] {
            store.now_ms.set(hours * 3_600_000);
            let again = listed(&down(), &store, Some("XOF")).unwrap();
            assert_eq!(again["methods"][0]["code"], "wave_sn", "after {hours} h");
        }
        store.now_ms.set(25 * 3_600_000);
        assert_eq!(listed(&down(), &store, None).unwrap_err().problem().status, 503);
    }
}
