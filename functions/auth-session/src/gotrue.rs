//! How GoTrue says no, and what it says yes with (supabase/auth, internal/api/errors.go and apierrors/errorcode.go).

use serde_json::{Value, json};
use shared::edge::{Answer, ApiError, Refusal, Reply, Seen};
use shared::error::Problem;

use crate::visit::Visit;

pub const NO_AUTHORIZATION: Refusal =
    Refusal::new(401, "NO_AUTHORIZATION", "This endpoint requires a valid Bearer token");
pub const BAD_JWT: Refusal = Refusal::new(403, "BAD_JWT", "invalid JWT: unable to parse or verify signature");
pub const NOT_ADMIN: Refusal = Refusal::new(403, "NOT_ADMIN", "User not allowed");
pub const NO_SUCH_PATH: Refusal = Refusal::new(404, "NOT_FOUND", "no such endpoint");
pub const NO_PHONE: Refusal = Refusal::new(422, "PHONE_PROVIDER_DISABLED", "Phone signups are disabled");
/// The same for an address that nobody has, and a password that is wrong.
pub const INVALID_LOGIN: Refusal = Refusal::new(400, "INVALID_CREDENTIALS", "Invalid login credentials");

/// What the client of `2024-01-01` or later is told apart from an older one.
const VERSIONED: &str = "2024-01-01";

/// Our codes that GoTrue knows by another name, status or sentence. Every other one is its own name in lower case.
const RENAMED: [(&str, u16, &str, Option<&str>); 19] = [
    ("USER_EXISTS", 422, "user_already_exists", Some("User already registered")),
    ("EMAIL_EXISTS", 422, "email_exists", Some("A user with this email address has already been registered")),
    ("PHONE_EXISTS", 422, "phone_exists", Some("A user with this phone number has already been registered")),
    ("EMAIL_NOT_CONFIRMED", 400, "email_not_confirmed", Some("Email not confirmed")),
    ("USER_BANNED", 403, "user_banned", Some("User is banned")),
    ("SESSION_NOT_FOUND", 403, "session_not_found", Some("Session from session_id claim in JWT does not exist")),
    ("REFRESH_TOKEN_NOT_FOUND", 400, "refresh_token_not_found", Some("Invalid Refresh Token: Refresh Token Not Found")),
    ("REFRESH_TOKEN_ALREADY_USED", 400, "refresh_token_already_used", Some("Invalid Refresh Token: Already Used")),
    ("OTP_EXPIRED", 403, "otp_expired", Some("Email link is invalid or has expired")),
    (
        "OVER_EMAIL_SEND_RATE_LIMIT",
        429,
        "over_email_send_rate_limit",
        Some("For security purposes, you can only request this once a minute"),
    ),
    ("INVALID_CREDENTIALS", 400, "invalid_credentials", Some("Invalid login credentials")),
    ("VALIDATION_ERROR", 400, "validation_failed", None),
    ("BAD_JSON", 400, "bad_json", Some("Could not parse request body as JSON")),
    ("PAYLOAD_TOO_LARGE", 413, "request_entity_too_large", None),
    ("RATE_LIMITED", 429, "over_request_rate_limit", Some("Request rate limit reached")),
    ("INTERNAL", 500, "unexpected_failure", None),
    ("OVERLOADED", 503, "unexpected_failure", None),
    ("DEPENDENCY_UNAVAILABLE", 503, "unexpected_failure", None),
    ("NOT_CONFIGURED", 503, "not_configured", None),
];

/// A refusal in GoTrue's words.
#[derive(Debug, PartialEq)]
pub struct No {
    pub status: u16,
    pub code: String,
    pub message: String,
    /// Why a password is weak.
    reasons: Value,
}

impl From<&Problem> for No {
    fn from(no: &Problem) -> Self {
        let known = RENAMED.iter().find(|(code, ..)| *code == no.code);
        let (status, code, sentence) = match known {
            // A gateway that took too long stays a 504.
            Some((_, status, code, sentence)) if no.status < 500 => (*status, (*code).to_owned(), *sentence),
            Some((_, _, code, sentence)) => (no.status, (*code).to_owned(), *sentence),
            None => (no.status, no.code.to_ascii_lowercase(), None),
        };
        let details = no.details.read();
        let message = match (sentence, no.code.as_str()) {
            (Some(sentence), _) => sentence.to_owned(),
            (None, "VALIDATION_ERROR") => faults(&details).unwrap_or_else(|| no.message.clone()),
            (None, _) => no.message.clone(),
        };
        Self { status, code, message, reasons: details.get("reasons").cloned().unwrap_or_default() }
    }
}

/// `[{"field","message"}]` as one sentence.
fn faults(details: &Value) -> Option<String> {
    let said = details.as_array()?.iter().filter_map(|fault| {
        let (field, message) = (fault.get("field")?.as_str()?, fault.get("message")?.as_str()?);
        Some(format!("{field} {message}"))
    });
    Some(said.collect::<Vec<_>>().join("; ")).filter(|said| !said.is_empty())
}

impl No {
    fn body(&self, versioned: bool) -> String {
        let mut body = if versioned {
            json!({ "code": self.code, "message": self.message })
        } else {
            json!({ "code": self.status, "error_code": self.code, "msg": self.message })
        };
        if let (Some(body), true) = (body.as_object_mut(), self.reasons.is_array()) {
            body.insert("weak_password".to_owned(), json!({ "reasons": self.reasons }));
        }
        shared::json::text(&body)
    }
}

fn is_versioned(seen: &Seen) -> bool {
    seen.api_version.as_deref().is_some_and(|version| version.len() == 10 && version >= VERSIONED)
}

/// Whether the request speaks GoTrue's protocol; the other one is ours.
pub fn speaks(seen: &Seen) -> bool {
    seen.path.starts_with("/auth/v1")
}

/// What is refused before a handler is asked, and what is ours to blame. The version header cannot be sent back from
/// here, and without it a client reads `error_code`.
pub fn tells(no: &Problem, seen: &Seen, request_id: &str) -> String {
    if speaks(seen) { No::from(no).body(false) } else { no.body(request_id) }
}

/// A refusal that is the client's, with the headers of GoTrue; what is ours goes on to the log.
pub fn refusal(seen: &Seen, error: ApiError) -> Answer<Reply> {
    let problem = error.problem();
    let no = No::from(&problem);
    if no.status >= 500 {
        return Err(error);
    }
    let versioned = is_versioned(seen);
    let mut reply = Reply::json(no.status, &())?;
    reply.body = shared::db::Body::Text(no.body(versioned));
    if versioned {
        reply.headers.push(("x-supabase-api-version", VERSIONED.to_owned()));
    }
    if let Some(seconds) = problem.retry_after {
        reply.headers.push(("retry-after", seconds.to_string()));
    }
    reply.headers.push(("x-sb-error-code", no.code));
    Ok(reply)
}

/// 204: no body at all.
pub fn nothing() -> Answer<Reply> {
    let mut reply = Reply::json(204, &())?;
    reply.body = shared::db::Body::Text(String::new());
    Ok(reply)
}

/// A fault of one field, in GoTrue's own sentence.
pub fn invalid(message: &'static str) -> ApiError {
    Refusal::new(400, "VALIDATION_FAILED", message).into()
}

/// What GoTrue offers, this service does not, and the frontend has to be told so.
pub fn absent(visit: &Visit, first: &str) -> Option<ApiError> {
    let (status, code, message) = match first {
        "authorize" | "callback" => (400, "VALIDATION_FAILED", "Unsupported provider: provider is not enabled"),
        "sso" => (422, "SAML_PROVIDER_DISABLED", "SAML 2.0 is disabled"),
        "factors" => (422, "MFA_TOTP_ENROLL_NOT_ENABLED", "MFA enroll is disabled for TOTP"),
        "passkeys" => (422, "PASSKEY_DISABLED", "Passkeys are disabled"),
        "oauth" | "invite" | "reauthenticate" | "scim" => (422, "FEATURE_DISABLED", "This feature is not offered here"),
        "user" if visit.seen.path.contains("/identities") => {
            (422, "MANUAL_LINKING_DISABLED", "Manual linking is disabled")
        }
        _ => return None,
    };
    Some(Refusal { status, code, message }.into())
}
