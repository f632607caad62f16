//! Cryptography that can be read: no secret holds here, but another key, label or byte is noticed all the same.

use std::cell::Cell;
use std::rc::Rc;

use crate::crypto::{Crypto, Failed, Signer, base64url, sha256};
use crate::db::Local;
use crate::secret::Secret;

/// Counts where the platform is random, so that a test knows what comes out.
#[derive(Default)]
pub struct FakeCrypto {
    pub drawn: Cell<u8>,
}

/// Signs with what stands here, so that a test sees which key it was.
struct FakeKey(String);

impl FakeCrypto {
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::default()
    }
}

/// What [`FakeCrypto`] signs `message` with, under the private JWK `jwk`.
#[must_use]
pub fn signature(jwk: &str, message: &[u8]) -> Vec<u8> {
    [sha256(jwk.as_bytes()), sha256(&[jwk.as_bytes(), message].concat())].concat()
}

fn mark(key: &[u8; 32], label: &str, plain: &[u8]) -> [u8; 32] {
    sha256(&[key.as_slice(), label.as_bytes(), b"\0", plain].concat())
}

impl Crypto for FakeCrypto {
    fn random(&self, bytes: &mut [u8]) -> Result<(), Failed> {
        self.drawn.set(self.drawn.get().wrapping_add(1));
        bytes.fill(self.drawn.get());
        Ok(())
    }

    fn new_key(&self) -> Local<'_, Result<Secret, Failed>> {
        self.drawn.set(self.drawn.get().wrapping_add(1));
        let part = |n: u8| base64url(&[self.drawn.get(), n].repeat(16));
        let jwk = serde_json::json!({ "kty": "EC", "crv": "P-256", "x": part(1), "y": part(2), "d": part(3) });
        Box::pin(async move { Ok(Secret::new(jwk.to_string())) })
    }

    fn signer<'a>(&'a self, jwk: &'a Secret) -> Local<'a, Result<Rc<dyn Signer>, Failed>> {
        Box::pin(async { Ok(Rc::new(FakeKey(jwk.expose().to_owned())) as Rc<dyn Signer>) })
    }

    fn seal<'a>(&'a self, key: &'a [u8; 32], label: &'a str, plain: &'a [u8]) -> Local<'a, Result<Vec<u8>, Failed>> {
        Box::pin(async move { Ok([mark(key, label, plain).as_slice(), plain].concat()) })
    }

    fn open<'a>(&'a self, key: &'a [u8; 32], label: &'a str, sealed: &'a [u8]) -> Local<'a, Result<Vec<u8>, Failed>> {
        Box::pin(async move {
            let (marked, plain) = sealed.split_at_checked(32).ok_or(Failed("the opening of a seal"))?;
            if marked == mark(key, label, plain) { Ok(plain.to_vec()) } else { Err(Failed("the opening of a seal")) }
        })
    }
}

impl Signer for FakeKey {
    fn sign<'a>(&'a self, message: &'a [u8]) -> Local<'a, Result<Vec<u8>, Failed>> {
        Box::pin(async move { Ok(signature(&self.0, message)) })
    }
}
