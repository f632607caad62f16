//! How WebAssembly writes what it is made of: numbers, and lengths with as many bytes behind them.

pub const HEAD: usize = 8;
pub const CUSTOM: u8 = 0;
pub const IMPORTS: u8 = 2;
pub const EXPORTS: u8 = 7;

/// The same module, each section as `rewrite` makes it of its kind and its bytes; nothing leaves it out. `None`: no module.
pub fn rewritten(module: &[u8], mut rewrite: impl FnMut(u8, &[u8]) -> Option<Option<Vec<u8>>>) -> Option<Vec<u8>> {
    let mut whole = module.get(..HEAD)?.to_vec();
    let mut rest = module.get(HEAD..)?;
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        if let Some(body) = rewrite(*kind, chunk(&mut rest)?)? {
            whole.push(*kind);
            whole.extend(text(&body));
        }
    }
    Some(whole)
}

/// A length and as many bytes.
pub fn chunk<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = read(rest)?;
    let (chunk, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(chunk)
}

pub fn text(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len()), bytes.to_vec()].concat()
}

/// LEB128.
pub fn read(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

pub fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}
