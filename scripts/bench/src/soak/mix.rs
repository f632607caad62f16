//! What a day consists of: reads, quotes, money, and those who get it wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::json;
use uuid::Uuid;
use xtask::keys::{self, Alg};

use crate::case::Door;
use crate::traffic::{AMOUNT, get, post, transfer};
use crate::world::Caller;

/// Whose calls they are; the gateway is in front of all.
pub const FUNCTIONS: [&str; 4] = ["gateway", "health", "taxi-quote-fare", "wallet-operations"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Health,
    Quote,
    Preview,
    Transfer,
    /// One's own row, straight from PostgREST.
    Rest,
    /// A token that somebody else signed.
    BadToken,
    /// Half a body.
    BadBody,
    /// A function that is not there.
    Nobody,
}

/// V8 lets garbage lie until a heap is worth collecting, so each function needs its share before memory settles.
pub const WARM_UP: [Call; 8] =
    [Call::Health, Call::Quote, Call::Transfer, Call::Rest, Call::Health, Call::Quote, Call::Preview, Call::BadToken];

/// Twenty calls, again and again.
pub const ROUND: [Call; 20] = [
    Call::Transfer,
    Call::Preview,
    Call::Quote,
    Call::Rest,
    Call::Transfer,
    Call::BadToken,
    Call::Preview,
    Call::Transfer,
    Call::Health,
    Call::Quote,
    Call::Transfer,
    Call::BadBody,
    Call::Preview,
    Call::Rest,
    Call::Transfer,
    Call::Quote,
    Call::BadToken,
    Call::Transfer,
    Call::Preview,
    Call::Nobody,
];

impl Call {
    /// The answer it deserves.
    pub fn expected(self) -> u16 {
        match self {
            Self::BadToken => 401,
            Self::BadBody => 400,
            Self::Nobody => 404,
            _ => 200,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Quote => "quote",
            Self::Preview => "preview",
            Self::Transfer => "transfer",
            Self::Rest => "rest read",
            Self::BadToken => "forged token",
            Self::BadBody => "half a body",
            Self::Nobody => "no function",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Health => "/functions/v1/health",
            Self::Quote => "/functions/v1/taxi-quote-fare",
            Self::Preview | Self::Transfer | Self::BadToken | Self::BadBody => "/functions/v1/wallet-operations",
            Self::Rest => "/rest/v1/profiles?select=id",
            Self::Nobody => "/functions/v1/nobody",
        }
    }
}

/// Lanes share no caller, so that no wallet is wanted by two at once.
pub struct Mix {
    addr: SocketAddr,
    callers: Arc<[Caller]>,
    lanes: usize,
    turn: AtomicUsize,
    run: Uuid,
}

impl Mix {
    pub fn new(addr: SocketAddr, callers: Arc<[Caller]>, lanes: usize) -> Self {
        Self { addr, callers, lanes, turn: AtomicUsize::new(0), run: keys::random_uuid() }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn next(&self, lane: usize, round: &[Call]) -> Result<(Call, Request<Full<Bytes>>)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let call = round[turn % round.len()];
        let door = Door { addr: self.addr, path: call.path().into(), has_contract: true };
        let share = self.callers.len() / self.lanes;
        let at = |turn: usize| &self.callers[lane * share + turn % share];
        let (caller, other) = (at(turn), at(turn + 1));
        // Both kinds of token, as while a project moves from one to the other.
        let alg = if (turn / round.len()).is_multiple_of(2) { Alg::Hs256 } else { Alg::Es256 };
        let token = caller.token(alg);
        let key = format!("{}-{turn}", self.run);
        let request = match call {
            Call::Health | Call::Nobody => get(&door)?,
            Call::Quote => {
                let ask =
                    json!({ "pickup": { "lat": 9.537, "lng": -13.677 }, "dropoff": { "lat": 9.6, "lng": -13.6 } });
                post(&door, Some(token), ask.to_string())?
            }
            Call::Preview => {
                let ask =
                    json!({ "operation": "preview", "amount": AMOUNT, "currency": "GNF", "recipient_id": other.id });
                post(&door, Some(token), ask.to_string())?
            }
            Call::Transfer => post(&door, Some(token), transfer(&door, other.id, &AMOUNT.into(), &key))?,
            Call::Rest => {
                let mut request = get(&door)?;
                request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
                request
            }
            Call::BadToken => post(&door, Some(&forged(token, other.token(alg))), "{}".into())?,
            Call::BadBody => post(&door, Some(token), format!(r#"{{"operation":"transfer","idempotency_key":"{key}"#))?,
        };
        Ok((call, request))
    }
}

/// One's claims under another's signature.
fn forged(claims: &str, signature: &str) -> String {
    let tail = |token: &str| token.rsplit_once('.').map(|(_, tail)| tail.to_owned()).unwrap_or_default();
    let head = claims.rsplit_once('.').map_or(claims, |(head, _)| head);
    format!("{head}.{}", tail(signature))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_round_has_every_call_and_mostly_money() {
        let callers: Vec<Caller> = (0..4).map(|id| Caller::new(Uuid::from_u128(id))).collect();
        let mix = Mix::new(SocketAddr::from(([127, 0, 0, 1], 1)), callers.into(), 2);
        let mut seen = BTreeMap::new();
        for turn in 0..ROUND.len() {
            let (call, request) = mix.next(turn % 2, &ROUND).expect("a request");
            assert_eq!(request.uri().to_string(), call.path());
            *seen.entry(call).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 8, "{seen:?}");
        assert!(seen.values().max() == seen.get(&Call::Transfer), "{seen:?}");
    }

    #[test]
    fn a_forged_token_is_ones_claims_and_anothers_signature() {
        assert_eq!(forged("a.b.c", "d.e.f"), "a.b.f");
    }

    #[test]
    fn every_call_is_answered_by_a_function_that_is_built_for_it() {
        let paths = ROUND.iter().filter_map(|call| call.path().strip_prefix("/functions/v1/"));
        for name in paths.filter(|name| *name != "nobody") {
            assert!(FUNCTIONS.contains(&name), "{name}");
        }
    }
}
