//! How we say no. A refusal is declared data and reaches the client as it is; everything else is ours, and only the
//! log learns it.

use serde_json::Value;

use crate::json::{quoted, text};

/// A declared refusal: status, stable code and sentence. Made as a `const`, so a status that is no refusal does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: &'static str,
}

impl Refusal {
    #[must_use]
    pub const fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        assert!(status >= 400 && status <= 504 && status != 500, "a refusal is a 4xx, or a declared 5xx");
        Self { status, code, message }
    }

    /// The refusal with details for the client.
    #[must_use]
    pub fn with(self, details: impl Into<Details>) -> ApiError {
        let mut no: Problem = self.into();
        no.details = details.into();
        ApiError::Refused(Box::new(no))
    }
}

pub const UNAUTHENTICATED: Refusal = Refusal::new(401, "UNAUTHENTICATED", "a valid access token is required");
pub const BAD_KEY: Refusal = Refusal::new(401, "UNAUTHENTICATED", "a valid internal key is required");
pub const FORBIDDEN: Refusal = Refusal::new(403, "FORBIDDEN", "this caller may not do this");
pub const IDENTITY_MISMATCH: Refusal =
    Refusal::new(403, "IDENTITY_MISMATCH", "the body names another caller than the token");
pub const INVALID_SIGNATURE: Refusal = Refusal::new(403, "INVALID_SIGNATURE", "the signature is missing or wrong");
pub const NOT_FOUND: Refusal = Refusal::new(404, "NOT_FOUND", "no such function");
pub const METHOD_NOT_ALLOWED: Refusal = Refusal::new(405, "METHOD_NOT_ALLOWED", "this method is not offered here");
pub const PAYLOAD_TOO_LARGE: Refusal = Refusal::new(413, "PAYLOAD_TOO_LARGE", "the body is too large");
pub const UNSUPPORTED_MEDIA_TYPE: Refusal = Refusal::new(415, "UNSUPPORTED_MEDIA_TYPE", "the body must be JSON");
pub const BAD_JSON: Refusal = Refusal::new(400, "BAD_JSON", "the body is not readable JSON");
pub const RATE_LIMITED: Refusal = Refusal::new(429, "RATE_LIMITED", "too many requests");
pub const OVERLOADED: Refusal = Refusal::new(503, "OVERLOADED", "too much at once; try again");
pub const NOT_AVAILABLE: Refusal = Refusal::new(501, "NOT_AVAILABLE", "this service is not part of this installation");
pub const NOT_CONFIGURED: Refusal = Refusal::new(503, "NOT_CONFIGURED", "this is not configured");
pub const UNAVAILABLE: Refusal = Refusal::new(503, "DEPENDENCY_UNAVAILABLE", "a dependency does not answer; try again");
pub const DATABASE_TIMEOUT: Refusal =
    Refusal::new(504, "DEPENDENCY_UNAVAILABLE", "the database took too long; try again");
pub const PROVIDER_ERROR: Refusal = Refusal::new(502, "PROVIDER_ERROR", "the payment provider refused or failed");
pub const PROVIDER_TIMEOUT: Refusal = Refusal::new(504, "PROVIDER_TIMEOUT", "the payment provider took too long");

/// Codes that any SQL function may raise; a function's own are in its contract.
pub const COMMON_RPC_CODES: &[&str] = &[
    "VALIDATION_ERROR",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "IDENTITY_MISMATCH",
    "NOT_FOUND",
    "IDEMPOTENCY_IN_PROGRESS",
    "IDEMPOTENCY_MISMATCH",
    "NOT_CONFIGURED",
    "DEPENDENCY_UNAVAILABLE",
];

/// What a refusal tells besides, as JSON: most are passed on, and a tree of values links a reader and a writer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details(String);

impl Default for Details {
    fn default() -> Self {
        Self("null".to_owned())
    }
}

impl Details {
    /// `text` is JSON: read as such, or made here.
    #[must_use]
    pub fn of_json(text: String) -> Self {
        Self(text)
    }

    /// For whoever looks into them.
    #[must_use]
    pub fn read(&self) -> Value {
        crate::json::read(&self.0).unwrap_or_default()
    }
}

impl From<Value> for Details {
    fn from(value: Value) -> Self {
        Self(text(&value))
    }
}

/// One refusal on its way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub message: String,
    pub details: Details,
    pub hint: Option<String>,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
}

impl From<Refusal> for Problem {
    fn from(no: Refusal) -> Self {
        let retry_after = matches!(no.status, 429 | 503 | 504).then_some(1);
        Self {
            status: no.status,
            code: no.code.into(),
            message: no.message.into(),
            details: Details::default(),
            hint: None,
            retry_after,
        }
    }
}

impl Problem {
    /// The body of contracts/README, section 3: `error` repeats `message` for legacy clients.
    #[must_use]
    pub fn body(&self, request_id: &str) -> String {
        let hint = self.hint.as_deref().map_or_else(|| "null".to_owned(), quoted);
        let (code, message, request_id) = (quoted(&self.code), quoted(&self.message), quoted(request_id));
        // In the order of the alphabet, as a tree of values would be.
        [
            "{\"code\":",
            &code,
            ",\"details\":",
            &self.details.0,
            ",\"error\":",
            &message,
            ",\"hint\":",
            &hint,
            ",\"message\":",
            &message,
            ",\"request_id\":",
            &request_id,
            ",\"success\":false}",
        ]
        .concat()
    }
}

/// What a handler returns when it does not return its reply.
#[derive(Debug, PartialEq)]
pub enum ApiError {
    /// The client's to repair: sent as it is.
    Refused(Box<Problem>),
    /// Ours: the text goes to the log, the client gets a bare 500 and the request id.
    Internal(String),
}

impl From<Refusal> for ApiError {
    fn from(no: Refusal) -> Self {
        Self::Refused(Box::new(no.into()))
    }
}

impl ApiError {
    /// Ours. There is no `From<String>`: a bare `?` must not become a 500 that nobody chose.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::Internal(cause.into())
    }

    /// 400 with one faulty field.
    pub fn invalid(field: &str, message: &str) -> Self {
        Refusal::new(400, "VALIDATION_ERROR", "the request is not valid")
            .with(Details(["[{\"field\":", &quoted(field), ",\"message\":", &quoted(message), "}]"].concat()))
    }

    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::Refused(no) => (**no).clone(),
            Self::Internal(_) => Problem {
                status: 500,
                code: "INTERNAL".into(),
                message: "something went wrong on our side".into(),
                details: Details::default(),
                hint: None,
                retry_after: None,
            },
        }
    }
}

/// What every handler returns.
pub type Answer<T> = Result<T, ApiError>;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn our_own_failures_tell_a_stranger_nothing() {
        let body = ApiError::internal("duplicate key in ledger.references").problem().body("r-1");
        assert!(body.contains("INTERNAL") && body.contains("r-1") && !body.contains("ledger"), "{body}");
    }

    #[test]
    fn the_fields_of_a_refusal_stand_in_the_order_of_the_alphabet() {
        let no = Problem { hint: Some("h".into()), ..Problem::from(RATE_LIMITED) };
        let expected = json!({
            "success": false, "error": no.message, "code": no.code, "message": no.message, "details": null, "hint": "h",
            "request_id": "r-3",
        });
        assert_eq!(no.body("r-3"), expected.to_string());
    }

    #[test]
    fn a_refusal_carries_every_field_of_the_wire() {
        let body: Value = serde_json::from_str(&Problem::from(RATE_LIMITED).body("r-2")).unwrap();
        for field in ["success", "error", "code", "message", "details", "hint", "request_id"] {
            assert!(body.get(field).is_some(), "{field}");
        }
        assert_eq!(body["error"], body["message"]);
    }
}
