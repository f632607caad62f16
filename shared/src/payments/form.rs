//! `application/x-www-form-urlencoded`, both ways: what Stripe wants to be sent and what CinetPay and `PayDunya` send.

/// More fields than any provider sends.
const MAX_FIELDS: usize = 200;

/// Names and values in the order given.
#[must_use]
pub fn encode(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        escape(&mut out, name);
        out.push('=');
        escape(&mut out, value);
    }
    out
}

fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                for half in [byte >> 4, byte & 15] {
                    out.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
    }
}

/// The fields in the order sent; `None` for a broken escape, what is not UTF-8, and more fields than are ever needed.
/// How large a body may be was decided at the door.
#[must_use]
pub fn decode(body: &[u8]) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        if fields.len() == MAX_FIELDS {
            return None;
        }
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = unescape(halves.next()?)?;
        fields.push((name, unescape(halves.next().unwrap_or_default())?));
    }
    Some(fields)
}

fn unescape(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// A field's value; `None` when it is absent, and when it comes twice: two readers could pick different ones.
#[must_use]
pub fn only<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = fields.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// A sentence for a provider that refuses special characters: letters, digits and spaces of it, cut to a length.
#[must_use]
pub fn words(text: &str, longest: usize) -> String {
    let spaced: String = text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let joined = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.chars().take(longest).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_reserved_is_escaped_and_the_rest_is_left() {
        let fields = [("metadata[tag]", "a b+c&d=é"), ("", ""), ("x-_.*", "~")];
        assert_eq!(encode(&fields), "metadata%5Btag%5D=a+b%2Bc%26d%3D%C3%A9&=&x-_.*=%7E");
        assert_eq!(encode(&[]), "");
    }

    #[test]
    fn a_form_is_read_as_browsers_and_php_write_it() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            decode(b"a=1+2&b=%c3%A9&c&&d=x=y"),
            Some(vec![pair("a", "1 2"), pair("b", "é"), pair("c", ""), pair("d", "x=y")])
        );
        assert_eq!(decode(b""), Some(Vec::new()));
    }

    #[test]
    fn a_broken_escape_bytes_that_are_no_text_and_a_flood_are_refused() {
        for bad in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%+1", b"%ff=1", b"a=\xff", b"a=%C3"] {
            assert_eq!(decode(bad), None, "{}", String::from_utf8_lossy(bad));
        }
        assert_eq!(decode("a=1&".repeat(200).as_bytes()).map(|fields| fields.len()), Some(200));
        assert_eq!(decode("a=1&".repeat(201).as_bytes()), None);
    }

    #[test]
    fn a_field_that_comes_twice_has_no_value() {
        let fields = decode(b"a=1&b=2&b=2").unwrap();
        for (name, value) in [("a", Some("1")), ("b", None), ("c", None)] {
            assert_eq!(only(&fields, name), value, "{name}");
        }
    }

    #[test]
    fn a_sentence_keeps_its_words_and_loses_its_signs() {
        for (text, longest, left) in
            [("Order #12, l'été!", 40, "Order 12 l été"), ("#/$_&", 40, ""), ("one two", 4, "one")]
        {
            assert_eq!(words(text, longest), left);
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(fields in proptest::collection::vec((".*", ".*"), 0..8)) {
            let lent: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            prop_assert_eq!(decode(encode(&lent).as_bytes()), Some(fields));
        }

        #[test]
        fn any_bytes_are_read_or_refused_never_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&body);
        }
    }
}
