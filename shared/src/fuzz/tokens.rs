//! Who is believed: whatever is accepted, a second reading of the token's three parts accepts for the same reasons.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{NOW_S, choice, line};
use crate::auth::{Check, Issuer, Verified, Why, after_signature, bearer, check};
use crate::secret::{Secret, hmac_hex};

const SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256","x":"x","y":"y"},
    {"kty":"RSA","kid":"r1","n":"n","e":"AQAB"},{"kty":"oct","kid":"s1","k":"a2V5"}]}"#;
/// What the issuer has published since.
const PUBLISHED: &str =
    r#"[{"kty":"EC","crv":"P-256","kid":"p1","x":"x","y":"y"},{"kty":"EC","crv":"P-384","kid":"p2"}]"#;
const SKEW_S: f64 = 30.0;

fn issuer() -> Issuer {
    Issuer {
        hs256: Secret::new(SECRET.to_owned()),
        public: Issuer::public_keys(KEYS),
        issuer: "me".into(),
        audience: "authenticated".into(),
    }
}

/// `h` an `Authorization` header; `s` a header and, on the next line, claims, under our own signature, so that what lies
/// behind it is reached; `x` claims that nobody reads, beside good ones; anything else is a token as it came.
pub fn tokens(data: &[u8]) {
    let Some((kind, rest)) = choice(data) else { return };
    match kind {
        'h' => header(rest),
        's' => ours(rest),
        'x' => strange_claims(rest),
        _ => raw(data),
    }
}

fn header(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let words: Vec<&str> = text.split(' ').collect();
    let plain = |token: &str| token.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let expected = match words.as_slice() {
        [scheme, token] if scheme.to_lowercase() == "bearer" && scheme.is_ascii() => Some(*token),
        _ => None,
    };
    let expected = expected.filter(|token| plain(token) && (1..=16 * 1024).contains(&token.len()));
    assert_eq!(bearer(Some(text)).ok(), expected, "{text:?}");
}

fn raw(bytes: &[u8]) {
    // Only what passes for a bearer ever gets further.
    let header = [b"Bearer ", bytes].concat();
    let Ok(header) = std::str::from_utf8(&header) else { return };
    let Ok(token) = bearer(Some(header)) else { return };
    let _ = sound(token);
}

fn ours(bytes: &[u8]) {
    let (header, claims) = line(bytes);
    let token = sign(header, claims);
    let behind = after_signature(&token, &issuer(), NOW_S);
    match sound(&token) {
        Ok(Some(verified)) => assert_eq!(behind, Ok(verified), "both ways judge alike"),
        Err(why) if !matches!(why, Why::Malformed | Why::UnknownKey | Why::Algorithm | Why::Signature) => {
            assert_eq!(behind, Err(why), "both ways judge alike");
        }
        _ => {}
    }
}

fn strange_claims(bytes: &[u8]) {
    let Ok(strange) = serde_json::from_slice::<Map<String, Value>>(bytes) else { return };
    let mut claims: Map<String, Value> =
        strange.into_iter().map(|(name, value)| (format!("x_{name}"), value)).collect();
    let user = "8a8ef5f4-6a5d-4a1b-9d1f-000000000001";
    for (name, value) in [
        ("sub", json!(user)),
        ("role", json!("authenticated")),
        ("aud", json!(["authenticated"])),
        ("iss", json!("me")),
        ("exp", json!(NOW_S + 60)),
    ] {
        claims.insert(name.to_owned(), value);
    }
    let claims = Value::Object(claims).to_string();
    if crate::json::check(claims.as_bytes()).is_err() {
        return; // Deeper than anything that is read here.
    }
    let token = sign(br#"{"alg":"HS256","typ":"JWT"}"#, claims.as_bytes());
    let verdict = sound(&token);
    assert!(matches!(verdict, Ok(Some(_))), "{verdict:?} for claims that nobody reads");
}

/// Checks a token, and everything that an acceptance says about it. `None`: its signature is left to the platform.
fn sound(token: &str) -> Result<Option<Verified>, Why> {
    let (issuer, published) = (issuer(), Issuer::public_keys(PUBLISHED));
    match check(token, &issuer, &published, NOW_S)? {
        Check::Done(verified) => {
            let (header, claims) = (part(token, 0), part(token, 1));
            assert_eq!(header.get("alg"), Some(&json!("HS256")), "only what the configuration names is accepted");
            let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
            let signature: String = decoded(signature).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(signature, hmac_hex(&Secret::new(SECRET.into()), signed.as_bytes()), "a forged signature");
            judged(&claims, verified);
            Ok(Some(verified))
        }
        Check::Public { key, signed, signature } => {
            let header = part(token, 0);
            assert_eq!(header.get("kid"), Some(&json!(key.kid)), "the key is the one that was named");
            assert_eq!(header.get("alg"), Some(&json!(key.alg)), "the algorithm is the key's");
            let (expected, tail) = token.rsplit_once('.').unwrap_or_default();
            assert_eq!((signed, signature), (expected.as_bytes(), decoded(tail)), "what is checked is what was sent");
            Ok(None)
        }
    }
}

/// The claims say what was concluded from them.
fn judged(claims: &Value, verified: Verified) {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "times of this century")]
    let (now, expires) = (NOW_S as f64, verified.expires_s as f64);
    assert_eq!(text("sub").to_lowercase(), verified.user.to_string(), "another user than the token's");
    let session = uuid::Uuid::try_parse(text("session_id")).ok();
    assert_eq!(verified.session, session, "another session than the token's");
    assert_eq!((text("role"), text("iss")), ("authenticated", "me"));
    let aud = claims.get("aud").cloned().unwrap_or_default();
    let many = aud.as_array().is_some_and(|many| many.contains(&json!("authenticated")));
    assert!(many || aud == "authenticated", "for somebody else: {aud}");
    let exp = time("exp").unwrap_or(f64::NEG_INFINITY);
    assert!(now < exp + SKEW_S + 1.0 && (exp - expires).abs() < 1.0 + exp.abs() * f64::EPSILON, "{exp} is over");
    for start in ["nbf", "iat"].into_iter().filter_map(time) {
        assert!(start < now + SKEW_S + 1.0, "{start} is not yet");
    }
}

/// One of a token's three parts, as JSON.
fn part(token: &str, number: usize) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "a token has three parts");
    let read = serde_json::from_slice(&decoded(parts.get(number).copied().unwrap_or_default())).ok();
    assert!(read.is_some(), "part {number} is no JSON, once decoded as base64url without padding");
    read.unwrap_or_default()
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap_or_default()
}

fn sign(header: &[u8], claims: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let hex = hmac_hex(&Secret::new(SECRET.into()), signed.as_bytes());
    let digit = |half: u8| char::from(half).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
    let bytes: Vec<u8> =
        hex.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |byte, half| byte << 4 | digit(*half))).collect();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// A set of public keys, as somebody publishes it: whatever is taken from it is a public key, under the id it has there.
pub fn key_sets(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let set: Value = serde_json::from_str(text).unwrap_or_default();
    let listed = set.get("keys").unwrap_or(&set).as_array().map_or(0, Vec::len);
    let keys = Issuer::public_keys(text);
    assert!(keys.len() <= listed, "more keys than there are");
    for key in keys {
        let jwk: Value = serde_json::from_str(&key.jwk).unwrap_or_default();
        let kind = jwk.get("kty").and_then(Value::as_str).unwrap_or_default();
        assert!(matches!((kind, key.alg.as_str()), ("EC", "ES256") | ("RSA", "RS256")), "{} as {kind}", key.alg);
        assert_eq!(jwk.get("kid"), Some(&json!(key.kid)), "under another id");
    }
}
