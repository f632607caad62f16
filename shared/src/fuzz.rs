//! What must hold of any bytes that a stranger sends, as plain functions: libFuzzer runs them (`cargo xtask fuzz`), and the
//! tests run them over every file of `fuzz/corpus`. A function panics when its property is broken, and at no other time.
//!
//! Where it can, a property compares: our reader and a second one that was written from the rule and not from our code.

mod answers;
mod bodies;
mod decimals;
mod limits;
mod money;
mod shape;
mod signatures;
mod signed;
mod tokens;
mod traces;

pub use answers::answers;
pub use bodies::bodies;
pub use limits::limits;
pub use money::money;
pub use signatures::signatures;
pub use tokens::{key_sets, tokens};
pub use traces::traces;

/// A property of bytes.
pub type Target = fn(&[u8]);

/// By the name of its corpus and of its binary in `fuzz/`.
pub const TARGETS: [(&str, Target); 8] = [
    ("answers", answers),
    ("bodies", bodies),
    ("key_sets", key_sets),
    ("limits", limits),
    ("money", money),
    ("signatures", signatures),
    ("tokens", tokens),
    ("traces", traces),
];

/// Unix seconds of every property: a corpus must mean tomorrow what it means today.
const NOW_S: i64 = 1_800_000_000;

/// The first byte chooses what is tried with the rest; letters, so that a corpus can be written by hand.
fn choice(data: &[u8]) -> Option<(char, &[u8])> {
    data.split_first().map(|(first, rest)| (char::from(*first), rest))
}

/// Up to the first line break, and what is behind it.
fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (head, rest) = data.split_at(end);
    (head, rest.get(1..).unwrap_or_default())
}
