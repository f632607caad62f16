//! What a log may not hold (N80), taken out of texts that others wrote: e-mail addresses, telephone numbers, tokens and keys.
//! Ids stay, or nobody could follow a request. Too much masked is a nuisance, too little a leak.

use crate::text::{contains, split_once};

/// Digits in a row that may be somebody's telephone, account or card.
const DIGITS: usize = 8;
/// Longer than any id of ours or of a provider: a token, or a digest of something.
const OPAQUE: usize = 40;
const KEYS: [&str; 4] = ["sb_", "whsec_", "sk_", "pk_"];
/// Unmistakable wherever they stand.
const OUR_KEYS: [&str; 2] = ["sb_secret_", "sb_publishable_"];

/// `text` without what may not be told, at most `max` characters of it.
#[must_use]
pub fn masked(text: &str, max: usize) -> String {
    if is_harmless(text) { cut(text, max) } else { cut(&without_secrets(text), max) }
}

/// Cut last: half a number would not be recognised as one.
fn cut(text: &str, max: usize) -> String {
    let end = text.char_indices().nth(max).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default().to_owned()
}

/// Nearly every text is, and every request has two: one look is enough for those.
fn is_harmless(text: &str) -> bool {
    let (mut digits, mut opaque) = (0_usize, 0_usize);
    for byte in text.bytes() {
        digits = if byte.is_ascii_digit() { digits.saturating_add(1) } else { 0 };
        let runs = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        opaque = if runs { opaque.saturating_add(1) } else { 0 };
        if digits >= DIGITS || opaque >= OPAQUE || matches!(byte, b'@' | b'%' | b'+') {
            return false;
        }
    }
    !contains(text, "eyJ") && !KEYS.iter().any(|key| contains(text, key))
}

fn without_secrets(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for piece in text.split_inclusive(divides) {
        let word = piece.trim_end_matches(divides);
        match secret(word) {
            Some(mask) => words.push_str(mask),
            None => words.push_str(word),
        }
        words.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    without_digits(&words)
}

fn divides(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'`()[]{}<>,;=&|/\\:?".contains(c)
}

fn secret(word: &str) -> Option<&'static str> {
    if word.contains('@') || contains(word, "%40") {
        return Some("[email]");
    }
    if word.len() >= 16 && contains(word, "eyJ") {
        return Some("[token]");
    }
    let parts = || word.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    let key = |part: &str| KEYS.iter().any(|key| part.starts_with(key));
    if OUR_KEYS.iter().any(|key| contains(word, key)) || parts().any(key) {
        return Some("[key]");
    }
    let opaque = |part: &str| part.len() >= OPAQUE && part.bytes().any(|b| b.is_ascii_digit());
    parts().any(opaque).then_some("[token]")
}

/// A run of digits becomes a word. After a plus sign it may be spaced, as people write telephone numbers.
fn without_digits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_word = false;
    while let Some(first) = rest.chars().next() {
        let whole = if after_word { None } else { rest.get(..36).filter(|id| is_id(id)) };
        let length = whole.map_or_else(|| number(rest), str::len);
        let (taken, left) = rest.split_at_checked(length.max(first.len_utf8())).unwrap_or((rest, ""));
        out.push_str(if whole.is_none() && length > 0 { "[digits]" } else { taken });
        after_word = taken.ends_with(|c: char| c.is_ascii_alphanumeric());
        rest = left;
    }
    out
}

/// A UUID may well hold eight digits in a row.
fn is_id(text: &str) -> bool {
    text.contains('-') && uuid::Uuid::try_parse(text).is_ok()
}

/// How many bytes of the beginning are a number that is long enough to mask; zero: none.
fn number(text: &str) -> usize {
    let spaced = text.starts_with('+');
    let (mut digits, mut end) = (0_usize, 0_usize);
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            digits = digits.saturating_add(1);
            end = at.saturating_add(1);
        } else if !(spaced && (at == 0 || matches!(c, ' ' | '-' | '.' | '(' | ')'))) {
            break;
        }
    }
    if digits >= DIGITS { end } else { 0 }
}

/// The network somebody called from: the first 24 bits of an IPv4 address, the first 48 of an IPv6 one.
#[must_use]
pub fn network(address: &str) -> String {
    if !address.bytes().all(|b| b.is_ascii_hexdigit() || b == b'.' || b == b':') {
        return String::new();
    }
    if address.contains(':') {
        // What follows `::` is the end of the address, which is what must not be told.
        let front = split_once(address, "::").map_or(address, |(front, _)| front);
        let groups: Vec<&str> =
            front.split(':').filter(|group| !group.is_empty() && !group.contains('.')).take(3).collect();
        return groups.join(":") + "::";
    }
    match address.rsplit_once('.') {
        Some((front, _)) if front.bytes().filter(|b| *b == b'.').count() == 2 => [front, ".0"].concat(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn n80_what_names_somebody_is_taken_out_and_the_rest_stays() {
        for (text, expected) in [
            ("/functions/v1/wallet-operations/preview", "/functions/v1/wallet-operations/preview"),
            ("/x/00000000-0000-4000-8000-000000000001/y", "/x/00000000-0000-4000-8000-000000000001/y"),
            (
                "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.6778.86",
                "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.6778.86",
            ),
            ("key (phone)=(224620000001) exists", "key (phone)=([digits]) exists"),
            ("call +224 620-00 00.01 now", "call [digits] now"),
            ("1234567 is short, 12345678 is not", "1234567 is short, [digits] is not"),
            ("x00000000-0000-4000-8000-000000000001", "x[digits]-0000-4000-8000-[digits]"),
            ("to <awa.diallo@example.com>: refused", "to <[email]>: refused"),
            ("/x/awa%40example.com", "/x/[email]"),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "Bearer [token]"),
            ("key sb_secret_abc123 and \"sk_live_1\"", "key [key] and \"[key]\""),
            ("disk_full in task_runner/1.0", "disk_full in task_runner/1.0"),
            ("token=0123456789abcdef0123456789abcdef01234567", "token=[token]"),
            ("gateway 500 42P01: relation \"a.b\" is gone", "gateway 500 42P01: relation \"a.b\" is gone"),
            ("é+é", "é+é"),
        ] {
            assert_eq!(masked(text, 500), expected);
        }
    }

    #[test]
    fn n80_a_text_is_cut_after_it_was_masked() {
        assert_eq!(masked("agent 12345678", 8), "agent [d");
        assert_eq!(masked("ééé", 2), "éé");
    }

    #[test]
    fn n80_an_address_keeps_its_network_and_loses_its_host() {
        for (address, expected) in [
            ("203.0.113.77", "203.0.113.0"),
            ("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", "2001:db8:aaaa::"),
            ("2001:db8::1", "2001:db8::"),
            ("::1", "::"),
            ("::ffff:203.0.113.77", "::"),
            ("203.0.113.77, 10.0.0.1", ""),
            ("203.0.77", ""),
            ("", ""),
        ] {
            assert_eq!(network(address), expected, "{address}");
        }
    }

    proptest! {
        #[test]
        fn n80_nothing_that_names_somebody_passes_whatever_stands_around_it(
            before in "[ -~é]{0,40}", after in "[ -~é]{0,40}", phone in "[1-9][0-9]{7,14}",
            email in "[a-z]{3,12}@[a-z]{3,10}\\.test", token in "eyJ[A-Za-z0-9_-]{20,60}\\.eyJ[A-Za-z0-9_-]{20,60}\\.[A-Za-z0-9_-]{20,60}",
            key in "sb_(secret|publishable)_[A-Za-z0-9]{10,30}",
        ) {
            for secret in [&phone, &email, &token, &key] {
                let text = masked(&format!("{before}{secret}{after}"), 1_000);
                prop_assert!(!text.contains(secret.as_str()), "{}", text);
            }
        }

        #[test]
        fn n80_what_looks_harmless_is(text in "[a-zA-Z0-9 @%+_.:/-]{0,80}") {
            prop_assert_eq!(masked(&text, 1_000), without_secrets(&text));
        }

        #[test]
        fn n80_no_long_number_is_left_and_no_more_text_than_asked_for(text in "\\PC{0,200}") {
            let once = masked(&text, 150);
            prop_assert!(once.chars().count() <= 150);
            let digits = once.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
            prop_assert!(digits < DIGITS, "{}", once);
        }
    }
}
