//! An e-mail address: trimmed, in lower case, and checked no further than a mail would.

use shared::edge::Answer;

use crate::gotrue::invalid;

const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;

/// The address in the one form that it is stored in; `None` for what cannot be one.
pub fn normal(given: &str) -> Option<String> {
    let address = given.trim().to_lowercase();
    let (local, domain) = address.rsplit_once('@')?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"@".contains(c);
    let labels = domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    let good = !local.is_empty()
        && local.len() <= LONGEST_LOCAL
        && address.len() <= LONGEST
        && domain.contains('.')
        && labels
        && !local.contains(odd)
        && !domain.contains(odd);
    good.then_some(address)
}

/// The address of a request that cannot do without one.
pub fn required(given: Option<&str>) -> Answer<String> {
    match given.filter(|given| !given.is_empty()) {
        None => Err(invalid("An email address is required")),
        Some(given) => normal(given).ok_or_else(|| invalid("Unable to validate email address: invalid format")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form_and_what_cannot_be_mailed_has_none() {
        for (given, kept) in [
            (" Fatou.Camara@Example.COM ", Some("fatou.camara@example.com")),
            ("É@exämple.test", Some("é@exämple.test")),
            ("a+b@c.d.test", Some("a+b@c.d.test")),
            ("", None),
            ("a", None),
            ("@b.test", None),
            ("a@", None),
            ("a@b", None),
            ("a@b..test", None),
            ("a@-b.test", None),
            ("a b@c.test", None),
            ("a@b.test\0", None),
            ("a\n@b.test", None),
            ("a@b@c.test", None),
            ("<a>@b.test", None),
        ] {
            assert_eq!(normal(given).as_deref(), kept, "{given:?}");
        }
        for (local, good) in [(64, true), (65, false)] {
            assert_eq!(normal(&format!("{}@b.test", "a".repeat(local))).is_some(), good);
        }
        for (domain, good) in [(245, true), (246, false)] {
            assert_eq!(normal(&format!("abc@{}.test", "b".repeat(domain))).is_some(), good);
        }
    }
}
