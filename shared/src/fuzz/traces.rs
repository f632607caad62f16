//! Whose request this belongs to: a header is read by the rule of the standard or not at all, and what goes upstream is one.

use super::line;
use crate::trace::Trace;

/// A `traceparent`, and on the next line the request's id, which is taken where it is one.
pub fn traces(data: &[u8]) {
    let (header, id) = line(data);
    let Ok(header) = std::str::from_utf8(header) else { return };
    let read = Trace::parse(header);
    assert_eq!(read.is_some(), is_traceparent(header.trim()), "{header:?}");
    if let Some(read) = &read {
        let words: Vec<&str> = header.trim().split('-').collect();
        assert_eq!((words.get(1), words.get(2)), (Some(&read.id.as_str()), Some(&read.span.as_str())), "{header:?}");
    }
    let id = std::str::from_utf8(id).ok().filter(|id| id.len() == 36).and_then(|id| uuid::Uuid::try_parse(id).ok());
    let id = id.unwrap_or(uuid::Uuid::from_u128(1 << 64 | 1)).to_string();
    let ours = Trace::of(Some(header), &id);
    assert!(is_traceparent(&ours.header()), "we send {:?} for {header:?} and {id}", ours.header());
    assert_eq!(ours.parent, read.as_ref().map(|read| read.span.clone()), "the caller's span is the parent");
    if let Some(read) = read {
        assert_eq!((ours.id, ours.sampled), (read.id, read.sampled), "the caller's trace goes on");
    }
}

/// W3C Trace Context, 3.2: version, trace, parent, flags; lower-case hexadecimal, neither id all zeros; version `00` has no
/// fifth field, later ones may.
fn is_traceparent(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = words.iter().take(4).map(|word| word.len()).collect();
    let hexadecimal = words.iter().take(4).flat_map(|word| word.chars()).all(|c| "0123456789abcdef".contains(c));
    let zero = |at: usize| words.get(at).is_some_and(|word| word.trim_matches('0').is_empty());
    let version = words.first().copied().unwrap_or_default();
    lengths == [2, 32, 16, 2]
        && hexadecimal
        && !zero(1)
        && !zero(2)
        && version != "ff"
        && (version != "00" || words.len() == 4)
}
