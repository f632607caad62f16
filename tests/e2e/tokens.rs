//! Who is believed. Each bad token is tried on a function that would answer 200, so that only the token can refuse it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use xtask::keys::{self, Alg, TokenOptions};

use crate::call::Reply;
use crate::world::World;

crate::tests![
    both_algorithms_are_accepted,
    the_token_does_not_choose_its_algorithm,
    a_token_signed_with_a_public_key_is_refused,
    a_changed_token_is_refused,
    a_token_of_another_time_audience_or_issuer_is_refused,
    times_are_read_with_half_a_minute_of_skew,
    a_token_without_a_person_is_refused,
    an_api_key_is_no_person,
    the_header_has_two_parts_and_no_odd_bytes,
    a_remembered_token_is_refused_once_it_expires,
];

async fn asked(w: &'static World, authorization: impl AsRef<[u8]>) -> Reply {
    let body = json!({ "distanceKm": 3.2, "durationMin": 12, "lat": 9.5, "lng": -13.7 });
    w.function("taxi-quote-fare").header("authorization", authorization).json(&body).send().await
}

async fn believed(w: &'static World, token: &str) -> Reply {
    asked(w, format!("Bearer {token}")).await
}

async fn disbelieved(w: &'static World, what: &str, token: &str) {
    let reply = believed(w, token).await;
    assert!(reply.is_refusal(401, "UNAUTHENTICATED"), "{what} was believed: {reply}");
    reply.refused(401, "UNAUTHENTICATED");
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn claims_of(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("claims")
}

/// A token with any header, signed by HMAC with any key.
fn forged(header: &Value, claims: &Value, key: &[u8]) -> String {
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

async fn token(w: &'static World, options: TokenOptions) -> String {
    keys::user_token(&w.person().await.id, &options)
}

async fn good_claims(w: &'static World) -> Value {
    claims_of(&w.person().await.token)
}

async fn both_algorithms_are_accepted(w: &'static World) {
    for alg in [Alg::Hs256, Alg::Es256] {
        let token = token(w, TokenOptions { alg, ..TokenOptions::default() }).await;
        believed(w, &token).await.ok(200);
        believed(w, &token).await.ok(200);
    }
    // Through PostgREST as well, which verifies it a second time.
    let options = TokenOptions { alg: Alg::Es256, ..TokenOptions::default() };
    let person = w.rich(5_000, "GNF").await;
    let token = keys::user_token(&person.id, &options);
    let wallets = w.rest(reqwest::Method::GET, "wallets?select=balance", &token).send().await;
    assert_eq!(*wallets.ok(200), json!([{ "balance": 5_000 }]));
}

async fn the_token_does_not_choose_its_algorithm(w: &'static World) {
    let claims = good_claims(w).await;
    for alg in ["none", "None", "NONE", ""] {
        let header = json!({ "alg": alg, "typ": "JWT" });
        disbelieved(w, alg, &format!("{}.{}.", encoded(&header), encoded(&claims))).await;
        disbelieved(w, alg, &forged(&header, &claims, keys::JWT_SECRET.as_bytes())).await;
    }
    for header in [json!({}), json!({ "alg": "HS512" }), json!({ "alg": "RS256" }), json!({ "alg": 1 }), json!([])] {
        disbelieved(w, &header.to_string(), &forged(&header, &claims, keys::JWT_SECRET.as_bytes())).await;
    }
}

async fn a_token_signed_with_a_public_key_is_refused(w: &'static World) {
    let claims = good_claims(w).await;
    let jwks: Value = serde_json::from_str(&keys::jwks()).expect("a key set");
    let jwk = &jwks["keys"][0];
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("text")).expect("base64url");
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let public = [keys::jwks().into_bytes(), jwk.to_string().into_bytes(), point, coordinate("x"), Vec::new()];
    for key in &public {
        for header in [json!({ "alg": "HS256", "typ": "JWT" }), json!({ "alg": "HS256", "kid": jwk["kid"] })] {
            disbelieved(w, "a public key as a secret", &forged(&header, &claims, key)).await;
        }
    }
}

async fn a_changed_token_is_refused(w: &'static World) {
    for alg in [Alg::Hs256, Alg::Es256] {
        let token = token(w, TokenOptions { alg, ..TokenOptions::default() }).await;
        let parts: Vec<&str> = token.split('.').collect();
        let other = encoded(&good_claims(w).await);
        disbelieved(w, "other claims", &format!("{}.{other}.{}", parts[0], parts[2])).await;
        disbelieved(w, "no signature", &format!("{}.{}.", parts[0], parts[1])).await;
        disbelieved(w, "two parts", &format!("{}.{}", parts[0], parts[1])).await;
        disbelieved(w, "four parts", &format!("{token}.x")).await;
        disbelieved(w, "half a signature", &token[..token.len() - 20]).await;
        let unknown = json!({ "alg": "ES256", "typ": "JWT", "kid": "nobodys-key" });
        disbelieved(w, "an unknown key", &format!("{}.{}.{}", encoded(&unknown), parts[1], parts[2])).await;
    }
}

async fn a_token_of_another_time_audience_or_issuer_is_refused(w: &'static World) {
    let with = async |options: TokenOptions| token(w, options).await;
    let base = TokenOptions::default;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for (what, options) in [
        ("expired", TokenOptions { expires_in: -60, ..base() }),
        ("another audience", TokenOptions { audience: "anon".into(), ..base() }),
        ("another issuer", TokenOptions { issuer: "https://evil.test/auth/v1".into(), ..base() }),
        ("not yet valid", TokenOptions { claims: json!({ "nbf": now + 120 }), ..base() }),
        ("no expiry", TokenOptions { claims: json!({ "exp": null }), ..base() }),
        ("an expiry in words", TokenOptions { claims: json!({ "exp": "tomorrow" }), ..base() }),
        ("no audience", TokenOptions { claims: json!({ "aud": null }), ..base() }),
        ("no issuer", TokenOptions { claims: json!({ "iss": null }), ..base() }),
        ("expired, ES256", TokenOptions { alg: Alg::Es256, expires_in: -60, ..base() }),
    ] {
        disbelieved(w, what, &with(options).await).await;
    }
    let several = TokenOptions { claims: json!({ "aud": ["other", "authenticated"] }), ..base() };
    believed(w, &with(several).await).await.ok(200);
}

/// At the door; behind it Postgres's gateway has a skew of its own, so within the skew the answer may also be its 401.
async fn times_are_read_with_half_a_minute_of_skew(w: &'static World) {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for (what, claims, within) in [
        ("valid in ten seconds", json!({ "nbf": now + 10, "iat": now + 10 }), true),
        ("expired ten seconds ago", json!({ "exp": now - 10 }), true),
        ("expired half a minute ago", json!({ "exp": now - 31 }), false),
        ("valid in a minute", json!({ "nbf": now + 60 }), false),
    ] {
        let token = token(w, TokenOptions { claims, ..TokenOptions::default() }).await;
        for name in ["taxi-quote-fare", "moneroo-get-payment-methods"] {
            let ask = json!({ "distanceKm": 3.2, "durationMin": 12, "lat": 9.5, "lng": -13.7 });
            let reply = w.call(name, &token, ask).await;
            let refused = reply.is_refusal(401, "UNAUTHENTICATED");
            assert!(refused || (within && reply.status == 200), "{what}: {reply}");
        }
    }
}

async fn a_token_without_a_person_is_refused(w: &'static World) {
    for sub in [json!(null), json!("1"), json!(7), json!("00000000-0000-0000-0000-00000000000g"), json!({})] {
        let options = TokenOptions { claims: json!({ "sub": sub }), ..TokenOptions::default() };
        disbelieved(w, &format!("sub {sub}"), &token(w, options).await).await;
    }
}

async fn an_api_key_is_no_person(w: &'static World) {
    disbelieved(w, "the anon key", &w.vars["ANON_KEY"]).await;
    disbelieved(w, "the service key", &w.vars["SERVICE_ROLE_KEY"]).await;
    disbelieved(w, "a publishable key", "sb_publishable_local").await;
    for role in ["service_role", "anon", "postgres", ""] {
        let options = TokenOptions { role: role.into(), ..TokenOptions::default() };
        let reply = believed(w, &token(w, options).await).await;
        assert!(matches!(reply.status, 401 | 403), "role {role:?} acted for a person: {reply}");
    }
}

async fn the_header_has_two_parts_and_no_odd_bytes(w: &'static World) {
    let token = w.person().await.token;
    for header in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer {token} {token}"),
        format!("Bearer {token}, Bearer {token}"),
        "Bearer a.b.c".to_owned(),
        format!("Bearer {}", "a".repeat(20_000)),
    ] {
        let shown: String = header.chars().take(40).collect();
        let reply = asked(w, &header).await;
        assert!(reply.is_refusal(401, "UNAUTHENTICATED"), "{shown} was believed: {reply}");
    }
    asked(w, [b"Bearer ".as_slice(), b"\xff\xfe.\xc3\x28.\x80"].concat()).await.refused(401, "UNAUTHENTICATED");
    asked(w, [b"Bearer ".as_slice(), token.as_bytes(), b"\xe9"].concat()).await.refused(401, "UNAUTHENTICATED");
    let twice = w.function("taxi-quote-fare").bearer(&token).bearer(&token).json(&json!({})).send().await;
    twice.refused(401, "UNAUTHENTICATED");
    asked(w, format!("bearer {token}")).await.ok(200);
}

async fn a_remembered_token_is_refused_once_it_expires(w: &'static World) {
    for alg in [Alg::Hs256, Alg::Es256] {
        let token = token(w, TokenOptions { alg, expires_in: 3, ..TokenOptions::default() }).await;
        for _ in 0..2 {
            believed(w, &token).await.ok(200);
        }
        // With the skew that is granted, after half a minute at the latest.
        let refused = async || believed(w, &token).await.is_refusal(401, "UNAUTHENTICATED").then_some(());
        w.eventually("a remembered token is refused after its time", refused).await;
    }
}
