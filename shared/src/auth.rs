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
#[derive(Clone, Debug, PartialEq, Eq)]
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
        let Ok(set) = serde_json::from_slice::<serde_json::Value>(jwks.as_bytes()) else { return Vec::new() };
        let keys = set.get("keys").unwrap_or(&set).as_array().cloned().unwrap_or_default();
        keys.iter()
            .filter_map(|key| {
                let text = |name: &str| key.get(name).and_then(|v| v.as_str()).map(str::to_owned);
                let alg = match (text("kty")?.as_str(), text("crv").as_deref()) {
                    ("EC", Some("P-256")) => "ES256",
                    ("RSA", _) => "RS256",
                    _ => return None,
                };
                Some(PublicKey { kid: text("kid")?, alg: alg.to_owned(), jwk: serde_json::to_string(key).ok()? })
            })
            .collect()
    }
}

/// A caller whose token holds, until `expires_s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub user: Uuid,
    /// Of the identity service; absent in tokens that others made.
    pub session: Option<Uuid>,
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
    session_id: Option<String>,
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

/// The key id that a token names, unread otherwise.
#[must_use]
pub fn key_id(token: &str) -> Option<String> {
    UntrustedToken::new(token).ok()?.header().key_id.clone()
}

/// First half of the check: chooses the key among the configured and the published ones and, for HS256, finishes.
///
/// # Errors
/// Why the token is refused.
pub fn check<'a>(token: &'a str, issuer: &'a Issuer, published: &'a [PublicKey], now_s: i64) -> Result<Check<'a>, Why> {
    let untrusted = UntrustedToken::new(token).map_err(|_| Why::Malformed)?;
    let kid = untrusted.header().key_id.as_deref();
    if let Some(key) = issuer.public.iter().chain(published).find(|key| Some(key.kid.as_str()) == kid) {
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
    let Custom { sub, role, iss, aud, session_id } = &claims.custom;
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
    let session = session_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
    Ok(Verified { user, session, expires_s })
}

#[cfg(test)]
mod tests;
