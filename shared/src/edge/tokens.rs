//! Tokens: parsed and judged by [`crate::auth`], asymmetric signatures by WebCrypto, and remembered until they expire.

use std::cell::RefCell;
use std::collections::HashMap;

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use crate::auth::{Check, Issuer, PublicKey, Verified, Why, after_signature, check};

/// Tokens and keys that one isolate remembers. A full map is emptied: simple, bounded, and rare.
const REMEMBERED: usize = 1_000;

thread_local! {
    static TOKENS: RefCell<HashMap<String, Verified>> = RefCell::new(HashMap::new());
    static KEYS: RefCell<HashMap<String, CryptoKey>> = RefCell::new(HashMap::new());
}

/// # Errors
/// Why the token is refused.
pub async fn verify(token: &str, issuer: &Issuer, now_s: i64) -> Result<Verified, Why> {
    if let Some(verified) = TOKENS.with_borrow(|tokens| tokens.get(token).copied()) {
        // Claims do not change, so time is all that is left to check.
        if now_s < verified.expires_s {
            return Ok(verified);
        }
        TOKENS.with_borrow_mut(|tokens| tokens.remove(token));
    }
    let verified = match check(token, issuer, now_s)? {
        Check::Done(verified) => verified,
        Check::Public { key, signed, signature } => {
            if !signed_by(key, signed, &signature).await.unwrap_or(false) {
                return Err(Why::Signature);
            }
            after_signature(token, issuer, now_s)?
        }
    };
    TOKENS.with_borrow_mut(|tokens| {
        if tokens.len() >= REMEMBERED {
            tokens.clear();
        }
        tokens.insert(token.to_owned(), verified);
    });
    Ok(verified)
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
    let imported = match KEYS.with_borrow(|keys| keys.get(&key.kid).cloned()) {
        Some(imported) => imported,
        None => import(&subtle, key).await?,
    };
    let verdict = subtle.verify_with_object_and_js_u8_array_and_js_u8_array(
        &algorithm(&key.alg)?,
        &imported,
        &Uint8Array::from(signature),
        &Uint8Array::from(signed),
    )?;
    Ok(JsFuture::from(verdict).await?.is_truthy())
}

async fn import(subtle: &SubtleCrypto, key: &PublicKey) -> Result<CryptoKey, JsValue> {
    let jwk: Object = js_sys::JSON::parse(&key.jwk)?.unchecked_into();
    // A published key may list other operations than ours, and WebCrypto would refuse it for that.
    for field in ["key_ops", "use", "ext"] {
        Reflect::delete_property(&jwk, &field.into())?;
    }
    let usages = Array::of1(&"verify".into());
    let imported = subtle.import_key_with_object("jwk", &jwk, &algorithm(&key.alg)?, false, &usages)?;
    let imported: CryptoKey = JsFuture::from(imported).await?.unchecked_into();
    KEYS.with_borrow_mut(|keys| {
        if keys.len() >= REMEMBERED {
            keys.clear();
        }
        keys.insert(key.kid.clone(), imported.clone());
    });
    Ok(imported)
}
