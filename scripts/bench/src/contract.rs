//! Nobody is timed who does not do the work: each subject proves the contract first, and SQL proves the subject.

use anyhow::{Context as _, Result, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use xtask::keys::{self, Alg};

use crate::case::{Case, Door};
use crate::load::{Lane, Reply};
use crate::traffic::{get, post, transfer};
use crate::world::World;

const AMOUNT: i64 = 12_345;
/// 1 percent on top, rounded half up; contracts/wallet: money configuration.
const FEE: i64 = 123;
/// What every answer of ours carries, by whomever it is given: headers are a good part of what an answer costs.
const HEAD: [(&str, &str); 8] = [
    ("content-type", "application/json"),
    ("cache-control", "private, no-store"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("access-control-allow-origin", "*"),
];

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

pub async fn check(case: Case, door: &Door, world: &mut World) -> Result<()> {
    match case.alg() {
        Some(alg) => Check { door, world, alg }.transfer().await,
        None => hello(case, door).await,
    }
}

/// A call was answered and not refused.
pub fn answered(reply: &Reply) -> Result<()> {
    ensure!(reply.status.is_success(), "answered {}: {}", reply.status, String::from_utf8_lossy(&reply.body));
    Ok(())
}

/// Of two calls that are the same the second is one too many: what is bound as the rate limiter is really asked.
pub async fn is_limited(door: &Door, world: &mut World) -> Result<()> {
    let token = world.giver.token(Alg::Hs256).to_owned();
    let body = transfer(door, world.taker.id, &AMOUNT.into(), &keys::random_uuid().to_string());
    let first = ask(door, Some(&token), body.clone()).await?;
    ensure!(first.status == StatusCode::OK, "the first call was answered {}: {}", first.status, first.body);
    world.answered(1)?;
    let second = ask(door, Some(&token), body).await?;
    refused(door, &second, StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED").context("a second call")?;
    ensure!(second.headers.contains_key("retry-after"), "a caller is not told when to come back");
    Ok(())
}

async fn ask(door: &Door, token: Option<&str>, body: String) -> Result<Answer> {
    send(door, post(door, token, body)?).await
}

async fn send(door: &Door, request: Request<Full<Bytes>>) -> Result<Answer> {
    let reply = Lane::open(door.addr).await?.send(request).await?;
    let text = String::from_utf8_lossy(&reply.body);
    let body = serde_json::from_str(&text).with_context(|| format!("answered {} with {text:?}", reply.status))?;
    Ok(Answer { status: reply.status, headers: reply.headers, body })
}

async fn hello(case: Case, door: &Door) -> Result<()> {
    let answer = send(door, get(door)?).await?;
    ensure!(answer.status == StatusCode::OK && answer.body == json!({ "ok": true }), "hello said {}", answer.body);
    has_head(door, &answer.headers)?;
    if case == Case::Hop {
        let unknown = Door { path: "/functions/v1/nobody".into(), ..door.clone() };
        let answer = send(&unknown, get(&unknown)?).await?;
        refused(&unknown, &answer, StatusCode::NOT_FOUND, "NOT_FOUND").context("an unknown name")?;
    }
    Ok(())
}

/// Values are compared from their beginning: who names a charset as well says nothing else.
fn has_head(door: &Door, headers: &HeaderMap) -> Result<()> {
    if door.has_contract {
        for (name, value) in HEAD {
            let said = headers.get(name).and_then(|said| said.to_str().ok()).unwrap_or_default();
            ensure!(said.starts_with(value), "{name} is {said:?} and not {value:?}");
        }
        for name in ["x-request-id", "access-control-expose-headers"] {
            ensure!(headers.contains_key(name), "an answer without {name}");
        }
    }
    Ok(())
}

/// Only a subject with the contract shapes its refusals; PostgREST's own have its own codes.
fn refused(door: &Door, answer: &Answer, status: StatusCode, code: &str) -> Result<()> {
    let Answer { status: got, body, headers } = answer;
    ensure!(*got == status, "answered {got} instead of {status}: {body}");
    if door.has_contract {
        ensure!(body["success"] == false && body["code"] == code, "this is no {code}: {body}");
        ensure!(body["error"] == body["message"] && body["request_id"].is_string(), "not our error's shape: {body}");
        has_head(door, headers).context("a refusal")?;
    }
    Ok(())
}

struct Check<'a> {
    door: &'a Door,
    world: &'a mut World,
    alg: Alg,
}

impl Check<'_> {
    async fn transfer(mut self) -> Result<()> {
        let body = transfer(self.door, self.world.taker.id, &AMOUNT.into(), &keys::random_uuid().to_string());
        let first = self.moves(&body).await.context("a transfer")?;
        let before = self.balances().await?;
        self.replays(&body, &first).await.context("the same transfer again")?;
        self.refuses_bad_tokens(&body).await?;
        self.refuses_bad_bodies().await?;
        self.refuses_an_overdraft().await.context("a transfer of more than there is")?;
        ensure!(self.balances().await? == before, "a replay or a refusal moved money");
        Ok(())
    }

    async fn balances(&self) -> Result<[i64; 3]> {
        let World { giver, taker, poor, .. } = &self.world;
        Ok([self.world.balance(giver).await?, self.world.balance(taker).await?, self.world.balance(poor).await?])
    }

    async fn give(&self, body: &str) -> Result<Answer> {
        ask(self.door, Some(self.world.giver.token(self.alg)), body.into()).await
    }

    async fn moves(&mut self, body: &str) -> Result<Value> {
        let [giver, taker, poor] = self.balances().await?;
        let Answer { status, headers, body } = self.give(body).await?;
        ensure!(status == StatusCode::OK && body["success"] == true, "answered {status}: {body}");
        has_head(self.door, &headers)?;
        self.world.answered(1)?;
        let after = [giver - AMOUNT - FEE, taker + AMOUNT, poor];
        ensure!(self.balances().await? == after, "{AMOUNT} and {FEE} in fees did not move as they should");
        ensure!(body["new_balance"] == after[0] && body["fee"] == FEE, "the answer is not what happened: {body}");
        Ok(body)
    }

    async fn replays(&self, body: &str, first: &Value) -> Result<()> {
        let Answer { status, headers, body } = self.give(body).await?;
        ensure!(status == StatusCode::OK && body == *first, "answered {status}: {body}");
        let replayed = headers.get("idempotent-replayed").is_some_and(|value| value == "true");
        ensure!(replayed, "it does not say that it is a repetition");
        Ok(())
    }

    async fn refuses_bad_tokens(&self, body: &str) -> Result<()> {
        let good = self.world.giver.token(self.alg);
        let other = self.world.taker.token(self.alg);
        let (signed, _) = good.rsplit_once('.').context("a token has three parts")?;
        let (_, signature) = other.rsplit_once('.').context("a token has three parts")?;
        let forged = format!("{signed}.{signature}");
        let expired = self.world.giver.expired(self.alg);
        for (what, token) in [("no", None), ("a forged", Some(&forged)), ("an expired", Some(&expired))] {
            let answer = ask(self.door, token.map(String::as_str), body.into()).await?;
            let wanted = StatusCode::UNAUTHORIZED;
            refused(self.door, &answer, wanted, "UNAUTHENTICATED").with_context(|| format!("{what} token"))?;
        }
        Ok(())
    }

    async fn refuses_bad_bodies(&self) -> Result<()> {
        let answer = self.give(r#"{"operation":"transf"#).await?;
        refused(self.door, &answer, StatusCode::BAD_REQUEST, "BAD_JSON").context("half a body")?;
        for amount in [json!("100"), json!(1.5), json!(-1), Value::Null] {
            let body = transfer(self.door, self.world.taker.id, &amount, &keys::random_uuid().to_string());
            let answer = self.give(&body).await?;
            refused(self.door, &answer, StatusCode::BAD_REQUEST, "VALIDATION_ERROR")
                .with_context(|| format!("an amount of {amount}"))?;
        }
        Ok(())
    }

    async fn refuses_an_overdraft(&self) -> Result<()> {
        let body = transfer(self.door, self.world.taker.id, &AMOUNT.into(), &keys::random_uuid().to_string());
        let answer = ask(self.door, Some(self.world.poor.token(self.alg)), body).await?;
        refused(self.door, &answer, StatusCode::CONFLICT, "INSUFFICIENT_FUNDS")?;
        ensure!(answer.body["code"] == "INSUFFICIENT_FUNDS", "the refusal has another code: {}", answer.body);
        Ok(())
    }
}
