//! Two providers in memory, as their documentation says: Moneroo (no idempotency, found again by its tag, pays out) and
//! Paystack (found again by our own reference, hundredths). They fail as told, before or after they have acted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use shared::db::Local;
use shared::http::{Http, Incoming, Lost, Outgoing};

use super::ports::Fuse;

#[derive(Clone, Debug)]
pub struct Charge {
    pub rail: &'static str,
    pub asked: i64,
    /// What the payer really sent, in the provider's units.
    pub paid: i64,
    pub currency: String,
    pub status: &'static str,
    pub metadata: Value,
}

#[derive(Clone, Debug)]
pub struct Sent {
    pub amount: i64,
    pub currency: String,
    pub status: &'static str,
    pub metadata: Value,
}

pub struct Provider {
    pub fuse: Rc<Fuse>,
    random: RefCell<StdRng>,
    pub charges: RefCell<BTreeMap<String, Charge>>,
    pub payouts: RefCell<BTreeMap<String, Sent>>,
    /// In a hundred requests, so many end badly: half of them after the provider has acted.
    pub trouble: Cell<u32>,
    count: Cell<u32>,
}

fn answer(status: u16, body: &Value) -> Incoming {
    Incoming { status, body: body.to_string() }
}

impl Provider {
    pub fn new(seed: u64, fuse: Rc<Fuse>) -> Self {
        Self {
            fuse,
            random: RefCell::new(StdRng::seed_from_u64(seed)),
            charges: RefCell::default(),
            payouts: RefCell::default(),
            trouble: Cell::new(15),
            count: Cell::new(0),
        }
    }

    fn fresh(&self, prefix: &str) -> String {
        self.count.set(self.count.get() + 1);
        format!("{prefix}{:06}", self.count.get())
    }

    fn act(&self, request: &Outgoing) -> Incoming {
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        let body: Value = request.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["v1", "payments", "initialize"] => {
                let id = self.fresh("py_");
                let charge = Charge {
                    rail: "moneroo",
                    asked: body["amount"].as_i64().expect("an amount"),
                    paid: body["amount"].as_i64().expect("an amount"),
                    currency: body["currency"].as_str().expect("a currency").into(),
                    status: "pending",
                    metadata: body["metadata"].clone(),
                };
                self.charges.borrow_mut().insert(id.clone(), charge);
                answer(201, &json!({ "data": { "id": id, "checkout_url": format!("https://pay.test/{id}") } }))
            }
            ["v1", "payments", id, "verify"] => match self.charges.borrow().get(*id) {
                Some(charge) => answer(
                    200,
                    &json!({ "data": { "status": charge.status, "amount": charge.paid,
                    "currency": { "code": charge.currency }, "environment": "sandbox", "metadata": charge.metadata } }),
                ),
                None => answer(404, &json!({ "message": "not found" })),
            },
            ["v1", "payouts", "initialize"] => {
                let id = self.fresh("po_");
                let sent = Sent {
                    amount: body["amount"].as_i64().expect("an amount"),
                    currency: body["currency"].as_str().expect("a currency").into(),
                    status: "pending",
                    metadata: body["metadata"].clone(),
                };
                self.payouts.borrow_mut().insert(id.clone(), sent);
                answer(201, &json!({ "data": { "id": id } }))
            }
            ["v1", "payouts", id, "verify"] => match self.payouts.borrow().get(*id) {
                Some(sent) => answer(
                    200,
                    &json!({ "data": { "status": sent.status, "amount": sent.amount,
                    "currency": { "code": sent.currency }, "environment": "sandbox", "metadata": sent.metadata } }),
                ),
                None => answer(404, &json!({ "message": "not found" })),
            },
            ["paystack", "transaction", "initialize"] => {
                let reference = body["reference"].as_str().expect("a reference").to_owned();
                let amount = &body["amount"];
                let amount = amount.as_i64().or_else(|| amount.as_str()?.parse().ok()).expect("an amount");
                let charge = Charge {
                    rail: "paystack",
                    asked: amount,
                    paid: amount,
                    currency: body["currency"].as_str().expect("a currency").into(),
                    status: "pending",
                    metadata: Value::Null,
                };
                self.charges.borrow_mut().insert(reference.clone(), charge);
                answer(
                    200,
                    &json!({ "status": true, "data": { "authorization_url": "https://pay.test/x",
                    "access_code": "x", "reference": reference } }),
                )
            }
            ["paystack", "transaction", "verify", reference] => match self.charges.borrow().get(*reference) {
                Some(charge) => {
                    let status = match charge.status {
                        "pending" => "ongoing",
                        "cancelled" => "abandoned",
                        other => other,
                    };
                    answer(
                        200,
                        &json!({ "status": true, "data": { "id": 1, "status": status, "domain": "test",
                        "reference": reference, "amount": charge.paid, "currency": charge.currency } }),
                    )
                }
                None => answer(404, &json!({ "status": false, "message": "Transaction reference not found" })),
            },
            other => panic!("no provider has {other:?}"),
        }
    }
}

impl Http for Provider {
    fn send(&self, request: Outgoing) -> Local<'_, Result<Incoming, Lost>> {
        Box::pin(async move {
            let point = format!("{} {}", request.method, request.url.rsplit('/').next().unwrap_or_default());
            self.fuse.pass(&format!("before {point}")).await;
            let fate = self.random.borrow_mut().random_range(0..100);
            let trouble = self.trouble.get();
            if fate < trouble / 2 {
                // Nothing has happened there.
                return if fate % 2 == 0 { Err(Lost::Unreachable) } else { Ok(answer(500, &json!({}))) };
            }
            let reply = self.act(&request);
            self.fuse.pass(&format!("after {point}")).await;
            match fate {
                fate if fate >= trouble => Ok(reply),
                fate if fate % 3 == 0 => Ok(answer(502, &json!({}))),
                fate if fate % 3 == 1 => Ok(Incoming { status: 200, body: "<html>".into() }),
                _ => Err(Lost::TimedOut),
            }
        })
    }
}
