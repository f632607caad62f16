//! `POST /functions/v1/taxi-payment`: pays a ride once; also `taxi-payment-process`, which says `tripId` for `rideId`.
//! Amount, payer and shares come from the ride, in Postgres: migrations/20261121095500_ride_payments.sql. A card or a phone is
//! asked through the provider's adapter, as for any other payment; its settlement collects the ride.

pub mod wire;

use serde_json::{Map, Value, json};
use shared::edge::{self, Answer, Cx, Reply, Request, Response, User};
use shared::error::NOT_CONFIGURED;
use shared::payments::checkout::{self, Order, Payment, Purpose};
use shared::payments::mtn_momo::MtnMomo;
use shared::payments::orange_money::OrangeMoney;
use shared::payments::stripe::Stripe;
use shared::payments::{Checkout, Gateway, Settings};
use wire::{Ask, CONTRACT, Method};
use worker::{Context, Env, event};

impl Method {
    /// Who asks the payer; `None` where nobody outside has to be asked.
    fn provider(self) -> Option<&'static str> {
        match self {
            Self::Card => Some("stripe"),
            Self::OrangeMoney => Some("orange_money"),
            Self::MtnMoney => Some("mtn_momo"),
            Self::Wallet | Self::Cash => None,
        }
    }
}

/// The providers of [`Method::provider`] alone: what else there is, no ride is paid with.
fn rail<'a>(settings: &'a Settings, provider: &str) -> Option<Box<dyn Checkout + 'a>> {
    if settings.tag_key.is_empty() {
        return None;
    }
    Some(match provider {
        "stripe" => Box::new(Stripe::configured(settings)?),
        "orange_money" => Box::new(OrangeMoney::configured(settings)?),
        "mtn_momo" => Box::new(MtnMomo::configured(settings)?),
        _ => return None,
    })
}

fn gateway<'a>(settings: &'a Settings, provider: &str) -> Option<Box<dyn Gateway + 'a>> {
    Some(rail(settings, provider)?)
}

#[event(start)]
fn start() {
    edge::start();
}

shared::fetch! {
    async fn fetch(req: Request, env: Env, ctx: Context) -> Response {
        edge::serve(req, env, ctx, &CONTRACT, handle).await
    }
}

async fn handle(cx: Cx<User>, mut ask: Ask) -> Answer<Reply> {
    ask.idempotency_key = cx.idempotency_key(ask.idempotency_key.take())?;
    match ask.payment_method.and_then(Method::provider) {
        Some(provider) if ask.confirm != Some(true) => by_provider(&cx, ask, provider).await,
        _ => cx.rpc("taxi_payment", &ask).await,
    }
}

/// First the ride's own row, then the provider: a crash between them leaves a payment to be asked for again.
async fn by_provider(cx: &Cx<User>, ask: Ask, provider: &str) -> Answer<Reply> {
    // Before anything is written: a method without its keys is refused, never simulated.
    let rail = rail(&cx.world.settings, provider).ok_or(NOT_CONFIGURED)?;
    let phone = checkout::phone(ask.phone.clone())?;
    let mut answer: Map<String, Value> = cx.rpc_read("taxi_payment", &ask).await?;
    let open = answer.get("transaction").and_then(|t| t.get("status")).and_then(Value::as_str) == Some("processing");
    if open {
        let order = Order {
            provider: provider.to_owned(),
            purpose: Some(Purpose::Ride),
            purpose_id: Some(ask.ride_id.to_string()),
            phone,
            ..Order::default()
        };
        let payment = checkout::start(cx, &*rail, gateway, &order).await?;
        answer.insert("payment".to_owned(), asked(ask.payment_method, &payment));
    }
    Reply::json(200, &answer)
}

fn asked(method: Option<Method>, payment: &Payment) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("success", json!(true));
    put("method", json!(method));
    put("status", json!("processing"));
    put("payment_id", json!(payment.provider_payment_id));
    if let Some(secret) = payment.data.get("client_secret") {
        put("client_secret", secret.clone());
        put("payment_intent_id", json!(payment.provider_payment_id));
    } else if payment.checkout_url.is_none() {
        put("message", json!("confirm the payment on the phone"));
    } else {
        put("message", json!("continue on the provider's page"));
    }
    if let Some(url) = &payment.checkout_url {
        put("checkout_url", json!(url));
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::{FakeDb, alice, block_on};

    const RIDE: &str = "00000000-0000-4000-8000-00000000000a";

    fn ask(more: &str) -> Answer<Ask> {
        shared::json::parse(format!(r#"{{"tripId":"{RIDE}"{more}}}"#).as_bytes())
    }

    #[test]
    fn amount_and_driver_of_a_legacy_body_go_no_further() {
        let db = FakeDb::answers(&[(200, json!({ "success": true }))]);
        let more =
            r#","paymentMethod":"wallet","amount":1,"driverId":"d","driverShare":1,"idempotencyKey":"alices-key""#;
        block_on(handle(alice(&db), ask(more).unwrap())).unwrap();
        assert_eq!(db.ask(0), json!({ "rideId": RIDE, "paymentMethod": "wallet", "idempotency_key": "alices-key" }));
    }

    #[test]
    fn a_method_without_its_keys_is_refused_before_anything_is_written() {
        for method in ["card", "orange_money", "mtn_money"] {
            let ask = ask(&format!(r#","paymentMethod":"{method}","phone":"224620000001""#)).unwrap();
            let no = block_on(handle(alice(&FakeDb::unreachable()), ask)).unwrap_err().problem();
            assert_eq!((no.status, no.code.as_str()), (503, "NOT_CONFIGURED"), "{method}");
        }
    }

    #[test]
    fn every_method_of_the_contract_is_known_and_no_other() {
        for method in ["wallet", "card", "orange_money", "mtn_money", "cash"] {
            let ask = ask(&format!(r#","paymentMethod":"{method}""#)).unwrap();
            assert_eq!(serde_json::to_value(ask).unwrap()["paymentMethod"], method);
        }
        assert_eq!(
            ask(r#","paymentMethod":"bitcoin""#).err().expect("refused").problem().details.read()[0]["field"],
            "paymentMethod"
        );
    }

    #[test]
    fn a_refusal_of_the_guard_reaches_the_customer() {
        let db =
            FakeDb::answers(&[(409, json!({ "code": "INSUFFICIENT_FUNDS", "message": "the balance is too low" }))]);
        let mut cx = alice(&db);
        std::rc::Rc::get_mut(&mut cx.world).unwrap().rpc_codes = CONTRACT.spec.rpc_codes;
        let no = block_on(handle(cx, ask(r#","paymentMethod":"wallet""#).unwrap())).unwrap_err().problem();
        assert_eq!((no.status, no.code.as_str()), (409, "INSUFFICIENT_FUNDS"));
    }

    #[test]
    fn a_driver_confirms_cash_without_saying_cash() {
        let ask = ask(r#","confirm":true"#).unwrap();
        assert_eq!(serde_json::to_value(ask).unwrap(), json!({ "rideId": RIDE, "confirm": true }));
    }
}
