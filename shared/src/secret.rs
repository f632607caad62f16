//! Secrets that cannot be printed, and comparisons that take the same time whatever differs.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// A secret from the configuration. Its `Debug` shows nothing, so no log line can.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that signs or sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Constant time in the content; the lengths are no secret.
    #[must_use]
    pub fn equals(&self, other: &str) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(other.as_bytes()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn mac(key: &str, message: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(message);
    Some(mac)
}

/// Lower-case hex HMAC-SHA256.
#[must_use]
pub fn hmac_hex(key: &Secret, message: &[u8]) -> String {
    let Some(mac) = mac(key.expose(), message) else { return String::new() };
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// True when `hex` is the HMAC-SHA256 of `message`; constant time, refuses upper case, prefixes and other lengths.
#[must_use]
pub fn hmac_matches(key: &Secret, message: &[u8], hex: &str) -> bool {
    let Some(signature) = from_hex(hex) else { return false };
    !key.is_empty() && mac(key.expose(), message).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0u8; 32];
    if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        br#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;
    const GOOD: &str = "1f597a78f1ceb418693700c9403ca10bf74ddee332b6e8a7019cb739caa10e33";

    fn key() -> Secret {
        Secret::new("whsec_moneroo_test".into())
    }

    #[test]
    fn the_golden_vector_of_moneroo_verifies_and_is_what_we_sign() {
        assert!(hmac_matches(&key(), BODY, GOOD));
        assert_eq!(hmac_hex(&key(), BODY), GOOD);
    }

    #[test]
    fn a_signature_that_differs_in_any_way_is_refused() {
        let flipped = GOOD.replacen('1', "0", 1);
        for bad in ["", "v1,", &GOOD[..63], &GOOD.to_uppercase(), &format!("{GOOD}0"), &flipped, &"g".repeat(64)] {
            assert!(!hmac_matches(&key(), BODY, bad), "{bad}");
        }
    }

    #[test]
    fn raw_bytes_matter_and_an_empty_key_verifies_nothing() {
        let spaced = String::from_utf8_lossy(BODY).replace(',', ", ");
        assert!(!hmac_matches(&key(), spaced.as_bytes(), GOOD));
        let empty = Secret::default();
        assert!(!hmac_matches(&empty, BODY, &hmac_hex(&empty, BODY)));
        assert!(!empty.equals(""));
    }

    #[test]
    fn a_secret_does_not_print() {
        assert!(!format!("{:?}", key()).contains("whsec"));
    }
}
