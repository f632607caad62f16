//! Where one text stands in another. The standard library's search is 5 KB of each function that needs it: it stays fast on
//! texts without end, and ours are a header or a sentence.

/// The byte at which `needle` begins for the first time; an empty one is nowhere.
#[must_use]
pub fn find(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes().windows(needle.len().max(1)).position(|window| window == needle.as_bytes())
}

#[must_use]
pub fn contains(text: &str, needle: &str) -> bool {
    find(text, needle).is_some()
}

/// What stands before the first `needle`, and what after it.
#[must_use]
pub fn split_once<'a>(text: &'a str, needle: &str) -> Option<(&'a str, &'a str)> {
    around(text, find(text, needle)?, needle)
}

/// What stands before the last `needle`, and what after it.
#[must_use]
pub fn rsplit_once<'a>(text: &'a str, needle: &str) -> Option<(&'a str, &'a str)> {
    let last = text.as_bytes().windows(needle.len().max(1)).rposition(|window| window == needle.as_bytes());
    around(text, last?, needle)
}

fn around<'a>(text: &'a str, at: usize, needle: &str) -> Option<(&'a str, &'a str)> {
    Some((text.get(..at)?, text.get(at.checked_add(needle.len())?..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_found_is_what_the_standard_library_finds(text in "[ab:é/]{0,12}", needle in "[ab:é/]{1,3}") {
            let needle = needle.as_str();
            prop_assert_eq!(find(&text, needle), text.find(needle));
            prop_assert_eq!(contains(&text, needle), text.contains(needle));
            prop_assert_eq!(split_once(&text, needle), text.split_once(needle));
            prop_assert_eq!(rsplit_once(&text, needle), text.rsplit_once(needle));
        }
    }
}
