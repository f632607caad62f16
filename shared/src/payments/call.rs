//! One request to a provider, with the session it needs: logged in once per isolate, and again when the provider forgot it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Gateway;
use crate::cx::Cx;
use crate::http::{Incoming, Lost, Outgoing};

/// A session is given up this long before it ends, so that no request is under way when it does.
const MARGIN_MS: u64 = 60_000;

thread_local! {
    /// By the login's address and credentials: a bearer, and when it ends in Unix milliseconds.
    static SESSIONS: RefCell<BTreeMap<String, (String, u64)>> = const { RefCell::new(BTreeMap::new()) };
}

/// # Errors
/// [`Lost::NotSent`] when there is no session: the request itself never left. Else as the network says.
pub async fn send<W>(cx: &Cx<W>, gateway: &dyn Gateway, request: Outgoing) -> Result<Incoming, Lost> {
    let Some(login) = gateway.login() else { return cx.world.http.send(request).await };
    let key = session_key(&login);
    let (bearer, fresh) = match kept(&key, cx.world.now_ms) {
        Some(bearer) => (bearer, false),
        None => (log_in(cx, gateway, login.clone(), &key).await?, true),
    };
    let answer = cx.world.http.send(with(request.clone(), &bearer)).await?;
    if answer.status != 401 || fresh {
        return Ok(answer);
    }
    // An old session, refused before anything was done: a new one, and once more.
    let bearer = log_in(cx, gateway, login, &key).await?;
    cx.world.http.send(with(request, &bearer)).await
}

fn session_key(login: &Outgoing) -> String {
    let sent = login.headers.iter().map(|(_, value)| value.as_str()).chain(login.body.as_deref());
    std::iter::once(login.url.as_str()).chain(sent).collect::<Vec<_>>().join("\0")
}

fn kept(key: &str, now_ms: u64) -> Option<String> {
    let found = SESSIONS.with_borrow(|sessions| sessions.get(key).cloned());
    found.filter(|(_, ends)| now_ms.saturating_add(MARGIN_MS) < *ends).map(|(bearer, _)| bearer)
}

async fn log_in<W>(cx: &Cx<W>, gateway: &dyn Gateway, login: Outgoing, key: &str) -> Result<String, Lost> {
    let answer = cx.world.http.send(login).await.map_err(never_sent)?;
    let session = gateway.session(&answer).ok_or(Lost::NotSent)?;
    let ends = cx.world.now_ms.saturating_add(session.lives_s.saturating_mul(1000));
    SESSIONS.with_borrow_mut(|sessions| sessions.insert(key.to_owned(), (session.bearer.clone(), ends)));
    Ok(session.bearer)
}

fn with(mut request: Outgoing, bearer: &str) -> Outgoing {
    request.headers.push(("authorization", format!("Bearer {bearer}")));
    request
}

/// Without a session the request itself never left.
fn never_sent(lost: Lost) -> Lost {
    if lost == Lost::Broken { lost } else { Lost::NotSent }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::payments::{Reference, Session, Truth};
    use crate::testing::{FakeDb, FakeHttp, alice_pays, block_on};

    struct Club(&'static str);

    fn get(url: &str) -> Outgoing {
        Outgoing { method: "GET", url: url.into(), headers: Vec::new(), body: None, timeout_ms: 1 }
    }

    impl Gateway for Club {
        fn name(&self) -> &'static str {
            "club"
        }
        fn login(&self) -> Option<Outgoing> {
            Some(get(self.0))
        }
        fn session(&self, answer: &Incoming) -> Option<Session> {
            (answer.status == 200).then(|| Session { bearer: answer.body.clone(), lives_s: 3600 })
        }
        fn query(&self, _: &Reference) -> Option<Outgoing> {
            None
        }
        fn truth(&self, _: &Reference, _: &Incoming) -> Option<Truth> {
            None
        }
    }

    fn asked(http: &FakeHttp) -> Vec<String> {
        http.sent.borrow().iter().map(|r| format!("{} {:?}", r.url, r.headers.first().map(|h| h.1.as_str()))).collect()
    }

    #[test]
    fn a_session_is_used_until_the_provider_refuses_it_and_then_made_anew_once() {
        let http = FakeHttp::answers(&[
            Ok((200, json!("one"))),
            Ok((200, json!({}))),
            Ok((401, json!({}))),
            Ok((200, json!("two"))),
            Ok((200, json!({}))),
        ]);
        let cx = alice_pays(&FakeDb::unreachable(), &http);
        for _ in 0..2 {
            assert_eq!(block_on(send(&cx, &Club("login-a"), get("x"))).map(|a| a.status), Ok(200));
        }
        let one = r#"x Some("Bearer \"one\"")"#;
        assert_eq!(asked(&http), ["login-a None", one, one, "login-a None", r#"x Some("Bearer \"two\"")"#]);
    }

    #[test]
    fn without_a_session_the_request_is_never_sent() {
        for answer in [Ok((500, json!({}))), Err(Lost::TimedOut)] {
            let http = FakeHttp::answers(&[answer]);
            let cx = alice_pays(&FakeDb::unreachable(), &http);
            assert_eq!(block_on(send(&cx, &Club("login-b"), get("x"))), Err(Lost::NotSent));
            assert_eq!(asked(&http), ["login-b None"]);
        }
    }
}
