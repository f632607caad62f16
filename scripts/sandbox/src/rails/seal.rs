//! Signatures of webhooks: computed at every attempt, because some carry the time, and forged on demand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256, Sha512};

use crate::faults::Forgery;

/// A provider's way to sign: the header, and its value for a secret, a body and the time in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub struct Scheme {
    pub header: &'static str,
    pub sign: fn(secret: &str, body: &[u8], at: i64) -> String,
}

/// How one message is signed.
#[derive(Clone, Debug)]
pub struct Seal {
    pub scheme: Scheme,
    pub secret: String,
    pub forgery: Option<Forgery>,
}

impl Seal {
    /// None: the header is missing, as a fault ordered.
    pub fn value(&self, body: &[u8], at: i64) -> Option<String> {
        let true_one = (self.scheme.sign)(&self.secret, body, at);
        match self.forgery {
            None => Some(true_one),
            Some(Forgery::OtherSecret) => Some((self.scheme.sign)("whsec_of_somebody_else", body, at)),
            Some(forgery) => forge(forgery, true_one),
        }
    }
}

fn forge(forgery: Forgery, mut signature: String) -> Option<String> {
    match forgery {
        Forgery::Flipped => {
            // The first digit of the MAC, behind a time if there is one.
            let at = signature.rfind("v1=").map_or(0, |at| at + 3);
            if let Some(digit) = signature.get(at..=at) {
                let other = if digit == "0" { "1" } else { "0" };
                signature.replace_range(at..=at, other);
            }
        }
        Forgery::Truncated => signature.truncate(signature.len() / 2),
        Forgery::Empty => signature.clear(),
        Forgery::Missing => return None,
        Forgery::Uppercase => signature.make_ascii_uppercase(),
        Forgery::OtherSecret => {}
    }
    Some(signature)
}

/// Providers that sign nothing are told apart by the `t` of the callback's address: that is what is forged there.
pub fn forge_url(url: &str, forgery: Forgery) -> String {
    let Some((start, token)) = url.rsplit_once("t=").filter(|(start, _)| start.ends_with(['?', '&'])) else {
        return url.to_owned();
    };
    let (token, rest) = token.split_at(token.find('&').unwrap_or(token.len()));
    let token = match forgery {
        Forgery::Missing => return format!("{}{rest}", start.trim_end_matches(['?', '&'])),
        Forgery::OtherSecret | Forgery::Flipped => {
            let (kept, last) = token.split_at(token.len().saturating_sub(1));
            format!("{kept}{}", if last == "0" { "1" } else { "0" })
        }
        Forgery::Truncated => token[..token.len() / 2].to_owned(),
        Forgery::Empty => String::new(),
        Forgery::Uppercase => token.to_ascii_uppercase(),
    };
    format!("{start}t={token}{rest}")
}

fn mac_sha256(secret: &str, body: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map(|mac| mac.chain_update(body));
    // HMAC takes keys of any length.
    mac.map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
}

pub fn hex_sha256(secret: &str, body: &[u8]) -> String {
    hex::encode(mac_sha256(secret, body))
}

pub fn base64_sha256(secret: &str, body: &[u8]) -> String {
    STANDARD.encode(mac_sha256(secret, body))
}

pub fn hex_sha512(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).map(|mac| mac.chain_update(body));
    mac.map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default()
}

/// The same words, the same id: for events that are told again.
pub fn same_id(prefix: &str, words: &str) -> String {
    format!("{prefix}{}", &hex::encode(Sha256::digest(words))[..24])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed from the documented formulas with another implementation.
    const BODY: &[u8] =
        br#"{"event":"payment.success","data":{"id":"k4su1ii7abdz","amount":200,"currency":"XOF","status":"success"}}"#;

    #[test]
    fn macs_equal_their_golden_vectors() {
        let timed = [b"1700000000.", BODY].concat();
        assert_eq!(
            hex_sha256("whsec_test", &timed),
            "bdaf462c002e3414d1864dddf5aadc5f130a013899fcda15f133fd42074eed5b"
        );
        assert!(hex_sha512("sk_test_x", BODY).starts_with("2ce5095198f7619885d1cedc6ab95addbc8277044c53d102b08c0287"));
        assert_eq!(base64_sha256("flw_hash", BODY), "8jpHULdMviGfrIJy88kQfFoktAn+jhkdVHAIstSz5Uw=");
    }

    #[test]
    fn a_callback_address_is_forged_in_its_token_only() {
        let url = "http://a/payment-webhook?provider=mtn_momo&t=abc.0f&x=1";
        for (forgery, expected) in [
            (Forgery::Flipped, "http://a/payment-webhook?provider=mtn_momo&t=abc.00&x=1"),
            (Forgery::Missing, "http://a/payment-webhook?provider=mtn_momo&x=1"),
            (Forgery::Truncated, "http://a/payment-webhook?provider=mtn_momo&t=abc&x=1"),
            (Forgery::Empty, "http://a/payment-webhook?provider=mtn_momo&t=&x=1"),
        ] {
            assert_eq!(forge_url(url, forgery), expected);
        }
        assert_eq!(forge_url("http://a/hook", Forgery::Flipped), "http://a/hook");
    }
}
