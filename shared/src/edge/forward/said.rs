//! What PostgREST's refusals become at `/rest/v1`: its own reach the client as they are, everything else is ours to say.
//!
//! Sources: PostgREST docs/references/errors; platform/supabase.md, section 3 and section 7 line 9.

use crate::error::{
    ApiError, DATABASE_TIMEOUT, FORBIDDEN, METHOD_NOT_ALLOWED, PAYLOAD_TOO_LARGE, RATE_LIMITED, Refusal,
    UNAUTHENTICATED, UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE,
};
use crate::json::{self, Fields};

/// What was said by something that is not PostgREST: a proxy's error page, or nothing.
const NOT_POSTGREST: Refusal = Refusal::new(502, "DEPENDENCY_UNAVAILABLE", "a dependency gave no readable answer");
const NO_SUCH_RESOURCE: Refusal = Refusal::new(404, "NOT_FOUND", "no such resource");

#[derive(Debug, PartialEq)]
pub enum Said {
    /// To the client as it is.
    Pass,
    /// To the client, with another body.
    Instead(String),
    Refused(ApiError),
    /// A reason that passes: to be asked again if nothing was changed by asking; else this refusal, or the answer as it is.
    Again(Option<ApiError>),
}

/// Reads an answer of 400 and above.
#[must_use]
pub fn said(status: u16, body: &str) -> Said {
    let Some((code, message)) = refusal(body) else {
        return Said::Refused(in_its_place(status).into());
    };
    match code.as_str() {
        // The schema cache is one migration behind, or is being read.
        "PGRST202" | "PGRST204" | "PGRST205" => Said::Again(None),
        "PGRST001" | "PGRST002" => Said::Again(Some(UNAVAILABLE.into())),
        // Two transactions met, and this one was rolled back whole.
        "40001" | "40P01" => Said::Again(Some(UNAVAILABLE.into())),
        "57014" => Said::Refused(DATABASE_TIMEOUT.into()),
        // Its details quote the values of the row that is in the way.
        "23505" => without_details(body).map_or(Said::Pass, Said::Instead),
        code if status >= 500 && is_sqlstate(code) => {
            let cause = format!("gateway {status} {code}: {}", message.unwrap_or_default());
            Said::Refused(if is_outage(code) { UNAVAILABLE.into() } else { ApiError::internal(cause) })
        }
        _ => Said::Pass,
    }
}

/// PostgREST's code, and its message.
fn refusal(body: &str) -> Option<(String, Option<String>)> {
    let no = Fields::read(body.as_bytes()).ok()?;
    Some((no.text("code").ok()??, no.text("message").ok()?))
}

fn is_sqlstate(code: &str) -> bool {
    code.len() == 5 && code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

fn is_outage(code: &str) -> bool {
    ["08", "53", "57P"].iter().any(|class| code.starts_with(class))
}

fn without_details(body: &str) -> Option<String> {
    let no = Fields::read(body.as_bytes()).ok()?;
    let kept = |(name, value)| [json::quoted(name).as_str(), if name == "details" { "null" } else { value }].join(":");
    Some(["{", &no.iter().map(kept).collect::<Vec<_>>().join(","), "}"].concat())
}

/// The refusal of the same status; an upstream's own trouble is a 502, and never a success in the client's eyes.
fn in_its_place(status: u16) -> Refusal {
    match status {
        401 => UNAUTHENTICATED,
        403 => FORBIDDEN,
        404 => NO_SUCH_RESOURCE,
        405 => METHOD_NOT_ALLOWED,
        413 => PAYLOAD_TOO_LARGE,
        415 => UNSUPPORTED_MEDIA_TYPE,
        429 => RATE_LIMITED,
        503 => UNAVAILABLE,
        504 => DATABASE_TIMEOUT,
        _ => NOT_POSTGREST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(code: &str) -> String {
        format!(r#"{{"code":"{code}","message":"m","details":"Key (email)=(a@b.c) already exists.","hint":null}}"#)
    }

    fn refused(status: u16, body: &str) -> (u16, String) {
        match said(status, body) {
            Said::Refused(error) => (error.problem().status, error.problem().code),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn c09_what_postgrest_itself_refuses_passes() {
        for (status, code) in
            [(403, "42501"), (401, "PGRST301"), (406, "PGRST116"), (409, "INSUFFICIENT_FUNDS"), (418, "TEAPOT")]
        {
            assert_eq!(said(status, &no(code)), Said::Pass, "{code}");
        }
    }

    #[test]
    fn c09_a_duplicate_is_a_conflict_that_quotes_no_value() {
        let Said::Instead(body) = said(409, &no("23505")) else { panic!("passed as it is") };
        assert!(body.contains("23505") && !body.contains("a@b.c"), "{body}");
    }

    #[test]
    fn c09_a_page_of_a_proxy_is_json_of_ours() {
        for (status, expected) in [(500, 502), (502, 502), (503, 503), (504, 504), (520, 502), (404, 404), (400, 502)] {
            for body in ["<html>bad gateway</html>", "", "[]", "{}", r#"{"code":7}"#] {
                assert_eq!(refused(status, body).0, expected, "{status} {body}");
            }
        }
    }

    #[test]
    fn c09_a_database_that_is_slow_or_broken_is_said_so_and_no_more() {
        assert_eq!(refused(500, &no("57014")), (504, "DEPENDENCY_UNAVAILABLE".into()));
        assert_eq!(refused(503, &no("57P01")), (503, "DEPENDENCY_UNAVAILABLE".into()));
        assert_eq!(refused(500, &no("XX000")), (500, "INTERNAL".into()));
    }

    #[test]
    fn c09_what_passes_by_itself_may_be_asked_again() {
        for (status, code) in [(500, "40001"), (500, "40P01"), (404, "PGRST202"), (404, "PGRST205"), (503, "PGRST002")]
        {
            assert!(matches!(said(status, &no(code)), Said::Again(_)), "{code}");
        }
    }
}
