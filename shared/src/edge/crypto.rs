//! WebCrypto: native code of the runtime, so that no key arithmetic is compiled into a function.

use std::rc::Rc;

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use super::task::settled;
use crate::crypto::{Crypto, Failed, Signer};
use crate::db::Local;
use crate::secret::Secret;

/// Bytes of AES-GCM's nonce, which stands before the sealed text.
const NONCE: usize = 12;

pub struct WebCrypto;

struct Key(CryptoKey);

fn crypto() -> Result<web_sys::Crypto, JsValue> {
    let global: WorkerGlobalScope = js_sys::global().unchecked_into();
    global.crypto()
}

fn subtle() -> Result<SubtleCrypto, JsValue> {
    Ok(crypto()?.subtle())
}

/// `{name: …, …}`.
fn algorithm(name: &str, more: &[(&str, JsValue)]) -> Result<Object, JsValue> {
    let object = Object::new();
    Reflect::set(&object, &"name".into(), &name.into())?;
    for (field, value) in more {
        Reflect::set(&object, &(*field).into(), value)?;
    }
    Ok(object)
}

fn p256() -> Result<Object, JsValue> {
    algorithm("ECDSA", &[("namedCurve", "P-256".into())])
}

async fn bytes(promise: Promise) -> Result<Vec<u8>, JsValue> {
    Ok(Uint8Array::new(&settled(&promise).await?).to_vec())
}

async fn made() -> Result<Secret, JsValue> {
    let subtle = subtle()?;
    let usages = Array::of2(&"sign".into(), &"verify".into());
    let promise = subtle.generate_key_with_object(&p256()?, true, &usages)?;
    let pair = settled(&promise).await?;
    let private: CryptoKey = Reflect::get(&pair, &"privateKey".into())?.unchecked_into();
    let promise = subtle.export_key("jwk", &private)?;
    let jwk = settled(&promise).await?;
    Ok(Secret::new(js_sys::JSON::stringify(&jwk)?.into()))
}

async fn imported(jwk: &str) -> Result<Key, JsValue> {
    let jwk: Object = js_sys::JSON::parse(jwk)?.unchecked_into();
    let usages = Array::of1(&"sign".into());
    // Not extractable: once opened, the private part does not come out again.
    let promise = subtle()?.import_key_with_object("jwk", &jwk, &p256()?, false, &usages)?;
    Ok(Key(settled(&promise).await?.unchecked_into()))
}

async fn signed(key: &CryptoKey, message: &[u8]) -> Result<Vec<u8>, JsValue> {
    let algorithm = algorithm("ECDSA", &[("hash", "SHA-256".into())])?;
    bytes(subtle()?.sign_with_object_and_js_u8_array(&algorithm, key, &Uint8Array::from(message))?).await
}

async fn aes(key: &[u8; 32], usage: &str) -> Result<CryptoKey, JsValue> {
    let raw = Uint8Array::from(key.as_slice());
    let usages = Array::of1(&usage.into());
    let promise = subtle()?.import_key_with_object("raw", &raw, &algorithm("AES-GCM", &[])?, false, &usages)?;
    Ok(settled(&promise).await?.unchecked_into())
}

fn gcm(nonce: &[u8], label: &str) -> Result<Object, JsValue> {
    let label = Uint8Array::from(label.as_bytes());
    algorithm("AES-GCM", &[("iv", Uint8Array::from(nonce).into()), ("additionalData", label.into())])
}

async fn sealed(key: &[u8; 32], label: &str, plain: &[u8]) -> Result<Vec<u8>, JsValue> {
    let mut nonce = [0u8; NONCE];
    crypto()?.get_random_values_with_u8_array(&mut nonce)?;
    let key = aes(key, "encrypt").await?;
    let algorithm = gcm(&nonce, label)?;
    let text = subtle()?.encrypt_with_object_and_js_u8_array(&algorithm, &key, &Uint8Array::from(plain))?;
    Ok([nonce.to_vec(), bytes(text).await?].concat())
}

async fn opened(key: &[u8; 32], label: &str, sealed: &[u8]) -> Result<Vec<u8>, JsValue> {
    let (nonce, text) = sealed.split_at_checked(NONCE).ok_or(JsValue::NULL)?;
    let key = aes(key, "decrypt").await?;
    let algorithm = gcm(nonce, label)?;
    bytes(subtle()?.decrypt_with_object_and_js_u8_array(&algorithm, &key, &Uint8Array::from(text))?).await
}

impl Crypto for WebCrypto {
    fn random(&self, bytes: &mut [u8]) -> Result<(), Failed> {
        let filled = crypto().and_then(|crypto| crypto.get_random_values_with_u8_array(bytes));
        filled.map(drop).map_err(|_| Failed("randomness"))
    }

    fn new_key(&self) -> Local<'_, Result<Secret, Failed>> {
        Box::pin(async { made().await.map_err(|_| Failed("a new key")) })
    }

    fn signer<'a>(&'a self, jwk: &'a Secret) -> Local<'a, Result<Rc<dyn Signer>, Failed>> {
        Box::pin(async {
            let key = imported(jwk.expose()).await.map_err(|_| Failed("the import of a key"))?;
            Ok(Rc::new(key) as Rc<dyn Signer>)
        })
    }

    fn seal<'a>(&'a self, key: &'a [u8; 32], label: &'a str, plain: &'a [u8]) -> Local<'a, Result<Vec<u8>, Failed>> {
        Box::pin(async { sealed(key, label, plain).await.map_err(|_| Failed("sealing")) })
    }

    fn open<'a>(&'a self, key: &'a [u8; 32], label: &'a str, sealed: &'a [u8]) -> Local<'a, Result<Vec<u8>, Failed>> {
        Box::pin(async { opened(key, label, sealed).await.map_err(|_| Failed("the opening of a seal")) })
    }
}

impl Signer for Key {
    fn sign<'a>(&'a self, message: &'a [u8]) -> Local<'a, Result<Vec<u8>, Failed>> {
        Box::pin(async { signed(&self.0, message).await.map_err(|_| Failed("signing")) })
    }
}
