//! What is mailed, and what comes back. A link carries a token that works once; Postgres keeps its hash.
//!
//! With PKCE (RFC 7636) the link gives a code instead of a session, and only the client that asked can exchange it. The
//! challenge travels inside the token and the code. Both are kept as hashes of the whole, so it cannot be exchanged for another.

use shared::crypto::{base64url, sha256};
use shared::edge::{Answer, ApiError, Refusal};
use shared::payments::form;
use shared::secret::{digest, hmac_hex};

use crate::gotrue::invalid;
use crate::redirect;
use crate::said::Ask;
use crate::visit::Visit;

/// GoTrue's mark of a token whose link gives a code.
const PKCE: &str = "pkce_";
/// Characters of 32 bytes in base64 for URLs.
const PART: usize = 43;
/// Seconds that a code may wait for its exchange.
const CODE_S: u64 = 300;

pub const NO_FLOW: Refusal = Refusal::new(404, "FLOW_STATE_NOT_FOUND", "invalid flow state, no valid flow state found");
const OLD_FLOW: Refusal = Refusal::new(422, "FLOW_STATE_EXPIRED", "invalid flow state, flow state has expired");
const BAD_VERIFIER: Refusal =
    Refusal::new(400, "BAD_CODE_VERIFIER", "code challenge does not match previously saved code verifier");

/// The digest of the verifier, whichever method the client chose.
pub struct Challenge(String);

/// What a client that knows PKCE sends with whatever ends in a mail.
pub fn challenge(ask: &Ask) -> Answer<Option<Challenge>> {
    let (challenge, method) = match (ask.code_challenge.get(), ask.code_challenge_method.get()) {
        (None, None) => return Ok(None),
        (Some(challenge), Some(method)) => (challenge, method),
        _ => return Err(invalid("PKCE flow requires code_challenge_method and code_challenge")),
    };
    let shaped = challenge.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    if !(PART..=128).contains(&challenge.len()) || !shaped {
        return Err(invalid(
            "code challenge has to be 43 to 128 letters, digits, hyphens, periods, underscores and tildes",
        ));
    }
    match method.to_ascii_lowercase().as_str() {
        "s256" if challenge.len() == PART => Ok(Some(Challenge(challenge.to_owned()))),
        "plain" => Ok(Some(Challenge(digested(challenge)))),
        _ => Err(invalid("code_challenge_method is plain or s256")),
    }
}

fn digested(verifier: &str) -> String {
    base64url(&sha256(verifier.as_bytes()))
}

/// A mail to be written.
pub struct Link {
    pub url: String,
    pub hash: String,
}

pub fn mailed(visit: &Visit, kind: &str, challenge: Option<Challenge>) -> Answer<Link> {
    let random = visit.random_text()?;
    let token = challenge.map_or(random.clone(), |Challenge(challenge)| [PKCE, &random, &challenge].concat());
    let fields = form::encode(&[("token", &token), ("type", kind), ("redirect_to", redirect::target(visit))]);
    Ok(Link { url: format!("{}/verify?{fields}", visit.settings().issuer), hash: digest(token.as_bytes()) })
}

/// The challenge that a mailed token carries; `None` for one that gives a session at once.
pub fn challenge_of(token: &str) -> Option<Challenge> {
    let (_, challenge) = token.strip_prefix(PKCE)?.split_at_checked(PART)?;
    (challenge.len() == PART).then(|| Challenge(challenge.to_owned()))
}

/// A code, and the hash under which the session waits for it.
pub struct Code {
    pub code: String,
    pub hash: String,
}

pub fn code(visit: &Visit, Challenge(challenge): &Challenge) -> Answer<Code> {
    let code = format!("{}{challenge}{}", visit.random_text()?, visit.now_s());
    let hash = hash_of(visit, &code)?;
    Ok(Code { code, hash })
}

/// Not the hash of a refresh token: a code alone must not refresh a session. Nobody else can make this one.
fn hash_of(visit: &Visit, code: &str) -> Answer<String> {
    let hash = hmac_hex(&visit.settings().keys_secret, [b"code|", code.as_bytes()].concat().as_slice());
    if hash.is_empty() { Err(shared::error::NOT_CONFIGURED.into()) } else { Ok(hash) }
}

/// The hash of a code that this verifier may exchange now.
pub fn exchanged(visit: &Visit, code: &str, verifier: &str) -> Answer<String> {
    let parts = code.split_at_checked(PART).and_then(|(_, rest)| rest.split_at_checked(PART));
    let (challenge, made_s) = parts.ok_or(NO_FLOW)?;
    let made_s: u64 = made_s.parse().map_err(|_| ApiError::from(NO_FLOW))?;
    if visit.now_s() > made_s.saturating_add(CODE_S) {
        return Err(OLD_FLOW.into());
    }
    if challenge != digested(verifier) {
        return Err(BAD_VERIFIER.into());
    }
    hash_of(visit, code)
}
