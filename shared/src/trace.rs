//! W3C trace context: which request of whom this one belongs to. Read from `traceparent`, handed on with a span of our own.
//!
//! Source: W3C Trace Context, section 3.2 (version 00).

/// The trace a request belongs to, and our span in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 32 lower-case hexadecimal digits.
    pub id: String,
    /// 16 lower-case hexadecimal digits: this request.
    pub span: String,
    /// The caller's span, when there was one.
    pub parent: Option<String>,
    pub sampled: bool,
}

impl Trace {
    /// Continues the caller's trace, or begins one. `request_id` is ours and unique: the span, and a new trace, are made of it.
    #[must_use]
    pub fn of(traceparent: Option<&str>, request_id: &str) -> Self {
        let digits =
            request_id.bytes().filter(u8::is_ascii_hexdigit).map(|digit| char::from(digit.to_ascii_lowercase()));
        let mut own = String::with_capacity(32);
        own.extend(digits);
        let own = told(if own.len() < 32 { format!("{own:0>32}") } else { own });
        let span = told(own.get(16..).unwrap_or_default().to_owned());
        match traceparent.and_then(Self::parse) {
            Some(caller) => Self { id: caller.id, span, parent: Some(caller.span), sampled: caller.sampled },
            None => Self { id: own, span, parent: None, sampled: true },
        }
    }

    /// Reads a `traceparent`; a malformed one is as good as none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, id, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // A later version may append fields; ours may not.
        if !hex(version, 2) || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let shaped = hex(id, 32) && hex(span, 16) && hex(flags, 2);
        let named = shaped && id.bytes().any(|b| b != b'0') && span.bytes().any(|b| b != b'0');
        let sampled =
            flags.bytes().last().is_some_and(|b| matches!(b, b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f'));
        named.then(|| Self { id: id.to_owned(), span: span.to_owned(), parent: None, sampled })
    }

    /// What goes upstream.
    #[must_use]
    pub fn header(&self) -> String {
        format!("00-{}-{}-{}", self.id, self.span, if self.sampled { "01" } else { "00" })
    }
}

/// All zeros say "nothing" in the standard, and a client may call its request that.
fn told(id: String) -> String {
    if id.bytes().all(|b| b == b'0') { "0000000000000001".repeat(id.len().div_ceil(16)) } else { id }
}

fn hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8a8ef5f4-6a5d-4a1b-9d1f-000000000001";

    #[test]
    fn a_callers_trace_is_continued_with_a_span_of_our_own() {
        let trace = Trace::of(Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ID);
        assert_eq!(trace.id, "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.parent.as_deref(), Some("00f067aa0ba902b7"));
        assert_eq!(trace.header(), format!("00-{}-{}-01", trace.id, trace.span));
        assert_eq!(Trace::parse(&trace.header()).unwrap().span, trace.span);
    }

    #[test]
    fn what_is_no_trace_begins_a_new_one() {
        for bad in [
            "",
            "00-0-0-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{e9}-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
            assert_eq!(Trace::of(Some(bad), ID).id, ID.replace('-', ""));
        }
    }
}
