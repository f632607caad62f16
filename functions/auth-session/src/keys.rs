//! The keys that sign access tokens. They live in Postgres, sealed under `AUTH_KEYS_SECRET`, and are opened nowhere but here.

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::crypto::{Signer, base64url, sha256};
use shared::edge::{Answer, ApiError};
use shared::error::NOT_CONFIGURED;
use shared::secret::Secret;

use crate::visit::Visit;

/// An opened key is kept this long: a rotation takes effect within a minute, and a sign-in rarely asks for the keys.
const KEPT_MS: u64 = 60_000;

/// A key as Postgres has it.
#[derive(Clone, Debug, Deserialize)]
pub struct Key {
    pub kid: String,
    pub status: String,
    pub public_jwk: Value,
    /// Sealed, in base64; only of keys that sign, or will.
    pub private_key: Option<String>,
    pub created_at: String,
}

/// The parts of a JWK that may be seen.
#[derive(Deserialize)]
struct Point {
    x: String,
    y: String,
}

/// The current key, opened.
#[derive(Clone)]
pub struct Ring {
    pub kid: String,
    pub signer: Rc<dyn Signer>,
}

thread_local! {
    static OPENED: RefCell<Option<(Ring, u64)>> = const { RefCell::new(None) };
}

/// The next sign-in asks Postgres again.
pub fn forget() {
    OPENED.set(None);
}

pub async fn all(visit: &Visit) -> Answer<Vec<Key>> {
    Ok(visit.service("signing_keys_state", json!({})).await?.keys)
}

/// The key to sign with; the very first one is made here.
pub async fn ring(visit: &Visit) -> Answer<Ring> {
    let now_ms = visit.cx.world.now_ms;
    let kept = OPENED.with_borrow(|opened| opened.clone().filter(|(_, until_ms)| now_ms < *until_ms));
    if let Some((ring, _)) = kept {
        return Ok(ring);
    }
    let sealing = sealing_key(visit)?;
    let known = all(visit).await?.into_iter().find(|key| key.status == "current");
    let key = match known {
        Some(key) => key,
        None => add(visit, "current").await?,
    };
    let sealed = key.private_key.as_deref().and_then(|text| STANDARD.decode(text).ok());
    let sealed =
        sealed.ok_or_else(|| ApiError::internal(format!("the signing key {} has no private part", key.kid)))?;
    let opened = visit.crypto.open(&sealing, &key.kid, &sealed).await;
    let opened = opened.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let opened = opened.ok_or_else(|| ApiError::internal(format!("AUTH_KEYS_SECRET does not open key {}", key.kid)))?;
    let signer = visit.crypto.signer(&Secret::new(opened)).await?;
    let ring = Ring { kid: key.kid, signer };
    OPENED.set(Some((ring.clone(), now_ms.saturating_add(KEPT_MS))));
    Ok(ring)
}

/// Makes a key and stores it. If another request was first, its key comes back.
pub async fn add(visit: &Visit, status: &'static str) -> Answer<Key> {
    let sealing = sealing_key(visit)?;
    let private = visit.crypto.new_key().await?;
    let point: Point = shared::json::read(private.expose()).map_err(|_| ApiError::internal("a new key is no JWK"))?;
    let kid = thumbprint(&point);
    let sealed = visit.crypto.seal(&sealing, &kid, private.expose().as_bytes()).await?;
    let public_jwk = json!({ "kty": "EC", "crv": "P-256", "x": point.x, "y": point.y, "kid": kid, "alg": "ES256" });
    let new = json!({ "kid": kid, "public_jwk": public_jwk, "private_key": STANDARD.encode(sealed), "status": status });
    visit.service("signing_key_add", new).await?.key.ok_or_else(|| ApiError::internal("no key was added"))
}

fn sealing_key(visit: &Visit) -> Answer<[u8; 32]> {
    let secret = &visit.settings().keys_secret;
    if secret.is_empty() { Err(NOT_CONFIGURED.into()) } else { Ok(sha256(secret.expose().as_bytes())) }
}

/// RFC 7638: the digest of the required members, in this order.
fn thumbprint(point: &Point) -> String {
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, point.x, point.y);
    base64url(&sha256(text.as_bytes()))
}

/// What verifiers may know: every key but the revoked ones, and nothing of a private part.
pub fn published(keys: &[Key]) -> Value {
    let shown = keys.iter().filter(|key| key.status != "revoked").map(|key| {
        let part = |name: &str| key.public_jwk.get(name).cloned().unwrap_or_default();
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "key_ops": ["verify"], "kid": key.kid,
            "x": part("x"), "y": part("y"),
        })
    });
    json!({ "keys": shown.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_thumbprint() {
        // The P-256 key of RFC 7517, appendix A.1; its thumbprint by jose.
        let point = Point {
            x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".into(),
            y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".into(),
        };
        assert_eq!(thumbprint(&point), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    }

    #[test]
    fn a_revoked_key_is_not_published_and_a_private_part_never() {
        let key = |kid: &str, status: &str| Key {
            kid: kid.into(),
            status: status.into(),
            public_jwk: json!({ "x": "X", "y": "Y", "d": "D" }),
            private_key: Some("sealed".into()),
            created_at: String::new(),
        };
        let keys = [key("a", "current"), key("b", "standby"), key("c", "previous"), key("d", "revoked")];
        let set = published(&keys);
        let kids: Vec<_> = set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
        assert_eq!(kids, ["a", "b", "c"]);
        assert!(!set.to_string().contains("sealed") && !set.to_string().contains("\"D\""), "{set}");
    }
}
