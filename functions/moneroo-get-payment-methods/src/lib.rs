//! `POST or GET /functions/v1/moneroo-get-payment-methods`: how one can pay, per currency and country.
//! The provider's list, for the currencies that we have switched on; remembered for an hour, and for a day while it is down.

mod methods;

use methods::{Cached, Method};
use serde::Deserialize;
use serde_json::json;
use shared::edge::{self, Answer, Contract, Cx, Reply, Request, Response, User};
use shared::error::{NOT_CONFIGURED, UNAVAILABLE};
use shared::payments::moneroo::Moneroo;
use worker::{Context, Env, Result, event};

const CONTRACT: Contract<User> = Contract::post("moneroo-get-payment-methods").or_get().user();

#[derive(Deserialize)]
struct Ask {
    currency: Option<shared::money::Currency>,
    country: Option<String>,
}

#[event(start)]
fn start() {
    edge::start();
}

#[event(fetch)]
async fn fetch(req: Request, env: Env, ctx: Context) -> Result<Response> {
    let read = async |cx: Cx<User>, ask: Ask| {
        let enabled = edge::list(&cx, "provider_currencies", "currency", ("provider", "moneroo")).await?;
        handle(&cx, &ask, &enabled).await
    };
    Ok(edge::serve(req, env, ctx, &CONTRACT, read).await)
}

/// `enabled`: the rows of `api.provider_currencies`, as JSON.
async fn handle(cx: &Cx<User>, ask: &Ask, enabled: &str) -> Answer<Reply> {
    let all = methods::enabled(all_methods(cx).await?, enabled)?;
    let currency = ask.currency.clone().unwrap_or_default();
    let country = ask.country.as_deref().unwrap_or("GN").to_ascii_uppercase();
    let fitting: Vec<&Method> =
        all.iter().filter(|method| method.fits(currency.as_str(), &country, ask.country.is_some())).collect();
    Reply::json(200, &json!({ "success": true, "methods": fitting, "all_methods": all }))
}

/// The provider's list: fresh within the hour, asked again after it, the last copy for a day while the provider is down.
async fn all_methods(cx: &Cx<User>) -> Answer<Vec<Method>> {
    let moneroo = Moneroo::configured(&cx.world.settings).ok_or(NOT_CONFIGURED)?;
    let now_ms = cx.world.now_ms;
    let kept = methods::recall();
    if let Some(Cached { methods, .. }) = kept.as_ref().filter(|kept| kept.is_fresh(now_ms)) {
        return Ok(methods.clone());
    }
    let answer = cx.world.http.send(moneroo.methods()).await;
    match answer.ok().and_then(|answer| methods::read(&answer)) {
        Some(methods) => {
            methods::remember(Cached { methods: methods.clone(), read_ms: now_ms });
            Ok(methods)
        }
        None => kept.filter(|kept| kept.is_usable(now_ms)).map(|kept| kept.methods).ok_or_else(|| UNAVAILABLE.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use shared::db::Body;
    use shared::http::Lost;
    use shared::testing::{FakeDb, FakeHttp, alice_pays, block_on};

    const ENABLED: &str = r#"[{"currency":"GNF"},{"currency":"XOF"}]"#;

    fn listed(http: &std::rc::Rc<FakeHttp>, currency: Option<&str>) -> Answer<Value> {
        let ask = Ask { currency: currency.map(|c| c.to_owned().try_into().unwrap()), country: None };
        let reply = block_on(handle(&alice_pays(&FakeDb::unreachable(), http), &ask, ENABLED))?;
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
        let body = listed(&FakeHttp::answers(&[Ok((200, provider_list()))]), None).unwrap();
        assert_eq!(body["methods"].as_array().map(Vec::len), Some(1));
        assert_eq!(body["methods"][0]["code"], "orange_gn");
        assert_eq!(body["all_methods"].as_array().map(Vec::len), Some(2), "USD is not enabled here");
    }

    #[test]
    fn the_list_is_remembered_and_a_provider_that_is_down_says_503_only_when_nothing_is() {
        assert_eq!(listed(&FakeHttp::answers(&[Err(Lost::Unreachable)]), None).unwrap_err().problem().status, 503);
        listed(&FakeHttp::answers(&[Ok((200, provider_list()))]), Some("XOF")).unwrap();
        let again = listed(&FakeHttp::answers(&[]), Some("XOF")).unwrap();
        assert_eq!(again["methods"][0]["code"], "wave_sn");
    }
}
