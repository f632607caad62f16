//! Tokens: parsed and judged by [`crate::auth`], asymmetric signatures by WebCrypto, and remembered until they expire.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use super::config::Config;
use super::few::Few;
use super::{js, task};
use crate::auth::{Check, Issuer, PublicKey, Verified, Why, after_signature, check, key_id};
use crate::db::Local;
use crate::jwks::{MAX_BYTES, Published};
use crate::text;

/// Tokens and keys that one isolate remembers. A full map is emptied: simple, bounded, and rare.
const REMEMBERED: usize = 1_000;
/// The issuer has this long to publish its keys.
const TIMEOUT_MS: u32 = 3_000;

thread_local! {
    static TOKENS: RefCell<HashMap<String, Known, BuildHasherDefault<Tail>>> = RefCell::default();
    static KEYS: RefCell<Few<String, (String, CryptoKey)>> = const { RefCell::new(Few::new()) };
    static PUBLISHED: RefCell<Published> = RefCell::new(Published::default());
}

/// Tokens differ in their signatures, which nobody can choose: the last bytes tell them apart as well as a hash of all of them,
/// and only verified ones are kept. Whether it is the same token is still compared byte for byte.
#[derive(Default)]
struct Tail(u64);

impl Hasher for Tail {
    fn write(&mut self, bytes: &[u8]) {
        let last = bytes.iter().rev().take(12);
        self.0 = last
            .fold(self.0, |hash, byte| (hash.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x517c_c1b7_2722_0a95));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A token that was verified.
#[derive(Clone, Copy)]
struct Known {
    verified: Verified,
    /// By a key that may be revoked, so it is believed only as long as the published keys are.
    by_public_key: bool,
}

/// [`verify`] as a value, for the pipeline of every caller.
pub type Verify = for<'a> fn(&'a str, &'a Config, u64) -> Local<'a, Result<Verified, Why>>;

pub fn verify_boxed<'a>(token: &'a str, config: &'a Config, now_ms: u64) -> Local<'a, Result<Verified, Why>> {
    Box::pin(verify(token, config, now_ms))
}

/// # Errors
/// Why the token is refused.
pub async fn verify(token: &str, config: &Config, now_ms: u64) -> Result<Verified, Why> {
    let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
    if let Some(known) = remembered(token, now_s) {
        if !known.by_public_key || !is_due(config, None, now_ms) {
            return Ok(known.verified);
        }
        // A revoked key empties the memory here.
        refresh(config, now_ms).await;
        if let Some(known) = remembered(token, now_s) {
            return Ok(known.verified);
        }
    }
    // Only for tokens that name a key: HS256 is decided without a question to anybody.
    if let Some(kid) = key_id(token).filter(|kid| !config.issuer.public.iter().any(|key| key.kid == *kid)) {
        if is_due(config, Some(&kid), now_ms) {
            refresh(config, now_ms).await;
        } else {
            settled(&kid).await;
        }
    }
    let published = PUBLISHED.with_borrow(|published| published.keys(now_ms).to_vec());
    let (verified, by_public_key) = match check(token, &config.issuer, &published, now_s)? {
        Check::Done(verified) => (verified, false),
        Check::Public { key, signed, signature } => {
            if !signed_by(key, signed, &signature).await.unwrap_or(false) {
                return Err(Why::Signature);
            }
            (after_signature(token, &config.issuer, now_s)?, true)
        }
    };
    TOKENS.with_borrow_mut(|tokens| {
        if tokens.len() >= REMEMBERED {
            tokens.clear();
        }
        tokens.insert(token.to_owned(), Known { verified, by_public_key });
    });
    Ok(verified)
}

/// Claims do not change, so time is all that is left to check.
fn remembered(token: &str, now_s: i64) -> Option<Known> {
    let known = TOKENS.with_borrow(|tokens| tokens.get(token).copied())?;
    if now_s < known.verified.expires_s {
        return Some(known);
    }
    TOKENS.with_borrow_mut(|tokens| tokens.remove(token));
    None
}

fn is_due(config: &Config, kid: Option<&str>, now_ms: u64) -> bool {
    !config.jwks_url.is_empty()
        && PUBLISHED.with_borrow(|published| published.is_due(kid, config.jwks_max_age_ms, now_ms))
}

/// Asks the issuer. Nobody waits for another request's question: the runtime would cancel him with it.
async fn refresh(config: &Config, now_ms: u64) {
    PUBLISHED.with_borrow_mut(|published| published.asked(now_ms));
    let keys = fetched(config).await;
    let revoked = PUBLISHED.with_borrow_mut(|published| published.answered(keys, now_ms));
    if revoked {
        TOKENS.with_borrow_mut(HashMap::clear);
        KEYS.with_borrow_mut(Few::clear);
    }
}

/// Returns once nobody is asking for this key any more. By the clock: a request may not wait for another one's promise.
async fn settled(kid: &str) {
    while PUBLISHED.with_borrow(|published| published.awaits(kid, js::now_ms())) {
        worker::Delay::from(std::time::Duration::from_millis(10)).await;
    }
}

async fn fetched(config: &Config) -> Option<Vec<PublicKey>> {
    let headers = js::headers();
    drop(headers.set("accept", "application/json"));
    if !config.anon_key.is_empty() {
        drop(headers.set("apikey", &config.anon_key));
    }
    let response = js::fetch("GET", &config.jwks_url, &headers, None, TIMEOUT_MS).await.ok()?;
    let text = js::read(&response).await.ok()?;
    // An error page is no empty key set: it must not revoke every key.
    let is_set = response.status() == 200 && text.len() <= MAX_BYTES && text::contains(&text, "\"keys\"");
    is_set.then(|| Issuer::public_keys(&text))
}

fn algorithm(alg: &str) -> Result<Object, JsValue> {
    let parameters = Object::new();
    let (name, extra) = match alg {
        "ES256" => ("ECDSA", ("namedCurve", "P-256")),
        _ => ("RSASSA-PKCS1-v1_5", ("hash", "SHA-256")),
    };
    Reflect::set(&parameters, &"name".into(), &name.into())?;
    Reflect::set(&parameters, &extra.0.into(), &extra.1.into())?;
    Reflect::set(&parameters, &"hash".into(), &"SHA-256".into())?;
    Ok(parameters)
}

async fn signed_by(key: &PublicKey, signed: &[u8], signature: &[u8]) -> Result<bool, JsValue> {
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    let subtle = global.crypto()?.subtle();
    let imported = match KEYS.with_borrow_mut(|keys| keys.get_mut(&key.kid).cloned()) {
        // The same id may be another key since the issuer published anew.
        Some((jwk, imported)) if jwk == key.jwk => imported,
        _ => import(&subtle, key).await?,
    };
    let verdict = subtle.verify_with_object_and_js_u8_array_and_js_u8_array(
        &algorithm(&key.alg)?,
        &imported,
        &Uint8Array::from(signature),
        &Uint8Array::from(signed),
    )?;
    Ok(task::settled(&verdict).await?.is_truthy())
}

async fn import(subtle: &SubtleCrypto, key: &PublicKey) -> Result<CryptoKey, JsValue> {
    let jwk: Object = js_sys::JSON::parse(&key.jwk)?.unchecked_into();
    // A published key may list other operations than ours, and WebCrypto would refuse it for that.
    for field in ["key_ops", "use", "ext"] {
        Reflect::delete_property(&jwk, &field.into())?;
    }
    let usages = Array::of1(&"verify".into());
    let imported = subtle.import_key_with_object("jwk", &jwk, &algorithm(&key.alg)?, false, &usages)?;
    let imported: CryptoKey = task::settled(&imported).await?.unchecked_into();
    KEYS.with_borrow_mut(|keys| {
        if keys.len() >= REMEMBERED {
            keys.clear();
        }
        keys.remove(&key.kid);
        keys.add(key.kid.clone(), (key.jwk.clone(), imported.clone()));
    });
    Ok(imported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    #[test]
    fn tokens_are_told_apart_by_the_end_of_their_signatures() {
        let hash = |token: &str| BuildHasherDefault::<Tail>::default().hash_one(token);
        assert_ne!(hash("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJlMQ"), hash("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJlMg"));
        assert_eq!(hash("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJlMQ"), hash("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJlMQ"));
        let mut known = HashMap::<String, u8, BuildHasherDefault<Tail>>::default();
        known.insert("a.c2lnbmF0dXJlMQ".to_owned(), 1);
        assert_eq!(known.get("b.c2lnbmF0dXJlMQ"), None, "the same end is not the same token");
    }
}
