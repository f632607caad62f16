//! A question in the address, read as a body is.

use crate::json::quoted;

/// `a=1&b=x` as a JSON object of texts; percent-decoding is JavaScript's own.
#[inline(never)] // Few ask so; see `edge::apart`.
pub fn body_of(query: &str) -> Vec<u8> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        js_sys::decode_uri_component(&spaced).map_or(spaced.clone(), String::from)
    };
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let (name, value) = (decode(name), decode(value));
        let at = fields.partition_point(|(earlier, _)| *earlier < name);
        match fields.get_mut(at) {
            // The last one counts.
            Some((same, last)) if *same == name => *last = value,
            _ => fields.insert(at, (name, value)),
        }
    }
    let pair = |(name, value): &(String, String)| [quoted(name), quoted(value)].join(":");
    ["{", &fields.iter().map(pair).collect::<Vec<_>>().join(","), "}"].concat().into_bytes()
}
