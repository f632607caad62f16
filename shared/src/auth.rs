//! Who is asking, decided from the token alone. The key is chosen by configuration and key id; a token's `alg` is only
//! compared, never believed. Signatures that need WebCrypto are checked by `edge::tokens`; every rule is here.

use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::prelude::*;
use serde::Deserialize;
use uuid::Uuid;

/// Clocks may differ by this much (contracts/README, section 2).
const SKEW_S: i64 = 30;
/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

/// Why a token is refused. For the log; the client hears `UNAUTHENTICATED` whatever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Missing,
    Malformed,
    UnknownKey,
    Algorithm,
    Signature,
    Expired,
    NotYet,
    Issuer,
    Audience,
    Role,
    Subject,
}

/// A public key of the issuer: `kid`, `alg`, and the JWK itself, which WebCrypto imports.
#[derive(Clone, Debug)]
pub struct PublicKey {
    pub kid: String,
    pub alg: String,
    pub jwk: String,
}

/// What signs tokens here, read once from the configuration.
#[derive(Debug, Default)]
pub struct Issuer {
    pub hs256: Option<Hs256Key>,
    pub public: Vec<PublicKey>,
    /// Empty: not compared.
    pub issuer: String,
    pub audience: String,
}

impl Issuer {
    /// Reads a JWK set (or a bare array of keys); keys without a `kid`, and symmetric ones, are left out.
    #[must_use]
    pub fn public_keys(jwks: &str) -> Vec<PublicKey> {
        let Ok(set) = serde_json::from_str::<serde_json::Value>(jwks) else { return Vec::new() };
        let keys = set.get("keys").unwrap_or(&set).as_array().cloned().unwrap_or_default();
        keys.iter()
            .filter_map(|key| {
                let text = |name: &str| key.get(name).and_then(|v| v.as_str()).map(str::to_owned);
                let alg = match (text("kty")?.as_str(), text("crv").as_deref()) {
                    ("EC", Some("P-256")) => "ES256",
                    ("RSA", _) => "RS256",
                    _ => return None,
                };
                Some(PublicKey { kid: text("kid")?, alg: alg.to_owned(), jwk: key.to_string() })
            })
            .collect()
    }
}

/// A caller whose token holds, until `expires_s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub user: Uuid,
    /// Unix seconds.
    pub expires_s: i64,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Clone, Deserialize)]
struct Custom {
    sub: Option<String>,
    role: Option<String>,
    iss: Option<String>,
    aud: Option<Audience>,
}

/// How the signature of a token has to be checked.
#[derive(Debug)]
pub enum Check<'a> {
    /// Done: HS256 with our secret.
    Done(Verified),
    /// To do: this key over `signed`; then [`after_signature`].
    Public { key: &'a PublicKey, signed: &'a [u8], signature: Vec<u8> },
}

/// The credential of an `Authorization` header: exactly two parts, the scheme in any case.
///
/// # Errors
/// [`Why::Missing`] or [`Why::Malformed`].
pub fn bearer(header: Option<&str>) -> Result<&str, Why> {
    let header = header.ok_or(Why::Missing)?;
    let (scheme, token) = header.split_once(' ').ok_or(Why::Malformed)?;
    let shaped = token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= MAX_TOKEN && shaped {
        Ok(token)
    } else {
        Err(Why::Malformed)
    }
}

/// First half of the check: chooses the key and, for HS256, finishes.
///
/// # Errors
/// Why the token is refused.
pub fn check<'a>(token: &'a str, issuer: &'a Issuer, now_s: i64) -> Result<Check<'a>, Why> {
    let untrusted = UntrustedToken::new(token).map_err(|_| Why::Malformed)?;
    let kid = untrusted.header().key_id.as_deref();
    if let Some(key) = issuer.public.iter().find(|key| Some(key.kid.as_str()) == kid) {
        if untrusted.algorithm() != key.alg {
            return Err(Why::Algorithm);
        }
        let signed = token.rsplit_once('.').ok_or(Why::Malformed)?.0.as_bytes();
        return Ok(Check::Public { key, signed, signature: untrusted.signature_bytes().to_vec() });
    }
    match &issuer.hs256 {
        Some(key) if untrusted.algorithm() == "HS256" => {
            let token = Hs256.validator::<Custom>(key).validate(&untrusted).map_err(|_| Why::Signature)?;
            judge(token.claims(), issuer, now_s).map(Check::Done)
        }
        _ => Err(Why::UnknownKey),
    }
}

/// Second half for asymmetric tokens: the claims, once the signature has been verified by the platform.
///
/// # Errors
/// Why the token is refused.
pub fn after_signature(token: &str, issuer: &Issuer, now_s: i64) -> Result<Verified, Why> {
    let untrusted = UntrustedToken::new(token).map_err(|_| Why::Malformed)?;
    judge(&untrusted.deserialize_claims_unchecked::<Custom>().map_err(|_| Why::Malformed)?, issuer, now_s)
}

fn judge(claims: &Claims<Custom>, issuer: &Issuer, now_s: i64) -> Result<Verified, Why> {
    let expires_s = claims.expiration.ok_or(Why::Expired)?.timestamp();
    if now_s >= expires_s.saturating_add(SKEW_S) {
        return Err(Why::Expired);
    }
    for start in [claims.not_before, claims.issued_at].into_iter().flatten() {
        if now_s < start.timestamp().saturating_sub(SKEW_S) {
            return Err(Why::NotYet);
        }
    }
    let Custom { sub, role, iss, aud } = &claims.custom;
    if !issuer.issuer.is_empty() && iss.as_deref() != Some(issuer.issuer.as_str()) {
        return Err(Why::Issuer);
    }
    let aud_holds = match aud {
        Some(Audience::One(one)) => *one == issuer.audience,
        Some(Audience::Many(many)) => many.contains(&issuer.audience),
        None => false,
    };
    if !aud_holds {
        return Err(Why::Audience);
    }
    // Anonymous and service tokens are somebody else's business: no user route is called with them.
    if role.as_deref() != Some("authenticated") {
        return Err(Why::Role);
    }
    let sub = sub.as_deref().ok_or(Why::Subject)?;
    let user = Uuid::try_parse(sub).ok().filter(|_| sub.len() == 36).ok_or(Why::Subject)?;
    Ok(Verified { user, expires_s })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;
    const SECRET: &[u8] = b"super-secret-jwt-token-with-at-least-32-characters-long";
    const ALICE: &str = "8a8ef5f4-6a5d-4a1b-9d1f-000000000001";

    fn issuer() -> Issuer {
        let jwk = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256","x":"x","y":"y"},{"kty":"oct","kid":"s","k":"k"}]}"#;
        Issuer {
            hs256: Some(Hs256Key::new(SECRET)),
            public: Issuer::public_keys(jwk),
            issuer: "me".into(),
            audience: "authenticated".into(),
        }
    }

    fn claims() -> Value {
        json!({ "sub": ALICE, "role": "authenticated", "aud": "authenticated", "iss": "me", "exp": NOW + 60, "iat": NOW - 60 })
    }

    fn signed(header: &Value, claims: &Value) -> String {
        use hmac::{Hmac, Mac};
        let data = format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()));
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
        mac.update(data.as_bytes());
        format!("{data}.{}", base64(&mac.finalize().into_bytes()))
    }

    fn base64(bytes: &[u8]) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
            for place in 0..=chunk.len() {
                text.push(ALPHABET[(word >> (18 - 6 * place)) as usize & 63] as char);
            }
        }
        text
    }

    fn verdict(header: &Value, claims: &Value) -> Result<Verified, Why> {
        match check(&signed(header, claims), &issuer(), NOW)? {
            Check::Done(verified) => Ok(verified),
            Check::Public { .. } => panic!("an HS256 token was sent to WebCrypto"),
        }
    }

    #[test]
    fn a_good_token_names_its_user() {
        let verified = verdict(&json!({ "alg": "HS256", "typ": "JWT" }), &claims()).unwrap();
        assert_eq!(verified, Verified { user: ALICE.parse().unwrap(), expires_s: NOW + 60 });
    }

    #[test]
    fn each_claim_that_is_off_is_refused_for_its_own_reason() {
        for (claim, value, why) in [
            ("exp", json!(NOW - 31), Why::Expired),
            ("exp", Value::Null, Why::Expired),
            ("nbf", json!(NOW + 31), Why::NotYet),
            ("iat", json!(NOW + 3600), Why::NotYet),
            ("iss", json!("you"), Why::Issuer),
            ("iss", Value::Null, Why::Issuer),
            ("aud", json!("anon"), Why::Audience),
            ("aud", json!(["a", "b"]), Why::Audience),
            ("aud", Value::Null, Why::Audience),
            ("role", json!("service_role"), Why::Role),
            ("role", json!("anon"), Why::Role),
            ("role", Value::Null, Why::Role),
            ("sub", json!("alice"), Why::Subject),
            ("sub", Value::Null, Why::Subject),
            ("sub", json!(ALICE.replace('-', "")), Why::Subject),
        ] {
            let mut claims = claims();
            match (&value, claims.as_object_mut()) {
                (Value::Null, Some(fields)) => drop(fields.remove(claim)),
                _ => claims[claim] = value.clone(),
            }
            assert_eq!(verdict(&json!({ "alg": "HS256" }), &claims), Err(why), "{claim} = {value}");
        }
    }

    #[test]
    fn the_skew_is_thirty_seconds_on_both_sides() {
        for (claim, value, holds) in
            [("exp", NOW - 29, true), ("exp", NOW - 30, false), ("nbf", NOW + 30, true), ("nbf", NOW + 31, false)]
        {
            let mut claims = claims();
            claims[claim] = json!(value);
            assert_eq!(verdict(&json!({ "alg": "HS256" }), &claims).is_ok(), holds, "{claim} {value}");
        }
    }

    #[test]
    fn the_token_never_chooses_the_algorithm() {
        assert_eq!(verdict(&json!({ "alg": "none" }), &claims()), Err(Why::UnknownKey));
        assert_eq!(verdict(&json!({ "alg": "HS512" }), &claims()), Err(Why::UnknownKey));
        // The public key's id with a symmetric signature: the classic confusion.
        assert_eq!(verdict(&json!({ "alg": "HS256", "kid": "k1" }), &claims()), Err(Why::Algorithm));
        assert_eq!(verdict(&json!({ "alg": "ES256", "kid": "other" }), &claims()), Err(Why::UnknownKey));
        let es256 = signed(&json!({ "alg": "ES256", "kid": "k1" }), &claims());
        assert!(matches!(check(&es256, &issuer(), NOW), Ok(Check::Public { .. })));
    }

    #[test]
    fn a_changed_byte_breaks_the_signature() {
        let token = signed(&json!({ "alg": "HS256" }), &claims());
        let forged = token.replacen("ey", "ez", 1);
        assert!(check(&forged, &issuer(), NOW).is_err());
        let (body, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { "B" } else { "A" };
        assert_eq!(check(&format!("{body}.{other}{}", &signature[1..]), &issuer(), NOW).unwrap_err(), Why::Signature);
    }

    #[test]
    fn a_bearer_header_has_exactly_two_parts_of_ascii() {
        assert_eq!(bearer(Some("bearer a.b.c")), Ok("a.b.c"));
        for bad in ["a.b.c", "Bearer ", "Bearer a b", "Basic a", "Bearer é", "Bearer a.b.c ", "Bearer a,Bearer b"] {
            assert_eq!(bearer(Some(bad)), Err(Why::Malformed), "{bad}");
        }
        assert_eq!(bearer(None), Err(Why::Missing));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(token in "[A-Za-z0-9_.-]{0,300}") {
            let _ = check(&token, &issuer(), NOW);
        }
    }
}
