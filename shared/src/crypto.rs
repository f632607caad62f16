//! The port to the platform's cryptography: randomness, the keys that sign tokens, and a seal for what the database keeps.

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::db::Local;
use crate::error::ApiError;
use crate::secret::Secret;

/// The platform refused. Its reason may hold what it was given, so it goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed(pub &'static str);

impl From<Failed> for ApiError {
    fn from(Failed(what): Failed) -> Self {
        Self::internal(format!("the platform's cryptography failed: {what}"))
    }
}

pub trait Crypto {
    /// Fills `bytes` with what nobody can guess.
    ///
    /// # Errors
    /// [`Failed`].
    fn random(&self, bytes: &mut [u8]) -> Result<(), Failed>;

    /// A new P-256 key: its private JWK, as JSON.
    fn new_key(&self) -> Local<'_, Result<Secret, Failed>>;

    /// What signs with the key of a private JWK. It may be kept for later requests.
    fn signer<'a>(&'a self, jwk: &'a Secret) -> Local<'a, Result<Rc<dyn Signer>, Failed>>;

    /// Encrypts and authenticates (AES-256-GCM); `label` is authenticated with it, so that a seal fits one place only.
    fn seal<'a>(&'a self, key: &'a [u8; 32], label: &'a str, plain: &'a [u8]) -> Local<'a, Result<Vec<u8>, Failed>>;

    /// The reverse. Another key, another label or a changed byte fails.
    fn open<'a>(&'a self, key: &'a [u8; 32], label: &'a str, sealed: &'a [u8]) -> Local<'a, Result<Vec<u8>, Failed>>;
}

pub trait Signer {
    /// ES256: `r` and `s`, 64 bytes.
    fn sign<'a>(&'a self, message: &'a [u8]) -> Local<'a, Result<Vec<u8>, Failed>>;
}

#[must_use]
pub fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// Base64 for URLs, without padding: what tokens and JWKs are written in.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_and_its_text_are_those_of_rfc_7636() {
        let verifier = b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(base64url(&sha256(verifier)), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_failure_tells_the_log_what_and_the_client_nothing() {
        let error = ApiError::from(Failed("open"));
        assert_eq!(error.problem().code, "INTERNAL");
        assert_eq!(error, ApiError::internal("the platform's cryptography failed: open"));
    }
}
