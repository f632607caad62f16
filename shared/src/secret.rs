//! Secrets that cannot be printed, and comparisons that take the same time whatever differs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
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

fn mac<M: Mac + KeyInit>(key: &Secret, message: &[u8]) -> Option<M> {
    if key.is_empty() {
        return None;
    }
    let mut mac = <M as Mac>::new_from_slice(key.expose().as_bytes()).ok()?;
    mac.update(message);
    Some(mac)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower-case hex HMAC-SHA256; nothing under an empty key.
#[must_use]
pub fn hmac_hex(key: &Secret, message: &[u8]) -> String {
    mac::<Hmac<Sha256>>(key, message).map(|mac| hex(&mac.finalize().into_bytes())).unwrap_or_default()
}

/// Lower-case hex SHA-256: a name for bytes, no proof of anything.
#[must_use]
pub fn digest(message: &[u8]) -> String {
    hex(&Sha256::digest(message))
}

/// True when `hex` is the HMAC-SHA256 of `message`; constant time, refuses upper case, prefixes and other lengths.
#[must_use]
pub fn hmac_matches(key: &Secret, message: &[u8], hex: &str) -> bool {
    from_hex::<32>(hex).is_some_and(|signature| hmac_verifies(key, message, &signature))
}

/// True when `signature` is the HMAC-SHA256 of `message`; constant time, and never under an empty key.
#[must_use]
pub fn hmac_verifies(key: &Secret, message: &[u8], signature: &[u8]) -> bool {
    mac::<Hmac<Sha256>>(key, message).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

/// The same with SHA-512.
#[must_use]
pub fn hmac512_matches(key: &Secret, message: &[u8], hex: &str) -> bool {
    let Some(signature) = from_hex::<64>(hex) else { return false };
    mac::<Hmac<Sha512>>(key, message).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
}

/// True when `text` is the base64 HMAC-SHA256 of `message`, with its padding. The texts are compared, so that no second
/// spelling of the same bytes passes.
#[must_use]
pub fn hmac_base64_matches(key: &Secret, message: &[u8], text: &str) -> bool {
    let Some(mac) = mac::<Hmac<Sha256>>(key, message) else { return false };
    Secret::new(STANDARD.encode(mac.finalize().into_bytes())).equals(text)
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    if text.len() != 2 * N || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
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

    const PAYSTACK: &str = "2ce5095198f7619885d1cedc6ab95addbc8277044c53d102b08c02871886958a507c8e1a446bbf15c133011b971b2f9b6d4c5dbf47d5b39a162db9fc47306afd";
    const FLUTTERWAVE: &str = "8jpHULdMviGfrIJy88kQfFoktAn+jhkdVHAIstSz5Uw=";

    fn key() -> Secret {
        Secret::new("whsec_moneroo_test".into())
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    /// The vectors of money.md, 1.4, over one body.
    #[test]
    fn the_golden_vectors_verify_and_ours_is_what_we_sign() {
        assert!(hmac_matches(&key(), BODY, GOOD));
        assert_eq!(hmac_hex(&key(), BODY), GOOD);
        let stripe = "bdaf462c002e3414d1864dddf5aadc5f130a013899fcda15f133fd42074eed5b";
        assert!(hmac_matches(&secret("whsec_test"), &[b"1700000000.", BODY].concat(), stripe));
        let wave = "7bde0ec3cf1d22a5a090a0d73b575ff9ed3f6165f90b521a9aeca11d40ccf78b";
        assert!(hmac_matches(&secret("wave_test"), &[b"1700000000", BODY].concat(), wave));
        assert!(hmac512_matches(&secret("sk_test_x"), BODY, PAYSTACK));
        assert!(hmac_base64_matches(&secret("flw_hash"), BODY, FLUTTERWAVE));
    }

    #[test]
    fn a_signature_that_differs_in_any_way_is_refused() {
        let flipped = GOOD.replacen('1', "0", 1);
        for bad in ["", "v1,", &GOOD[..63], &GOOD.to_uppercase(), &format!("{GOOD}0"), &flipped, &"g".repeat(64)] {
            assert!(!hmac_matches(&key(), BODY, bad), "{bad}");
        }
        let flipped = PAYSTACK.replacen('2', "3", 1);
        for bad in ["", GOOD, &PAYSTACK[..127], &PAYSTACK.to_uppercase(), &format!("{PAYSTACK}0"), &flipped] {
            assert!(!hmac512_matches(&secret("sk_test_x"), BODY, bad), "{bad}");
        }
        let unpadded = FLUTTERWAVE.trim_end_matches('=');
        // The last letter before the padding carries two bits that mean nothing.
        for bad in [
            "",
            "flw_hash",
            GOOD,
            unpadded,
            &FLUTTERWAVE.to_uppercase(),
            &FLUTTERWAVE.replace("w=", "x="),
            &format!("{FLUTTERWAVE}="),
        ] {
            assert!(!hmac_base64_matches(&secret("flw_hash"), BODY, bad), "{bad}");
        }
    }

    #[test]
    fn raw_bytes_matter_and_an_empty_key_verifies_nothing() {
        let spaced = String::from_utf8_lossy(BODY).replace(',', ", ");
        assert!(!hmac_matches(&key(), spaced.as_bytes(), GOOD));
        let empty = Secret::default();
        assert_eq!(hmac_hex(&empty, BODY), "");
        // What an empty key would sign.
        assert!(!hmac_matches(&empty, b"", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
        assert!(!hmac_base64_matches(&empty, b"", "thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0="));
        assert!(!empty.equals(""));
    }

    #[test]
    fn a_secret_does_not_print() {
        assert!(!format!("{:?}", key()).contains("whsec"));
    }
}
