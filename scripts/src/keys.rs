//! The secrets of development, the same on every machine and worth nothing: those of `supabase start` where it has
//! one, so that a frontend configured for it runs unchanged.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

pub const JWT_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
pub const JWT_ISSUER: &str = "http://127.0.0.1:54321/auth/v1";
pub const JWT_AUDIENCE: &str = "authenticated";
pub const INTERNAL_API_KEY: &str = "cauris-dev-internal-key-0001";
/// Opaque keys of the newer kind, as a frontend and a backend have them.
pub const PUBLISHABLE_KEY: &str = "sb_publishable_cauris_dev";
pub const SECRET_KEY: &str = "sb_secret_cauris_dev";
/// Seals the private signing keys of the local identity service.
pub const AUTH_KEYS_SECRET: &str = "cauris-dev-auth-keys-secret";
pub const MONEROO_SECRET_KEY: &str = "sk_sandbox_cauris_dev";
pub const MONEROO_WEBHOOK_SECRET: &str = "whsec_cauris_dev";
pub const PAYMENT_TAG_KEY: &str = "cauris-dev-payment-tag-key";
pub const PAYMENT_RETURN_URL: &str = "https://app.cauris.test/return";

/// The development key pair for ES256, as projects with asymmetric keys have one.
const ES256_KID: &str = "cauris-dev-es256";
const ES256_D: &str = "KljSIJPzg6EJ8vuRU0Ypdx59aENT0Q-HP_D8gX4RyY4";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alg {
    Hs256,
    Es256,
}

/// What a test may want to be different about a user's token.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    pub alg: Alg,
    /// Seconds from now; negative for a token that has expired.
    pub expires_in: i64,
    pub issuer: String,
    pub audience: String,
    pub role: String,
    /// `aal2` once a second factor was shown.
    pub aal: String,
    pub is_anonymous: bool,
    /// Merged last: overrides any claim, removes it when null.
    pub claims: Value,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            alg: Alg::Hs256,
            expires_in: 3600,
            issuer: JWT_ISSUER.into(),
            audience: JWT_AUDIENCE.into(),
            role: "authenticated".into(),
            aal: "aal1".into(),
            is_anonymous: false,
            claims: Value::Null,
        }
    }
}

/// A user's access token, as the auth server would issue it.
pub fn user_token(sub: &Uuid, options: &TokenOptions) -> String {
    let now = now();
    let mut claims = json!({
        "iss": options.issuer, "aud": options.audience, "sub": sub, "role": options.role,
        "exp": now + options.expires_in, "iat": now, "session_id": random_uuid(), "aal": options.aal,
        "is_anonymous": options.is_anonymous,
    });
    if let (Some(claims), Some(changes)) = (claims.as_object_mut(), options.claims.as_object()) {
        for (name, value) in changes {
            if value.is_null() {
                claims.remove(name)
            } else {
                claims.insert(name.clone(), value.clone())
            };
        }
    }
    sign(options.alg, &claims.to_string())
}

pub fn anon_key() -> String {
    api_key("anon")
}

pub fn service_role_key() -> String {
    api_key("service_role")
}

/// Byte for byte those of `supabase start`, hence the text: a JSON map would sort the claims.
fn api_key(role: &str) -> String {
    sign(Alg::Hs256, &format!(r#"{{"iss":"supabase-demo","role":"{role}","exp":1983812996}}"#))
}

fn sign(alg: Alg, claims: &str) -> String {
    let header = match alg {
        Alg::Hs256 => r#"{"alg":"HS256","typ":"JWT"}"#.to_owned(),
        Alg::Es256 => format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{ES256_KID}"}}"#),
    };
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = match alg {
        Alg::Hs256 => hs256(signed.as_bytes()),
        Alg::Es256 => {
            let signature: Signature = signing_key().sign(signed.as_bytes());
            signature.to_bytes().to_vec()
        }
    };
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn hs256(message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(JWT_SECRET.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn signing_key() -> SigningKey {
    let bytes = URL_SAFE_NO_PAD.decode(ES256_D).expect("the constant is base64url");
    SigningKey::from_slice(&bytes).expect("the constant is a P-256 key")
}

fn public_jwk() -> Value {
    let point = signing_key().verifying_key().to_encoded_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| bytes.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": ES256_KID,
        "x": coordinate(point.x()), "y": coordinate(point.y()),
    })
}

/// The public keys that functions accept.
pub fn jwks() -> String {
    json!({ "keys": [public_jwk()] }).to_string()
}

/// What PostgREST verifies with: the shared secret and the public key, as one key set.
pub fn rest_jwks() -> String {
    let shared = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(JWT_SECRET), "alg": "HS256" });
    json!({ "keys": [shared, public_jwk()] }).to_string()
}

/// What every worker of a local stack is given, apart from the addresses that depend on ports.
pub fn worker_vars() -> BTreeMap<String, String> {
    [
        ("JWT_SECRET", JWT_SECRET.into()),
        ("JWT_JWKS", jwks()),
        ("JWT_ISSUER", JWT_ISSUER.into()),
        ("JWT_AUDIENCE", JWT_AUDIENCE.into()),
        ("ANON_KEY", anon_key()),
        ("SERVICE_ROLE_KEY", service_role_key()),
        ("PUBLISHABLE_KEYS", PUBLISHABLE_KEY.into()),
        ("SECRET_KEYS", SECRET_KEY.into()),
        ("SUPABASE_URL", String::new()),
        ("JWT_JWKS_MAX_AGE_S", "5".into()),
        ("AUTH_KEYS_SECRET", AUTH_KEYS_SECRET.into()),
        ("AUTH_AUTOCONFIRM", "on".into()),
        ("SITE_URL", "http://127.0.0.1:3000".into()),
        ("INTERNAL_API_KEY", INTERNAL_API_KEY.into()),
        ("MONEROO_SECRET_KEY", MONEROO_SECRET_KEY.into()),
        ("MONEROO_WEBHOOK_SECRET", MONEROO_WEBHOOK_SECRET.into()),
        ("PAYMENT_TAG_KEY", PAYMENT_TAG_KEY.into()),
        ("PAYMENT_ENVIRONMENT", "sandbox".into()),
        ("PAYMENT_RETURN_URL", PAYMENT_RETURN_URL.into()),
        ("ALLOWED_ORIGINS", "*".into()),
        ("RETURN_ORIGINS", "*".into()),
        ("LOG", "on".into()),
    ]
    .map(|(name, value): (&str, String)| (name.to_owned(), value))
    .into()
}

/// What proves a notification of a provider that signs nothing and knows one address only, as it is entered in its portal:
/// shared::payments::callback_token.
pub fn portal_token(provider: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(PAYMENT_TAG_KEY.as_bytes()).expect("any key will do");
    mac.update(format!("callback|{provider}|portal").as_bytes());
    format!("portal.{}", hex::encode(mac.finalize().into_bytes()))
}

/// A random (version 4) UUID.
pub fn random_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier as _;

    use super::*;

    fn claims(token: &str) -> Value {
        let body = token.split('.').nth(1).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).expect("base64url")).expect("JSON")
    }

    #[test]
    fn the_anon_key_is_the_one_of_supabase_start() {
        let known = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0";
        assert_eq!(anon_key(), known);
    }

    #[test]
    fn an_es256_token_verifies_under_the_published_key() {
        let token = user_token(&Uuid::nil(), &TokenOptions { alg: Alg::Es256, ..TokenOptions::default() });
        let (signed, signature) = token.rsplit_once('.').expect("a signature");
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).expect("base64url")).expect("r and s");
        let key = VerifyingKey::from(&signing_key());
        key.verify(signed.as_bytes(), &signature).expect("a good signature");
        assert!(jwks().contains(ES256_KID) && !jwks().contains(ES256_D), "the private part is published");
    }

    #[test]
    fn a_token_names_its_user_and_single_claims_can_be_changed_or_removed() {
        let options =
            TokenOptions { expires_in: -1, claims: json!({ "sub": null, "x": 1 }), ..TokenOptions::default() };
        let claims = claims(&user_token(&Uuid::nil(), &options));
        assert_eq!((claims.get("sub"), &claims["x"], &claims["role"]), (None, &json!(1), &json!("authenticated")));
        assert!(claims["exp"].as_i64() < claims["iat"].as_i64(), "not expired");
    }
}
