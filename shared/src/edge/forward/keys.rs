//! Whom `/rest/v1` takes a caller for: decided by the two headers that may carry a credential, `apikey` and `authorization`.
//! One that is sent and does not hold is refused, and the refusal names its header; it never makes a caller somebody less.
//!
//! Sources: platform/supabase.md 2.2 to 2.4; the modes of `@supabase/server`.

use crate::secret::Secret;
use crate::{auth, text};

/// What the caller sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent<'a> {
    pub apikey: Option<&'a str>,
    pub authorization: Option<&'a str>,
    pub user_agent: Option<&'a str>,
}

/// Which of the two headers a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    ApiKey,
    Authorization,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// Nothing was sent.
    Nobody,
    /// A publishable key: what a frontend is before anybody signs in.
    Anon,
    /// A secret key.
    Service,
    /// A token that has to name a user, still to be verified.
    User(&'a str, Header),
    /// An API key of the older kind is a token without a user; PostgREST verifies it.
    Legacy(&'a str),
}

/// Why the caller is refused, in a sentence that names the header and never the value.
pub type Hint = &'static str;

pub const BAD_USER_TOKEN: Hint = "the token in Authorization does not hold: it is expired, or not of this issuer";
pub const BAD_API_TOKEN: Hint = "the token in apikey does not hold";
const NO_BEARER: Hint = "Authorization is not of the form: Bearer TOKEN";
const KEY_AS_BEARER: Hint = "Authorization holds an API key that is not the one in apikey; it belongs in apikey";
const UNKNOWN_KEY: Hint = "the key in apikey is not one of this project";
const SECRET_IN_BROWSER: Hint = "apikey holds a secret key, which must never be sent from a browser";

/// # Errors
/// The hint of a 401.
pub fn credential<'a>(sent: Sent<'a>, publishable: &[Secret], secret: &[Secret]) -> Result<Credential<'a>, Hint> {
    let key = sent.apikey.filter(|key| !key.is_empty());
    let opaque = key.filter(|key| key.starts_with("sb_"));
    let own = opaque.map(|key| known(key, sent.user_agent, publishable, secret)).transpose()?;
    let Some(authorization) = sent.authorization else {
        return match (own, key) {
            (Some(own), _) => Ok(own),
            (None, Some(token)) => Ok(told(token, Header::ApiKey)),
            (None, None) => Ok(Credential::Nobody),
        };
    };
    let token = auth::bearer(Some(authorization)).map_err(|_| NO_BEARER)?;
    if !token.starts_with("sb_") {
        return Ok(told(token, Header::Authorization));
    }
    // Older clients repeat the key as a token.
    match own {
        Some(own) if key.is_some_and(|key| Secret::new(key.to_owned()).equals(token)) => Ok(own),
        _ => Err(KEY_AS_BEARER),
    }
}

/// Every key is compared, so that the time tells nothing.
fn known<'a>(
    key: &str,
    user_agent: Option<&str>,
    publishable: &[Secret],
    secret: &[Secret],
) -> Result<Credential<'a>, Hint> {
    let among = |keys: &[Secret]| keys.iter().fold(false, |found, one| one.equals(key) | found);
    let (public, private) = (among(publishable), among(secret));
    if private && user_agent.is_some_and(is_browser) {
        return Err(SECRET_IN_BROWSER);
    }
    match (public, private) {
        (_, true) => Ok(Credential::Service),
        (true, false) => Ok(Credential::Anon),
        (false, false) => Err(UNKNOWN_KEY),
    }
}

/// Every browser says so, for reasons of its own history; no server's HTTP client does.
fn is_browser(user_agent: &str) -> bool {
    text::contains(user_agent, "Mozilla/")
}

fn told(token: &str, header: Header) -> Credential<'_> {
    match role_of(token).as_deref() {
        Some("anon" | "service_role") => Credential::Legacy(token),
        _ => Credential::User(token, header),
    }
}

/// What a token says of itself, before anybody has verified it: it only chooses who does.
fn role_of(token: &str) -> Option<String> {
    auth::claim(token, "role")
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const PUBLIC: &str = "sb_publishable_one";
    const PRIVATE: &str = "sb_secret_one";
    const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36";

    fn token(role: &str) -> String {
        format!("x.{}.y", URL_SAFE_NO_PAD.encode(format!(r#"{{"role":"{role}"}}"#)))
    }

    fn decided<'a>(
        apikey: Option<&'a str>,
        authorization: Option<&'a str>,
        user_agent: &'a str,
    ) -> Result<Credential<'a>, Hint> {
        let keys = |keys: &[&str]| keys.iter().map(|key| Secret::new((*key).to_owned())).collect::<Vec<_>>();
        let sent = Sent { apikey, authorization, user_agent: Some(user_agent) };
        credential(sent, &keys(&["sb_publishable_old", PUBLIC]), &keys(&[PRIVATE]))
    }

    #[test]
    fn c03_each_pair_of_headers_is_somebody() {
        let (user, anon) = (token("authenticated"), token("anon"));
        let (as_user, as_anon) = (format!("Bearer {user}"), format!("bearer {anon}"));
        for (apikey, authorization, expected) in [
            (None, None, Credential::Nobody),
            (Some(""), None, Credential::Nobody),
            (Some(PUBLIC), None, Credential::Anon),
            (Some(PUBLIC), Some("Bearer sb_publishable_one"), Credential::Anon),
            (Some(PRIVATE), None, Credential::Service),
            (Some(PRIVATE), Some("Bearer sb_secret_one"), Credential::Service),
            (Some(PUBLIC), Some(as_user.as_str()), Credential::User(&user, Header::Authorization)),
            // The user who is signed in, also where a backend speaks for him.
            (Some(PRIVATE), Some(as_user.as_str()), Credential::User(&user, Header::Authorization)),
            (Some(anon.as_str()), Some(as_anon.as_str()), Credential::Legacy(&anon)),
            (Some(anon.as_str()), None, Credential::Legacy(&anon)),
            (Some(user.as_str()), None, Credential::User(&user, Header::ApiKey)),
            (None, Some(as_user.as_str()), Credential::User(&user, Header::Authorization)),
        ] {
            assert_eq!(decided(apikey, authorization, "node"), Ok(expected), "{apikey:?} {authorization:?}");
        }
    }

    #[test]
    fn c06_what_is_sent_and_does_not_hold_is_refused_by_its_header() {
        let as_user = format!("Bearer {}", token("authenticated"));
        for (apikey, authorization, hint) in [
            (Some("sb_publishable_two"), None, UNKNOWN_KEY),
            (Some("sb_secret_on"), None, UNKNOWN_KEY),
            (Some("sb_"), None, UNKNOWN_KEY),
            (Some("sb_publishable_two"), Some(as_user.as_str()), UNKNOWN_KEY),
            (None, Some("Bearer sb_publishable_one"), KEY_AS_BEARER),
            (Some(PUBLIC), Some("Bearer sb_secret_one"), KEY_AS_BEARER),
            (Some(PUBLIC), Some("Bearer sb_publishable_old"), KEY_AS_BEARER),
            (Some(PUBLIC), Some("Basic YTpi"), NO_BEARER),
            (Some(PUBLIC), Some(""), NO_BEARER),
            (Some(PUBLIC), Some("Bearer a b"), NO_BEARER),
        ] {
            assert_eq!(decided(apikey, authorization, "node"), Err(hint), "{apikey:?} {authorization:?}");
        }
    }

    #[test]
    fn c03_a_secret_key_is_refused_from_a_browser_whatever_comes_with_it() {
        let as_user = format!("Bearer {}", token("authenticated"));
        for authorization in [None, Some(as_user.as_str())] {
            assert_eq!(decided(Some(PRIVATE), authorization, CHROME), Err(SECRET_IN_BROWSER));
            assert!(decided(Some(PUBLIC), authorization, CHROME).is_ok());
        }
    }

    #[test]
    fn a_token_that_cannot_be_read_has_to_name_a_user_and_will_not() {
        for odd in ["x", "a.b.c", "..", "a.e30.c", "a.W10.c"] {
            assert_eq!(told(odd, Header::Authorization), Credential::User(odd, Header::Authorization), "{odd}");
        }
    }

    #[test]
    fn without_keys_of_ours_no_opaque_key_is_anybody() {
        let sent = Sent { apikey: Some("sb_publishable_one"), ..Sent::default() };
        assert_eq!(credential(sent, &[], &[Secret::default()]), Err(UNKNOWN_KEY));
    }
}
