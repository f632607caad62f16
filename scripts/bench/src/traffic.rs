//! The requests: what a supabase-js client sends, with a key of its own in every body.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::Result;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::http::request::Builder;
use serde_json::{Value, json};
use uuid::Uuid;
use xtask::keys::{self, Alg};

use crate::case::Door;
use crate::load::Feed;
use crate::world::Caller;

/// Within every limit of one operation, and so little that no wallet runs dry.
pub const AMOUNT: i64 = 100;

static ANON_KEY: LazyLock<String> = LazyLock::new(keys::anon_key);

/// A command through `door`.
pub fn post(door: &Door, token: Option<&str>, body: String) -> Result<Request<Full<Bytes>>> {
    let mut request = signed(Request::post(&door.path), door).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    Ok(request.body(Full::new(body.into()))?)
}

/// A question without a body.
pub fn get(door: &Door) -> Result<Request<Full<Bytes>>> {
    Ok(signed(Request::get(&door.path), door).body(Full::default())?)
}

/// What the client always sends.
fn signed(request: Builder, door: &Door) -> Builder {
    request
        .header("host", door.addr.to_string())
        .header("x-client-info", "supabase-js/2.119.0; runtime=web")
        .header("apikey", ANON_KEY.as_str())
}

/// The body of a transfer. The bare proxy has no one who wraps it for PostgREST.
pub fn transfer(door: &Door, recipient: Uuid, amount: &Value, key: &str) -> String {
    let ask = json!({ "operation": "transfer", "amount": amount, "currency": "GNF", "recipient_id": recipient,
        "idempotency_key": key });
    if door.has_contract { ask.to_string() } else { json!({ "ask": ask }).to_string() }
}

pub struct Hello {
    pub door: Door,
}

impl Feed for Hello {
    fn next(&self, _lane: usize) -> Result<Request<Full<Bytes>>> {
        get(&self.door)
    }
}

/// Each lane has callers of its own and pays around in a ring, so that no row is wanted by two lanes at once.
pub struct Transfers {
    door: Door,
    alg: Alg,
    callers: Arc<[Caller]>,
    lanes: usize,
    turn: AtomicUsize,
    /// Keys of two runs or two rounds never meet.
    run: Uuid,
}

impl Transfers {
    pub fn new(door: Door, alg: Alg, callers: Arc<[Caller]>, lanes: usize) -> Self {
        Self { door, alg, callers, lanes, turn: AtomicUsize::new(0), run: keys::random_uuid() }
    }

    /// Sender and recipient: neighbours among the callers of one lane.
    fn pair(&self, lane: usize, turn: usize) -> (&Caller, &Caller) {
        let share = self.callers.len() / self.lanes;
        let at = |turn: usize| &self.callers[lane * share + turn % share];
        (at(turn), at(turn + 1))
    }
}

impl Feed for Transfers {
    fn next(&self, lane: usize) -> Result<Request<Full<Bytes>>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (sender, recipient) = self.pair(lane, turn);
        let body = transfer(&self.door, recipient.id, &AMOUNT.into(), &format!("{}-{turn}", self.run));
        post(&self.door, Some(sender.token(self.alg)), body)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::SocketAddr;

    use super::*;

    fn door(has_contract: bool) -> Door {
        Door {
            addr: SocketAddr::from(([127, 0, 0, 1], 1)),
            path: "/functions/v1/wallet-operations".into(),
            has_contract,
        }
    }

    fn transfers(callers: u128, lanes: usize) -> Transfers {
        let callers: Vec<Caller> = (0..callers).map(|id| Caller::new(Uuid::from_u128(id))).collect();
        Transfers::new(door(true), Alg::Hs256, callers.into(), lanes)
    }

    #[test]
    fn lanes_share_no_wallet_and_nobody_pays_himself() {
        let transfers = transfers(9, 2);
        let mut of_lane = [BTreeSet::new(), BTreeSet::new()];
        for (lane, turn) in (0..2).flat_map(|lane| (0..50).map(move |turn| (lane, turn))) {
            let (sender, recipient) = transfers.pair(lane, turn);
            assert_ne!(sender.id, recipient.id, "lane {lane}, turn {turn}");
            of_lane[lane].extend([sender.id, recipient.id]);
        }
        assert_eq!(of_lane[0].intersection(&of_lane[1]).count(), 0);
    }

    #[test]
    fn every_body_has_a_key_of_its_own() {
        let transfers = transfers(4, 1);
        let keys: BTreeSet<usize> = (0..10)
            .map(|_| transfers.next(0).expect("a request"))
            .map(|request| request.headers()["authorization"].len())
            .collect();
        assert_eq!(keys.len(), 1, "every request carries a token");
        assert_eq!(transfers.turn.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn the_bare_proxy_is_sent_what_postgrest_reads() {
        let bodies = [true, false].map(|has_contract| {
            let text = transfer(&door(has_contract), Uuid::nil(), &json!(100), "key-00001");
            serde_json::from_str::<Value>(&text).expect("JSON")
        });
        assert_eq!(bodies[0], bodies[1]["ask"]);
    }
}
