//! What the adapters share: which answer refuses for certain, which text is an id, how a notification is signed and read.

use serde_json::{Map, Value};

use super::{Claim, Created, Hint, Sent, Subject};
use crate::json::{self, Tree};
use crate::secret::{Secret, digest};

/// A provider call has 8 s in total (N07).
pub const TIMEOUT_MS: u32 = 8_000;
/// How old, or how early, a signed notification may be; seconds.
const TOLERANCE_S: u64 = 300;
/// Signatures of one notification that are looked at: two while a secret is rotated.
const MAX_SIGNATURES: usize = 8;

/// Fit for an address, a log line and a key: 1 to 100 letters, digits, `_` and `-`.
#[must_use]
pub fn plausible(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// True for a status after which nothing can exist there: after a 429 nothing was even begun. A 408 and a 409 leave it
/// open, as every 5xx does.
fn refuses(status: u16) -> bool {
    (400..=499).contains(&status) && !matches!(status, 408 | 409)
}

/// What a create came to that gave us nothing usable.
#[must_use]
pub fn not_created(provider: &str, status: u16) -> Created {
    let what = format!("{provider} answered {status}");
    if refuses(status) { Created::Refused(what) } else { Created::Unknown(what) }
}

/// The same for a payout.
#[must_use]
pub fn not_sent(provider: &str, status: u16) -> Sent {
    let what = format!("{provider} answered {status}");
    if refuses(status) { Sent::Refused(what) } else { Sent::Unknown(what) }
}

/// Our metadata as it came back.
#[must_use]
pub fn claim(metadata: Option<&Map<String, Value>>) -> Option<Claim> {
    let text = |name: &str| Some(metadata?.get(name)?.as_str()?.to_owned());
    Some(Claim { intent_id: text("intent_id")?, attempt: text("attempt")?.parse().ok()?, tag: text("tag")? })
}

/// `None` without secrets, or with an empty one among them. Every secret is tried, so the time does not tell which matched.
pub fn any(secrets: &[Secret], matches: impl Fn(&Secret) -> bool) -> Option<bool> {
    let configured = !secrets.is_empty() && secrets.iter().all(|secret| !secret.is_empty());
    configured.then(|| secrets.iter().fold(false, |good, secret| matches(secret) | good))
}

/// A signature header `t=1700000000,v1=…,v1=…`: the time as it was signed, and what claims to sign it. `None` without
/// exactly one time, or with one that is not now; other schemes are passed over.
#[must_use]
pub fn stamped(header: &str, now_s: i64) -> Option<(&str, Vec<&str>)> {
    let named = |wanted: &'static str| {
        let fields = header.split(',').filter_map(|field| field.trim().split_once('='));
        fields.filter(move |(name, _)| *name == wanted).map(|(_, value)| value)
    };
    let mut times = named("t");
    let time = times.next().filter(|time| time.bytes().all(|byte| byte.is_ascii_digit()))?;
    let fresh = time.parse::<i64>().ok()?.abs_diff(now_s) <= TOLERANCE_S;
    (fresh && times.next().is_none()).then(|| (time, named("v1").take(MAX_SIGNATURES).collect()))
}

/// A notification's JSON; `None` for what is none, is too deep, or says a thing twice.
#[must_use]
pub fn body(bytes: &[u8]) -> Option<Value> {
    json::check(bytes).ok()?;
    json::read_bytes::<Tree>(bytes).ok().map(|tree| tree.0)
}

/// What is in these fields, one within the other: `/data/id`. No name of ours has a slash, and none is a number.
#[must_use]
pub fn at<'a>(body: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer.split('/').skip(1).try_fold(body, |value, name| value.get(name))
}

/// An object with one text.
#[must_use]
pub fn field(name: &str, text: String) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert(name.to_owned(), Value::String(text));
    object
}

/// The id at a JSON pointer, which is text at one provider and a number at the next.
#[must_use]
pub fn id_at(body: &Value, pointer: &str) -> Option<String> {
    match at(body, pointer)? {
        Value::String(id) => plausible(id).then(|| id.clone()),
        Value::Number(id) => id.as_u64().map(|id| id.to_string()),
        _ => None,
    }
}

/// What a notification with a readable event comes to. An event that we know must name its subject; one that we do not is
/// kept all the same, under a digest when it names nothing. `news` makes the key: what happened, without the bytes.
#[must_use]
pub fn hint(event: &str, known: bool, about: Option<(Subject, String)>, news: &[&str], bytes: &[u8]) -> Option<Hint> {
    let readable = (1..=60).contains(&event.len()) && event.bytes().all(|byte| byte.is_ascii_graphic());
    if !readable || (known && about.is_none()) {
        return None;
    }
    let (subject, payment_id) = about.unwrap_or_else(|| (Subject::Other, digest(bytes)));
    let news = if news.is_empty() { payment_id.clone() } else { news.join("|") };
    let dedupe_key = format!("{event}|{news}");
    let short = dedupe_key.len() <= 400;
    short.then(|| Hint { event: event.to_owned(), subject, payment_id, dedupe_key, known, proof: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_no_refuses() {
        for (status, refused) in [
            (400, true),
            (402, true),
            (404, true),
            (422, true),
            (429, true),
            (408, false),
            (409, false),
            (200, false),
            (302, false),
            (500, false),
            (504, false),
        ] {
            assert_eq!(matches!(not_created("p", status), Created::Refused(_)), refused, "{status}");
            assert_eq!(matches!(not_sent("p", status), Sent::Refused(_)), refused, "{status}");
        }
    }

    #[test]
    fn an_id_is_short_and_plain() {
        for (id, good) in [("pi_3-A", true), ("", false), ("../a", false), ("a b", false), ("é", false), ("a?b", false)]
        {
            assert_eq!(plausible(id), good, "{id}");
        }
        assert!(plausible(&"a".repeat(100)) && !plausible(&"a".repeat(101)));
    }

    #[test]
    fn a_stamp_is_one_time_within_five_minutes_and_the_signatures_of_the_scheme_we_know() {
        let now = 1_700_000_000;
        assert_eq!(stamped("t=1700000000,v1=a,v0=b, v1=c,x", now), Some(("1700000000", vec!["a", "c"])));
        assert_eq!(stamped("t=1700000000", now), Some(("1700000000", vec![])));
        for header in [
            "",
            "v1=a",
            "t=,v1=a",
            "t=1700000000,t=1700000000,v1=a",
            "t=-1,v1=a",
            "t=+1700000000,v1=a",
            "t= 1700000000,v1=a",
            "T=1700000000,v1=a",
            "t=99999999999999999999,v1=a",
        ] {
            assert_eq!(stamped(header, now), None, "{header}");
        }
        for (late, good) in [(300, true), (-300, true), (301, false), (-301, false)] {
            assert_eq!(stamped("t=1700000000,v1=a", now + late).is_some(), good, "{late}");
        }
    }

    #[test]
    fn without_secrets_there_is_no_verdict() {
        let secrets = |list: &[&str]| list.iter().map(|text| Secret::new((*text).to_owned())).collect::<Vec<_>>();
        assert_eq!(any(&[], |_| true), None);
        assert_eq!(any(&secrets(&["a", ""]), |_| true), None);
        assert_eq!(any(&secrets(&["a", "b"]), |secret| secret.equals("b")), Some(true));
        assert_eq!(any(&secrets(&["a", "b"]), |secret| secret.equals("c")), Some(false));
    }

    #[test]
    fn a_known_event_names_its_subject_and_an_unknown_one_is_kept_by_its_digest() {
        assert_eq!(hint("charge.success", true, None, &[], b"{}"), None);
        let other = hint("new.thing", false, None, &[], b"{}").unwrap();
        assert_eq!((other.subject, other.known, other.payment_id.len()), (Subject::Other, false, 64));
        assert_eq!(other.dedupe_key, format!("new.thing|{}", other.payment_id));
        assert_ne!(hint("new.thing", false, None, &[], b"{ }").unwrap().dedupe_key, other.dedupe_key);
        assert_eq!(hint("new.thing", false, None, &["a", "b"], b"{}").unwrap().dedupe_key, "new.thing|a|b");
        for event in ["", "two words", "é", &"a".repeat(61)] {
            assert_eq!(hint(event, false, None, &[], b"{}"), None, "{event}");
        }
        assert_eq!(hint("new.thing", false, None, &[&"k".repeat(400)], b"{}"), None);
    }

    #[test]
    fn an_id_in_a_body_is_text_or_a_whole_number() {
        for (text, id) in [
            (r#"{"id":"a"}"#, Some("a")),
            (r#"{"id":12}"#, Some("12")),
            (r#"{"id":-1}"#, None),
            (r#"{"id":1.5}"#, None),
            (r#"{"id":null}"#, None),
            (r#"{"id":["a"]}"#, None),
            (r#"{"id":"../a"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(id_at(&body(text.as_bytes()).unwrap(), "/id").as_deref(), id, "{text}");
        }
        assert_eq!(body(br#"{"id":"a","id":"b"}"#), None);
    }
}
