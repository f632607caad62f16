//! Who is asking, decided from the token alone. The key is chosen by configuration and key id; a token's `alg` is only
//! compared, never believed. Signatures that need WebCrypto are checked by `edge::tokens`; every rule is here.

use uuid::Uuid;

use crate::json::{self, Fields, Odd};
use crate::secret::{Secret, hmac_verifies};
use crate::text;

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
    /// Empty: no such token is accepted.
    pub hs256: Secret,
    pub public: Vec<PublicKey>,
    /// Empty: not compared.
    pub issuer: String,
    pub audience: String,
}

impl Issuer {
    /// Reads a JWK set (or a bare array of keys); keys without a `kid`, and symmetric ones, are left out.
    #[must_use]
    pub fn public_keys(jwks: &str) -> Vec<PublicKey> {
        let set = Fields::read(jwks.as_bytes()).ok().and_then(|set| set.get("keys").ok().flatten());
        let keys = json::items(set.unwrap_or(jwks)).unwrap_or_default();
        keys.into_iter().filter_map(Self::public_key).collect()
    }

    fn public_key(jwk: &str) -> Option<PublicKey> {
        let key = Fields::read(jwk.as_bytes()).ok()?;
        let text = |name: &str| key.text(name).ok().flatten();
        let alg = match (text("kty")?.as_str(), text("crv").as_deref()) {
            ("EC", Some("P-256")) => "ES256",
            ("RSA", _) => "RS256",
            _ => return None,
        };
        Some(PublicKey { kid: text("kid")?, alg: alg.to_owned(), jwk: jwk.to_owned() })
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

/// A token, taken apart and not yet believed.
struct Parts<'a> {
    alg: String,
    kid: Option<String>,
    claims: Vec<u8>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Why> {
        let (signed, signature) = text::rsplit_once(token, ".").ok_or(Why::Malformed)?;
        let (header, claims) = signed.split_once('.').filter(|(_, rest)| !rest.contains('.')).ok_or(Why::Malformed)?;
        let bytes = |part| decoded(part).ok_or(Why::Malformed);
        let (header, claims, signature) = (bytes(header)?, bytes(claims)?, bytes(signature)?);
        let header = fields(&header)?;
        // Claims in another format than JSON would be read by rules that are not ours.
        if header.text("cty")?.is_some_and(|kind| !kind.eq_ignore_ascii_case("json")) {
            return Err(Why::Malformed);
        }
        let alg = header.text("alg")?.ok_or(Why::Malformed)?;
        Ok(Self { alg, kid: header.text("kid")?, claims, signed: signed.as_bytes(), signature })
    }
}

/// As strict as with a body, also where nobody looks: who reads the token after us shall read the same.
fn fields(part: &[u8]) -> Result<Fields<'_>, Why> {
    json::check(part).map_err(|_| Why::Malformed)?;
    Ok(Fields::read(part)?)
}

impl From<Odd> for Why {
    fn from(_: Odd) -> Self {
        Self::Malformed
    }
}

/// Base64url without padding. What is left over is no bit of a byte, and must be nothing: a token has one spelling.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.extend(u8::try_from(held >> bits));
            held &= (1 << bits) - 1;
        }
    }
    (bits < 6 && held == 0).then_some(bytes)
}

/// The key id that a token names, unread otherwise.
#[must_use]
pub fn key_id(token: &str) -> Option<String> {
    Parts::of(token).ok()?.kid
}

/// A text that a token says of itself, before anybody has verified it.
#[must_use]
pub fn claim(token: &str, name: &str) -> Option<String> {
    let claims = decoded(token.split('.').nth(1)?)?;
    Fields::read(&claims).ok()?.text(name).ok().flatten()
}

/// First half of the check: chooses the key among the configured and the published ones and, for HS256, finishes.
///
/// # Errors
/// Why the token is refused.
pub fn check<'a>(token: &'a str, issuer: &'a Issuer, published: &'a [PublicKey], now_s: i64) -> Result<Check<'a>, Why> {
    let Parts { alg, kid, claims, signed, signature } = Parts::of(token)?;
    if let Some(key) = issuer.public.iter().chain(published).find(|key| Some(&key.kid) == kid.as_ref()) {
        return if alg == key.alg { Ok(Check::Public { key, signed, signature }) } else { Err(Why::Algorithm) };
    }
    if alg != "HS256" || issuer.hs256.is_empty() {
        return Err(Why::UnknownKey);
    }
    if !hmac_verifies(&issuer.hs256, signed, &signature) {
        return Err(Why::Signature);
    }
    judge(&claims, issuer, now_s).map(Check::Done)
}

/// Second half for asymmetric tokens: the claims, once the signature has been verified by the platform.
///
/// # Errors
/// Why the token is refused.
pub fn after_signature(token: &str, issuer: &Issuer, now_s: i64) -> Result<Verified, Why> {
    judge(&Parts::of(token)?.claims, issuer, now_s)
}

/// Seconds, whole or not, in a year that calendars have.
fn time(claims: &Fields<'_>, name: &str) -> Result<Option<i64>, Why> {
    const LAST_S: i64 = 8_210_266_876_799;
    let Some(raw) = claims.get(name)? else { return Ok(None) };
    let seconds = json::whole(raw)?;
    if (-LAST_S..=LAST_S).contains(&seconds) { Ok(Some(seconds)) } else { Err(Why::Malformed) }
}

/// For whom the token is: one or many.
fn audience(claims: &Fields<'_>) -> Result<Vec<String>, Why> {
    match claims.get("aud")? {
        Some(many) if many.starts_with('[') => {
            Ok(json::items(many)?.into_iter().map(json::string).collect::<Result<_, _>>()?)
        }
        _ => Ok(claims.text("aud")?.into_iter().collect()),
    }
}

fn judge(claims: &[u8], issuer: &Issuer, now_s: i64) -> Result<Verified, Why> {
    let claims = fields(claims)?;
    let (expires_s, not_before, issued_at) = (time(&claims, "exp")?, time(&claims, "nbf")?, time(&claims, "iat")?);
    let (sub, role, iss) = (claims.text("sub")?, claims.text("role")?, claims.text("iss")?);
    let (aud, session_id) = (audience(&claims)?, claims.text("session_id")?);
    let expires_s = expires_s.ok_or(Why::Expired)?;
    if now_s >= expires_s.saturating_add(SKEW_S) {
        return Err(Why::Expired);
    }
    for start in [not_before, issued_at].into_iter().flatten() {
        if now_s < start.saturating_sub(SKEW_S) {
            return Err(Why::NotYet);
        }
    }
    if !issuer.issuer.is_empty() && iss.as_deref() != Some(issuer.issuer.as_str()) {
        return Err(Why::Issuer);
    }
    if !aud.contains(&issuer.audience) {
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
