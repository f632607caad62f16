//! Keys that an issuer publishes: fetched when a token needs them, remembered, changed without a deploy, and believed for a
//! while when the issuer is down. In a stack of its own, whose keys this test publishes and takes back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use sha2::Sha256;
use xtask::keys;

use crate::world::{World, issuer_world};

pub fn tests() -> Vec<Trial> {
    // One after the other: each publishes keys for itself.
    vec![Trial::test("issuer::c07_keys_change_without_a_deploy_and_outlive_their_issuer", || {
        crate::RUNTIME.block_on(async {
            let world = issuer_world().await;
            let keys = made().await;
            a_key_is_believed_once_it_is_published(world, &keys).await;
            who_come_together_are_all_let_in(world, &keys).await;
            c06_the_classic_forgeries_are_refused(world, &keys).await;
            strangers_key_ids_are_no_flood(world, &keys).await;
            an_issuer_that_is_down_logs_nobody_out(world, &keys).await;
            a_revoked_key_takes_its_tokens_with_it(world, &keys).await;
        });
        Ok(())
    })]
}

/// What the issuer answers, and how often it was asked.
pub struct Issuer {
    answer: Mutex<(StatusCode, String)>,
    asked: AtomicUsize,
}

static ISSUER: LazyLock<Arc<Issuer>> = LazyLock::new(|| {
    Arc::new(Issuer {
        answer: Mutex::new((StatusCode::OK, json!({ "keys": [] }).to_string())),
        asked: AtomicUsize::new(0),
    })
});

impl Issuer {
    fn says(&self, status: StatusCode, body: String) {
        *self.answer.lock().expect("no test panics here") = (status, body);
    }

    fn publishes(&self, keys: &[&Value]) {
        self.says(StatusCode::OK, json!({ "keys": keys }).to_string());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Serves the keys on a free port: their address.
pub async fn serve() -> String {
    let answer = || async {
        ISSUER.asked.fetch_add(1, Ordering::SeqCst);
        ISSUER.answer.lock().expect("no test panics here").clone()
    };
    let router = axum::Router::new().route("/jwks", axum::routing::get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/jwks")
}

/// Three keys and a token of each, for one person.
async fn made() -> Value {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let claims = json!({ "iss": keys::JWT_ISSUER, "aud": keys::JWT_AUDIENCE, "role": "authenticated",
                         "sub": keys::random_uuid(), "iat": now, "exp": now + 3600 });
    let mut command = tokio::process::Command::new(crate::clients::node());
    command.arg(xtask::house::root().join("tests/clients/issuer.mjs"));
    let output = command.env("CAURIS_ISSUER", json!({ "claims": claims }).to_string()).output().await;
    let output = output.expect("node starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("keys and tokens")
}

/// Whether the bearer is let in: then the ask is looked at, and refused for what it is.
async fn lets_in(w: &World, token: &str) -> bool {
    let reply = w.call("wallet-operations", token, json!({ "operation": "dance" })).await;
    match reply.status {
        400 => true,
        401 => {
            reply.refused(401, "UNAUTHENTICATED");
            false
        }
        _ => panic!("{reply}"),
    }
}

fn token<'a>(keys: &'a Value, kid: &str) -> &'a str {
    keys[kid]["token"].as_str().expect("a token")
}

async fn until(w: &World, what: &str, token: &str, expected: bool) {
    w.eventually(what, async || (lets_in(w, token).await == expected).then_some(())).await;
}

async fn a_key_is_believed_once_it_is_published(w: &World, keys: &Value) {
    for kid in ["es-one", "rs-one"] {
        assert!(!lets_in(w, token(keys, kid)).await, "{kid} is not published");
    }
    ISSUER.publishes(&[&keys["es-one"]["jwk"], &keys["rs-one"]["jwk"]]);
    until(w, "ES256 of a published key is believed", token(keys, "es-one"), true).await;
    until(w, "RS256 of a published key is believed", token(keys, "rs-one"), true).await;
    // The next key stands by before anything is signed with it.
    assert!(!lets_in(w, token(keys, "es-two")).await);
    ISSUER.publishes(&[&keys["es-one"]["jwk"], &keys["es-two"]["jwk"], &keys["rs-one"]["jwk"]]);
    until(w, "a standby key is believed", token(keys, "es-two"), true).await;
    assert!(lets_in(w, token(keys, "es-one")).await, "and the one before it still is");
}

/// At a function that has not been called yet: one of them asks for the keys, and the others need them too.
async fn who_come_together_are_all_let_in(w: &World, keys: &Value) {
    let calls = (0..10).map(|_| w.call("taxi-refuse-ride", token(keys, "es-one"), json!({ "rideId": 1 })));
    for reply in futures_util::future::join_all(calls).await {
        assert_eq!(reply.status, 400, "{reply}");
    }
}

fn forged(header: &str, claims: &str, signature: &[u8]) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{claims}.{}", part(header), URL_SAFE_NO_PAD.encode(signature))
}

async fn c06_the_classic_forgeries_are_refused(w: &World, keys: &Value) {
    let good = token(keys, "es-one");
    let parts: Vec<&str> = good.split('.').collect();
    let es = r#"{"alg":"ES256","kid":"es-one","typ":"JWT"}"#;
    let confused = r#"{"alg":"HS256","kid":"rs-one","typ":"JWT"}"#;
    let mac = |key: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
        mac.update(format!("{}.{}", URL_SAFE_NO_PAD.encode(confused), parts[1]).as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let huge = URL_SAFE_NO_PAD.encode(json!({ "sub": "x".repeat(11_000) }).to_string());
    let odd = URL_SAFE_NO_PAD.encode(r#"{"sub":"𝕊\u0000","role":"authenticated","exp":9999999999}"#);
    for (what, forgery) in [
        ("a psychic signature", forged(es, parts[1], &[0; 64])),
        ("an empty signature", forged(es, parts[1], &[])),
        ("a signature that is too long", forged(es, parts[1], &[1; 4096])),
        ("the signature of other claims", format!("{}.{}.{}", parts[0], huge, parts[2])),
        ("claims with odd characters", format!("{}.{}.{}", parts[0], odd, parts[2])),
        ("no algorithm", forged(r#"{"alg":"none","kid":"es-one"}"#, parts[1], &[])),
        ("two algorithms", forged(r#"{"alg":"ES256","alg":"none","kid":"es-one"}"#, parts[1], &[0; 64])),
        ("a key of the other kind", forged(r#"{"alg":"RS256","kid":"es-one"}"#, parts[1], &[0; 64])),
        (
            "a public key as a shared secret",
            forged(confused, parts[1], &mac(keys["rs-one"]["jwk"].to_string().as_bytes())),
        ),
        (
            "a modulus as a shared secret",
            forged(confused, parts[1], &mac(keys["rs-one"]["jwk"]["n"].as_str().expect("n").as_bytes())),
        ),
        ("a key id that is a path", forged(r#"{"alg":"ES256","kid":"../../etc/passwd"}"#, parts[1], &[0; 64])),
        (
            "a key that the token brings along",
            forged(r#"{"alg":"ES256","jwk":{"kty":"EC"},"jku":"http://127.0.0.1/"}"#, parts[1], &[0; 64]),
        ),
    ] {
        assert!(!lets_in(w, &forgery).await, "{what} was believed");
    }
    assert!(lets_in(w, good).await, "and the instance goes on");
}

async fn strangers_key_ids_are_no_flood(w: &World, keys: &Value) {
    let (before, good) = (ISSUER.asked(), token(keys, "es-one"));
    let signature = [0; 64];
    let calls = (0..40).map(|n| {
        let claims = good.split('.').nth(1).expect("claims");
        let stranger = forged(&format!(r#"{{"alg":"ES256","kid":"stranger-{n}"}}"#), claims, &signature);
        async move { lets_in(w, &stranger).await }
    });
    assert!(futures_util::future::join_all(calls).await.iter().all(|known| !known));
    // One a second at most, and forty calls do not take ten.
    assert!(ISSUER.asked() - before <= 10, "{} questions for 40 strangers", ISSUER.asked() - before);
}

async fn an_issuer_that_is_down_logs_nobody_out(w: &World, keys: &Value) {
    for (status, body) in [
        (StatusCode::INTERNAL_SERVER_ERROR, "down".to_owned()),
        (StatusCode::OK, "<html>maintenance</html>".to_owned()),
        (StatusCode::OK, "x".repeat(100_000)),
    ] {
        ISSUER.says(status, body);
        let before = ISSUER.asked();
        // Until it has been asked again, and has said that.
        w.eventually("the issuer is asked again", async || {
            assert!(lets_in(w, token(keys, "es-one")).await, "somebody was logged out");
            (ISSUER.asked() > before).then_some(())
        })
        .await;
        assert!(lets_in(w, token(keys, "rs-one")).await);
    }
}

async fn a_revoked_key_takes_its_tokens_with_it(w: &World, keys: &Value) {
    assert!(lets_in(w, token(keys, "es-one")).await, "remembered");
    ISSUER.publishes(&[&keys["es-two"]["jwk"]]);
    until(w, "the token of a revoked key is refused", token(keys, "es-one"), false).await;
    assert!(!lets_in(w, token(keys, "rs-one")).await);
    assert!(lets_in(w, token(keys, "es-two")).await);
}
